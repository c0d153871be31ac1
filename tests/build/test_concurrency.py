"""Threads, forks, plugins and memory: probes on the library out of the package; what they catch.

How many forks are enough: of the releases that hang, 3.2.8 does so least often, in 26 of 3600 forks
of the probe on two processors. The true rate p is above 0.0047 with 95 % confidence, and n forks
find a hang with probability 1 - (1 - p)^n.
"""

from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.config import load
from pipeline.inspect import payload
from pipeline.model import Plan, Trial
from pipeline.smoke import probe, trials
from pipeline.system import workspace
from pipeline.toolchain import emulator
from tests.build import upstream
from tests.build.conftest import ARCH, NEWEST, ROOT, SEED, Package

# The oldest release and the newest of each line; with `--full` all.
SAMPLE = (SEED, "2.4.1", NEWEST)

RATE, CERTAINTY = 0.0047, 0.999
FORKS = 1500

# The check of every package has less time, and must find the hang of 3.4.3: 19 of 600.
CHECK_RATE = 0.019

# With `--full`: a hang that is ten times as rare is found, too.
MORE = 10

# What each probe of memory is started with: see its first lines.
CHURN = ("20000", "4096")
RECLAIMER = ("200", "64")
SPARSE = ("64",)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A sample of the releases, or with ``--full`` every one."""
    if "version" in metafunc.fixturenames:
        versions = load.versions(ROOT) if metafunc.config.getoption("--full") else SAMPLE
        metafunc.parametrize("version", versions, scope="module")


class Probes:
    """Compiles the probes for a plan, each once, and runs them on a library."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder

    def compiled(self, name: str, library: Path | None = None) -> Path:
        """A program, or with a library the plugin that is linked with it."""
        target = self.folder / (f"{name}.so" if library else name)
        arguments = ("-DPLUGIN", "-shared", "-fPIC", library) if library else ()
        place, log = workspace.locate(ROOT), self.folder / "log"
        if not target.exists():
            probe.compiled(name, self.plan, place, target, log, *arguments)
        return target

    def preloaded(self, library: Path, name: str, *arguments: str) -> Trial:
        """The result of a probe on the preloaded library."""
        variables = {"LD_PRELOAD": str(library)}
        command = emulator.start([self.compiled(name), *arguments], variables)
        return probe.attempt(name, command, self.folder)

    def plugin(self, library: Path, **variables: str) -> Trial:
        """The result of a program with the plugin, whose library the loader finds."""
        program, plugin = self.compiled("plugin"), self.compiled("plugin", library)
        variables |= {"LD_LIBRARY_PATH": str(library.parent)}
        return probe.attempt("plugin", emulator.start([program, plugin], variables), self.folder)


@pytest.fixture(scope="module")
def library(version: str, package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library out of the package, at the path that users preload."""
    built = package(version, "el8")
    files = payload.unpack(built.rpm, tmp_path_factory.mktemp("library"))
    return payload.place(files, built.plan.preload)


@pytest.fixture(scope="module")
def probes(version: str, tmp_path_factory: pytest.TempPathFactory) -> Probes:
    """The probes for a release."""
    plan = selection.plan(ROOT, version, "el8", ARCH)
    return Probes(plan, tmp_path_factory.mktemp("probes"))


def test_the_forks_are_enough() -> None:
    """They find the hangs of 3.x, as often as those happen without our patches."""
    in_check = int(trials.ARGUMENTS["forks"][0])
    assert 1 - (1 - RATE) ** FORKS >= CERTAINTY
    assert 1 - (1 - RATE / MORE) ** (FORKS * MORE) >= CERTAINTY
    assert 1 - (1 - CHECK_RATE) ** in_check >= CERTAINTY


def test_every_child_ends(library: Path, probes: Probes, pytestconfig: pytest.Config) -> None:
    """No child hangs, crashes, or finds other content than its own."""
    for _ in range(MORE if pytestconfig.getoption("--full") else 1):
        trial = probes.preloaded(library, "forks", str(FORKS))

        assert f"forks {FORKS} hung 0 crashed 0 wrong 0 " in trial.output
        assert trial.passed, trial.output


def test_ended_threads_leave_no_memory(library: Path, probes: Probes) -> None:
    """20,000 of them, and the process is as large as after 2,000."""
    trial = probes.preloaded(library, "churn", *CHURN)

    assert trial.passed, trial.output


def test_plugins_are_unloaded(library: Path, probes: Probes) -> None:
    """While a thread that has used one lives, alone, often; and in a program on the library."""
    for variables in ({}, {"LD_PRELOAD": str(library)}):
        trial = probes.plugin(library, **variables)

        ways = ("while a thread lives", "alone", "often")
        assert [f"plugin: unloaded {way}: passed" for way in ways] == trial.output.splitlines()


def test_a_thread_that_only_frees(library: Path, probes: Probes) -> None:
    """The peak is below twice what is live."""
    trial = probes.preloaded(library, "reclaimer", *RECLAIMER)

    assert trial.passed, trial.output


def test_zeroed_memory_is_not_written_to(library: Path, probes: Probes) -> None:
    """A gigabyte of it, four times: a few megabytes are resident."""
    trial = probes.preloaded(library, "sparse", *SPARSE)

    assert trial.passed, trial.output


@pytest.mark.parametrize(
    ("broken", "name", "arguments"),
    [
        (NEWEST, "forks", (str(FORKS), "4", "1")),
        (NEWEST, "reclaimer", RECLAIMER),
        (SEED, "sparse", SPARSE),
    ],
)
def test_a_release_as_upstream_tagged_it_fails(
    package: Package, tmp_path: Path, broken: str, name: str, arguments: tuple[str, ...]
) -> None:
    """Without our patches children hang, and memory that is free is not used again."""
    plan = package(broken, "el8").plan

    trial = Probes(plan, tmp_path).preloaded(upstream.compiled(plan, tmp_path), name, *arguments)

    assert (False, "exit code 1") == (trial.passed, trial.output.splitlines()[-1])


def test_a_plugin_of_a_release_as_upstream_tagged_it_fails(
    package: Package, tmp_path: Path
) -> None:
    """2.0.6 leaves the destructor of a thread behind, and a key at each load."""
    plan = package(SEED, "el8").plan

    trial = Probes(plan, tmp_path).plugin(upstream.compiled(plan, tmp_path))

    assert not trial.passed
    assert "plugin: unloaded while a thread lives: signal 11" in trial.output.splitlines()
    assert "plugin: keys of threads: 1024 before, 924 after" in trial.output.splitlines()


def test_a_library_that_frees_nothing_is_found(plan: Plan, tmp_path: Path) -> None:
    """Each thread leaves its blocks behind, and the process grows."""
    source, library = tmp_path / "library.c", tmp_path / "library.so"
    source.write_text("void free(void *block) { (void)block; }\n")
    upstream.compile_library(plan, source, library)

    trial = Probes(plan, tmp_path).preloaded(library, "churn", "1000")

    assert (False, "exit code 1") == (trial.passed, trial.output.splitlines()[-1])
