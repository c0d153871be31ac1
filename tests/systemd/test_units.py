"""enable and disable on a systemd that runs, and what units can do to a preload."""

import pytest

from tests.build.conftest import NEWEST
from tests.systemd.conftest import FOLDER, Server
from tests.systemd.layout import ENTERPRISE, Layout

HARDENED = """[Service]
ProtectSystem=strict
ReadWritePaths=/var/log/nginx /run /var/lib/nginx
PrivateTmp=yes
PrivateDevices=yes
ProtectHome=yes
NoNewPrivileges=yes
MemoryDenyWriteExecute=yes
LockPersonality=yes
RestrictRealtime=yes
SystemCallFilter=@system-service
LimitMEMLOCK=0
"""
DROPIN = "/etc/systemd/system/{}.service.d/{}.conf"


def add(server: Server, unit: str, command: str, more: str = "") -> None:
    """A unit that runs a program."""
    text = f"[Service]\nExecStart={command}\n{more}"
    server.machine.write(f"/etc/systemd/system/{unit}.service", text)
    server.machine.run("systemctl", "daemon-reload")


def dropin(server: Server, unit: str, text: str, name: str = "z") -> None:
    """A drop-in of the administrator's."""
    server.machine.write(DROPIN.format(unit, name), text)
    server.machine.run("systemctl", "daemon-reload")


@pytest.mark.parametrize("unit", ["haproxy", "nginx", "web1.2", "worker@one"])
def test_enable_restart_disable_restart(tools: Server, unit: str) -> None:
    """Real programs, a name with a dot, an instance of a template."""
    if unit.startswith("w"):
        add(tools, "worker@" if "@" in unit else unit, "/bin/sleep 1000")

    done = tools.tool("enable", unit)
    hint = done.stdout.rpartition(": ")[2].split()
    assert ["systemctl", "restart", unit] == hint
    tools.machine.run(*hint)
    assert ["in-use"] == tools.states(unit)
    tools.tool("disable", unit)
    assert ["in-use"] == tools.states(unit)
    tools.restart(unit)
    assert ["not-on-it"] == tools.states(unit, code=41)
    tools.machine.run("systemctl", "stop", unit)
    assert f"there is no process: {unit}.service" in tools.tool("status", unit, code=41).stdout


def test_all_instances_of_a_template(tools: Server) -> None:
    """The drop-in of the template is for each, and so are status and the command that is shown."""
    add(tools, "worker@", "/bin/sleep 1000")
    tools.machine.run("systemctl", "start", "worker@one", "worker@two")

    hint = tools.tool("enable", "worker@").stdout.rpartition(": ")[2].strip()
    assert "systemctl restart 'worker@*'" == hint
    tools.machine.run("sh", "-c", hint)

    assert ["in-use"] == tools.states("worker@")
    assert 2 == len(tools.processes("worker@"))
    tools.tool("disable", "worker@")
    tools.machine.run("sh", "-c", hint)
    assert ["not-on-it"] == tools.states("worker@", code=41)
    tools.machine.run("systemctl", "stop", "worker@*")


def test_another_name_of_a_unit(tools: Server) -> None:
    """redis is an alias of redis-server on Debian; it has what keeps a preload away, twice."""
    assert {one["unit"] for one in tools.processes("redis", code=41)} == {"redis-server.service"}
    refused = tools.tool("enable", "redis", code=44).stderr
    assert f"NoExecPaths=/ of redis-server.service forbids to execute {FOLDER}" in refused

    tools.tool("enable", "--force", "redis")
    tools.restart("redis")
    assert ["not-executable"] == tools.states("redis", code=41)
    assert "NoExecPaths of redis-server.service" in tools.tool("status", "redis", code=41).stdout
    dropin(tools, "redis-server", f"[Service]\nExecPaths={FOLDER}\n")
    tools.restart("redis")
    assert ["in-use"] == tools.states("redis")
    tools.tool("disable", "redis")
    tools.restart("redis")
    assert ["other-allocator"] == tools.states("redis", code=41)


def test_php_is_refused(tools: Server) -> None:
    """Debian's 8.2, on a C library without malloc hooks."""
    refused = tools.tool("enable", "php8.2-fpm", code=44).stderr
    assert refused.startswith("mimalloc-custom: PHP opens its extensions with RTLD_DEEPBIND (/usr/")
    assert "LD_PRELOAD" not in tools.machine.property("php8.2-fpm", "Environment")


def test_a_unit_that_is_not_there(tools: Server) -> None:
    """systemd is asked."""
    assert "there is no absent.service" in tools.tool("enable", "absent", code=44).stderr


@pytest.mark.parametrize(
    ("command", "more", "state"),
    [
        ("/bin/sleep 1000", "", "in-use"),
        ("/bin/sleep 1000", "DynamicUser=yes\n", "in-use"),
        ("/bin/busybox sleep 1000", "", "static"),
        ("/usr/local/bin/gains 1000", "User=nobody\n", "at-secure"),
        ("/bin/sleep 1000", "Environment=LD_PRELOAD=\n", "not-on-it"),
        ("/bin/sleep 1000", "NoExecPaths=/usr/local\n", "not-executable"),
    ],
)
def test_states(tools: Server, command: str, more: str, state: str) -> None:
    """By what a unit is and starts; the others are on nginx and redis."""
    tools.machine.run("install", "-D", "-m", "4755", "/bin/sleep", "/usr/local/bin/gains")
    add(tools, "any", command)
    tools.tool("enable", "--force", "any")
    dropin(tools, "any", f"[Service]\n{more}")
    tools.restart("any")

    assert [state] == tools.states("any", code=0 if state == "in-use" else 41)
    tools.machine.run("systemctl", "stop", "any")


def test_another_user_sees_what_the_kernel_shows(tools: Server) -> None:
    """The mappings of root's processes are not among it, and that is no proof of anything."""
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "mimalloc-custom"]
    done = tools.machine.run(*command, "status", "php8.2-fpm", code=41)
    assert "its mappings cannot be read: run this as root" in done.stdout


@pytest.mark.parametrize("nginx", [ENTERPRISE], indirect=True, ids=["EL"])
def test_a_hardened_nginx(tools: Server, nginx: Layout) -> None:
    """On the library, and answering, also after a binary upgrade; then it may not be executed."""
    tools.install(NEWEST, "-nginx")
    dropin(tools, "nginx", HARDENED)
    tools.restart()
    with tools.machine.answering():
        tools.machine.run("systemctl", "reload", "nginx")
        nginx.upgrade_binary(tools.machine)
    assert ["in-use"] == tools.states("nginx")
    assert "starts on mimalloc by" in tools.tool("enable", "nginx").stdout

    dropin(tools, "nginx", f"{HARDENED}NoExecPaths={FOLDER}\n")
    tools.restart()
    with tools.machine.answering():
        assert ["not-executable"] == tools.states("nginx", code=41)
    tools.erase("mimalloc-custom-nginx")
