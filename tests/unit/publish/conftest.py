"""A key for tests that do not run gpg."""

import shutil
from pathlib import Path

import pytest

from pipeline.publish.key import Key


@pytest.fixture
def key(tmp_path: Path) -> Key:
    """A key that exists in no keyring."""
    fingerprint = "0123456789ABCDEF" * 2 + "01234567"
    return Key(fingerprint, "Nobody <nobody@x.invalid>", "public key\n", "sha256", tmp_path)


@pytest.fixture
def checkout(project: Path, tmp_path: Path) -> Path:
    """A copy of the project's data, to change."""
    for name in ("recipes", "buildroot"):
        shutil.copytree(project / name, tmp_path / "checkout" / name)
    return tmp_path / "checkout"
