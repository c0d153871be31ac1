"""What nginx is put under, and how often: settings.toml as dataclasses, and a user's wishes."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

from pipeline.build.selection import Selection
from pipeline.config import toml
from pipeline.config.load import known
from pipeline.model.errors import RequestError

FILE = Path(__file__).with_name("settings.toml")


@dataclass(frozen=True, slots=True)
class Request:
    """What a user wants compared, in the words of the command line; empty means the default.

    ``packages`` are those whose libraries are compared, ``allocators`` others by name and path.
    """

    packages: Selection
    nginx: str = ""
    allocators: tuple[str, ...] = ()
    loads: str = ""
    rounds: str = ""
    seconds: str = ""
    output: str = ""
    sample: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk asks for, over how many connections; ``reload`` is how often nginx is, a second."""

    name: str
    title: str
    scheme: Literal["http", "https"]
    paths: tuple[str, ...]
    headers: tuple[str, ...]
    connections: int
    reload: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """What is left where the question is only whether it works."""

    rounds: int
    seconds: int
    idle: int
    allocators: int


@dataclass(frozen=True, slots=True)
class Settings:
    """All of settings.toml. Times are in seconds; ``allocators`` is how many at the most, 0: all."""

    rounds: int
    workers: int
    sites: int
    warm: int
    seconds: int
    idle: int
    sample: Sample
    load: tuple[Load, ...]
    allocators: int = 0

    def sampled(self) -> Self:
        """The least of everything: no figure of it means anything."""
        small = self.sample
        return replace(
            self,
            rounds=small.rounds,
            seconds=small.seconds,
            idle=small.idle,
            allocators=small.allocators,
        )


def load(file: Path = FILE) -> Settings:
    """The settings. Raises RecipeError with every complaint at once."""
    return toml.load(file, Settings, _faults)


def _faults(found: Settings) -> Iterable[str]:
    for name in ("rounds", "workers", "seconds"):
        if getattr(found, name) < 1:
            yield f"{name}: 1 or more, got {getattr(found, name)}"
    for each in found.load:
        if not each.paths:
            yield f"load {each.name}: at least one path"


def requested(request: Request) -> Settings:
    """The settings with what the user wants otherwise. Raises RequestError for what cannot be."""
    chosen = load()
    chosen = chosen.sampled() if request.sample else chosen
    if request.rounds:
        chosen = replace(chosen, rounds=_number("rounds", request.rounds))
    if request.seconds:
        chosen = replace(chosen, seconds=_number("seconds", request.seconds))
    if request.loads:
        loads = {each.name: each for each in chosen.load}
        names = [known("load", name.strip(), loads) for name in request.loads.split(",")]
        chosen = replace(chosen, load=tuple(loads[name] for name in dict.fromkeys(names)))
    return chosen


def _number(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise RequestError(f"--{name}", expected="a number of 1 or more", got=text)
    return int(text)
