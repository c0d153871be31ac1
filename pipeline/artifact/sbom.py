"""A package's bill of materials, in CycloneDX: the release, our changes to it, every file."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import (
    AttachedText,
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    XsUri,
)
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import (
    Component,
    ComponentScope,
    ComponentType,
    Diff,
    Patch,
    PatchClassification,
    Pedigree,
)
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from pipeline.artifact import purl
from pipeline.artifact.provenance import Making
from pipeline.config import load
from pipeline.model import Plan
from pipeline.system.checksum import sha256_of
from pipeline.toolchain import compiler


def bill(plan: Plan, making: Making, files: Mapping[str, Path], root: Path) -> str:
    """The bill of a package as JSON; the same text for the same package.

    ``files`` are its paths and where they are now, ``root`` is the checkout. What the compiler
    brings itself (start files, runtime) has no part in a library that zig links.
    """
    package = _package(plan, making)
    # A sub-package has nothing of the release in it, and needs the package that has.
    whole = replace(making, name=plan.name, arch=plan.arch)
    main = _release(plan, root) if making.name == plan.name else _package(plan, whole)
    support = compiler.support(plan, root) if making.arch == plan.arch else []
    linked = {str(file.relative_to(root)): file for file in support}
    hashes = _files({**files, **linked})
    content = "".join(f"{file.name} {file.hashes[0].content}\n" for file in hashes)
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"{package.purl} {plan.recipe.tree} {content}"),
        metadata=BomMetaData(component=package, timestamp=plan.recipe.released),
        components=[main, *hashes, *_tools(making.tools)],
    )
    bom.register_dependency(package, [main, *hashes])
    return f"{json.dumps(json.loads(JsonV1Dot6(bom).output_as_string()), indent=2)}\n"


def _package(plan: Plan, making: Making) -> Component:
    version = f"{plan.recipe.version}-{plan.release}"
    qualifiers = {"arch": making.arch, "distro": plan.root.dist}
    named = PackageURL("rpm", None, making.name, version, qualifiers).to_string()
    summaries = {plan.subpackage.name: plan.subpackage.summary} if plan.subpackage else {}
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=named,
        name=making.name,
        version=version,
        purl=PackageURL.from_string(named),
        description=summaries.get(making.name, plan.summary),
        supplier=OrganizationalEntity(name=plan.package.vendor),
        licenses=[LicenseFactory().make_from_string(plan.package.license)],
    )


def _tools(tools: Mapping[str, str]) -> list[Component]:
    """What took part in the build, and is not in the package; `metadata.tools` made the bill."""
    named = {name: purl.of_tool(name, version) for name, version in tools.items()}
    return [
        Component(
            type=ComponentType.APPLICATION,
            bom_ref=named[name],
            name=name,
            version=version,
            purl=PackageURL.from_string(named[name]),
            scope=ComponentScope.EXCLUDED,
        )
        for name, version in tools.items()
    ]


def _release(plan: Plan, root: Path) -> Component:
    recipe = plan.recipe
    named = plan.package.provenance.upstream.format(version=recipe.version)
    changes = [
        Patch(
            type=PatchClassification.UNOFFICIAL,
            diff=Diff(
                text=AttachedText(
                    content=load.patch_file(root, recipe, change).read_text(encoding="utf-8")
                ),
                url=XsUri(f"patches/{recipe.version}/{change.file}"),
            ),
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
