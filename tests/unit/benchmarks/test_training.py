"""`training`: which compiler makes a profile."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import settings, training
from pipeline.model import Plan
from pipeline.model.errors import HostError

PROGRAMS = ("clang-22", "llvm-profdata-22")

Host = Callable[[str], None]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Gives the host clang and llvm-profdata of a version, and no other program."""
    monkeypatch.setattr(training, "_version", lambda argv: _printed(argv, monkeypatch))

    def install(version: str) -> None:
        for name in PROGRAMS if version else ():
            (tmp_path / name).write_text(version)
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return install


def _printed(argv: list[str], _: object) -> str:
    """The version of the compiler of the packages, or what the host's program is written to be."""
    return "22.1.8" if argv[0].endswith("zig") else Path(argv[0]).read_text()


def test_the_compilers_own_version_is_taken(host: Host, plan: Plan) -> None:
    """It writes the profiles that the compiler of the packages reads."""
    host("22.1.8")

    assert list(PROGRAMS) == [Path(program).name for program in training.tools(plan)]


@pytest.mark.parametrize("version", ["", "22.1.7", "21.1.8"])
def test_another_version_is_refused(host: Host, plan: Plan, version: str) -> None:
    """The message has the version that is needed, and how to install it."""
    host(version)

    with pytest.raises(HostError) as caught:
        training.tools(plan)

    assert "22.1.8" in caught.value.expected
    assert "clang-22" in caught.value.hint


def test_some_workloads_are_kept_out() -> None:
    """They judge the profile: what is better for those that made it is no evidence."""
    workloads = settings.load().workload

    assert {True, False} == {workload.trained for workload in workloads}
