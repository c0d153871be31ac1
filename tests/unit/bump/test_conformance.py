"""Conformance of a release, compared with that of the release before."""

from pipeline.bump import conformance
from pipeline.smoke import conformance as smoke
from pipeline.smoke.conformance import Outcome


def _log(**violations: tuple[int, int]) -> str:
    """What the check writes of rules whose violations differ, preloaded and linked."""
    outcomes = {}
    for place, name in enumerate(("preloaded", "archive")):
        counts = {rule.replace("_", "-"): pair[place] for rule, pair in violations.items()}
        lines = [f"conformance: {rule} calls 40 violations {n}\n" for rule, n in counts.items()]
        errors = [
            f"conformance: {rule}: realloc: size 0: NULL\n" for rule, n in counts.items() if n
        ]
        outcomes[name] = Outcome(int(any(counts.values())), "".join(lines), "".join(errors))
    first = Outcome(1, "first-call: total calls 132 violations 16\n", "")
    trials = (*smoke.rules(outcomes, ()), smoke.first_call({"preloaded": first}))
    return "aligned: total calls 9 violations 8\n" + "".join(
        f"{trial.name}: {trial.output}\n" for trial in trials
    )


LOG = _log(errno_kept=(0, 0), zero_size=(0, 3), fork=(0, 0))


def test_the_most_violations_of_all_packages_count() -> None:
    """In whichever package they are; other lines of a log are none of a rule."""
    other = _log(fork=(2, 1))

    assert {"errno-kept": 0, "zero-size": 3, "fork": 2} == conformance.violations([LOG, other])
    assert {} == conformance.violations(["", "aligned: calls 4 violations 3\n"])


def test_rules_that_are_violated_or_kept_now_are_shown() -> None:
    """With what is left to do in the recipe, which carries what the former one accepts."""
    new = conformance.violations([LOG])

    assert [
        "newly violated: zero-size; correct with a patch, or give a reason in [[accepted]]: "
        "zero-size",
        "no longer violated: errno-kept, fork; remove from [[accepted]]: errno-kept",
    ] == list(conformance.comparison({"errno-kept", "fork"}, new, {"errno-kept"}))
    assert ["newly violated: zero-size"] == list(conformance.comparison((), new, {"zero-size"}))


def test_nothing_is_said_where_nothing_differs() -> None:
    """Nor of a rule that was not tried."""
    new = conformance.violations([LOG])

    assert [] == list(conformance.comparison({"zero-size", "gone"}, new, {"zero-size", "gone"}))
