"""Made-up recipes, build roots, manifests, names and statements: an error of ours, or an answer."""

from __future__ import annotations

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

from pipeline.artifact import statement
from pipeline.build import make, selection
from pipeline.build.selection import Selection
from pipeline.checks import files
from pipeline.config import load
from pipeline.inspect import read
from pipeline.model import Facts
from pipeline.model.errors import PackagingError
from pipeline.publish import selection, signing
from pipeline.system import workspace
from pipeline.toolchain import spec
from tests.build.conftest import ARCH, ROOT, Package
from tests.faults.cage import bounded
from tests.faults.made_up import CHANGES, TEXTS, VALUES, changed, spoilt
from tests.faults.tally import tried

DICE = st.randoms(use_true_random=False)

# What is read on the way to one package, and how each file is named.
FILES = [
    "recipes/2.0.9.toml",
    "recipes/package.toml",
    "buildroot/el7.toml",
    "buildroot/processors/x86_64.toml",
    "buildroot/toolchains/zig.toml",
]


def ours(call: Callable[[], object]) -> PackagingError | None:
    """The error of ours that came out of a call; another one, or no end, fails the test."""
    tried("spoilt data")
    with bounded():
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


def _planned(root: Path) -> None:
    """All that is done with the data before a program is started."""
    plan = selection.plan(root, "2.0.9", "el7", ARCH)
    make.step_dirs(plan, workspace.Workspace(root, root / "cache"))
    for change in plan.recipe.patch:
        load.patch_file(root, plan.recipe, change)
    listing = spec.listed(plan, load.manifest(root, plan))
    spec.render(plan, root, listing, plan.options)


def _hold(root: Path, name: str, content: bytes) -> None:
    file = root / name
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        ours(lambda: _planned(root))
    finally:
        file.write_bytes(before)


@pytest.mark.parametrize("name", FILES)
@given(change=CHANGES)
def test_values_of_a_table(data: Path, name: str, change: tuple[random.Random, list[Any]]) -> None:
    """Whatever is where a value should be, the file is refused with its complaint, or taken."""
    table = tomllib.loads((ROOT / name).read_text())
    _hold(data, name, tomlkit.dumps(changed(table, *change)).encode(errors="surrogatepass"))


@pytest.mark.parametrize("name", FILES)
@given(dice=DICE, times=st.integers(1, 8))
def test_bytes_of_a_table(data: Path, name: str, dice: random.Random, times: int) -> None:
    """The same of files that are no TOML, or no text."""
    _hold(data, name, spoilt((ROOT / name).read_bytes(), dice, times))


@pytest.mark.parametrize(
    "text", ["x = " + "[" * 100_000, "x." * 50_000 + "x = 1", "x = " + "9" * 9999]
)
@pytest.mark.parametrize("name", FILES)
def test_a_table_that_exhausts_its_reader(data: Path, name: str, text: str) -> None:
    """Depth and length are complaints."""
    file = data / name
    before = file.read_bytes()
    file.write_text(text)
    try:
        assert ours(lambda: _planned(data)) is not None
    finally:
        file.write_bytes(before)


@given(content=st.binary(max_size=200) | DICE.map(lambda dice: _manifest(dice)))
@example(content=b"\xff\xfe")
def test_manifests(data: Path, facts: Facts, content: bytes) -> None:
    """A list of paths that is none is a finding, or an error of ours."""
    file = data / "recipes" / "manifests" / "2.0.9.el7.txt"
    before = file.read_bytes()
    file.write_bytes(content)
    plan = selection.plan(ROOT, "2.0.9", "el7", ARCH)
    try:
        ours(lambda: list(files.manifest(facts, plan, load.manifest(data, plan))))
    finally:
        file.write_bytes(before)


def _manifest(dice: random.Random) -> bytes:
    return spoilt((ROOT / "recipes/manifests/2.0.9.el7.txt").read_bytes(), dice, 3)


@pytest.fixture(scope="module")
def facts(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """What is in a real package."""
    built = package("2.0.9", "el7")
    return read(built.rpm, tmp_path_factory.mktemp("facts"), library=built.plan.library)


ASKED = TEXTS | st.sampled_from(["all", "all,all", ",", "2.0.9", "2.0.9,", " el7 ", "secure"])


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("version", "dist", "arch", "flavor", "toolchain", "source"), ASKED),
    )
)
def test_what_is_asked_for(asked: dict[str, str]) -> None:
    """A word that names nothing is refused; nothing is looked up by it."""
    problem = ours(lambda: selection.plans(ROOT, Selection(**asked)))
    assert problem is None or problem.exit_code in (2, 20)


@given(st.tuples(ASKED, ASKED, ASKED, ASKED))
def test_what_a_header_says_of_itself(words: tuple[str, str, str, str]) -> None:
    """A package of no recipe is refused, whatever it calls itself."""
    problem = ours(lambda: selection.named(ROOT, *words))
    assert problem is not None


NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=90)
NEVRAS = st.builds("{}-{}-{}.{}.{}.rpm".format, NAMES, TEXTS, st.integers() | TEXTS, NAMES, NAMES)


@given(NAMES | NEVRAS)
@example("a-1-" + "9" * 5000 + ".el7.x86_64.rpm")
def test_names_of_packages(name: str) -> None:
    """A file in dist/ is a package by its name, or is refused; what it says is what it was."""

    def look() -> None:
        item = selection.read(Path(name))
        assert item.rank
        assert item.line
        assert "/" not in item.shelf

    ours(look)


@given(TEXTS | TEXTS.map("https://{}".format))
def test_addresses(url: str) -> None:
    """What is taken for an address ends no line and no word of the files that it goes into."""

    def look() -> None:
        address = signing._address(url)
        assert address.split() == [address]
        assert address.isprintable()
        assert not set(address) & set("\"'<>&$;[]{}\\`|")

    ours(look)


@given(TEXTS | st.integers().map(str) | st.text("0123456789 \n٣²"))
def test_numbers_of_versions_to_keep(keep: str) -> None:
    """A number of versions is one, or nothing at all."""

    def look() -> None:
        assert 0 <= signing._number(keep) < 10_000

    ours(look)


@pytest.fixture(scope="module")
def shelved(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real package with what accounts for it, to spoil."""
    built = package("2.0.9", "el7").rpm
    folder = tmp_path_factory.mktemp("dist")
    for file in (built, *statement.beside(built)):
        shutil.copy(file, folder)
    return folder / built.name


@given(change=CHANGES)
def test_statements(shelved: Path, change: tuple[random.Random, list[Any]]) -> None:
    """Whatever is beside a package, it is vouched for or not, and is never a traceback."""
    statement = statement.beside(shelved)[0]
    before = statement.read_text()
    table = changed(json.loads(before), *change)
    statement.write_text(json.dumps(table, default=str), errors="surrogatepass")
    try:
        with bounded():
            assert statement.vouches(shelved) in (True, False)
    finally:
        statement.write_text(before)


@pytest.mark.parametrize("which", [0, 1], ids=["statement", "bill"])
@given(content=st.binary(max_size=99) | VALUES.map(lambda it: json.dumps(it, default=str).encode()))
@example(content=b"[" * 200_000)
@example(content=b'{"a":' * 200_000)
@example(content=b"1" * 10_000)
@example(content=b"\xff\xfe")
def test_what_is_no_statement(shelved: Path, which: int, content: bytes) -> None:
    """Something else in its place vouches for nothing."""
    file = statement.beside(shelved)[which]
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        with bounded():
            assert statement.vouches(shelved) is False
    finally:
        file.write_bytes(before)
    assert statement.vouches(shelved) is True
