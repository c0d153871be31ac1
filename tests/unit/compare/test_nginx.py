"""`nginx`: what it serves, and the numbers of wrk."""

from __future__ import annotations

from pipeline.compare import nginx


def test_the_numbers_of_wrk_are_in_our_units() -> None:
    """Microseconds there, seconds and milliseconds here."""
    answers = nginx.parse(3000, 2_000_000, 1500, 25000, 0, 4)

    assert (1500.0, 1.5, 25.0, 4) == (answers.rate, answers.p50, answers.p99, answers.broken)


def test_what_is_served_is_the_same_each_time() -> None:
    """And as long as it should be."""
    assert 8192 == len(nginx.text(8192))
    assert nginx.text(2048) == nginx.text(2048)
    assert nginx.text(2048) != nginx.text(8192)[:2048]
