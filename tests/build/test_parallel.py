"""Several packages at once: what they share is done once, a failure does not stop the others."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.build.conftest import ROOT, Package, share_steps

Invoke = Callable[..., subprocess.CompletedProcess[str]]

VERSION, OTHER = "2.0.9", "3.4.3"

STEPS = ("fetch", "unpack", "patch", "configure", "compile", "stage", "package", "check")


def results(checkout: Path) -> dict[str, int]:
    """How often each step has been done."""
    return {step: len(list((checkout / "work").glob(f"v1/{step}/*/contents"))) for step in STEPS}


def packages(checkout: Path) -> dict[str, bytes]:
    """The finished packages."""
    return {file.name: file.read_bytes() for file in (checkout / "dist").rglob("*.rpm")}


def test_what_is_shared_is_done_once(checkout: Path, invoke: Invoke, package: Package) -> None:
    """On aarch64 el7 and el8 have the same flags and C library floor, so they share a library."""
    package(VERSION, "el8")  # without its source the test is skipped

    done = invoke("package", "--version", VERSION, "--dist", "el7,el8", "--arch", "aarch64")

    assert 0 == done.returncode, done.stderr
    once = dict.fromkeys(STEPS, 1)
    assert {**once, "package": 2, "check": 0} == results(checkout)


def test_what_many_builds_print(checkout: Path, invoke: Invoke, package: Package) -> None:
    """What was built, how often, and once that a dist has no maintenance."""
    for dist in ("el7", "el8"):
        package(VERSION, dist)
    share_steps(checkout)

    done = invoke("build", "--version", VERSION, "--dist", "el7,el8", "--arch", "x86_64")

    assert 0 == done.returncode, done.stderr
    assert "2 packages: 2 built; " in done.stdout
    assert "Enterprise Linux 7 has had no maintenance since 2024-06-30" in done.stdout
    assert 1 == done.stdout.count("maintenance")

    again = invoke("build", "--version", VERSION, "--dist", "el7,el8", "--arch", "x86_64")

    assert 0 == again.returncode
    assert "2 packages: 2 up to date; " in again.stdout
    assert "maintenance" not in again.stdout


def test_a_failure_does_not_stop_the_others(
    checkout: Path, invoke: Invoke, package: Package
) -> None:
    """Its message is shown where it happens, its name in the table, its exit code in the end."""
    good = package(VERSION, "el8")
    patch = next((checkout / "patches" / OTHER).glob("*.patch"))
    patch.write_text(patch.read_text() + "\n")
    share_steps(checkout)

    done = invoke("build", "--version", f"{VERSION},{OTHER}", "--dist", "el8", "--arch", "x86_64")

    assert 23 == done.returncode
    assert f"mimalloc-custom-{OTHER}-1.el8.x86_64                   FAILED" in done.stdout
    assert f"patch: {patch.name} is not the one that the recipe pins" in done.stdout
    table = done.stdout.split("\n\n")[1].splitlines()
    assert VERSION == table[2].split()[0]
    assert [OTHER, "FAILED"] == table[3].split()
    assert "2 packages: 1 built, 1 FAILED; " in done.stdout
    assert "1 of 2 failed, 1 done" in done.stderr
    assert set(good.plan.file_names) == set(packages(checkout))
    assert good.rpm.read_bytes() == packages(checkout)[good.rpm.name]


def test_a_terminated_build_leaves_no_program_and_no_package(
    checkout: Path, package: Package, invoke: Invoke
) -> None:
    """SIGTERM to invoke alone ends every compiler, and the next run completes."""
    good = package(VERSION, "el8")
    argv = ["invoke", "build", "--version", VERSION, "--dist", "el8", "--arch", "all"]
    with subprocess.Popen(argv, cwd=checkout, stdout=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 60
        while not list(checkout.glob("work/v1/compile/*/log")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert 2 <= len(programs_in(checkout))
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)

    assert 130 == running.returncode
    assert [] == programs_in(checkout)
    assert {} == packages(checkout)

    done = invoke("build", "--version", VERSION, "--dist", "el8", "--arch", "x86_64")

    assert 0 == done.returncode, done.stderr
    assert good.rpm.read_bytes() == packages(checkout)[good.rpm.name]
    assert set(good.plan.file_names) == set(packages(checkout))


def programs_in(folder: Path) -> list[str]:
    """The processes that run in a folder, or have it in their command line."""
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            cwd = str((process / "cwd").readlink())
        except OSError:
            continue
        if process.name != str(os.getpid()) and (str(folder) in line or str(folder) in cwd):
            commands.append(line)
    return commands


def test_all_packages_are_listed(invoke: Invoke) -> None:
    """`invoke list` has a column for every machine of every dist, and a line for every release."""
    dists, machines, *rows = invoke("list").stdout.splitlines()

    roots = sorted(path.stem for path in (ROOT / "buildroot").glob("*.toml"))
    assert roots == sorted(set(dists.split()))
    assert len(dists.split()) == len(machines.split()) - 1
    recipes = {path.stem for path in (ROOT / "recipes").glob("[0-9]*.toml")}
    assert recipes == {row.split()[0] for row in rows}
