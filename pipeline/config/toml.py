"""TOML to dataclass: exactly the fields and types of the model, and every complaint at once."""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_origin

import cattrs
from cattrs.cols import homogenous_tuple_structure_factory
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn

from pipeline.model.errors import RecipeError

Model = TypeVar("Model")

# Bytes of a file: ten times what any of ours has. A key of very many parts keeps tomllib busy for
# ever, and in less than this it cannot have so many.
_LARGEST = 1 << 16


def load(
    file: Path,
    model: type[Model],
    faults: Callable[[Model], Iterable[str]] = lambda _: (),
    extra: Mapping[str, object] | None = None,
) -> Model:
    """Read one model from a file. Raises RecipeError with every complaint.

    ``faults`` says what a well-typed file may still get wrong; ``extra`` are fields that the file
    does not hold, such as its own name.
    """
    table = {**read(file), **(extra or {})}
    try:
        found = _converter().structure(table, model)
    except BaseValidationError as problem:
        raise _unusable(file, _complaints(problem)) from problem
    complaints = list(faults(found))
    if complaints:
        raise _unusable(file, complaints)
    return found


def read(file: Path) -> dict[str, Any]:
    """The bare content of a file. Raises RecipeError."""
    try:
        if (size := file.stat().st_size) > _LARGEST:
            raise _unusable(file, [f"expected at most {_LARGEST} bytes, got {size}"])
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise RecipeError("no such file", file=file) from problem
    except (ValueError, RecursionError) as problem:  # no TOML, no text, or too deep, too long
        raise _unusable(file, [str(problem)]) from problem


def _complaints(problem: BaseValidationError) -> Iterator[str]:
    for text in cattrs.transform_error(problem, "$", _told):
        said, _, place = text.rpartition(" @ $")
        yield f"{place.lstrip('.')}: {said}" if place else said


def _told(problem: BaseException, kind: object) -> str:
    if isinstance(problem, ForbiddenExtraKeysError):
        return f"unknown key {', '.join(sorted(problem.extra_fields))}"
    if isinstance(problem, KeyError):
        return "missing"
    return "expected a table" if isinstance(problem, AttributeError) else str(problem)


def _unusable(file: Path, complaints: Iterable[str]) -> RecipeError:
    return RecipeError(
        f"{file.name} cannot be used", detail="\n".join(complaints), file=file, hint="correct it"
    )


@cache
def _converter() -> cattrs.Converter:
    """Takes exactly the types that TOML has: nothing is turned into a string or a number."""
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (str, int, datetime, date):
        converter.register_structure_hook(kind, _exactly)
    converter.register_structure_hook_factory(_is_listing, _listing)
    converter.register_structure_hook_factory(is_dataclass, _tabled)
    return converter


def _exactly(value: object, kind: type) -> object:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {value!r}")
    return value


def _tabled(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """A dataclass from a table: of anything else, cattrs tells what Python cannot do with it."""
    inner = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True)

    def structure(value: Any, kind: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError(f"expected a table, got {value!r}")
        return inner(value, kind)

    return structure


def _is_listing(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _listing(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """A list from a list: a lone string would be taken for a list of its letters."""
    inner = homogenous_tuple_structure_factory(kind, converter)

    def structure(value: Any, kind: Any) -> Any:
        if not isinstance(value, list):
            raise TypeError(f"expected a list, got {value!r}")
        return inner(value, kind)

    return structure
