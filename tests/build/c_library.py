"""A package that stands in for the C library and its loader, which are not in a scratch root."""

import subprocess
from pathlib import Path

from pipeline.model import Built

SPEC = """
Name: stand-in-for-the-c-library
Version: 1
Release: 1
Summary: Stands in for the C library
License: MIT
BuildArch: noarch
{provides}
%description
Stands in for the C library.
%files
"""


def stand_in(packages: list[Built], work: Path) -> Path:
    """The RPM; it provides what these packages need that is neither rpm's nor their own."""
    needs: set[str] = set()
    for built in packages:
        command = ["rpm", "-qp", "--nosignature", "--requires", str(built.rpm)]
        needs |= set(subprocess.check_output(command, text=True).splitlines())
    provided = sorted(need for need in needs if not need.startswith(("rpmlib(", "libmimalloc")))
    work.mkdir(exist_ok=True)
    spec = work / "stand-in.spec"
    spec.write_text(SPEC.format(provides="\n".join(f"Provides: {need}" for need in provided)))
    command = ["rpmbuild", "-bb", "--define", f"_topdir {work / 'top'}", str(spec)]
    subprocess.run(command, check=True, capture_output=True)
    return next((work / "top").rglob("*.rpm"))
