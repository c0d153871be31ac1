"""The command line: python -m benchmarks BENCHMARK [--sample] [--dist DIST]."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks import build, library, parallel, promises, promises_page
from benchmarks.settings import load
from pipeline.model.errors import PackagingError
from pipeline.system.report import Report
from pipeline.toolchain import host_programs

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = {
    "build": build.run,
    "grid": parallel.run,
    "library": library.run,
    "promises": promises.run,
    "page": promises_page.run,
}


def main(arguments: list[str]) -> int:
    """Run one benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("benchmark", choices=BENCHMARKS)
    parser.add_argument("--sample", action="store_true", help="one round of the smallest work")
    parser.add_argument("--dist", help="whose library is measured (default: benchmarks.toml)")
    parser.add_argument("--allocator", action="append", help="of library: NAME=PATH; repeatable")
    options = parser.parse_args(arguments)
    report = Report()
    try:
        settings = load().sampled() if options.sample else load()
        changes = {"dist": options.dist, "allocators": tuple(options.allocator or ())}
        changes = {name: value for name, value in changes.items() if value}
        settings = replace(settings, library=replace(settings.library, **changes))
        for line in host_programs.description():
            report.line(line)
        BENCHMARKS[options.benchmark](settings, ROOT, report)
    except PackagingError as problem:
        report.line(str(problem))
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
