"""`git`: somebody else's repository. Nothing of it runs, and the tag's tree is taken as it is."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.model import Plan
from pipeline.model.errors import FetchError
from pipeline.sources import git
from pipeline.sources.user import user_source
from tests.unit import release
from tests.unit.sources.test_user import _git, repository

__all__ = ["repository"]

TAG = "v2.0.6"

# Takes what it is given, so that git is content with it, and leaves a trace.
SCRIPT = """#!/bin/sh
touch {trace}
cat
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that must not run; it leaves ``trace`` beside it."""
    file = tmp_path / "program"
    file.write_text(SCRIPT.format(trace=tmp_path / "trace"))
    file.chmod(0o755)
    return file


def _set(repository: Path, name: str, value: str) -> None:
    _git(repository, "config", name, value)


def _filters(repository: Path, program: Path) -> None:
    for kind in ("smudge", "clean", "process"):
        _set(repository, f"filter.evil.{kind}", str(program))
    (repository / ".git" / "info" / "attributes").write_text("* filter=evil\n")


def _filters_in_an_included_file(repository: Path, program: Path) -> None:
    _filters(repository, program)
    (repository / ".git" / "config").rename(repository / "more")
    (repository / ".git" / "config").write_text("[include]\npath = ../more\n")


def _attributes(repository: Path, program: Path) -> None:
    (repository / ".git" / "info" / "attributes").write_text(
        "src/alloc.c export-ignore\ninclude/*.h eol=crlf\n"
    )


def _hooks(repository: Path, program: Path) -> None:
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "pre-auto-gc", "reference-transaction", "post-index-change"):
        (hooks / name).symlink_to(program)
    _set(repository, "core.hooksPath", str(hooks))


def _programs(repository: Path, program: Path) -> None:
    for name in (
        *("core.fsmonitor", "core.pager", "core.sshCommand", "core.gitProxy", "core.askPass"),
        *("uploadpack.packObjectsHook", "gpg.program", "diff.external", "credential.helper"),
        *("tar.tar.gz.command", "core.editor", "core.alternateRefsCommand", "alias.archive"),
    ):
        _set(repository, name, str(program))


def _replaced_commit(repository: Path, program: Path) -> None:
    _git(repository, "replace", f"{TAG}^{{commit}}", "HEAD")


def _replaced_tree(repository: Path, program: Path) -> None:
    _git(repository, "replace", f"{TAG}^{{tree}}", "HEAD^{tree}")


def _grafted(repository: Path, program: Path) -> None:
    commit = _git(repository, "rev-parse", f"{TAG}^{{commit}}")
    (repository / ".git" / "info" / "grafts").write_text(f"{commit}\n")


def _alternates(repository: Path, program: Path) -> None:
    objects = repository / ".git" / "objects"
    objects.rename(repository.parent / "elsewhere")
    (objects / "info").mkdir(parents=True)
    (objects / "info" / "alternates").write_text(f"{repository.parent / 'elsewhere'}\n")


def _a_submodule(repository: Path, program: Path) -> None:
    commit = _git(repository, "rev-parse", "HEAD")
    _git(repository, "checkout", "-q", TAG)
    (repository / ".gitmodules").write_text(f'[submodule "x"]\npath = x\nurl = ext::{program}\n')
    _git(repository, "update-index", "--add", "--cacheinfo", f"160000,{commit},x")
    _git(repository, "add", ".gitmodules")
    _git(repository, "commit", "-q", "-m", "with a submodule")
    _git(repository, "tag", "-f", "-a", TAG, "-m", TAG)


HOSTILE: list[Callable[[Path, Path], None]] = [
    *(_filters, _filters_in_an_included_file, _attributes, _hooks, _programs, _replaced_commit),
    *(_replaced_tree, _grafted, _alternates, _a_submodule),
]


@pytest.mark.parametrize("spoil", HOSTILE)
def test_only_the_tree_of_the_tag_is_taken(
    repository: Path, program: Path, part: Path, log: Path, plan: Plan, spoil: Callable[..., None]
) -> None:
    """Each file is as it was committed, and no program has run."""
    spoil(repository, program)
    source = user_source(str(repository), "2.0.6", plan.package)

    git.pack(repository, source.fingerprint, release.TOP, part, log)

    subprocess.run(["tar", "-xzf", part], cwd=part.parent, check=True)
    tree = part.parent / release.TOP
    assert release.ALLOC == (tree / "src" / "alloc.c").read_text()
    for file in (path for path in tree.rglob("*") if path.is_file()):
        name = file.relative_to(tree)
        stored = subprocess.check_output(
            ["git", "--no-replace-objects", "-C", repository, "cat-file", "blob", f"{TAG}:{name}"]
        )
        assert stored == file.read_bytes(), name
    assert not program.with_name("trace").exists()


@pytest.mark.parametrize("hidden", [False, True], ids=["plain", "in an included file"])
def test_a_partial_clone_is_refused(
    repository: Path, program: Path, plan: Plan, hidden: bool
) -> None:
    """git would run a command of its choice to get what it lacks."""
    _set(repository, "remote.origin.url", "ssh://host/x")
    _set(repository, "remote.origin.promisor", "true")
    _set(repository, "core.sshCommand", str(program))
    if hidden:
        (repository / ".git" / "config").rename(repository / "more")
        (repository / ".git" / "config").write_text("[include]\npath = ../more\n")

    with pytest.raises(FetchError, match="is a partial clone") as caught:
        user_source(str(repository), "2.0.6", plan.package)

    assert "remote.origin.promisor true" == caught.value.got
    assert not program.with_name("trace").exists()


def test_the_tag_of_a_shallow_clone(
    repository: Path, tmp_path: Path, part: Path, log: Path
) -> None:
    """Upstream's history is not needed."""
    clone = tmp_path / "shallow"
    _git(tmp_path, "clone", "-q", "--depth=1", "--branch", TAG, f"file://{repository}", str(clone))

    git.pack(clone, git.tags(clone)[TAG], release.TOP, part, log)

    assert part.stat().st_size


@pytest.mark.parametrize("name", ["a folder", "a:colon", "100%25", "-dash", "ümlaut"])
def test_any_path(repository: Path, tmp_path: Path, part: Path, log: Path, name: str) -> None:
    """It is a path, and never an address or an option."""
    folder = repository.rename(tmp_path / name)

    git.pack(folder, git.tags(folder)[TAG], release.TOP, part, log)

    assert part.stat().st_size
