"""What is measured and how often: benchmarks.toml as dataclasses, and the sample of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from pipeline.config import toml
from pipeline.model import Selection

FILE = Path(__file__).with_name("benchmarks.toml")


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often each thing is measured."""

    cold: int
    warm: int
    library: int
    counted: int


@dataclass(frozen=True, slots=True)
class Sample:
    """The smaller work that shows whether a benchmark works."""

    packages: int
    releases: tuple[str, ...]
    workloads: tuple[str, ...]
    parallel: Selection


@dataclass(frozen=True, slots=True)
class Library:
    """The releases whose library is measured; ``plain`` is the compiler of their plain builds.

    ``allocators`` are further ones, each as ``NAME=PATH``.
    """

    dist: str
    releases: tuple[str, ...]
    plain: str
    allocators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """A program that always does the same; ``size`` is how much, ``counted`` under callgrind.

    A release's profile is made by those that are ``trained``; the others judge it. ``needs`` is the
    program that a script runs.
    """

    name: str
    purpose: str
    command: tuple[str, ...]
    size: int
    counted: int
    trained: bool = False
    needs: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Promise:
    """What the C library promises, in a few words, and the trials and rules that show it."""

    title: str
    shown_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """All of benchmarks.toml."""

    rounds: Rounds
    sample: Sample
    package: tuple[Selection, ...]
    parallel: Selection
    library: Library
    workload: tuple[Workload, ...]
    promise: tuple[Promise, ...]

    def sampled(self) -> Self:
        """One round of the smallest work: its numbers mean nothing."""
        workloads = [item for item in self.workload if item.name in self.sample.workloads]
        return replace(
            self,
            rounds=Rounds(1, 1, 1, 1),
            package=self.package[: self.sample.packages],
            parallel=self.sample.parallel,
            library=replace(self.library, releases=self.sample.releases),
            workload=tuple(replace(item, size=item.counted) for item in workloads),
        )


def load(file: Path = FILE) -> Settings:
    """The settings. Raises RecipeError with every complaint at once."""
    return toml.load(file, Settings)
