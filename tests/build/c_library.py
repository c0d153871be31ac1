"""Packages without files that stand in for others, as for the C library in a scratch root."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from pipeline.model import Built
from tests.build import rpm_spec

SPEC = """
Name: {name}
Version: {version}
Release: 1
Summary: Stands in for another package
License: MIT
BuildArch: noarch
{tags}
%description
Stands in for another package.
%files
"""


def stand_in(packages: list[Built], work: Path) -> Path:
    """The RPM that provides what these packages need that is not rpm's."""
    needs: set[str] = set()
    for built in packages:
        command = ["rpm", "-qp", "--nosignature", "--requires", str(built.rpm)]
        needs |= set(subprocess.check_output(command, text=True).splitlines())
    provided = sorted(need for need in needs if not need.startswith("rpmlib("))
    tags = (f"Provides: {need}" for need in provided)
    return without_files("stand-in-for-the-c-library", "1", tags, work)


def without_files(name: str, version: str, tags: Iterable[str], work: Path) -> Path:
    """An RPM with these lines in its spec."""
    text = SPEC.format(name=name, version=version, tags="\n".join(tags))
    return rpm_spec.build(text, work / name)
