"""What the probes print becomes trials: one for each rule, which a recipe may accept."""

import pytest

from pipeline.smoke import conformance
from pipeline.smoke.conformance import Outcome

VARIANTS = ("preloaded", "archive", "object")


def outcome(*counts: tuple[str, int, int], code: int | None = None, errors: str = "") -> Outcome:
    """A probe that prints these rules, calls and violations, and ends as it should."""
    bad = sum(violations for _, _, violations in counts)
    rows = [*counts, ("total", sum(calls for _, calls, _ in counts), bad)]
    text = "".join(f"conformance: {r} calls {n} violations {v}\n" for r, n, v in rows)
    return Outcome(int(bad > 0) if code is None else code, text, errors)


GOOD = outcome(("null", 3, 0), ("null-size", 4, 0))
BAD = outcome(("null", 3, 0), ("null-size", 4, 2), errors="conformance: null-size: free: why\n")


def verdicts(*outcomes: Outcome, accepted: tuple[str, ...] = ()) -> dict[str, bool]:
    """The name of each trial, and whether it passed."""
    done = conformance.rules(dict(zip(VARIANTS, outcomes, strict=True)), accepted)
    return {trial.name.removeprefix("conformance: "): trial.passed for trial in done}


@pytest.mark.parametrize(
    ("outcomes", "accepted", "expected"),
    [
        ((GOOD, GOOD, GOOD), (), (True, True, True)),
        # One variant is enough for a violation, and for the need of an acceptance.
        ((GOOD, BAD, GOOD), (), (False, True, False)),
        ((GOOD, BAD, GOOD), ("null-size",), (True, True, True)),
        ((BAD, BAD, BAD), ("null-size",), (True, True, True)),
        ((BAD, BAD, BAD), ("null",), (False, False, False)),
        ((GOOD, GOOD, GOOD), ("null-size",), (False, True, False)),
        ((BAD, BAD, BAD), ("null-size", "no-such-rule"), (False, True, True)),
    ],
)
def test_exactly_the_accepted_rules_are_violated(
    outcomes: tuple[Outcome, ...], accepted: tuple[str, ...], expected: tuple[bool, ...]
) -> None:
    """The trial of all, then `null`, then `null-size`."""
    results = verdicts(*outcomes, accepted=accepted)

    assert dict(zip(("conformance", "null", "null-size"), expected, strict=True)) == results


@pytest.mark.parametrize(
    "broken",
    [
        Outcome(-11, "", "conformance: signal 11 after null\n"),
        Outcome(2, "", "conformance: not running on mimalloc; set LD_PRELOAD\n"),
        Outcome(None, "", "the probe conformance does not compile or link\n"),
        outcome(("null", 3, 0), ("null-size", 4, 0), code=1),
        outcome(("null", 3, 0), ("null-size", 4, 1), code=0),
        outcome(("null", 3, 1), ("null-size", 0, 0), code=-11),
    ],
)
def test_a_probe_that_does_not_end_well_fails(broken: Outcome) -> None:
    """Whatever its counts say, and with its last words."""
    done = conformance.rules(dict(zip(VARIANTS, (GOOD, broken, GOOD), strict=True)), ("null",))

    assert not done[0].passed
    end = "it did not run" if broken.code is None else f"exit code {broken.code}"
    assert f"archive: {broken.errors.strip()}\n{end}" in done[0].output


def test_a_rule_that_was_not_reached_does_not_hold() -> None:
    """After a crash, all later rules have no calls."""
    crashed = outcome(("null", 3, 1), ("null-size", 0, 0), code=-11)

    assert {"conformance": False, "null": False, "null-size": False} == verdicts(
        GOOD, crashed, GOOD
    )


def test_rules_are_judged_by_the_probes_that_print_them() -> None:
    """One that did not run fails the trial of all, once, and not that of each rule."""
    missing = Outcome(None, "", "it does not link")

    assert {"conformance": False, "null": True, "null-size": True} == verdicts(GOOD, missing, GOOD)


def test_the_trial_of_a_rule_shows_what_was_violated() -> None:
    """The first violations and the counts; what all variants print stands there once."""
    done = conformance.rules(dict(zip(VARIANTS, (BAD, GOOD, BAD), strict=True)), ())

    assert "rules that do not hold: null-size" == done[0].output
    assert "preloaded, archive, object: calls 3 violations 0" == done[1].output
    expected = "preloaded, object: free: why\ncalls 4 violations 2\narchive: calls 4 violations 0"
    assert expected == done[2].output


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("null", "accepted by the recipe, but no longer needed there"),
        ("null-size", "accepted by the recipe"),
    ],
)
def test_acceptance_is_shown(rule: str, text: str) -> None:
    """Also where it is right."""
    done = conformance.rules(dict.fromkeys(VARIANTS, BAD), (rule,))
    trial = next(trial for trial in done if trial.name == f"conformance: {rule}")

    assert trial.output.endswith(text)


@pytest.mark.parametrize(
    ("first", "passed"),
    [
        (Outcome(0, "first-call: total calls 9 violations 0\n", ""), True),
        (
            Outcome(1, "first-call: free: signal 11\nfirst-call: total calls 9 violations 1\n", ""),
            False,
        ),
        (Outcome(0, "", ""), False),
        (Outcome(0, "first-call: total calls 0 violations 0\n", ""), False),
        (Outcome(-11, "first-call: total calls 9 violations 0\n", ""), False),
    ],
)
def test_first_calls_are_made_and_usable(first: Outcome, passed: bool) -> None:
    """The constructor has run, to its end, and has called something."""
    good = Outcome(0, "first-call: total calls 9 violations 0\n", "")
    trial = conformance.first_call({"preloaded": good, "archive": first})

    assert ("first-call", passed) == (trial.name, trial.passed)
    assert first.output.strip() in trial.output
