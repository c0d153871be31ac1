"""The sub-packages, built by real rpmbuild: good ones and bad ones."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.build import make
from pipeline.checks.subpackage import check_subpackage
from pipeline.config import load
from pipeline.inspect.package import read
from pipeline.model import Built, Facts, Finding
from pipeline.system import workspace
from pipeline.toolchain import rpmbuild, spec
from tests.build.conftest import ARCH, NEWEST, ROOT, SEED, Package, subpackage

PLATFORM = "noarch-redhat-linux-gnu"
FOLDER = "/usr/lib/systemd/system/nginx.service.d"


@dataclass(frozen=True)
class Fault:
    """A change of the spec, or of a file that is packed: the old text, and the new one."""

    old: str
    new: str
    source: str = ""


def rebuild(built: Built, fault: Fault, work: Path) -> tuple[Facts, list[Finding]]:
    """The facts of a sub-package that is built from a spec with a fault, and the findings."""
    plan, (planned, _) = built.plan, subpackage(built)
    dirs = make.step_dirs(plan, workspace.locate(ROOT))
    sources = shutil.copytree(dirs.folder("package") / "sources", work / "sources")
    (file,) = dirs.folder("package").glob("*.spec")
    changed = sources / fault.source if fault.source else work / "a.spec"
    text = (sources / fault.source if fault.source else file).read_text()
    assert fault.old in text
    changed.write_text(text.replace(fault.old, fault.new))
    text = file.read_text() if fault.source else changed.read_text()
    macros = {"staged": str(dirs.stage), "staged_license": str(dirs.license)}
    macros |= {"_sourcedir": str(sources), "_target_platform": PLATFORM}
    rpm = rpmbuild.run(plan, ROOT, work / "build", text, planned.file_name, macros)
    facts = read(rpm, work / "scratch", library=plan.library)
    manifest = load.manifests(ROOT, plan)[1]
    return facts, check_subpackage(facts, plan, planned, manifest, spec.contents(plan, ROOT))


REQUIRES = "Requires:       mimalloc-custom = %{version}-%{release}"
RELOAD = "[ ! -d /run/systemd/system ] || systemctl daemon-reload >/dev/null 2>&1 || :\n\n%postun"

DROPIN, MAIN = "mimalloc.conf", "mimalloc-custom.conf"
OTHER_LINE = Fault("libmimalloc.so\n", "libmimalloc.so.2\n", DROPIN)
WRITABLE = Fault("(0644,root,root) /usr/lib/s", "(0666,root,root) /usr/lib/s")

FAULTS = {
    "the library of another line": (OTHER_LINE, "dropin content"),
    "another variable": (
        Fault("[Service]\n", "[Service]\nUser=root\n", DROPIN),
        "dropin content",
    ),
    "a setting that is missing": (
        Fault("Environment=MIMALLOC_ALLOW_THP=0\n", "", DROPIN),
        "dropin content",
    ),
    "no section": (Fault("[Service]\n", "", DROPIN), "dropin content"),
    "another comment": (Fault("# nginx", "# Nginx", DROPIN), "content"),
    "a binary upgrade that loses it": (Fault("env LD_PRELOAD;\n", "", MAIN), "content"),
    "any release": (Fault(REQUIRES, "Requires: mimalloc-custom"), "requires"),
    "a soname, which others provide": (
        Fault(REQUIRES, "Requires: libmimalloc.so.3()(64bit)"),
        "requires",
    ),
    "a weak dependency": (Fault(REQUIRES, f"{REQUIRES}\nRecommends: nginx"), "requires"),
    "a service that is restarted": (
        Fault(RELOAD, "systemctl restart nginx\n\n%postun"),
        "scriptlets",
    ),
    "a trigger": (
        Fault("%files -n", "%triggerin -n mimalloc-custom-nginx -- nginx\n:\n%files -n"),
        "scriptlets",
    ),
    "a file that everybody can write": (WRITABLE, "modes"),
    "a folder that no package owns": (
        Fault(f'%dir %attr(0755,root,root) "{FOLDER}"', ""),
        "manifest",
    ),
    "another summary": (Fault("nginx.service on mimalloc", "on mimalloc"), "metadata"),
    "another vendor": (Fault("URL:", "Vendor: box\nURL:"), "metadata"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_caught(package: Package, name: str, tmp_path: Path) -> None:
    """The check for the fault reports it, and no other check does."""
    fault, check = FAULTS[name]
    _, findings = rebuild(package(NEWEST, "el7"), fault, tmp_path)

    assert set(check.split()) == {finding.check for finding in findings}, findings


def test_scriptlets_where_systemd_has_triggers_are_caught(package: Package, tmp_path: Path) -> None:
    """systemd would read its files twice."""
    fault = Fault('%if "%{?dist}" == ".el7"\n%post', "%if 1\n%post")
    facts, findings = rebuild(package(NEWEST, "el8"), fault, tmp_path)

    assert ["post", "postun"] == sorted(facts.header.scriptlets)
    assert {"scriptlets", "requires"} == {finding.check for finding in findings}


@pytest.mark.parametrize(("version", "dist"), [(SEED, "el7"), (NEWEST, "el9")])
def test_it_is_installed_and_erased(
    package: Package, as_root: list[str], tmp_path: Path, version: str, dist: str
) -> None:
    """With its package; its one file names the library of that package, and rpm verifies it."""
    built = package(version, dist)
    planned, file = subpackage(built)

    def rpm(*arguments: str | Path) -> str:
        where = ["--root", str(tmp_path), "--dbpath", "/var/lib/rpm"]
        command = [*as_root, "rpm", *where, *map(str, arguments)]
        # EL7's scriptlets need a shell, which is not in the scratch root.
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    install = ("-U", "--nodeps", "--nosignature", "--noscripts")
    rpm(*install, built.rpm, file)
    lines = (tmp_path / planned.dropin.lstrip("/")).read_text().splitlines()
    (preloaded,) = (
        line.removeprefix("Environment=LD_PRELOAD=/")
        for line in lines
        if line.startswith("Environment=LD_PRELOAD=")
    )

    assert (tmp_path / preloaded).resolve().is_file()
    assert "" == rpm("-V", "--nodeps", planned.name)
    rpm("-e", "--noscripts", planned.name)
    assert not (tmp_path / FOLDER.lstrip("/")).exists()
    assert (tmp_path / preloaded).resolve().is_file()


def test_it_cannot_be_installed_without_its_package(
    package: Package, as_root: list[str], tmp_path: Path
) -> None:
    """Nor with one of another release, whose library it does not name."""
    new, old = package(NEWEST, "el8"), package("2.0.9", "el8")
    command = [*as_root, "rpm", "--root", str(tmp_path), "--dbpath", "/var/lib/rpm"]
    (tmp_path / "usr").mkdir()
    subprocess.run(
        [*command, "-U", "--nodeps", "--nosignature", new.rpm], check=True, capture_output=True
    )

    def refused(built: Built) -> str:
        done = subprocess.run(
            [*command, "-U", "--test", "--nosignature", subpackage(built)[1]],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stderr

    assert "mimalloc-custom = 2.0.9-1.el8 is needed" in refused(old)
    assert "is needed" not in refused(new)


@pytest.mark.parametrize("suffix", ["-nginx", "-tools"])
def test_it_is_the_same_for_every_machine(package: Package, suffix: str) -> None:
    """Byte for byte: a repository for several machines has one file with its name."""
    machines = [(NEWEST, "el10", arch) for arch in (ARCH, "aarch64", "x86_64_v2")]
    packages = [package(*which) for which in machines]

    assert 1 == len({subpackage(built, suffix)[1].read_bytes() for built in packages})
