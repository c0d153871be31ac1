"""The checks of host names and trials."""

from __future__ import annotations

from pipeline.model import Trial
from tests.unit.checks.case import Case


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
