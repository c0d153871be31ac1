"""Make packages: which steps run, what is up to date, sources of the user, several runs."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.artifact import placement, statement
from pipeline.build import make
from pipeline.build.order import STEPS, Step
from pipeline.model import Built, Plan, UserSource
from pipeline.model.errors import (
    CompileError,
    RecipeError,
    UnpackError,
    VerifyError,
    WorkspaceError,
)
from pipeline.sources import user
from pipeline.steps import fetch, unpack
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, Workspace, remove
from tests.unit import release
from tests.unit.build.conftest import STEP_NAMES, FakeSteps
from tests.unit.server import Answer, Server

pytestmark = pytest.mark.usefixtures("rpmbuild", "checkout")

Build = Callable[..., Built]


def _since(step: str) -> list[str]:
    return STEP_NAMES[STEP_NAMES.index(step) :]


def _fail() -> None:
    raise CompileError("it does not compile")


# --- steps ---------------------------------------------------------------------------------------


def test_steps_run_in_order(steps: FakeSteps, build: Build) -> None:
    """From the source to the checked package, each once."""
    build()

    assert STEP_NAMES == steps.ran()


def test_a_step_runs_after_what_is_missing_before_it(
    steps: FakeSteps, plan: Plan, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Up to the requested step, and no further; then it is up to date."""
    folder = make.step(plan, workspace, Report(), "patch")
    first = steps.ran()
    capsys.readouterr()
    again = make.step(plan, workspace, Report(), "patch")

    assert (["fetch", "unpack", "patch"], []) == (first, steps.ran())
    assert folder == again
    assert (folder / "contents").is_file()
    assert "  patch      up to date\n" == capsys.readouterr().out


def test_what_comes_before_a_result_is_not_needed(
    steps: FakeSteps, plan: Plan, workspace: Workspace, build: Build
) -> None:
    """The source is not fetched again while the patched tree is there."""
    make.step(plan, workspace, Report(), "patch")
    mirror = release.recast(plan, source=(release.source(b"x", "https://mirror.invalid/x"),))
    steps.ran()
    build(mirror)

    assert _since("configure") == steps.ran()


def test_without_a_manifest_nothing_is_compiled(
    steps: FakeSteps, plan: Plan, workspace: Workspace
) -> None:
    """The message has the command that writes it."""
    with pytest.raises(RecipeError) as caught:
        make.package(plan, workspace, Report())

    assert [] == steps.ran()
    assert caught.value.hint.startswith("invoke manifest --write --version 2.0.6 --dist el7")


def test_a_failed_step_runs_again(
    steps: FakeSteps, plan: Plan, workspace: Workspace, build: Build
) -> None:
    """It leaves its log and no stamp; nothing is in dist; the next run continues from there."""
    steps.hooks["compile"] = _fail
    with pytest.raises(CompileError):
        build()

    dirs = make.step_dirs(plan, workspace)
    assert STEP_NAMES[: STEP_NAMES.index("compile") + 1] == steps.ran()
    assert "compile\n" == dirs.log("compile").read_text()
    assert not dirs.done("compile").exists()
    assert not workspace.dist.exists()
    (dirs.folder("compile") / "half").touch()
    steps.hooks.clear()
    built = build()
    assert _since("compile") == steps.ran()
    assert not (dirs.folder("compile") / "half").exists()
    assert built.rpm.is_file()


def test_an_interrupted_step_runs_again(steps: FakeSteps, build: Build) -> None:
    """Ctrl-C in the middle of a step leaves nothing that counts."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    steps.hooks["package"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        build()
    steps.hooks.clear()
    steps.ran()
    build()

    assert ["package", "check"] == steps.ran()


def test_a_full_disk_has_its_own_error(steps: FakeSteps, build: Build) -> None:
    """In any step; with free space the next run continues from there."""

    def fill() -> None:
        raise OSError(28, "No space left on device", "/some/file")

    steps.hooks["stage"] = fill
    with pytest.raises(WorkspaceError) as caught:
        build()

    assert ("/some/file", 12) == (caught.value.file, caught.value.exit_code)
    assert "free some space" in caught.value.hint
    steps.hooks.clear()
    steps.ran()
    build()
    assert _since("stage") == steps.ran()


def test_a_package_that_was_altered_after_its_check(
    steps: FakeSteps, plan: Plan, workspace: Workspace, build: Build
) -> None:
    """Only the bytes that passed the checks get the final name."""
    dirs = make.step_dirs(plan, workspace)
    build().rpm.unlink()
    (dirs.packages / plan.file_name).write_text("another RPM\n")

    with pytest.raises(WorkspaceError, match="was changed after a step") as caught:
        build()

    assert f"'rpms/{plan.file_name}'" == caught.value.got
    assert not placement.destination(plan, workspace).exists()


@pytest.mark.parametrize(
    ("reader", "wrote"),
    [(step.name, name) for step in STEPS for name in step.reads if name != "compile"]
    + [("stage", "configure")],  # what is compiled is in the build folder
)
@pytest.mark.parametrize("way", ["altered", "added", "removed", "made executable"])
def test_a_step_refuses_what_was_changed_since_it_was_written(
    steps: FakeSteps,
    plan: Plan,
    workspace: Workspace,
    build: Build,
    reader: str,
    wrote: str,
    way: str,
) -> None:
    """Before each step, the results that it reads are compared with what was left."""
    dirs = make.step_dirs(plan, workspace)
    steps.hooks[reader] = _fail
    with pytest.raises(CompileError):
        build()
    file = dirs.folder(wrote) / "result"
    changes: dict[str, Callable[[], object]] = {
        "altered": lambda: file.write_text("another\n"),
        "added": lambda: file.with_name("other").touch(),
        "removed": file.unlink,
        "made executable": lambda: file.chmod(0o777),
    }
    changes[way]()
    steps.hooks.clear()
    steps.ran()

    with pytest.raises(WorkspaceError) as caught:
        build()

    name = "other" if way == "added" else "result"
    assert (f"'{name}'", file.parent) == (caught.value.got, caught.value.file)
    assert "invoke clean" in caught.value.hint
    assert [] == steps.ran()
    remove(workspace.work)
    assert build().rpm.is_file()


def test_what_an_interrupted_compiler_has_left_is_not_used(
    steps: FakeSteps, plan: Plan, workspace: Workspace, build: Build
) -> None:
    """It works in the folder that was configured, which is configured anew."""
    dirs = make.step_dirs(plan, workspace)

    def leave_half() -> None:
        (dirs.folder("configure") / "half.o").touch()
        raise KeyboardInterrupt

    steps.hooks["compile"] = leave_half
    with pytest.raises(KeyboardInterrupt):
        build()
    steps.hooks.clear()
    steps.ran()
    build()

    assert _since("configure") == steps.ran()
    assert not (dirs.folder("configure") / "half.o").exists()


def test_a_result_that_was_removed(
    steps: FakeSteps, plan: Plan, workspace: Workspace, build: Build
) -> None:
    """Where somebody has removed files in the work folder, the message says how to go on."""
    dirs = make.step_dirs(plan, workspace)
    build().rpm.unlink()
    (dirs.packages / plan.file_name).unlink()
    with pytest.raises(WorkspaceError) as caught:
        build()

    assert "invoke clean" in caught.value.hint
    remove(workspace.work)
    assert build().rpm.is_file()


def test_a_changed_recipe_is_not_up_to_date(steps: FakeSteps, plan: Plan, build: Build) -> None:
    """A new option is a new build, though the package has the same name."""
    build()
    steps.ran()
    built = build(release.recast(plan, cmake={"MI_X": "ON"}))

    assert built.fresh
    assert _since("configure") == steps.ran()


def test_dists_share_what_they_have_in_common(steps: FakeSteps, plan: Plan, build: Build) -> None:
    """Two dists with the same C library floor and flags compile once."""
    build()
    steps.ran()
    build(replace(plan, root=replace(plan.root, dist="el99")))

    assert _since("package") == steps.ran()


def test_two_runs_do_each_step_once(
    steps: FakeSteps, build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second waits, says so, and finds the package up to date."""
    running = threading.Event()

    def wait_for_the_other() -> None:
        running.set()
        time.sleep(0.02)

    steps.hooks["fetch"] = wait_for_the_other
    results: list[Built] = []
    first = threading.Thread(target=lambda: results.append(build()))
    first.start()
    running.wait(5)
    results.append(build())
    first.join()

    assert STEP_NAMES == steps.ran()
    assert [False, True] == sorted(built.fresh for built in results)
    assert "another run is building it; waiting" in capsys.readouterr().out


def test_a_second_build_does_nothing(
    steps: FakeSteps, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is there is found, and no program is run for it."""
    first = build()
    steps.ran()
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    second = build()

    assert [] == steps.ran()
    assert replace(first, fresh=False) == second


def test_what_is_there_is_found_without_a_lock(
    steps: FakeSteps, plan: Plan, workspace: Workspace, build: Build
) -> None:
    """As it is built; not where a file is another, nor from a source of the user."""
    assert make.existing(plan, workspace) is None
    built = build()

    assert replace(built, fresh=False) == make.existing(plan, workspace)
    source = UserSource("git", "x", "0" * 40)
    assert make.existing(replace(plan, user_source=source), workspace) is None
    built.rpm.write_text("another RPM\n")
    assert make.existing(plan, workspace) is None
    statement.accompanying_files(built.rpm)[0].unlink()
    assert make.existing(plan, workspace) is None


def test_a_second_build_imports_only_what_it_needs(project: Path) -> None:
    """What writes bills of materials takes time to import."""
    code = "import sys, tasks, pipeline.commands.build; print('cyclonedx' in sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=project, check=True, capture_output=True, text=True
    ).stdout

    assert "False\n" == output


def test_a_package_that_fails_its_check_gets_no_name(steps: FakeSteps, build: Build) -> None:
    """An older package of the name stays what it was."""
    first = build()
    contents = {file: file.read_bytes() for file in first.rpm.parent.iterdir()}
    steps.hooks["check"] = _fail
    with pytest.raises(CompileError):
        build(replace(first.plan, processor=replace(first.plan.processor, page=1)))

    assert contents == {file: file.read_bytes() for file in first.rpm.parent.iterdir()}


# --- sources of the user -------------------------------------------------------------------------


@pytest.fixture
def real_source(steps: FakeSteps, monkeypatch: pytest.MonkeyPatch) -> FakeSteps:
    """Fetch and unpack are real, the other steps are fake."""
    real = {"fetch": fetch.run, "unpack": unpack.run}

    def step(name: str) -> Step:
        def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
            steps.names.append(name)
            real[name](plan, dirs, report)

        fake = steps.step(name)
        return replace(fake, run=run) if name in real else fake

    monkeypatch.setattr(make, "STEPS", tuple(step(name) for name in STEP_NAMES))
    return steps


def _from(plan: Plan, location: object) -> Plan:
    return replace(plan, user_source=user.user_source(str(location), "2.0.6", plan.package))


def test_a_source_of_the_user_is_verified_though_all_is_up_to_date(
    real_source: FakeSteps, plan: Plan, build: Build, tmp_path: Path
) -> None:
    """A wrong source is refused, even where nothing would have been built from it."""
    good = release.unfold(tmp_path / "good")
    build(_from(plan, good))
    real_source.ran()
    bad = release.unfold(tmp_path / "bad")
    (bad / "src" / "alloc.c").write_text("another\n")
    with pytest.raises(VerifyError, match=r"not mimalloc 2\.0\.6"):
        build(_from(plan, bad))

    assert ["fetch", "unpack"] == real_source.ran()
    (bad / "src" / "alloc.c").write_text(release.ALLOC)
    assert not build(_from(plan, bad)).fresh
    assert ["fetch", "unpack"] == real_source.ran()


@pytest.mark.parametrize(
    "content",
    [b"<html>", release.tarball([]), release.tarball(release.entries(LICENSE="another"))],
    ids=["page", "empty", "other"],
)
def test_a_url_is_fetched_again_after_a_refusal(
    real_source: FakeSteps, plan: Plan, build: Build, http: Server, content: bytes
) -> None:
    """It may give the right source by then."""
    http.answers = [Answer(content), Answer(release.tarball())]
    with pytest.raises((UnpackError, VerifyError)):
        build(_from(plan, http.url))

    assert build(_from(plan, http.url)).fresh
    assert 2 == len(http.requests)
