"""`.ci/with-key`: the signing key exists for one command only."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import ROOT

# Prints what the command can read of the key.
SCRIPT = (
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


def _with_key(secret: str, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / ".ci/with-key", *command],
        env={**os.environ, "SIGNING_KEY": secret, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("code", [0, 3])
def test_the_key_exists_for_one_command(secret: str, tmp_path: Path, code: int) -> None:
    """In a separate GnuPG home, not in the environment, not in the output; removed afterwards."""
    result = _with_key(secret, tmp_path, "sh", "-c", f"{SCRIPT}; exit {code}")

    home, environment, *keys = result.stdout.splitlines()
    assert tmp_path == Path(home).parent
    assert "not in the environment" == environment
    assert 1 == sum(line.startswith("sec:") for line in keys)
    assert "PRIVATE KEY" not in result.stdout + result.stderr
    assert (code, []) == (result.returncode, list(tmp_path.iterdir()))


@pytest.mark.parametrize(
    ("secret", "message"), [("", "SIGNING_KEY"), ("not a key", "no valid OpenPGP data")]
)
def test_without_a_key_the_command_is_not_run(tmp_path: Path, secret: str, message: str) -> None:
    """If the secret is not set, as in a fork, that is an error: no unsigned release."""
    result = _with_key(secret, tmp_path, "echo", "it ran")

    assert 0 != result.returncode
    assert "" == result.stdout
    assert message in result.stderr
    assert [] == list(tmp_path.iterdir())


def test_without_a_command_the_usage_is_printed(secret: str, tmp_path: Path) -> None:
    """And the exit code is EX_USAGE."""
    result = _with_key(secret, tmp_path)

    assert 64 == result.returncode
    assert result.stderr.startswith("usage:")
