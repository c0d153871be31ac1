"""How nginx is compared: settings.toml as dataclasses, and what a user changes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pipeline.config import toml
from pipeline.config.load import checked_names
from pipeline.model import Selection


@dataclass(frozen=True, slots=True)
class Request:
    """What a user wants compared, in the words of the command line; empty means the default.

    ``packages`` are those whose libraries are compared, ``allocators`` others by name and path.
    """

    packages: Selection
    nginx: str = ""
    allocators: tuple[str, ...] = ()
    loads: str = ""
    rounds: int = 0
    seconds: int = 0
    output: str = ""
    sample: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk requests, over how many connections; nginx reloads ``reload`` times a second."""

    name: str
    title: str
    scheme: Literal["http", "https"]
    paths: tuple[str, ...]
    headers: tuple[str, ...]
    connections: int
    reload: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """All of settings.toml, times in seconds; ``sample`` is what differs with ``--sample``.

    ``allocators`` limits how many are compared beside those that the user names; 0: no limit.
    """

    rounds: int
    workers: int
    sites: int
    warm: int
    seconds: int
    idle: int
    counted: int
    sample: Mapping[str, int]
    load: tuple[Load, ...]
    allocators: int = 0


def requested(request: Request) -> Settings:
    """The settings with the user's changes. Raises RequestError for an unknown load."""
    settings = toml.load(Path(__file__).with_name("settings.toml"), Settings)
    changes: dict[str, Any] = dict(settings.sample) if request.sample else {}
    numbers = {"rounds": request.rounds, "seconds": request.seconds}
    changes |= {name: number for name, number in numbers.items() if number}
    if request.loads:
        loads = {item.name: item for item in settings.load}
        names = checked_names("load", request.loads, loads)
        changes["load"] = tuple(loads[name] for name in names)
    return replace(settings, **changes)
