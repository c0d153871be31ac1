"""Does it run on mimalloc, now? Master and workers as a listing, and a verdict."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import load
from pipeline.config.allocators import ALLOCATORS
from pipeline.inspect.mi_version import mi_version
from pipeline.model.errors import RequestError, StatusError
from pipeline.system import procfs
from pipeline.system.procfs import Mapped, Process
from pipeline.system.report import Report

_LIBRARY = "libmimalloc"
_HEAD = f"{'USER':<10} {'PID':>7} {'VSZ':>9} {'RSS':>8} {'PSS':>8} {'MIMALLOC':<9} COMMAND"


@dataclass(frozen=True, slots=True)
class State:
    """What a process runs on: the library that it has mapped, its release, and what is not right.

    ``fault`` is empty where it runs on the library that is on disk.
    """

    process: Process
    library: Mapped | None
    release: str
    fault: str


def run(root: Path, process_id: str, name: str) -> None:
    """Print the listing. Raises StatusError where not all run on the library that is on disk."""
    report, pid = Report(), parsed(process_id)
    found = procfs.family(pid) if pid else procfs.named(name)
    who = f"pid {pid}" if pid else name
    if not found:
        hint = "is it running? ps -e" if pid else "invoke status --name NAME, or --pid N"
        raise StatusError(f"there is no {who}", hint=hint)
    known = (load.recipe(root, version) for version in load.versions(root))
    names = {each.mi_version: each.version for each in known}
    states = [state(each, names) for each in found]
    for line in listing(states):
        report.line(line)
    judge(who, states)
    libraries = {each.library.path: each.release for each in states if each.library}
    for path, release in libraries.items():
        report.line(f"in use by all {len(states)}: {path}, mimalloc {release}")


def parsed(pid: str) -> int:
    """A process id as the user gives it; 0 where it is left out."""
    if pid and not (pid.isdecimal() and int(pid) > 0):
        raise RequestError("--pid", expected="the id of a process", got=pid)
    return int(pid or 0)


def state(process: Process, names: Mapping[int, str]) -> State:
    """What one process runs on; ``names`` are releases by what their mi_version() gives."""
    if process.mapped is None:
        return State(process, None, "?", "what it has mapped cannot be seen: ask as root")
    library = next((file for file in process.mapped if file.name.startswith(_LIBRARY)), None)
    if library is None:
        return State(process, None, "-", "not on mimalloc" + _why(process))
    file = procfs.root_of(process) / library.path.lstrip("/")
    if not library.gone:
        return State(process, library, _release(file, names), "")
    # The kernel keeps a file that is in use; only root may open it.
    kept = procfs.PROC / str(process.pid) / "map_files" / library.place
    what = "replaced" if file.exists() else "removed"
    fault = f"{library.path} was {what} on disk since it started: restart it"
    return State(process, library, _release(kept, names), fault)


def _release(file: Path, names: Mapping[int, str]) -> str:
    number = mi_version(file)
    return names.get(number, str(number)) if number else "?"


def _why(process: Process) -> str:
    """Why the loader has preloaded nothing, as far as one can see."""
    if process.secure:
        return ": it was started with AT_SECURE, so the loader ignored LD_PRELOAD"
    if not process.loads:
        return ": it is statically linked, and has no loader"
    others = [file.name for file in process.mapped or () if ALLOCATORS.match(file.name)]
    return f", but on {', '.join(others)}" if others else ""


def listing(states: Sequence[State]) -> Iterator[str]:
    """A line for each process, in the manner of ps; sizes in KiB, a question mark for unseen."""
    yield _HEAD
    known = {each.process.pid for each in states}
    for each in states:
        process = each.process
        branch = r" \_ " if process.parent in known else ""
        pss = "?" if process.pss is None else process.pss
        yield (
            f"{process.user:<10} {process.pid:>7} {process.vsz:>9} {process.rss:>8} {pss:>8} "
            f"{each.release:<9} {branch}{process.command}"
        )
    unseen = [str(each.process.pid) for each in states if each.process.pss is None]
    if unseen:
        yield f"not seen: PSS of {', '.join(unseen)}; root sees all"


def judge(who: str, states: Sequence[State]) -> None:
    """Raise StatusError with what is not right of each process, where anything is not."""
    faults = [each for each in states if each.fault]
    if faults:
        raise StatusError(
            f"{len(faults)} of {len(states)} processes of {who} are not on the library on disk",
            detail="\n".join(f"{each.process.pid}: {each.fault}" for each in faults),
            hint="invoke dropin; docs/nginx.md tells what can keep the loader from preloading",
        )
