"""The script that the workflow runs in containers, on good packages and on bad ones.

It runs in a small root, with those programs of this host that a minimal image has.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.model import Built
from tests.build import rpm_spec
from tests.build.c_library import stand_in
from tests.build.conftest import NEWEST, ROOT, SEED, Package, Which, of_each

PROGRAMS = (
    "bash cat cksum comm cut dirname du expr head id ls mktemp readlink rm rpm rpmkeys sed sh sort"
)
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))

# The same package with the same files, built again, with or without a fault.
SPEC = """
AutoReqProv: no
{tags}
Name: {plan.name}
Version: {plan.recipe.version}
Release: {plan.release}
Summary: {plan.summary}
License: {plan.package.license}
%description
{plan.description}
%install
cp -a {stage}/. "$RPM_BUILD_ROOT"
{scriptlet}
%postun -p <lua>
posix.rmdir("{plan.package.prefix}")
%files
%defattr(-,root,root,-)
{files}
"""


@dataclass(frozen=True)
class Fault:
    """A fault of a package, and the script's message for it."""

    message: str
    change: Callable[[Path], object] = lambda library: None
    tags: str = ""
    scriptlet: str = ""


# Not all of the checkout, in which other tests build: the script compares what is there.
MOUNTED = ("tests/containers", "recipes/manifests")


@dataclass(frozen=True)
class Container:
    """A root to install into."""

    root: Path
    as_root: list[str]

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs a command in it, as a container engine does."""
        mounts = [
            *(["mount", "--rbind", f"/{name}", self.root / name] for name in ("dev", "proc")),
            ["mount", "--bind", STANDARD_LIBRARY, f"{self.root}{STANDARD_LIBRARY}"],
            *(["mount", "--bind", ROOT / name, self.root / "checkout" / name] for name in MOUNTED),
        ]
        script = " && ".join(shlex.join(map(str, mount)) for mount in mounts)
        namespace = self.as_root or ["unshare", "--mount"]
        inside = ["chroot", str(self.root), *map(str, command)]
        return subprocess.run(
            [*namespace, "sh", "-c", f"{script} && exec {shlex.join(inside)}"],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
            capture_output=True,
            text=True,
            check=False,
        )

    def copy(self, file: Path) -> str:
        """Copies a file into it; returns its path there."""
        shutil.copy(file, self.root / file.name)
        return f"/{file.name}"

    def install(self, rpm: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Runs the script on a package."""
        return self.run("/checkout/tests/containers/install.sh", *options, self.copy(rpm))


def _needed(*programs: Path) -> Iterator[Path]:
    """The libraries of these programs, and one that packages for older dists need."""
    for word in subprocess.check_output(["ldd", *programs], text=True).split():
        if word.startswith("/") and not word.endswith(":"):
            yield Path(word)
        if word.endswith("/libc.so.6"):
            yield Path(word).with_name("libpthread.so.0")


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the programs of a minimal image, and Python."""
    root = tmp_path_factory.mktemp("image")
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for name in (
        "usr/local",
        "usr/share/licenses",
        "dev",
        "proc",
        "tmp",
        "root",
        "etc",
        "var",
        *(f"checkout/{name}" for name in MOUNTED),
    ):
        (root / name).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    programs = [Path(str(shutil.which(name))) for name in PROGRAMS.split()]
    python = Path(sys.executable).resolve()
    # The standard library is mounted; the libraries of its extension modules are copied.
    extensions = STANDARD_LIBRARY.glob("lib-dynload/_ctypes.*.so")
    for file in {*programs, python, *_needed(*programs, python, *extensions)}:
        target = root / str(file.parent.resolve()).lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target / file.name)
    (root / "usr/bin/python3").symlink_to(python)
    (root / str(STANDARD_LIBRARY).lstrip("/")).mkdir(parents=True)
    config = subprocess.check_output(["rpm", "--eval", "%{_rpmconfigdir}"], text=True).strip()
    shutil.copytree(config, root / config.lstrip("/"), symlinks=True)
    return root


@pytest.fixture
def container(image: Path, tmp_path: Path, as_root: list[str]) -> Container:
    """A new container."""
    root = tmp_path / "container"
    subprocess.run(["cp", "-a", image, root], check=True)
    return Container(root, as_root)


def _repacked(built: Built, fault: Fault, work: Path) -> Path:
    stage = work / "stage"
    stage.mkdir()
    script = 'rpm2cpio "$1" | cpio --extract --make-directories --quiet'
    subprocess.run(["sh", "-c", script, "sh", built.rpm], check=True, cwd=stage)
    fault.change(stage / str(built.plan.library).lstrip("/"))
    listed = subprocess.check_output(["rpm", "-qlp", "--nosignature", built.rpm], text=True)
    paths = [(path, stage / path.lstrip("/")) for path in listed.split()]
    files = [
        f"%dir {path}" if file.is_dir() else path
        for path, file in paths
        if file.is_symlink() or file.exists()
    ]
    text = SPEC.format(
        plan=built.plan,
        stage=stage,
        files="\n".join(files),
        tags=fault.tags,
        scriptlet=fault.scriptlet,
    )
    return rpm_spec.build(text, work / "again")


def _install_c_library(container: Container, built: Built, work: Path) -> None:
    rpm = stand_in([built], work / "stand-in")
    done = container.run("rpm", "-U", container.copy(rpm))
    assert 0 == done.returncode, done.stderr


@of_each(
    [
        Which(SEED, "el7"),
        Which("2.0.9", "el8"),
        Which(NEWEST, "el9"),
        Which(NEWEST, "el7", flavor="secure"),
    ]
)
def test_good_packages_pass(
    package: Package, container: Container, tmp_path: Path, which: Which
) -> None:
    """They are installed with their dependencies, used by every program, and erased."""
    built = package(*which)
    _install_c_library(container, built, tmp_path)

    done = container.install(built.rpm)

    assert ("", f"good: {built.rpm.name}\n") == (done.stderr, done.stdout)
    assert 0 == done.returncode


def _truncate(library: Path) -> None:
    library.resolve().write_bytes(library.read_bytes()[:4096])


def _compiled(code: str) -> Callable[[Path], object]:
    def replace(library: Path) -> None:
        command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library.resolve())]
        subprocess.run(command, input=code, text=True, check=True)

    return replace


def _mislead(library: Path) -> None:
    library.unlink()
    library.symlink_to("libmimalloc.so.0")


HEADER = "/usr/local/nginx-dep/include/mimalloc-3.4/mimalloc.h"
FAULTS = {
    "none": Fault(""),
    "a file is missing": Fault(
        "its files are not those of its manifest",
        change=lambda library: (library.parent / "mimalloc-3.4/mimalloc.o").unlink(),
    ),
    "a file is altered after it was installed": Fault(
        "rpm -V reports a difference",
        scriptlet=f'%post -p <lua>\nio.open("{HEADER}", "a"):write("x")',
    ),
    "the library is cut short": Fault("a shell does not run on it", change=_truncate),
    "the link leads to another name": Fault("leads nowhere", change=_mislead),
    "the library is another one": Fault("another malloc than ours", change=_compiled("int x;")),
    "the library allocates nothing": Fault(
        "does not run on it", change=_compiled("void *malloc(unsigned long n) { return 0; }")
    ),
    "the heap is not its own": Fault(
        "a block of python3 is not the library's",
        change=_compiled(
            "void *__libc_malloc(unsigned long);void __libc_free(void *);"
            "void *malloc(unsigned long n) { return __libc_malloc(n); }"
            "void free(void *p) { __libc_free(p); }"
            "_Bool mi_is_in_heap_region(void *p) { return 0; }"
        ),
    ),
    "something is left behind": Fault(
        "the system is not what it was", scriptlet='%post -p <lua>\nposix.mkdir("/var/left")'
    ),
    "something is needed that no system has": Fault(
        "it cannot be installed", tags="Requires: libabsent.so.1"
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_bad_packages_fail(
    package: Package, container: Container, tmp_path: Path, fault: Fault
) -> None:
    """Every fault has its message; the same package without a fault passes."""
    rpm = _repacked(package(NEWEST, "el8"), fault, tmp_path)

    done = container.install(rpm)

    assert bool(fault.message) == bool(done.returncode), done.stderr
    assert fault.message in done.stderr


def _key(home: Path) -> tuple[str, Path]:
    """A new key: its secret half, and a file with its public half."""
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
    name = "Packager <packager@example.org>"
    subprocess.run([*gpg, "--quick-generate-key", name, "rsa2048", "sign"], check=True)
    public = home.with_suffix(".asc")
    public.write_bytes(subprocess.check_output([*gpg, "--armor", "--export"]))
    secret = subprocess.check_output([*gpg, "--armor", "--export-secret-keys"], text=True)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    return secret, public


def _sign(rpm: Path, secret: str) -> None:
    macros = {"__gpg": shutil.which("gpg"), "_gpg_name": "packager@example.org"}
    defines = [part for name, value in macros.items() for part in ("--define", f"{name} {value}")]
    done = subprocess.run(
        [ROOT / ".ci/with-key", "rpmsign", *defines, "--addsign", rpm],
        env={**os.environ, "SIGNING_KEY": secret},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr


def test_signatures_are_verified_with_the_key(
    package: Package, container: Container, tmp_path: Path
) -> None:
    """Unsigned, signed with another key, signed with ours: only the last one passes."""
    rpm = _repacked(package(NEWEST, "el8"), FAULTS["none"], tmp_path)
    (ours, public), (other, _) = _key(tmp_path / "ours"), _key(tmp_path / "other")
    key = container.copy(public)

    unsigned = container.install(rpm, "--key", key)
    _sign(rpm, other)
    foreign = container.install(rpm, "--key", key)
    subprocess.run(["rpmsign", "--delsign", rpm], check=True, capture_output=True)
    _sign(rpm, ours)
    good = container.install(rpm, "--key", key)

    assert "it is not signed" in unsigned.stderr
    assert "its signature or its digests are wrong" in foreign.stderr
    assert [1, 1, 0] == [done.returncode for done in (unsigned, foreign, good)], good.stderr


@pytest.mark.parametrize("arguments", [[], ["--key"], ["--key", "file"]])
def test_no_package_is_an_error(arguments: list[str]) -> None:
    """Without a package to test there is no success."""
    script = ROOT / "tests/containers/install.sh"

    done = subprocess.run([script, *arguments], capture_output=True, text=True, check=False)

    assert 64 == done.returncode
    assert done.stderr.startswith("usage:")
