"""The tool of administrators, on the userlands that servers have: dash, bash and busybox."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.compare import nginx
from pipeline.compare.allocators import Allocator
from pipeline.compare.nginx import Setup
from pipeline.config import load
from pipeline.config.allocators import ALLOCATORS, library_file
from pipeline.inspect import payload
from pipeline.smoke.nginx import find
from tests.build.conftest import NEWEST, ROOT, SEED, Package, subpackage
from tests.build.test_nginx import SAMPLE
from tests.tally import untested

APPLETS = (
    *("awk", "cat", "cmp", "grep", "head", "mkdir", "mv", "od", "readlink", "rm", "rmdir"),
    *("sed", "sh", "sort", "stat", "tail", "tr", "xargs"),
)
UNIT = "[Service]\nExecStart={program}\n"
SYSTEM = "etc/systemd/system"

# What a file for nginx sets.
SETTINGS = [
    setting.variable
    for one in load.package(ROOT).flavor["plain"].subpackage
    for setting in one.setting
]

Done = subprocess.CompletedProcess[str]
Tool = Callable[..., Done]


@pytest.fixture(scope="module")
def readable() -> Iterator[Path]:
    """A folder that everybody can read; pytest's own are for one user."""
    with tempfile.TemporaryDirectory(prefix="mimalloc-tool-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def packages(package: Package, readable: Path) -> Path:
    """The files of the newest release's package and of its tools."""
    built = package(NEWEST, "el8")
    root = payload.unpack(built.rpm, readable)
    tools = payload.unpack(subpackage(built, "-tools")[1], readable / "tools")
    shutil.copytree(tools, root, dirs_exist_ok=True)
    return root


@pytest.fixture(scope="module")
def library(packages: Path) -> Path:
    """The library."""
    return (packages / "usr/local/nginx-dep/lib64/libmimalloc.so").resolve()


@pytest.fixture(params=["dash mawk", "bash gawk", "busybox"])
def tool(request: pytest.FixtureRequest, packages: Path, readable: Path) -> Tool:
    """Runs the installed tool with a shell and an awk, or with busybox alone."""
    shell, *awk = request.param.split()
    links = {"awk": awk[0]} if awk else dict.fromkeys(APPLETS, shell)
    folder = readable / request.param
    folder.mkdir(exist_ok=True)
    for name, program in {**links, "sh": shell}.items():
        path = shutil.which(program) or untested(f"the tool on {program}", f"no {program}")
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(path)

    def run(*arguments: str | Path, before: tuple[str, ...] = ()) -> Done:
        environment = {**os.environ, "PATH": f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin"}
        environment.pop("LD_PRELOAD", None)
        path = packages / "usr/bin/mimalloc-custom"
        command = [*before, str(folder / "sh"), str(path), *map(str, arguments)]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return run


@contextmanager
def started(*command: str | Path, **variables: str | Path) -> Iterator[int]:
    """A process that sleeps, or another one; its id."""
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    script = ["sh", "-c", 'echo ready; exec "$0" "$@"', *(command or ("sleep", "100"))]
    with subprocess.Popen(
        [*map(str, script)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as running:
        assert running.stdout
        assert b"ready\n" == running.stdout.readline()
        name = Path(command[0] if command else "sleep").name[:15]
        wait_for_name(running.pid, name)
        try:
            yield running.pid
        finally:
            running.kill()


def wait_for_name(pid: int, name: str) -> None:
    """Until the shell has become the program, and the loader is done with it."""
    for _ in range(500):
        maps = Path(f"/proc/{pid}/maps").read_text()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if Path(f"/proc/{pid}/comm").read_text().strip() == name and maps and state == "S":
            return
        signal.sigtimedwait([], 0.01)


def state_of(tool: Tool, pid: int, code: int, **options: tuple[str, ...]) -> dict[str, Any]:
    """What the tool says of a process, as JSON; the exit code is held."""
    done = tool("status", "--json", str(pid), **options)
    assert code == done.returncode, done.stdout + done.stderr
    processes: list[dict[str, Any]] = json.loads(done.stdout)["processes"]
    (process,) = (one for one in processes if one["pid"] == pid)
    return process


def test_a_process_on_the_library(tool: Tool, library: Path) -> None:
    """As a listing and as JSON; the release is by the file's name where no package owns it."""
    with started(LD_PRELOAD=library) as pid:
        done = tool("status", str(pid))
        state = state_of(tool, pid, 0)

    assert (0, "") == (done.returncode, done.stderr)
    head, line, verdict = done.stdout.splitlines()
    assert ["USER", "PID", "VSZ", "RSS", "PSS", "MIMALLOC", "COMMAND"] == head.split()
    assert [str(pid), "3.4", "sleep", "100"] == [line.split()[1], *line.split()[5:]]
    assert f"in use by 1 of 1: {library}" == verdict
    assert ("in-use", str(library)) == (state["state"], state["library"])
    assert state["vsz"] > state["rss"] >= state["pss"] > 0


@pytest.mark.parametrize("word", ["replaced", "removed"])
def test_an_upgrade_under_a_running_process(
    tool: Tool, library: Path, tmp_path: Path, word: str
) -> None:
    """It goes on with the old file until it is restarted."""
    copy = Path(shutil.copy(library, tmp_path))
    with started(LD_PRELOAD=copy) as pid:
        copy.unlink()
        if word == "replaced":
            shutil.copy(library, copy)
        state = state_of(tool, pid, 41)

    assert word == state["state"]
    assert f"{copy} was {word} on disk since it started" in str(state["message"])
    assert "a reload is not enough" in str(state["message"])


@contextmanager
def not_executed(library: Path, folder: Path) -> Iterator[int]:
    """A process that has a library mapped that its mount forbids to execute."""
    folder.mkdir(exist_ok=True)
    copied = f"mount -t tmpfs -o noexec none {folder} && cp {library} {folder}"
    script = f"{copied} && LD_PRELOAD={folder}/{library.name} exec sleep 100"
    with started("unshare", "--mount", "sh", "-c", script) as pid:
        wait_for_name(pid, "sleep")
        assert "libmimalloc" in Path(f"/proc/{pid}/maps").read_text()
        yield pid


def test_mapped_and_not_executed(tool: Tool, library: Path, tmp_path: Path) -> None:
    """As with NoExecPaths or a wrong label: the loader goes on without the library."""
    with not_executed(library, tmp_path) as pid:
        state = state_of(tool, pid, 41)

    assert "not-executable" == state["state"]
    assert "may not be executed, so it is not used: a mount with noexec" in str(state["message"])


@pytest.fixture
def enforcing(tmp_path: Path, library: Path) -> Callable[[str], tuple[str, ...]]:
    """What runs the tool as under SELinux in enforcing mode, with a label of all files."""

    def before(kind: str) -> tuple[str, ...]:
        error = f"ERROR: ld.so: object '{library}' from LD_PRELOAD cannot be preloaded: ignored."
        fakes = {
            "stat": f'[ "$2" != %C ] || exec echo u:r:{kind}:s0; exec /usr/bin/stat "$@"',
            "journalctl": f'echo "{error}"',
        }
        for name, script in fakes.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        mounted = (
            "mount -t tmpfs none /sys/fs; mkdir /sys/fs/selinux; echo 1 >/sys/fs/selinux/enforce"
        )
        script = f'{mounted}; PATH={tmp_path}:$PATH exec "$@"'
        return ("unshare", "--mount", "sh", "-c", script, "sh")

    return before


def test_a_label_that_the_loader_may_not_read(
    tool: Tool, library: Path, enforcing: Callable[[str], tuple[str, ...]]
) -> None:
    """What the loader said of it, the label, how to correct it, and where to look."""
    with started() as pid:
        wrong = state_of(tool, pid, 41, before=enforcing("tmp_t"))
        right = state_of(tool, pid, 41, before=enforcing("lib_t"))

    loader = f"not on mimalloc; the loader: ERROR: ld.so: object '{library}' from LD_PRELOAD"
    loader += " cannot be preloaded: ignored."
    label = f"; its SELinux label is u:r:tmp_t:s0, and not lib_t: restorecon -v {library};"
    denied = " what was denied: ausearch -m AVC -ts today -c sleep"
    assert ("not-on-it", "") == (wrong["state"], wrong["library"])
    assert loader + label + denied == wrong["message"]
    assert loader == right["message"]


@pytest.mark.parametrize(
    ("label", "reason"), [("usr_t", "and not lib_t: restorecon"), ("lib_t", "findmnt -T")]
)
def test_a_label_that_may_not_be_executed(
    tool: Tool,
    library: Path,
    tmp_path: Path,
    enforcing: Callable[[str], tuple[str, ...]],
    label: str,
    reason: str,
) -> None:
    """The label is the reason only where it is not that of a library."""
    with not_executed(library, tmp_path / "mount") as pid:
        message = state_of(tool, pid, 41, before=enforcing(label))["message"]

    assert reason in message
    assert (label == "usr_t") == ("SELinux" in message)


def test_without_it(tool: Tool) -> None:
    """Nothing was preloaded."""
    with started() as pid:
        state = state_of(tool, pid, 41)

    assert ("not-on-it", "", "-") == (state["state"], state["library"], state["release"])


def test_another_allocator(tool: Tool) -> None:
    """It is named."""
    other = library_file("libjemalloc.so.2")
    with started(LD_PRELOAD=other) as pid:
        state = state_of(tool, pid, 41)

    assert "other-allocator" == state["state"]
    assert f"not on mimalloc, but on {other.name}" == state["message"]


def test_known_allocators_are_those_of_the_project(packages: Path) -> None:
    """One list, in two languages."""
    text = (packages / "usr/bin/mimalloc-custom").read_text()
    names = ALLOCATORS.pattern.removesuffix("(?![a-z])")
    assert f"allocators='{names}([^a-z]|$)'\n" in text


def test_the_folder_is_that_of_the_packages(packages: Path, package: Package) -> None:
    """Where the library is looked for."""
    text = (packages / "usr/bin/mimalloc-custom").read_text()
    assert f"libraries={package(NEWEST, 'el8').plan.package.libraries}\n" in text


def test_a_static_program(tool: Tool, tmp_path: Path) -> None:
    """It has no loader."""
    source, program = tmp_path / "static.c", tmp_path / "static"
    source.write_text("#include <unistd.h>\nint main(void) { sleep(100); }\n")
    subprocess.run(["gcc", "-static", "-o", program, source], check=True)
    with started(program) as pid:
        assert "static" == state_of(tool, pid, 41)["state"]


@pytest.fixture
def nobody() -> tuple[str, ...]:
    """The prefix that runs a program as nobody."""
    if os.geteuid() != 0:
        untested("the tool as another user", "needs root, to be somebody else")
    return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def test_a_program_that_gains_rights(
    tool: Tool, library: Path, readable: Path, nobody: tuple[str, ...]
) -> None:
    """AT_SECURE: the loader ignores the variable, without a word."""
    program = Path(shutil.copy("/usr/bin/sleep", readable / "gains"))
    program.chmod(0o4755)
    with started(*nobody, program, "100", LD_PRELOAD=library) as pid:
        wait_for_name(pid, "gains")
        assert "at-secure" == state_of(tool, pid, 41)["state"]


def test_a_process_of_somebody_else(tool: Tool, library: Path, nobody: tuple[str, ...]) -> None:
    """Its mappings cannot be read, which is no proof of anything."""
    with started(LD_PRELOAD=library) as pid:
        state = state_of(tool, pid, 41, before=nobody)

    assert ("unreadable", "?") == (state["state"], state["release"])
    assert "run this as root" in str(state["message"])


def test_a_user_without_a_name(tool: Tool, library: Path) -> None:
    """As one of DynamicUser= may be: its number."""
    if os.geteuid() != 0:
        untested("the tool on a user without a name", "needs root, to be somebody else")
    with started("setpriv", "--reuid=61987", "sleep", "99", LD_PRELOAD=library) as pid:
        wait_for_name(pid, "sleep")
        assert "61987" == state_of(tool, pid, 0)["user"]


def test_words_of_a_process_are_one_line(tool: Tool, library: Path, tmp_path: Path) -> None:
    """Whoever runs a program chooses its arguments, its name, and the name of its library."""
    odd = tmp_path / 'libmimalloc"\\\x1b[2J.so'
    shutil.copy(library, odd)
    name = 'x\x1b]0;t\a\n"\\\tevil'
    script = f"exec -a '{name}' {sys.executable} -c 'import time; time.sleep(99)'"
    with started("bash", "-c", script, LD_PRELOAD=odd) as pid:
        wait_for_name(pid, Path(sys.executable).resolve().name[:15])
        done, state = tool("status", str(pid)), state_of(tool, pid, 0)

    assert 3 == len(done.stdout.splitlines())
    assert "\x1b" not in done.stdout
    assert 'x?]0;t? "\\ evil -c import time; time.sleep(99)' == state["command"]
    assert str(odd).replace("\x1b", "?") == state["library"]


def test_a_process_that_is_not_there(tool: Tool) -> None:
    """An empty listing would look like success."""
    for which in (["4194305"], ["--name", "no-such-program"], ["no-such-unit"]):
        done = tool("status", *which)
        assert 41 == done.returncode
        assert "there is no process" in done.stdout
        assert which[-1] in done.stdout
        assert [] == json.loads(tool("status", "--json", *which).stdout)["processes"]
    assert "process x?]0;t?\n" in tool("status", "--name", "x\x1b]0;t\a").stdout


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_an_output_that_is_full(tool: Tool, option: tuple[str, ...]) -> None:
    """Whoever reads half a listing must not take it for all of it."""
    done = tool(
        "status", *option, str(os.getpid()), before=("sh", "-c", 'exec "$0" "$@" >/dev/full')
    )

    assert 12 == done.returncode
    assert "mimalloc-custom: the output cannot be written" in done.stderr


def test_processes_by_name_and_with_what_they_started(tool: Tool, library: Path) -> None:
    """Descendants are in, and below their parents; each that is not on it has a reason."""
    script = "LD_PRELOAD= sleep 98 & exec sleep 99"
    with started("sh", "-c", script, LD_PRELOAD=library) as pid:
        wait_for_name(pid, "sleep")
        below = tool("status", str(pid))
        named = tool("status", "--name", "sleep")

    first, second = below.stdout.splitlines()[1:3]
    assert first.endswith("3.4          sleep 99")
    assert second.endswith(r"-             \_ sleep 98")
    assert "in use by 1 of 2" in below.stdout
    assert 41 == named.returncode
    assert first.split()[1] in named.stdout.split()


def test_another_name_of_a_unit(tool: Tool, tmp_path: Path) -> None:
    """systemd says of which unit; `dropin` does not ask it, because packages are made with that."""
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\necho Id=redis-server.service\n")
    systemctl.chmod(0o755)
    asked = ("env", f"PATH={tmp_path}:/usr/bin:/bin")

    done = tool("status", "redis", before=asked)
    assert (41, "there is no process: redis-server.service\n") == (done.returncode, done.stdout)
    assert "# redis.service on" in tool("dropin", "redis", before=asked).stdout


@pytest.mark.parametrize("argument", ["--colour", "--name", "a b", "x.socket", ""])
def test_wrong_usage_of_status(tool: Tool, argument: str) -> None:
    """Exit code 2, and a message."""
    done = tool("status", argument)
    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("mimalloc-custom: ")


def test_no_command(tool: Tool) -> None:
    """The help is an error's output, or what was asked for."""
    assert (2, "") == (tool().returncode, tool().stdout)
    assert (0, "") == (tool("--help").returncode, tool("--help").stderr)


# --- nginx ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        ("", False),
        ("env LD_PRELOAD;\n", True),
        ("env\n  LD_PRELOAD ; # it\n", True),
        ('env "LD_PRELOAD";\n', True),
        ("env LD_PRELOAD=/somewhere;\n", True),
        ("# env LD_PRELOAD;\n", False),
        ("env LD_PRELOADED;\nenv MIMALLOC_ALLOW_THP;\n", False),
        ("include {folder}/*.inc;\n", True),
        ("include {folder}/none/*.inc;\n", False),
    ],
)
def test_whether_nginx_keeps_it_through_a_binary_upgrade(
    tool: Tool, library: Path, tmp_path: Path, text: str, keeps: bool
) -> None:
    """By the main context of the configuration that the master was started with."""
    nginx.create_content(tmp_path / "content")
    setup = Setup(find(), SAMPLE, tmp_path / "content")
    (tmp_path / "a.inc").write_text("env LD_PRELOAD;\n")
    with nginx.started(setup, Allocator("ours", library), tmp_path / "nginx") as server:
        file = tmp_path / "nginx" / "nginx.conf"
        file.write_text(text.format(folder=tmp_path) + file.read_text())
        done = tool("status", str(server.master.pid))
        state = state_of(tool, server.master.pid, 0)

    assert 0 == done.returncode, done.stdout
    assert keeps != ("a binary upgrade of nginx (USR2" in done.stdout)
    assert keeps != ("env LD_PRELOAD;" in str(state["upgrade"]))


# --- enable and disable --------------------------------------------------------------------------


@pytest.fixture
def root(packages: Path, tmp_path: Path) -> Path:
    """An installation: the library, and a unit with a program."""
    root = tmp_path / "root"
    library = root / "usr/local/nginx-dep/lib64"
    library.mkdir(parents=True)
    (library / "libmimalloc.so").write_text("")
    for unit in ("web", "nginx", "php8.2-fpm", "a@"):
        add_unit(root, unit, Path("/usr/bin/sleep"))
    return root


def add_unit(root: Path, name: str, program: Path) -> Path:
    """A unit whose program is a copy; the copy."""
    folder, target = root / "usr/lib/systemd/system", root / "usr/sbin" / f"{name}-program"
    for one in (folder, target.parent):
        one.mkdir(parents=True, exist_ok=True)
    shutil.copy(program, target)
    (folder / f"{name}.service").write_text(UNIT.format(program=f"-/usr/sbin/{target.name} -g x"))
    return target


def test_variables_of_the_caller_change_nothing(
    tool: Tool, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever they are called: the tool's own begin empty."""
    for name in ("id", "unit", "library", "force", "file", "given", "pids", "json", "root"):
        monkeypatch.setenv(name, "other")
    on = tool("--root", root, "enable", "web")

    assert (0, "") == (on.returncode, on.stderr)
    assert (root / SYSTEM / "web.service.d" / "mimalloc-custom.conf").is_file()


@pytest.mark.parametrize("unit", ["web", "web.service", "a@1", "nginx"])
def test_enable_and_disable(tool: Tool, root: Path, unit: str) -> None:
    """Each twice: the second time changes nothing; nothing stays."""
    name = f"{unit.removesuffix('.service')}.service"
    file = root / SYSTEM / f"{name}.d" / "mimalloc-custom.conf"
    on = tool("--root", root, "enable", unit)
    assert (0, "") == (on.returncode, on.stderr)
    assert f"written: {file}" in on.stdout
    assert "from its next restart on: systemctl restart" in on.stdout
    content = file.read_text()
    expected = "[Service]\nEnvironment=LD_PRELOAD=/usr/local/nginx-dep/lib64/libmimalloc.so\n"
    if unit == "nginx":
        expected += "".join(f"Environment={setting}\n" for setting in SETTINGS)
    assert content.endswith(expected)
    assert 0o644 == file.stat().st_mode & 0o777
    before = file.stat().st_mtime_ns
    assert "is enabled already" in tool("--root", root, "enable", unit).stdout
    assert before == file.stat().st_mtime_ns

    off = tool("--root", root, "disable", unit)

    assert (0, "") == (off.returncode, off.stderr)
    assert not file.parent.exists()
    again = tool("--root", root, "disable", unit)
    assert (0, f"{name} is not enabled by mimalloc-custom\n") == (again.returncode, again.stdout)


def test_the_settings_suit_the_line_of_the_library(tool: Tool, root: Path) -> None:
    """The delay of 3.x is longer than the default of 2.x, and has the same name."""
    path = root / "usr/local/nginx-dep/lib64/libmimalloc.so"
    printed = {}
    for line in "23":
        path.unlink()
        (path.parent / f"libmimalloc.so.{line}").write_text("")
        path.symlink_to(f"libmimalloc.so.{line}")
        printed[line] = tool("--root", root, "dropin", "nginx").stdout.splitlines()
    (delay,) = (setting for setting in SETTINGS if setting.startswith("MIMALLOC_PURGE_DELAY="))

    assert f"Environment={delay}" in printed["3"]
    assert printed["2"] == [line for line in printed["3"] if not line.endswith(delay)]


def test_all_units_of_a_template(tool: Tool, root: Path) -> None:
    """systemctl restarts no template; the command that is shown restarts its units."""
    on, off = (tool("--root", root, command, "a@").stdout for command in ("enable", "disable"))

    for output in (on, off):
        assert output.endswith(": systemctl restart 'a@*'\n")
    assert "systemctl restart 'a@*'\n" in tool("dropin", "a@").stdout


def test_another_library(tool: Tool, root: Path) -> None:
    """The drop-in is changed; what does not exist is refused, and changes nothing."""
    tool("--root", root, "enable", "web")
    file = root / SYSTEM / "web.service.d" / "mimalloc-custom.conf"
    secure = root / "usr/local/nginx-dep/lib64/libmimalloc-secure.so"
    path = f"/{secure.relative_to(root)}"
    refused = tool("--root", root, "enable", "--library", path, "web")
    assert (44, "") == (refused.returncode, refused.stdout)
    assert f"there is no {path}" in refused.stderr
    secure.write_text("")

    assert 0 == tool("--root", root, "enable", "--library", path, "web").returncode
    assert f"Environment=LD_PRELOAD={path}\n" in file.read_text()
    for bad in ("lib.so", "/a b", "/a\nb", "/a%b"):
        assert 2 == tool("--root", root, "enable", "--library", bad, "web").returncode
    assert f"Environment=LD_PRELOAD={path}\n" in file.read_text()


def test_an_administrators_file_is_not_touched(tool: Tool, root: Path) -> None:
    """Neither by enable nor by disable."""
    file = root / SYSTEM / "web.service.d" / "mimalloc-custom.conf"
    file.parent.mkdir(parents=True)
    file.write_text("[Service]\n")

    for command in ("enable", "disable"):
        done = tool("--root", root, command, "web")
        assert (44, "") == (done.returncode, done.stdout)
        assert f"{file}" in done.stderr
    assert "[Service]\n" == file.read_text()


def objection(tool: Tool, root: Path, unit: str) -> str:
    """Why a unit is not enabled; with --force it is."""
    done = tool("--root", root, "enable", unit)
    assert (44, "") == (done.returncode, done.stdout)
    assert not (root / SYSTEM / f"{unit}.service.d").exists()
    assert 0 == tool("--root", root, "enable", "--force", unit).returncode
    return done.stderr


PLUGIN = "#include <stdlib.h>\nvoid call(void *block) { free(block); }\n"
OPENER = """#include <dlfcn.h>
int main(int n, char **a) { return n != 2 || a[1][1] != 'm' || !dlopen(PLUGIN, RTLD_LAZY | FLAG); }
"""


@pytest.mark.parametrize("flag", ["RTLD_DEEPBIND", "RTLD_GLOBAL"])
def test_php_is_refused_where_it_crashes(
    tool: Tool, root: Path, library: Path, tmp_path: Path, flag: str
) -> None:
    """Where its extensions have the C library's malloc, and that has no hooks."""
    compile_of(PLUGIN, tmp_path / "plugin.so", "-shared", "-fPIC")
    definitions = (f"-DFLAG={flag}", f'-DPLUGIN="{tmp_path}/plugin.so"', "-D_GNU_SOURCE")
    compile_of(OPENER, root / "usr/sbin/php8.2-fpm-program", *definitions)
    shutil.copy(library, root / "usr/local/nginx-dep/lib64/libmimalloc.so")
    if flag == "RTLD_GLOBAL":
        assert 0 == tool("--root", root, "enable", "php8.2-fpm").returncode
        return

    assert "RTLD_DEEPBIND" in objection(tool, root, "php8.2-fpm")
    tool("--root", root, "disable", "php8.2-fpm")
    c_library = root / "lib64/libc.so.6"
    c_library.parent.mkdir()
    for release, code in (("2.17, by Roland McGrath et al", 0), ("2.28", 0), ("2.34", 44)):
        c_library.write_text(f"#!/bin/sh\necho 'GNU C Library stable release version {release}.'\n")
        c_library.chmod(0o755)
        assert code == tool("--root", root, "enable", "php8.2-fpm").returncode, release


def compile_of(text: str, program: Path, *flags: str) -> None:
    """Compile a program, or a library, of one text."""
    command = ["gcc", "-x", "c", *flags, "-", "-o", str(program)]
    subprocess.run(command, input=text, text=True, check=True)


def test_programs_that_a_preload_does_not_reach(tool: Tool, root: Path, tmp_path: Path) -> None:
    """Set-uid, static, with an allocator of its own."""
    source = tmp_path / "a.c"
    source.write_text("int je_malloc(void) { return 0; } int main(void) { return je_malloc(); }\n")
    subprocess.run(["gcc", "-o", tmp_path / "own", source], check=True)
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-static", "-o", tmp_path / "static", source], check=True)
    add_unit(root, "gains", Path("/usr/bin/sleep")).chmod(0o4755)
    add_unit(root, "own", tmp_path / "own")
    add_unit(root, "static", tmp_path / "static")

    assert "is set-uid or set-gid" in objection(tool, root, "gains")
    assert "has an allocator of its own" in objection(tool, root, "own")
    assert "is statically linked" in objection(tool, root, "static")


def test_a_unit_that_preloads_something_else(tool: Tool, root: Path) -> None:
    """Of two values of a variable, one has no effect."""
    other = root / "usr/lib/systemd/system/web.service.d/jemalloc.conf"
    other.parent.mkdir(parents=True)
    other.write_text("[Service]\nEnvironment=LD_PRELOAD=/usr/lib64/libjemalloc.so.2\n")

    assert f"{other} sets LD_PRELOAD, too" in objection(tool, root, "web")


def test_what_the_package_does_already(tool: Tool, root: Path, package: Package) -> None:
    """enable says so; disable says what is left, and how to switch that off."""
    built = package(NEWEST, "el8")
    nginx_files = payload.unpack(subpackage(built)[1], root.parent / "nginx-package")
    shutil.copytree(nginx_files, root, dirs_exist_ok=True)
    packaged = "/usr/lib/systemd/system/nginx.service.d/mimalloc.conf"

    on, off = (tool("--root", root, command, "nginx") for command in ("enable", "disable"))

    assert (0, f"nginx.service starts on mimalloc by {packaged}, of a package\n") == (
        on.returncode,
        on.stdout,
    )
    assert 41 == off.returncode
    assert f"{root}{packaged}" in off.stderr
    assert "ln -s /dev/null" in off.stderr
    masked = root / SYSTEM / "nginx.service.d" / "mimalloc.conf"
    masked.parent.mkdir(parents=True, exist_ok=True)
    masked.symlink_to("/dev/null")
    assert 0 == tool("--root", root, "disable", "nginx").returncode


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("etc/systemd/system/web.service.d/own.conf", "[Service]\nEnvironment=LD_PRELOAD={}\n"),
        (r"etc/systemd/system/a\x2db.service.d/c.conf", "[Service]\nEnvironment=LD_PRELOAD={}\n"),
        ("etc/systemd/system/web.service", '[Service]\nEnvironment="A=b" "LD_PRELOAD={}"\n'),
        ("etc/sysconfig/nginx", 'LD_PRELOAD="/lib64/libc.so.6 {}"\n'),
        ("etc/ld.so.preload", "/lib64/libm.so.6:{}\n"),
    ],
)
def test_a_preload_that_outlives_the_package(tool: Tool, root: Path, file: str, text: str) -> None:
    """It is found and named, and no longer once the library is there."""
    gone = "/usr/local/nginx-dep/lib64/libmimalloc.so.2"
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.format(gone))
    done = tool("--root", root, "status", str(os.getpid()))

    assert f"{path} preloads {gone}, which does not exist" in done.stdout
    missing = json.loads(tool("--root", root, "status", "--json", str(os.getpid())).stdout)
    assert [{"file": str(path), "library": gone}] == missing["missing"]
    (root / gone[1:]).write_text("")
    assert "preloads" not in tool("--root", root, "status", str(os.getpid())).stdout


def test_a_preload_without_effect_is_not_named(tool: Tool, root: Path) -> None:
    """A comment, and a file that another one of the same name replaces."""
    for folder, text in (
        ("usr/lib/systemd/system", "Environment=LD_PRELOAD=/x/libmimalloc.so.2"),
        ("etc/systemd/system", "# Environment=LD_PRELOAD=/x/libmimalloc.so.2"),
    ):
        file = root / folder / "web.service.d" / "a.conf"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"[Service]\n{text}\n")

    assert "preloads" not in tool("--root", root, "status", str(os.getpid())).stdout


def test_a_full_disk(tool: Tool, root: Path) -> None:
    """Exit code 12, and nothing half-written."""
    folder = root / SYSTEM
    folder.parent.mkdir(parents=True)
    folder.write_text("")

    done = tool("--root", root, "enable", "web")

    assert 12 == done.returncode
    assert "cannot be written" in done.stderr


def test_the_seed_page(tool: Tool) -> None:
    """The library by its soname, as in the page that this started from."""
    path = "/usr/local/nginx-dep/lib64/libmimalloc.so.2"
    done = tool("dropin", "--library", path, "nginx")
    assert (0, "") == (done.returncode, done.stderr)
    assert f"[Service]\nEnvironment=LD_PRELOAD={path}\n" in done.stdout
    assert SEED.startswith("2.")
