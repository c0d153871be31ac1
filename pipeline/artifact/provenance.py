"""What a package is made from, as an in-toto statement with SLSA provenance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packageurl import PackageURL

from pipeline.model import Plan
from pipeline.system.checksum import sha256_of

# The names of all fields are those of in-toto's Statement and SLSA's predicate, both version 1
# (in-toto/attestation: spec/v1/statement.md, slsa.dev/spec/v1.0/provenance).
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"

# The Python packages that contain these programs; all other programs are the host's.
_PYTHON_PACKAGES = {"zig": "ziglang", "cmake": "cmake", "ninja": "ninja"}

Descriptor = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A package of a plan (main package, sub-package or source package) and its inputs.

    ``arch`` is ``src`` for a source package. ``key`` is the digest of everything that the package
    depends on, our code included. ``origin`` says where the source came from, ``options`` are those
    of cmake, ``tools`` are the programs used and their versions, and ``files`` maps the paths in
    the package to files on disk.
    """

    plan: Plan
    name: str
    arch: str
    key: str
    origin: Mapping[str, str]
    options: Mapping[str, str]
    tools: Mapping[str, str]
    files: Mapping[str, Path]


def statement(artifact: Artifact, rpm: Path, bill: Path) -> dict[str, Any]:
    """The statement about a package and its bill of materials.

    It is equal for equal packages, whoever builds them, and when.
    """
    plan, recipe = artifact.plan, artifact.plan.recipe
    internal = {
        "key": artifact.key,
        "tree": recipe.tree,
        "released": recipe.released.isoformat(),
        "options": dict(artifact.options),
    }
    if artifact.arch == plan.arch:
        compiler = {"name": plan.compiler.name, "target": plan.target}
        internal |= {"compiler": compiler, "glibc": plan.root.glibc, "isa": plan.machine.isa}
    definition = {
        "buildType": plan.package.provenance.build_type,
        "externalParameters": {
            "version": recipe.version,
            "release": recipe.release,
            "dist": plan.root.dist,
            "arch": artifact.arch,
            "flavor": plan.variant,
        },
        "internalParameters": internal,
        "resolvedDependencies": list(_dependencies(artifact)),
    }
    byproducts = [descriptor(bill.name, sha256_of(bill))]
    details = {"builder": {"id": plan.package.provenance.builder}, "byproducts": byproducts}
    return {
        "_type": STATEMENT,
        "subject": [descriptor(rpm.name, sha256_of(rpm))],
        "predicateType": PREDICATE,
        "predicate": {"buildDefinition": definition, "runDetails": details},
    }


def descriptor(name: str, sha256: str, **fields: Any) -> Descriptor:
    """What in-toto calls a resource descriptor: a name, a checksum, and further fields."""
    return {"name": name, "digest": {"sha256": sha256}, **fields}


def tool_purl(name: str, version: str) -> PackageURL:
    """The package URL of a program that took part in the build."""
    if name in _PYTHON_PACKAGES:
        return PackageURL("pypi", None, _PYTHON_PACKAGES[name], version)
    return PackageURL("generic", None, name, version)


def _dependencies(artifact: Artifact) -> Iterator[Descriptor]:
    """The source, our patches, the profile, and the programs used."""
    recipe = artifact.plan.recipe
    yield {"name": f"mimalloc-{recipe.version}", **_source(artifact.origin)}
    for patch in recipe.patch:
        name = f"patches/{recipe.version}/{patch.file}"
        yield descriptor(name, patch.sha256, annotations={"why": patch.why})
    if artifact.arch == artifact.plan.arch and artifact.plan.profile:
        why = "what the compiler optimises the shared library for"
        checksum = artifact.plan.profile.removeprefix("sha256:")
        yield descriptor(f"{recipe.version}.profdata", checksum, annotations={"why": why})
    for name, version in artifact.tools.items():
        yield {"name": name, "uri": tool_purl(name, version).to_string()}


def _source(origin: Mapping[str, str]) -> Descriptor:
    """The digests of the source, its URI if it is public, and where it is from."""
    kind, reference = origin["kind"], origin["reference"]
    digest = {"gitCommit": reference} if kind == "git" else {}
    if kind == "folder":  # `dirHash` is in-toto's name for the digest of a folder
        digest["dirHash"] = reference.removeprefix("sha256:")
    else:
        digest["sha256"] = origin["sha256"]
    source: Descriptor = {"digest": digest}
    name, _, version = reference.replace("==", "=").partition("=")
    if kind == "url":
        source["uri"] = reference
    elif kind == "sdist":
        source["uri"] = PackageURL("pypi", None, name, version).to_string()
    elif kind == "debian":
        purl = PackageURL("deb", "debian", name, version, {"arch": "source"})
        source["uri"] = purl.to_string()
    return source | {"annotations": {"kind": kind, "reference": reference}}
