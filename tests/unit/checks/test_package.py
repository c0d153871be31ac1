"""All checks together: a good package, and the list of checks."""

from __future__ import annotations

import inspect

from pipeline.checks.package import CHECKS
from tests.unit.checks.case import Case


def test_a_good_package_has_no_findings(good: Case) -> None:
    """No check reports anything."""
    assert [] == good.findings()


def test_names_of_checks_are_unique() -> None:
    """A finding begins with the name of its check, so a name identifies a function."""
    names = [check.__name__ for check in CHECKS]
    assert sorted(set(names)) == sorted(names)


def test_a_finding_begins_with_the_name_of_its_check(good: Case) -> None:
    """Also where nearly all is wrong at once."""
    bad = good.with_facts(library=None, host_names=(("place", "word"),), trials=(), file_name="x")
    bad = bad.with_header(files=(), provides=(), changelog=(), tags={})
    for check in CHECKS:
        names = {finding.check for finding in check(bad.facts, bad.plan, bad.manifest)}
        assert names <= {check.__name__}


def test_every_check_has_a_docstring() -> None:
    """The first line of its documentation is the promise to the user."""
    for check in CHECKS:
        assert (inspect.getdoc(check) or "").splitlines()[0].endswith(".")


def test_a_package_without_a_library_is_reported_by_one_check(good: Case) -> None:
    """The checks of a library have nothing to say where there is none."""
    messages = good.with_facts(library=None).findings()
    assert ["manifest", "soname"] == [finding.check for finding in messages]
