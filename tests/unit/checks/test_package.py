"""All checks together, and the checks of host names and trials."""

import inspect

from pipeline.checks.package import CHECKS, LIBRARY_CHECKS
from pipeline.model import Trial
from tests.unit.checks.case import Case


def test_a_good_package_has_no_findings(good: Case) -> None:
    """No check reports anything."""
    assert [] == good.findings()


def test_names_of_checks_are_unique() -> None:
    """A finding begins with the name of its check, so a name identifies a function."""
    names = [check.__name__ for check in (*CHECKS, *LIBRARY_CHECKS)]
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
    for check in (*CHECKS, *LIBRARY_CHECKS):
        assert (inspect.getdoc(check) or "").splitlines()[0].endswith(".")


def test_a_package_without_a_library_is_reported_by_one_check(good: Case) -> None:
    """The checks of a library have nothing to say where there is none."""
    messages = good.with_facts(library=None).findings()
    assert ["manifest", "soname"] == [finding.check for finding in messages]


def test_a_host_name_is_named_with_its_place(good: Case) -> None:
    """The finding has the place in the package and the name."""
    (message,) = good.with_facts(host_names=(("/opt/dep/lib64/a.o", "/home/me"),)).messages()
    assert (
        "host_names: /opt/dep/lib64/a.o: expected no path or name of the build host, got /home/me"
        == message
    )


def test_a_failed_trial_has_its_output(good: Case) -> None:
    """The last lines of the program are the evidence."""
    trials = (*good.facts.trials, Trial("forks", False, "first\nsecond\n"))
    (finding,) = good.with_facts(trials=trials).findings()
    assert ["trials: forks: expected passed, got:", "  first", "  second"] == finding.lines()


def test_a_failure_without_output_is_found(good: Case) -> None:
    """A program that is killed may have no output."""
    trials = (*good.facts.trials, Trial("forks", False, ""))
    assert ["trials: forks: expected passed, got failed"] == good.with_facts(
        trials=trials
    ).messages()


def test_a_trial_that_did_not_run_is_found(good: Case) -> None:
    """Every required trial must run."""
    messages = good.with_facts(required=("loads", "threads")).messages()
    assert ["trials: threads: expected passed, got did not run"] == messages


def test_a_package_without_trials_is_found(good: Case) -> None:
    """Also if no trial is required."""
    (message,) = good.with_facts(trials=(), required=()).messages()
    assert f"trials: {good.facts.file_name}: expected programs that ran on it, got none" == message
