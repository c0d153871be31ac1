"""What the user selects, as plans."""

import platform
from collections import Counter
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from pipeline.build import selection
from pipeline.config import load
from pipeline.model import Selection
from pipeline.model.errors import PackagingError, RecipeError, RequestError
from pipeline.sources import user
from tests.unit import release
from tests.unit.conftest import PROJECT


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host has the architecture that every build root knows."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


def test_an_empty_selection_is_the_default(project: Path) -> None:
    """One package: the default release for the default dist."""
    default = load.package(project).default
    plans = selection.plans(project, Selection())

    assert [f"{default.version} {default.dist} x86_64"] == [plan.label for plan in plans]
    assert "zig" == plans[0].compiler.name


def test_lists_are_multiplied(project: Path) -> None:
    """Each release for each dist, each once, in the order of the selection."""
    plans = selection.plans(project, Selection(version="2.0.9, 2.0.6,2.0.9", dist="el8,el7"))

    assert ["2.0.9 el8", "2.0.9 el7", "2.0.6 el8", "2.0.6 el7"] == [
        f"{plan.recipe.version} {plan.root.dist}" for plan in plans
    ]


def test_a_file_is_read_once(project: Path, mocker: MockerFixture) -> None:
    """However many plans need it; build roots are validated with processors, each with its own."""
    read = mocker.spy(Path, "read_text")

    selection.plans(project, selection.ALL)

    files = Counter(call.args[0] for call in read.call_args_list)
    counts = {count for file, count in files.items() if file.parent.name != "processors"}
    assert {1} == counts


def test_all_is_all_there_is(project: Path) -> None:
    """`all` stands for every recipe, every build root, every architecture of it."""
    plans = selection.plans(project, Selection(version="all", dist="all", arch="all"))

    expected = [
        (version, dist, arch)
        for version in load.versions(project)
        for dist in load.dists(project)
        for arch in load.build_root(project, dist).machine
    ]
    assert sorted(expected) == sorted(
        (plan.recipe.version, plan.root.dist, plan.arch) for plan in plans
    )
    assert {"plain"} == {plan.variant for plan in plans}


@pytest.mark.parametrize(
    ("flavor", "variants"),
    [
        ("", ["plain"]),
        ("plain", ["plain"]),
        ("secure", ["secure"]),
        ("secure, plain,secure", ["secure", "plain"]),
        ("all", ["plain", "secure"]),
    ],
)
def test_flavors_are_selected(project: Path, flavor: str, variants: list[str]) -> None:
    """Plain by default; lists and `all` as elsewhere."""
    plans = selection.plans(project, Selection(flavor=flavor))

    assert variants == [plan.variant for plan in plans]
    suffixes = [plan.package.flavor[plan.variant].suffix for plan in plans]
    assert suffixes == [plan.flavor.suffix for plan in plans]


def test_a_change_of_an_unknown_flavor_is_refused(checkout: Path) -> None:
    """Whichever flavor is selected: nobody would get what the recipe says."""
    file = checkout / "recipes" / "2.0.6.toml"
    file.write_text(file.read_text().replace("[flavor.secure]", "[flavor.secur]"))

    with pytest.raises(RecipeError, match=r"\[flavor.secur\] changes") as caught:
        selection.plans(checkout, Selection(version="2.0.6"))
    assert ("one of plain, secure", "secur") == (caught.value.expected, caught.value.got)
    assert file == caught.value.file


def _having(*arches: str) -> list[str]:
    """The machines of all dists with these architectures."""
    machines = {dist: load.build_root(PROJECT, dist).machine for dist in load.dists(PROJECT)}
    return [f"{dist} {arch}" for dist in machines for arch in arches if arch in machines[dist]]


@pytest.mark.parametrize(
    ("dist", "arch", "machines"),
    [
        ("all", "x86_64_v2", _having("x86_64_v2")),
        ("all", "aarch64", _having("aarch64")),
        ("all", "", _having("x86_64")),
        ("el10", "all", ["el10 aarch64", "el10 x86_64", "el10 x86_64_v2"]),
        ("el9", "all", ["el9 aarch64", "el9 x86_64"]),
        (
            "el9,el10",
            "aarch64,x86_64",
            ["el9 aarch64", "el9 x86_64", "el10 aarch64", "el10 x86_64"],
        ),
        ("all", "x86_64_v2,x86_64", _having("x86_64_v2", "x86_64")),
    ],
)
def test_an_architecture_of_all_dists_is_that_of_those_that_have_it(
    project: Path, dist: str, arch: str, machines: list[str]
) -> None:
    """Of `all` dists, those are selected that have the architecture."""
    plans = selection.plans(project, Selection(dist=dist, arch=arch))
    selected = [f"{plan.root.dist} {plan.arch}" for plan in plans]

    assert machines == (sorted(selected) if arch == "all" else selected)


@pytest.mark.parametrize("dist", ["el7", "el9", "el10,el8"])
def test_an_architecture_that_a_named_dist_lacks_is_refused(project: Path, dist: str) -> None:
    """The message has those that it has."""
    with pytest.raises(RequestError) as caught:
        selection.plans(project, Selection(dist=dist, arch="x86_64_v2"))

    assert caught.value.what.startswith("unknown arch x86_64_v2; did you mean x86_64")
    assert "one of x86_64, aarch64" == caught.value.expected


def test_a_host_that_no_dist_runs_on(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own architecture is the default, and can be none that there is."""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(RequestError, match="unknown arch riscv64"):
        selection.plans(project, Selection(dist="all"))

    aarch64 = selection.plans(project, Selection(dist="all", arch="aarch64"))
    assert len(_having("aarch64")) == len(aarch64)


def test_a_plan_has_processor_and_level(project: Path) -> None:
    """An architecture may be a level of a processor of another name."""
    (plan,) = selection.plans(project, Selection(dist="el10", arch="x86_64_v2"))

    assert ("x86_64", "x86-64-v2") == (plan.processor.name, plan.machine.isa)
    assert plan.processor.level["x86-64-v2"] is plan.isa


def test_native_toolchain_builds_for_every_level_of_this_machine(project: Path) -> None:
    """Whatever the architecture is called."""
    plan = selection.plans(project, Selection("3.4.3", "el10", "x86_64_v2", toolchain="native"))[0]

    assert "" == plan.target
    with pytest.raises(RequestError) as caught:
        selection.plans(project, Selection("3.4.3", "el10", "aarch64", toolchain="native"))[0]
    assert ("x86_64", "aarch64") == (caught.value.expected, caught.value.got)


@pytest.mark.parametrize(
    ("names", "what"),
    [
        ({"version": "2.0.66"}, "unknown version 2.0.66; did you mean 2.0.6"),
        ({"version": "2.0.6,"}, "unknown version "),
        ({"version": "$(id)"}, "unknown version $(id)"),
        ({"dist": "el5"}, "unknown dist el5; did you mean el"),
        ({"arch": "x86-64"}, "unknown arch x86-64; did you mean x86_64"),
        ({"arch": "x86_64_v22", "dist": "el10"}, "unknown arch x86_64_v22; did you mean x86_64_v2"),
        ({"flavor": "secur"}, "unknown flavor secur; did you mean secure"),
        ({"flavor": "plain,fast"}, "unknown flavor fast"),
        ({"flavor": "sec ure"}, "unknown flavor sec ure; did you mean secure"),
    ],
)
def test_unknown_name(project: Path, names: dict[str, str], what: str) -> None:
    """An unknown name is an error before anything is done."""
    with pytest.raises(RequestError) as caught:
        selection.plans(project, Selection(**names))

    assert caught.value.what.startswith(what)
    assert ("invoke list", 2) == (caught.value.hint, caught.value.exit_code)


def test_unknown_name_of_what_no_list_shows(project: Path) -> None:
    """The message has all names itself."""
    with pytest.raises(RequestError, match="unknown toolchain zigg; did you mean zig") as caught:
        selection.plans(project, Selection(toolchain="zigg"))

    assert ("one of native, zig", "") == (caught.value.expected, caught.value.hint)


def test_latest_is_the_newest_release(project: Path) -> None:
    """Alone or in a list, and only of versions."""
    versions = load.versions(project)
    plans = selection.plans(project, Selection(f"{versions[0]},latest"))

    assert [versions[0], versions[-1]] == [plan.recipe.version for plan in plans]
    with pytest.raises(RequestError, match="unknown dist latest"):
        selection.plans(project, Selection(dist="latest"))


def test_native_toolchain_builds_for_this_machine_only(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's compiler has no other target."""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(RequestError) as caught:
        selection.plans(project, Selection("2.0.6", "el7", "x86_64", toolchain="native"))[0]

    assert ("riscv64", "x86_64") == (caught.value.expected, caught.value.got)
    assert "leave out --toolchain" == caught.value.hint


def test_source_is_of_one_release(project: Path, tmp_path: Path) -> None:
    """One source cannot be two releases."""
    with pytest.raises(RequestError) as caught:
        selection.plans(project, Selection(version="2.0.6,2.0.9", source=str(tmp_path)))

    assert "2.0.6, 2.0.9" == caught.value.got


def test_source_goes_into_every_plan(project: Path, tmp_path: Path, mocker: MockerFixture) -> None:
    """One source may be packaged for several dists; it is examined once."""
    release.unfold(tmp_path)
    examine = mocker.spy(user, "user_source")
    plans = selection.plans(
        project, Selection(version="2.0.6", dist="el7,el8", source=str(tmp_path))
    )

    assert [str(tmp_path)] * 2 == [plan.user_source.location for plan in plans if plan.user_source]
    assert 1 == examine.call_count


def test_source_that_is_not_there(project: Path, tmp_path: Path) -> None:
    """The message has the path, and what it may be."""
    with pytest.raises(RequestError) as caught:
        selection.plans(project, Selection(version="2.0.6", source=str(tmp_path / "nowhere")))

    assert str(tmp_path / "nowhere") == caught.value.got
    assert "a tarball, a folder, a repository or a URL" == caught.value.expected


@pytest.mark.parametrize("source", ["~no-such-user/mimalloc.tar.gz", "forbidden"])
def test_source_that_cannot_be_read(
    project: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """Neither an unknown home folder nor a forbidden file ends in a traceback."""

    def refuse(self: Path) -> bool:
        if self.name == "forbidden":
            raise PermissionError(13, "Permission denied", str(self))
        return True

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(PackagingError) as caught:
        selection.plans(project, Selection(version="2.0.6", source=source))

    assert source in str(caught.value)


def test_toolchain_without_the_instruction_set(checkout: Path) -> None:
    """A build root whose level the compiler has no flags for is an error before compiling."""
    file = checkout / "buildroot" / "toolchains" / "zig.toml"
    file.write_text(file.read_text().replace("\nx86-64 =", "\nx86-63 ="))
    with pytest.raises(RecipeError) as caught:
        selection.plan(checkout, "2.0.6", "el7", "x86_64")

    assert "x86-64 in [isa]" == caught.value.expected
    assert file == caught.value.file


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        (("mimalloc-custom", "2.0.6", "1.el7", "aarch64"), "2.0.6 el7 aarch64"),
        (("mimalloc-custom-secure", "3.4.3", "1.el9", "x86_64"), "3.4.3 el9 x86_64 secure"),
        (("mimalloc-custom-nginx", "3.4.3", "1.el8", "noarch"), "3.4.3 el8 x86_64"),
    ],
)
def test_a_package_has_its_plan(project: Path, fields: tuple[str, ...], label: str) -> None:
    """By the fields of its header; a sub-package has that of this host's architecture."""
    assert label == selection.by_nevra(project, *fields).label


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        (("mimalloc-custom", "2.0.6", "99.el7", "x86_64"), "no recipe makes this package"),
        (("mimalloc-custom", "2.0.6", "1.el7", "noarch"), "no recipe makes this package"),
        (("mimalloc", "2.0.6", "1.el7", "x86_64"), "no recipe makes this package"),
        (("mimalloc-custom", "2.0.66", "1.el7", "x86_64"), "unknown version 2.0.66"),
        (("mimalloc-custom", "2.0.6", "1.el5", "x86_64"), "unknown dist el5"),
        (("mimalloc-custom", "all", "1.all", "all"), "no recipe makes this package"),
        (("", "", "", ""), "unknown version"),
    ],
)
def test_a_package_of_no_recipe(project: Path, fields: tuple[str, ...], what: str) -> None:
    """The name, the version, the release number, the dist or the architecture is another."""
    with pytest.raises(RequestError) as caught:
        selection.by_nevra(project, *fields)

    assert what in caught.value.what


def test_a_single_plan(project: Path) -> None:
    """Several are an error that lists them."""
    assert "2.0.6 el7 x86_64" == selection.single(project, Selection("2.0.6", "el7"), "no").label
    with pytest.raises(RequestError, match="one library") as caught:
        selection.single(project, Selection("2.0.6", "el7,el8"), "one library")

    assert "2.0.6 el7 x86_64, 2.0.6 el8 x86_64" == caught.value.got
