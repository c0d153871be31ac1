"""The layers of the code: which module may import which, and what every module has."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.build.order import DEBUGINFO, SRPM, STEPS

ROOT = Path(__file__).resolve().parents[2]

# From top to bottom. A layer imports only those below it; layers in a row do not import each other.
LAYERS = (
    "cli",
    "bump",
    "commands",
    "compare service publish",
    "build",
    "artifact",
    "steps",
    "smoke",
    "sources",
    "toolchain",
    "checks",
    "inspect",
    "config",
    "system",
    "model",
)
ROWS = {layer: row for row, layers in enumerate(LAYERS) for layer in layers.split()}

# Libraries, and the only modules that use them.
NETWORK = ("pipeline/system/download.py",)
RESERVED = {
    "subprocess": ("pipeline/system/program.py",),
    "requests": NETWORK,
    "urllib3": NETWORK,
    "urllib.request": NETWORK,
    "httpx2": ("pipeline/sources/python_index.py",),
    "unearth": ("pipeline/sources/python_index.py",),
    "invoke": ("cli/",),
    "nox": (),
    "tasks": (),
    "noxfile": (),
}

MAX_MODULE_LINES, MAX_FUNCTION_LINES = 250, 39


def _files(root: Path) -> list[Path]:
    return sorted([*(root / "cli").rglob("*.py"), *(root / "pipeline").rglob("*.py")])


def _imports(file: Path) -> set[str]:
    """The modules, and names inside modules, that a file imports, also inside functions.

    Of subprocess, what it calls: to name a type of it starts no program.
    """
    names = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names} - {"subprocess"}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("subprocess."):
            names.add(ast.unparse(node.func))
    return names


def _layer(name: str) -> str:
    """The layer of a module of this project, by its dotted name; empty for any other module."""
    top, _, rest = name.partition(".")
    return {"cli": top, "pipeline": rest.partition(".")[0]}.get(top, "")


def complaints(root: Path) -> Iterator[str]:
    """Every import that is against the rules, in the checkout at ``root``."""
    for file in _files(root):
        path = file.relative_to(root).as_posix()
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in sorted(_imports(file)):
            own, imported = _layer(module), _layer(name)
            if own and imported and own != imported and ROWS[imported] <= ROWS[own]:
                side = "beside" if ROWS[imported] == ROWS[own] else "above"
                yield f"{path} imports {name}, but {imported} is {side} {own}"
            if own == imported == "steps" and not f"{name}.".startswith(f"{module}."):
                yield f"{path} imports {name}, but a step imports no other step"
            for library, users in RESERVED.items():
                if f"{name}.".startswith(f"{library}.") and not path.startswith(users):
                    yield f"{path} imports {name}, which is for {', '.join(users) or 'no module'}"


def test_imports_follow_the_layers() -> None:
    """Imports go down only, and programs and the network have one module each."""
    assert [] == list(complaints(ROOT))


def test_every_folder_is_a_layer() -> None:
    """A new folder needs its place in the order."""
    folders = {
        file.relative_to(ROOT / "pipeline").parts[0]
        for file in _files(ROOT)[1:]
        if file.is_relative_to(ROOT / "pipeline")
    }

    assert folders - {"__init__.py"} == set(ROWS) - {"cli"}


@pytest.mark.parametrize(
    ("path", "code", "complaint"),
    [
        ("pipeline/system/disk.py", "from pipeline.build import make", "build is above system"),
        ("pipeline/system/disk.py", "import pipeline.build.make", "build is above system"),
        ("pipeline/checks/__init__.py", "from pipeline import smoke", "smoke is above checks"),
        ("pipeline/build/keys.py", "def f():\n    from cli import command", "cli is above build"),
        ("pipeline/service/run.py", "import pipeline.compare", "compare is beside service"),
        ("pipeline/steps/stage.py", "from pipeline.steps import patch", "no other step"),
        ("pipeline/steps/stage.py", "from pipeline.steps.patch import run", "no other step"),
        (
            "pipeline/steps/stage.py",
            "import subprocess\nsubprocess.run([])",
            "for pipeline/system/program.py",
        ),
        ("pipeline/steps/stage.py", "from subprocess import run", "for pipeline/system/program.py"),
        ("pipeline/steps/fetch.py", "from urllib import request", "for pipeline/system/download"),
        ("pipeline/commands/build.py", "from invoke.tasks import task", "which is for cli/"),
        ("pipeline/build/make.py", "import tasks", "which is for no module"),
    ],
)
def test_an_import_against_the_rules_is_found(
    tmp_path: Path, path: str, code: str, complaint: str
) -> None:
    """The message has the file, the import and the rule; what is allowed is no complaint."""
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(f"import json\nfrom pipeline.model import Plan\n{code}\n")

    (message,) = complaints(tmp_path)

    assert message.startswith(f"{path} imports ")
    assert complaint in message


def test_steps_are_the_modules_of_their_layer() -> None:
    """The names of steps are the names of modules, each of which has `inputs` and `run`."""
    steps = {step.name: step for step in (*STEPS, DEBUGINFO, SRPM)}

    assert set(steps) == {file.stem for file in (ROOT / "pipeline" / "steps").glob("*.py")}
    for name, step in steps.items():
        assert f"pipeline.steps.{name}" == step.run.__module__ == step.inputs.__module__
        assert ("run", "inputs") == (step.run.__name__, step.inputs.__name__)


@pytest.mark.parametrize(
    "file",
    [*_files(ROOT), ROOT / "tasks.py", ROOT / "noxfile.py"],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_modules_are_documented_and_short(file: Path) -> None:
    """A module has a docstring and few lines; a function, without its head, has few lines."""
    tree = ast.parse(file.read_bytes())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]

    assert ast.get_docstring(tree)
    assert len(file.read_text().splitlines()) <= MAX_MODULE_LINES
    assert [] == [node.name for node in functions if _lines(node) > MAX_FUNCTION_LINES]


def _lines(function: ast.FunctionDef) -> int:
    """The lines of a function, without its signature and its docstring."""
    return (function.end_lineno or 0) - (function.body[0].end_lineno or 0)
