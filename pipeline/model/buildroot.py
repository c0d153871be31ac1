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
    files: by file ``triggers`` of systemd's package, or by ``scriptlets`` of ours. ``succeeds`` is
    the dist that it is compatible with: what that allows, this allows too.
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
    succeeds: str = ""


@dataclass(frozen=True, slots=True)
class Isa:
    """One level of an instruction set, with all that older levels have.

    ``groups`` are the feature groups of its processors, in the words of capstone. ``harmless`` are
    instructions of other groups that they execute too. ``model`` is the oldest processor of the
    level in qemu, ``marks`` are its flags in ``/proc/cpuinfo``.
    """

    groups: tuple[str, ...]
    model: str
    harmless: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Processor:
    """A kind of processor, the same for all dists.

    ``page`` is the largest page size, in bytes, of the kernels of all dists. ``emulator`` is the
    program that emulates it, ``sysroot`` a root folder with the C library for it. ``ungrouped`` has
    groups for instructions without a group in capstone: group to patterns of mnemonics.
    """

    name: str
    page: int
    emulator: str
    sysroot: str
    ungrouped: Mapping[str, tuple[str, ...]]
    level: Mapping[str, Isa]


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler: ``target`` is its option for machine and C library, ``isa`` has flags per level.

    ``options`` are given whenever it is started, also where probes and tests are compiled.
    ``support`` are C files below ``buildroot/toolchains/<name>/`` to link into the library.
    ``debug`` maps flags to those in their place where debug information is wanted. ``profile`` are
    the flags that make use of a release's profile, ``{file}``; empty where it cannot read one.
    """

    name: str
    flags: Flags
    isa: Mapping[str, tuple[str, ...]]
    target: str = ""
    options: tuple[str, ...] = ()
    support: tuple[str, ...] = ()
    profile: tuple[str, ...] = ()
    debug: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
