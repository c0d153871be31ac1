"""An RPM from the text of a spec, as rpmbuild of this host makes it, but for what it would add."""

import os
import subprocess
from pathlib import Path

MACROS = {
    "_build_id_links": "none",
    "__os_install_post": "%{nil}",
    "debug_package": "%{nil}",
}


def build(text: str, work: Path, *options: str) -> Path:
    """The RPM, in a folder of its own, without the user's macros."""
    work.mkdir(parents=True, exist_ok=True)
    spec = work / "a.spec"
    spec.write_text(text)
    macros = {**MACROS, "_topdir": str(work / "top")}
    defines = [part for name, value in macros.items() for part in ("--define", f"{name} {value}")]
    environment = {**os.environ, "HOME": str(work)}
    command = ["rpmbuild", "-bb", *options, *defines, str(spec)]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    (rpm,) = (work / "top").rglob("*.rpm")
    return rpm
