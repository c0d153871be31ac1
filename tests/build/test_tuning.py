"""The settings in docs/administrator.md are the libraries' own, with their defaults and effects."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.inspect import payload
from tests.build.conftest import NEWEST, ROOT, Package

PAGE = ROOT / "docs" / "administrator.md"
PREFIX = "MIMALLOC_"

# The column of a release in the page's table.
COLUMNS = {"2.0.9": 0, NEWEST: 2}

# VIRT as on the page, in MiB, and what else a small program takes at the most.
RESERVED = {"2.0.9": 32, NEWEST: 1024}
_REST = 16


def table() -> Iterator[tuple[str, list[str]]]:
    """The page's settings: name, and the default in each line of releases."""
    for line in PAGE.read_text().splitlines():
        row = re.fullmatch(rf"\| `{PREFIX}(\w+)` \| (.+) \|", line)
        if row:
            yield row[1], [cell.strip() for cell in row[2].split("|")][:3]


@pytest.fixture(params=sorted(COLUMNS))
def preloaded(
    package: Package, request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[str, dict[str, str]]:
    """A release, and the environment that programs run on it in."""
    built = package(request.param, "el8")
    library = payload.place(payload.unpack(built.rpm, tmp_path), built.plan.preload)
    return request.param, {"PATH": "/usr/bin:/bin", "LD_PRELOAD": str(library)}


def output(env: dict[str, str], *command: str, **more: str) -> str:
    """What a program and its allocator print."""
    env = env | {f"{PREFIX}{name}": value for name, value in more.items()}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def size(env: dict[str, str], **more: str) -> float:
    """The address space of a small program, in MiB."""
    line = re.search(r"VmSize:\s*(\d+) kB", output(env, "cat", "/proc/self/status", **more))
    assert line
    return int(line[1]) / 1024


def test_settings_and_defaults_are_the_librarys_own(preloaded: tuple[str, dict[str, str]]) -> None:
    """As it prints them; a dash stands for a setting that the release does not have."""
    release, env = preloaded
    defaults = dict(re.findall(r"option '(\w+)': (-?\d+)", output(env, "true", VERBOSE="1")))
    rows = list(table())
    assert 8 <= len(rows)
    expected = {name: cells[COLUMNS[release]] for name, cells in rows}

    assert expected == {name: defaults.get(name.lower(), "-") for name in expected}


def test_the_library_takes_the_settings_of_its_dropin(
    preloaded: tuple[str, dict[str, str]],
) -> None:
    """As it prints them; one that it does not know would have no effect."""
    release, env = preloaded
    (nginx,) = (one for one in load.package(ROOT).flavor["plain"].subpackage if one.unit)
    settings = dict(one.removeprefix(PREFIX).split("=") for one in nginx.environment(release))
    taken = dict(
        re.findall(r"option '(\w+)': (-?\d+)", output(env, "true", VERBOSE="1", **settings))
    )

    assert settings
    assert settings == {name: taken.get(name.lower()) for name in settings}


def test_the_page_has_the_settings_of_each_release() -> None:
    """As its drop-in has them."""
    (nginx,) = (one for one in load.package(ROOT).flavor["plain"].subpackage if one.unit)
    rows = re.findall(r"^\| ([\d., ]+) \| (none|`MIMALLOC_\w+=.+) \|$", PAGE.read_text(), re.M)
    page = {release: cells for releases, cells in rows for release in releases.split(", ")}

    assert {
        version: ", ".join(f"`{setting}`" for setting in nginx.environment(version)) or "none"
        for version in load.versions(ROOT)
    } == page


def test_virt_is_what_is_reserved(preloaded: tuple[str, dict[str, str]]) -> None:
    """Addresses, and no memory."""
    release, env = preloaded

    assert 0 <= size(env) - RESERVED[release] <= _REST


def test_what_is_reserved_can_be_less(preloaded: tuple[str, dict[str, str]]) -> None:
    """From 2.1 on: the line before has no setting for it."""
    release, env = preloaded
    less = size(env, ARENA_RESERVE="65536")

    assert (less < 128) if release == NEWEST else (less == size(env))


def test_huge_pages_are_switched_off_for_the_process(preloaded: tuple[str, dict[str, str]]) -> None:
    """As the kernel reports it, where the release has the setting."""
    release, env = preloaded
    status = output(env, "cat", "/proc/self/status", ALLOW_THP="0")

    assert ("0" if release == NEWEST else "1") in re.findall(r"THP_enabled:\s*(\d)", status)
