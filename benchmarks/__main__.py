"""The door: python -m benchmarks build|grid|library [--sample] [--dist DIST]."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks import settings
from pipeline.compare import host_description
from pipeline.model.errors import PackagingError
from pipeline.system.report import Report

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Run one benchmark; the answer is the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("which", choices=("build", "grid", "library"))
    parser.add_argument("--sample", action="store_true", help="one round of the smallest work")
    parser.add_argument("--dist", help="whose library is measured (default: benchmarks.toml)")
    asked = parser.parse_args(arguments)
    report = Report()
    try:
        chosen = settings.load()
        chosen = chosen.sampled() if asked.sample else chosen
        if asked.dist:
            chosen = replace(chosen, library=replace(chosen.library, dist=asked.dist))
        for line in host_description.lines():
            report.line(line)
        if asked.which == "build":
            from benchmarks import builds

            builds.run(chosen, ROOT, report)
        elif asked.which == "grid":
            from benchmarks import grids

            grids.run(chosen, ROOT, report)
        else:
            from benchmarks import library

            library.run(chosen, ROOT, report)
    except PackagingError as problem:
        Report().line(str(problem))
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
