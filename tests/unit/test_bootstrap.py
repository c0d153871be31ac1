"""`bootstrap` on made-up hosts: what it installs, what it leaves alone, and what it says.

Each test copies the script into a temporary checkout, moves the absolute paths in it below a
temporary root, and runs it with a PATH that holds the plain tools it uses and fakes of the rest.
Every fake writes its name and arguments to a log.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
TOOLS = (
    "sh cat chmod cp dirname env flock ln mkdir readlink rm sed sha256sum sleep touch tr".split()
)
TABLE = """\
# program  debian   el         uses        purpose
packer     rpm      rpm-build  build       packs
reader     rpm      rpm        build       reads
server     nginx    nginx      tests,smoke serves
linter     lint     -          tests       lints
gpg        gnupg    gnupg2     tests,sign  signs
emulator   qemu     -          aarch64     emulates
forge      git      git        -           forges
"""
USES = {
    *(
        "build",
        "aarch64",
        "smoke",
        "run",
        "compare",
        "sign",
        "repo",
        "bump",
        "release",
        "tests",
        "-",
    ),
}
PYTHON = """\
[ "$1" = -c ] && exec {sys.executable} -IS -c "import sys; {state}; exec(sys.argv[1])" "$2"
case $2 in
venv)
    [ ! -e {root}/full ] || {{ echo 'disk full'; exit 1; }}
    rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" {root}/base; ln -s {root}/base "$4/bin/python"
    ;;
pip)
    [ ! -e {root}/slow ] || sleep 0.5
    [ ! -e {root}/offline ] || {{ echo 'pip says: no route'; exit 1; }}
    printf '#!/bin/sh\\nprintf "hello"; printf " <%%s>" "$@"; exit 3\\n' >"${{0%/*}}/hello"
    chmod +x "${{0%/*}}/hello"
    ;;
esac
"""
OLD = "sys.version_info = (3, 10, 99)"
BARE = "sys.version_info = (3, 13); sys.modules['ensurepip'] = None"
INSTALLS = """\
[ ! -e {root}/slow ] || sleep 0.2
[ ! -e {root}/offline ] || {{ echo 'cannot reach the mirror'; exit 100; }}
for package do
    case $package in
    rpm) programs='packer reader' ;;
    rpm-build) programs=packer ;;
    nginx) programs=server ;;
    lint) programs=linter ;;
    gnupg*) programs=gpg ;;
    qemu) programs=emulator ;;
    python3-venv | /*) programs=python3; cp {root}/python {root}/bin/python3 ;;
    *) programs='' ;;
    esac
    for program in $programs; do touch {root}/bin/$program; chmod +x {root}/bin/$program; done
done
"""


@dataclass(frozen=True)
class Host:
    """A made-up machine: programs in `root`/bin, their calls in `root`/log."""

    root: Path

    @property
    def checkout(self) -> Path:
        """The copy of the project."""
        return self.root / "checkout"

    def lock(self, name: str) -> Path:
        """One of the requirement files."""
        return self.checkout / f"requirements/{name}.txt"

    def stamp(self, name: str) -> Path:
        """The file that says that a requirement file is installed."""
        return self.checkout / f".venv/stamp.{name}"

    def add(self, name: str, body: str = "") -> Path:
        """Put a fake on PATH, or at an absolute path below the root."""
        path = self.root / name.lstrip("/") if "/" in name else self.root / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        record = f'printf "%s\\n" "${{0##*/}} $*" >>{self.root}/log\n'
        path.write_text(f"#!/bin/sh\n{record}{body}")
        path.chmod(0o755)
        return path

    def add_python(self, name: str = "python3", state: str = "sys.version_info = (3, 11)") -> Path:
        """Put a Python on PATH that is in this state, and only plays at venv and pip."""
        return self.add(name, PYTHON.format(root=self.root, sys=sys, state=state))

    def add_manager(self, name: str) -> None:
        """A package manager that installs what the table above names, and Python."""
        self.add_python("/python")
        self.add(name, INSTALLS.format(root=self.root))

    def be(self, user: int) -> None:
        """Answer `id -u` with this number."""
        self.add("id", f"echo {user}")

    def calls(self, *names: str) -> list[str]:
        """The calls of these programs so far, or of all but `id`."""
        log = self.root / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [
            call
            for call in lines
            if (call.split()[0] in names if names else not call.startswith("id "))
        ]

    def command(self, *arguments: str, under: tuple[str, ...] = ()) -> list[str]:
        """Bootstrap's own command line, by itself or under a shell."""
        return [*under, str(self.checkout / "bootstrap"), *arguments]

    def environment(self) -> dict[str, str]:
        """Nothing of this machine, and some of what bootstrap must not pass on."""
        return {"PATH": f"{self.root}/bin", "PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"}

    def run(self, *arguments: str, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run bootstrap to its end."""
        return subprocess.run(
            self.command(*arguments, under=under),
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with a fresh checkout and the plain tools, and neither Python nor packages."""
    host = Host(tmp_path)
    (host.root / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None, f"these tests need {tool}"
        (host.root / "bin" / tool).symlink_to(found)
    (host.checkout / "buildroot").mkdir(parents=True)
    (host.checkout / "buildroot/host-programs.txt").write_text(TABLE)
    for name in ("build", "compare", "tests"):
        host.lock(name).parent.mkdir(exist_ok=True)
        host.lock(name).write_text(f"{name}==1.0 --hash=sha256:00\n")
    script = (PROJECT / "bootstrap").read_text()
    moved = re.sub(r"(?<=[\s:])/(?=(?:usr|sbin|run)\b)", f"{host.root}/", script)
    (host.checkout / "bootstrap").write_text(moved)
    (host.checkout / "bootstrap").chmod(0o755)
    host.be(1000)
    return host


@pytest.fixture
def ready(host: Host) -> Host:
    """A host that lacks nothing but the environment."""
    for program in ("packer", "reader", "server", "linter", "gpg"):
        host.add(program)
    host.add_python()
    return host


def shells() -> list[tuple[str, ...]]:
    """The POSIX shells of this machine."""
    known = [("dash",), ("bash", "--posix"), ("busybox", "sh")]
    return [shell for shell in known if shutil.which(shell[0])]


def test_no_command(ready: Host) -> None:
    """Without a command it prints its usage, makes nothing and exits 64."""
    result = ready.run()
    assert 64 == result.returncode
    assert result.stderr.startswith("usage: ./bootstrap COMMAND")
    assert "" == result.stdout
    assert [] == ready.calls()


@pytest.mark.parametrize("shell", shells(), ids=" ".join)
def test_runs_the_command(ready: Host, shell: tuple[str, ...]) -> None:
    """The command comes out of .venv with its arguments whole, and its exit code is passed on."""
    real = shutil.which(shell[0])
    assert real is not None
    result = ready.run("hello", "two words", "*", under=(real, *shell[1:]))
    assert (3, "hello <two words> <*>") == (result.returncode, result.stdout)


def test_environment(ready: Host) -> None:
    """The command sees .venv first in PATH, VIRTUAL_ENV, and no setting of another Python."""
    seen = dict(line.split("=", 1) for line in ready.run("env").stdout.splitlines())
    venv = ready.checkout / ".venv"
    assert str(venv) == seen["VIRTUAL_ENV"]
    assert f"{venv}/bin:{ready.root}/bin" == ":".join(seen["PATH"].split(":")[:2])
    assert seen.keys().isdisjoint({"PYTHONPATH", "PYTHONHOME"})


def test_pip_keeps_to_the_lock(ready: Host) -> None:
    """pip must check every hash and build nothing; where it looks, the user's settings say."""
    ready.run("hello")
    files = " ".join(f"-r {ready.lock(name)}" for name in ("build", "compare", "tests"))
    expected = f"-m pip install --require-hashes --only-binary :all: --no-input {files}"
    assert [f"python {expected}"] == ready.calls("python")


@pytest.mark.parametrize(
    ("command", "packages"),
    [
        ("invoke build", "rpm python3 python3-venv"),
        ("invoke smoke", "rpm nginx python3 python3-venv"),
        ("invoke sign --key sign@example.org", "rpm gnupg python3 python3-venv"),
        ("invoke build --arch aarch64", "rpm qemu python3 python3-venv"),
        ("invoke build --arch=x86_64,all", "rpm qemu python3 python3-venv"),
        ("invoke build --dist all", "rpm python3 python3-venv"),
        ("invoke verify mimalloc-custom-3.4.3-1.el8.aarch64.rpm", "rpm qemu python3 python3-venv"),
        ("nox", "rpm nginx lint gnupg python3 python3-venv"),
        ("pytest tests/unit", "rpm nginx lint gnupg python3 python3-venv"),
    ],
)
def test_what_a_command_needs(host: Host, command: str, packages: str) -> None:
    """A user gets the exact command for what is missing and exit code 69; nothing is installed."""
    host.add_manager("apt-get")
    result = host.run(*command.split())
    install = (
        "apt-get update && DEBIAN_FRONTEND=noninteractive "
        f"apt-get install -y --no-install-recommends {packages}"
    )
    assert 69 == result.returncode
    assert f"sudo sh -c '{install}'\n" in result.stderr
    assert [] == host.calls()
    assert not (host.checkout / ".venv").exists()


@pytest.mark.parametrize(
    ("manager", "calls"),
    [
        (
            "apt-get",
            [
                "apt-get update",
                "apt-get install -y --no-install-recommends "
                "rpm nginx lint gnupg python3 python3-venv",
            ],
        ),
        ("dnf", ["dnf install -y rpm-build rpm nginx gnupg2 {root}/usr/bin/python3.12"]),
    ],
)
def test_root_installs(host: Host, manager: str, calls: list[str]) -> None:
    """As root it installs each package once, with the host's own package manager, then goes on."""
    host.be(0)
    host.add_manager(manager)
    host.add("nox", "echo tested")
    result = host.run("nox")
    assert (0, "tested\n") == (result.returncode, result.stdout)
    assert [call.format(root=host.root) for call in calls] == host.calls(manager)
    assert result.stderr.startswith("bootstrap: installing rpm")


def test_installs_what_is_missing_only(ready: Host) -> None:
    """A program that is there is not installed again, and one for the tests only before nox."""
    ready.be(0)
    ready.add_manager("apt-get")
    (ready.root / "bin/reader").unlink()
    ready.run("hello")
    assert "apt-get install -y --no-install-recommends rpm" == ready.calls("apt-get")[-1]


def test_libraries_are_what_the_loader_finds(ready: Host) -> None:
    """A library is on no PATH; it is missing where the loader's list does not have it."""
    table = ready.checkout / "buildroot/host-programs.txt"
    table.write_text(TABLE + "libfast.so.2 libfast2 fast build allocates\n")
    ready.be(1000)
    listed = ready.add(
        "ldconfig", "printf '\\tlibfast.so.2 (libc6,x86-64) => /lib/libfast.so.2\\n'"
    )
    assert 3 == ready.run("hello").returncode

    listed.write_text("#!/bin/sh\nprintf '\\tlibbreakfast.so.2 (libc6,x86-64) => /lib/x\\n'\n")
    done = ready.run("hello")

    assert 69 == done.returncode
    assert "missing: libfast.so.2" in done.stderr


def test_yum_installs_programs(ready: Host) -> None:
    """Where yum is all there is, and a Python is on PATH, yum installs the programs."""
    ready.be(0)
    ready.add_manager("yum")
    (ready.root / "bin/packer").unlink()
    assert 3 == ready.run("hello").returncode
    assert ["yum install -y rpm-build"] == ready.calls("yum")


def test_no_python_to_install(host: Host) -> None:
    """Where no package brings Python 3.11 it says so before it installs anything."""
    host.be(0)
    host.add_manager("yum")
    result = host.run("hello")
    assert 69 == result.returncode
    assert "no Python 3.11 or newer here, nor a package of it" in result.stderr
    assert [] == host.calls()


def test_python_of_the_package_is_too_old(host: Host) -> None:
    """A Debian whose python3 is older than 3.11 ends with that message, not with half a .venv."""
    host.be(0)
    host.add_manager("apt-get")
    host.add_python("/python", OLD)
    result = host.run("hello")
    assert 69 == result.returncode
    assert "no Python 3.11 or newer here" in result.stderr
    assert not (host.checkout / ".venv").exists()


def test_no_package_manager(ready: Host) -> None:
    """Without a known package manager it names the missing programs and exits 69."""
    (ready.root / "bin/packer").unlink()
    result = ready.run("hello")
    assert 69 == result.returncode
    assert "bootstrap: missing: packer\n" in result.stderr


def test_nginx_is_not_started(ready: Host) -> None:
    """Under systemd, nginx is masked before Debian's package of it can start it."""
    ready.be(0)
    ready.add_manager("apt-get")
    ready.add("systemctl")
    (ready.root / "run/systemd/system").mkdir(parents=True)
    (ready.root / "bin/server").unlink()
    ready.run("nox")
    expected = ["systemctl mask nginx", "apt-get update"]
    assert expected == ready.calls("systemctl", "apt-get")[:2]


def test_install_fails(host: Host) -> None:
    """A failed install shows what the package manager said and the command to try by hand."""
    host.be(0)
    host.add_manager("dnf")
    (host.root / "offline").touch()
    result = host.run("hello")
    assert 69 == result.returncode
    assert "cannot reach the mirror\n" in result.stderr
    assert "bootstrap: by hand: dnf install -y rpm-build rpm " in result.stderr


def test_install_brings_nothing(ready: Host) -> None:
    """A package without the program it should hold is noticed, and no command is run."""
    ready.be(0)
    ready.add("apt-get")
    (ready.root / "bin/packer").unlink()
    result = ready.run("hello")
    assert (69, "") == (result.returncode, result.stdout)
    assert "installed, and still missing: packer" in result.stderr


def test_second_run_does_nothing(ready: Host) -> None:
    """With all in place it starts neither Python nor a package manager, and says nothing."""
    ready.add_manager("apt-get")
    ready.run("hello")
    (ready.root / "log").unlink()
    result = ready.run("hello")
    assert (3, "") == (result.returncode, result.stderr)
    assert [] == ready.calls()


def test_new_lock_remakes(ready: Host) -> None:
    """A changed requirement file makes .venv anew, from nothing."""
    ready.run("hello")
    left = ready.checkout / ".venv/left-over"
    left.touch()
    with ready.lock("tests").open("a") as lock:
        lock.write("more==1.0 --hash=sha256:11\n")
    ready.run("hello")
    assert 2 == len(ready.calls("python"))
    assert not left.exists()


def test_locks_are_added(ready: Host) -> None:
    """A task needs one requirement file; the tests add theirs to what is there."""
    ready.add("invoke")
    ready.run("invoke", "build")
    assert [True, False, False] == [
        ready.stamp(name).exists() for name in ("build", "compare", "tests")
    ]
    added = ready.checkout / ".venv/added"
    added.touch()
    ready.run("invoke", "compare")
    assert ready.stamp("compare").exists()
    assert not ready.stamp("tests").exists()
    ready.run("hello")
    assert ready.stamp("tests").exists()
    assert added.exists()
    assert 3 == len(ready.calls("python"))


def test_source_packages_need_no_compiler(ready: Host) -> None:
    """The lock of builds, without compiler and cmake; after a build nothing is missing."""
    ready.add("invoke")
    blocks = [f"{name}==1 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n" for name in "ab"]
    tools = [blocks[0].replace("a==", f"{name}==") for name in ("cmake", "ninja", "ziglang")]
    ready.lock("build").write_text("".join([tools[0], blocks[0], *tools[1:], blocks[1]]))

    ready.run("invoke", "srpm", "--version", "3.4.3")
    assert "".join(blocks) == (ready.checkout / ".venv/source.txt").read_text()
    assert [True, False] == [ready.stamp(name).exists() for name in ("source", "build")]
    ready.run("invoke", "build")
    ready.stamp("source").unlink()
    before = len(ready.calls("python"))
    ready.run("invoke", "srpm")
    assert (2, before) == (before, len(ready.calls("python")))


def test_what_source_packages_do_not_need_is_in_the_lock() -> None:
    """A name that is no longer there would leave nothing out."""
    names = re.findall(r"/\^(\w+)==/", (PROJECT / "bootstrap").read_text())
    lock = (PROJECT / "requirements/build.txt").read_text()

    assert ["cmake", "ninja", "ziglang"] == names
    assert all(f"\n{name}==" in lock for name in names)


@pytest.mark.parametrize("name", ["with space", "a:b", "100%", "it's"])
def test_path_that_rpm_cannot_take(ready: Host, name: str) -> None:
    """A checkout in such a folder is refused before anything is installed, with exit code 12."""
    shutil.move(ready.checkout, ready.root / name)
    shutil.copytree(ready.root / name, ready.checkout)
    result = subprocess.run(
        [str(ready.root / name / "bootstrap"), "hello"],
        env=ready.environment(),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (12, "") == (result.returncode, result.stdout)
    assert "characters that rpm and cmake cannot take" in result.stderr
    assert [] == ready.calls()


def test_moved_checkout_remakes(ready: Host) -> None:
    """In another folder .venv is made anew: the scripts in it hold the old one's path."""
    ready.run("hello")
    shutil.move(ready.checkout, ready.root / "moved")
    (ready.root / "checkout").symlink_to(ready.root / "moved")
    ready.run("hello")
    assert 2 == len(ready.calls("python"))


def test_new_python_remakes(ready: Host) -> None:
    """.venv is made anew when the Python that it leads to is another, or gone."""
    ready.run("hello")
    python = ready.checkout / ".venv/bin/python"
    python.unlink()
    python.symlink_to(shutil.copy(ready.root / "base", ready.root / "python3.14"))
    ready.run("hello")
    assert 2 == len(ready.calls("python"))
    (ready.root / "base").unlink()
    ready.run("hello")
    assert 3 == len(ready.calls("python"))


def test_pip_fails(ready: Host) -> None:
    """A failed install leaves no stamp, so the next run starts over; it shows what pip said."""
    (ready.root / "offline").touch()
    result = ready.run("hello")
    assert (69, "") == (result.returncode, result.stdout)
    assert "pip says: no route\n" in result.stderr
    assert f"by hand: {ready.checkout}/.venv/bin/python -m pip install" in result.stderr
    assert not ready.stamp("build").exists()
    (ready.root / "offline").unlink()
    assert 3 == ready.run("hello").returncode


@pytest.mark.parametrize("failure", ["full", "offline"])
def test_update_fails(ready: Host, failure: str) -> None:
    """A whole .venv stops counting as whole once a remake has begun and failed."""
    ready.run("hello")
    lock = ready.lock("build")
    before = lock.read_text()
    lock.write_text(before + "more==1.0 --hash=sha256:11\n")
    (ready.root / failure).touch()
    assert 69 == ready.run("hello").returncode
    lock.write_text(before)
    assert 69 == ready.run("hello").returncode


@pytest.mark.parametrize("name", ["python3.11", "python3.14", "/usr/bin/python3.13"])
def test_python_under_another_name(ready: Host, name: str) -> None:
    """A stub that fails, an old Python and one with no ensurepip are passed over for a good one."""
    ready.add("python3", "echo 'no such version' >&2; exit 127")
    ready.add_python("python3.12", OLD)
    ready.add_python("python3.13", BARE)
    ready.add_python(name)
    result = ready.run("hello")
    assert 3 == result.returncode
    assert any(call.startswith(f"{Path(name).name} -m venv") for call in ready.calls())


def test_two_at_once(host: Host) -> None:
    """Of two that start together one waits, so that packages and .venv are installed once."""
    host.be(0)
    host.add_manager("apt-get")
    (host.root / "slow").touch()
    both = [
        subprocess.Popen(host.command("hello"), env=host.environment(), stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [3, 3] == [one.wait(timeout=30) for one in both]
    assert 2 == len(host.calls("apt-get")), "one update, one install"
    assert 1 == len(host.calls("python"))


def test_command_holds_no_lock(ready: Host) -> None:
    """A command that runs for long keeps no other bootstrap waiting."""
    lock = ready.checkout / ".venv.lock"
    assert 0 == ready.run("flock", "--nonblock", str(lock), "sleep", "0").returncode


def test_table() -> None:
    """Each line of the real table has a program, two packages, a known state and a purpose."""
    lines = (PROJECT / "buildroot/host-programs.txt").read_text().splitlines()
    rows = [line.split(maxsplit=4) for line in lines if line and not line.startswith("#")]
    assert {5} == {len(row) for row in rows}
    assert USES >= {use for row in rows for use in row[3].split(",")}
    assert len(rows) == len({row[0] for row in rows})
    assert os.access(PROJECT / "bootstrap", os.X_OK)
