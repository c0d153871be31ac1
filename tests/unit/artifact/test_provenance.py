"""`provenance`: what a source is called, wherever it came from; valid by the schema each time."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from pipeline.artifact import provenance
from pipeline.artifact.provenance import Making, descriptor
from pipeline.model import Plan

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
def test_source_is_named_wherever_it_came_from(
    plan: Plan, project: Path, kind: str, reference: str, uri: str | None, digest: dict[str, str]
) -> None:
    """By a digest always, and by where it can be had, if that is a public place."""
    origin = {"kind": kind, "reference": reference}
    origin |= {} if kind == "folder" else {"sha256": SUM}
    making = Making(
        "mimalloc-custom", "x86_64", SUM, origin, {}, {"zig": "0.17.1", "rpmbuild": "4.18.0"}
    )
    found = provenance.statement(plan, making, descriptor("a", SUM), [descriptor("b", SUM)])
    schema = (project / "tests" / "build" / "schemas" / "provenance.json").read_text()

    jsonschema.Draft202012Validator(json.loads(schema)).validate(found)
    source, zig, rpmbuild = found["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert (uri, digest) == (source.get("uri"), source["digest"])
    assert "pkg:pypi/ziglang@0.17.1" == zig["uri"]
    assert "pkg:generic/rpmbuild@4.18.0" == rpmbuild["uri"]
