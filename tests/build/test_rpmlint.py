"""What rpmlint says of packages and specs; each complaint that we live with is explained."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from pipeline import build, workspace
from tests.build.conftest import EVERY, ROOT, Package

SETTINGS = ROOT / "tests" / "rpmlint.toml"


@pytest.mark.parametrize(("version", "dist"), EVERY)
def test_package_and_spec_are_clean(package: Package, version: str, dist: str) -> None:
    """In strict mode nothing is left after the explained filters."""
    built = package(version, dist)
    room = build.prepare(built.plan, workspace.locate(ROOT)).room("package")
    # The system's own, and not one that an environment may hold: it needs the system's rpm module.
    rpmlint = shutil.which("rpmlint", path="/usr/bin:/usr/local/bin")
    assert rpmlint, "no rpmlint 2 on this host; see buildroot/host-programs.txt"

    done = subprocess.run(
        [rpmlint, "--strict", "-c", str(SETTINGS), str(built.rpm), *map(str, room.glob("*.spec"))],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 packages and 1 specfiles checked; 0 errors, 0 warnings" in done.stdout, done.stdout
    assert 0 == done.returncode
