"""`invoke build`: what the user reads of one package and of many, and of failures."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.build import make, parallel
from pipeline.build.progress import Outcome
from pipeline.commands import build
from pipeline.model import Built, Options, Plan
from pipeline.model.buildroot import Support
from pipeline.model.errors import CompileError, PackagingError, PatchError
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace

pytestmark = pytest.mark.usefixtures("rpmbuild", "checkout")

Result = Built | PackagingError

NAMES = [f"mimalloc-custom-2.0.6-1.el7.{arch}" for arch in ("x86_64", "s390x", "ppc64le")]


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the results of builds: of all of them, or by architecture."""

    def set_results(results: Result | dict[str, Result]) -> None:
        def package(plan: Plan, *_: object) -> Built:
            result = results[plan.arch] if isinstance(results, dict) else results
            if isinstance(result, PackagingError):
                raise result
            return result

        monkeypatch.setattr(make, "package", package)

    return set_results


@pytest.fixture
def run(
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., list[str]]:
    """Does a step for plans; the answer is what is printed."""
    # The plans of these tests are for machines that no data describe.
    monkeypatch.setattr("pipeline.build.keys.of", lambda plan, root, last: {})
    monkeypatch.setattr(make, "existing", lambda plan, place: None)
    monkeypatch.setattr("pipeline.toolchain.emulator.runs_here", lambda plan: True)

    def lines(*plans: Plan, last: str = "build", jobs: int = 0) -> list[str]:
        build.many(workspace, plans, last, Options(jobs=jobs), Report())
        return capsys.readouterr().out.splitlines()

    return lines


def _built(plan: Plan, *, fresh: bool = True) -> Built:
    return Built(plan, Path("/dist/x.rpm"), "ab" * 32, 123, fresh)


def _after(lines: list[str], line: str, count: int) -> list[str]:
    index = lines.index(line) + 1
    return lines[index : index + count]


def test_a_build_ends_with_path_size_and_checksum(
    plan: Plan, results: Callable[..., None], run: Callable[..., list[str]]
) -> None:
    """And with the paths of the sub-packages."""
    results(_built(plan))
    name, seconds, checksum, *subpackages, _ = run(plan)

    assert plan.nevra == name
    assert seconds.startswith("  built in 0.")
    assert seconds.endswith(" s: /dist/x.rpm")
    assert f"  123 bytes, sha256 {'ab' * 32}" == checksum
    assert [f"  with /dist/{name}" for name in plan.file_names[1:]] == subpackages


def test_a_package_that_is_up_to_date_has_no_time(
    plan: Plan, results: Callable[..., None], run: Callable[..., list[str]]
) -> None:
    """Nothing was done for it."""
    results(_built(plan, fresh=False))

    assert "  up to date: /dist/x.rpm" == run(plan)[1]


def test_a_failure_does_not_stop_the_others(
    plan: Plan,
    results: Callable[..., None],
    run: Callable[..., list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Failures are shown where they happen and once more; the exit code is that of the first."""
    plans = [replace(plan, arch=arch) for arch in ("x86_64", "s390x", "ppc64le")]
    results(
        {
            "x86_64": CompileError("no luck", hint="this"),
            "s390x": _built(plans[1]),
            "ppc64le": PatchError("no better"),
        }
    )
    with pytest.raises(CompileError) as caught:
        run(*plans, jobs=2)

    lines = capsys.readouterr().out.splitlines()
    shown = {name: next(line for line in lines if line.startswith(name)) for name in NAMES}
    assert ["FAILED", "built", "FAILED"] == [shown[name].split()[1] for name in NAMES]
    assert ["compile: no luck", "  try:      this"] == _after(lines, shown[NAMES[0]], 2)
    assert "patch: no better" in lines
    assert 25 == caught.value.exit_code
    assert "2 of 3 failed, 1 done" == caught.value.what
    assert [f"{NAMES[0]}: no luck", f"{NAMES[2]}: no better"] == caught.value.detail.splitlines()


def test_a_single_failure_is_raised_as_it_is(
    plan: Plan,
    results: Callable[..., None],
    run: Callable[..., list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is printed of it here: the task prints it."""
    results(CompileError("no luck"))
    with pytest.raises(CompileError, match="no luck"):
        run(plan)

    assert [plan.nevra] == capsys.readouterr().out.splitlines()


def test_many_builds_end_with_a_summary(
    plan: Plan, results: Callable[..., None], run: Callable[..., list[str]]
) -> None:
    """A line for each release, a column for each machine, and how many there are of what."""
    old = replace(plan, root=replace(plan.root, dist="el6"))
    results({"x86_64": _built(plan, fresh=False), "s390x": _built(plan)})
    lines = run(plan, replace(plan, arch="s390x"), old, jobs=1)

    start = lines.index("")
    assert ["el7", "el7", "el6"] == lines[start + 1].split()
    assert ["mimalloc", "x86_64", "s390x", "x86_64"] == lines[start + 2].split()
    assert ["2.0.6", "up", "to", "date"] == lines[start + 3].split()[:4]
    assert lines[start + 5].startswith("3 packages: 2 up to date, 1 built; ")
    assert lines[start + 5].endswith(", 1 at once")


def test_what_is_up_to_date_starts_no_process(
    plan: Plan,
    results: Callable[..., None],
    run: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others are built, and shown in their places."""
    others = [replace(plan, arch="s390x"), replace(plan, arch="ppc64le")]
    results({"s390x": _built(others[0])})
    started: list[str] = []

    def existing(plan: Plan, place: Workspace) -> Built | None:
        return None if plan.arch == "s390x" else _built(plan, fresh=False)

    def start(plans: Sequence[Plan], *rest: Any) -> list[Outcome]:
        started.extend(plan.arch for plan in plans)
        return parallel_run(plans, *rest)

    parallel_run = parallel.run
    monkeypatch.setattr(make, "existing", existing)
    monkeypatch.setattr(parallel, "run", start)
    lines = run(plan, *others, jobs=1)

    assert ["s390x"] == started
    (row,) = (line.split() for line in lines if line.startswith("2.0.6 "))
    assert ["up", "to", "date"] == row[1:4] == row[-3:]
    assert any(line.startswith("3 packages: 2 up to date, 1 built; ") for line in lines)


@pytest.mark.parametrize(
    ("fresh", "until", "count"),
    [(True, date(2000, 1, 1), 1), (False, date(2000, 1, 1), 0), (True, date.max, 0)],
)
def test_the_end_of_support_is_reported_once(
    plan: Plan,
    results: Callable[..., None],
    run: Callable[..., list[str]],
    fresh: bool,
    until: date,
    count: int,
) -> None:
    """In one line for a dist, and only where something was built for it."""
    plan = replace(plan, root=replace(plan.root, support=Support(until, "somebody")))
    plans = [plan, replace(plan, arch="s390x")]
    results({plan.arch: _built(plan, fresh=fresh) for plan in plans})

    line = "Enterprise Linux 7 has had no maintenance since 2000-01-01"
    assert count == run(*plans).count(line)


def test_a_step_prints_its_folder(
    plan: Plan, run: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its result is, for one plan and for many."""
    monkeypatch.setattr(make, "step", lambda *values: Path("/work", values[3]))

    assert [plan.nevra, "  /work/unpack"] == run(plan, last="unpack")
    lines = run(plan, replace(plan, arch="s390x"), last="unpack")
    assert 2 == lines.count("  /work/unpack")
    assert 2 == sum(line.split()[1:2] == ["done"] for line in lines if "mimalloc" in line)
