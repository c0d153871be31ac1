"""The house itself: which module may know of which, and what every module has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.build.order import STEPS

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = ROOT / "pipeline"

# From the ground up; a module may import what is on its own floor or below. What is not named here
# is an errand: only errands and doors may know of it.
FLOORS = [
    {"errors", "model"},
    {
        "workspace",
        "locks",
        "disk",
        "process",
        "checksum",
        "content",
        "report",
        "tables",
        "templates",
    },
    {"archive", "download", "origins", "recipes", "toolchain"}
    | {"faults", "host", "emulator", "spec", "rpmbuild"},
    {"fetch", "unpack", "patch", "cmake", "rpm", "srpm", "check", "facts", "checks", "smoke"},
    {"build", "record", "provenance", "purl", "sbom"},
    {"board", "grid"},
]
DOORS = [
    "tasks.py",
    "noxfile.py",
    *(f"doors/{file.name}" for file in (ROOT / "doors").glob("*.py")),
]

# The modules of the steps. What a step keeps to itself in a folder of rooms is part of it.
STEP_MODULES = {step.run.__module__.removeprefix("pipeline.") for step in STEPS}
ROOMS = {"check": {"facts", "checks", "smoke"}}

FILES = sorted(PIPELINE.rglob("*.py"))


def _name(file: Path) -> str:
    """The module that a file belongs to: its own name, or that of its folder of rooms."""
    return file.relative_to(PIPELINE).parts[0].removesuffix(".py")


def _imported(file: Path) -> Iterator[str]:
    """The modules of the pipeline that a file names, at its top or anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first, *rest = name.split(".")
            if first == "pipeline" and rest:
                yield rest[0]


def _floor(module: str) -> int:
    return next((floor for floor, names in enumerate(FLOORS) if module in names), len(FLOORS))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_arrows_go_one_way(file: Path) -> None:
    """No module knows of one that is above it."""
    own = _floor(_name(file))

    assert [] == sorted({name for name in _imported(file) if _floor(name) > own})


def test_no_step_imports_another() -> None:
    """What a step needs of another one, it finds in the workspace."""
    guests = {
        f"{file.name} imports {name}"
        for file in FILES
        for name in _imported(file)
        if _name(file) in STEP_MODULES
        and name != _name(file)
        and name in STEP_MODULES | {folder for folders in ROOMS.values() for folder in folders}
        and name not in ROOMS.get(_name(file), ())
    }

    assert {"fetch", "unpack", "patch", "cmake", "rpm", "check"} == STEP_MODULES
    assert set() == guests


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_doors_are_not_entered_from_inside(file: Path) -> None:
    """Nothing behind the doors knows of them."""
    names = {
        alias.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    } | {
        node.module or ""
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom)
    }

    assert names.isdisjoint({"tasks", "noxfile", "doors", "invoke", "nox"})


def test_one_door_to_other_programs() -> None:
    """Whoever starts a program does it through `process`."""
    users = {
        _name(file)
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "subprocess"
    }

    assert {"process"} == users


def test_one_door_to_the_network() -> None:
    """Whoever wants something from the network asks `download`; smoke talks to its own nginx."""
    libraries = {"requests", "urllib3"}
    users = {
        _name(file)
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        if name.split(".")[0] in libraries or name == "urllib.request"
    }

    assert {"download"} == users


@pytest.mark.parametrize(
    "file", [*FILES, *(ROOT / door for door in DOORS)], ids=lambda file: str(file.relative_to(ROOT))
)
def test_module_says_its_duty_and_keeps_to_it(file: Path) -> None:
    """The duty is in the first line; a module has at most 250 lines, a function fewer than 40."""
    text = file.read_text()
    tree = ast.parse(text)
    long = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and _length(node) >= 40
    ]

    assert ast.get_docstring(tree)
    assert [] == long
    assert len(text.splitlines()) <= 250


def _length(node: ast.FunctionDef) -> int:
    """Lines of a function, without its signature and its docstring."""
    first, *_ = node.body
    return (node.end_lineno or 0) - (first.end_lineno or 0)
