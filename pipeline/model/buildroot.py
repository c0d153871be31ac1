"""The target systems: a dist and its machines, their processors, and the compilers for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal


@dataclass(frozen=True, slots=True)
class Support:
    """The day when the vendor's maintenance of a dist ends, and the URL that says so."""

    until: date
    source: str


@dataclass(frozen=True, slots=True)
class Rpm:
    """The rpm of a dist: version, supported ``rpmlib()`` features, macros that a build sets."""

    version: str
    features: tuple[str, ...]
    macros: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Flags:
    """Flags for the compiler and for the linker."""

    compile: tuple[str, ...] = ()
    link: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """What a dist requires on one architecture, in addition to what it requires on all.

    ``isa`` is a level of the instruction set of ``processor``, whose default is the processor with
    the name of the architecture. ``floor`` is the C library version to link against, where it is
    older than that of the dist.
    """

    isa: str
    processor: str = ""
    floor: str = ""
    libraries: tuple[str, ...] = ()
    flags: Flags = field(default_factory=Flags)
    hardening: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildRoot:
    """One dist: the newest C library symbols, libraries and rpm features that a package may use.

    ``installer`` is the command that installs packages. ``reload`` says how systemd reads new unit
    files: by file ``triggers`` of systemd's package, or by ``scriptlets`` of ours.
    """

    dist: str
    title: str
    glibc: str
    libraries: tuple[str, ...]
    hardening: tuple[str, ...]
    support: Support
    rpm: Rpm
    flags: Flags
    machine: Mapping[str, Machine]
    installer: str = "dnf"
    reload: Literal["triggers", "scriptlets"] = "triggers"


@dataclass(frozen=True, slots=True)
class Isa:
    """One level of an instruction set with all that it extends; names are those of capstone.

    ``groups`` are the feature groups of its processors. ``harmless`` are instructions of other
    groups that older processors execute too. Of the instructions without a group, ``foreign`` are
    those that these processors lack, and ``known`` are exceptions from them. ``model`` is the
    oldest processor of the level in qemu, ``marks`` are its flags in ``/proc/cpuinfo``.
    """

    groups: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    model: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """What one level of an instruction set adds to the level that it ``extends``; see ``Isa``."""

    groups: tuple[str, ...]
    model: str
    extends: str = ""
    harmless: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Emulator:
    """The emulator of a processor, and a root folder with the C library for it."""

    program: str
    root: str


@dataclass(frozen=True, slots=True)
class Processor:
    """A kind of processor, the same for all dists.

    ``page`` is the largest page size, in bytes, of the kernels of all dists. ``ungrouped`` has
    groups for instructions without a group in capstone: group to patterns of mnemonics.
    """

    name: str
    page: int
    emulator: Emulator
    ungrouped: Mapping[str, tuple[str, ...]]
    level: Mapping[str, Level]

    def isa(self, name: str) -> Isa:
        """A level with everything that it extends."""
        level = self.level[name]
        base = self.isa(level.extends) if level.extends else Isa()
        groups = (*base.groups, *level.groups)
        known: list[str] = []
        foreign: list[str] = []
        for group, mnemonics in self.ungrouped.items():
            (known if group in groups else foreign).extend(mnemonics)
        return Isa(
            groups=groups,
            harmless=(*base.harmless, *level.harmless),
            foreign=tuple(foreign),
            known=tuple(known),
            model=level.model,
            marks=(*base.marks, *level.marks),
        )


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler: ``target`` is its option for machine and C library, ``isa`` has flags per level.

    ``support`` are C files below ``buildroot/toolchains/<name>/`` to link into the library.
    """

    name: str
    flags: Flags
    isa: Mapping[str, tuple[str, ...]]
    target: str = ""
    support: tuple[str, ...] = ()
