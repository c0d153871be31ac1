"""`--json`: one document on the standard output, whatever else is printed, and whatever fails."""

import json
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from cli import command
from pipeline.build.progress import Outcome
from pipeline.commands import doctor, listing
from pipeline.model import Built, Plan, Selection
from pipeline.model.errors import CompileError, PackagingError
from pipeline.system import disk
from pipeline.system.report import Report
from pipeline.toolchain import host_programs
from pipeline.toolchain.host_programs import Program

pytestmark = pytest.mark.usefixtures("signals")

# The tasks that a script may read.
TASKS = ("list", "status", "doctor", "build", "verify", "bump")


def _document(output: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(output)
    return document


@pytest.mark.parametrize("name", TASKS)
def test_these_tasks_have_it(name: str) -> None:
    """As their last flag, so that it takes the short name of no other."""
    task = tasks.namespace[name]

    assert "json" == list(task.argspec(task.body).parameters)[-1]


def test_the_result_is_alone_on_the_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """Progress is on the error output; without the flag all is as ever."""

    def body(c: Context) -> object:
        Report().line("a step")
        return {"file": Path("/dist/x.rpm"), "name": "caf\u00e9\x1b"}

    task = command.command(json=True)(body)
    task(Context(), json=True)
    output, errors = capsys.readouterr()
    assert {"schema": 1, "file": "/dist/x.rpm", "name": "caf\u00e9\x1b"} == _document(output)
    assert output.isascii()
    assert "a step\n" == errors
    task(Context())
    assert ("a step\n", "") == capsys.readouterr()


def test_a_failure_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    """With what is known all the same; message and exit code are as without the flag."""
    problem = CompileError("no luck", file=Path("/log"), hint="this", results={"packages": []})

    def body(c: Context) -> object:
        raise problem

    with pytest.raises(Exit) as caught:
        command.command(json=True)(body)(Context(), json=True)

    texts = {"what": "no luck", "expected": "", "got": "", "file": "/log", "detail": ""}
    error = {"code": 25, "title": "compile", **texts, "hint": "this"}
    assert {"schema": 1, "packages": [], "error": error} == _document(capsys.readouterr().out)
    assert (str(problem), 25) == (caught.value.message, caught.value.code)


def test_an_interrupt_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has to parse nothing."""

    def body(c: Context) -> object:
        raise KeyboardInterrupt

    with pytest.raises(Exit):
        command.command(json=True)(body)(Context(), json=True)

    assert 130 == _document(capsys.readouterr().out)["error"]["code"]


def test_a_document_that_cannot_be_written_hides_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The message is on the error output, as ever."""

    def refuse(self: Report, text: str) -> None:
        raise PackagingError("no space")

    def body(c: Context) -> object:
        raise CompileError("no luck")

    monkeypatch.setattr(Report, "line", refuse)
    with pytest.raises(Exit) as caught:
        command.command(json=True)(body)(Context(), json=True)

    assert "no luck" in str(caught.value.message)


def _keys(document: Any) -> set[str]:
    """The keys of a document and of all that is in it, but for names of versions by name."""
    if isinstance(document, list):
        return set().union(*map(_keys, document))
    if not isinstance(document, dict):
        return set()
    return set(document).union(
        *(_keys(value) for key, value in document.items() if key != "pinned")
    )


def _undocumented(document: Any) -> list[str]:
    text = (command.ROOT / "docs" / "maintainer.md").read_text(encoding="utf-8")
    section = text.partition("## For programs")[2].partition("\n## ")[0]
    return sorted(key for key in _keys(document) if f"`{key}`" not in section)


def test_the_keys_are_those_of_the_documentation(plan: Plan, tmp_path: Path) -> None:
    """Of packages, as each task prints them, and of errors."""
    error = CompileError("no luck")
    built = Built(plan, Path("/dist/x.rpm"), "ab" * 32, 123, fresh=True)
    outcomes = [Outcome(plan, 1.0, result).fields() for result in (built, tmp_path, error)]

    assert [] == _undocumented({"packages": outcomes, "error": error.fields()})
    assert ["unheard_of"] == _undocumented({"packages": [{"unheard_of": 1}]})


@pytest.mark.usefixtures("rpmbuild")
def test_the_keys_of_list_and_doctor_are_those_of_the_documentation(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All packages, built or not; all programs."""
    program = Program("patch", "patch", ("build",), "applies patches", "/usr/bin/patch", "2.7")
    monkeypatch.setattr(host_programs, "programs", lambda root: [program])
    monkeypatch.setattr(disk, "usage", lambda folder: 1)

    listed: dict[str, Any] = listing.run(project, Selection("latest", "all", "all", "all"))
    assert {"3.4.3"} <= {package["version"] for package in listed["packages"]}
    assert [] == _undocumented([listed, doctor.run(project)])
