"""What the kernel reports about a live process: its size, and the files of its code."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

# What the kernel appends to the name of a file that was removed.
_DELETED = " (deleted)"


@dataclass(frozen=True, slots=True)
class Mapped:
    """A file that a process has code mapped from; ``gone``: it was removed or replaced since."""

    path: str
    gone: bool

    @property
    def name(self) -> str:
        """The file name."""
        return Path(self.path).name


@dataclass(frozen=True, slots=True)
class Process:
    """A live process. Sizes are in KiB; what the user may not see is None."""

    pid: int
    parent: int
    name: str
    command: str
    vsz: int
    rss: int
    pss: int | None
    mapped: tuple[Mapped, ...] | None


def process(pid: int, proc: Path = PROC) -> Process | None:
    """A process by its id; None if it does not exist, is a zombie or a thread of the kernel."""
    folder = proc / str(pid)
    status = _status(folder)
    if "VmSize" not in status:
        return None
    command = (_content(folder / "cmdline") or b"").replace(b"\0", b" ")
    return Process(
        pid=pid,
        parent=int(status["PPid"]),
        name=status["Name"],
        command=command.decode(errors="replace").strip(),
        vsz=int(status["VmSize"].split()[0]),
        rss=int(status.get("VmRSS", "0 kB").split()[0]),
        pss=_pss(folder),
        mapped=_mapped(folder),
    )


def family(pid: int, proc: Path = PROC) -> list[Process]:
    """A process and all its descendants, itself first; empty if it does not exist."""
    pids, statuses = [pid], list(_statuses(proc))
    for parent in pids:
        pids += [child for child, status in statuses if status.get("PPid") == str(parent)]
    return _family_order(pids, proc)


@dataclass(frozen=True, slots=True)
class Effort:
    """What processes have taken: seconds of processor time, user and system; page faults."""

    cpu: float
    faults: int

    def __sub__(self, before: "Effort") -> "Effort":
        """What they have taken since then."""
        return Effort(self.cpu - before.cpu, self.faults - before.faults)


def effort(pid: int, proc: Path = PROC) -> Effort:
    """What a process has taken, its children, and all that it has waited for.

    The kernel reports hundredths of a second.
    """
    ticks = faults = 0
    for file in proc.glob("[0-9]*/stat"):
        # After the name, which may hold anything, from 3 on in proc(5): state, parent, ...
        fields = (_content(file) or b"").rpartition(b")")[2].split()
        if file.parent.name == str(pid):
            faults += sum(map(int, fields[7:9]))
            ticks += sum(map(int, fields[11:15]))
        elif fields and int(fields[1]) == pid:
            faults += int(fields[7])
            ticks += sum(map(int, fields[11:13]))
    return Effort(ticks / os.sysconf("SC_CLK_TCK"), faults)


def _family_order(pids: Iterable[int], proc: Path) -> list[Process]:
    members = {member.pid: member for pid in pids if (member := process(pid, proc))}

    def ancestry(member: Process) -> list[int]:
        parent = members.get(member.parent)
        return [*(ancestry(parent) if parent else ()), member.pid]

    return sorted(members.values(), key=ancestry)


def _statuses(proc: Path) -> Iterator[tuple[int, dict[str, str]]]:
    return ((int(folder.name), _status(folder)) for folder in proc.glob("[0-9]*"))


def _content(file: Path) -> bytes | None:
    """What a file says; None if the process has ended, or if the user may not read it."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def _status(folder: Path) -> dict[str, str]:
    lines = (_content(folder / "status") or b"").decode(errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _pss(folder: Path) -> int | None:
    """The proportional size; kernels before 4.14, as EL7's, report it for each mapping only."""
    file = folder / "smaps_rollup"
    content = _content(file if file.exists() else folder / "smaps")
    if content is None:
        return None
    return sum(int(line.split()[1]) for line in content.splitlines() if line.startswith(b"Pss:"))


def _mapped(folder: Path) -> tuple[Mapped, ...] | None:
    content = _content(folder / "maps")
    if content is None:
        return None
    files: dict[str, Mapped] = {}
    for line in content.decode(errors="replace").splitlines():
        _, mode, _, _, _, *path = line.split(maxsplit=5)
        if "x" in mode and path and path[0].startswith("/"):
            name = path[0].removesuffix(_DELETED)
            files[path[0]] = Mapped(name, name != path[0])
    return tuple(files.values())
