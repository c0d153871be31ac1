"""The key of a release is there for one command, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import ROOT

# What the command sees of the key, and where.
LOOK = (
    'echo "$GNUPGHOME"; echo "${SIGNING_KEY-not in the environment}";'
    "gpg --batch --quiet --with-colons --list-secret-keys"
)


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An armored secret key without a passphrase."""
    home = tmp_path_factory.mktemp("gnupg")
    home.chmod(0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-generate-key", "Packager", "ed25519", "sign"], check=True)
    armored = subprocess.check_output([*gpg, "--armor", "--export-secret-keys"], text=True)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    return armored


def _with_key(secret: str, place: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / ".ci/with-key", *command],
        env={**os.environ, "SIGNING_KEY": secret, "TMPDIR": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("code", [0, 3])
def test_the_key_is_there_for_one_command(secret: str, tmp_path: Path, code: int) -> None:
    """In a home of its own, not in the environment, not in what is printed; gone afterwards."""
    done = _with_key(secret, tmp_path, "sh", "-c", f"{LOOK}; exit {code}")

    home, environment, *keys = done.stdout.splitlines()
    assert tmp_path == Path(home).parent
    assert "not in the environment" == environment
    assert 1 == sum(line.startswith("sec:") for line in keys)
    assert "PRIVATE KEY" not in done.stdout + done.stderr
    assert (code, []) == (done.returncode, list(tmp_path.iterdir()))


@pytest.mark.parametrize(
    ("secret", "complaint"), [("", "SIGNING_KEY"), ("not a key", "no valid OpenPGP data")]
)
def test_without_a_key_nothing_is_run(tmp_path: Path, secret: str, complaint: str) -> None:
    """A secret that is not set, as in a fork, is an error, and not an unsigned release."""
    done = _with_key(secret, tmp_path, "echo", "it ran")

    assert 0 != done.returncode
    assert "" == done.stdout
    assert complaint in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_no_command_is_a_mistake(secret: str, tmp_path: Path) -> None:
    """Nothing to run is not a success."""
    done = _with_key(secret, tmp_path)

    assert 64 == done.returncode
    assert done.stderr.startswith("usage:")
