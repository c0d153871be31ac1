"""Packages that no recipe made, with a bill and a statement that say so: never signed or served."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.artifact import statement
from pipeline.build import make, selection
from pipeline.model import Plan
from pipeline.steps import srpm
from pipeline.system import workspace
from pipeline.system.checksum import sha256_of
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import rpmbuild
from tests.build import rpm_spec
from tests.build.conftest import Package
from tests.build.publisher import OWN, Publisher

VERSION, DIST = "2.0.9", "el8"
KEY = f"{OWN}@example.invalid"
REPO = ("repo", "--key", KEY, "--url", "https://packages.example.org/mimalloc")

FOREIGN = """
Name: {name}
Version: 1.0
Release: 1.el8
Summary: Not ours
License: MIT
%description
%post
touch /root/of-somebody-else
%files
"""


@dataclass(frozen=True)
class Publication:
    """A good package of a publisher, and what it was made of."""

    publisher: Publisher
    good: Path
    plan: Plan
    dirs: StepDirs

    def place(self, rpm: Path, name: str, folder: str = "") -> Path:
        """Places a forged package, with the bill of the good one and a statement about itself."""
        target = self.publisher.checkout / "dist" / (folder or f"{DIST}/x86_64") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        own, bill = statement.accompanying_files(self.good)
        content = json.loads(own.read_text())
        content["subject"][0] |= {"name": name, "digest": {"sha256": sha256_of(rpm)}}
        shutil.copyfile(rpm, target)
        to = statement.accompanying_files(target)
        if bill != to[1]:
            shutil.copyfile(bill, to[1])
        to[0].write_text(json.dumps(content))
        assert statement.matches(target)
        return target

    def repackage(self, old: str, new: str, work: Path, source: str = "") -> Path:
        """The folder of the same packages, but for a text in the spec or in a packed file."""
        made = self.dirs.folder("package")
        sources = shutil.copytree(made / "sources", work / "sources")
        text = next(made.glob("*.spec")).read_text()
        if source:
            file = sources / source
            assert old in file.read_text()
            file.write_text(file.read_text().replace(old, new))
        else:
            assert old in text
            text = text.replace(old, new)
        macros = {"staged": str(self.dirs.stage), "staged_license": str(self.dirs.license)}
        macros["_sourcedir"] = str(sources)
        root, name = self.publisher.origin, self.plan.file_name
        return rpmbuild.run(self.plan, root, work / "build", text, name, macros).parent


@pytest.fixture
def publication(package: Package, publisher: Publisher) -> Publication:
    """A publisher with a good package."""
    (good,) = publisher.take(package(VERSION, DIST))
    plan = selection.plan(publisher.origin, VERSION, DIST, "x86_64")
    dirs = make.step_dirs(plan, workspace.locate(publisher.origin))
    return Publication(publisher, good, plan, dirs)


def _of_another_name(publication: Publication, work: Path) -> Path:
    rpm = rpm_spec.build(FOREIGN.format(name="not-ours"), work)
    return publication.place(rpm, "not-ours-1.0-1.el8.x86_64.rpm")


def _under_our_name(publication: Publication, work: Path) -> Path:
    rpm = rpm_spec.build(FOREIGN.format(name="not-ours"), work)
    return publication.place(rpm, publication.good.name)


def _of_another_version(publication: Publication, work: Path) -> Path:
    rpm = rpm_spec.build(FOREIGN.format(name="mimalloc-custom"), work)
    return publication.place(rpm, publication.good.name)


def _with_a_scriptlet(publication: Publication, work: Path) -> Path:
    made = publication.repackage("\n%files\n", "\n%post\ntouch /root/x\n\n%files\n", work)
    return publication.place(made / publication.good.name, publication.good.name)


def _with_a_folder_more(publication: Publication, work: Path) -> Path:
    made = publication.repackage("\n%files\n", "\n%files\n%dir /usr/share\n", work)
    return publication.place(made / publication.good.name, publication.good.name)


def _with_another_tool(publication: Publication, work: Path) -> Path:
    source = "mimalloc-custom"
    made = publication.repackage("#!/bin/sh\n", "#!/bin/sh\ntouch /root/x\n", work, source)
    name = f"mimalloc-custom-tools-{VERSION}-1.{DIST}.noarch.rpm"
    return publication.place(made / name, name)


def _in_the_folder_of_another_dist(publication: Publication, work: Path) -> Path:
    good = publication.good
    return publication.place(good, good.name, "el9/x86_64")


def _source_with_another_tree(publication: Publication, work: Path) -> Path:
    tree = shutil.copytree(publication.dirs.tree, work / "tree")
    with (tree / "src" / "alloc.c").open("a") as code:
        code.write("/* planted */\n")
    rpm = srpm.make(publication.plan, publication.publisher.origin, tree, work / "made")
    return publication.place(rpm, rpm.name, f"{DIST}/source")


def _source_with_another_spec(publication: Publication, work: Path) -> Path:
    root, plan = publication.publisher.origin, rpmbuild.for_first_machine(publication.plan)
    srpm.make(plan, root, publication.dirs.tree, work / "made")
    text = (work / "made" / f"{plan.name}.spec").read_text()
    text = text.replace("\n%files\n", "\n%post\ntouch /root/x\n\n%files\n", 1)
    macros = {"_sourcedir": str(work / "made" / "sources")}
    rpm = rpmbuild.run(plan, root, work / "again", text, plan.source_name, macros)
    return publication.place(rpm, rpm.name, f"{DIST}/source")


Forge = Callable[[Publication, Path], Path]
KINDS: dict[Forge, str] = {
    _of_another_name: "unknown version 1.0",
    _under_our_name: "unknown version 1.0",
    _of_another_version: "unknown version 1.0",
    _with_a_scriptlet: "scriptlets: %post: expected none, got /bin/sh: touch /root/x",
    _with_a_folder_more: "/usr/share",
    _with_another_tool: "content: /usr/bin/mimalloc-custom",
    _in_the_folder_of_another_dist: "nevra: path: expected ",
    _source_with_another_tree: "source: mimalloc-2.0.9.tar.gz: expected ",
    _source_with_another_spec: "another content",
}


@pytest.mark.parametrize("forge", KINDS)
def test_a_forged_package_is_not_signed(
    publication: Publication, tmp_path: Path, forge: Forge
) -> None:
    """Each is named with what is wrong; the good one is signed, unless it was overwritten."""
    forged = forge(publication, tmp_path / "work")
    before = forged.read_bytes()

    done = publication.publisher.invoke("sign", "--key", KEY)

    assert 30 == done.returncode, done.stdout + done.stderr
    assert f"{forged.name} is not what a recipe makes" in done.stderr
    assert KINDS[forge] in done.stderr
    assert before == forged.read_bytes()
    if forged != publication.good:
        assert f"signed        {publication.good.name}" in done.stdout


def test_a_signature_is_no_reason_to_look_away(publication: Publication, tmp_path: Path) -> None:
    """A forged package that has our signature is refused as one without."""
    forged = _with_a_scriptlet(publication, tmp_path / "work")
    publication.publisher.sign_by_hand(forged, OWN)
    publication.place(forged.rename(tmp_path / "signed.rpm"), forged.name)

    done = publication.publisher.invoke("sign", "--key", KEY)

    assert 30 == done.returncode
    assert "scriptlets: %post: expected none" in done.stderr


def test_good_packages_of_every_kind_are_signed(package: Package, publisher: Publisher) -> None:
    """The package, its sub-packages, its debug information, the source package."""
    built = package(VERSION, DIST)
    publisher.take_all(built)
    publisher.take_debuginfo(built)
    plan = selection.plan(publisher.origin, VERSION, DIST, "x86_64")
    place = workspace.locate(publisher.origin)
    source = make.step(plan, place, Report(), "srpm")
    for file in (source, *statement.accompanying_files(source)):
        target = publisher.checkout / file.relative_to(publisher.origin)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)

    output = publisher.publish("https://packages.example.org/mimalloc")

    assert 5 == len(list((publisher.checkout / "dist").rglob("*.rpm")))
    assert "made: " in output


@pytest.mark.parametrize(
    ("forge", "message"),
    [
        (_of_another_name, "not-ours-1.0-1.el8.x86_64.rpm: no recipe makes it"),
        (_under_our_name, "its header says not-ours-1.0-1.el8.x86_64.rpm"),
        (_of_another_version, "its header says mimalloc-custom-1.0-1.el8.x86_64.rpm"),
    ],
)
def test_a_signed_package_of_another_name_is_not_served(
    publication: Publication, tmp_path: Path, forge: Forge, message: str
) -> None:
    """Whoever signed it with our key."""
    forged = forge(publication, tmp_path / "work")
    publication.publisher.sign_by_hand(forged, OWN)
    publication.place(forged.rename(tmp_path / "signed.rpm"), forged.name)
    if forged != publication.good:
        publication.good.unlink()

    done = publication.publisher.invoke(*REPO)

    assert 31 == done.returncode, done.stdout + done.stderr
    assert message in done.stderr
    assert not publication.publisher.served.exists()


def test_what_is_served_already_is_held_to_the_same(
    publication: Publication, tmp_path: Path
) -> None:
    """A package that an earlier version of the project let pass."""
    publisher = publication.publisher
    publisher.done("sign", "--key", KEY)
    publisher.done(*REPO)
    forged = _of_another_name(publication, tmp_path / "work")
    publisher.sign_by_hand(forged, OWN)
    publication.place(forged.rename(tmp_path / "signed.rpm"), forged.name)
    for file in (forged, *statement.accompanying_files(forged)):
        file.rename(publisher.served.resolve() / DIST / "x86_64" / file.name)

    done = publisher.invoke(*REPO)

    assert 31 == done.returncode, done.stdout + done.stderr
    assert f"{forged.name}: no recipe makes it" in done.stderr
