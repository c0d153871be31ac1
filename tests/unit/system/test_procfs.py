"""`procfs`: a real process, and the files that different kernels write."""

import os
import subprocess
from pathlib import Path

import pytest

from pipeline.system import procfs

STATUS = "Name:\tweb\nPPid:\t1\nUid:\t0\t0\t0\t0\nVmSize:\t  2048 kB\nVmRSS:\t 1024 kB\n"
LOADER = "7f0000000000-7f0000001000 r-xp 00000000 08:01 11 /lib64/ld-linux-x86-64.so.2\n"
CODE = "7f1000000000-7f1000001000 r-xp 00000000 08:01 12 /opt/lib/libmimalloc.so.3.4"


def write(proc: Path, pid: int, **files: str | bytes) -> Path:
    """Write the files of a process; ``files`` differ from those of an ordinary process."""
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    contents: dict[str, str | bytes] = {
        "status": STATUS,
        "cmdline": b"web: master\0",
        "maps": LOADER,
        "smaps_rollup": "Rss: 9 kB\nPss: 300 kB\nPss_Dirty: 4 kB\n",
        **files,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return proc


def read(proc: Path, pid: int = 7) -> procfs.Process:
    """Read the files of a process."""
    process = procfs.process(pid, proc)
    assert process
    return process


def test_sizes_and_names(tmp_path: Path) -> None:
    """Sizes are in KiB, as in the kernel's files."""
    process = read(write(tmp_path, 7))

    assert (2048, 1024, 300) == (process.vsz, process.rss, process.pss)
    assert ("web: master", 1) == (process.command, process.parent)
    assert ["ld-linux-x86-64.so.2"] == [file.name for file in process.mapped or ()]


def test_deleted_file_is_marked(tmp_path: Path) -> None:
    """A replaced file is also one that was deleted."""
    process = read(write(tmp_path, 7, maps=f"{LOADER}{CODE} (deleted)\n"))

    assert process.mapped
    assert [("libmimalloc.so.3.4", True)] == [(file.name, file.gone) for file in process.mapped[1:]]


def test_data_is_not_code(tmp_path: Path) -> None:
    """A library that is only mapped for reading is not in use."""
    process = read(write(tmp_path, 7, maps=f"{CODE.replace('r-xp', 'r--p')}\n"))

    assert () == process.mapped


def test_old_kernels_report_the_share_of_each_mapping(tmp_path: Path) -> None:
    """The kernel of Enterprise Linux 7 has no file with the sum."""
    proc = write(tmp_path, 7, smaps="Pss: 100 kB\nSwap: 1 kB\nPss: 20 kB\n")
    (proc / "7" / "smaps_rollup").unlink()

    assert 120 == read(proc).pss


def test_kernel_threads_are_left_out(tmp_path: Path) -> None:
    """They have no memory of their own; nor has a process that has ended."""
    write(tmp_path, 7, status="Name:\tkworker\nPPid:\t2\nUid:\t0\n")

    assert procfs.process(7, tmp_path) is None
    assert procfs.process(8, tmp_path) is None


def test_effort_is_that_of_a_family(tmp_path: Path) -> None:
    """Of master and workers, those that have ended too; the name of a process may look like one."""
    for pid, parent, times in ((7, 1, "100 20 3 4"), (8, 7, "1000 200 9 9"), (9, 1, "5000 0 0 0")):
        faults = f"{pid}00 {pid} 0 0"
        stat = f"{pid} (a) S 9 (b) S {parent} {'0 ' * 5}{faults} {times} 20 0"
        write(tmp_path, pid, stat=stat)
    hertz = os.sysconf("SC_CLK_TCK")

    expected = procfs.Effort((100 + 20 + 3 + 4 + 1000 + 200) / hertz, 700 + 7 + 800)
    assert expected == procfs.effort(7, tmp_path)
    assert procfs.Effort(0.0, 0) == expected - expected


def test_master_comes_before_its_workers(tmp_path: Path) -> None:
    """Whatever their ids are; a second master is not a worker of the first."""
    for pid, parent in ((9, 1), (5, 9), (3, 9), (6, 1)):
        write(tmp_path, pid, status=STATUS.replace("PPid:\t1", f"PPid:\t{parent}"))

    assert [9, 3, 5] == [process.pid for process in procfs.family(9, tmp_path)]
    assert [] == procfs.family(99, tmp_path)


def test_child_process() -> None:
    """All is readable without being root."""
    argv = ["sh", "-c", "echo ready; sleep 60"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        process = procfs.process(child.pid)
        child.kill()

    assert process
    assert (child.pid, os.getpid()) == (process.pid, process.parent)
    assert process.vsz > process.rss > (process.pss or 0) > 0
    assert any(file.name.startswith("ld") for file in process.mapped or ())


def test_what_may_not_be_read_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sizes of another user's process are readable, except for its PSS."""
    hidden = ("maps", "smaps_rollup", "smaps")
    real = Path.read_bytes

    def read_bytes(file: Path) -> bytes:
        if file.name in hidden:
            raise PermissionError
        return real(file)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    process = read(write(tmp_path, 7))

    assert (None, None) == (process.pss, process.mapped)
    assert (2048, 1024) == (process.vsz, process.rss)
