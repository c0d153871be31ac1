"""Real packages for the tests: built once, in the checkout's own workspace, and shared."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

from pipeline.build import make, selection
from pipeline.build.order import STEPS
from pipeline.config import load
from pipeline.model import PLAIN, Built, Plan, PlannedSubpackage
from pipeline.model.errors import FetchError, HostError
from pipeline.system import workspace
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import compiler, emulator
from tests.tally import untested

if TYPE_CHECKING:
    from tests.build.life import Life
    from tests.build.publisher import Publisher

ROOT = Path(__file__).resolve().parents[2]
ARCH = "x86_64"
SEED = "2.0.6"
NEWEST = "3.4.3"

# Their sources are in the Python index and in Debian's archives.
REACHABLE = ("2.0.9", NEWEST)
VERSIONS = (SEED, *REACHABLE)

DISTS = load.dists(ROOT)
OLD = ("el7", "el8")
MACHINES = [(dist, arch) for dist in DISTS for arch in load.build_root(ROOT, dist).machine]


class Which(NamedTuple):
    """The parameters of a package."""

    version: str
    dist: str
    arch: str = ARCH
    flavor: str = PLAIN


# Every release on every machine; of the secure flavor every machine once, and every release once.
EVERY = [Which(version, *machine) for version in VERSIONS for machine in MACHINES]
EVERY += [Which(NEWEST, *machine, "secure") for machine in MACHINES]
EVERY += [Which(version, "el7", flavor="secure") for version in VERSIONS if version != NEWEST]


def _unlike() -> Iterable[tuple[str, str]]:
    """A machine of each kind, by what is compiled for it, and of each dist.

    So a further dist does not take long.
    """
    plans = [selection.plan(ROOT, NEWEST, *machine) for machine in MACHINES]
    kinds = {(plan.target, plan.hooks, *compiler.flags(plan).compile): plan for plan in plans[::-1]}
    dists = {plan.root.dist for plan in kinds.values()}
    alone = (plan for plan in plans if plan.root.dist not in dists and plan.arch == ARCH)
    return [(plan.root.dist, plan.arch) for plan in (*kinds.values(), *alone)]


SAMPLED = sorted(_unlike(), key=MACHINES.index)

# What is built without `--full`: the newest release on a machine of each kind, the others on some.
SAMPLE = {Which(NEWEST, *machine) for machine in SAMPLED}
SAMPLE |= {Which(SEED, "el7"), Which(SEED, "el8"), Which(SEED, "el10", "aarch64")}
SAMPLE |= {Which("2.0.9", dist) for dist in ("el7", "el8", "el9")}
SAMPLE |= {Which(NEWEST, dist, flavor="secure") for dist in ("el7", "el8")}
SAMPLE |= {Which(SEED, "el7", flavor="secure")}


def of_each(those: Iterable[Which]) -> pytest.MarkDecorator:
    """Runs a test on each of these packages, as its parameter ``which``."""
    marked = [
        pytest.param(which, id="-".join(which), marks=() if which in SAMPLE else pytest.mark.full)
        for which in those
    ]
    return pytest.mark.parametrize("which", marked)


class Package(Protocol):
    """Builds a package."""

    def __call__(self, version: str, dist: str, arch: str = ARCH, flavor: str = PLAIN) -> Built:
        """Build it if it is not up to date."""


@cache
def _built(which: Which) -> Built:
    return make.package(selection.plan(ROOT, *which), workspace.locate(ROOT), Report())


def runnable(plan: Plan) -> None:
    """Skips, with a notice, where nothing on this host runs programs of the machine."""
    try:
        emulator.runner(plan)
    except HostError as problem:
        missing = f"{problem.got}; needed: {problem.expected}; see buildroot/host-programs.txt"
        untested(f"programs for {plan.machine.isa}", missing)


@pytest.fixture(scope="session")
def package() -> Package:
    """Builds a package if it is not up to date; skips without its source or an emulator."""

    def built(version: str, dist: str, arch: str = ARCH, flavor: str = PLAIN) -> Built:
        runnable(selection.plan(ROOT, version, dist, arch, flavor))
        try:
            return _built(Which(version, dist, arch, flavor))
        except FetchError as problem:
            hint = f"run once: invoke fetch --version {version} --source ..."
            untested(f"mimalloc {version}", f"{problem.what}; {hint}")

    return built


@pytest.fixture(scope="session")
def as_root() -> list[str]:
    """The prefix that runs a command as root, if only of a namespace; skips without one."""
    if os.geteuid() == 0:
        return []
    command = ["unshare", "--map-root-user", "--mount"]
    done = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        needed = "needs root, or a host that allows its users to make namespaces"
        untested("installation, and a full disk,", f"{needed}: {done.stderr.strip()}")
    return command


@pytest.fixture(scope="session")
def rpmlint() -> str:
    """The system's rpmlint, at a version that reads our settings; skips without one."""
    # Not the rpmlint of an environment: it needs the system's rpm module.
    program = shutil.which("rpmlint", path="/usr/bin:/usr/local/bin")
    if program:
        command = [program, "--version"]
        version = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        if version.startswith("2."):
            return program
    return untested("rpmlint", "no rpmlint 2 on this host; see buildroot/host-programs.txt")


@pytest.fixture
def plan() -> Plan:
    """A package whose source can be downloaded."""
    return selection.plan(ROOT, "2.0.9", "el7", ARCH)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project to break; its work and dist folders are its own."""
    return copy_of_project(tmp_path / "checkout")


def copy_of_project(target: Path) -> Path:
    """A checkout with the project's data and code, and nothing built."""
    target.mkdir()
    for name in ("recipes", "patches", "buildroot", "cli", "pipeline"):
        shutil.copytree(ROOT / name, target / name)
    for name in ("tasks.py", "pyproject.toml"):
        shutil.copy(ROOT / name, target / name)
    return target


def share_steps(checkout: Path) -> None:
    """Links what is compiled here into a copy whose changes come after that: it has the keys."""
    own, shared = workspace.locate(checkout).work, workspace.locate(ROOT).work
    own.mkdir(parents=True)
    for step in STEPS:
        if step.name not in ("package", "check"):
            (own / step.name).symlink_to(shared / step.name)


def subpackage(built: Built, suffix: str = "-nginx") -> tuple[PlannedSubpackage, Path]:
    """A sub-package of a package, and its file."""
    found = (one for one in built.plan.subpackages if one.name == f"{built.plan.name}{suffix}")
    planned = next(found)
    return planned, built.rpm.with_name(planned.file_name)


def unpacked_in(checkout: Path, plan: Plan, files: Path | None = None) -> StepDirs:
    """The step directories of a copy, in which a package is unpacked: ours, or other files."""
    dirs = make.step_dirs(plan, workspace.locate(checkout))
    source = files or make.step_dirs(plan, workspace.locate(ROOT)).unpacked
    shutil.copytree(source, dirs.unpacked, symlinks=True)
    return dirs


@pytest.fixture(scope="session")
def gnupg() -> Iterator[Path]:
    """A GnuPG home with several keys; see ``publisher``."""
    from tests.build import publisher

    with publisher.keys() as home:
        yield home


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout of a publisher, who has set the contact; see ``publisher``."""
    from tests.build import publisher

    return publisher.origin(tmp_path_factory.mktemp("publisher"))


@pytest.fixture
def publisher(checkout: Path, origin: Path, gnupg: Path) -> "Publisher":
    """A publisher of packages, in the copy."""
    from tests.build import publisher

    publisher.set_contact(checkout)
    share_steps(checkout)
    return publisher.Publisher(checkout, origin, gnupg)


@pytest.fixture
def life(
    publisher: "Publisher", gnupg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator["Life"]:
    """A publisher of small packages, with keys of its own, that serves on loopback."""
    from tests.build import life
    from tests.build import publisher as publishing

    with (
        publishing.copy_of_keys(gnupg) as home,
        publishing.serving(publisher.checkout) as url,
    ):
        monkeypatch.setenv("GNUPGHOME", str(home))
        yield life.Life(replace(publisher, gnupg=home), tmp_path, f"{url}/repository")


def invoke_in(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs `invoke` in a checkout, as a user does."""
    return subprocess.run(
        ["invoke", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def invoke(checkout: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `invoke` in the copy."""
    return partial(invoke_in, checkout)
