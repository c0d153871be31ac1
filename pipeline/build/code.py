"""The code that a module runs: its own file, and those of this project that it imports."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pipeline.system.checksum import digest_of_files

_ROOT = Path(__file__).resolve().parents[2]


@cache
def digest_of(module: str, root: Path = _ROOT) -> str:
    """One digest, 64 hex digits, of all the code that a module runs; ``root`` is the checkout."""
    return digest_of_files(files(module, root))


def files(module: str, root: Path = _ROOT) -> frozenset[Path]:
    """The files of a module and of all that it imports, at its top or inside of its functions."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        for file in _files_of(waiting.pop(), root) - found:
            found.add(file)
            waiting += _imports(file, module.partition(".")[0])
    return frozenset(found)


def _files_of(module: str, root: Path) -> set[Path]:
    """The file of a module, and those of its packages, which run first; none for a mere name."""
    *packages, last = module.split(".")
    folders = [root.joinpath(*packages[:depth]) for depth in range(1, len(packages) + 1)]
    own = root.joinpath(*packages, last)
    candidates = [own.with_suffix(".py"), *(each / "__init__.py" for each in (*folders, own))]
    return {file for file in candidates if file.is_file()}


@cache
def _imports(file: Path, project: str) -> tuple[str, ...]:
    return tuple(_imported(ast.parse(file.read_bytes()), project))


def _imported(tree: ast.Module, project: str) -> Iterator[str]:
    """The names that are imported out of the project: modules, and what is in them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == project)
