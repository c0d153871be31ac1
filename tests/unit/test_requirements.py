"""Each Python package in a lock has an owner: a sentence in CONTRIBUTING.md, or what needs it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "requirements"
LOCKS = ("build", "compare", "tests")

# A package of a lock: its name, lines with its hashes, and the comment that says who needs it.
_ENTRY = re.compile(r"^([\w.-]+)==.*\n(?:    --hash=.*\n)+(?:    # via (.*)\n)?", re.MULTILINE)


def _direct(name: str) -> set[str]:
    """The packages that an .in file names, with a comment that says what for."""
    lines = (FOLDER / f"{name}.in").read_text().splitlines()
    entries = [re.match(r"([\w-]+)[^#]*# \w", line) for line in lines if re.match(r"\w", line)]
    return {entry[1] if entry else "" for entry in entries}


def orphans(lock: str, direct: set[str]) -> list[str]:
    """The packages of a lock that neither an .in file nor a package with an owner needs."""
    needs = {entry: (via or "").split(", ") for entry, via in _ENTRY.findall(lock)}
    owned = direct
    while added := {name for name, by in needs.items() if owned.intersection(by)} - owned:
        owned |= added
    return sorted(needs.keys() - owned)


def _locked(name: str) -> str:
    return (FOLDER / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_an_owner(name: str) -> None:
    """It is named in an .in file, or something that is needs it, as the lock says."""
    lock = _locked(name)

    assert len(re.findall("^[^ ].*==", lock, re.MULTILINE)) == len(_ENTRY.findall(lock))
    assert [] == orphans(lock, _direct(name))


def test_a_package_without_an_owner_is_found() -> None:
    """Also two that need only each other."""
    entries = {"good": "-r x.in", "one": "two", "two": "one", "three": "good"}
    lock = "".join(f"{name}==1 \\\n    --hash=a\n    # via {by}\n" for name, by in entries.items())

    assert ["one", "two"] == orphans(lock, {"good"})
    assert ["bare"] == orphans("bare==1 \\\n    --hash=a\n", {"good"})


@pytest.mark.parametrize("name", LOCKS)
def test_every_direct_package_has_a_sentence(name: str) -> None:
    """Its name is bold there, under the file that names it."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text.partition(f"(`{name}.in`):")[2].partition("\n\nNeeded by")[0]
    # An extra and the types of a package belong to it.
    assert _direct(name) <= {*re.findall(r"\*\*([\w-]+)\*\*", section), "cyclonedx-python-lib"}


def test_the_machine_that_signs_has_no_test_tool() -> None:
    """Its lock is that of every task: nothing in it is there for the tests or the comparison."""
    signing = {entry for entry, _ in _ENTRY.findall(_locked("build"))}

    assert signing.isdisjoint((_direct("tests") | _direct("compare")) - _direct("build"))
