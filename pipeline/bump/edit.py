"""Make a patch of a release from a changed copy of its patched tree."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from pipeline.bump import documents, recipe_writer, trial_build
from pipeline.bump.scratch import ScratchCheckout, place_files, scratch_checkout
from pipeline.config import load
from pipeline.model import Options
from pipeline.model.errors import PatchError, RequestError
from pipeline.system import workspace
from pipeline.system.workspace import copy_tree, remove

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Request:
    """A release, and what a patch says: empty as long as the tree is being changed.

    ``slug`` is for the patch's name; ``why``, ``upstream`` and ``drop_when`` are how it opens, and
    ``test`` is the trial that fails without it.
    """

    version: str
    slug: str = ""
    why: str = ""
    upstream: str = ""
    drop_when: str = ""
    test: str = ""
    options: Options = field(default_factory=Options)


def run(root: Path, request: Request) -> None:
    """Lay out a tree to change; with a slug, make a patch of what has changed in it.

    The patch, its checksum in the recipe and its line in docs/library.md are placed once it applies
    after the others; until then nothing is. Raises RequestError, PatchError.
    """
    version = load.checked_name("version", request.version or load.LATEST, load.versions(root))
    place = workspace.locate(root)
    with scratch_checkout(place, version, "", request.options) as scratch:
        folder = place.work / "edit" / version
        if not (folder / "tree").is_dir():
            _lay_out(scratch, folder)
        command = f"invoke edit --version {version}"
        if not request.slug:
            scratch.report.line(f"change the files in {folder / 'tree'}, then")
            scratch.report.line(f"{command} --slug WHAT-IT-DOES --why SENTENCE [--test TRIAL]")
            return
        file = _make(scratch, request, folder)
        place_files(scratch)
        remove(folder)
        scratch.report.line(f"patches/{version}/{file}: its opening lines may say more;")
        scratch.report.line("then its checksum in the recipe changes. What comes next:")
        number = load.recipe(root, version).release + 1
        scratch.report.line(
            f"invoke release --version {version} --release {number} --reason SENTENCE"
        )


def _lay_out(scratch: ScratchCheckout, folder: Path) -> None:
    """The patched tree twice: to be changed, and as it was. The former comes last."""
    dirs = trial_build.run_step(trial_build.samples(scratch.plans())[0], scratch, "patch")
    remove(folder)
    folder.mkdir(parents=True)
    copy_tree(dirs.patched, folder / "before")
    copy_tree(dirs.patched, folder / "copy")
    (folder / "copy").rename(folder / "tree")


def _make(scratch: ScratchCheckout, request: Request, folder: Path) -> str:
    """Write patch, recipe and documents of the scratch checkout; returns the patch's name."""
    if not _SLUG.fullmatch(request.slug):
        expected = "small letters and hyphens, such as set-errno"
        raise RequestError("--slug", expected=expected, got=request.slug)
    if not request.why.strip():
        raise RequestError("--why", expected="a sentence for the package's statement", got="none")
    content = "".join(difference(folder / "before", folder / "tree"))
    if not content:
        raise RequestError("nothing has changed", file=folder / "tree")
    recipe = load.recipe(scratch.root, scratch.version)
    number = max((int(patch.file[:4]) for patch in recipe.patch), default=0) + 1
    name = f"{number:04}-{request.slug}.patch"
    text = f"{_opening(request)}\n{content}"
    file = scratch.root / "patches" / scratch.version / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    table = {"file": name, "sha256": sha256(text.encode()).hexdigest(), "why": request.why}
    table |= {"test": request.test} if request.test else {}
    text = recipe_writer.with_patch(scratch.recipe.read_text(encoding="utf-8"), table)
    scratch.recipe.write_text(text, encoding="utf-8")
    trial_build.apply_patches(scratch)
    if not documents.add_patch(scratch.root, scratch.version, name, request.why):
        scratch.report.line(f"  nox -s library adds it to {documents.LIBRARY}")
    return name


def _opening(request: Request) -> str:
    trial = f"The trial `{request.test}` passes without it." if request.test else ""
    parts = {
        "Why": request.why,
        "Upstream": request.upstream or "Not reported yet. This patch is our own.",
        "Drop when": request.drop_when or trial or "Upstream has mended it.",
    }
    return "".join(f"{name}: {text}\n\n" for name, text in parts.items()).rstrip("\n") + "\n"


def difference(before: Path, after: Path) -> Iterator[str]:
    """The lines of a unified diff between two trees, for ``patch --strip=1``.

    Raises PatchError for a file that is no text.
    """
    files = {file.relative_to(top) for top in (before, after) for file in top.rglob("*")}
    for name in sorted(files):
        old, new = (_lines(top / name) for top in (before, after))
        if old != new:
            labels = (f"a/{name}" if old else "/dev/null", f"b/{name}" if new else "/dev/null")
            for line in difflib.unified_diff(old, new, *labels):
                yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(file: Path) -> list[str]:
    """The lines of a file with their ends, which are line feeds only; of what is none, none."""
    if not file.is_file():
        return []
    try:
        return re.findall(r"[^\n]*\n|[^\n]+", file.read_bytes().decode())
    except UnicodeDecodeError as problem:
        raise PatchError("not a text", got=str(problem), file=file) from problem
