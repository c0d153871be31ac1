"""What accounts for a package: valid by its schema, true of the package, the same each time."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from pipeline.artifact import statement
from pipeline.build import make, selection
from pipeline.system import workspace
from pipeline.system.report import Report
from tests.build.conftest import ARCH, EVERY, ROOT, Package, Which, of_each
from tests.build.publisher import OWN, Publisher

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "provenance.json").read_text())
VALID = jsonschema.Draft202012Validator(SCHEMA)


def statement(rpm: Path) -> dict[str, Any]:
    """What is said of how a package was made."""
    found: dict[str, Any] = json.loads(statement.beside(rpm)[0].read_text())
    return found


def bill(rpm: Path) -> dict[str, Any]:
    """What is said of what is in it."""
    found: dict[str, Any] = json.loads(statement.beside(rpm)[1].read_text())
    return found


def complaint(text: str) -> str:
    """What CycloneDX's own strict validator says of a bill; nothing if it is one."""
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return str(found) if found else ""


def digests(found: dict[str, Any]) -> dict[str, str]:
    """The names of resources, and their checksums."""
    how = found["predicate"]["buildDefinition"]["resolvedDependencies"]
    return {each["name"]: each.get("digest", {}).get("sha256", "") for each in how}


@of_each(EVERY)
def test_the_statement_is_true_of_the_package(package: Package, which: Which) -> None:
    """Its digests are those of the RPM, of the bill, of the source and of our patches."""
    built = package(*which)
    found = statement(built.rpm)
    plan = built.plan

    VALID.validate(found)
    (subject,), (listed,) = found["subject"], found["predicate"]["runDetails"]["byproducts"]
    for file, told in ((built.rpm, subject), (statement.beside(built.rpm)[1], listed)):
        assert file.name == told["name"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == told["digest"]["sha256"]
    definition = found["predicate"]["buildDefinition"]
    asked, inside = definition["externalParameters"], definition["internalParameters"]
    assert tuple(which) == tuple(asked[name] for name in ("version", "dist", "arch", "flavor"))
    assert plan.recipe.tree == inside["tree"]
    assert plan.target == inside["compiler"]["target"]
    assert ("ON" if which.flavor == "secure" else "OFF") == inside["options"]["MI_SECURE"]
    sums = digests(found)
    assert sums[f"mimalloc-{which.version}"] in {source.sha256 for source in plan.recipe.source}
    for change in plan.recipe.patch:
        patch = f"patches/{which.version}/{change.file}"
        assert hashlib.sha256((ROOT / patch).read_bytes()).hexdigest() == sums[patch]
    assert {"zig", "cmake", "ninja", "rpmbuild"} <= set(sums)
    assert str(ROOT) not in json.dumps(found)


@of_each(EVERY)
def test_the_bill_is_true_of_the_package(package: Package, which: Which) -> None:
    """Valid by CycloneDX's schema; every file with its checksum, the release, its licence."""
    built = package(*which)
    text = statement.beside(built.rpm)[1].read_text()
    found = json.loads(text)

    assert "" == complaint(text)
    query = ["rpm", "-qp", "--nosignature", "--qf", "[%{FILENAMES} %{FILEDIGESTS}\n]"]
    listed = subprocess.run([*query, built.rpm], check=True, capture_output=True, text=True).stdout
    packaged = dict(line.split(" ") for line in listed.splitlines() if not line.endswith(" "))
    of_kind = {
        kind: [each for each in found["components"] if each["type"] == kind]
        for kind in ("file", "library", "application")
    }
    files = [each for each in of_kind["file"] if each["name"].startswith("/")]
    assert packaged == {each["name"]: each["hashes"][0]["content"] for each in files}
    (linked,) = (each for each in of_kind["file"] if each not in files)
    added = ROOT / "buildroot" / "toolchains" / "zig" / "atexit.c"
    assert str(added.relative_to(ROOT)) == linked["name"]
    assert hashlib.sha256(added.read_bytes()).hexdigest() == linked["hashes"][0]["content"]
    assert {"zig", "cmake", "ninja", "rpmbuild"} == {
        each["name"] for each in of_kind["application"] if each["scope"] == "excluded"
    }
    (release,) = of_kind["library"]
    assert f"pkg:github/microsoft/mimalloc@v{which.version}" == release["purl"]
    assert [{"license": {"id": "MIT"}}] == [
        {"license": {"id": each["license"]["id"]}} for each in release["licenses"]
    ]
    told = [each["diff"] for each in release.get("pedigree", {}).get("patches", [])]
    assert [(ROOT / diff["url"]).read_text() for diff in told] == [
        diff["text"]["content"] for diff in told
    ]
    assert len(built.plan.recipe.patch) == len(told)
    name = f"pkg:rpm/{built.plan.name}@{which.version}-{built.plan.release}"
    assert f"{name}?arch={which.arch}&distro={which.dist}" == found["metadata"]["component"]["purl"]


def _drop(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        for name in path[:-1]:
            found = found[name]
        del found[path[-1]]

    return change


def _set(value: Any, *path: Any) -> Callable[[dict[str, Any]], None]:
    def change(found: Any) -> None:
        for name in path[:-1]:
            found = found[name]
        found[path[-1]] = value

    return change


def _drop_digest(found: dict[str, Any]) -> None:
    """What is left of the source is a name and annotations, which identify nothing."""
    source = found["predicate"]["buildDefinition"]["resolvedDependencies"][0]
    source.pop("digest")
    source.pop("uri", None)


@pytest.mark.parametrize(
    "spoil",
    [
        _drop("subject"),
        _drop("predicate", "buildDefinition", "buildType"),
        _drop("predicate", "buildDefinition", "resolvedDependencies"),
        _drop("predicate", "runDetails", "builder"),
        _set("https://in-toto.io/Statement/v0.1", "_type"),
        _set("not a digest", "subject", 0, "digest", "sha256"),
        _drop_digest,
        _set("no uri", "predicate", "buildDefinition", "buildType"),
        _set("2026-01-01", "predicate", "runDetails", "startedOn"),
    ],
)
def test_a_statement_that_is_none_is_caught(
    package: Package, spoil: Callable[[dict[str, Any]], None]
) -> None:
    """The schema that real statements pass refuses what lacks a part, or has one of its own."""
    found = statement(package("3.4.3", "el8").rpm)
    spoil(found)

    assert not VALID.is_valid(found)


@pytest.mark.parametrize(
    "spoil",
    [
        _set("Other", "bomFormat"),
        _set("no-such-kind", "components", 0, "type"),
        _set("not a digest", "components", -2, "hashes", 0, "content"),
        _set("MITT", "metadata", "component", "licenses", 0, "license", "id"),
        _set("no such scope", "components", 0, "scope"),
        _set("tool", "colour"),
    ],
)
def test_a_bill_that_is_none_is_caught(
    package: Package, spoil: Callable[[dict[str, Any]], None]
) -> None:
    """The validator that real bills pass refuses a wrong kind, digest, licence or field."""
    found = bill(package("3.4.3", "el8").rpm)
    spoil(found)

    assert "" != complaint(json.dumps(found))


def test_a_sub_package_is_accounted_for_too(package: Package) -> None:
    """Its one file, the package that it needs, and no compiler; both must be whole."""
    built = package("3.4.3", "el8")
    assert built.plan.subpackage
    rpm = built.rpm.with_name(built.plan.subpackage.file_name)
    found, listed = statement(rpm), bill(rpm)

    VALID.validate(found)
    assert "" == complaint(json.dumps(listed))
    assert statement.vouches(rpm)
    definition = found["predicate"]["buildDefinition"]
    assert "noarch" == definition["externalParameters"]["arch"]
    assert "compiler" not in definition["internalParameters"]
    files = [each["name"] for each in listed["components"] if each["type"] == "file"]
    assert [str(built.plan.subpackage.dropin)] == files
    libraries = [each["purl"] for each in listed["components"] if each["type"] == "library"]
    assert ["pkg:rpm/mimalloc-custom@3.4.3-1.el8?arch=x86_64&distro=el8"] == libraries


@pytest.fixture
def source(package: Package) -> Path:
    """A source package with a patch in it, beside what accounts for it."""
    package("2.0.9", "el8")
    plan = selection.plan(ROOT, "2.0.9", "el8", ARCH)
    return make.source_package(plan, workspace.locate(ROOT), Report())


def test_a_source_package_is_accounted_for_too(source: Path) -> None:
    """Tarball, patch and spec with their checksums; no compiler has a part in it."""
    found, listed = statement(source), bill(source)

    VALID.validate(found)
    assert "" == complaint(json.dumps(listed))
    assert statement.vouches(source)
    definition = found["predicate"]["buildDefinition"]
    assert "src" == definition["externalParameters"]["arch"]
    assert "compiler" not in definition["internalParameters"]
    assert {"rpmbuild"} == {
        name for name in digests(found) if not name.startswith(("mimalloc-", "patches/"))
    }
    query = ["rpm", "-qp", "--nosignature", "--qf", "[%{FILENAMES} %{FILEDIGESTS}\n]", str(source)]
    packaged = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    assert dict(line.split() for line in packaged.splitlines()) == {
        each["name"]: each["hashes"][0]["content"]
        for each in listed["components"]
        if each["type"] == "file"
    }
    assert "mimalloc-2.0.9.tar.gz" in packaged


def test_a_signature_is_accounted_for(package: Package, publisher: Publisher) -> None:
    """The statement is about the signed file; the checksum as built, and the bill, stay in it."""
    built = package("3.4.3", "el8")
    (rpm,) = publisher.take(built)

    publisher.done("sign", "--key", f"{OWN}@example.invalid")

    found = statement(rpm)
    VALID.validate(found)
    (subject,) = found["subject"]
    assert hashlib.sha256(rpm.read_bytes()).hexdigest() == subject["digest"]["sha256"]
    assert publisher.fingerprint() == subject["annotations"]["signer"]
    listed, unsigned = found["predicate"]["runDetails"]["byproducts"]
    assert statement.beside(rpm)[1].name == listed["name"]
    assert built.sha256 == unsigned["digest"]["sha256"]
    assert bill(built.rpm) == bill(rpm)
