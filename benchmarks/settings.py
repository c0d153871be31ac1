"""What is measured and how often: benchmarks.toml as dataclasses, and the sample of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.config import allocators, toml
from pipeline.config.allocators import HostAllocator

ROOT = Path(__file__).resolve().parent.parent
FILE = Path(__file__).with_name("benchmarks.toml")


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often each thing is run."""

    cold: int
    warm: int
    library: int
    counted: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Which packages are made at once, in the words of `invoke build`."""

    releases: str
    dists: str
    architectures: str
    flavors: str


@dataclass(frozen=True, slots=True)
class Sample:
    """What is left of it all where the question is only whether it works."""

    packages: int
    releases: tuple[str, ...]
    workloads: tuple[str, ...]
    grid: Grid


@dataclass(frozen=True, slots=True)
class Target:
    """A package whose build is timed."""

    version: str
    dist: str


@dataclass(frozen=True, slots=True)
class Library:
    """Which of our libraries are tried, and what they are held against.

    ``plain`` is the compiler of the plain build, ``pointers`` the flag that keeps frame pointers.
    """

    dist: str
    releases: tuple[str, ...]
    plain: str
    pointers: str


@dataclass(frozen=True, slots=True)
class Workload:
    """A program that always does the same; ``size`` is how much, ``counted`` under callgrind."""

    name: str
    purpose: str
    command: tuple[str, ...]
    size: int
    counted: int
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """All of benchmarks.toml, and the rivals that this project knows."""

    rounds: Rounds
    sample: Sample
    package: tuple[Target, ...]
    grid: Grid
    library: Library
    rival: tuple[HostAllocator, ...]
    workload: tuple[Workload, ...]

    def sampled(self) -> Settings:
        """One round of the smallest work: no figure of it means anything."""
        chosen = [each for each in self.workload if each.name in self.sample.workloads]
        return replace(
            self,
            rounds=Rounds(1, 1, 1, 1),
            package=self.package[: self.sample.packages],
            grid=self.sample.grid,
            library=replace(self.library, releases=self.sample.releases),
            workload=tuple(replace(each, size=each.counted) for each in chosen),
        )


def load(file: Path = FILE) -> Settings:
    """The settings. Raises RecipeError with every complaint at once."""
    return toml.load(file, Settings, extra=toml.read(ROOT / allocators.FILE))
