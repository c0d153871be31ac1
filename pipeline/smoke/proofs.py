"""Is a process running on the library? What it tells of itself, and what loader and kernel tell."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.model import Trial
from pipeline.smoke.preload import Subject

# What an allocator that overrides the C library's must be asked for.
ENTRY_POINTS = ("calloc", "free", "malloc", "posix_memalign", "realloc")

_BINDING = re.compile(r"binding file ([^\n]+?) \[\d+\] to ([^\n]+?) \[\d+\]: normal symbol `(\w+)'")
_CODE = re.compile(r"^\S+ r-xp .*?(/.*)$", re.MULTILINE)
_TALK = re.compile(
    r"^mimalloc: |^option '|^v\d|^\w+ (level|tracking) ?:|^subproc |^\s|^$|  "
    r"|cannot be preloaded|\[notice\]"
)
_LEVEL = re.compile(r"secure level: (\d+)")
_CONTROL = re.compile(r"transferring control: (\S+)")


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that must hold, what it should come to, and what it came to."""

    subject: str
    expected: str
    got: str

    @property
    def holds(self) -> bool:
        """Whether it came to what it should."""
        return self.expected == self.got

    def line(self) -> str:
        """The claim as the user sees it."""
        if self.holds:
            return f"{self.subject}: {self.got}"
        return f"{self.subject}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True)
class Account:
    """What a probe tells of its own process.

    ``inside`` of ``blocks`` are in mimalloc's heap; ``version`` is 0 where there is none;
    ``mapped`` are the files that its code comes from; ``result`` is what its work came to.
    """

    result: str
    inside: int
    blocks: int
    version: int
    mapped: frozenset[str]


def trial(name: str, claims: Iterable[Claim], evidence: str = "") -> Trial:
    """The verdict on one program: passed where every claim holds, else the claims that do not."""
    claims = list(claims)
    broken = [claim for claim in claims if not claim.holds]
    lines = [claim.line() for claim in broken or claims]
    return Trial(name, not broken, "\n".join([*lines, *evidence.splitlines()] if broken else lines))


def account(output: str) -> Account:
    """Read what a probe has printed; what it has not come to say is 0 or empty."""
    lines = [line.partition(" ")[::2] for line in output.splitlines()]
    values = dict(lines)
    inside, _, blocks = values.get("blocks", "0 of 0").partition(" of ")
    return Account(
        values.get("result", ""),
        int(inside),
        int(blocks),
        int(values.get("mi_version", "0")),
        frozenset(value for name, value in lines if name == "maps"),
    )


def mapped(maps: str) -> frozenset[str]:
    """The files that a process has code mapped from, out of ``/proc/PID/maps``."""
    return frozenset(_CODE.findall(maps))


def program(trace: str) -> str:
    """The name of the program that the loader has started."""
    found = _CONTROL.search(trace)
    return Path(found[1]).name if found else "?"


def bindings(trace: str) -> dict[str, set[tuple[str, str]]]:
    """Who asked the loader for an entry point of an allocator, and whose it got: name to pairs."""
    found: dict[str, set[tuple[str, str]]] = {}
    for asker, target, name in _BINDING.findall(trace):
        if name in ENTRY_POINTS:
            found.setdefault(name, set()).add((asker, target))
    return found


def bound(who: str, trace: str, subject: Subject, names: Iterable[str] = ENTRY_POINTS) -> Claim:
    """The loader binds each of ``names`` to the library, and no entry point to anything else.

    A program at a fixed address that takes the address of ``malloc`` is what its libraries are
    bound to, and through it they reach what its own calls are bound to.
    """
    own, found = str(subject.library), bindings(trace)
    ours = {name for name in names if any(target == own for _, target in found.get(name, ()))}
    foreign: dict[str, list[str]] = {}
    for name, pairs in sorted(found.items()):
        for target in sorted({target for _, target in pairs}):
            if target != own and (target, own) not in pairs:
                foreign.setdefault(target, []).append(name)
    elsewhere = [f"{' '.join(some)} in {target}" for target, some in foreign.items()]
    got = ", ".join(elsewhere) or " ".join(sorted(ours)) or "none"
    return Claim(f"{who} is bound to the library", " ".join(sorted(names)), got)


def inside(told: Account, subject: Subject) -> list[Claim]:
    """From inside the process: blocks are in mimalloc's heap, and it is the right release."""
    blocks = max(told.blocks, 1)
    return [
        Claim(
            "blocks in mimalloc's heap", f"{blocks} of {blocks}", f"{told.inside} of {told.blocks}"
        ),
        Claim("mi_version()", str(subject.version), str(told.version)),
    ]


def maps(crew: Mapping[str, frozenset[str]], subject: Subject) -> Claim:
    """Every process, by its name, has the library's code mapped, and no other file of its name."""
    own = str(subject.file)
    told = {
        who: ", ".join(sorted(file for file in files if Path(file).name.startswith("libmimalloc")))
        for who, files in crew.items()
    }
    odd = [f"{who} {files or 'no libmimalloc'}" for who, files in told.items() if files != own]
    return Claim(f"mapped by {', '.join(crew)}", own, "; ".join(odd) or own)


def maps_of(process_id: int) -> frozenset[str]:
    """The files that a live process has code mapped from; none where it lives no more."""
    try:
        return mapped(Path(f"/proc/{process_id}/maps").read_text(errors="replace"))
    except (FileNotFoundError, ProcessLookupError):
        return frozenset()


def children(process_id: int) -> frozenset[int]:
    """The live processes that a process has started, as the kernel tells it."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == process_id and state not in "ZX":
            found.add(int(stat.parent.name))
    return frozenset(found)


def begun(complaint: str, processes: int) -> Claim:
    """Mimalloc says that it begins in each process that was started, and not in forked ones."""
    return Claim(
        "mimalloc says: process init", *_times(processes, complaint.count("process init: "))
    )


def secured(complaint: str, subject: Subject) -> Claim:
    """Mimalloc says how far its mitigations go."""
    told = ", ".join(sorted(set(_LEVEL.findall(complaint)))) or "nothing"
    return Claim("mimalloc says: secure level", str(subject.level), told)


def ended(complaint: str, processes: int) -> Claim:
    """Mimalloc says that it is done in each process that ends by itself, in forked ones too."""
    return Claim(
        "mimalloc says: process done", *_times(processes, complaint.count("process done: "))
    )


def _times(*counts: int) -> tuple[str, ...]:
    return tuple(f"{count} times" if count != 1 else "once" for count in counts)


def accepted(complaint: str) -> Claim:
    """The loader has not set the library aside; it only prints so, and the program runs without."""
    lines = {line.strip() for line in complaint.splitlines() if "cannot be preloaded" in line}
    return Claim("the loader's complaints", "none", "; ".join(sorted(lines)) or "none")


def tail(complaint: str, count: int) -> str:
    """The last distinct lines of an error output, without what claims and servers tell anyway.

    Left out are mimalloc's options and statistics, the loader's complaint, a log's notices.
    """
    lines = [line for line in complaint.splitlines() if not _TALK.search(line)]
    return "\n".join(list(dict.fromkeys(lines))[-count:])
