"""What the unit tests share: no network, a plan, a scratch checkout, a local server."""

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifact import placement
from pipeline.build import order, selection
from pipeline.model import Options, Plan
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, Workspace
from tests.unit import release, server
from tests.unit.staged import lay_out

PROJECT = Path(__file__).resolve().parents[2]

LOOPBACK = ("127.0.0.1", "::1", "localhost", None)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test that uses the network, in a way that no `except` of ours catches."""
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            pytest.fail(f"a unit test uses the network: {address}")
        connect(self, address)

    def guarded_getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        if host not in LOOPBACK:
            pytest.fail(f"a unit test uses the network: {host}")
        return getaddrinfo(host, *rest, **more)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes variables of the user that have an effect."""
    prefixes = ("MIMALLOC_", "XDG_", "PIP_", "GIT_")
    for name in os.environ:
        if name.lower().endswith("_proxy") or name.startswith(prefixes):
            monkeypatch.delenv(name)
    # A dumb terminal shows no progress bars.
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def signals() -> Iterator[None]:
    """Restores the handlers that a command sets for the signals that end it."""
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def project() -> Path:
    """The checkout of the tests."""
    return PROJECT


@pytest.fixture(scope="session")
def real_plan() -> Plan:
    """2.0.6 for el7, from the real recipes."""
    return selection.plan(PROJECT, "2.0.6", "el7", "x86_64")


@pytest.fixture
def plan(real_plan: Plan) -> Plan:
    """2.0.6 for el7, pinned to the tiny release and its tarball; no patches, and no profile."""
    upstream = release.source(release.tarball(), "https://upstream.invalid/v2.0.6.tar.gz")
    tree = release.identity()
    return release.recast(real_plan, tree=tree, source=(upstream,), patch=(), profile="")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The workspace of a scratch checkout, with a cache of its own; both are empty."""
    return Workspace(root=tmp_path / "checkout", cache=tmp_path / "cache")


@pytest.fixture
def checkout(workspace: Workspace) -> Path:
    """The scratch checkout, with the project's data except for manifests, and without code."""
    for name in ("recipes", "buildroot", "patches"):
        shutil.copytree(
            PROJECT / name,
            workspace.root / name,
            ignore=shutil.ignore_patterns("manifests"),
            copy_function=shutil.copyfile,
        )
    return workspace.root


@pytest.fixture
def make_dirs(workspace: Workspace) -> Callable[..., StepDirs]:
    """Makes the directories of the named steps."""

    def make(*steps: str, offline: bool = False) -> StepDirs:
        names = [step.name for step in (*order.STEPS, order.DEBUGINFO, order.SRPM)]
        names += placement.ARTIFACTS
        dirs = StepDirs(workspace, dict.fromkeys(names, "0" * 64), Options(offline))
        for step in steps:
            dirs.folder(step).mkdir(parents=True, exist_ok=True)
        return dirs

    return make


@pytest.fixture
def staged(checkout: Path, make_dirs: Callable[..., StepDirs]) -> StepDirs:
    """The directories of the stage and package steps, with a few staged files."""
    dirs = make_dirs("stage", "package")
    lay_out(dirs.stage)
    return dirs


@pytest.fixture
def report() -> Report:
    """A report that prints."""
    return Report()


@pytest.fixture
def http() -> Iterator[server.Server]:
    """A server on the loopback interface; a test sets its answers."""
    with server.serving() as running:
        yield running


@pytest.fixture
def rpmbuild(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the version of the host's rpmbuild, which need not be installed."""
    monkeypatch.setattr("pipeline.toolchain.rpmbuild.version", lambda: "4.18.0")
