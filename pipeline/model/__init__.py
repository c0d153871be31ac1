"""The data of a build, as frozen dataclasses: what steps take, what a package holds."""

from pipeline.model.buildroot import (
    BuildRoot,
    Compiler,
    Emulator,
    Flags,
    Isa,
    Level,
    Machine,
    Processor,
    Rpm,
    Support,
)
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
from pipeline.model.plan import PLAIN, Built, Options, Plan, PlannedSubpackage, UserSource
from pipeline.model.recipe import (
    Change,
    Default,
    Flavor,
    Folders,
    Limits,
    Modes,
    Package,
    Patch,
    Provenance,
    Recipe,
    Signing,
    Source,
    Subpackage,
    Upstream,
    holds,
)
