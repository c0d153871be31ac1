"""A virtual machine with SELinux in enforcing mode: Debian under a kernel of its own, by qemu.

A container shares the kernel of its host, which rarely has SELinux. The machine is emulated, so
it runs on every host. The policy is Debian's, and not that of Enterprise Linux.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from pipeline.system import process
from tests.build import debian
from tests.tally import untested

WHAT = "SELinux in enforcing mode"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "nginx-light", "rpm", "procps", "auditd"),
    *("linux-image-cloud-amd64", "initramfs-tools", "zstd"),
    *("selinux-policy-default", "policycoreutils", "selinux-utils"),
)
UNIT = """[Unit]
After=multi-user.target
SuccessAction=poweroff
FailureAction=poweroff
[Service]
Type=oneshot
TimeoutStartSec={seconds}
ExecStart=/bin/bash /root/session.sh
"""
# Debian's rpm looks for its plugins, of which one sets labels, where Enterprise Linux has them.
MACROS = "%__plugindir /usr/lib/x86_64-linux-gnu/rpm-plugins\n"

# Folders whose content is not in the image, or is made when the machine starts.
TRANSIENT = ("dev", "proc", "run", "sys", "tmp")
# A minute or two where nothing else runs.
SECONDS = 1800


def host() -> None:
    """Skips, with a notice, on a host that cannot make and start the machine."""
    programs = ("mmdebstrap", "qemu-system-x86_64", "mke2fs", "unshare", "chroot")
    if missing := [program for program in programs if not shutil.which(program)]:
        untested(WHAT, f"no {', '.join(missing)}; apt-get install mmdebstrap qemu-system-x86")
    if os.geteuid() != 0:
        untested(WHAT, "needs root, which alone sets the labels of files")


def make(root: Path) -> None:
    """Installs Debian, nginx, rpm and the policy into a folder; skips where they cannot be had."""
    debian.bootstrap(WHAT, root, PACKAGES)


def prepare(root: Path, script: Path, packages: Iterable[Path]) -> None:
    """Adds packages, a script and the unit that starts it, and labels all files."""
    for package in packages:
        folder = root / "root" / package.parent.parent.name
        folder.mkdir(exist_ok=True)
        shutil.copy(package, folder)
    shutil.copy(script, root / "root/session.sh")
    (root / "etc/rpm").mkdir(exist_ok=True)
    (root / "etc/rpm/macros").write_text(MACROS)
    wants = root / "etc/systemd/system/default.target.wants"
    wants.mkdir()
    (wants / "session.service").symlink_to("../session.service")
    (wants.parent / "session.service").write_text(UNIT.format(seconds=SECONDS - 200))
    _label(root)


def _label(root: Path) -> None:
    """Gives each file the label that the policy has for its path."""
    names = root / "tmp/names"
    paths = [file.relative_to(root) for file in root.rglob("*")]
    lasting = [path for path in paths if path.parent == Path() or path.parts[0] not in TRANSIENT]
    names.write_text("\0".join(["/", *(f"/{path}" for path in lasting)]))
    command: list[str | Path]
    command = ["chroot", root, "xargs", "-0", "-a", "/tmp/names", "matchpathcon"]
    _, labels, _ = process.attempt(command, timeout=SECONDS)
    names.unlink()
    for line in labels.splitlines():
        name, _, label = line.partition("\t")
        if label.startswith("system_u:"):
            file = root / name.lstrip("/")
            os.setxattr(file, "security.selinux", label.encode() + b"\0", follow_symlinks=False)


def transcript(root: Path, folder: Path) -> str:
    """What the script prints to its second serial port, in a machine that is started for it."""
    image, output, console = (folder / name for name in ("image", "transcript", "console"))
    (kernel,), (initrd,) = root.glob("boot/vmlinuz-*"), root.glob("boot/initrd.img-*")
    command: list[str | Path]
    command = ["mke2fs", "-q", "-t", "ext4", "-d", root, image, "3G"]
    assert 0 == process.attempt(command, timeout=SECONDS)[0]
    command = [
        *("qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "1024", "-smp", "2"),
        *("-display", "none", "-monitor", "none", "-no-reboot", "-nic", "none"),
        *("-serial", f"file:{console}", "-serial", f"file:{output}"),
        *("-drive", f"file={image},format=raw,if=virtio", "-kernel", kernel, "-initrd", initrd),
        *("-append", "root=/dev/vda rw console=ttyS0 security=selinux enforcing=1"),
    ]
    code, _, errors = process.attempt(command, timeout=SECONDS)
    assert 0 == code, errors + process.last_lines(console.read_text(errors="replace"))
    return output.read_text(errors="replace")
