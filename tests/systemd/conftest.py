"""A machine with systemd for all tests, and a signed repository that it can reach."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.model import Built
from tests.build import rpm_spec
from tests.build.c_library import stand_in
from tests.build.conftest import (
    NEWEST,
    Package,
    copy_of_project,
    gnupg,
    origin,
    package,
    share_steps,
    subpackage,
)
from tests.build.publisher import Publisher, set_contact
from tests.systemd.layout import ENTERPRISE, Layout
from tests.systemd.machine import Done, Machine, started, wait_until
from tests.systemd.machine import image as root_image

__all__ = ["gnupg", "origin", "package"]

OLDER = "2.0.9"
DIST = "el9"
FOLDER = "/usr/local/nginx-dep/lib64"
URL = "http://127.0.0.1:8000/repository"

# As systemd's package of Enterprise Linux 8 and later does; Debian's is no RPM.
SYSTEMD = """
Name: stand-in-for-systemd
Version: 1
Release: 1
Summary: Stands in for systemd and the shell
License: MIT
BuildArch: noarch
Provides: /bin/sh systemd
%description
Stands in for systemd and the shell.
%transfiletriggerin -- /usr/lib/systemd/system /etc/systemd/system
systemctl daemon-reload
%files
"""


@dataclass(frozen=True)
class Server:
    """A machine with the packages at hand."""

    machine: Machine
    rpms: dict[str, dict[str, Path]]

    def install(self, version: str, *names: str) -> None:
        """Installs packages of a release without dnf, for tests of something else."""
        files = [self.rpms[version][name] for name in names]
        self.machine.run("rpm", "-U", "--oldpackage", "--nosignature", *files)

    def erase(self, *names: str) -> None:
        """Erases packages, or all of ours with the drop-ins.

        Debian's rpm does not run `%transfiletriggerpostun`, so systemd is reloaded here.
        """
        ours = self.machine.run("rpm", "-qa", "mimalloc-custom*").stdout.split()
        self.machine.run("rpm", "-e", *(names or ours))
        if names:
            self.machine.run("systemctl", "daemon-reload")
        else:
            self.remove_drop_ins()

    def remove_drop_ins(self) -> None:
        """Removes those below /etc."""
        self.machine.run("find", "/etc/systemd/system", "-name", "*.conf", "-delete")
        self.machine.run("systemctl", "daemon-reload")

    def tool(self, *arguments: str, code: int = 0) -> Done:
        """Runs the tool of administrators."""
        return self.machine.run("mimalloc-custom", *arguments, code=code)

    def restart(self, unit: str = "nginx") -> None:
        """As administrators do."""
        self.machine.run("systemctl", "restart", unit)

    def states(self, *arguments: str, code: int = 0) -> list[str]:
        """The states of the processes that the tool lists, each once, in order."""
        return sorted({one["state"] for one in self.processes(*arguments, code=code)})

    def processes(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        """The processes that the tool lists."""
        done = self.tool("status", "--json", *arguments, code=code)
        listed: list[dict[str, Any]] = json.loads(done.stdout)["processes"]
        return listed


@pytest.fixture(scope="session")
def publisher(
    tmp_path_factory: pytest.TempPathFactory, package: Package, origin: Path, gnupg: Path
) -> Publisher:
    """A repository with two releases, signed by us."""
    checkout = copy_of_project(tmp_path_factory.mktemp("publisher") / "checkout")
    set_contact(checkout)
    share_steps(checkout)
    publisher = Publisher(checkout, origin, gnupg)
    for version in (OLDER, NEWEST):
        publisher.take_all(package(version, DIST))
    publisher.publish(URL)
    return publisher


@pytest.fixture(scope="session")
def image() -> Path:
    """The root of the machine. Nothing is built where there can be none."""
    return root_image()


@pytest.fixture(scope="session")
def machine(
    image: Path, package: Package, publisher: Publisher, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """The machine; it serves the repository to itself, and rpm believes what is not by rpm."""
    folder = tmp_path_factory.mktemp("stand-ins")
    built = [package(version, DIST) for version in (OLDER, NEWEST)]
    built.append(package(NEWEST, "el7"))
    rpms = [stand_in(built, folder / "c-library"), rpm_spec.build(SYSTEMD, folder / "systemd")]
    with started(image, publisher.checkout, folder, built[0].rpm.parents[2]) as machine:
        machine.run("rpm", "-i", *rpms)
        # On Debian a link, which rpm would remove with the folder of our package.
        machine.run("rm", "-f", "/usr/share/nginx/modules")
        ENTERPRISE.install(machine)
        serve = ["python3", "-m", "http.server", "--directory", str(publisher.checkout), "8000"]
        machine.run("systemd-run", "--unit=repository", *serve)
        wait_until("serving", lambda: not machine.run("curl", "-sf", URL, code=None).returncode)
        yield machine


@pytest.fixture(scope="session")
def prepared(machine: Machine, package: Package) -> Server:
    """The machine, and the packages."""
    files = {version: _files(package(version, DIST)) for version in (OLDER, NEWEST)}
    return Server(machine, files)


@pytest.fixture
def server(prepared: Server) -> Iterator[Server]:
    """The machine without packages of ours and without drop-ins, before and after a test."""
    yield prepared
    prepared.erase()


@pytest.fixture(scope="module")
def with_tools(prepared: Server) -> Iterator[Server]:
    """The machine with the newest library and the tool."""
    prepared.install(NEWEST, "", "-tools")
    yield prepared
    prepared.erase()


@pytest.fixture
def tools(with_tools: Server) -> Iterator[Server]:
    """The same without drop-ins, before and after a test."""
    yield with_tools
    with_tools.remove_drop_ins()


def _files(built: Built) -> dict[str, Path]:
    own = {"": built.rpm}
    return own | {suffix: subpackage(built, suffix)[1] for suffix in ("-nginx", "-tools")}


@pytest.fixture
def nginx(machine: Machine, request: pytest.FixtureRequest) -> Layout:
    """nginx of a layout, which a test names as its parameter."""
    layout: Layout = request.param
    layout.install(machine)
    return layout
