"""Hints: each task, flag, file and heading that a message names exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tasks

PROJECT = Path(__file__).resolve().parents[3]

# By task; `Task.get_arguments` would take the help away from the next who asks.
FLAGS = {
    name: {flag.replace("_", "-") for flag in task.argspec(task.body).parameters}
    for name, task in tasks.namespace.tasks.items()
}
ANY_TASK = set().union(*FLAGS.values())

# What hints name besides tasks of ours.
OTHERS = re.compile(r"\b(gpg|git|dnf|rpm2cpio|rpm|rpmbuild|pkg-config) .*")


def _texts(code: str) -> Iterator[str]:
    """The texts of a module's errors and of what they are made of; a value is written as X."""
    tree = ast.parse(code)
    skipped = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in ast.walk(node) if part is not node}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            yield "".join(map(str, parts))


def wrong(text: str) -> Iterator[str]:
    """What a text names that there is not."""
    for line in text.splitlines():
        for command in re.findall(r"\binvoke ((?!--)[a-z-]+[^;,)\n]*)", line):
            name, *words = command.split()
            if name not in FLAGS:
                yield f"invoke {name}"
                continue
            flags = {word[2:].split("=")[0] for word in words if re.match(r"--[a-z]", word)}
            yield from (f"invoke {name} --{flag}" for flag in sorted(flags - FLAGS[name]))
        alone = re.findall(r"(?<![\w-])--([a-z][a-z-]+)", OTHERS.sub("", line))
        yield from (f"--{flag}" for flag in alone if flag not in ANY_TASK)
        for heading, document in re.findall(r"`([^`]+)` in (\w+\.md)", line):
            if f"# {heading}\n" not in (PROJECT / document).read_text(encoding="utf-8"):
                yield f"{heading} in {document}"
        for file in re.findall(r"\b(?:docs|recipes|buildroot)/[\w/]+\.(?:md|toml|txt)", line):
            if not (PROJECT / file).is_file() and "X" not in file:
                yield file


def _is_message(text: str) -> bool:
    """Whether a text speaks to users: it names a task, or has words beside a flag."""
    return "invoke " in text or bool(re.search(r"\w .*--[a-z]|--[a-z-]+:? \w", text))


@pytest.mark.parametrize(
    "file",
    sorted([*PROJECT.glob("pipeline/**/*.py"), *PROJECT.glob("cli/*.py")]),
    ids=lambda file: str(file.relative_to(PROJECT)),
)
def test_messages_name_what_there_is(file: Path) -> None:
    """In every text that is not a docstring."""
    texts = filter(_is_message, _texts(file.read_text(encoding="utf-8")))

    assert [] == [each for text in texts for each in wrong(text)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("invoke builds --version 1", "invoke builds"),
        ("add it, then invoke smoke --toolchain zig", "invoke smoke --toolchain"),
        ("leave out --toolchains", "--toolchains"),
        ("see `Add a release` in CONTRIBUTING.md", "Add a release in CONTRIBUTING.md"),
        ("write it into recipes/packages.toml", "recipes/packages.toml"),
    ],
)
def test_a_wrong_hint_is_found(text: str, complaint: str) -> None:
    """Tasks, flags of tasks and alone, headings, files."""
    assert complaint in list(wrong(text))
    assert [text] == list(_texts(f'"""A module."""\nraise Error("no", hint={text!r})'))[1:]
