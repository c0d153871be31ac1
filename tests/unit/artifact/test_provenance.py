"""`artifact.provenance`: the statement names each kind of source, and is valid by the schema."""

import json
from pathlib import Path

import jsonschema
import pytest

from pipeline.artifact import provenance
from pipeline.artifact.provenance import Artifact
from pipeline.config import load
from pipeline.model import Plan
from pipeline.system.checksum import sha256_of

SUM, COMMIT = "0" * 64, "1" * 40


@pytest.mark.parametrize(
    ("kind", "reference", "uri", "digest"),
    [
        ("url", "https://x.invalid/a.tar.gz", "https://x.invalid/a.tar.gz", {"sha256": SUM}),
        ("sdist", "cmeel-mimalloc==3.4.3", "pkg:pypi/cmeel-mimalloc@3.4.3", {"sha256": SUM}),
        (
            "debian",
            "mimalloc=2.0.9+ds-2",
            "pkg:deb/debian/mimalloc@2.0.9%2Bds-2?arch=source",
            {"sha256": SUM},
        ),
        ("archive", f"sha256:{SUM}", None, {"sha256": SUM}),
        ("git", COMMIT, None, {"gitCommit": COMMIT, "sha256": SUM}),
        ("folder", f"sha256:{SUM}", None, {"dirHash": SUM}),
    ],
)
def test_each_kind_of_source_is_identified(
    plan: Plan,
    project: Path,
    tmp_path: Path,
    kind: str,
    reference: str,
    uri: str | None,
    digest: dict[str, str],
) -> None:
    """By a digest, and by a URI if it is public."""
    origin = {"kind": kind, "reference": reference}
    origin |= {} if kind == "folder" else {"sha256": SUM}
    tools = {"zig": "0.17.1", "rpmbuild": "4.18.0"}
    artifact = Artifact(plan, "mimalloc-custom", "x86_64", SUM, origin, {}, tools, {})
    rpm, bill = tmp_path / "a", tmp_path / "b"
    for file in (rpm, bill):
        file.touch()
    statement = provenance.statement(artifact, rpm, bill)
    schema = (project / "tests" / "build" / "schemas" / "provenance.json").read_text()

    jsonschema.Draft202012Validator(json.loads(schema)).validate(statement)
    source, zig, rpmbuild = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert (uri, digest) == (source.get("uri"), source["digest"])
    assert "pkg:pypi/ziglang@0.17.1" == zig["uri"]
    assert "pkg:generic/rpmbuild@4.18.0" == rpmbuild["uri"]


def test_the_profile_is_an_input_of_what_is_compiled(
    real_plan: Plan, project: Path, tmp_path: Path
) -> None:
    """With the checksum of its file; it takes no part in a sub-package or a source package."""
    rpm, bill = tmp_path / "a", tmp_path / "b"
    for file in (rpm, bill):
        file.touch()
    origin = {"kind": "folder", "reference": f"sha256:{SUM}"}
    found = []
    for arch in (real_plan.arch, "noarch", "src"):
        artifact = Artifact(real_plan, "mimalloc-custom", arch, SUM, origin, {}, {}, {})
        definition = provenance.statement(artifact, rpm, bill)["predicate"]["buildDefinition"]
        entries = definition["resolvedDependencies"]
        found.append([each["digest"] for each in entries if each["name"].endswith(".profdata")])

    file = project / load.PROFILES / f"{real_plan.recipe.version}.profdata"
    assert [[{"sha256": sha256_of(file)}], [], []] == found
