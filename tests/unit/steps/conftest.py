"""What tests of several steps share: a script in place of cmake and ninja."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.toolchain import compiler


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Replaces cmake and ninja by a shell script; nothing is added to the library."""
    script = tmp_path / "program"
    monkeypatch.setattr(compiler, "program", lambda name: script)
    monkeypatch.setattr(compiler, "support", lambda plan, root: [])

    def write(body: str) -> None:
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)

    return write
