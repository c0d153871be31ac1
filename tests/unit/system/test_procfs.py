"""`proc`: what is read of a process, of a real one and of what a kernel may say."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from pipeline.system import procfs

STATUS = "Name:\tweb\nPPid:\t1\nUid:\t0\t0\t0\t0\nVmSize:\t  2048 kB\nVmRSS:\t 1024 kB\n"
LOADER = "7f0000000000-7f0000001000 r-xp 00000000 08:01 11 /lib64/ld-linux-x86-64.so.2\n"
CODE = "7f1000000000-7f1000001000 r-xp 00000000 08:01 12 /opt/lib/libmimalloc.so.3.4"
AUXV = struct.pack("=QQQQQQ", 6, 4096, 23, 0, 0, 0)


def invent(folder: Path, pid: int, **files: str | bytes) -> Path:
    """A process that the kernel tells of; ``files`` differ from those of a plain one."""
    room = folder / str(pid)
    room.mkdir(parents=True)
    told: dict[str, str | bytes] = {
        "status": STATUS,
        "comm": "web\n",
        "cmdline": b"web: master\0",
        "maps": LOADER,
        "smaps_rollup": "Rss: 9 kB\nPss: 300 kB\nPss_Dirty: 4 kB\n",
        "auxv": AUXV,
        **files,
    }
    for name, content in told.items():
        (room / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def read(folder: Path, pid: int = 7) -> procfs.Process:
    """What is made of it."""
    found = procfs.process(pid, folder)
    assert found
    return found


def test_sizes_and_names(tmp_path: Path) -> None:
    """In KiB, as the kernel has them."""
    found = read(invent(tmp_path, 7))

    assert (2048, 1024, 300) == (found.vsz, found.rss, found.pss)
    assert ("root", "web: master", 1) == (found.user, found.command, found.parent)
    assert found.loads
    assert found.secure is False


def test_a_file_that_is_gone_is_known_by_the_kernels_word(tmp_path: Path) -> None:
    """A file that was replaced is one that is gone, too."""
    found = read(invent(tmp_path, 7, maps=f"{LOADER}{CODE} (deleted)\n"))

    assert found.mapped
    assert [("libmimalloc.so.3.4", True)] == [(f.name, f.gone) for f in found.mapped[1:]]


def test_data_is_no_code(tmp_path: Path) -> None:
    """A library that is open for reading is not in use."""
    found = read(invent(tmp_path, 7, maps=f"{CODE.replace('r-xp', 'r--p')}\n"))

    assert () == found.mapped
    assert not found.loads


def test_old_kernels_tell_the_share_of_each_mapping(tmp_path: Path) -> None:
    """That of Enterprise Linux 7 has no sum of them."""
    folder = invent(tmp_path, 7, smaps="Pss: 100 kB\nSwap: 1 kB\nPss: 20 kB\n")
    (folder / "7" / "smaps_rollup").unlink()

    assert 120 == read(folder).pss


def test_secure_execution_is_seen(tmp_path: Path) -> None:
    """AT_SECURE is entry 23."""
    auxv = struct.pack("=QQQQ", 23, 1, 0, 0)

    assert read(invent(tmp_path, 7, auxv=auxv)).secure is True


def test_threads_of_the_kernel_are_none_of_ours(tmp_path: Path) -> None:
    """They have no memory of their own; nor has a process that has ended."""
    invent(tmp_path, 7, status="Name:\tkworker\nPPid:\t2\nUid:\t0\n")

    assert procfs.process(7, tmp_path) is None
    assert procfs.process(8, tmp_path) is None


def test_a_master_comes_before_its_workers(tmp_path: Path) -> None:
    """Whatever their numbers are; and a second master is no worker of the first."""
    for pid, parent in ((9, 1), (5, 9), (3, 9), (6, 1)):
        invent(tmp_path, pid, status=STATUS.replace("PPid:\t1", f"PPid:\t{parent}"))
    invent(tmp_path, 4, comm="other\n")

    assert [6, 9, 3, 5] == [each.pid for each in procfs.named("web", tmp_path)]
    assert [9, 3, 5] == [each.pid for each in procfs.family(9, tmp_path)]
    assert [] == procfs.family(99, tmp_path)


def test_long_names_are_cut_by_the_kernel(tmp_path: Path) -> None:
    """To fifteen letters."""
    invent(tmp_path, 7, comm="a-very-long-nam\n")

    assert [7] == [each.pid for each in procfs.named("a-very-long-name-indeed", tmp_path)]


def test_of_a_live_process_all_is_seen() -> None:
    """Our own child, without being root."""
    argv = ["sh", "-c", "echo ready; sleep 60"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        found = procfs.process(child.pid)
        child.kill()

    assert found
    assert (child.pid, os.getpid()) == (found.pid, found.parent)
    assert found.vsz > found.rss > (found.pss or 0) > 0
    assert found.loads
    assert found.secure is False


def test_what_may_not_be_seen_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another user's process; its sizes are everybody's to see."""
    hidden = ("maps", "smaps_rollup", "smaps", "auxv")
    real = Path.read_bytes

    def read_bytes(file: Path) -> bytes:
        if file.name in hidden:
            raise PermissionError
        return real(file)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    monkeypatch.setattr(Path, "read_text", lambda file, **_: read_bytes(file).decode())
    found = read(invent(tmp_path, 7))

    assert (None, None, None) == (found.pss, found.mapped, found.secure)
    assert (2048, 1024) == (found.vsz, found.rss)
