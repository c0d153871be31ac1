"""What the kernel tells of a live process: who it is, its size, the files that its code is from."""

import pwd
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

# What the kernel adds to the name of a file that is in no folder any more.
_GONE = " (deleted)"
_AT_SECURE = 23  # linux/auxvec.h
_LOADER = re.compile(r"ld(-linux|64|-musl|-)[^/]*\.so")


@dataclass(frozen=True, slots=True)
class Mapped:
    """A file that a process has code mapped from; ``gone``: it was removed or replaced since."""

    path: str
    gone: bool
    place: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return Path(self.path).name


@dataclass(frozen=True, slots=True)
class Process:
    """A live process. Sizes are in KiB; what the kernel does not tell us is None.

    ``secure``: the loader was told to ignore the environment (AT_SECURE).
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
        """Whether it has a loader, and so can have something preloaded."""
        return any(_LOADER.match(file.name) for file in self.mapped or ())


def process(pid: int, proc: Path = PROC) -> Process | None:
    """A process by its id; None where there is no such process, or no more of it than its id."""
    folder = proc / str(pid)
    try:
        told = _status(folder / "status")
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    if "VmSize" not in told:  # a thread of the kernel's, or one that has ended
        return None
    return Process(
        pid=pid,
        parent=int(told["PPid"]),
        user=_user(int(told["Uid"].split()[0])),
        name=told["Name"],
        command=command.strip(),
        vsz=_kib(told["VmSize"]),
        rss=_kib(told.get("VmRSS", "0 kB")),
        pss=_pss(folder),
        mapped=_mapped(folder),
        secure=_secure(folder),
    )


def named(name: str, proc: Path = PROC) -> list[Process]:
    """The processes that go by a name, their masters first."""
    found = (process(pid, proc) for pid in _ids(proc) if _is_named(proc / str(pid), name))
    return family_order(each for each in found if each)


def family(pid: int, proc: Path = PROC) -> list[Process]:
    """A process and all that it has started, itself first; empty where there is none."""
    parents = {each: _parent(proc / str(each)) for each in _ids(proc)}
    wanted, more = {pid}, True
    while more:
        found = {each for each, parent in parents.items() if parent in wanted} - wanted
        wanted |= found
        more = bool(found)
    return family_order(each for each in (process(one, proc) for one in sorted(wanted)) if each)


def family_order(processes: Iterable[Process]) -> list[Process]:
    """Each master, and behind it what it has started."""
    known = {each.pid: each for each in processes}
    roots = [each for each in known.values() if each.parent not in known]

    def below(master: Process) -> list[Process]:
        own = (each for each in known.values() if each.parent == master.pid)
        return [master, *(member for child in own for member in below(child))]

    return [member for root in roots for member in below(root)]


def _ids(proc: Path) -> list[int]:
    return sorted(int(folder.name) for folder in proc.glob("[0-9]*"))


def _is_named(folder: Path, name: str) -> bool:
    """Whether the kernel's name of it, cut to 15 letters, is that of a program."""
    try:
        return (folder / "comm").read_text(errors="replace").rstrip("\n") == name[:15]
    except (FileNotFoundError, ProcessLookupError):
        return False


def _parent(folder: Path) -> int:
    try:
        return int(_status(folder / "status")["PPid"])
    except (FileNotFoundError, ProcessLookupError, KeyError):
        return 0


def _status(file: Path) -> dict[str, str]:
    lines = file.read_text(errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _kib(told: str) -> int:
    return int(told.split()[0])


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _pss(folder: Path) -> int | None:
    """The proportional size; kernels before 4.14, as that of EL7, tell it for each mapping only."""
    for name in ("smaps_rollup", "smaps"):
        try:
            lines = (folder / name).read_text(errors="replace").splitlines()
        except FileNotFoundError:
            continue
        except (PermissionError, ProcessLookupError):
            return None
        return sum(_kib(line.partition(":")[2]) for line in lines if line.startswith("Pss:"))
    return None


def _mapped(folder: Path) -> tuple[Mapped, ...] | None:
    try:
        lines = (folder / "maps").read_text(errors="replace").splitlines()
    except (PermissionError, ProcessLookupError, FileNotFoundError):
        return None
    found: dict[str, Mapped] = {}
    for line in lines:
        place, mode, _, _, _, *path = line.split(maxsplit=5)
        if "x" in mode and path and path[0].startswith("/"):
            bare = path[0].removesuffix(_GONE)
            found[path[0]] = Mapped(bare, bare != path[0], place)
    return tuple(found.values())


def _secure(folder: Path) -> bool | None:
    try:
        content = (folder / "auxv").read_bytes()
    except (PermissionError, ProcessLookupError, FileNotFoundError):
        return None
    pairs = dict(struct.iter_unpack("=LL" if len(content) % 16 else "=QQ", content))
    return bool(pairs.get(_AT_SECURE, 0))


def root_of(each: Process, proc: Path = PROC) -> Path:
    """The folder that a process sees as the root of all files."""
    return proc / str(each.pid) / "root"
