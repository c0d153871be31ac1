"""The bill of materials of a package, in CycloneDX: the release, our patches, every file."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx import model
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import component
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from pipeline.artifact.provenance import Artifact, tool_purl
from pipeline.config import load
from pipeline.model import Plan
from pipeline.system.checksum import sha256_of
from pipeline.toolchain import compiler


def bill(artifact: Artifact, root: Path) -> str:
    """The bill of a package as JSON; equal for equal packages. ``root`` is the checkout.

    What the compiler contributes itself (start files, runtime) is not part of a library that zig
    links.
    """
    plan, package = artifact.plan, _package(artifact)
    if artifact.name in (plan.name, plan.debuginfo.name):
        main = _release(plan, root)
    else:  # a sub-package contains no part of the release, and requires the main package
        main = _package(replace(artifact, name=plan.name, arch=plan.arch))
    support = compiler.support(plan, root) if artifact.arch == plan.arch else []
    linked = {str(file.relative_to(root)): file for file in support}
    files = [
        component.Component(
            type=component.ComponentType.FILE,
            bom_ref=f"file:{path}",
            name=path,
            hashes=[_hash(sha256_of(file))],
        )
        for path, file in sorted({**artifact.files, **linked}.items())
    ]
    content = "".join(f"{file.name} {file.hashes[0].content}\n" for file in files)
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"{package.purl} {plan.recipe.tree} {content}"),
        metadata=BomMetaData(component=package, timestamp=plan.recipe.released),
        components=[main, *files, *(_tool(*tool) for tool in artifact.tools.items())],
    )
    bom.register_dependency(package, [main, *files])
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _package(artifact: Artifact) -> component.Component:
    plan = artifact.plan
    version = f"{plan.recipe.version}-{plan.release}"
    qualifiers = {"arch": artifact.arch, "distro": plan.root.dist}
    purl = PackageURL("rpm", None, artifact.name, version, qualifiers)
    others = {one.name: one.summary for one in plan.subpackages}
    others[plan.debuginfo.name] = plan.debuginfo.summary
    return _component(
        artifact.name,
        version,
        purl,
        description=others.get(artifact.name, plan.summary),
        supplier=OrganizationalEntity(name=plan.package.vendor),
        licenses=[LicenseFactory().make_from_string(plan.package.license)],
    )


def _tool(name: str, version: str) -> component.Component:
    """A program used in the build, and not in the package; `metadata.tools` made the bill."""
    excluded = component.ComponentScope.EXCLUDED
    application = component.ComponentType.APPLICATION
    return _component(name, version, tool_purl(name, version), type=application, scope=excluded)


def _release(plan: Plan, root: Path) -> component.Component:
    recipe = plan.recipe
    purl = PackageURL.from_string(plan.package.provenance.upstream.format(version=recipe.version))
    patches = []
    for patch in recipe.patch:
        text = load.patch_file(root, recipe, patch).read_text(encoding="utf-8")
        url = model.XsUri(f"patches/{recipe.version}/{patch.file}")
        diff = component.Diff(text=model.AttachedText(content=text), url=url)
        patches.append(component.Patch(type=component.PatchClassification.UNOFFICIAL, diff=diff))
    return _component(
        "mimalloc",
        recipe.version,
        purl,
        licenses=[LicenseFactory().make_from_string(plan.package.license)],
        pedigree=component.Pedigree(patches=patches) if patches else None,
        external_references=[
            model.ExternalReference(
                type=model.ExternalReferenceType.SOURCE_DISTRIBUTION,
                url=model.XsUri(source.url),
                hashes=[_hash(source.sha256)],
            )
            for source in recipe.source
            if source.url
        ],
    )


def _component(name: str, version: str, purl: PackageURL, **fields: Any) -> component.Component:
    """A component, a library unless ``fields`` say otherwise, that its package URL identifies."""
    reference = purl.to_string()
    return component.Component(name=name, version=version, purl=purl, bom_ref=reference, **fields)


def _hash(sha256: str) -> model.HashType:
    return model.HashType(alg=model.HashAlgorithm.SHA_256, content=sha256)
