"""One package to be made, and one that was made."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pipeline.model.buildroot import BuildRoot, Compiler, Isa, Machine, Processor
from pipeline.model.recipe import Flavor, Package, Recipe

PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class UserSource:
    """A source that the user names instead of the pinned ones: its kind, and where it is.

    ``fingerprint`` is a checksum, a commit or a URL: it identifies the source without naming this
    machine.
    """

    kind: Literal["archive", "folder", "git", "url"]
    location: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class PlannedSubpackage:
    """The sub-package of a plan: what it is called, and the drop-in that switches ``unit`` on."""

    name: str
    nevra: str
    arch: str
    summary: str
    description: str
    unit: str
    dropin: PurePosixPath

    @property
    def file_name(self) -> str:
        """The name of the sub-package's file."""
        return f"{self.nevra}.rpm"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides what one package is: recipe, build root, machine, compiler, flavor.

    ``arch`` is the architecture in rpm's words, ``isa`` the level of ``processor`` that it demands,
    and ``variant`` the name of ``flavor``.
    """

    package: Package
    recipe: Recipe
    root: BuildRoot
    arch: str
    processor: Processor
    isa: Isa
    compiler: Compiler
    flavor: Flavor
    variant: str = PLAIN
    user_source: UserSource | None = None

    @property
    def machine(self) -> Machine:
        """The build root's demands on this architecture."""
        return self.root.machine[self.arch]

    @property
    def name(self) -> str:
        """The package's name."""
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
    def subpackage(self) -> PlannedSubpackage | None:
        """The sub-package that switches a service on, where the flavor has one."""
        subpackage = self.flavor.subpackage
        if subpackage is None:
            return None
        name = f"{self.name}{subpackage.suffix}"
        return PlannedSubpackage(
            name=name,
            nevra=f"{name}-{self.recipe.version}-{self.release}.{subpackage.arch}",
            arch=subpackage.arch,
            summary=self._filled(subpackage.summary),
            description=self._filled(subpackage.description),
            unit=subpackage.unit,
            dropin=PurePosixPath(subpackage.folder) / f"{subpackage.unit}.d" / subpackage.file,
        )

    @property
    def file_names(self) -> tuple[str, ...]:
        """The names of all files that are made: the package's, and its sub-package's."""
        return (self.file_name, *([self.subpackage.file_name] if self.subpackage else []))

    @property
    def summary(self) -> str:
        """The package's summary, with name and version in their places."""
        return self._filled(self.package.summary)

    @property
    def description(self) -> str:
        """The package's description, with name and version in their places."""
        return self._filled(self.package.description)

    @property
    def platform(self) -> str:
        """The platform that the package says it is made for."""
        return self.package.platform.format(arch=self.arch)

    @property
    def target(self) -> str:
        """What the compiler is told to make code for; empty for the host's own."""
        return self.compiler.target.format(processor=self.processor.name, glibc=self.floor)

    @property
    def floor(self) -> str:
        """The version of the C library that is linked against."""
        return self.machine.floor or self.root.glibc

    @property
    def libraries(self) -> tuple[str, ...]:
        """The libraries that a base installation has, and so a package may need."""
        return (*self.root.libraries, *self.machine.libraries)

    @property
    def label(self) -> str:
        """The plan's name in messages and lock files."""
        words = (self.recipe.version, self.root.dist, self.arch)
        return " ".join(words if self.variant == PLAIN else (*words, self.variant))

    @property
    def soname(self) -> str:
        """The name that the loader knows the library by."""
        return self._flavored(self.recipe.soname)

    @property
    def options(self) -> Mapping[str, str]:
        """The -D options of cmake, whatever the compiler: ``NAME`` or ``NAME:TYPE`` to value."""
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
        """The installed path that programs preload: the link that is named as the soname."""
        return self.package.libraries / self.soname

    @property
    def links(self) -> Mapping[str, str]:
        """The library's symbolic links: installed path to link target."""
        folder = self.package.libraries
        bare = self.soname.partition(".so")[0] + ".so"
        return {str(folder / self.soname): self.library.name, str(folder / bare): self.soname}

    @property
    def objects(self) -> PurePosixPath:
        """The folder that the static library and the object file are installed in."""
        line = ".".join(self.recipe.version.split(".")[:2])
        return self.package.libraries / f"mimalloc-{line}"

    @property
    def base(self) -> str:
        """What upstream calls its files, without `lib` before and an ending after it."""
        return self.soname.removeprefix("lib").partition(".")[0]

    def _flavored(self, name: str) -> str:
        stem, dot, ending = name.partition(".")
        return f"{stem}{self.flavor.suffix}{dot}{ending}"

    def _filled(self, text: str) -> str:
        return text.format(name=self.name, version=self.recipe.version)


@dataclass(frozen=True, slots=True)
class Built:
    """A package in its final place; its sub-package, if it has one, is beside it."""

    plan: Plan
    rpm: Path
    sha256: str
    size: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class Options:
    """How packages are made, as far as it changes nothing in them.

    ``offline`` keeps from the network. ``jobs`` packages are made at once, and the compiler has
    ``threads`` for each; 0 is as many as there are cores.
    """

    offline: bool = False
    jobs: int = 0
    threads: int = 0
