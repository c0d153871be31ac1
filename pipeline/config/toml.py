"""TOML to dataclass: exactly the fields and types of the model, and all complaints at once."""

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

_NAMES: Mapping[type, str] = {dict: "a table", list: "a list"}


def load(
    file: Path,
    model: type[Model],
    validate: Callable[[Model], Iterable[str]] = lambda _: (),
    extra: Mapping[str, object] | None = None,
) -> Model:
    """Read one model from a file. Raises RecipeError with every complaint.

    ``validate`` returns complaints about a file whose types are right; ``extra`` are fields that
    are not in the file, such as its own name.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        instance = _converter().structure({**table, **(extra or {})}, model)
    except FileNotFoundError as problem:
        raise RecipeError("no such file", file=file) from problem
    except BaseValidationError as problem:
        raise _unusable(file, _complaints(problem)) from problem
    except (ValueError, RecursionError) as problem:  # not TOML, not UTF-8, nested too deeply
        raise _unusable(file, [str(problem)]) from problem
    if complaints := list(validate(instance)):
        raise _unusable(file, complaints)
    return instance


def _complaints(problem: BaseValidationError) -> Iterator[str]:
    for text in cattrs.transform_error(problem, "$", _message):
        message, _, key = text.rpartition(" @ $")
        yield f"{key.lstrip('.')}: {message}" if key else message


def _message(problem: BaseException, kind: object) -> str:
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
    """A converter for exactly the types of TOML: it turns nothing into a string or a number."""
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (str, int, datetime, date):
        converter.register_structure_hook(kind, _exact)
    converter.register_structure_hook_factory(_is_container, _container_hook)
    return converter


def _exact(value: object, kind: type) -> object:
    if type(value) is not kind:
        raise TypeError(f"expected {_NAMES.get(kind, kind.__name__)}, got {value!r}")
    return value


def _is_container(kind: Any) -> bool:
    return is_dataclass(kind) or get_origin(kind) is tuple


def _container_hook(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """A hook that refuses values of other types, which cattrs would iterate, or fail on."""
    is_table = is_dataclass(kind)
    factory: Any = make_dict_structure_fn if is_table else homogenous_tuple_structure_factory
    structure = factory(kind, converter)
    return lambda value, kind: structure(_exact(value, dict if is_table else list), kind)
