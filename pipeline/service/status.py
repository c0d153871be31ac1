"""Whether processes run on mimalloc now: master and workers as a listing, and a verdict."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import load
from pipeline.config.allocators import ALLOCATORS
from pipeline.inspect.mi_version import mi_version
from pipeline.model.errors import StatusError
from pipeline.system import procfs
from pipeline.system.procfs import Mapped, Process
from pipeline.system.report import Report

# The loader, which preloads libraries.
_LOADER = re.compile(r"ld(-linux|64|-musl|-)[^/]*\.so")
_ROW = "{:<10} {:>7} {:>9} {:>8} {:>8} {:<9} {}"


@dataclass(frozen=True, slots=True)
class State:
    """The library that a process has mapped, its release, and what is wrong.

    ``fault`` is empty where the process runs on the library that is on disk.
    """

    process: Process
    library: Mapped | None
    release: str
    fault: str


def run(root: Path, pid: int, name: str) -> None:
    """Print the listing of the process ``pid`` and its children, or of those with ``name``.

    Raises StatusError where not all run on the library that is on disk.
    """
    report = Report()
    processes = procfs.family(pid) if pid else procfs.named(name)
    if not processes:
        what = f"there is no process {pid or name}"
        raise StatusError(what, hint="ps -e, then invoke status --name NAME, or --pid N")
    recipes = (load.recipe(root, version) for version in load.versions(root))
    releases = {recipe.mi_version: recipe.version for recipe in recipes}
    states = [state(process, releases) for process in processes]
    for line in listing(states):
        report.line(line)
    faults = [f"{state.process.pid}: {state.fault}" for state in states if state.fault]
    if faults:
        raise StatusError(
            f"{len(faults)} of {len(states)} processes are not on the library on disk",
            detail="\n".join(map(printable, faults)),
            hint="invoke dropin; docs/administrator.md lists what can prevent the preload",
        )
    for path, release in dict.fromkeys((s.library.path, s.release) for s in states if s.library):
        report.line(printable(f"in use by all {len(states)}: {path}, mimalloc {release}"))


def printable(text: str) -> str:
    """A text of a process in one line: as in ps, a ``?`` for each character that is not shown."""
    return "".join(character if character.isprintable() else "?" for character in text)


def state(process: Process, releases: Mapping[int, str]) -> State:
    """What a process runs on; ``releases`` are by the number that their mi_version() returns."""
    if process.mapped is None:
        return State(process, None, "?", "its mapped files cannot be read: run this as root")
    library = next((file for file in process.mapped if file.name.startswith("libmimalloc")), None)
    if library is None:
        return State(process, None, "-", f"not on mimalloc{_reason(process)}")
    folder = procfs.PROC / str(process.pid)
    file = folder / "root" / library.path.lstrip("/")
    fault = ""
    if library.gone:
        what = "replaced" if file.exists() else "removed"
        fault = f"{library.path} was {what} on disk since it started: restart it"
        # The kernel keeps a file that is in use; only root may open it.
        file = folder / "map_files" / library.place
    number = mi_version(file)
    return State(process, library, releases.get(number, str(number or "?")), fault)


def _reason(process: Process) -> str:
    """Why nothing was preloaded, where that can be seen."""
    if process.secure:
        return ": it was started with AT_SECURE, so the loader ignored LD_PRELOAD"
    if not any(_LOADER.match(file.name) for file in process.mapped or ()):
        return ": it is statically linked, and has no loader"
    others = [file.name for file in process.mapped or () if ALLOCATORS.match(file.name)]
    return f", but on {', '.join(others)}" if others else ""


def listing(states: Sequence[State]) -> Iterator[str]:
    """A line for each process, like ps; sizes in KiB, a question mark for what cannot be read."""
    yield _ROW.format("USER", "PID", "VSZ", "RSS", "PSS", "MIMALLOC", "COMMAND")
    pids = {state.process.pid for state in states}
    for state in states:
        process = state.process
        pss = "?" if process.pss is None else process.pss
        command = (r" \_ " if process.parent in pids else "") + printable(process.command)
        numbers = (process.pid, process.vsz, process.rss, pss)
        yield _ROW.format(process.user, *numbers, state.release, command)
    unread = [str(state.process.pid) for state in states if state.process.pss is None]
    if unread:
        yield f"not readable: PSS of {', '.join(unread)}; root can read all"
