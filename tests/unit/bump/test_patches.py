"""Which patches a release needs, by the trial that each patch names."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.bump import trial_build
from pipeline.bump.scratch import ScratchCheckout
from pipeline.config import load
from pipeline.model.errors import BumpError
from pipeline.smoke import consumers, probe, trials
from tests.unit import release
from tests.unit.bump import upstream
from tests.unit.bump.conftest import NEW, OLD

NAME = "0001-change.patch"

Bump = Callable[..., None]


@pytest.fixture
def patched(root: Path) -> Path:
    """The checkout, whose nearest release has a patch."""
    file = root / "patches" / OLD / NAME
    file.parent.mkdir()
    file.write_text(release.CHANGE)
    _pin(root, 'test   = "aligned"\n')
    return root


def _pin(root: Path, test: str) -> None:
    """Give the nearest release's recipe the patch, with this line about its test."""
    recipe = root / "recipes" / f"{OLD}.toml"
    text = re.sub(r"\[\[patch\]\].*?(?=\[\[)", "", recipe.read_text(), flags=re.DOTALL)
    table = f'[[patch]]\nfile   = "{NAME}"\nsha256 = "{"0" * 64}"\nwhy    = "a fault"\n{test}\n'
    recipe.write_text(text.replace("[[changelog]]", f"{table}[[changelog]]", 1))


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Sets whether the release passes the trial without the patch."""

    def set_result(passed: bool) -> None:
        def run(scratch: ScratchCheckout) -> dict[str, bool]:
            assert () == scratch.plans()[0].recipe.patch
            return {"aligned": passed, "archive": True}

        monkeypatch.setattr(trial_build, "without_patches", run)

    return set_result


def test_a_patch_that_is_needed_is_carried(
    patched: Path, bump: Bump, trial: Callable[[bool], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is copied and pinned, and the output says why."""
    trial(False)
    bump()

    (patch,) = load.recipe(patched, NEW).patch
    assert release.CHANGE == load.patch_file(patched, load.recipe(patched, NEW), patch).read_text()
    assert "carried: the trial `aligned` fails without it" in capsys.readouterr().out


def test_a_patch_whose_fault_is_gone_is_dropped(
    patched: Path, bump: Bump, trial: Callable[[bool], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The output and the changelog say so."""
    trial(True)
    bump()

    assert () == load.recipe(patched, NEW).patch
    assert not (patched / "patches" / NEW).exists()
    assert f"{NAME} dropped: the trial `aligned` passes without it" in capsys.readouterr().out
    assert f"- Packages of mimalloc {NEW}; without {NAME}" in (patched / "CHANGELOG.md").read_text()


def _move(repository: Path) -> None:
    """Upstream has changed the lines that the patch is about."""
    changed = release.ALLOC.replace("line_9", "other_9").replace("line_12", "other_12")
    upstream.tag(repository, f"v{NEW}", {"src/alloc.c": changed})


def test_a_dry_run_says_which_patches_apply(
    patched: Path, repository: Path, bump: Bump, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is built; whether one is needed, only its trial can tell."""
    bump(dry_run=True)
    assert "  patches     1 of 1 apply\n" in capsys.readouterr().out
    _move(repository)
    bump(dry_run=True)
    output = capsys.readouterr().out

    rewrite = f"{NAME}: 1 of 1 hunks of that of {OLD} do not apply; is it needed?"
    assert f"  to rewrite  {rewrite}\n" in output
    assert "  patches     0 of 1 apply\n" in output


def test_a_patch_that_builds_on_one_that_does_not_apply_is_not_reported(
    patched: Path, repository: Path, bump: Bump, capsys: pytest.CaptureFixture[str]
) -> None:
    """As far as the other one does apply: it would be written anew for nothing."""
    folder, second = patched / "patches" / OLD, "0002-more.patch"
    fitting = "@@ -1,3 +1,3 @@\n int line_1;\n-int line_2;\n+int first;\n int line_3;\n"
    (folder / NAME).write_text(release.CHANGE.replace("@@ -7", f"{fitting}@@ -7"))
    lines = [" int line_1;", " int first;", "-int line_3;", "+int second;", " int line_4;"]
    more = "\n".join(["@@ -1,5 +1,5 @@", *lines, " int line_5;", ""])
    (folder / second).write_text(f"--- a/src/alloc.c\n+++ b/src/alloc.c\n{more}")
    recipe = patched / "recipes" / f"{OLD}.toml"
    (table,) = re.findall(r"(?ms)^\[\[patch\]\].*?\n\n", recipe.read_text())
    both = table + table.replace(NAME, second)
    recipe.write_text(recipe.read_text().replace(table, both))
    _move(repository)
    bump(dry_run=True)
    output = capsys.readouterr().out

    assert f"  to rewrite  {NAME}: 1 of 2 hunks of that of {OLD} do not apply" in output
    assert "  patches     1 of 2 apply\n" in output


def test_a_patch_is_that_of_the_nearest_release_where_it_applies(
    patched: Path,
    repository: Path,
    bump: Bump,
    trial: Callable[[bool], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The next one has it for the changed lines; a dry run says so, and the bump carries it."""
    trial(False)
    _move(repository)
    anew = release.CHANGE.replace("line_9", "other_9").replace("line_12", "other_12")
    file = patched / "patches" / "2.4.1" / NAME
    file.parent.mkdir()
    file.write_text(anew)
    bump(dry_run=True)
    output = capsys.readouterr().out

    assert f"  patch       {NAME}: that of 2.4.1; that of {OLD} does not apply\n" in output
    assert "  patches     1 of 1 apply\n" in output
    bump()
    assert anew == (patched / "patches" / NEW / NAME).read_text()


def test_a_patch_that_is_needed_and_does_not_apply_stops_it(
    patched: Path, repository: Path, bump: Bump, trial: Callable[[bool], None]
) -> None:
    """There is no fuzz; a patch that is written anew in its place is used."""
    trial(False)
    _move(repository)
    with pytest.raises(BumpError, match="the release still needs it") as caught:
        bump()
    assert f"patches/{NEW}/" in caught.value.hint
    assert not (patched / "recipes" / f"{NEW}.toml").exists()

    file = patched / "patches" / NEW / NAME
    file.parent.mkdir()
    anew = release.CHANGE.replace("line_9", "other_9").replace("line_12", "other_12")
    file.write_text(anew)
    bump()
    assert 1 == len(load.recipe(patched, NEW).patch)
    assert anew == file.read_text()


def test_a_patch_that_is_not_needed_need_not_apply(
    patched: Path, repository: Path, bump: Bump, trial: Callable[[bool], None]
) -> None:
    """Upstream has corrected the fault in its own way."""
    trial(True)
    _move(repository)
    bump()

    assert () == load.recipe(patched, NEW).patch


def test_a_patch_without_a_trial_is_carried(
    patched: Path, bump: Bump, capsys: pytest.CaptureFixture[str]
) -> None:
    """As long as it applies; whether it is needed is unknown."""
    _pin(patched, "")
    bump()

    assert 1 == len(load.recipe(patched, NEW).patch)
    assert "it names no trial" in capsys.readouterr().out


def test_a_trial_that_does_not_exist_is_an_error(
    patched: Path, bump: Bump, trial: Callable[[bool], None]
) -> None:
    """A misspelt name would carry the patch for ever."""
    trial(True)
    _pin(patched, 'test   = "alinged"\n')

    with pytest.raises(BumpError, match="there is no trial alinged"):
        bump()


def test_the_patches_of_the_project_name_trials_that_exist(project: Path) -> None:
    """What `bump` runs to find out whether they are needed."""
    patches = [p for v in load.versions(project) for p in load.recipe(project, v).patch]

    assert patches
    named = {patch.test.partition(": ")[0] for patch in patches if patch.test}
    assert named <= {*trials.NAMES, consumers.PKG_CONFIG, consumers.FIND_PACKAGE}


def test_patches_and_recipes_name_rules_that_exist(project: Path) -> None:
    """Rules of the probe, in which a name has underscores."""
    text = (probe.PROBES / "conformance.c").read_text()
    rules = {name.replace("_", "-") for name in re.findall(r"\bX\((\w+)\)", text)}
    recipes = [load.recipe(project, version) for version in load.versions(project)]
    tests = [patch.test.partition(": ")[2] for recipe in recipes for patch in recipe.patch]
    accepted = [item.rule for recipe in recipes for item in recipe.accepted]

    assert {"main-errno", "rezalloc-zero"} < rules
    assert {*filter(None, tests), *accepted} <= rules
