"""Failures on real machines: message, exit code, no package; and without the cause it works."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.system.checksum import sha256_of
from tests.build.conftest import Package

Invoke = Callable[..., subprocess.CompletedProcess[str]]

BUILD = ("build", "--version", "2.0.9", "--dist", "el7")
BROKEN = """Why: a test.

--- a/src/stats.c
+++ b/src/stats.c
@@ -7,2 +7,3 @@
 #include "mimalloc.h"
+#error "this does not compile"
 #include "mimalloc-internal.h"
"""


@pytest.fixture(autouse=True)
def source(package: Package) -> None:
    """The source is in the cache: these tests need no network."""
    package("2.0.9", "el7")


def results(checkout: Path) -> list[Path]:
    """All files in the dist folder."""
    return [path for path in (checkout / "dist").rglob("*") if path.is_file()]


def test_a_compile_error_shows_the_compilers_lines(invoke: Invoke, checkout: Path) -> None:
    """Exit code 25, the compiler's message, the log; no package."""
    recipe = checkout / "recipes" / "2.0.9.toml"
    broken = checkout / "patches" / "2.0.9" / "0002-broken.patch"
    broken.write_text(BROKEN)
    pin = f'[[patch]]\nfile = "{broken.name}"\nsha256 = "{sha256_of(broken)}"\nwhy = "a test"\n\n'
    recipe.write_text(recipe.read_text().replace("[[changelog]]", f"{pin}[[changelog]]", 1))

    done = invoke(*BUILD)

    assert 25 == done.returncode
    assert "this does not compile" in done.stderr
    assert "/log" in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == results(checkout)


def test_the_native_compiler_is_checked_against_the_c_library_floor(
    invoke: Invoke, checkout: Path
) -> None:
    """What is linked against a newer C library is refused, with symbol, version and file."""
    done = invoke(*BUILD, "--toolchain", "native")

    assert 28 == done.returncode
    assert "floor: " in done.stderr
    assert "GLIBC_2.3" in done.stderr
    assert "from libc.so.6" in done.stderr
    assert [] == results(checkout)


def test_without_rpmbuild_the_message_has_what_to_install(
    invoke: Invoke, checkout: Path, tmp_path: Path
) -> None:
    """Exit code 11 and the program's name; no traceback."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("rpm", "patch", "sh", "cpio", "rpm2cpio", "env"):
        (programs / name).symlink_to(shutil.which(name) or name)
    own = Path(shutil.which("invoke") or "").parent

    done = invoke(*BUILD, PATH=f"{own}:{programs}")

    assert 11 == done.returncode
    assert "rpmbuild" in done.stderr
    assert "invoke doctor" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupted_build_continues_later_and_offline(invoke: Invoke, checkout: Path) -> None:
    """Exit code 130, no child left, no package; the same command then builds it.

    With the source in the cache, nothing uses the network, neither before nor after that.
    """
    command, proxy = (*BUILD, "--offline"), "http://127.0.0.1:9"
    offline = {"https_proxy": proxy, "http_proxy": proxy}
    child = subprocess.Popen(
        ["invoke", *command],
        cwd=checkout,
        env={**os.environ, **offline},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Background jobs of a shell, and all that they start, ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not list((checkout / "work").glob("*/compile/*/log")):
        assert child.poll() is None, child.communicate()
        time.sleep(0.02)

    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)

    assert 130 == child.returncode, errors
    assert "Traceback" not in errors
    assert [] == results(checkout)
    assert [] == _programs_in(checkout)
    done = invoke(*command, **offline)
    assert 0 == done.returncode, done.stderr
    # Package and sub-packages, with a statement and a bill of materials each.
    assert 9 == len(results(checkout))


def _programs_in(folder: Path) -> list[str]:
    """The command lines of processes that have the folder in them."""
    commands = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            commands.append(line)
    return commands
