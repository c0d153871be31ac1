"""nginx on the library under SELinux in enforcing mode, in a virtual machine (`nox -s selinux`)."""

import re
import tempfile
from pathlib import Path

import pytest

from pipeline.build import make, selection
from pipeline.model.errors import FetchError
from pipeline.system import workspace
from pipeline.system.report import Report
from tests.selinux import machine
from tests.tally import count, untested

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("session.sh")

# What the script installs: the first, and then the other one over it.
RELEASES = (("3.4.3", "el9"), ("2.0.9", "el8"))
LIBRARY = "/usr/local/nginx-dep/lib64/libmimalloc.so"
LABEL = "system_u:object_r:{}:s0"

Steps = dict[str, dict[str, str]]


def _packages() -> list[Path]:
    """The files of both releases and of their sub-packages, built if they are not up to date."""
    files = []
    for version, dist in RELEASES:
        plan = selection.plan(PROJECT, version, dist, "x86_64")
        try:
            built = make.package(plan, workspace.locate(PROJECT), Report())
        except FetchError as problem:
            untested(machine.WHAT, f"{problem.what}: invoke fetch --version {version}")
        files += [built.rpm, *(built.rpm.with_name(one.file_name) for one in plan.subpackages)]
    return files


@pytest.fixture(scope="module")
def steps() -> Steps:
    """What each command of each step printed; the transcript is left in the workspace."""
    machine.host()
    packages = _packages()
    with tempfile.TemporaryDirectory(prefix="mimalloc-selinux-") as name:
        root = Path(name, "root")
        machine.make(root)
        machine.prepare(root, SCRIPT, packages)
        text = machine.transcript(root, Path(name))
    text = re.sub(r"[ \t\r]+$", "", text, flags=re.MULTILINE)
    (workspace.locate(PROJECT).work / "selinux.txt").write_text(text)
    count("virtual machine with SELinux in enforcing mode")
    return _parsed(text)


def _parsed(text: str) -> Steps:
    """Lines "# STEP", then for each command "$ COMMAND" and its output."""
    steps: Steps = {}
    for step in re.split(r"^# ", text, flags=re.MULTILINE)[1:]:
        name, _, commands = step.partition("\n")
        split = (one.partition("\n") for one in re.split(r"^\$ ", commands, flags=re.MULTILINE)[1:])
        steps[name] = {command: output for command, _, output in split}
    assert "end" in steps, text[-2000:]
    return steps


def _output(step: dict[str, str], beginning: str) -> str:
    """What the command of a step that begins so printed."""
    (text,) = (text for command, text in step.items() if command.startswith(beginning))
    return text


def _in_use(step: dict[str, str], release: str, library: str = LIBRARY) -> None:
    """The tool says that the master and both workers are on the library."""
    status = _output(step, "mimalloc-custom status")
    assert "exit code" not in status
    assert [release] * 3 == [line.split()[5] for line in status.splitlines()[1:4]]
    assert f"in use by 3 of 3: {library}" in status


def test_rpm_labels_the_files_as_the_policy_says(steps: Steps) -> None:
    """The library as a library, the command as a command; nothing is left to `restorecon`."""
    step = steps["installed"]
    lines = _output(step, "ls -Zd").splitlines()
    labels = {name: label for label, name in (line.split() for line in lines)}

    assert "Enforcing\n" == _output(step, "getenforce")
    assert LABEL.format("lib_t") == labels[f"{LIBRARY}.3.4"]
    assert LABEL.format("bin_t") == labels["/usr/bin/mimalloc-custom"]
    assert "" == _output(step, "restorecon")


def test_nginx_is_on_the_library_in_its_domain(steps: Steps) -> None:
    """The transition from systemd's domain into that of nginx keeps LD_PRELOAD."""
    step = steps["installed"]

    _in_use(step, "3.4.3-1.el9", f"{LIBRARY}.3.4")
    assert 3 == _output(step, "ps ").count("system_u:system_r:httpd_t:s0")
    assert f" {LIBRARY}.3.4\n" in _output(step, "grep -h r-xp")


@pytest.mark.parametrize("label", ["usr_t", "user_home_t", "tmp_t"])
def test_a_wrong_label_is_named(steps: Steps, label: str) -> None:
    """With what corrects it, and where to look; nginx serves all the same, without the library."""
    step = steps[label]
    status = _output(step, "mimalloc-custom status")
    mapped = f"{LIBRARY}.3.4 is mapped, and may not be executed, so it is not used: "
    unread = "cannot be preloaded (cannot open shared object file): ignored.; "
    named = f"its SELinux label is {LABEL.format(label)}, and not lib_t: "
    command = f"restorecon -v {LIBRARY}.3.4; what was denied: ausearch -m AVC -ts today -c nginx"

    assert 3 == status.count((mapped if label == "usr_t" else unread) + named + command)
    assert status.endswith("exit code 41\n")
    assert "HTTP/1.1 200 OK\n" == _output(step, "request")
    denied = _output(step, "ausearch")
    assert f"denied  {{ {'execute' if label == 'usr_t' else 'read'} }}" in denied
    assert f"scontext={LABEL.format('').replace('object_r:', 'system_r:httpd_t')}" in denied


def test_restorecon_brings_nginx_back(steps: Steps) -> None:
    """It corrects the label that the test gave; after a restart the library is in use."""
    assert f"{LIBRARY}.3.4 from {LABEL.format('tmp_t')} to {LABEL.format('lib_t')}" in (
        _output(steps["restored"], "restorecon")
    )
    _in_use(steps["restored"], "3.4.3-1.el9", f"{LIBRARY}.3.4")


def test_a_limit_of_24_megabytes(steps: Steps) -> None:
    """With `MemoryMax=24M` in the unit nginx answers, and the kernel ends nothing of it."""
    step = steps["memory"]
    memory = _output(step, "grep . /sys/fs/cgroup")

    _in_use(step, "3.4.3-1.el9", f"{LIBRARY}.3.4")
    assert ["100", "HTTP/1.1", "200", "OK"] == _output(step, "for i in").split()
    assert "memory.max:25165824\n" in memory
    assert "memory.events:oom_kill 0\n" in memory


def test_another_release_over_it(steps: Steps) -> None:
    """The running nginx is said to be on what was removed, and after a restart is on the other."""
    removed = f"{LIBRARY}.3.4 was removed on disk since it started"

    assert 3 == _output(steps["upgraded"], "mimalloc-custom status").count(removed)
    _in_use(steps["restarted"], "2.0.9-1.el8")
    assert LABEL.format("lib_t") in _output(steps["restarted"], "ls -Z")


def test_a_folder_elsewhere_needs_the_labels_of_the_first(steps: Steps) -> None:
    """Where `/usr/local/nginx-dep` is a link, the policy has to know that it is the same."""
    status = _output(steps["moved"], "mimalloc-custom status")

    assert 3 == status.count(f"its SELinux label is {LABEL.format('var_t')}, and not lib_t")
    _in_use(steps["equal"], "2.0.9-1.el8", LIBRARY.replace("/usr/local", "/srv/big"))
