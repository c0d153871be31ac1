"""A git repository that the user names: nothing that it configures runs, and only a tag is taken.

It may be somebody else's, with filters, attributes, hooks and replaced objects. So git reads it as
it serves a stranger, by upload-pack, and the tag is packed by a repository of ours.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from pipeline.model.errors import FetchError
from pipeline.system import process
from pipeline.system.temporary import temporary

_PEELED = "^{}"

# Settings and attributes of the host have no effect; nobody is asked for a password.
_READING = {
    **dict.fromkeys(("GIT_CONFIG_NOSYSTEM", "GIT_ATTR_NOSYSTEM", "GIT_NO_LAZY_FETCH"), "1"),
    "GIT_TERMINAL_PROMPT": "0",
}

# Nor have those of the user, who may yet name folders of others in them as safe to read.
_OWN = {**_READING, "GIT_CONFIG_GLOBAL": os.devnull}

# What makes git ask another repository for objects that this one lacks, by a command of its choice.
_PARTIAL = r"^(extensions\.partialclone|remote\..*\.(promisor|partialclonefilter))$"


def is_repository(path: Path) -> bool:
    """Whether a folder is a git repository, bare or not."""
    return (path / ".git").exists() or (path / "HEAD").is_file()


def tags(path: Path) -> dict[str, str]:
    """The tags of a repository and their commits. Raises FetchError."""
    code, found, _ = process.attempt(
        ["git", "-C", path, "config", "--get-regexp", _PARTIAL], env=_READING
    )
    if code == 0:
        raise FetchError(
            f"{path} is a partial clone: git would ask another repository for the rest",
            expected="a repository with all objects",
            got=found.splitlines()[0],
            hint=f"git clone --bare UPSTREAM, and name that clone instead of {path}",
        )
    error = FetchError(f"{path} is no git repository, or git cannot read it")
    listing = process.read(["git", "ls-remote", "--tags", path], error=error, env=_READING)
    commits = {}
    # That of an annotated tag itself comes first, then its commit.
    for line in listing.splitlines():
        commit, _, name = line.partition("\t")
        commits[name.removeprefix("refs/tags/").removesuffix(_PEELED)] = commit
    return commits


def pack(path: Path, commit: str, name: str, archive: Path, log: Path) -> None:
    """Pack the tree of a tagged commit below a folder ``name``, as upstream's release page does.

    Raises FetchError with git's last lines.
    """
    refs = [f"refs/tags/{tag}" for tag, tagged in tags(path).items() if tagged == commit]
    with temporary("git") as own:

        def run(*arguments: str | Path, env: Mapping[str, str] = _OWN) -> None:
            error = FetchError(f"{path}: git cannot archive {commit}")
            process.run(["git", "-C", own, *arguments], log=log, error=error, env=env)

        run("init", "--quiet", "--bare", "--template=")
        only = ("--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules")
        run("-c", "fetch.fsckObjects=true", "fetch", *only, path, *refs[:1], env=_READING)
        # With GNU gzip the bytes are those of the release page.
        packing = ("-c", "tar.tar.gz.command=gzip -cn", "archive", "--format=tar.gz")
        run(*packing, f"--prefix={name}/", f"--output={archive}", commit)
