"""A live nginx, with and without the library: status, run and compare, as users call them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.compare import nginx, settings
from pipeline.compare.allocators import C_LIBRARY, CONTROL, Allocator
from pipeline.compare.nginx import Running
from pipeline.inspect import payload
from pipeline.model.errors import CompareError
from pipeline.smoke import nginx
from tests.build.conftest import NEWEST, ROOT, SEED, Package, invoke_in

DIST = "el8"
CHOSEN = settings.asked(sample=True)


@pytest.fixture(scope="module")
def library(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library as it is preloaded."""
    built = package(NEWEST, DIST)
    root = payload.unpack(built.rpm, tmp_path_factory.mktemp("library"))
    return payload.place(root, built.plan.preload)


@contextmanager
def nginx(folder: Path, allocator: Allocator) -> Iterator[Running]:
    """An nginx of our own on an allocator; it serves what the comparison serves."""
    folder.mkdir()
    served = nginx.furnish(folder)
    with nginx.started(nginx.nginx(), allocator, CHOSEN, folder / "nginx", served) as running:
        yield running


def status(running: Running) -> subprocess.CompletedProcess[str]:
    """What `invoke status` says of it."""
    return invoke_in(ROOT, "status", "--pid", str(running.master.pid))


def test_master_and_workers_are_on_the_library(library: Path, tmp_path: Path) -> None:
    """By the kernel's word, with the release of the file and all sizes."""
    with nginx(tmp_path / "on", Allocator("ours", library)) as running:
        done = status(running)

    assert 0 == done.returncode, done.stdout + done.stderr
    head, master, worker, verdict = done.stdout.splitlines()
    assert "USER" == head.split()[0]
    for line in (master, worker):
        _, _, vsz, rss, pss, release, *_ = line.split()
        assert int(vsz) > int(rss) > int(pss) > 0
        assert NEWEST == release
    assert "nginx: master process" in master
    assert r"\_ nginx: worker process" in worker
    assert f"in use by all 2: {library.resolve()}, mimalloc {NEWEST}" == verdict


def test_without_the_library_the_verdict_is_another(tmp_path: Path) -> None:
    """Nothing is wrong with nginx, and yet it is not what was asked for."""
    with nginx(tmp_path / "off", Allocator(C_LIBRARY)) as running:
        done = status(running)

    assert 41 == done.returncode
    assert "2 of 2 processes" in done.stderr
    assert f"{running.master.pid}: not on mimalloc" in done.stderr


@pytest.mark.parametrize(("again", "word"), [(True, "replaced"), (False, "removed")])
def test_an_upgrade_under_a_running_nginx_is_seen(
    library: Path, tmp_path: Path, again: bool, word: str
) -> None:
    """It goes on with the old file until it is restarted, whose release root can still tell."""
    copy = tmp_path / library.resolve().name
    shutil.copy(library, copy)
    with nginx(tmp_path / "old", Allocator("ours", copy)) as running:
        copy.unlink()
        if again:
            shutil.copy(library, copy)
        done = status(running)

    assert 41 == done.returncode
    assert f"{copy} was {word} on disk since it started: restart it" in done.stderr
    if os.geteuid() == 0:
        assert NEWEST in done.stdout


def test_a_path_that_is_wrong_is_caught(tmp_path: Path) -> None:
    """nginx starts all the same, on the C library's allocator; a comparison would compare that."""
    with (
        pytest.raises(CompareError, match="not on nothing"),
        nginx(tmp_path / "wrong", Allocator("nothing", tmp_path / "libmimalloc.so.9")),
    ):
        pass


def test_a_second_allocator_is_caught(library: Path, tmp_path: Path) -> None:
    """As where somebody's environment preloads one, too."""
    both = Allocator(C_LIBRARY, None, env={"LD_PRELOAD": str(library)})
    with (
        pytest.raises(CompareError, match="not on it alone"),
        nginx(tmp_path / "both", both),
    ):
        pass


# --- any program ---------------------------------------------------------------------------------


def run(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """`invoke run` of a program on the newest release."""
    return subprocess.run(
        ["invoke", "run", "--version", NEWEST, "--dist", DIST, "--", *words],
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_program_is_run_as_it_would_be(library: Path) -> None:
    """Its words, its input, its output and its exit code are its own; ours is beside it."""
    done = run("sh", "-c", 'cat; echo "$0|$1"; exit 3', "a  b", "*", text="typed\n")

    assert (3, "typed\na  b|*\n") == (done.returncode, done.stdout)
    assert f"on {NEWEST} (libmimalloc.so.3): cat sh" in done.stderr


def test_a_program_that_is_not_on_it_is_told(library: Path, tmp_path: Path) -> None:
    """A warning before, and exit code 43 after: it ended well, and not on the library."""
    source, program = tmp_path / "none.c", tmp_path / "none"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-o", program, source], check=True)
    assert 0 == run(str(program)).returncode
    subprocess.run(["gcc", "-static", "-o", program, source], check=True)

    done = run(str(program))

    assert 43 == done.returncode
    assert "statically linked: it has no loader" in done.stderr
    assert "no word of a loader" in done.stderr


def test_an_allocator_of_its_own_is_warned_of(library: Path, tmp_path: Path) -> None:
    """One that a program defines, and one that it needs."""
    source, program = tmp_path / "own.c", tmp_path / "own"
    source.write_text(
        "#include <stddef.h>\n"
        "static char pool[1 << 20]; static size_t used;\n"
        "void *malloc(size_t n) { void *p = pool + used; used += (n + 15) & -16; return p; }\n"
        "void *realloc(void *p, size_t n) { return malloc(n); }\n"
        "void *calloc(size_t a, size_t b) { return malloc(a * b); }\n"
        "void free(void *p) {}\n"
        "int je_malloc(void) { return 0; }\n"
        "int main(void) { return 0; }\n"
    )
    subprocess.run(["gcc", "-w", "-O0", "-fno-builtin", "-o", program, source], check=True)

    done = run(str(program))

    assert "defines malloc itself" in done.stderr
    assert "brings an allocator of its own (je_malloc)" in done.stderr


# --- the comparison ------------------------------------------------------------------------------


def test_the_comparison_is_what_it_says(package: Package, tmp_path: Path) -> None:
    """A sample of it: every load on three allocators; listings, JSON and a picture."""
    package(NEWEST, DIST)
    done = subprocess.run(
        [
            *"invoke compare --sample --version".split(),
            NEWEST,
            "--dist",
            DIST,
            "--output",
            tmp_path,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    names = (C_LIBRARY, CONTROL, f"mimalloc {NEWEST}")
    for load in CHOSEN.load:
        assert f"\n{load.name}: {load.title}; {load.connections} connections\n" in done.stdout
    document = json.loads((tmp_path / "nginx.json").read_text())
    found = {(each["load"], each["allocator"]): each["rounds"] for each in document["results"]}
    assert {(load.name, name) for load in CHOSEN.load for name in names} == set(found)
    for rounds in found.values():
        (taken,) = rounds
        assert taken["answers"]["rate"] > 0
        assert 0 < taken["start"]["rss"] <= taken["peak"]["rss"]
    assert (tmp_path / "nginx.png").read_bytes().startswith(b"\x89PNG")
    picture = (tmp_path / "nginx.svg").read_text()
    assert picture.startswith("<?xml")
    assert str(tmp_path) not in picture + (tmp_path / "nginx.json").read_text()


def test_a_release_that_is_not_built_is_not_compared(checkout: Path) -> None:
    """And the command that makes it is said."""
    done = invoke_in(checkout, "compare", "--version", SEED, "--dist", DIST)

    assert 2 == done.returncode
    assert f"invoke build --version {SEED} --dist {DIST}" in done.stderr
