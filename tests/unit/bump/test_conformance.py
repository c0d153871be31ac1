"""Conformance of a release, compared with that of the release before."""

from pipeline.bump import conformance

LOG = """\
$ ./aligned
aligned: 500000 blocks
conformance: conformance: errno-kept calls 40 violations 0
conformance: zero-size calls 12 violations 3
conformance: fork calls 8 violations 0
object: done
"""


def test_the_most_violations_of_all_packages_count() -> None:
    """In whichever package they are; other lines of a log are none of a rule."""
    other = "conformance: fork calls 8 violations 2\nconformance: no rule\n"

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
