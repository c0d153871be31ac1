"""`build`: keys, what is up to date, what is done again, and the way into `dist/`.

The steps themselves are played: each writes its name to a list, and leaves what the next ones need.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.artifact import placement, statement
from pipeline.build import keys, make
from pipeline.build.make import Step
from pipeline.build.order import STEPS
from pipeline.commands import clean
from pipeline.config import load
from pipeline.model import Built, Flags, Machine, Patch, Plan
from pipeline.model.errors import CheckError, CompileError, UnpackError, VerifyError, WorkspaceError
from pipeline.sources import user
from pipeline.steps import fetch, unpack
from pipeline.system.checksum import sha256_of
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, Workspace, place
from tests.unit import release
from tests.unit.server import Answer, Server

pytestmark = pytest.mark.usefixtures("rpmbuild")

NAMES = [step.name for step in STEPS]


@dataclass
class Play:
    """The played steps: which were done, and what is to happen at one of them."""

    done: list[str] = field(default_factory=list)
    twist: dict[str, Callable[[], None]] = field(default_factory=dict)

    def step(self, name: str) -> Step:
        """A step of this name, played."""

        def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
            self.done.append(name)
            dirs.log(name).write_text(f"{name}\n")
            if name == "patch":
                told = {"kind": "url", "reference": "https://x.invalid/", "sha256": "0" * 64}
                dirs.origin.write_text(json.dumps(told))
            if name == "package":
                dirs.packages.mkdir()
                for each in plan.file_names:
                    (dirs.packages / each).write_text("an RPM\n")
            if name == "check":
                dirs.checked.write_text(
                    "".join(f"{sha256_of(dirs.packages / n)}  {n}\n" for n in plan.file_names)
                )
            self.twist.get(name, lambda: None)()

        return Step(name, run)

    def taken(self) -> list[str]:
        """The steps that were done since the last question."""
        taken, self.done = self.done, []
        return taken


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> Play:
    """All steps are played; they stand in the scratch checkout."""
    play = Play()
    monkeypatch.setattr(make, "STEPS", tuple(play.step(name) for name in NAMES))
    return play


@pytest.fixture
def make(plan: Plan, workspace: Workspace) -> Callable[..., Built]:
    """Builds the plan, or another one."""

    def run(other: Plan | None = None, *, offline: bool = False) -> Built:
        return make.package(other or plan, workspace, Report(), offline=offline)

    return run


def _fail() -> None:
    raise CompileError("it does not compile")


# --- keys ----------------------------------------------------------------------------------------


def _changed(plan: Plan, other: Plan, root: Path) -> list[str]:
    before, after = keys.of(plan, root), keys.of(other, root)
    return [name for name in NAMES if before[name] != after[name]]


def _on_aarch64(plan: Plan) -> Plan:
    machine = {**plan.root.machine, "aarch64": Machine(isa="armv8-a")}
    return replace(plan, arch="aarch64", root=replace(plan.root, machine=machine))


def test_source_package_is_the_same_for_every_machine(plan: Plan, checkout: Path) -> None:
    """Asked for another one, or another compiler, it stays, and so does its signature."""
    others = (
        replace(plan, arch="aarch64", processor=replace(plan.processor, name="aarch64")),
        replace(plan, compiler=replace(plan.compiler, flags=Flags(("-O0",)))),
    )
    (key,) = {keys.of(each, checkout)["srpm"] for each in (plan, *others)}

    assert key != keys.of(release.recast(plan, folders="owned"), checkout)["srpm"]


FROM = {name: NAMES[NAMES.index(name) :] for name in NAMES}


def test_keys_are_of_every_step(plan: Plan, checkout: Path) -> None:
    """A key for each step, the same one each time."""
    keys = keys.of(plan, checkout)

    assert [*NAMES, "srpm"] == list(keys)
    assert keys == keys.of(plan, checkout)


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        (lambda plan: release.recast(plan, patch=(Patch("f", "1" * 64, "w"),)), FROM["patch"]),
        (lambda plan: release.recast(plan, tree="sha256:0"), FROM["unpack"]),
        (lambda plan: release.recast(plan, cmake={"X": "1"}), FROM["configure"]),
        (lambda plan: _on_aarch64(plan), FROM["configure"]),
        (
            lambda plan: replace(plan, compiler=replace(plan.compiler, flags=Flags(("-O0",)))),
            FROM["configure"],
        ),
        (
            lambda plan: replace(plan, root=replace(plan.root, glibc="2.99")),
            FROM["configure"],
        ),
        (
            lambda plan: release.recast(plan, released=plan.recipe.released + timedelta(seconds=1)),
            FROM["configure"],
        ),
        (lambda plan: release.recast(plan, library="libmimalloc.so.2.9"), FROM["stage"]),
        (lambda plan: release.recast(plan, folders="owned"), FROM["package"]),
        (lambda plan: replace(plan, root=replace(plan.root, dist="el99")), FROM["package"]),
        (lambda plan: plan, []),
    ],
    ids="patch tree option arch flag glibc time library folders dist nothing".split(),
)
def test_change_reaches_the_steps_that_depend_on_it(
    plan: Plan, checkout: Path, change: Callable[[Plan], Plan], steps: list[str]
) -> None:
    """A change makes its step and those after it anew, and none before."""
    assert steps == _changed(plan, change(plan), checkout)


def test_patched_tree_does_not_depend_on_its_source(plan: Plan, checkout: Path) -> None:
    """A new mirror of the same tree is fetched and looked at; the tree is the same."""
    other = release.recast(plan, source=(release.source(b"x", "https://mirror.invalid/x"),))

    assert ["fetch", "unpack", "package", "check"] == _changed(plan, other, checkout)


def test_handed_source_does_not_change_the_package(
    plan: Plan, checkout: Path, tmp_path: Path
) -> None:
    """What is built from the user's own tree, if it is the tagged one, is the same package."""
    folder = release.unfold(tmp_path / "mine")
    user_source = replace(plan, user_source=user.user_source(str(folder), "2.0.6", plan.package))

    assert ["fetch", "unpack"] == _changed(plan, user_source, checkout)


def test_manifest_is_part_of_the_check(plan: Plan, checkout: Path) -> None:
    """A changed manifest makes the check anew, and nothing before it."""
    before = keys.of(plan, checkout)
    file = load.manifest_file(checkout, plan)
    file.parent.mkdir(exist_ok=True)
    file.write_text("/another\n")
    after = keys.of(plan, checkout)

    assert ["check"] == [name for name in NAMES if before[name] != after[name]]


def test_spec_template_is_part_of_the_package(
    plan: Plan, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed template makes the package anew."""
    before = keys.of(plan, checkout)
    template = checkout / "recipes" / "mimalloc-custom.spec.j2"
    template.write_text(template.read_text() + "\n")
    make._templates.cache_clear()
    after = keys.of(plan, checkout)
    make._templates.cache_clear()

    assert FROM["package"] == [name for name in NAMES if before[name] != after[name]]


# --- steps ---------------------------------------------------------------------------------------


def test_steps_are_done_in_order(play: Play, make: Callable[..., Built]) -> None:
    """From the source to the checked package, each once."""
    make()

    assert NAMES == play.taken()


def test_step_does_what_is_missing_before_it(
    play: Play, plan: Plan, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Up to the step that was asked for, and no further; then it is up to date."""
    folder = make.step(plan, workspace, Report(), "patch", offline=False)
    first = play.taken()
    capsys.readouterr()
    again = make.step(plan, workspace, Report(), "patch", offline=False)

    assert (["fetch", "unpack", "patch"], []) == (first, play.taken())
    assert folder == again
    assert (folder / "done").is_file()
    assert "  patch      up to date\n" == capsys.readouterr().out


def test_later_result_makes_earlier_ones_needless(
    play: Play, plan: Plan, workspace: Workspace, make: Callable[..., Built]
) -> None:
    """The source need not be had again while what was made of it is there."""
    make.step(plan, workspace, Report(), "patch", offline=False)
    mirror = release.recast(plan, source=(release.source(b"x", "https://mirror.invalid/x"),))
    play.taken()
    make(mirror)

    assert FROM["configure"] == play.taken()


def test_failed_step_is_done_again(
    play: Play, plan: Plan, workspace: Workspace, make: Callable[..., Built]
) -> None:
    """It leaves its log and no stamp; nothing is in dist; the next run goes on from there."""
    play.twist["compile"] = _fail
    with pytest.raises(CompileError):
        make()

    dirs = make.step_dirs(plan, workspace)
    assert NAMES[: NAMES.index("compile") + 1] == play.taken()
    assert "compile\n" == dirs.log("compile").read_text()
    assert not dirs.done("compile").exists()
    assert not workspace.dist.exists()
    (dirs.folder("compile") / "half").touch()
    play.twist.clear()
    built = make()
    assert FROM["compile"] == play.taken()
    assert not (dirs.folder("compile") / "half").exists()
    assert built.rpm.is_file()


def test_interrupted_step_is_done_again(play: Play, make: Callable[..., Built]) -> None:
    """Ctrl-C in the middle of a step leaves nothing that counts."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    play.twist["package"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        make()
    play.twist.clear()
    play.taken()
    make()

    assert ["package", "check"] == play.taken()


def test_full_disk_is_told_as_such(play: Play, make: Callable[..., Built]) -> None:
    """What the file system refuses in any step is a message with its own exit code."""

    def fill() -> None:
        raise OSError(28, "No space left on device", "/some/file")

    play.twist["stage"] = fill
    with pytest.raises(WorkspaceError, match="no room left") as caught:
        make()

    assert ("/some/file", 12) == (caught.value.file, caught.value.exit_code)
    play.twist.clear()
    play.taken()
    make()
    assert FROM["stage"] == play.taken()


def test_package_that_was_altered_after_its_check(
    play: Play, plan: Plan, workspace: Workspace, make: Callable[..., Built]
) -> None:
    """Only the bytes that passed the checks get the final name."""
    dirs = make.step_dirs(plan, workspace)
    make().rpm.unlink()
    (dirs.packages / f"{plan.nevra}.rpm").write_text("another RPM\n")

    with pytest.raises(CheckError, match="is not the file that was checked"):
        make()

    assert not placement.destination(plan, workspace).exists()


def test_result_that_was_taken_away(
    play: Play, plan: Plan, workspace: Workspace, make: Callable[..., Built]
) -> None:
    """Where somebody has tidied up in the work folder, the message says how to go on."""
    dirs = make.step_dirs(plan, workspace)
    make().rpm.unlink()
    (dirs.packages / f"{plan.nevra}.rpm").unlink()
    with pytest.raises(WorkspaceError, match="a file has gone") as caught:
        make()

    assert "invoke clean" in caught.value.hint
    clean.run(workspace, Report())
    assert make().rpm.is_file()


# --- the finished package ------------------------------------------------------------------------


def test_package_gets_its_final_name(
    play: Play, plan: Plan, workspace: Workspace, make: Callable[..., Built]
) -> None:
    """The RPMs, beside each what it was made from, and nothing else."""
    built = make()
    folder = workspace.dist / "el7" / "x86_64"
    statement = json.loads((folder / f"{plan.nevra}.provenance.json").read_text())
    how = statement["predicate"]["buildDefinition"]

    assert folder / f"{plan.nevra}.rpm" == built.rpm
    stems = [name.removesuffix(".rpm") for name in plan.file_names]
    endings = ("rpm", "provenance.json", "cdx.json")
    assert {f"{stem}.{end}" for stem in stems for end in endings} == {
        file.name for file in folder.iterdir()
    }
    assert "an RPM\n" == built.rpm.read_text()
    (subject,) = statement["subject"]
    assert (built.rpm.name, built.sha256) == (subject["name"], subject["digest"]["sha256"])
    assert built.fresh
    assert plan.recipe.tree == how["internalParameters"]["tree"]
    assert "https://x.invalid/" == how["resolvedDependencies"][0]["annotations"]["reference"]
    assert "x86_64-linux-gnu.2.17" == how["internalParameters"]["compiler"]["target"]
    assert "pkg:generic/rpmbuild@4.18.0" in [
        tool.get("uri") for tool in how["resolvedDependencies"]
    ]


def test_record_names_neither_clock_nor_machine(
    play: Play, plan: Plan, workspace: Workspace, make: Callable[..., Built]
) -> None:
    """The same build gives the same statement and the same bill."""
    files = statement.beside(make().rpm)
    first = [file.read_bytes() for file in files]
    clean.run(workspace, Report(), everything=True)
    make()

    assert first == [file.read_bytes() for file in files]
    assert str(workspace.root).encode() not in b"".join(first)


def test_second_build_does_nothing(
    play: Play, make: Callable[..., Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is there is found, and no program is run for it."""
    first = make()
    play.taken()
    monkeypatch.setattr(
        "pipeline.system.process.child._start", lambda *_: pytest.fail("a program was started")
    )
    second = make(offline=True)

    assert [] == play.taken()
    assert replace(first, fresh=False) == second


def _put(text: str, which: int = 0) -> Callable[[Path], object]:
    return lambda rpm: statement.beside(rpm)[which].write_text(text)


def _told(field: str, value: object) -> Callable[[Path], object]:
    def change(rpm: Path) -> None:
        file = statement.beside(rpm)[0]
        file.write_text(json.dumps({**json.loads(file.read_text()), field: value}))

    return change


def _without(word: str) -> Callable[[Path], object]:
    def change(rpm: Path) -> None:
        file = statement.beside(rpm)[0]
        file.write_text(
            re.sub(rf'("{word}": ")[0-9a-f]{{64}}', r"\g<1>" + "0" * 64, file.read_text())
        )

    return change


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rpm: rpm.write_text("altered\n"),
        lambda rpm: rpm.unlink(),
        lambda rpm: statement.beside(rpm)[0].unlink(),
        lambda rpm: statement.beside(rpm)[1].unlink(),
        lambda rpm: statement.beside(rpm)[0].write_bytes(b"\xff"),
        *map(_put, ("{", "{}", "[]", '{"subject": [], "predicate": {}}')),
        _told("_type", "https://in-toto.io/Statement/v0.1"),
        _told("predicateType", "https://slsa.dev/provenance/v0.2"),
        _told("subject", 2 * [{"name": "a.rpm", "digest": {"sha256": "0" * 64}}]),
        _put("altered\n", which=1),
        _without("sha256"),
        _without("key"),
    ],
)
def test_spoilt_package_is_not_up_to_date(
    play: Play, make: Callable[..., Built], spoil: Callable[[Path], object]
) -> None:
    """An altered RPM, statement or bill is replaced by what was checked."""
    first = make()
    before = [file.read_bytes() for file in statement.beside(first.rpm)]
    spoil(first.rpm)
    second = make()

    assert second.fresh
    assert "an RPM\n" == second.rpm.read_text()
    assert before == [file.read_bytes() for file in statement.beside(second.rpm)]


def test_statement_vouches_for_no_other_name(play: Play, make: Callable[..., Built]) -> None:
    """A package that was given the name of another one is not the one that was checked."""
    rpm = make().rpm
    other = rpm.with_name("another-1-1.el7.x86_64.rpm")
    for old, new in zip(
        (rpm, *statement.beside(rpm)), (other, *statement.beside(other)), strict=True
    ):
        old.rename(new)

    assert not statement.vouches(other)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_pipe_in_the_place_of_a_file_is_not_waited_at(
    play: Play, make: Callable[..., Built], which: int
) -> None:
    """Whether it is the package's, the statement's or the bill's: nothing vouches for it."""
    rpm = make().rpm
    spoilt = (rpm, *statement.beside(rpm))[which]
    spoilt.unlink()
    os.mkfifo(spoilt)

    assert not statement.vouches(rpm)
    assert make().fresh
    assert spoilt.is_file()


def test_signed_file_takes_the_place_of_what_was_built(
    play: Play, make: Callable[..., Built], tmp_path: Path
) -> None:
    """It is up to date; what was built stays in the statement, also when it is signed again."""
    built, signed = make(), tmp_path / "signed.rpm"
    for content, signer in (("once\n", "A" * 40), ("twice\n", "B" * 40)):
        signed.write_text(content)
        statement.resign(built.rpm, signed, signer)

    found = json.loads(statement.beside(built.rpm)[0].read_text())
    (subject,) = found["subject"]
    _, before = found["predicate"]["runDetails"]["byproducts"]
    assert (sha256_of(signed), "B" * 40) == (
        subject["digest"]["sha256"],
        subject["annotations"]["signer"],
    )
    assert built.sha256 == before["digest"]["sha256"]
    assert statement.vouches(built.rpm)
    assert not make().fresh
    assert "twice\n" == built.rpm.read_text()


@pytest.mark.parametrize("placed", [False, True])
def test_signing_that_was_stopped_in_between_is_mended(
    play: Play,
    make: Callable[..., Built],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    placed: bool,
) -> None:
    """With the signed file in place it is signed, before that it is not; a build keeps either."""
    built, signed = make(), tmp_path / "signed.rpm"
    signed.write_text("signed\n")

    def stop(source: Path, target: Path) -> None:
        if placed:
            place(source, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(placement, "place", stop)
        with pytest.raises(KeyboardInterrupt):
            statement.resign(built.rpm, signed, "A" * 40)
    names = {built.rpm.name, *(file.name for file in statement.beside(built.rpm))}

    assert placed != statement.vouches(built.rpm)
    assert not make().fresh
    assert placed == ("signed\n" == built.rpm.read_text())
    assert statement.vouches(built.rpm)
    assert names == {file.name for file in built.rpm.parent.glob("*custom-2*")}
    assert not list(built.rpm.parent.glob(".*"))


@pytest.mark.parametrize("placed", [0, 1, 2])
def test_build_that_was_stopped_while_placing_is_done_again(
    play: Play, make: Callable[..., Built], monkeypatch: pytest.MonkeyPatch, placed: int
) -> None:
    """Package, bill and statement belong together: as long as one is missing, there is none."""
    left = [placed]

    def until(write: Callable[..., None]) -> Callable[..., None]:
        def one(*arguments: object) -> None:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            write(*arguments)

        return one

    with monkeypatch.context() as stopped:
        for name in ("place", "place_text"):
            stopped.setattr(placement, name, until(getattr(placement, name)))
        with pytest.raises(KeyboardInterrupt):
            make()
    built = make()

    assert built.fresh
    assert statement.vouches(built.rpm)


def test_second_build_loads_nothing_that_only_a_first_one_needs(project: Path) -> None:
    """What writes bills takes time to load."""
    code = "import sys, tasks, pipeline.errand; print('cyclonedx' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=project, check=True, capture_output=True, text=True
    )

    assert "False\n" == told.stdout


def test_changed_recipe_is_not_up_to_date(
    play: Play, plan: Plan, make: Callable[..., Built]
) -> None:
    """A new option is a new build, though the package has the same name."""
    make()
    play.taken()
    built = make(release.recast(plan, cmake={"MI_X": "ON"}))

    assert built.fresh
    assert FROM["configure"] == play.taken()


def test_package_that_fails_its_check_gets_no_name(
    play: Play, make: Callable[..., Built], workspace: Workspace
) -> None:
    """An older package of the name stays what it was."""
    first = make()
    files = (first.rpm, *statement.beside(first.rpm))
    before = [file.read_bytes() for file in files]
    play.twist["check"] = _fail
    with pytest.raises(CompileError):
        make(replace(first.plan, isa=replace(first.plan.isa, groups=())))

    assert before == [file.read_bytes() for file in files]
    assert 3 * len(first.plan.file_names) == len(list(first.rpm.parent.iterdir()))


def test_sub_package_that_is_gone_or_altered_is_made_anew(
    play: Play, plan: Plan, make: Callable[..., Built]
) -> None:
    """A package is up to date where all that was made with it is there, too."""
    built = make()
    (beside,) = (built.rpm.with_name(name) for name in plan.file_names[1:])
    beside.write_text("another RPM\n")
    assert make().fresh
    assert "an RPM\n" == beside.read_text()
    beside.unlink()

    assert make().fresh
    assert not make().fresh


# --- what the user hands over --------------------------------------------------------------------


@pytest.fixture
def looked_at(play: Play, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Fetch and unpack are real; the rest is played."""
    real = {"fetch": fetch.run, "unpack": unpack.run}

    def step(name: str) -> Step:
        def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
            play.done.append(name)
            real[name](plan, dirs, report)

        return Step(name, run) if name in real else play.step(name)

    monkeypatch.setattr(make, "STEPS", tuple(step(name) for name in NAMES))
    return play


def _handing(plan: Plan, location: object) -> Plan:
    return replace(plan, user_source=user.user_source(str(location), "2.0.6", plan.package))


def test_handed_source_is_looked_at_though_all_is_up_to_date(
    looked_at: Play, plan: Plan, make: Callable[..., Built], tmp_path: Path
) -> None:
    """A wrong source is refused, even where nothing would have been built from it."""
    good = release.unfold(tmp_path / "good")
    make(_handing(plan, good))
    looked_at.taken()
    bad = release.unfold(tmp_path / "bad")
    (bad / "src" / "alloc.c").write_text("another\n")
    with pytest.raises(VerifyError, match=r"not mimalloc 2\.0\.6"):
        make(_handing(plan, bad))

    assert ["fetch", "unpack"] == looked_at.taken()
    (bad / "src" / "alloc.c").write_text(release.ALLOC)
    assert not make(_handing(plan, bad)).fresh
    assert ["fetch", "unpack"] == looked_at.taken()


@pytest.mark.parametrize(
    "first",
    [b"<html>", release.tarball([]), release.tarball(release.entries(LICENSE="another"))],
    ids=["page", "empty", "other"],
)
def test_handed_url_is_fetched_anew_after_a_refusal(
    looked_at: Play,
    plan: Plan,
    make: Callable[..., Built],
    http: Server,
    first: bytes,
) -> None:
    """A URL that gave something else is asked again, once it is right."""
    http.answers = [Answer(first), Answer(release.tarball())]
    with pytest.raises((UnpackError, VerifyError)):
        make(_handing(plan, http.url))

    assert make(_handing(plan, http.url)).fresh
    assert 2 == len(http.asked)


# --- several at once -----------------------------------------------------------------------------


def test_two_builds_at_once_do_each_step_once(
    play: Play, plan: Plan, make: Callable[..., Built], capsys: pytest.CaptureFixture[str]
) -> None:
    """The second waits, says so, and finds the work done."""
    under_way = threading.Event()

    def wait_for_company() -> None:
        under_way.set()
        time.sleep(0.02)

    play.twist["fetch"] = wait_for_company
    built: list[Built] = []
    first = threading.Thread(target=lambda: built.append(make()))
    first.start()
    under_way.wait(5)
    built.append(make())
    first.join()

    assert NAMES == play.taken()
    assert [False, True] == sorted(each.fresh for each in built)
    assert "another run is at it; waiting" in capsys.readouterr().out


def test_dists_share_what_they_have_in_common(
    play: Play, plan: Plan, make: Callable[..., Built]
) -> None:
    """Two dists with the same floor and flags compile once."""
    make()
    play.taken()
    make(replace(plan, root=replace(plan.root, dist="el99")))

    assert FROM["package"] == play.taken()
