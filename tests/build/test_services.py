"""Real services on the library: they answer as without it, and the tool says which do not.

services.toml has them. They are Debian's, and with `--rpms FOLDER` those of Enterprise Linux.
"""

import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.inspect import payload
from tests.build import debian, enterprise
from tests.build.base_programs import differences, run
from tests.build.conftest import ARCH, NEWEST, Package, subpackage
from tests.build.enterprise import LIBRARY, System
from tests.tally import count, untested

SERVICES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("services.toml").read_text())

# Debian's releases, with the dist that has a C library of the same kind: with malloc hooks, and
# without.
SUITES = {"bullseye": "el8", "bookworm": "el9"}
BASE = "bash coreutils findutils gawk grep libc-bin procps sed util-linux".split()
ACCOUNTS = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}

UNITS = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")

# Seconds for a script; a database takes several to be created.
TIMEOUT = 180.0


@dataclass(frozen=True, slots=True)
class Site:
    """An installation with services, our library and the tool."""

    name: str
    system: System
    dist: str


@pytest.fixture(scope="module", params=["folder", *SUITES])
def site(
    request: pytest.FixtureRequest, pytestconfig: pytest.Config, package: Package
) -> Iterator[Site]:
    """Of the folder of packages, or of a release of Debian; skips, with a notice."""
    folder = pytestconfig.getoption("--rpms")
    if request.param == "folder" and not folder:
        untested("services of Enterprise Linux", "no folder of packages: --rpms FOLDER")
    if os.geteuid() != 0:
        untested("services", "needs root, to make devices and to enter a root")
    with tempfile.TemporaryDirectory(prefix="mimalloc-services-") as scratch:
        if request.param == "folder":
            system = enterprise.install(Path(folder), Path(scratch))
            site = Site("folder", system, system.dist())
        else:
            system = of_debian(Path(scratch), request.param)
            site = Site(request.param, system, SUITES[request.param])
        built = package(NEWEST, site.dist)
        for number, rpm in enumerate((built.rpm, subpackage(built, "-tools")[1])):
            files = payload.unpack(rpm, Path(scratch) / str(number))
            shutil.copytree(files, site.system.root, symlinks=True, dirs_exist_ok=True)
        yield site


def of_debian(scratch: Path, suite: str) -> System:
    """The services of a release of Debian, unpacked; no script of a package runs."""
    names = {name for service in SERVICES.values() for name in service.get("debian", "").split()}
    root = debian.unpacked(scratch, ARCH, *BASE, *sorted(names), closure=True, suite=suite)
    enterprise.add_devices(root)
    for link, target in (("usr/bin/awk", "gawk"), ("bin/sh", "bash")):
        (root / link).symlink_to(target)
    for path, text in ACCOUNTS.items():
        (root / path).write_text(text)
    return System(root)


def results(site: Site, script: str) -> list[str]:
    """What differs between a script without the library and the same on it."""
    folder = site.system.root / "tmp/service"
    with tempfile.TemporaryDirectory() as inputs:
        (Path(inputs) / "script").write_text(script)
        line = "bash script"
        good, bad = (
            run(line, folder, Path(inputs), library, site.system, TIMEOUT)
            for library in (None, Path(LIBRARY))
        )
    assert 0 == good.code, good
    assert good.output, good
    return differences(line, good, bad)


def unit_names(system: System, patterns: str) -> Iterator[str]:
    """The names of the units that are there, in the order of the patterns."""
    for pattern in patterns.split():
        for folder in UNITS:
            yield from (file.stem for file in (system.root / folder).glob(f"{pattern}.service"))


@pytest.mark.parametrize("name", list(SERVICES))
def test_a_service(site: Site, name: str) -> None:
    """It works on the library where the tool enables it; it is refused where it does not."""
    service, system = SERVICES[name], site.system
    lacking = [one for one in (service["program"], *service["needs"]) if not system.programs(one)]
    if lacking:
        untested(f"{name} on {site.dist}", f"the root has no {', '.join(lacking)}")
    unit = next(unit_names(system, service["unit"]))

    broken = "\n".join(results(site, service["script"]))
    done = system.run("mimalloc-custom", "enable", unit)
    system.run("mimalloc-custom", "disable", unit)

    assert not broken or re.search("Aborted|Segmentation fault", broken), broken
    assert site.name == "folder" or bool(broken) == (site.name in service.get("breaks", ())), broken
    program = system.programs(service["program"])[0].read_bytes()
    own = service.get("own", "").encode() not in program
    assert (44 if broken or own else 0) == done.returncode, done
    count("services that break" if broken else "services")
