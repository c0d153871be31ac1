"""Our packages in a root of real Enterprise Linux, which its own rpm makes of a folder of packages.

`nox -s enterprise -- --rpms FOLDER` as root; docs/maintainer.md says what the folder needs.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build import base_programs, enterprise
from tests.build.base_programs import GROUPS, command_lines, differences, make_inputs, run_all
from tests.build.c_library import without_files
from tests.build.conftest import NEWEST, SEED, Package, subpackage
from tests.build.enterprise import LIBRARY, System
from tests.tally import count, partly_untested, untested

NAMES = ("", "-nginx", "-tools", "-secure")

# Every program of the system, with its exit code; some start a service, and leave its pid.
EVERY_PROGRAM = """
mount -t tmpfs none /run
for program in /usr/bin/* /usr/sbin/*; do
    [ -x "$program" ] && [ ! -d "$program" ] || continue
    echo "== $program"
    timeout -k 1 2 "$program" --version </dev/null 2>&1
    echo "exit code $?"
done
"""

SLEEPERS = """
LD_PRELOAD=$0 sleep 50 & sleep 51 & sleep 1
mimalloc-custom status --json $(pgrep -x sleep)
"""

# nginx as its unit starts it: prints three times how it answers a request, and all its processes.
NGINX = """
settings=$(sed -n 's/^Environment=//p' /usr/lib/systemd/system/nginx.service.d/mimalloc.conf)
grep -q nginx/modules /etc/nginx/nginx.conf ||
    sed -i '1i include /usr/share/nginx/modules/mimalloc-custom.conf;' /etc/nginx/nginx.conf
wait_for() { for i in $(seq 100); do eval "$1" && return; sleep 0.1; done; echo "never: $1"; }
look() {
    exec 3<>/dev/tcp/127.0.0.1/80 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3
    sed -n '1s/\\r//p' <&3
    mimalloc-custom status --json --name nginx | tr -d '\\n' && echo
}
env $settings /usr/sbin/nginx && look
before=$(pgrep -P "$(cat /run/nginx.pid)" | head -n 1)
nginx -s reload && wait_for "! kill -0 $before 2>/dev/null" && look
before=$(cat /run/nginx.pid)
UPGRADE >/dev/null
wait_for "! kill -0 $before 2>/dev/null" && look
nginx -s quit && wait_for '[ ! -e /run/nginx.pid ]'
"""
# Of systemd and initscripts, which do not run in the root, what those scripts call.
STAND_INS = {
    "usr/bin/systemctl": """#!/bin/sh
case $* in
*PIDFile*) echo PIDFile=/run/nginx.pid ;;
kill*USR2*) kill -USR2 "$(cat /run/nginx.pid)" ;;
esac
""",
    "etc/rc.d/init.d/functions": 'killproc() { kill "$4" "$(cat "$2")"; }\n',
}
UPGRADES = ("/usr/bin/nginx-upgrade", "/usr/libexec/initscripts/legacy-actions/nginx/upgrade")


@pytest.fixture(scope="module")
def system(pytestconfig: pytest.Config) -> Iterator[System]:
    """The root; skips, with a notice, without a folder or without root's rights."""
    folder = pytestconfig.getoption("--rpms")
    if not folder:
        untested("a root of Enterprise Linux", "no folder of packages: --rpms FOLDER")
    if os.geteuid() != 0:
        untested("a root of Enterprise Linux", "needs root, to make devices and to enter it")
    with tempfile.TemporaryDirectory(prefix="mimalloc-enterprise-") as scratch:
        system = enterprise.install(Path(folder), Path(scratch))
        if not system.programs("systemctl"):
            reason = "the folder has no systemd: a package without files stands in for it"
            partly_untested("systemd in the root", reason)
            stand_in = without_files("systemd", "999", [], Path(scratch))
            enterprise.install_rpms(system, [stand_in])
        yield system


@pytest.fixture(scope="module")
def files(system: System, package: Package) -> dict[str, list[Path]]:
    """Our packages for the dist of the root, by release."""
    dist = system.dist()
    found = {}
    for version in (SEED, NEWEST):
        built = package(version, dist)
        secure = package(version, dist, flavor="secure").rpm
        subpackages = (subpackage(built, suffix)[1] for suffix in ("-nginx", "-tools"))
        found[version] = [built.rpm, *subpackages, secure]
    return found


def assert_verified(system: System) -> None:
    """Of all four packages, `rpm -V` has nothing to say."""
    for name in NAMES:
        assert "" == system.done("rpm", "-V", f"mimalloc-custom{name}")


def test_upgrade_downgrade_reinstall_and_erase(
    system: System, files: dict[str, list[Path]]
) -> None:
    """By the root's own rpm, without --nodeps; afterwards the root is as it was."""
    before = system.paths()

    enterprise.install_rpms(system, files[SEED])
    assert_verified(system)
    enterprise.install_rpms(system, files[NEWEST])
    assert_verified(system)
    enterprise.install_rpms(system, files[SEED], "-U", "--oldpackage")
    assert_verified(system)
    enterprise.install_rpms(system, files[SEED], "--reinstall")
    assert_verified(system)
    system.done("rpm", "-e", *(f"mimalloc-custom{name}" for name in NAMES))

    assert before == system.paths()


@pytest.fixture(scope="module", params=[SEED, NEWEST])
def installed(
    request: pytest.FixtureRequest, system: System, files: dict[str, list[Path]]
) -> Iterator[System]:
    """The root with the packages of a release."""
    enterprise.install_rpms(system, files[request.param])
    yield system
    system.done("rpm", "-e", *(f"mimalloc-custom{name}" for name in NAMES))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command lines read."""
    return make_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.mark.parametrize("group", list(GROUPS))
def test_programs_print_the_same(installed: System, group: str, inputs: Path) -> None:
    """The command lines of programs.toml; what an older one refuses, it refuses in both."""
    lacking = base_programs.missing(group, installed)
    if lacking:
        without = untested if lacking == GROUPS[group]["programs"] else partly_untested
        without(f"{group} in the root", f"its packages have no {', '.join(lacking)}")
    lines, folder = command_lines(group), installed.root / "tmp" / group

    expected = run_all(lines, folder, inputs, None, installed)
    results = run_all(lines, folder, inputs, Path(LIBRARY), installed)

    found = []
    for line, good, bad in zip(lines, expected, results, strict=True):
        count("command lines" if good.code == 0 else "command lines that are refused")
        # How a pipeline fails whose program is not there depends on which part of it is first.
        refused = good.code != 0 and bad.code != 0
        found += [] if refused else differences(line, good, bad)
    assert [] == found, "\n".join(found)


def test_every_program_starts(installed: System) -> None:
    """With --version, whatever it makes of that: the output and the exit code are the same."""

    def outputs(**variables: str) -> dict[str, list[str]]:
        text = installed.done("sh", "-c", EVERY_PROGRAM, **variables)
        parts = (part.partition("\n") for part in text.split("== /")[1:])
        # Two processes of a pipeline print in any order.
        return {name: sorted(output.splitlines()) for name, _, output in parts}

    first, second, with_library = outputs(), outputs(), outputs(LD_PRELOAD=LIBRARY)

    constant = [name for name, output in first.items() if output == second[name]]
    different = [name for name in constant if first[name] != with_library[name]]
    for _ in constant:
        count("programs")
    assert len(constant) > len(first) * 0.9
    assert [] == [(name, first[name], with_library[name]) for name in different]


def test_the_tool(installed: System) -> None:
    """On this userland: a process on the library, one that is not, and a unit."""
    done = installed.run("bash", "-c", SLEEPERS, LIBRARY)
    processes = {one["command"]: one for one in json.loads(done.stdout)["processes"]}

    version = installed.done("rpm", "-q", "--qf", "%{VERSION}-%{RELEASE}", "mimalloc-custom")
    assert 41 == done.returncode
    assert ("in-use", version) == (processes["sleep 50"]["state"], processes["sleep 50"]["release"])
    assert "not-on-it" == processes["sleep 51"]["state"]
    unit = installed.root / "usr/lib/systemd/system/own.service"
    unit.parent.mkdir(parents=True, exist_ok=True)
    unit.write_text("[Service]\nExecStart=/usr/bin/sleep 50\n")
    assert "written: /etc/systemd" in installed.done("mimalloc-custom", "enable", "own")
    assert f"LD_PRELOAD={LIBRARY}" in installed.done("mimalloc-custom", "dropin", "own")
    assert "removed: /etc/systemd" in installed.done("mimalloc-custom", "disable", "own")
    unit.unlink()


def test_nginx_through_reload_and_upgrade(installed: System) -> None:
    """Its package's own script replaces the binary; all processes are on the library after it."""
    upgrades = [path for path in UPGRADES if (installed.root / path[1:]).exists()]
    if not upgrades:
        untested("nginx in the root", "its packages have no nginx")
    trial = installed.run("nginx", "-t")
    if trial.returncode != 0:
        untested("nginx in the root", f"it does not start there: {trial.stderr.strip()}")
    script = ""
    for path, text in STAND_INS.items():
        file, target = installed.root / "tmp" / Path(path).name, installed.root / path
        file.write_text(text)
        file.chmod(0o755)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        script += f"mount --bind /tmp/{file.name} /{path}\n"
    configuration = installed.root / "etc/nginx/nginx.conf"
    original = configuration.read_bytes()

    done = installed.run("bash", "-c", script + NGINX.replace("UPGRADE", upgrades[0]))

    configuration.write_bytes(original)
    answers, statuses = done.stdout.splitlines()[::2], done.stdout.splitlines()[1::2]
    assert ["HTTP/1.1 200 OK"] * 3 == answers, done
    masters = []
    for status in statuses:
        processes = json.loads(status)["processes"]
        assert len(processes) > 1
        assert {("in-use", "")} == {(one["state"], one["upgrade"]) for one in processes}
        masters.append(processes[0]["pid"])
    assert masters[0] == masters[1] != masters[2]
