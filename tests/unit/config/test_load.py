"""`load` and `validation`: valid files, and all complaints at once, with file and key."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from pipeline.build import selection
from pipeline.config import load
from pipeline.model import Plan, Selection
from pipeline.model.errors import PackagingError, RecipeError, RequestError
from tests.unit import release

Edit = Callable[..., Path]

SHA = "9f05c94cc2b017ed13698834ac2a3567b6339a8bde27640df5a1581d49d05ce5"
URL = "https://github.com/microsoft/mimalloc/archive/refs/tags/v2.0.6.tar.gz"
NOTES = 'notes = ["Package mimalloc 2.0.6"]'
ACCEPTED = '[[accepted]]\nrule = "zero-size"\n'


@pytest.fixture
def edit(checkout: Path) -> Edit:
    """Changes a file of the scratch checkout; the text to be replaced must be in it."""

    def change(old: str, new: str, name: str = "recipes/2.0.6.toml") -> Path:
        file = checkout / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
        return file

    return change


def _complaints(root: Path) -> list[str]:
    """The complaints about the recipe of 2.0.6; the rest of the message is tested here."""
    with pytest.raises(RecipeError) as caught:
        load.recipe(root, "2.0.6")
    problem = caught.value
    assert "2.0.6.toml cannot be used" == problem.what
    assert root / "recipes" / "2.0.6.toml" == problem.file
    assert "correct it" == problem.hint
    assert 10 == problem.exit_code
    return problem.detail.splitlines()


# --- versions, dists, files ----------------------------------------------------------------------


def test_versions_are_in_the_order_of_releases(checkout: Path) -> None:
    """2.0.10 comes after 2.0.9, and package.toml is not a recipe."""
    for name in ("2.0.10", "10.0.0"):
        (checkout / "recipes" / f"{name}.toml").touch()
    versions = load.versions(checkout)

    assert versions.index("2.0.9") + 1 == versions.index("2.0.10")
    assert "10.0.0" == versions[-1]
    assert "package" not in versions


def test_file_name_that_is_not_a_version(checkout: Path) -> None:
    """Such as a copy among the recipes."""
    (checkout / "recipes" / "2.0.6 (copy).toml").touch()
    with pytest.raises(RecipeError, match=r"2\.0\.6 \(copy\)"):
        load.versions(checkout)


def test_dists_are_in_the_order_of_releases(checkout: Path) -> None:
    """el10 comes after el9."""
    (checkout / "buildroot" / "el101.toml").touch()
    dists = load.dists(checkout)

    assert sorted(["el9", "el10", "el101"], key=dists.index) == ["el9", "el10", "el101"]


def test_every_file_of_the_project_is_accepted(project: Path) -> None:
    """The real recipes, build roots and compilers load, and the defaults exist."""
    package = load.package(project)

    assert package.default.version in load.versions(project)
    assert package.default.dist in load.dists(project)
    assert load.versions(project) == [
        load.recipe(project, version).version for version in load.versions(project)
    ]
    assert load.dists(project) == [
        load.build_root(project, dist).dist for dist in load.dists(project)
    ]
    assert load.toolchains(project) == [
        load.compiler(project, name).name for name in load.toolchains(project)
    ]


def test_every_patch_of_a_recipe_is_there(project: Path) -> None:
    """No recipe names a patch that is missing, and no patch is unused."""
    named = {
        f"{version}/{patch.file}"
        for version in load.versions(project)
        for patch in load.recipe(project, version).patch
    }
    there = {f"{file.parent.name}/{file.name}" for file in (project / "patches").rglob("*.patch")}

    assert named == there


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "suggested"), [("2.0.66", "2.0.6"), ("3.4.2", "3.4.3"), ("v2.0.9", "2.0.9")]
)
def test_unknown_name_suggests_a_similar_one(name: str, suggested: str) -> None:
    """A typing error is answered with a similar name, and all names."""
    with pytest.raises(RequestError) as caught:
        load.checked_name("version", name, iter(["2.0.6", "2.0.9", "3.4.3"]))

    problem = caught.value
    assert f"unknown version {name}; did you mean {suggested}" in problem.what
    assert ("one of 2.0.6, 2.0.9, 3.4.3", repr(name)) == (problem.expected, problem.got)
    assert ("invoke list", 2) == (problem.hint, problem.exit_code)


def test_name_that_is_similar_to_none() -> None:
    """Then nothing is suggested."""
    with pytest.raises(RequestError) as caught:
        load.checked_name("dist", "windows", ["el7", "el8"])

    assert "unknown dist windows" == caught.value.what


# --- complaints ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('line       = "v2"', "line = 2", "line: expected str, got 2"),
        ('line       = "v2"', 'line = "v2"\nbogus = 1', "unknown key bogus"),
        ("mi_version = 206", "", "mi_version: missing"),
        ("mi_version = 206", 'mi_version = "206"', "mi_version: expected int, got '206'"),
        ("mi_version = 206", "mi_version = true", "mi_version: expected int, got True"),
        ('"swept"', '"maybe"', "folders: maybe not in literal"),
        ("[cmake]", "[cmake]\nX = 1", "cmake['X']: expected str, got 1"),
        ("url    =", "uri    =", "source[0]: unknown key uri"),
        ("release = 1", "release = 1.5", "changelog[0].release: expected int, got 1.5"),
        ("notes   =", "notes = 'abc'\nx =", "changelog[0].notes: expected a list, got 'abc'"),
        ("[[changelog]]", "[changelog]", "changelog: expected a list, got {"),
        ("[[changelog]]", "[[chanegelog]]", "changelog: missing"),
        ("2022-04-14T23:54:04Z", "2022-04-14T23:54:04", "released: a time with its offset"),
        ("2022-04-14T23:54:04Z", "2022-04-14", "released: expected datetime, got"),
        ('version    = "2.0.6"', 'version = "2.0.7"', "version: the file's name says 2.0.6"),
        ('"libmimalloc.so.2.0"', '"mi.so"', "library: expected libmimalloc.so.2.<minor>"),
        ("https://github", "http://github", "source[0]: url: expected https://..., got 'http:"),
        (SHA, SHA[:-1], f"source[0]: sha256: expected 64 hex digits, got '{SHA[:-1]}'"),
        (SHA, SHA.upper(), "source[0]: sha256: expected 64 hex digits"),
        ("sha256 = ", 'sdist = "a==1"\nsha256 = ', "source[0]: exactly one of url, sdist, debian"),
        (f'url    = "{URL}"', 'sdist = "a>=1"', "source[0]: sdist: expected name==version"),
        (f'url    = "{URL}"', 'debian = "a b"', "source[0]: debian: expected name=version"),
        ('profile    = "sha256:', 'profile = "', "profile: expected sha256:<64 hex digits>, got '"),
        ("0001-align", "../0001-align", "patch: expected NNNN-slug.patch, got '../0001"),
        ("[[source]]", "[[source]", "Expected ']]'"),
        ("[[source]]", ACCEPTED + "[[source]]", "accepted[0].why: missing"),
        (
            "[[source]]",
            f'{ACCEPTED}why = ""\n[[source]]',
            "accepted: zero-size: why is empty",
        ),
        ("[flavor.secure]", "[flavor.secure]\nsuffix = ''", "flavor['secure']: unknown key suffix"),
        ('"segments"', '"blocks"', "flavor['secure'].guards: blocks not in literal"),
        (
            "[[source]]",
            '[[accepted]]\nrule = "Zero size"\nwhy = "x"\n[[source]]',
            "accepted: expected the name of a rule, such as zero-size, got 'Zero size'",
        ),
        (
            "[[source]]",
            f'{ACCEPTED}why = "x"\n{ACCEPTED}why = "y"\nflavor = "secure"\n[[source]]',
            "accepted: zero-size more than once",
        ),
    ],
)
def test_recipe_with_a_fault(
    checkout: Path, edit: Edit, old: str, new: str, complaint: str
) -> None:
    """Every fault is reported with its key, and the expected and the actual value."""
    edit(old, new)
    complaints = _complaints(checkout)

    assert [] != [line for line in complaints if line.startswith(complaint)], complaints


def test_all_faults_of_content_are_reported_at_once(checkout: Path, edit: Edit) -> None:
    """A file with the right types may still have several faults."""
    edit("https://github", "ftp://github")
    edit("0001-align", "1-align")
    edit('"libmimalloc.so.2.0"', '"x"')

    assert ["library", "patch", "source[0]"] == sorted(
        line.split(":")[0] for line in _complaints(checkout)
    )


def test_recipe_is_read_again_once_it_is_corrected(checkout: Path, edit: Edit) -> None:
    """Complaints are not cached."""
    edit("mi_version = 206", "mi_version = true")
    _complaints(checkout)
    edit("mi_version = true", "mi_version = 206")

    assert 206 == load.recipe(checkout, "2.0.6").mi_version


def test_an_accepted_rule_is_that_of_its_flavor(checkout: Path, edit: Edit) -> None:
    """Without a flavor, that of all of them."""
    other = '[[accepted]]\nrule = "null"\nwhy = "y"\nflavor = "secure"\n'
    edit("[[source]]", f'{ACCEPTED}why = "x"\n{other}[[source]]')

    own = "huge-alignment"
    assert {"plain": ("zero-size", own), "secure": ("zero-size", "null", own)} == {
        flavor: selection.plan(checkout, "2.0.6", "el7", "x86_64", flavor).accepted
        for flavor in ("plain", "secure")
    }


@pytest.mark.parametrize(
    "note", ["100 %(id) more", "%{_host}", r"a\nb", r"\u001b]0;x\u0007", r"\u202e"]
)
def test_a_note_that_rpm_or_a_terminal_would_obey(checkout: Path, edit: Edit, note: str) -> None:
    """It goes into the spec and into `rpm -q --changelog`."""
    edit('"Let find_package name existing folders"', f'"{note}"')

    (complaint,) = _complaints(checkout)
    assert complaint.startswith("changelog: expected a line of text without %, got ")


def test_release_numbers_go_down(checkout: Path, edit: Edit) -> None:
    """The first entry of the changelog is the newest, and no number comes twice."""
    edit("[[changelog]]", f"[[changelog]]\nrelease = 1\ndate = 2026-11-24\n{NOTES}\n[[changelog]]")

    assert ["changelog: expected the newest release first, each once, got [1, 1]"] == _complaints(
        checkout
    )


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('dist = "el7"', 'dist = "el77"', "dist: the file's name says el7, got el77"),
        ('glibc = "2.17"', 'glibc = "2"', "glibc: expected major.minor, got '2'"),
        ('isa = "x86-64"', 'isa = "x86-64-v9"', "machine.x86_64.isa: 'x86-64-v9' is not a level"),
        (
            "[machine.x86_64]",
            '[machine.x86_64]\nprocessor = "aarch64"',
            "machine.x86_64.isa: 'x86-64' is not a level of aarch64",
        ),
        (
            "[machine.x86_64]",
            '[machine.x86_64]\nfloor = "old"',
            "machine.x86_64.floor: expected major.minor, got 'old'",
        ),
        ("[machine.x86_64]", "[machine.x86_64]\nlevel = 1", "machine['x86_64']: unknown key level"),
        ('libraries = ["libc.so.6", "libpthread.so.0"]', 'libraries = "libc.so.6"', "libraries:"),
    ],
)
def test_build_root_with_a_fault(
    checkout: Path, edit: Edit, old: str, new: str, complaint: str
) -> None:
    """A build root is compared with its file name and with the instruction sets that exist."""
    file = edit(old, new, "buildroot/el7.toml")
    with pytest.raises(RecipeError) as caught:
        load.build_root(checkout, "el7")

    assert caught.value.detail.startswith(complaint)
    assert file == caught.value.file


@pytest.mark.parametrize("machine", ["[machine.vax]", '[machine.x86_64]\nprocessor = "vax"'])
def test_a_machine_without_its_processor(checkout: Path, edit: Edit, machine: str) -> None:
    """The error has the file that is missing."""
    edit("[machine.x86_64]", machine, "buildroot/el7.toml")
    with pytest.raises(RecipeError, match="no such file") as caught:
        load.build_root(checkout, "el7")

    assert checkout / "buildroot" / "processors" / "vax.toml" == caught.value.file


def test_every_machine_with_a_fault_is_reported(checkout: Path, edit: Edit) -> None:
    """All of a build root's machines at once."""
    edit("[machine.x86_64]", '[machine.x86_64]\nfloor = "old"', "buildroot/el7.toml")
    edit("[machine.aarch64]", '[machine.aarch64]\nprocessor = "x86_64"', "buildroot/el7.toml")
    with pytest.raises(RecipeError) as caught:
        load.build_root(checkout, "el7")

    assert ["machine.x86_64.floor", "machine.aarch64.isa"] == [
        line.split(":")[0] for line in caught.value.detail.splitlines()
    ]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('model = "Nehalem"', "", "level['x86-64-v2'].model: missing"),
        (
            'model = "Nehalem"',
            'model = "Nehalem"\nflags = []',
            "level['x86-64-v2']: unknown key flags",
        ),
        ("page = 4096", 'page = "4096"', "page: expected int, got '4096'"),
        ('popcnt = ["popcnt"]', 'popcnt = "popcnt"', "ungrouped['popcnt']: expected a list"),
        ('emulator = "qemu-x86_64"', "", "emulator: missing"),
        ("page = 4096", 'page = 4096\nname = "vax"', ""),
    ],
)
def test_processor_with_a_fault(
    checkout: Path, edit: Edit, old: str, new: str, complaint: str
) -> None:
    """No key is missing or unknown, and values have their types."""
    file = edit(old, new, "buildroot/processors/x86_64.toml")
    if not complaint:
        # The file's name is the processor's, whatever the file says.
        assert "x86_64" == load.processor(checkout, "x86_64").name
        return
    with pytest.raises(RecipeError) as caught:
        load.processor(checkout, "x86_64")

    complaints = caught.value.detail.splitlines()
    assert [] != [line for line in complaints if line.startswith(complaint)], complaints
    assert (file, 10) == (caught.value.file, caught.value.exit_code)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('until = "2.34"', 'until = "2"', "hooks.until: expected major.minor, got '2'"),
        ('guards = "pages"\n', "", "flavor.secure: level and guards, or neither"),
        (
            '"malloc_hooks.c"',
            '"../own.c"',
            "hooks.source: expected name.c, got '../own.c'",
        ),
    ],
)
def test_malformed_malloc_hooks(
    edit: Edit, checkout: Path, old: str, new: str, complaint: str
) -> None:
    """No version of a C library, no file below `buildroot/`."""
    edit(old, new, "recipes/package.toml")
    with pytest.raises(RecipeError) as caught:
        load.package(checkout)

    assert complaint == caught.value.detail


# --- manifests -----------------------------------------------------------------------------------


def test_manifest_is_a_list_of_paths(checkout: Path, plan: Plan) -> None:
    """The file has one path per line."""
    file = load.manifest_files(checkout, plan)[0]
    file.parent.mkdir(exist_ok=True)
    file.write_text("/a\n/b\n")

    for other in load.manifest_files(checkout, plan)[1:]:
        other.write_text("")

    assert ("/a", "/b") == load.manifests(checkout, plan)[0]
    assert "2.0.6.txt" == file.name


def test_links_of_the_build_id_are_where_rpm_makes_them(project: Path, plan: Plan) -> None:
    """A manifest is for all dists; the oldest has an rpm that makes none."""
    newer = selection.plan(project, "2.0.6", "el8", "x86_64")
    old, new = (load.manifests(project, each)[0] for each in (plan, newer))

    assert old == new[3:]
    assert {"/usr/lib/.build-id"} == {path[:18] for path in new[:3]}


@pytest.mark.parametrize(
    ("arch", "flavor", "name"),
    [
        ("x86_64", "plain", "2.0.6.txt"),
        ("x86_64_v2", "plain", "2.0.6.txt"),
        ("aarch64", "plain", "2.0.6.txt"),
        ("x86_64", "secure", "2.0.6.secure.txt"),
        ("aarch64", "secure", "2.0.6.secure.txt"),
    ],
)
def test_machines_share_a_manifest_and_flavors_do_not(
    project: Path, arch: str, flavor: str, name: str
) -> None:
    """Paths are the same on every machine."""
    plan = selection.plan(project, "2.0.6", "el10", arch, flavor)

    assert project / "recipes" / "manifests" / name == load.manifest_files(project, plan)[0]


def test_every_package_has_a_manifest_and_no_manifest_is_unused(project: Path) -> None:
    """Every release for every dist in every flavor."""
    plans = selection.plans(project, Selection(version="all", dist="all", arch="all", flavor="all"))
    named = {file.name for plan in plans for file in load.manifest_files(project, plan)}

    assert named == {file.name for file in (project / "recipes" / "manifests").iterdir()}
    for plan in plans:
        own, *others = load.manifests(project, plan)
        assert own, plan.label
        for subpackage, paths in zip(plan.subpackages, others, strict=True):
            assert {file.path for file in subpackage.file} <= set(paths)


def test_flavors_can_be_installed_beside_each_other(project: Path) -> None:
    """They have no file in common; they may share folders."""
    for plan in selection.plans(project, Selection(version="all", dist="all", arch="x86_64")):
        beside = selection.plan(project, plan.recipe.version, plan.root.dist, plan.arch, "secure")
        plain, secure = (load.manifests(project, each)[0] for each in (plan, beside))
        folders = {
            str(above) for path in (*plain, *secure) for above in PurePosixPath(path).parents
        }
        files = set(plain) & set(secure) - folders

        # Their build-ids differ.
        assert set() == {path for path in files if "{build_id" not in path}, plan.label
        assert str(beside.library) in secure
        assert set(map(str, beside.links)) <= set(secure)


def test_missing_manifest_is_named(checkout: Path, plan: Plan) -> None:
    """The error has the file, and the command that writes it."""
    lone = release.recast(plan, version="9.9.9")
    with pytest.raises(PackagingError) as caught:
        load.manifests(checkout, lone)

    assert "no such manifest" == caught.value.what
    assert load.manifest_files(checkout, lone)[0] == caught.value.file
    command = "invoke manifest --write --version 9.9.9 --dist el7 --flavor plain"
    assert command == caught.value.hint


def test_a_profile_is_the_pinned_one(checkout: Path) -> None:
    """Another file, or none, stops a build: the packages would be others, or slower ones."""
    plan = selection.plan(checkout, "3.4.3", "el8", "x86_64")
    file = checkout / load.PROFILES / "3.4.3.profdata"

    assert file == load.profile_file(checkout, plan)

    for spoil in (lambda: file.write_bytes(file.read_bytes()[:-1]), file.unlink):
        spoil()
        with pytest.raises(RecipeError, match="not the profile that the recipe pins") as caught:
            load.profile_file(checkout, plan)
        assert (plan.profile, file) == (caught.value.expected, caught.value.file)
        assert "invoke profile --version 3.4.3" in caught.value.hint


def test_a_profile_is_for_a_compiler_that_reads_it(checkout: Path) -> None:
    """The host's gcc does not."""
    plan = selection.plans(checkout, Selection(version="3.4.3", toolchain="native"))[0]

    assert plan.recipe.profile
    assert ("", None) == (plan.profile, load.profile_file(checkout, plan))
