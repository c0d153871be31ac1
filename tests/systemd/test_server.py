"""A server's life: dnf, nginx, the tool, and nginx answers all the time."""

import re

import pytest

from tests.build.conftest import NEWEST, Package, subpackage
from tests.systemd.conftest import DIST, FOLDER, OLDER, URL, Server
from tests.systemd.layout import CENTMIN_MOD, ENTERPRISE, LAYOUTS, NGINX_ORG, Layout

PACKAGES = ("mimalloc-custom", "mimalloc-custom-nginx", "mimalloc-custom-tools")


def follow(server: Server, line: str) -> None:
    """Sets the repository of a line of releases up, as the page says."""
    target = "/etc/yum.repos.d/mimalloc-custom.repo"
    server.machine.run("mkdir", "-p", "/etc/yum.repos.d")
    server.machine.run("curl", "-fsSL", "-o", target, f"{URL}/{DIST}/mimalloc-custom-{line}.repo")


def words(server: Server, code: int = 41) -> str:
    """What the tool says of nginx."""
    return server.tool("status", code=code).stdout


def dnf(server: Server, *arguments: str) -> str:
    """What dnf prints, after the change; nginx answers all requests meanwhile."""
    with server.machine.answering():
        return server.machine.run("dnf", "--assumeyes", "--refresh", *arguments).stdout


@pytest.mark.parametrize("nginx", [ENTERPRISE], indirect=True, ids=["EL"])
def test_from_the_first_installation_to_the_last_removal(server: Server, nginx: Layout) -> None:
    """Both lines of releases, and each change that needs a restart is named until then."""
    machine = server.machine
    follow(server, "v2")

    dnf(server, "install", *PACKAGES)
    assert "no" == machine.property("nginx", "NeedDaemonReload")
    assert f"LD_PRELOAD={FOLDER}/libmimalloc.so" in machine.property("nginx", "Environment")
    assert ["not-on-it"] == server.states(code=41)
    server.restart()
    verdict = server.tool("status").stdout.splitlines()[-1]
    assert f"in use by 3 of 3: {FOLDER}/libmimalloc.so.2.0" == verdict
    assert {f"{OLDER}-1.{DIST}"} == {one["release"] for one in server.processes()}

    with machine.answering():
        machine.run("systemctl", "reload", "nginx")
        machine.run("mv", "/var/log/nginx/access.log", "/var/log/nginx/access.log.1")
        machine.run("kill", "-USR1", str(nginx.master(machine)))
        nginx.upgrade_binary(machine)
    assert (machine.files / "var/log/nginx/access.log").stat().st_size
    assert ["in-use"] == server.states()

    dnf(server, "reinstall", *PACKAGES)
    assert ["replaced"] == server.states(code=41)
    assert "Nothing to do" in dnf(server, "upgrade", *PACKAGES)
    follow(server, "v3")
    dnf(server, "upgrade", *PACKAGES)
    assert ["removed"] == server.states(code=41)
    with machine.answering():
        machine.run("systemctl", "reload", "nginx")
    assert ["removed"] == server.states(code=41)
    with machine.answering():
        nginx.upgrade_binary(machine)
    assert {("in-use", f"{NEWEST}-1.{DIST}")} == {
        (one["state"], one["release"]) for one in server.processes()
    }
    # The new binary has the variables of the old one: settings of the new drop-in need a restart.
    server.restart()
    status = (machine.files / f"proc/{nginx.master(machine)}/status").read_text()
    assert "\nTHP_enabled:\t0\n" in status

    follow(server, "v2")
    dnf(server, "downgrade", *PACKAGES)
    assert ["removed"] == server.states(code=41)
    server.restart()
    assert ["in-use"] == server.states()

    dnf(server, "remove", "mimalloc-custom")
    assert "mimalloc-custom-nginx" not in machine.run("rpm", "-qa").stdout
    assert ["removed"] == server.states(code=41)
    machine.run("systemctl", "daemon-reload")
    server.restart()
    assert ["not-on-it"] == server.states(code=41)
    assert "" == machine.property("nginx", "Environment")


@pytest.mark.parametrize("nginx", [CENTMIN_MOD], indirect=True, ids=["Centmin Mod"])
def test_the_seed_page(server: Server, nginx: Layout) -> None:
    """The drop-in by hand, and what shows that it is in use, word for word."""
    machine = server.machine
    server.install(OLDER, "")
    text = f"[Service]\nEnvironment=LD_PRELOAD={FOLDER}/libmimalloc.so.2\n"
    machine.write("/etc/systemd/system/nginx.service.d/mimalloc.conf", text)
    machine.run("systemctl", "daemon-reload")
    server.restart()

    listed = machine.run("sh", "-c", "lsof | grep libmimalloc.so | head -n2").stdout
    processes = machine.run("sh", "-c", "ps aufxw | grep 'nginx:' | grep -v grep").stdout

    assert 2 == len(
        re.findall(rf"^nginx .* mem +REG .* {FOLDER}/libmimalloc.so.2.0$", listed, re.M)
    )
    first, *others = (line.split(None, 10)[-1] for line in processes.splitlines())
    command = f"{nginx.program} {nginx.arguments}"
    assert f"nginx: master process {command}" == first
    assert 2 * [r"\_ nginx: worker process"] == [other.strip() for other in others]


DOCUMENTED = "include /usr/share/nginx/modules/mimalloc-custom*.conf;"


@pytest.mark.parametrize("nginx", LAYOUTS, indirect=True, ids=lambda one: one.name)
def test_a_binary_upgrade(server: Server, nginx: Layout) -> None:
    """It loses the library unless the main context has our file; the tool says so in advance."""
    machine = server.machine
    server.install(NEWEST, "", "-nginx", "-tools")
    nginx.configure(machine, "")
    server.restart()
    assert f"put 'env LD_PRELOAD;' into the main context of {nginx.configuration}" in words(
        server, 0
    )
    with machine.answering():
        nginx.upgrade_binary(machine)
    assert ["not-on-it"] == server.states(code=41)
    assert "or by a binary upgrade (USR2): systemctl restart nginx" in words(server)
    assert f"put 'env LD_PRELOAD;' into the main context of {nginx.configuration}" in words(server)

    nginx.configure(machine, nginx.includes or DOCUMENTED)
    server.restart()
    assert "USR2" not in words(server, 0)
    with machine.answering():
        nginx.upgrade_binary(machine)
        nginx.upgrade_binary(machine)
    assert ["in-use"] == server.states()

    with machine.answering():
        server.erase("mimalloc-custom-nginx")
        machine.run("systemctl", "reload", "nginx")
    server.restart()
    assert ["not-on-it"] == server.states(code=41)


@pytest.mark.parametrize("nginx", [NGINX_ORG], indirect=True, ids=["nginx.org"])
def test_a_soname_of_another_line(server: Server, nginx: Layout) -> None:
    """nginx serves without it; the tool names the file, and has the loader's words."""
    machine, file = server.machine, "/etc/systemd/system/nginx.service.d/own.conf"
    server.install(OLDER, "", "-tools")
    machine.write(file, f"[Service]\nEnvironment=LD_PRELOAD={FOLDER}/libmimalloc.so.2\n")
    server.restart()
    assert f": {file} preloads it, and systemd has not read that" in words(server)
    machine.run("systemctl", "daemon-reload")
    assert ": it was started before nginx.service preloaded it" in words(server)
    server.restart()
    assert ["in-use"] == server.states()

    server.install(NEWEST, "", "-tools")
    missing = f"{file} preloads {FOLDER}/libmimalloc.so.2, which does not exist"
    assert missing in words(server)
    assert ["removed"] == server.states(code=41)
    server.restart()
    with machine.answering():
        assert missing in words(server)
        assert "not on mimalloc; the loader: ERROR: ld.so: object" in words(server)


def test_the_library_is_removed_before_the_drop_in(server: Server) -> None:
    """The service starts without it; the tool names the file, and disable removes it."""
    server.install(NEWEST, "", "-tools")
    server.tool("enable", "haproxy")
    server.restart("haproxy")
    server.erase("mimalloc-custom")
    assert ["removed"] == server.states("haproxy", code=41)
    server.restart("haproxy")

    output = server.tool("status", "haproxy", code=41).stdout
    assert f"preloads {FOLDER}/libmimalloc.so, which does not exist" in output
    assert "not on mimalloc; the loader: ERROR: ld.so: object" in output
    server.tool("disable", "haproxy")
    assert "preloads" not in server.tool("status", "haproxy", code=41).stdout


def test_the_package_of_el7_reloads_systemd_itself(server: Server, package: Package) -> None:
    """Once when it is installed, and when it is erased: there is no trigger for it."""
    built = package(NEWEST, "el7")
    files = [built.rpm, subpackage(built)[1]]
    machine = server.machine

    machine.run("rpm", "-U", "--notriggers", "--nosignature", *files)
    assert f"LD_PRELOAD={FOLDER}/libmimalloc.so" in machine.property("nginx", "Environment")
    machine.run("rpm", "-e", "--notriggers", "mimalloc-custom-nginx")
    assert "" == machine.property("nginx", "Environment")
