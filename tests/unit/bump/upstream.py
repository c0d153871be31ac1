"""An upstream that fits on a page: a git repository with tagged releases of a tiny mimalloc."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.unit import release

WHEN = "2026-03-01T12:00:00+00:00"

CMAKE = """\
cmake_minimum_required(VERSION 3.18)
project(libmimalloc C CXX)
set_target_properties(mimalloc PROPERTIES VERSION ${mi_version} SOVERSION ${mi_version_major} )
"""


def tree(version: str, **changed: str) -> dict[str, str]:
    """The files of a release, which say that they are of this version."""
    major, minor, patch = version.split(".")
    config = "".join(
        f"set(mi_version_{part} {number})\n"
        for part, number in (("major", major), ("minor", minor), ("patch", patch))
    )
    return {
        **release.TREE,
        "CMakeLists.txt": CMAKE,
        "cmake/mimalloc-config-version.cmake": config,
        "include/mimalloc.h": f"#define MI_MALLOC_VERSION {major}{minor}{patch}\n",
        **changed,
    }


def git(repository: Path, *arguments: str) -> str:
    """Runs git in a repository, as somebody whom no configuration of the host knows."""
    who = {f"GIT_{role}_{part}": "u" for role in ("AUTHOR", "COMMITTER") for part in ("NAME",)}
    who |= {f"GIT_{role}_EMAIL": "u@upstream.invalid" for role in ("AUTHOR", "COMMITTER")}
    who |= {f"GIT_{role}_DATE": WHEN for role in ("AUTHOR", "COMMITTER")}
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **who},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def create(folder: Path) -> Path:
    """A repository with nothing in it."""
    folder.mkdir()
    git(folder, "init", "--quiet")
    return folder


def tag(repository: Path, name: str, files: Mapping[str, str]) -> None:
    """Commit these files, and put the tag on them, wherever it was before."""
    release.unfold(repository, files)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", name)
    git(repository, "tag", "--force", name)
