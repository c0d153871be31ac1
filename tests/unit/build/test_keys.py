"""The keys of steps: what they depend on, in plans, data and code."""

import ast
import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.artifact.placement import DEBUGINFO, PACKAGE, SOURCE_PACKAGE
from pipeline.build import keys, selection
from pipeline.model import Flags, Machine, Patch, Plan
from pipeline.smoke import probe
from pipeline.sources import user
from tests.unit import release
from tests.unit.build.conftest import STEP_NAMES

pytestmark = pytest.mark.usefixtures("rpmbuild")

SOURCE_NAMES = ["srpm", SOURCE_PACKAGE]
DEBUG_NAMES = ["debuginfo", DEBUGINFO]
ALL_NAMES = [*STEP_NAMES, PACKAGE, *DEBUG_NAMES, *SOURCE_NAMES]


def since(step: str) -> list[str]:
    """A step, those that depend on its result, and their artifacts."""
    return [*STEP_NAMES[STEP_NAMES.index(step) :], PACKAGE, *DEBUG_NAMES]


def _changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


# --- plans ---------------------------------------------------------------------------------------


def _on_aarch64(plan: Plan) -> Plan:
    machine = {**plan.root.machine, "aarch64": Machine(isa="armv8-a")}
    return replace(plan, arch="aarch64", root=replace(plan.root, machine=machine))


def _with_flags(plan: Plan) -> Plan:
    return replace(plan, compiler=replace(plan.compiler, flags=Flags(("-O0",))))


def _later(plan: Plan) -> Plan:
    return release.recast(plan, released=plan.recipe.released + timedelta(seconds=1))


def _from_mirror(plan: Plan) -> Plan:
    return release.recast(plan, source=(release.source(b"x", "https://mirror.invalid/x"),))


def test_every_step_and_artifact_has_a_key(plan: Plan, checkout: Path) -> None:
    """The same one each time, and no two alike."""
    first = keys.of(plan, checkout)

    assert set(ALL_NAMES) == set(first)
    assert len(ALL_NAMES) == len(set(first.values()))
    assert first == keys.of(plan, checkout)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda plan: plan, []),
        (
            lambda plan: release.recast(plan, patch=(Patch("f", "1" * 64, "w"),)),
            [*since("patch"), *SOURCE_NAMES],
        ),
        # The whole recipe is an input of the package: its changelog, its sources.
        (
            lambda plan: release.recast(plan, tree="sha256:0"),
            ["unpack", *since("patch"), *SOURCE_NAMES],
        ),
        (_from_mirror, ["fetch", "unpack", *since("package"), *SOURCE_NAMES]),
        (
            lambda plan: release.recast(plan, cmake={"X": "1"}),
            [*since("configure"), *SOURCE_NAMES],
        ),
        (_later, [*since("configure"), *SOURCE_NAMES]),
        (_on_aarch64, [*since("configure"), *SOURCE_NAMES]),
        (_with_flags, since("configure")),
        (
            lambda plan: replace(plan, root=replace(plan.root, glibc="2.99")),
            [*since("configure"), *SOURCE_NAMES],
        ),
        (
            lambda plan: release.recast(plan, library="libmimalloc.so.2.9"),
            [*since("stage"), *SOURCE_NAMES],
        ),
        (
            lambda plan: release.recast(plan, folders="owned"),
            [*since("package"), *SOURCE_NAMES],
        ),
        (
            lambda plan: replace(plan, root=replace(plan.root, dist="el99")),
            [*since("package"), *SOURCE_NAMES],
        ),
    ],
    ids="nothing patch tree mirror option time machine flags glibc library folders dist".split(),
)
def test_a_change_of_the_plan_changes_the_keys_that_depend_on_it(
    plan: Plan, checkout: Path, change: Callable[[Plan], Plan], names: list[str]
) -> None:
    """The key of a step, and of those after it, but not of those before it."""
    assert set(names) == _changed(keys.of(plan, checkout), keys.of(change(plan), checkout))


def test_a_source_package_is_the_same_for_every_machine(plan: Plan, checkout: Path) -> None:
    """With another architecture or compiler its key stays, and so does its signature."""
    other_arch = replace(plan, arch="aarch64", processor=replace(plan.processor, name="aarch64"))
    source_keys = {
        keys.of(other, checkout)[SOURCE_PACKAGE] for other in (plan, other_arch, _with_flags(plan))
    }

    assert 1 == len(source_keys)


def test_a_source_of_the_user_does_not_change_the_package(
    plan: Plan, checkout: Path, tmp_path: Path
) -> None:
    """What is built from the user's own tree, if it is the tagged one, is the same package."""
    folder = release.unfold(tmp_path / "mine")
    other = replace(plan, user_source=user.user_source(str(folder), "2.0.6", plan.package))
    changed = _changed(keys.of(plan, checkout), keys.of(other, checkout))

    assert {"fetch", "unpack", *SOURCE_NAMES} == changed


def test_a_source_package_needs_no_compiler(
    plan: Plan, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its keys are those of a host that has one."""
    full = keys.of(plan, checkout)
    monkeypatch.setattr(
        "pipeline.toolchain.compiler.versions", lambda plan: pytest.fail("a compiler is asked")
    )
    own = keys.of(plan, checkout, last="srpm")

    assert {"fetch", "unpack", *SOURCE_NAMES} == own.keys()
    assert {name: full[name] for name in own} == own


# --- files ---------------------------------------------------------------------------------------


def _forget_code() -> None:
    for function in (keys.code_of, keys._read, keys._files_named):
        function.cache_clear()


@pytest.fixture
def copy(checkout: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The scratch checkout with manifests and code, from which keys are made."""
    shutil.copytree(project / "recipes" / "manifests", checkout / "recipes" / "manifests")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(project / "pipeline", checkout / "pipeline", ignore=ignored)
    monkeypatch.setattr(keys, "ROOT", checkout)
    monkeypatch.setattr(probe, "PROBES", checkout / probe.PROBES.relative_to(project))
    yield checkout
    _forget_code()


def _keys(root: Path) -> dict[str, str]:
    """The keys as another run has them, which reads all files again."""
    _forget_code()
    return keys.of(selection.plan(root, "2.0.6", "el7", "x86_64"), root)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        # No step runs these.
        ("pipeline/compare/results.py", []),
        ("pipeline/build/parallel.py", []),
        ("pipeline/commands/build.py", []),
        ("pipeline/publish/signing.py", []),
        # A step, and those that take its result.
        ("pipeline/steps/fetch.py", ["fetch", "unpack", *SOURCE_NAMES]),
        ("pipeline/steps/unpack.py", ["unpack", *SOURCE_NAMES]),
        ("pipeline/steps/patch.py", since("patch")),
        ("pipeline/steps/compile.py", since("compile")),
        ("pipeline/steps/stage.py", since("stage")),
        ("pipeline/steps/check.py", since("check")),
        ("pipeline/steps/srpm.py", SOURCE_NAMES),
        ("pipeline/steps/debuginfo.py", DEBUG_NAMES),
        ("pipeline/checks/debuginfo.py", DEBUG_NAMES),
        ("pipeline/artifact/placement.py", [PACKAGE, DEBUGINFO, SOURCE_PACKAGE]),
        ("pipeline/artifact/sbom.py", [PACKAGE, DEBUGINFO, SOURCE_PACKAGE]),
        # Modules that steps import.
        ("pipeline/system/archive.py", ["unpack", *SOURCE_NAMES]),
        ("pipeline/toolchain/compiler.py", [*since("configure"), SOURCE_PACKAGE]),
        ("pipeline/smoke/trials.py", since("check")),
        ("pipeline/model/plan.py", ALL_NAMES),
        # Data that steps read.
        ("buildroot/toolchains/zig/atexit.c", since("configure")),
        ("buildroot/malloc_hooks.c", [*since("configure"), *SOURCE_NAMES]),
        ("pipeline/smoke/probes/threads.c", since("check")),
        ("recipes/manifests/2.0.6.txt", [*since("check"), *SOURCE_NAMES]),
        ("recipes/manifests/2.0.9.txt", []),
        ("recipes/mimalloc-custom.spec.j2", [*since("package"), *SOURCE_NAMES]),
        ("recipes/debuginfo.spec.j2", DEBUG_NAMES),
        ("recipes/fileattrs/elf.attr", [*since("package"), *SOURCE_NAMES]),
    ],
)
def test_a_change_of_a_file_changes_the_keys_that_depend_on_it(
    copy: Path, path: str, names: list[str]
) -> None:
    """Whether it is code or data."""
    before = _keys(copy)
    file = copy / path
    file.write_text(f"{file.read_text()}\n# changed\n")

    assert set(names) == _changed(before, _keys(copy))


def test_a_flag_of_the_toolchain_is_part_of_what_is_compiled(copy: Path) -> None:
    """And of nothing before it; a source package is built with whatever compiler there is."""
    before, file = _keys(copy), copy / "buildroot" / "toolchains" / "zig.toml"
    text = file.read_text()
    assert '"-fomit-frame-pointer"' in text
    file.write_text(text.replace('"-fomit-frame-pointer"', '"-fno-omit-frame-pointer"'))

    assert set(since("configure")) == _changed(before, _keys(copy))


def test_a_patch_is_part_of_the_patched_tree(copy: Path) -> None:
    """With its pin in the recipe, without which it is refused."""
    before, recipe = _keys(copy), copy / "recipes" / "2.0.6.toml"
    patch = copy / "patches" / "2.0.6" / "0001-align-power-of-two-blocks.patch"
    pin = hashlib.sha256(patch.read_bytes()).hexdigest()
    patch.write_text(f"Why: another reason.\n{patch.read_text()}")
    text = recipe.read_text()
    assert pin in text
    recipe.write_text(text.replace(pin, hashlib.sha256(patch.read_bytes()).hexdigest()))

    assert {*since("patch"), *SOURCE_NAMES} == _changed(before, _keys(copy))


# --- code ----------------------------------------------------------------------------------------


def test_imports_are_those_that_the_parser_finds(project: Path) -> None:
    """In every module, at its top and inside functions."""
    _forget_code()
    for file in (project / "pipeline").rglob("*.py"):
        names: set[str] = set()
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        expected = {path for name in names for path in keys._files_named(name)}
        own = {path for path in expected if path.is_relative_to(project / "pipeline")}

        assert own == keys._read(file)[1], file


def test_a_module_runs_what_its_imports_import(project: Path) -> None:
    """Packages included, whose `__init__` runs first."""
    files = {str(file.relative_to(project)) for file in keys.files_of("pipeline.steps.check")}

    assert {
        "pipeline/__init__.py",
        "pipeline/steps/check.py",
        "pipeline/model/__init__.py",
        "pipeline/inspect/elf.py",
        "pipeline/smoke/trials.py",
    } <= files
    assert not any("/steps/" in file and "check" not in file for file in files)
