"""A publisher: a checkout, signing keys, and an HTTP server on the loopback interface."""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pipeline.artifact import statement
from pipeline.build import make, selection
from pipeline.model import Built
from pipeline.system import workspace
from pipeline.system.report import Report
from tests.build.conftest import copy_of_project, invoke_in, share_steps

PLACEHOLDER = "mimalloc-custom maintainers <maintainers@mimalloc-custom.invalid>"
CONTACT = "Publisher <packages@publisher.test>"

OWN, FOREIGN, LOCKED, CURVE, OLD = "own", "foreign", "locked", "curve", "old"


def set_contact(checkout: Path) -> None:
    """Sets who can be written to, as every publisher must."""
    recipe = checkout / "recipes" / "package.toml"
    text = recipe.read_text()
    assert PLACEHOLDER in text
    recipe.write_text(text.replace(PLACEHOLDER, CONTACT))


def origin(folder: Path) -> Path:
    """A checkout with a contact."""
    checkout = copy_of_project(folder / "checkout")
    set_contact(checkout)
    share_steps(checkout)
    return checkout


@dataclass(frozen=True)
class Publisher:
    """A checkout, that whose packages are taken into it, and a GnuPG home with signing keys."""

    checkout: Path
    origin: Path
    gnupg: Path

    @property
    def served(self) -> Path:
        """The tree that is served."""
        return self.checkout / "repository"

    def invoke(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `invoke` in the checkout."""
        return invoke_in(self.checkout, *arguments, GNUPGHOME=str(self.gnupg))

    def done(self, *arguments: str) -> str:
        """Runs `invoke`, which must succeed; its output."""
        result = self.invoke(*arguments)
        assert 0 == result.returncode, result.stdout + result.stderr
        return result.stdout

    def take(self, *packages: Built) -> list[Path]:
        """Copies packages, made with the contact, into the ``dist/`` of the checkout."""
        return [self._copy(self._with_contact(built).rpm) for built in packages]

    def take_all(self, built: Built) -> list[Path]:
        """Copies a package and its sub-package."""
        rpm = self._with_contact(built).rpm
        return [self._copy(rpm.with_name(name)) for name in built.plan.file_names]

    def take_debuginfo(self, built: Built) -> Path:
        """Copies the debug information of a package."""
        plan = self._with_contact(built).plan
        return self._copy(make.step(plan, workspace.locate(self.origin), Report(), "debuginfo"))

    def _with_contact(self, built: Built) -> Built:
        plan = built.plan
        which = (plan.recipe.version, plan.root.dist, plan.arch, plan.variant)
        again = selection.plan(self.origin, *which)
        return make.package(again, workspace.locate(self.origin), Report())

    def _copy(self, rpm: Path) -> Path:
        target = self.checkout / rpm.relative_to(self.origin)
        target.parent.mkdir(parents=True, exist_ok=True)
        for file in (rpm, *statement.accompanying_files(rpm)):
            shutil.copy2(file, target.parent)
        return target

    def publish(self, url: str, *options: str, key: str = OWN) -> str:
        """Signs and serves all packages."""
        self.done("sign", "--key", f"{key}@example.invalid")
        return self.done("repo", "--key", f"{key}@example.invalid", "--url", url, *options)

    def gpg(self, *arguments: str | Path) -> str:
        """Runs gpg with the keys."""
        return gpg(self.gnupg, *arguments)

    def sign_file(self, file: Path, key: str) -> None:
        """Replaces the detached signature beside a file."""
        self.gpg("--yes", "--armor", "-u", f"{key}@example.invalid", "--detach-sign", file)

    def sign_by_hand(self, rpm: Path, key: str) -> None:
        """Signs a package with rpmsign, without our checks."""
        macros = {"__gpg": shutil.which("gpg"), "_gpg_name": f"{key}@example.invalid"}
        defines = [
            part for name, value in macros.items() for part in ("--define", f"{name} {value}")
        ]
        environment = {"PATH": "/usr/bin:/bin", "GNUPGHOME": str(self.gnupg)}
        command = ["rpmsign", *defines, "--addsign", str(rpm)]
        subprocess.run(command, env=environment, check=True, capture_output=True)

    def fingerprint(self, key: str = OWN) -> str:
        """The fingerprint of a key (40 hex digits)."""
        listing = self.gpg("--with-colons", "--list-keys", f"{key}@example.invalid")
        return next(line.split(":")[9] for line in listing.splitlines() if line[:3] == "fpr")


def gpg(home: Path, *arguments: str | Path) -> str:
    """The output of gpg. Raises CalledProcessError."""
    return subprocess.run(
        ["gpg", "--batch", "--quiet", *map(str, arguments)],
        env={**os.environ, "GNUPGHOME": str(home)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@contextmanager
def keys() -> Iterator[Path]:
    """A GnuPG home with our key, a foreign one, a locked one, and two that EL7 and EL9 refuse."""
    # The path of the agent's socket must be short.
    with tempfile.TemporaryDirectory(prefix="gpg-") as folder:
        home = Path(folder)
        kinds = {**dict.fromkeys((OWN, FOREIGN, LOCKED, OLD), "rsa2048"), CURVE: "ed25519"}
        for name, kind in kinds.items():
            passphrase = "a passphrase" if name == LOCKED else ""
            options = ["--pinentry-mode", "loopback", "--passphrase", passphrase]
            options += ["--cert-digest-algo", "SHA1" if name == OLD else "SHA256"]
            owner = f"Key {name} <{name}@example.invalid>"
            gpg(home, *options, "--quick-generate-key", owner, kind, "sign", "never")
        end_agent = ["gpgconf", "--homedir", str(home), "--kill", "all"]
        # The agent would remember the passphrase.
        subprocess.run(end_agent, check=True)
        yield home
        subprocess.run(end_agent, check=True)


@contextmanager
def copy_of_keys(home: Path) -> Iterator[Path]:
    """A copy of a GnuPG home, whose keys may be changed."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as folder:
        for one in home.iterdir():
            if not one.is_socket():
                copy = shutil.copytree if one.is_dir() else shutil.copy2
                copy(one, Path(folder) / one.name)
        yield Path(folder)
        subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=True)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serves a folder on the loopback interface; yields its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
