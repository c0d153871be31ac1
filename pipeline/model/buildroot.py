"""Where it must run: a dist, its machines and their instruction sets, and the compilers for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


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
    """What a dist demands on one architecture: the instruction set, more flags, more hardening."""

    isa: str
    flags: Flags = field(default_factory=Flags)
    hardening: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildRoot:
    """One dist: the newest C library symbols, libraries and rpm features that a package may use."""

    dist: str
    title: str
    glibc: str
    libraries: tuple[str, ...]
    hardening: tuple[str, ...]
    support: Support
    rpm: Rpm
    flags: Flags
    machine: Mapping[str, Machine]


@dataclass(frozen=True, slots=True)
class Isa:
    """One level of an instruction set, in the words of the disassembler (capstone).

    ``groups`` are the feature groups that its processors have. ``harmless`` are instructions of
    other groups that older processors run all the same; ``foreign`` are instructions that the
    disassembler puts in no group, and that these processors lack.
    """

    groups: tuple[str, ...]
    harmless: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


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
