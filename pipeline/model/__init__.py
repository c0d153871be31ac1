"""The data of a build, as frozen dataclasses: recipe, build root, plan, facts of a package."""

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
    Facts,
    FileEntry,
    Finding,
    Header,
    Library,
    Trial,
    VersionedSymbol,
)
from pipeline.model.plan import PLAIN, Built, Options, Plan, PlannedSubpackage, UserSource
from pipeline.model.recipe import (
    Change,
    Default,
    Flavor,
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
