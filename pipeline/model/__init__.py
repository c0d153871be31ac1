"""The words of the trade, as frozen dataclasses: what steps take, facts hold, checks say."""

from pipeline.model.buildroot import BuildRoot, Compiler, Flags, Isa, Machine, Rpm, Support
from pipeline.model.facts import (
    Entry,
    Facts,
    FileEntry,
    Finding,
    Header,
    Library,
    Scriptlet,
    Trial,
    VersionedSymbol,
)
from pipeline.model.plan import Built, Handed, Plan
from pipeline.model.recipe import (
    Change,
    Default,
    Folders,
    Limits,
    Modes,
    Package,
    Patch,
    Recipe,
    Source,
)

__all__ = [
    "BuildRoot",
    "Built",
    "Change",
    "Compiler",
    "Default",
    "Entry",
    "Facts",
    "FileEntry",
    "Finding",
    "Flags",
    "Folders",
    "Handed",
    "Header",
    "Isa",
    "Library",
    "Limits",
    "Machine",
    "Modes",
    "Package",
    "Patch",
    "Plan",
    "Recipe",
    "Rpm",
    "Scriptlet",
    "Source",
    "Support",
    "Trial",
    "VersionedSymbol",
]
