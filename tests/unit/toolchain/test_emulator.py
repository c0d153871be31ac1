"""`emulator`: how a program of any machine is started on this host."""

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.model import Plan
from pipeline.model.errors import HostError
from pipeline.toolchain import emulator
from tests.unit.conftest import PROJECT

V2 = {"pni", "ssse3", "sse4_1", "sse4_2", "popcnt", "lahf_lm", "cx16"}
V3 = V2 | {"avx", "avx2", "bmi1", "bmi2", "fma", "f16c", "abm", "movbe"}

Host = Callable[..., None]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """Makes this host another one: its machine, its processor's features, its programs."""

    def be(machine: str, marks: set[str] | None = None, programs: str = "/usr/bin") -> None:
        monkeypatch.setattr(platform, "machine", lambda: machine)
        monkeypatch.setattr(emulator, "_cpu_flags", lambda: frozenset(marks or ()))
        monkeypatch.setattr(shutil, "which", lambda name: programs and f"{programs}/{name}")

    return be


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with a folder for a C library, in QEMU's own variable."""
    (tmp_path / "lib").mkdir()
    monkeypatch.setenv(emulator.ROOT_VARIABLE, str(tmp_path))
    return tmp_path


def planned(dist: str, arch: str) -> Plan:
    """The default release."""
    return selection.plan(PROJECT, "3.4.3", dist, arch)


@pytest.mark.parametrize(
    ("dist", "arch", "machine", "marks"),
    [
        ("el7", "x86_64", "x86_64", set()),
        ("el9", "x86_64", "x86_64", V2),
        ("el10", "x86_64_v2", "x86_64", V2),
        ("el10", "x86_64", "x86_64", V3 | {"avx512f"}),
        ("el10", "aarch64", "aarch64", set()),
        ("amzn2023", "aarch64", "aarch64", {"atomics"}),
    ],
)
def test_a_host_runs_what_is_its_own(
    host: Host, dist: str, arch: str, machine: str, marks: set[str]
) -> None:
    """The processor has every feature of the level: a program is started directly."""
    host(machine, marks, programs="")
    plan = planned(dist, arch)

    assert emulator.runs_here(plan)
    assert () == emulator.runner(plan)
    assert ["env", "A=b", "/a/program", "-x"] == emulator.start(
        [Path("/a/program"), "-x"], {"A": "b"}
    )


@pytest.mark.parametrize(
    ("dist", "arch", "machine", "marks"),
    [
        ("el9", "x86_64", "x86_64", V2 - {"popcnt"}),
        ("el10", "x86_64_v2", "x86_64", V2 - {"cx16"}),
        ("el10", "x86_64", "x86_64", V3 - {"bmi2"}),
        ("el10", "x86_64", "x86_64", V2),
        ("el7", "x86_64", "aarch64", V3),
        ("el7", "aarch64", "x86_64", V3),
        ("amzn2023", "aarch64", "aarch64", set()),
    ],
)
def test_a_host_of_another_kind_or_too_old_does_not(
    host: Host, dist: str, arch: str, machine: str, marks: set[str]
) -> None:
    """One missing feature is enough."""
    host(machine, marks)

    assert not emulator.runs_here(planned(dist, arch))


@pytest.mark.parametrize(
    ("dist", "arch", "machine", "program", "model"),
    [
        ("el7", "aarch64", "x86_64", "qemu-aarch64", "cortex-a53"),
        ("el10", "aarch64", "x86_64", "qemu-aarch64", "cortex-a53"),
        ("amzn2023", "aarch64", "x86_64", "qemu-aarch64", "neoverse-n1"),
        ("el8", "x86_64", "aarch64", "qemu-x86_64", "qemu64"),
        ("el9", "x86_64", "aarch64", "qemu-x86_64", "Nehalem"),
        ("el10", "x86_64_v2", "aarch64", "qemu-x86_64", "Nehalem"),
        ("el10", "x86_64", "aarch64", "qemu-x86_64", "Haswell"),
    ],
)
def test_an_emulator_is_the_oldest_processor_of_the_level(
    host: Host, elsewhere: Path, dist: str, arch: str, machine: str, program: str, model: str
) -> None:
    """What runs on it runs on every processor of the dist."""
    host(machine)

    command = emulator.runner(planned(dist, arch))

    assert (f"/usr/bin/{program}", "-L", str(elsewhere), "-cpu", model) == command


def test_a_host_of_the_kind_has_the_c_library_itself(host: Host, elsewhere: Path) -> None:
    """For a newer processor of its kind, the emulator uses the host's own root."""
    host("x86_64", V2)

    command = emulator.runner(planned("el10", "x86_64"))

    assert ("/usr/bin/qemu-x86_64", "-L", "/", "-cpu", "Haswell") == command
    assert elsewhere.is_dir()


def test_the_root_is_the_processors_by_default(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of Debian's cross C library."""
    monkeypatch.delenv(emulator.ROOT_VARIABLE, raising=False)
    monkeypatch.setattr(Path, "is_dir", lambda self: True)
    host("x86_64")
    plan = planned("el8", "aarch64")

    assert "/usr/aarch64-linux-gnu" == plan.processor.sysroot
    assert ("-L", "/usr/aarch64-linux-gnu") == emulator.runner(plan)[1:3]


def test_variables_are_for_the_program_and_not_for_its_emulator() -> None:
    """`LD_PRELOAD` in the emulator's own environment would preload a library of another machine."""
    runner = ("/usr/bin/qemu-aarch64", "-L", "/root")

    command = emulator.start(
        [Path("/a/program"), "-E"], {"LD_PRELOAD": "/a b/x.so", "EMPTY": ""}, runner
    )

    variables = ("-E", "LD_PRELOAD=/a b/x.so", "-E", "EMPTY=")
    assert [*runner, *variables, "/a/program", "-E"] == command


def test_a_host_without_the_emulator(host: Host, elsewhere: Path) -> None:
    """The message has its name, its purpose, and what to do."""
    host("x86_64", programs="")

    with pytest.raises(HostError) as caught:
        emulator.runner(planned("el7", "aarch64"))

    problem = caught.value
    assert "programs for armv8-a cannot run on this host" == problem.what
    assert f"qemu-aarch64, and a C library below {elsewhere}" == problem.expected
    assert "no qemu-aarch64" == problem.got
    assert ("invoke doctor", 11) == (problem.hint.splitlines()[0], problem.exit_code)


def test_a_host_without_the_emulators_c_library(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The message has the folder that is missing, and the variable that names another."""
    host("x86_64")
    monkeypatch.setenv(emulator.ROOT_VARIABLE, str(tmp_path / "nowhere"))

    with pytest.raises(HostError) as caught:
        emulator.runner(planned("el7", "aarch64"))

    assert f"no {tmp_path}/nowhere/lib" == caught.value.got
    assert caught.value.hint.splitlines()[1].startswith("QEMU_LD_PREFIX=/")


@pytest.mark.parametrize(
    ("cpuinfo", "features"),
    [
        ("processor\t: 0\nflags\t\t: fpu sse2 avx\n\nprocessor\t: 1\n", {"fpu", "sse2", "avx"}),
        (
            "processor\t: 0\nBogoMIPS\t: 50\nFeatures\t: fp asimd atomics\n",
            {"fp", "asimd", "atomics"},
        ),
        ("vmx flags\t: vnmi\n", set()),
    ],
)
def test_features_are_those_of_the_kernel(
    monkeypatch: pytest.MonkeyPatch, cpuinfo: str, features: set[str]
) -> None:
    """Those of the first processor, on x86 and Arm; other lines are not read."""
    monkeypatch.setattr(Path, "read_text", lambda self, errors: cpuinfo)

    assert features == emulator._cpu_flags.__wrapped__()
