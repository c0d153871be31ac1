"""What is signed is examined once more, as it is: the files beside a package may say anything.

Nothing of a package is run here. What its programs did is known where it was built, and whether its
library has other code, but the right properties, by `invoke verify` alone.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline.artifact import placement, statement
from pipeline.build import selection
from pipeline.checks.debuginfo import check_debuginfo
from pipeline.checks.package import check_package
from pipeline.checks.subpackage import check_subpackage
from pipeline.config import load
from pipeline.inspect import debuginfo, header, package, payload
from pipeline.model import Facts, Finding, Plan
from pipeline.model.errors import CheckError, PackagingError, SignError
from pipeline.publish import inventory
from pipeline.publish.inventory import NOARCH
from pipeline.steps import srpm, unpack
from pipeline.system.checksum import identity_of
from pipeline.system.workspace import Workspace
from pipeline.toolchain import spec


def examine(rpm: Path, place: Workspace, scratch: Path) -> None:
    """Hold a package in ``dist/`` to recipe and build root: its place, header, files and library.

    Raises SignError with all that is wrong with it.
    """
    try:
        lines = [line for finding in _findings(rpm, place, scratch) for line in finding.lines()]
    except PackagingError as problem:
        lines = problem.lines()
    if lines:
        raise SignError(
            f"{rpm.name} is not what a recipe makes",
            detail="\n".join(lines),
            file=rpm,
            hint="invoke build makes it anew; or move it out of dist/",
        )


def _findings(rpm: Path, place: Workspace, scratch: Path) -> Iterator[Finding]:
    tags = header.read(rpm, home=scratch).tags
    nevra = [tags.get(tag, "") for tag in ("NAME", "VERSION", "RELEASE", "ARCH")]
    plan = selection.by_nevra(place.root, *nevra)
    is_source = tags.get("SOURCEPACKAGE") == "1"
    file_name = plan.source_name if is_source else "{}-{}-{}.{}.rpm".format(*nevra)
    made = inventory.read(Path(file_name))
    # A sub-package lies beside the package of each architecture.
    folders = plan.root.machine if made.arch == NOARCH else [made.folder]
    places = [place.dist / plan.root.dist / folder / file_name for folder in folders]
    if rpm not in places:
        yield Finding("nevra", "path", " or ".join(map(str, places)), str(rpm))
    payload.unpack(rpm, scratch, limit=plan.package.limits.unpacked)
    if is_source:
        yield from _source(rpm, plan, place, scratch)
        return
    facts = package.read(rpm, scratch, library=plan.library, unpacked=True)
    yield from _judge(facts, plan, place, scratch)


def _judge(facts: Facts, plan: Plan, place: Workspace, scratch: Path) -> Iterator[Finding]:
    """The findings of the checks, but for those of programs that ran on the package."""
    root, name = place.root, facts.header.tags["NAME"]
    own, *others = load.manifests(root, plan)
    if name == plan.debuginfo.name:
        yield from _debuginfo(facts, plan, place, scratch)
    elif name == plan.name:
        yield from (one for one in check_package(facts, plan, own) if one.check != "trials")
    for subpackage, manifest in zip(plan.subpackages, others, strict=True):
        if name == subpackage.name:
            contents = spec.contents(plan, root)
            yield from check_subpackage(facts, plan, subpackage, manifest, contents)


def _debuginfo(facts: Facts, plan: Plan, place: Workspace, scratch: Path) -> Iterator[Finding]:
    """Debug information is held to the library that it describes, in the package beside it."""
    folder = payload.unpack(placement.existing(plan, place), scratch / "package")
    library = debuginfo.read(payload.place(folder, plan.library))
    file = payload.place(payload.root(scratch), plan.debuginfo.file(library.build_id))
    if not file.is_file():
        raise CheckError("no debug information of its library", expected=file.name, got="none")
    yield from check_debuginfo(facts, plan, library, debuginfo.read(file))


def _source(rpm: Path, plan: Plan, place: Workspace, scratch: Path) -> Iterator[Finding]:
    """A source package is made again, of the tree in it, which is upstream's as it was tagged."""
    tree, name = scratch / "tree", f"mimalloc-{plan.recipe.version}.tar.gz"
    tree.mkdir()
    unpack.extract(payload.place(payload.root(scratch), name), tree, plan.package)
    if (identity := identity_of(tree)) != plan.recipe.tree:
        yield Finding("source", name, plan.recipe.tree, identity)
        return
    again = srpm.make(plan, place.root, tree, scratch / "again")
    if statement.signed_content(again) != statement.signed_content(rpm):
        yield Finding("source", rpm.name, "what is made of its recipe", "another content")
