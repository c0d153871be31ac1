"""Checks of traces and trials."""

from __future__ import annotations

from pipeline.model import Trial
from tests.unit.checks.case import Case


def test_a_trace_is_told_with_its_place(good: Case) -> None:
    """The word, and where in the package it is."""
    (told,) = good.with_facts(traces=(("/opt/dep/lib64/a.o", "/home/me"),)).told()
    assert "traces: /opt/dep/lib64/a.o: expected no word of the building host, got /home/me" == told


def test_a_failed_trial_is_told_with_its_output(good: Case) -> None:
    """What the program said last is the evidence."""
    trials = (*good.facts.trials, Trial("forks", False, "one\ntwo\n"))
    (finding,) = good.with_facts(trials=trials).findings()
    assert ["trials: forks: expected passed, got:", "  one", "  two"] == finding.lines()


def test_a_silent_failure_is_still_told(good: Case) -> None:
    """A program that dies may say nothing."""
    trials = (*good.facts.trials, Trial("forks", False, ""))
    assert ["trials: forks: expected passed, got failed"] == good.with_facts(trials=trials).told()


def test_a_trial_that_did_not_run_is_found(good: Case) -> None:
    """A trial that is left out proves nothing."""
    told = good.with_facts(required=("loads", "threads")).told()
    assert ["trials: threads: expected passed, got did not run"] == told


def test_a_package_that_nobody_tried_is_found(good: Case) -> None:
    """Even where no trial in particular is demanded."""
    (told,) = good.with_facts(trials=(), required=()).told()
    assert f"trials: {good.facts.file_name}: expected programs run on it, got none" == told
