"""What a package was made from, in a form that others' tools read: in-toto, SLSA provenance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.artifact import purl
from pipeline.model import Plan

# in-toto's Statement, version 1, with SLSA's predicate, version 1; the names of all fields are
# theirs (in-toto/attestation: spec/v1/statement.md, slsa.dev/spec/v1.0/provenance).
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"

# The architecture of source packages, in rpm's words.
SOURCE = "src"

Descriptor = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Making:
    """How one package of a plan was made: the package itself, its sub-package, or its source.

    ``arch`` is ``src`` for a source package. ``key`` is the digest of everything that the package
    depends on, our code among it; ``origin`` says where the source came from, ``options`` are those
    of cmake, and ``tools`` the programs that took part, with their versions.
    """

    name: str
    arch: str
    key: str
    origin: Mapping[str, str]
    options: Mapping[str, str]
    tools: Mapping[str, str]


def statement(
    plan: Plan, making: Making, subject: Descriptor, byproducts: list[Descriptor]
) -> dict[str, Any]:
    """The statement about a package; the same for the same package, whoever made it, and when."""
    about = plan.package.provenance
    return {
        "_type": STATEMENT,
        "subject": [subject],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": about.build_type,
                "externalParameters": {
                    "version": plan.recipe.version,
                    "release": plan.recipe.release,
                    "dist": plan.root.dist,
                    "arch": making.arch,
                    "flavor": plan.variant,
                },
                "internalParameters": {
                    "key": making.key,
                    "tree": plan.recipe.tree,
                    "released": plan.recipe.released.isoformat(),
                    "options": dict(making.options),
                    **(_compiled(plan) if making.arch == plan.arch else {}),
                },
                "resolvedDependencies": [*_materials(plan, making.origin), *_tools(making.tools)],
            },
            "runDetails": {"builder": {"id": about.builder}, "byproducts": byproducts},
        },
    }


def _compiled(plan: Plan) -> Mapping[str, Any]:
    compiler = {"name": plan.compiler.name, "target": plan.target}
    return {"compiler": compiler, "glibc": plan.root.glibc, "isa": plan.machine.isa}


def descriptor(name: str, sha256: str, **more: Any) -> Descriptor:
    """What in-toto calls a resource: its name and its checksum."""
    return {"name": name, "digest": {"sha256": sha256}, **more}


def _materials(plan: Plan, origin: Mapping[str, str]) -> Iterator[Descriptor]:
    kind, reference = origin["kind"], origin["reference"]
    source: Descriptor = {"name": f"mimalloc-{plan.recipe.version}", "digest": _digest(origin)}
    if uri := purl.of_source(kind, reference):
        source["uri"] = uri
    yield source | {"annotations": {"kind": kind, "reference": reference}}
    for change in plan.recipe.patch:
        name = f"patches/{plan.recipe.version}/{change.file}"
        yield descriptor(name, change.sha256, annotations={"why": change.why})


def _tools(tools: Mapping[str, str]) -> Iterator[Descriptor]:
    for name, version in tools.items():
        yield {"name": name, "uri": purl.of_tool(name, version)}


def _digest(origin: Mapping[str, str]) -> dict[str, str]:
    """What identifies the source; in-toto calls `dirHash` what is the identity of a tree here."""
    if origin["kind"] == "folder":
        return {"dirHash": origin["reference"].removeprefix("sha256:")}
    if origin["kind"] == "git":
        return {"gitCommit": origin["reference"], "sha256": origin["sha256"]}
    return {"sha256": origin["sha256"]}
