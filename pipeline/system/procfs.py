"""What the kernel reports about a live process: its owner, its size, the files of its code."""

import pwd
import re
import struct
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

# What the kernel appends to the name of a file that was removed.
_DELETED = " (deleted)"
_AT_SECURE = 23  # linux/auxvec.h
_LOADER = re.compile(r"ld(-linux|64|-musl|-)[^/]*\.so")


@dataclass(frozen=True, slots=True)
class Mapped:
    """A file that a process has code mapped from, at the addresses ``place``.

    ``gone`` says that it was removed or replaced since.
    """

    path: str
    gone: bool
    place: str

    @property
    def name(self) -> str:
        """The file name."""
        return Path(self.path).name


@dataclass(frozen=True, slots=True)
class Process:
    """A live process. Sizes are in KiB; what the user may not see is None.

    ``secure`` says that the loader ignores LD_PRELOAD (AT_SECURE).
    """

    pid: int
    parent: int
    user: str
    name: str
    command: str
    vsz: int
    rss: int
    pss: int | None
    mapped: tuple[Mapped, ...] | None
    secure: bool | None

    @property
    def loads(self) -> bool:
        """Whether it has a loader, which preloads libraries."""
        return any(_LOADER.match(file.name) for file in self.mapped or ())


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
        user=_user(int(status["Uid"].split()[0])),
        name=status["Name"],
        command=command.decode(errors="replace").strip(),
        vsz=_kib(status["VmSize"]),
        rss=_kib(status.get("VmRSS", "0 kB")),
        pss=_pss(folder),
        mapped=_mapped(folder),
        secure=_secure(folder),
    )


def named(name: str, proc: Path = PROC) -> list[Process]:
    """The processes of a program, in the order of ``family_order``."""
    # The kernel cuts the name to 15 characters.
    pids = (pid for pid in _pids(proc) if _status(proc / str(pid)).get("Name") == name[:15])
    return family_order(filter(None, (process(pid, proc) for pid in pids)))


def family(pid: int, proc: Path = PROC) -> list[Process]:
    """A process and all its descendants, itself first; empty if it does not exist."""
    children = defaultdict[str | None, list[int]](list)
    for child in _pids(proc):
        children[_status(proc / str(child)).get("PPid")].append(child)
    pids = [pid]
    for parent in pids:
        pids += children[str(parent)]
    return family_order(filter(None, (process(member, proc) for member in pids)))


def family_order(processes: Iterable[Process]) -> list[Process]:
    """Each process followed by its descendants."""
    members = {member.pid: member for member in processes}

    def below(master: Process) -> list[Process]:
        children = (member for member in members.values() if member.parent == master.pid)
        return [master, *(member for child in children for member in below(child))]

    roots = [member for member in members.values() if member.parent not in members]
    return [member for root in roots for member in below(root)]


def root_of(process: Process, proc: Path = PROC) -> Path:
    """The root folder that a process sees."""
    return proc / str(process.pid) / "root"


def _pids(proc: Path) -> list[int]:
    return sorted(int(folder.name) for folder in proc.glob("[0-9]*"))


def _content(file: Path) -> bytes | None:
    """What a file says; None if the process has ended, or if the user may not read it."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def _status(folder: Path) -> dict[str, str]:
    lines = (_content(folder / "status") or b"").decode(errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _kib(value: str) -> int:
    return int(value.split()[0])


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


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
        place, mode, _, _, _, *path = line.split(maxsplit=5)
        if "x" in mode and path and path[0].startswith("/"):
            name = path[0].removesuffix(_DELETED)
            files[path[0]] = Mapped(name, name != path[0], place)
    return tuple(files.values())


def _secure(folder: Path) -> bool | None:
    content = _content(folder / "auxv")
    if content is None:
        return None
    pairs = dict(struct.iter_unpack("=LL" if len(content) % 16 else "=QQ", content))
    return bool(pairs.get(_AT_SECURE, 0))
