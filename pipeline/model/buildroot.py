"""Where it must run: a dist and its machines, their processors, and the compilers for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal


@dataclass(frozen=True, slots=True)
class Support:
    """Until when a dist's vendor maintains it, and who says so."""

    until: date
    source: str


@dataclass(frozen=True, slots=True)
class Rpm:
    """The rpm of a dist: its version, the ``rpmlib()`` features it knows, what we set for it."""

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
    """What a dist demands on one architecture of its rpm.

    ``isa`` is a level of the instruction set of ``processor`` (by default the one that is called
    like the architecture). ``floor`` is the C library that is linked against, where an older one
    than the dist's own gives the same. The rest adds to what the dist demands everywhere.
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

    ``installer`` is the command that its administrators install packages with, ``reload`` who has
    systemd read its files anew where a package brings one: ``triggers`` of systemd's own package,
    or ``scriptlets`` of ours.
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
    """One level of an instruction set, in the words of the disassembler (capstone).

    ``groups`` are the feature groups that its processors have. ``harmless`` are instructions of
    other groups that older processors run all the same. Of those that the disassembler puts in
    no group, ``foreign`` are what these processors lack, but for what is ``known``. ``model`` is
    the oldest processor of the level that the emulator knows, ``marks`` are what the kernel of a
    machine that has the level says of it in ``/proc/cpuinfo``.
    """

    groups: tuple[str, ...]
    harmless: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    model: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """One level as it is written down: what it adds to the level that it ``extends``."""

    groups: tuple[str, ...]
    model: str
    extends: str = ""
    harmless: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Emulator:
    """What runs a processor's programs on a host of another kind, and a root with its loader."""

    program: str
    root: str


@dataclass(frozen=True, slots=True)
class Processor:
    """What all dists share about a kind of processor.

    ``page`` is the largest page, in bytes, that a kernel of a dist may use. ``ungrouped`` sorts the
    instructions that the disassembler puts in no group: our name of a group to patterns.
    """

    name: str
    page: int
    emulator: Emulator
    ungrouped: Mapping[str, tuple[str, ...]]
    level: Mapping[str, Level]

    def isa(self, name: str) -> Isa:
        """A level with all that it extends."""
        chain = [self.level[name]]
        while chain[-1].extends:
            chain.append(self.level[chain[-1].extends])
        groups = tuple(group for level in reversed(chain) for group in level.groups)
        known, foreign = (
            tuple(
                name
                for group, names in self.ungrouped.items()
                if (group in groups) is ours
                for name in names
            )
            for ours in (True, False)
        )
        return Isa(
            groups=groups,
            harmless=tuple(name for level in reversed(chain) for name in level.harmless),
            foreign=foreign,
            known=known,
            model=chain[0].model,
            marks=tuple(mark for level in reversed(chain) for mark in level.marks),
        )


@dataclass(frozen=True, slots=True)
class Compiler:
    """A kind of compiler: ``target`` names machine and C library, ``isa`` has flags per level.

    ``support`` are C files below ``buildroot/toolchains/<name>/`` that the library is linked with.
    """

    name: str
    flags: Flags
    isa: Mapping[str, tuple[str, ...]]
    target: str = ""
    support: tuple[str, ...] = ()
