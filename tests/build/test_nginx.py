"""A live nginx, with and without the library: status, run and compare, as users call them."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.compare import instructions, nginx, settings
from pipeline.compare.allocators import C_LIBRARY, CONTROL, TUNED, Allocator
from pipeline.compare.nginx import Answers, Server, Setup, Size
from pipeline.compare.settings import Load, Request
from pipeline.inspect import payload
from pipeline.model import Selection
from pipeline.model.errors import CompareError
from pipeline.smoke.nginx import find
from tests.build.conftest import NEWEST, ROOT, SEED, Package, invoke_in

DIST = "el8"
SAMPLE = settings.requested(Request(Selection(), sample=True))


@pytest.fixture(scope="module")
def library(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library as it is preloaded."""
    built = package(NEWEST, DIST)
    root = payload.unpack(built.rpm, tmp_path_factory.mktemp("library"))
    return payload.place(root, built.plan.preload)


@contextmanager
def started(folder: Path, allocator: Allocator) -> Iterator[Server]:
    """An nginx of our own on an allocator; it serves what the comparison serves."""
    nginx.create_content(folder / "content")
    setup = Setup(find(), SAMPLE, folder / "content")
    with nginx.started(setup, allocator, folder / "nginx") as server:
        yield server


def status(server: Server) -> subprocess.CompletedProcess[str]:
    """What `invoke status` prints of it."""
    return invoke_in(ROOT, "status", "--pid", str(server.master.pid))


def test_master_and_workers_are_on_the_library(library: Path, tmp_path: Path) -> None:
    """As the kernel reports it, with all sizes; the tool of the packages says so."""
    with started(tmp_path / "on", Allocator("ours", library)) as server:
        done = status(server)

    assert 0 == done.returncode, done.stdout + done.stderr
    head, master, worker, verdict, upgrade = done.stdout.splitlines()
    assert "USER" == head.split()[0]
    for line in (master, worker):
        _, _, vsz, rss, pss, release, *_ = line.split()
        assert int(vsz) > int(rss) > int(pss) > 0
        assert "3.4" == release
    assert "nginx: master process" in master
    assert r"\_ nginx: worker process" in worker
    assert f"in use by 2 of 2: {library.resolve()}" == verdict
    assert upgrade.startswith(f"{server.master.pid}: a binary upgrade of nginx (USR2")


def test_without_the_library_the_verdict_is_another(tmp_path: Path) -> None:
    """Nothing is wrong with nginx, but it is not on the library."""
    with started(tmp_path / "off", Allocator(C_LIBRARY)) as server:
        done = status(server)

    assert 41 == done.returncode
    assert f"\n{server.master.pid}: not on mimalloc\n" in done.stdout


def test_a_path_that_is_wrong_is_caught(tmp_path: Path) -> None:
    """nginx starts all the same, on the C library's allocator; a comparison would compare that."""
    with (
        pytest.raises(CompareError, match="not on nothing"),
        started(tmp_path / "wrong", Allocator("nothing", tmp_path / "libmimalloc.so.9")),
    ):
        pass


def test_a_second_allocator_is_caught(library: Path, tmp_path: Path) -> None:
    """As where somebody's environment preloads one, too."""
    both = Allocator(C_LIBRARY, None, env={"LD_PRELOAD": str(library)})
    with (
        pytest.raises(CompareError, match="not on it alone"),
        started(tmp_path / "both", both),
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


def test_a_program_runs_as_without_invoke(library: Path) -> None:
    """Arguments, input, output and exit code are its own; the report is on the error output."""
    done = run("sh", "-c", 'cat; echo "$0|$1"; exit 3', "a  b", "*", text="typed\n")

    assert (3, "typed\na  b|*\n") == (done.returncode, done.stdout)
    assert f"on {NEWEST} (libmimalloc.so.3): cat sh" in done.stderr


def test_a_program_that_is_not_on_it_is_an_error(library: Path, tmp_path: Path) -> None:
    """A warning before, and exit code 43 after: it ended well, and not on the library."""
    source, program = tmp_path / "none.c", tmp_path / "none"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-o", program, source], check=True)
    assert 0 == run(str(program)).returncode
    subprocess.run(["gcc", "-static", "-o", program, source], check=True)

    done = run(str(program))

    assert 43 == done.returncode
    assert "statically linked: it has no loader" in done.stderr
    assert "no loader output" in done.stderr


def test_an_allocator_of_its_own_has_a_warning(library: Path, tmp_path: Path) -> None:
    """Entry points that the program defines, and a name that only such an allocator has."""
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
    assert "has an allocator of its own (je_malloc)" in done.stderr


# --- the comparison ------------------------------------------------------------------------------


def test_the_comparison_is_what_it_says(package: Package, tmp_path: Path) -> None:
    """A sample of it: every load on three allocators and the user's; listings, JSON, a picture."""
    package(NEWEST, DIST)
    done = subprocess.run(
        [
            *f"invoke compare --sample --version {NEWEST} --dist {DIST}".split(),
            *("--output", tmp_path, "--allocator", "more=glibc,A=1"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    names = (C_LIBRARY, CONTROL, f"mimalloc {NEWEST}{TUNED}", "more")
    for load in SAMPLE.load:
        assert f"\n{load.name}: {load.title}; {load.connections} connections\n" in done.stdout
    document = json.loads((tmp_path / "nginx.json").read_text())
    results = {(item["load"], item["allocator"]): item["rounds"] for item in document["results"]}
    assert {(load.name, name) for load in SAMPLE.load for name in names} == set(results)
    for rounds in results.values():
        (measurement,) = rounds
        assert measurement["answers"]["count"] > 0
        assert measurement["cpu"] > 0
        assert 0 < measurement["start"]["rss"] <= measurement["peak"]["rss"]
    assert (tmp_path / "nginx.png").read_bytes().startswith(b"\x89PNG")
    picture = (tmp_path / "nginx.svg").read_text()
    assert picture.startswith("<?xml")
    assert str(tmp_path) not in picture + (tmp_path / "nginx.json").read_text()


def test_a_load_without_an_answer_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the machine is busy; the times are those of the load that was answered."""
    real, seconds = nginx._answers, list[int]()

    def answers(server: Server, load: Load, duration: int) -> tuple[Answers, list[Size]]:
        seconds.append(duration)
        if len(seconds) < 3:
            return Answers(0, 0.0, 0.0, 0.0, 0, 0), []
        return real(server, load, 1)

    monkeypatch.setattr(nginx, "_answers", answers)
    with started(tmp_path / "busy", Allocator(C_LIBRARY)) as server:
        counted, effort, sizes = nginx.attack(server, SAMPLE.load[0], 1)

    assert [1, 2, 4] == seconds
    assert counted.count > 0
    assert effort.cpu > 0
    assert sizes


def test_instructions_are_counted(tmp_path: Path) -> None:
    """Twice the same to a hundredth: what they are for."""
    nginx.create_content(tmp_path / "content")
    setup = Setup(find(), replace(SAMPLE, counted=4), tmp_path / "content")
    first, second = (
        instructions.per_request(setup, Allocator(C_LIBRARY), SAMPLE.load[0], tmp_path / name)
        for name in "ab"
    )

    assert first > 100_000
    assert first == pytest.approx(second, rel=0.01)


def test_a_release_that_is_not_built_is_not_compared(checkout: Path) -> None:
    """And the message has the command that makes it."""
    done = invoke_in(checkout, "compare", "--version", SEED, "--dist", DIST)

    assert 2 == done.returncode
    assert f"invoke build --version {SEED} --dist {DIST}" in done.stderr
