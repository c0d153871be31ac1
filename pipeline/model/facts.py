"""What is there, and what is wrong with it: a package's facts, and findings about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One path of an RPM as its header tells it; ``mode`` is the whole ``st_mode``."""

    path: str
    mode: int
    user: str
    group: str
    mtime: int
    size: int
    link: str = ""


@dataclass(frozen=True, slots=True)
class Scriptlet:
    """A program that rpm runs at an event, and what it is given to run."""

    program: str
    body: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an RPM's changelog: its day, its author line, its notes."""

    day: date
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Header:
    """An RPM's header.

    ``tags`` holds every tag that has text or numbers, under rpm's own name; a tag of many values
    has one a line. Dependencies are ``name [op version]``, as rpm prints them. ``scriptlets`` go by
    their names in a spec (``pre``, ``postun``, ``triggers``). Files are in the header's order, and
    changelog entries from the newest down.
    """

    tags: Mapping[str, str]
    provides: tuple[str, ...]
    requires: tuple[str, ...]
    scriptlets: Mapping[str, Scriptlet]
    changelog: tuple[Entry, ...]
    files: tuple[FileEntry, ...]


@dataclass(frozen=True, slots=True)
class VersionedSymbol:
    """A symbol that a library needs, from which file and at which version.

    ``version`` and ``file`` are empty where the linker knew neither; ``name`` is empty where the
    library demands a version without a symbol.
    """

    name: str
    version: str
    file: str


@dataclass(frozen=True, slots=True)
class Library:
    """A shared library, read from its ELF file.

    ``hardening`` are the traits found, in the build roots' words. ``tls`` is the size of its
    thread-local storage in bytes; ``static_tls`` is true where every access is initial-exec.
    ``load_alignment`` is the least alignment of its segments in bytes: no kernel with larger pages
    can load it. ``leftovers`` are sections that a stripped library does not have.
    ``instructions`` is feature group to instruction to count; instructions of no group are under
    ``""``, and bytes that the disassembler cannot read under ``undecoded``.
    """

    machine: str
    soname: str
    needed: tuple[str, ...]
    rpath: str
    build_id: str
    symbols: tuple[VersionedSymbol, ...]
    exports: frozenset[str]
    hardening: frozenset[str]
    tls: int
    static_tls: bool
    load_alignment: int
    leftovers: tuple[str, ...]
    instructions: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Trial:
    """One program run on the package's files: its last lines, and whether all was right."""

    name: str
    passed: bool
    output: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is in one RPM.

    ``traces`` are words of the build host found in it: (place, word). ``texts`` are the contents
    of the small files that checks read, by path. Whoever runs programs on the package adds their
    ``trials``, and in ``required`` the names of those that must be among them.
    """

    file_name: str
    listing: tuple[str, ...]
    header: Header
    library: Library | None
    traces: tuple[tuple[str, str], ...]
    texts: Mapping[str, str]
    trials: tuple[Trial, ...] = ()
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a package: which check says so, about what, and the evidence."""

    check: str
    subject: str
    expected: str
    got: str

    def lines(self) -> list[str]:
        """The finding as the user sees it."""
        if "\n" in self.got:
            told = f"{self.check}: {self.subject}: expected {self.expected}, got:"
            return [told, *(f"  {line}" for line in self.got.splitlines())]
        return [f"{self.check}: {self.subject}: expected {self.expected}, got {self.got}"]
