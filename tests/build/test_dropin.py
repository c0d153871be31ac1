"""The drop-in takes effect, by systemd's own rules: `systemd-analyze` applies them to a root."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.inspect import payload
from tests.build.conftest import NEWEST, ROOT, SEED, Package, invoke_in, subpackage

UNIT = """[Unit]
Description=a web server
[Service]
Type=forking
ExecStartPre=/usr/sbin/nginx -t
ExecStart=/usr/sbin/nginx
"""
VENDOR = "usr/lib/systemd/system"
ADMIN = "etc/systemd/system"
DROPIN = "nginx.service.d/mimalloc.conf"
LINE = "Environment=LD_PRELOAD=/usr/local/nginx-dep/lib64/libmimalloc.so"
SYSTEMD = Path("/usr/lib/systemd/system")


@pytest.fixture
def root(package: Package, tmp_path: Path) -> Path:
    """A root with nginx's unit, what all units need, and the files of the sub-package."""
    built = package(NEWEST, "el9")
    _, rpm = subpackage(built)
    root = payload.unpack(rpm, tmp_path)
    for name in ("sysinit", "basic", "shutdown"):
        shutil.copy(SYSTEMD / f"{name}.target", root / VENDOR)
    (root / VENDOR / "nginx.service").write_text(UNIT)
    (root / ADMIN / "nginx.service.d").mkdir(parents=True)
    program = root / "usr/sbin/nginx"
    program.parent.mkdir(parents=True)
    program.write_text("")
    program.chmod(0o755)
    return root


def analyze(root: Path, *arguments: str) -> str:
    """What systemd-analyze prints of the root; the host's own units have no part in it."""
    command = ["systemd-analyze", f"--root={root}", "--no-pager", "--man=no", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def effective(root: Path) -> list[str]:
    """The lines that preload something, in the order in which systemd reads them."""
    output = analyze(root, "cat-config", "systemd/system/nginx.service")
    assert "ExecStart=/usr/sbin/nginx" in output
    return [line for line in output.splitlines() if line.startswith("Environment=LD_PRELOAD=")]


def test_it_is_read_with_the_unit(root: Path) -> None:
    """The package alone switches nginx on."""
    assert [LINE] == effective(root)


def test_systemd_finds_nothing_wrong_with_it(root: Path) -> None:
    """And it does, where a drop-in of the same name is wrong."""
    assert "" == analyze(root, "verify", "nginx.service")

    (root / VENDOR / DROPIN).write_text(f"[Service\n{LINE}\n")

    assert "Invalid section header" in analyze(root, "verify", "nginx.service")


def test_an_administrators_file_replaces_it(root: Path) -> None:
    """A file of the same name below /etc is read instead of the package's, and not after it."""
    own = LINE.replace("libmimalloc", "libmimalloc-secure")
    (root / ADMIN / DROPIN).write_text(f"[Service]\n{own}\n")

    assert [own] == effective(root)


def test_a_link_to_nothing_switches_it_off(root: Path) -> None:
    """The package may stay installed."""
    (root / ADMIN / DROPIN).symlink_to("/dev/null")

    assert [] == effective(root)


def test_what_is_printed_is_what_is_packed(package: Package, tmp_path: Path) -> None:
    """`invoke dropin` for nginx prints the file of the sub-package, byte for byte."""
    built = package(SEED, "el7")
    _, rpm = subpackage(built)
    packed = payload.unpack(rpm, tmp_path) / VENDOR / DROPIN

    done = invoke_in(ROOT, "dropin", "--version", SEED)

    assert 0 == done.returncode, done.stderr
    assert packed.read_text() == done.stdout


@pytest.mark.parametrize("unit", ["php8.2-fpm", "postgresql-9.6", "a@1.2", "a@.service", "a.b"])
def test_a_name_is_completed_as_systemd_does(unit: str) -> None:
    """`systemctl` takes the same names."""
    command = ["systemd-escape", "--mangle", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    text = invoke_in(ROOT, "dropin", "--unit", unit).stdout
    assert text.startswith(f"# {done.stdout.rstrip()} on the allocator ")


@pytest.mark.parametrize("unit", ["x.socket", "a/b", "", "a b.service"])
def test_what_is_no_service_is_refused(unit: str) -> None:
    """Exit code 2, and the message says what is expected."""
    done = invoke_in(ROOT, "dropin", "--unit", unit)

    assert 2 == done.returncode
    assert "the name of a service" in done.stderr
