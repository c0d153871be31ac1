"""The data of a build, as frozen dataclasses; here are those that other layers name."""

from pipeline.model.buildroot import BuildRoot, Compiler, Flags, Isa, Machine, Processor
from pipeline.model.facts import (
    Facts,
    FileEntry,
    Finding,
    Header,
    Image,
    Library,
    Trial,
    VersionedSymbol,
)
from pipeline.model.package import BUILD_IDS, LICENSES, Flavor, Limits, Package, Signing, holds
from pipeline.model.plan import PLAIN, Built, Plan
from pipeline.model.planned import PlannedDebuginfo, PlannedSubpackage
from pipeline.model.recipe import Accepted, FlavorChange, Patch, Recipe, Source
from pipeline.model.request import Options, Selection, UserSource
