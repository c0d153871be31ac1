"""Upstream in small: a git repository with tagged releases of a tiny mimalloc."""

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
    """The files of a release, which state this version."""
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
    """Run git in a repository, with an identity and a time of its own; returns its output."""
    identity = {"NAME": "u", "EMAIL": "u@upstream.invalid", "DATE": WHEN}
    variables = {
        f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in identity.items()
    }
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def create(folder: Path) -> Path:
    """Make an empty repository."""
    folder.mkdir()
    git(folder, "init", "--quiet")
    return folder


def tag(repository: Path, name: str, files: Mapping[str, str]) -> None:
    """Commit these files, and put the tag on the commit, wherever it was before."""
    release.unfold(repository, files)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", name)
    git(repository, "tag", "--force", name)
