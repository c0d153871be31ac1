"""Generated recipes, build roots, manifests, names, statements: an error of ours, or a result."""

import json
import random
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import example, given
from hypothesis import strategies as st

from cli.command import number
from pipeline.artifact import statement
from pipeline.build import make, selection
from pipeline.checks import files
from pipeline.config import load
from pipeline.inspect.package import read
from pipeline.model import Facts, Selection
from pipeline.model.errors import PackagingError
from pipeline.publish import inventory, repository
from pipeline.system import workspace
from pipeline.toolchain import spec
from tests.build.conftest import ARCH, ROOT, Package
from tests.faults.generated import CHANGES, TEXTS, VALUES, changed, corrupted
from tests.faults.sandbox import time_limit
from tests.tally import count

GENERATORS = st.randoms(use_true_random=False)

# The files that are read for one package.
FILES = [
    "recipes/2.0.9.toml",
    "recipes/package.toml",
    "buildroot/el7.toml",
    "buildroot/processors/x86_64.toml",
    "buildroot/toolchains/zig.toml",
]


def error_of(call: Callable[[], object]) -> PackagingError | None:
    """The error of ours that a call raises; another one, or a time-out, fails the test."""
    count("generated data")
    with time_limit():
        try:
            call()
        except PackagingError as problem:
            str(problem).encode(errors="backslashreplace")
            return problem
    return None


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's data."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("recipes", "patches", "buildroot"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def _plan(root: Path) -> None:
    """Everything that is done with the data before a program is started."""
    plan = selection.plan(root, "2.0.9", "el7", ARCH)
    make.step_dirs(plan, workspace.Workspace(root, root / "cache"))
    for patch in plan.recipe.patch:
        load.patch_file(root, plan.recipe, patch)
    spec.render(plan, root, load.manifests(root, plan)[0])


def _plan_with(root: Path, name: str, content: bytes) -> None:
    file = root / name
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        error_of(lambda: _plan(root))
    finally:
        file.write_bytes(before)


@pytest.mark.parametrize("name", FILES)
@given(change=CHANGES)
def test_values_of_a_table(data: Path, name: str, change: tuple[random.Random, list[Any]]) -> None:
    """A file with any other values is refused with a complaint, or accepted."""
    table = tomllib.loads((ROOT / name).read_text())
    _plan_with(data, name, tomlkit.dumps(changed(table, *change)).encode(errors="surrogatepass"))


@pytest.mark.parametrize("name", FILES)
@given(generator=GENERATORS, times=st.integers(1, 8))
def test_bytes_of_a_table(data: Path, name: str, generator: random.Random, times: int) -> None:
    """The same for files that are not TOML or not UTF-8."""
    _plan_with(data, name, corrupted((ROOT / name).read_bytes(), generator, times))


@pytest.mark.parametrize("text", ["x = " + "[" * 100_000, "x = " + "9" * 9999])
@pytest.mark.parametrize("name", FILES)
def test_a_table_that_exhausts_its_reader(data: Path, name: str, text: str) -> None:
    """Depth and the length of a number are complaints."""
    file = data / name
    before = file.read_bytes()
    file.write_text(text)
    try:
        assert error_of(lambda: _plan(data)) is not None
    finally:
        file.write_bytes(before)


@given(content=st.binary(max_size=200) | GENERATORS.map(lambda generator: _manifest(generator)))
@example(content=b"\xff\xfe")
def test_manifests(data: Path, facts: Facts, content: bytes) -> None:
    """A malformed list of paths is a finding, or an error of ours."""
    file = data / "recipes" / "manifests" / "2.0.9.txt"
    before = file.read_bytes()
    file.write_bytes(content)
    plan = selection.plan(ROOT, "2.0.9", "el7", ARCH)
    try:
        error_of(lambda: list(files.manifest(facts, plan, load.manifests(data, plan)[0])))
    finally:
        file.write_bytes(before)


def _manifest(generator: random.Random) -> bytes:
    return corrupted((ROOT / "recipes/manifests/2.0.9.txt").read_bytes(), generator, 3)


@pytest.fixture(scope="module")
def facts(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """What is in a real package."""
    built = package("2.0.9", "el7")
    return read(built.rpm, tmp_path_factory.mktemp("facts"), library=built.plan.library)


WORDS = TEXTS | st.sampled_from(["all", "all,all", ",", "2.0.9", "2.0.9,", " el7 ", "secure"])


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("version", "dist", "arch", "flavor", "toolchain", "source"), WORDS),
    )
)
def test_selections(words: dict[str, str]) -> None:
    """An unknown name is refused, and not used as a path."""
    problem = error_of(lambda: selection.plans(ROOT, Selection(**words)))
    assert problem is None or problem.exit_code in (2, 20)


@given(st.tuples(WORDS, WORDS, WORDS, WORDS))
def test_nevras_of_headers(words: tuple[str, str, str, str]) -> None:
    """A package without a recipe is refused."""
    problem = error_of(lambda: selection.by_nevra(ROOT, *words))
    assert problem is not None


NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=90)
NEVRAS = st.builds("{}-{}-{}.{}.{}.rpm".format, NAMES, TEXTS, st.integers() | TEXTS, NAMES, NAMES)


@given(NAMES | NEVRAS)
@example("a-1-" + "9" * 5000 + ".el7.x86_64.rpm")
def test_names_of_packages(name: str) -> None:
    """A file in dist/ has the name of a package, or is refused."""

    def check() -> None:
        item = inventory.read(Path(name))
        assert item.rank
        assert "/" not in item.folder

    error_of(check)


@given(TEXTS | TEXTS.map("https://{}".format))
def test_addresses(url: str) -> None:
    """An accepted address has no special characters of the files that it is written to."""

    def check() -> None:
        address = repository._address(url)
        assert address.split() == [address]
        assert address.isprintable()
        assert not set(address) & set("\"'<>&$;[]{}\\`|")

    error_of(check)


@given(TEXTS | st.integers().map(str) | st.text("0123456789 \n٣²"))
def test_numbers_of_versions_to_keep(keep: str) -> None:
    """An accepted number is not negative, and not too large."""

    def check() -> None:
        assert 0 <= number("keep", keep) < 10_000_000

    error_of(check)


@pytest.fixture(scope="module")
def placed(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a real package with its statement and bill."""
    built = package("2.0.9", "el7").rpm
    folder = tmp_path_factory.mktemp("dist")
    for file in (built, *statement.accompanying_files(built)):
        shutil.copy(file, folder)
    return folder / built.name


@given(change=CHANGES)
def test_statements(placed: Path, change: tuple[random.Random, list[Any]]) -> None:
    """A package matches any statement, or not, without an error."""
    file = statement.accompanying_files(placed)[0]
    before = file.read_text()
    table = changed(json.loads(before), *change)
    file.write_text(json.dumps(table, default=str), errors="surrogatepass")
    try:
        with time_limit():
            assert statement.matches(placed) in (True, False)
    finally:
        file.write_text(before)


@pytest.mark.parametrize("which", [0, 1], ids=["statement", "bill"])
@given(
    content=st.binary(max_size=99)
    | VALUES.map(lambda value: json.dumps(value, default=str).encode())
)
@example(content=b"[" * 200_000)
@example(content=b'{"a":' * 200_000)
@example(content=b"1" * 10_000)
@example(content=b"\xff\xfe")
def test_files_in_place_of_a_statement(placed: Path, which: int, content: bytes) -> None:
    """A package does not match another file."""
    file = statement.accompanying_files(placed)[which]
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        with time_limit():
            assert statement.matches(placed) is False
    finally:
        file.write_bytes(before)
    assert statement.matches(placed) is True
