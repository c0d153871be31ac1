"""The plan of one package, and the package that was built from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.version import Version

from pipeline.model.buildroot import BuildRoot, Compiler, Isa, Machine, Processor
from pipeline.model.package import Flavor, Package, Subpackage
from pipeline.model.planned import NOARCH, PlannedDebuginfo, PlannedSubpackage
from pipeline.model.recipe import Recipe
from pipeline.model.request import UserSource

PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that determines the content of one package.

    ``arch`` is rpm's name of the architecture, ``variant`` the name of ``flavor``.
    """

    package: Package
    recipe: Recipe
    root: BuildRoot
    arch: str
    processor: Processor
    compiler: Compiler
    flavor: Flavor
    variant: str = PLAIN
    user_source: UserSource | None = None

    @property
    def machine(self) -> Machine:
        """What the build root requires on this architecture."""
        return self.root.machine[self.arch]

    @property
    def isa(self) -> Isa:
        """The level of the processor that the package requires."""
        return self.processor.level[self.machine.isa]

    @property
    def name(self) -> str:
        """The name of the package."""
        return f"{self.package.name}{self.flavor.suffix}"

    @property
    def release(self) -> str:
        """Release with its dist tag, such as ``1.el7``."""
        return f"{self.recipe.release}.{self.root.dist}"

    @property
    def nevra(self) -> str:
        """Name, version, release and architecture; there is no epoch."""
        return f"{self.name}-{self.recipe.version}-{self.release}.{self.arch}"

    @property
    def file_name(self) -> str:
        """The name of the package's file."""
        return f"{self.nevra}.rpm"

    @property
    def subpackages(self) -> tuple[PlannedSubpackage, ...]:
        """The sub-packages of the flavor."""
        return tuple(map(self._planned, self.flavor.subpackage))

    def _planned(self, subpackage: Subpackage) -> PlannedSubpackage:
        name = f"{self.name}{subpackage.suffix}"
        return PlannedSubpackage(
            name=name,
            file_name=f"{name}-{self.recipe.version}-{self.release}.{NOARCH}.rpm",
            summary=self._filled(subpackage.summary),
            description=self._filled(subpackage.description),
            file=subpackage.file,
            folders=subpackage.folders,
            unit=subpackage.unit,
            environment=subpackage.environment(self.recipe.version),
        )

    @property
    def debuginfo(self) -> PlannedDebuginfo:
        """The package with the debug information of the library."""
        debuginfo = self.package.debuginfo
        name = f"{self.name}{debuginfo.suffix}"
        return PlannedDebuginfo(
            name=name,
            file_name=f"{name}-{self.recipe.version}-{self.release}.{self.arch}.rpm",
            summary=self._filled(debuginfo.summary),
            description=self._filled(debuginfo.description),
            folder=PurePosixPath(debuginfo.folder),
            sources=PurePosixPath(debuginfo.sources) / self.nevra,
        )

    @property
    def file_names(self) -> tuple[str, ...]:
        """The names of the files of the package and its sub-packages."""
        return (self.file_name, *(subpackage.file_name for subpackage in self.subpackages))

    @property
    def all_file_names(self) -> tuple[str, ...]:
        """The names of all files that the plan makes: those, debug information, and the source."""
        return (*self.file_names, self.debuginfo.file_name, self.source_name)

    @property
    def summary(self) -> str:
        """The summary of the package."""
        return self._filled(self.package.summary)

    @property
    def description(self) -> str:
        """The description of the package."""
        return self._filled(self.flavor.description or self.package.description)

    @property
    def platform(self) -> str:
        """The value of the package's platform tag."""
        return self.package.platform.format(arch=self.arch)

    @property
    def target(self) -> str:
        """The compiler's option for machine and C library; empty for those of the host."""
        glibc = self.machine.floor or self.root.glibc
        return self.compiler.target.format(processor=self.processor.name, glibc=glibc)

    @property
    def hooks(self) -> tuple[str, ...]:
        """The malloc hooks of the dist's C library, all of which the library defines."""
        hooks = self.package.hooks
        return hooks.exports if Version(self.root.glibc) < Version(hooks.until) else ()

    @property
    def has_license(self) -> bool:
        """Whether the package has the licence's text; where its file list is fixed, it has not.

        Sub-packages have it in any case.
        """
        return self.recipe.folders == "owned" or not self.flavor.subpackage

    @property
    def has_build_id_links(self) -> bool:
        """Whether the dist's rpm links the library by its build-id."""
        return self.root.rpm.macros.get("_build_id_links") != "none"

    @property
    def libraries(self) -> tuple[str, ...]:
        """The libraries of a base installation, which are all that a package may need."""
        return (*self.root.libraries, *self.machine.libraries)

    @property
    def label(self) -> str:
        """The plan's name in messages."""
        words = (self.recipe.version, self.root.dist, self.arch)
        return " ".join(words if self.variant == PLAIN else (*words, self.variant))

    @property
    def soname(self) -> str:
        """The soname of the library."""
        return self._flavored(self.recipe.soname)

    @property
    def profile(self) -> str:
        """The checksum of the profile that the library is compiled with; empty for none."""
        return self.recipe.profile if self.compiler.profile else ""

    @property
    def accepted(self) -> tuple[str, ...]:
        """The rules of the conformance probe that the library may violate, and must."""
        return tuple(x.rule for x in self.recipe.accepted if x.flavor in ("", self.variant))

    @property
    def options(self) -> Mapping[str, str]:
        """The -D options of cmake for every compiler: ``NAME`` or ``NAME:TYPE`` to value."""
        return {
            "CMAKE_INSTALL_PREFIX": self.package.prefix,
            "CMAKE_INSTALL_LIBDIR": self.package.libdir,
            **self.package.cmake,
            **self.recipe.cmake,
            **self.flavor.cmake,
        }

    @property
    def source_name(self) -> str:
        """The name of the source package's file."""
        return f"{self.name}-{self.recipe.version}-{self.release}.src.rpm"

    @property
    def library(self) -> PurePosixPath:
        """The installed path of the shared library."""
        return self.package.libraries / self._flavored(self.recipe.library)

    @property
    def preload(self) -> PurePosixPath:
        """The installed path that programs preload: the link without a number.

        It is there in every release. A new binary of nginx is started with the old variables, and
        would look for a soname that is gone after an upgrade to the next line.
        """
        return self.package.libraries / f"lib{self.base}.so"

    @property
    def links(self) -> Mapping[str, str]:
        """The symbolic links of the library: installed path to link target."""
        return {
            str(self.package.libraries / self.soname): self.library.name,
            str(self.preload): self.soname,
        }

    @property
    def objects(self) -> PurePosixPath:
        """The installed folder of the static library and the object file."""
        line = ".".join(self.recipe.version.split(".")[:2])
        return self.package.libraries / f"mimalloc-{line}"

    @property
    def base(self) -> str:
        """The base name of upstream's files: without ``lib`` and suffix."""
        return self.soname.removeprefix("lib").partition(".")[0]

    def _flavored(self, name: str) -> str:
        stem, dot, ending = name.partition(".")
        return f"{stem}{self.flavor.suffix}{dot}{ending}"

    def _filled(self, text: str) -> str:
        return text.format(name=self.name, version=self.recipe.version)


@dataclass(frozen=True, slots=True)
class Built:
    """A package in ``dist/``, with its sub-packages beside it; ``fresh`` if it was built now."""

    plan: Plan
    rpm: Path
    sha256: str
    size: int
    fresh: bool
