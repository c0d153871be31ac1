"""`errors`: the messages, the exit codes, and the table of them in the documentation."""

import re
from pathlib import Path

import pytest

from pipeline.model import errors
from pipeline.model.errors import PackagingError, VerifyError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, PackagingError) and kind is not PackagingError
]


def test_exit_codes_are_unique() -> None:
    """No two errors share an exit code, and none has that of success (0) or a traceback (1)."""
    codes = [kind.exit_code for kind in KINDS]

    assert sorted(set(codes)) == sorted(codes)
    assert {0, 1}.isdisjoint(codes)


def test_titles_are_unique() -> None:
    """The word before the colon identifies the error."""
    titles = [kind.title for kind in KINDS]

    assert sorted(set(titles)) == sorted(titles)


def test_every_error_has_a_docstring() -> None:
    """The module is the documentation of the errors."""
    assert [] == [kind.__name__ for kind in KINDS if not kind.__doc__]


def test_documentation_lists_every_exit_code(project: Path) -> None:
    """The table for maintainers has the code and the title of every error, and no other."""
    text = (project / "docs" / "maintainer.md").read_text()
    table = re.findall(r"^\|\s*`?(\d+)`?\s*\|\s*`?([\w -]+?)`?\s*\|", text, re.M)
    listed = {(int(code), title) for code, title in table if int(code) > 1}

    assert {(kind.exit_code, kind.title) for kind in KINDS} == listed


def test_message_has_all_parts_in_order() -> None:
    """What failed, the evidence, expected and got, the file, the next command."""
    problem = VerifyError(
        "not the pinned source",
        detail="first\nsecond",
        expected="abc",
        got="def",
        file=Path("/some/file"),
        hint="invoke fetch\nor another",
    )

    assert [
        "verify: not the pinned source",
        "  first",
        "  second",
        "  expected: abc",
        "  got:      def",
        "  file:     /some/file",
        "  try:      invoke fetch",
        "            or another",
    ] == problem.lines()
    assert "\n".join(problem.lines()) == str(problem)


def test_message_omits_empty_parts() -> None:
    """A part that is empty has no line."""
    assert ["verify: not the pinned source"] == VerifyError("not the pinned source").lines()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_message_starts_with_the_title(kind: type[PackagingError]) -> None:
    """The first word of a message in a log is the step."""
    assert f"{kind.title}: why" == str(kind("why"))
