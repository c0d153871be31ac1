"""Statements and bills of materials: valid by their schemas, true of the package, reproducible."""

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
from pipeline.model import LICENSES
from pipeline.system import workspace
from pipeline.system.checksum import sha256_of
from pipeline.system.report import Report
from tests.build.conftest import ARCH, EVERY, OLD, ROOT, Package, Which, of_each, subpackage
from tests.build.publisher import OWN, Publisher

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "provenance.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

Table = dict[str, Any]


def read_statement(rpm: Path) -> Table:
    """The statement of a package."""
    table: Table = json.loads(statement.accompanying_files(rpm)[0].read_text())
    return table


def read_bill(rpm: Path) -> Table:
    """The bill of materials of a package."""
    table: Table = json.loads(statement.accompanying_files(rpm)[1].read_text())
    return table


def validation_error(bill: Table) -> str:
    """The message of CycloneDX's strict validator; empty if the bill is valid."""
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill))
    return str(error) if error else ""


def dependencies(content: Table) -> dict[str, str]:
    """The names and the checksums of what a package is made from."""
    resources = content["predicate"]["buildDefinition"]["resolvedDependencies"]
    return {entry["name"]: entry.get("digest", {}).get("sha256", "") for entry in resources}


def components(bill: Table, kind: str) -> list[Table]:
    """The components of one type."""
    return [component for component in bill["components"] if component["type"] == kind]


def checksums(files: list[Table]) -> dict[str, str]:
    """The checksums of file components by name."""
    return {file["name"]: file["hashes"][0]["content"] for file in files}


def valid_documents(rpm: Path) -> tuple[Table, Table]:
    """The statement and the bill of a package, each valid, and true of the package."""
    content, bill = read_statement(rpm), read_bill(rpm)
    VALIDATOR.validate(content)
    assert "" == validation_error(bill)
    assert statement.matches(rpm)
    return content, bill


def packaged_files(rpm: Path) -> dict[str, str]:
    """The checksums of the regular files in an RPM by name."""
    query = ["rpm", "-qp", "--nosignature", "--qf", "[%{FILENAMES} %{FILEDIGESTS}\n]", str(rpm)]
    output = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    rows = (line.split(" ") for line in output.splitlines())
    return {path: sha256 for path, sha256 in rows if sha256}


@of_each(EVERY)
def test_the_statement_is_true_of_the_package(package: Package, which: Which) -> None:
    """Its checksums are those of the RPM, the bill, the source and our patches."""
    built = package(*which)
    content = read_statement(built.rpm)
    plan = built.plan

    VALIDATOR.validate(content)
    (subject,), (bill,) = content["subject"], content["predicate"]["runDetails"]["byproducts"]
    for file, entry in (
        (built.rpm, subject),
        (statement.accompanying_files(built.rpm)[1], bill),
    ):
        assert file.name == entry["name"]
        assert sha256_of(file) == entry["digest"]["sha256"]
    definition = content["predicate"]["buildDefinition"]
    external, internal = definition["externalParameters"], definition["internalParameters"]
    assert tuple(which) == tuple(external[name] for name in ("version", "dist", "arch", "flavor"))
    assert plan.recipe.tree == internal["tree"]
    assert plan.target == internal["compiler"]["target"]
    assert ("ON" if which.flavor == "secure" else "OFF") == internal["options"]["MI_SECURE"]
    sums = dependencies(content)
    assert sums[f"mimalloc-{which.version}"] in {source.sha256 for source in plan.recipe.source}
    for patch in plan.recipe.patch:
        path = f"patches/{which.version}/{patch.file}"
        assert sha256_of(ROOT / path) == sums[path]
    assert {"zig", "cmake", "ninja", "rpmbuild"} <= set(sums)
    assert str(ROOT) not in json.dumps(content)


@of_each(EVERY)
def test_the_bill_is_true_of_the_package(package: Package, which: Which) -> None:
    """Valid by CycloneDX's schema; every file with its checksum, the release, its licence."""
    built = package(*which)
    bill = read_bill(built.rpm)

    assert "" == validation_error(bill)
    files = [file for file in components(bill, "file") if file["name"].startswith("/")]
    assert packaged_files(built.rpm) == checksums(files)
    linked = [file for file in components(bill, "file") if file not in files]
    hooks = ["buildroot/malloc_hooks.c"] if which.dist in OLD else []
    names = ("atexit.c", "atfork.c", "finalize.c")
    sources = [*(f"buildroot/toolchains/zig/{name}" for name in names), *hooks]
    assert {source: sha256_of(ROOT / source) for source in sources} == checksums(linked)
    assert {"zig", "cmake", "ninja", "rpmbuild"} == {
        tool["name"] for tool in components(bill, "application") if tool["scope"] == "excluded"
    }
    (release,) = components(bill, "library")
    assert f"pkg:github/microsoft/mimalloc@v{which.version}" == release["purl"]
    assert ["MIT"] == [entry["license"]["id"] for entry in release["licenses"]]
    patches = [patch["diff"] for patch in release.get("pedigree", {}).get("patches", [])]
    assert [(ROOT / diff["url"]).read_text() for diff in patches] == [
        diff["text"]["content"] for diff in patches
    ]
    assert len(built.plan.recipe.patch) == len(patches)
    name = f"pkg:rpm/{built.plan.name}@{which.version}-{built.plan.release}"
    assert f"{name}?arch={which.arch}&distro={which.dist}" == bill["metadata"]["component"]["purl"]


def _drop(*path: Any) -> Callable[[Any], None]:
    def change(table: Any) -> None:
        for name in path[:-1]:
            table = table[name]
        del table[path[-1]]

    return change


def _set(value: Any, *path: Any) -> Callable[[Any], None]:
    def change(table: Any) -> None:
        for name in path[:-1]:
            table = table[name]
        table[path[-1]] = value

    return change


def _drop_digest(content: Table) -> None:
    """A name and annotations remain, which identify no source."""
    source = content["predicate"]["buildDefinition"]["resolvedDependencies"][0]
    source.pop("digest")
    source.pop("uri", None)


@pytest.mark.parametrize(
    "change",
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
def test_the_schema_refuses_an_invalid_statement(
    package: Package, change: Callable[[Table], None]
) -> None:
    """A part is missing, or there is one that in-toto and SLSA do not have."""
    content = read_statement(package("3.4.3", "el8").rpm)
    change(content)

    assert not VALIDATOR.is_valid(content)


@pytest.mark.parametrize(
    "change",
    [
        _set("Other", "bomFormat"),
        _set("no-such-kind", "components", 0, "type"),
        _set("not a digest", "components", -2, "hashes", 0, "content"),
        _set("MITT", "metadata", "component", "licenses", 0, "license", "id"),
        _set("no such scope", "components", 0, "scope"),
        _set("tool", "colour"),
    ],
)
def test_the_validator_refuses_an_invalid_bill(
    package: Package, change: Callable[[Table], None]
) -> None:
    """A wrong kind, digest, licence, scope or field."""
    bill = read_bill(package("3.4.3", "el8").rpm)
    change(bill)

    assert "" != validation_error(bill)


def test_a_sub_package_has_a_statement_and_a_bill(package: Package) -> None:
    """With its files and the package that it requires, and without a compiler."""
    built = package("3.4.3", "el8")
    planned, rpm = subpackage(built)
    content, bill = valid_documents(rpm)

    definition = content["predicate"]["buildDefinition"]
    assert "noarch" == definition["externalParameters"]["arch"]
    assert "compiler" not in definition["internalParameters"]
    files = {file.path for file in planned.file} | {f"{LICENSES}/mimalloc-custom-nginx/LICENSE"}
    assert files == set(checksums(components(bill, "file")))
    libraries = [library["purl"] for library in components(bill, "library")]
    assert ["pkg:rpm/mimalloc-custom@3.4.3-1.el8?arch=x86_64&distro=el8"] == libraries


def test_a_source_package_has_a_statement_and_a_bill(package: Package) -> None:
    """With the checksums of tarball, patch and spec, and without a compiler."""
    package("2.0.9", "el8")
    plan = selection.plan(ROOT, "2.0.9", "el8", ARCH)
    rpm = make.step(plan, workspace.locate(ROOT), Report(), "srpm")
    content, bill = valid_documents(rpm)

    definition = content["predicate"]["buildDefinition"]
    assert "src" == definition["externalParameters"]["arch"]
    assert "compiler" not in definition["internalParameters"]
    assert {"rpmbuild"} == {
        name for name in dependencies(content) if not name.startswith(("mimalloc-", "patches/"))
    }
    files = packaged_files(rpm)
    assert files == checksums(components(bill, "file"))
    assert "mimalloc-2.0.9.tar.gz" in files


def test_the_statement_of_a_signed_package(package: Package, publisher: Publisher) -> None:
    """It is about the signed file; the checksum as built is added, and the bill is unchanged."""
    (rpm,) = publisher.take(package("3.4.3", "el8"))
    built_sha256, built_bill = sha256_of(rpm), read_bill(rpm)

    publisher.done("sign", "--key", f"{OWN}@example.invalid")

    content = read_statement(rpm)
    VALIDATOR.validate(content)
    (subject,) = content["subject"]
    assert sha256_of(rpm) == subject["digest"]["sha256"]
    assert publisher.fingerprint() == subject["annotations"]["signer"]
    bill, unsigned = content["predicate"]["runDetails"]["byproducts"]
    assert statement.accompanying_files(rpm)[1].name == bill["name"]
    assert built_sha256 == unsigned["digest"]["sha256"]
    assert built_bill == read_bill(rpm)
