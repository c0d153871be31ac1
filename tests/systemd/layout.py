"""nginx as three kinds of servers have it: unit, configuration, and how its package upgrades it."""

from dataclasses import dataclass

from tests.systemd.machine import Machine, wait_until

UNIT = """[Unit]
Description=nginx
After=network.target
[Service]
Type=forking
PIDFile={pid}
ExecStartPre={program} -t {arguments}
ExecStart={program} {arguments}
ExecReload={reload}
KillSignal=SIGQUIT
KillMode=mixed
TimeoutStopSec=5
[Install]
WantedBy=multi-user.target
"""

CONFIGURATION = """worker_processes 2;
pid {pid};
error_log /var/log/nginx/error.log notice;
{includes}
events {{ worker_connections 256; }}
http {{
    access_log /var/log/nginx/access.log;
    server {{ listen 80; location / {{ return 200 "served\\n"; }} }}
}}
"""


@dataclass(frozen=True)
class Layout:
    """Where nginx and its configuration are, and what its main context includes."""

    name: str
    program: str = "/usr/sbin/nginx"
    configuration: str = "/etc/nginx/nginx.conf"
    pid: str = "/run/nginx.pid"
    arguments: str = ""
    includes: str = ""
    # What sends USR2: to the master, or to all processes of the unit.
    upgrade: str = 'kill -USR2 "$(cat {pid})"'

    def install(self, machine: Machine) -> None:
        """Makes the machine's nginx such a one, and starts it."""
        if self.program != "/usr/sbin/nginx":
            machine.run("cp", "/usr/sbin/nginx", self.program)
        machine.write("/usr/lib/systemd/system/nginx.service", self._text(UNIT))
        self.configure(machine, self.includes)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", "nginx")

    def configure(self, machine: Machine, includes: str) -> None:
        """Writes the configuration, with these lines in its main context."""
        machine.run("mkdir", "-p", self.pid.rpartition("/")[0])
        machine.write(self.configuration, CONFIGURATION.format(pid=self.pid, includes=includes))

    def _text(self, template: str) -> str:
        reload = f"{self.program} {self.arguments} -s reload"
        return template.format(
            program=self.program, arguments=self.arguments, pid=self.pid, reload=reload
        )

    def master(self, machine: Machine) -> int:
        """The process id of the master."""
        return int((machine.files / self.pid.lstrip("/")).read_text())

    def upgrade_binary(self, machine: Machine) -> None:
        """As a package does: a new file, USR2, and QUIT for the old master beside the new one."""
        # A master ignores USR2 while the process that started it is still there.
        wait_until("workers", lambda: self.workers(machine))
        machine.run("cp", "-p", self.program, f"{self.program}.new")
        machine.run("mv", f"{self.program}.new", self.program)
        old = self.master(machine)
        pid = machine.files / self.pid.lstrip("/")
        renamed = pid.with_name("nginx.pid.oldbin")
        machine.run("sh", "-c", self.upgrade.format(pid=self.pid))
        wait_until("two masters", lambda: renamed.exists() and pid.exists() and pid.read_text())
        wait_until("workers of the new one", lambda: self.workers(machine))
        machine.run("kill", "-QUIT", str(old))
        wait_until("one master", lambda: not (machine.files / f"proc/{old}").exists())
        assert old != self.master(machine)

    def workers(self, machine: Machine) -> list[str]:
        """The process ids of the workers."""
        return machine.run("pgrep", "-P", str(self.master(machine)), code=None).stdout.split()


ENTERPRISE = Layout(
    "Enterprise Linux",
    includes="include /usr/share/nginx/modules/*.conf;",
    upgrade="systemctl kill --signal=USR2 nginx.service",
)
NGINX_ORG = Layout("nginx.org", arguments="-c /etc/nginx/nginx.conf")
CENTMIN_MOD = Layout(
    "Centmin Mod",
    program="/usr/local/sbin/nginx",
    configuration="/usr/local/nginx/conf/nginx.conf",
    pid="/usr/local/nginx/logs/nginx.pid",
    arguments="-c /usr/local/nginx/conf/nginx.conf",
)
LAYOUTS = (ENTERPRISE, NGINX_ORG, CENTMIN_MOD)
