"""One package to be made, and one that was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pipeline.model.buildroot import BuildRoot, Compiler, Isa, Machine
from pipeline.model.recipe import Package, Recipe


@dataclass(frozen=True, slots=True)
class Handed:
    """A source that the user hands over: where it is, what kind it is, and what identifies it.

    ``seal`` is a checksum, a commit or a URL: it names the source without naming this machine.
    """

    kind: Literal["archive", "folder", "git", "url"]
    location: str
    seal: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides what one package is: recipe, build root, architecture, compiler."""

    package: Package
    recipe: Recipe
    root: BuildRoot
    arch: str
    compiler: Compiler
    isa: Isa
    handed: Handed | None = None

    @property
    def machine(self) -> Machine:
        """The build root's demands on this architecture."""
        return self.root.machine[self.arch]

    @property
    def release(self) -> str:
        """Release with its dist tag, such as ``1.el7``."""
        return f"{self.recipe.release}.{self.root.dist}"

    @property
    def nevra(self) -> str:
        """Name, version, release and architecture; there is no epoch."""
        return f"{self.package.name}-{self.recipe.version}-{self.release}.{self.arch}"

    @property
    def file_name(self) -> str:
        """The name of the package's file."""
        return f"{self.nevra}.rpm"

    @property
    def summary(self) -> str:
        """The package's summary, with the version in its place."""
        return self.package.summary.format(version=self.recipe.version)

    @property
    def description(self) -> str:
        """The package's description, with the version in its place."""
        return self.package.description.format(version=self.recipe.version)

    @property
    def platform(self) -> str:
        """The platform that the package says it is made for."""
        return self.package.platform.format(arch=self.arch)

    @property
    def target(self) -> str:
        """What the compiler is told to make code for; empty for the host's own."""
        return self.compiler.target.format(arch=self.arch, glibc=self.root.glibc)

    @property
    def label(self) -> str:
        """The plan's name in messages and lock files."""
        return f"{self.recipe.version} {self.root.dist} {self.arch}"

    @property
    def library(self) -> PurePosixPath:
        """The installed path of the shared library."""
        return self.package.libraries / self.recipe.library

    @property
    def links(self) -> Mapping[str, str]:
        """The library's symbolic links: installed path to link target."""
        folder, recipe = self.package.libraries, self.recipe
        bare = recipe.soname.partition(".so")[0] + ".so"
        return {
            str(folder / recipe.soname): recipe.library,
            str(folder / bare): recipe.soname,
        }


@dataclass(frozen=True, slots=True)
class Built:
    """A package in its final place."""

    plan: Plan
    rpm: Path
    sha256: str
    size: int
    fresh: bool
