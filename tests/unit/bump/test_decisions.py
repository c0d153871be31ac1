"""An option that nobody has decided on stops a bump before anything is built."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.bump import cmake_options
from pipeline.config import load
from pipeline.model.errors import BumpError
from tests.unit.bump import upstream
from tests.unit.bump.conftest import NEW, OLD

Bump = Callable[..., None]
Status = Callable[[], str]


@pytest.fixture
def declare(root: Path, repository: Path) -> Callable[[str], None]:
    """Moves the new release's tag to one with the options of the pinned one, and more lines."""

    def move(lines: str) -> None:
        old, _ = cmake_options.recorded(root, OLD)
        options = "".join(f'option({name} "t" "{default}")\n' for name, default in old.items())
        text = f"{upstream.CMAKE}{options}{lines}\n"
        upstream.tag(repository, f"v{NEW}", upstream.tree(NEW, **{"CMakeLists.txt": text}))

    return move


def _stopped(bump: Bump, capsys: pytest.CaptureFixture[str], **flags: str) -> BumpError:
    """The error, which comes before patches are tried."""
    with pytest.raises(BumpError) as caught:
        bump(**flags)
    assert "\npatches\n" not in capsys.readouterr().out
    return caught.value


@pytest.mark.parametrize("decision", ["reason", "value"])
def test_an_option_that_nobody_has_decided_on_stops_it(
    root: Path,
    bump: Bump,
    declare: Callable[[str], None],
    status: Status,
    capsys: pytest.CaptureFixture[str],
    decision: str,
) -> None:
    """Until package.toml has a reason for its default, or the draft a value."""
    declare('option(MI_FAST "Faster (and wrong)" ON)')
    problem = _stopped(bump, capsys)
    draft = root / "work" / "v1" / "bump" / NEW / f"{NEW}.toml"
    file = root / "recipes" / "package.toml"

    assert "" == status()
    assert problem.what.endswith("nobody has decided on: MI_FAST")
    assert "MI_FAST=ON    Faster (and wrong)" == problem.detail
    assert file == problem.file
    command = problem.hint.splitlines()[-1]
    assert command.startswith(f"invoke bump --version {NEW} --source ")
    assert command.endswith(f" --draft {draft} --offline")
    if decision == "reason":
        file.write_text(file.read_text().replace("[options]\n", '[options]\nMI_FAST = "fast"\n'))
    else:
        draft.write_text(draft.read_text().replace("[cmake]\n", '[cmake]\nMI_FAST = "OFF"\n'))
    bump(draft=str(draft))

    assert "MI_FAST=ON\n" in cmake_options.file(root, NEW).read_text()
    assert NEW in load.versions(root)


def test_a_new_default_must_be_accepted(
    root: Path,
    bump: Bump,
    declare: Callable[[str], None],
    status: Status,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of an option that we do not set; not that of one that we set."""
    file = cmake_options.file(root, OLD)
    text = file.read_text().replace("MI_XMALLOC=OFF", "MI_XMALLOC=ON")
    declare("")
    file.write_text(text.replace("MI_OVERRIDE=ON", "MI_OVERRIDE=OFF"))
    before = status()
    problem = _stopped(bump, capsys)

    assert before == status()
    assert "not accepted: options" in problem.what
    assert "MI_XMALLOC=ON -> OFF    t" in problem.detail
    assert "MI_OVERRIDE" not in problem.detail
    assert "--accept options\n" in problem.hint
    bump(accept="options")
    assert NEW in load.versions(root)


def test_a_dry_run_shows_what_differs(
    bump: Bump,
    repository: Path,
    declare: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And stops at nothing; where nothing differs, it says so."""
    declare("")
    bump(dry_run=True)
    assert f"CMakeLists.txt as in {OLD}, without a difference\n" in capsys.readouterr().out
    text = f'{upstream.CMAKE}option(MI_FAST "Faster" ON)\n'
    upstream.tag(repository, f"v{NEW}", {"CMakeLists.txt": text})
    bump(dry_run=True)
    output = capsys.readouterr().out

    assert f"CMakeLists.txt as in {OLD}, with these differences\n" in output
    assert "+ MI_FAST=ON    nobody has decided on it: Faster\n" in output
    assert "- MI_OPT_ARCH=OFF    set by us: remove it" in output
    assert "\n  to decide   MI_FAST: a reason in [options] of package.toml, or a value" in output
