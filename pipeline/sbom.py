"""A package's bill of materials, in CycloneDX: the release, our changes to it, every file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import (
    Component,
    ComponentType,
    Diff,
    Patch,
    PatchClassification,
    Pedigree,
)
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from pipeline.checksum import sha256_of
from pipeline.model import Plan


def bill(plan: Plan, arch: str, files: Mapping[str, Path], tools: Mapping[str, str]) -> str:
    """The bill of a package as JSON; the same text for the same package.

    ``arch`` is ``src`` for a source package, ``files`` its paths and where they are now, and
    ``tools`` the programs that made it, with their versions.
    """
    package, release, hashes = _package(plan, arch), _release(plan), _files(files)
    content = "".join(f"{file.name} {file.hashes[0].content}\n" for file in hashes)
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"{package.purl} {plan.recipe.tree} {content}"),
        metadata=BomMetaData(component=package, timestamp=plan.recipe.released),
        components=[release, *hashes],
    )
    for name, version in tools.items():
        tool = Component(type=ComponentType.APPLICATION, name=name, version=version)
        bom.metadata.tools.components.add(tool)
    bom.register_dependency(package, [release, *hashes])
    return f"{json.dumps(json.loads(JsonV1Dot6(bom).output_as_string()), indent=2)}\n"


def _package(plan: Plan, arch: str) -> Component:
    version = f"{plan.recipe.version}-{plan.release}"
    named = PackageURL(
        "rpm", None, plan.name, version, {"arch": arch, "distro": plan.root.dist}
    ).to_string()
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=named,
        name=plan.name,
        version=version,
        purl=PackageURL.from_string(named),
        description=plan.summary,
        supplier=OrganizationalEntity(name=plan.package.vendor),
        licenses=[LicenseFactory().make_from_string(plan.package.license)],
    )


def _release(plan: Plan) -> Component:
    recipe = plan.recipe
    named = plan.package.provenance.upstream.format(version=recipe.version)
    changes = [
        Patch(
            type=PatchClassification.UNOFFICIAL,
            diff=Diff(url=XsUri(f"patches/{recipe.version}/{change.file}")),
        )
        for change in recipe.patch
    ]
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=named,
        name="mimalloc",
        version=recipe.version,
        purl=PackageURL.from_string(named),
        licenses=[LicenseFactory().make_from_string(plan.package.license)],
        pedigree=Pedigree(patches=changes) if changes else None,
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.SOURCE_DISTRIBUTION,
                url=XsUri(source.url),
                hashes=[_hash(source.sha256)],
            )
            for source in recipe.source
            if source.url
        ],
    )


def _files(files: Mapping[str, Path]) -> list[Component]:
    return [
        Component(
            type=ComponentType.FILE,
            bom_ref=f"file:{path}",
            name=path,
            hashes=[_hash(sha256_of(file))],
        )
        for path, file in sorted(files.items())
    ]


def _hash(sha256: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=sha256)
