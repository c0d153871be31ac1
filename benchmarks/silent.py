"""A report of what is only made ready, and not measured."""

from __future__ import annotations

from pipeline.system.report import Report


class Silent(Report):
    """Says nothing."""

    def line(self, text: str) -> None:
        """No news."""
