"""What nginx is put under, and how often: compare.toml as dataclasses, and a user's wishes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pipeline import recipes, tables
from pipeline.errors import RequestError

FILE = Path(__file__).with_name("compare.toml")


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
    """All of compare.toml. Times are in seconds; ``allocators`` is how many at the most, 0: all."""

    rounds: int
    workers: int
    sites: int
    warm: int
    seconds: int
    idle: int
    sample: Sample
    load: tuple[Load, ...]
    allocators: int = 0

    def sampled(self) -> Settings:
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
    return tables.load(file, Settings, _faults)


def _faults(found: Settings) -> Iterable[str]:
    for name in ("rounds", "workers", "seconds"):
        if getattr(found, name) < 1:
            yield f"{name}: 1 or more, got {getattr(found, name)}"
    for each in found.load:
        if not each.paths:
            yield f"load {each.name}: at least one path"


def asked(
    *, rounds: str = "", seconds: str = "", loads: str = "", sample: bool = False
) -> Settings:
    """The settings with what the user wants otherwise. Raises RequestError for what cannot be."""
    chosen = load()
    chosen = chosen.sampled() if sample else chosen
    if rounds:
        chosen = replace(chosen, rounds=_number("rounds", rounds))
    if seconds:
        chosen = replace(chosen, seconds=_number("seconds", seconds))
    if loads:
        known = {each.name: each for each in chosen.load}
        names = [recipes.known("load", name.strip(), known) for name in loads.split(",")]
        chosen = replace(chosen, load=tuple(known[name] for name in dict.fromkeys(names)))
    return chosen


def _number(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise RequestError(f"--{name}", expected="a number of 1 or more", got=text)
    return int(text)
