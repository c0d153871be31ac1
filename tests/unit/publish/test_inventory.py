"""`publish.inventory`: which packages are served, which are pruned, which are refused."""

from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from pipeline.artifact import statement
from pipeline.model.errors import RepositoryError
from pipeline.publish import inventory
from pipeline.publish.inventory import Inventory, Item
from pipeline.publish.key import Key

NAME = "mimalloc-custom"

Put = Callable[..., Path]
Select = Callable[..., Inventory]
Choose = Callable[..., tuple[Inventory, list[str]]]


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> dict[Path, str]:
    """The complaints of rpmkeys about files; filled by a test."""
    complaints: dict[Path, str] = {}
    monkeypatch.setattr(Key, "complaint", lambda self, rpm: complaints.get(rpm, ""))
    monkeypatch.setattr(
        Key, "verified", lambda self, rpms: {rpm for rpm in rpms if rpm not in complaints}
    )
    monkeypatch.setattr(statement, "matches", lambda rpm: b"forged" not in rpm.read_bytes())
    monkeypatch.setattr(
        statement, "signed_content", lambda rpm: rpm.read_bytes().partition(b"|")[2]
    )
    return complaints


@pytest.fixture
def choose(complaints: object, key: Key, tmp_path: Path) -> Choose:
    """Selects packages from the folders `dist` and `served`; `-nginx` requires its release."""

    def run(keep: int = 0, intact: Collection[Path] = ()) -> tuple[Inventory, list[str]]:
        finished, served = (inventory.files(tmp_path / top) for top in ("dist", "served"))
        names = [*finished, *served]
        requires = {
            name: frozenset({inventory.read(Path(name)).evr.replace("-nginx", "")})
            if "-nginx" in name
            else frozenset()
            for name in names
        }
        return inventory.select(finished, served, requires, key, keep, intact)

    return run


@pytest.fixture
def select(choose: Choose) -> Select:
    """The packages alone."""
    return lambda keep=0: choose(keep)[0]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes a package file, `signature|content`."""

    def write(top: str, name: str, folder: str = "el8/x86_64", text: str = "s|c") -> Path:
        file = tmp_path / top / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    return write


def named(version: str, release: int = 1, arch: str = "x86_64", name: str = NAME) -> str:
    """The file name of a package for el8."""
    return f"{name}-{version}-{release}.el8.{arch}.rpm"


def names(packages: Inventory, folder: str = "x86_64") -> list[str]:
    """The names of the files that are selected for a folder of el8."""
    return [item.file.name for item in packages["el8", folder]]


def test_the_parts_of_a_file_name() -> None:
    """Name, version, release, dist and architecture, and what follows from them."""
    file = Path("mimalloc-custom-secure-2.0.6-12.el10.x86_64_v2.rpm")

    item = inventory.read(file)

    assert Item(file, "mimalloc-custom-secure", "2.0.6", 12, "el10", "x86_64_v2") == item
    assert "x86_64_v2" == item.folder
    assert "source" == inventory.read(Path(named("2.0.6", arch="src"))).folder


@pytest.mark.parametrize(
    "name",
    [
        "mimalloc-custom.rpm",
        "mimalloc-custom-2.0.6.el8.x86_64.rpm",
        "mimalloc-custom-2.0.6-1.x86_64.rpm",
        "mimalloc-custom-2.0_6-1.el8.x86_64.rpm",
        "mimalloc-custom-2.0.6-1.el8.x86_64.RPM",
    ],
)
def test_another_file_name_is_refused(name: str) -> None:
    """It would be served as another package than it is."""
    with pytest.raises(RepositoryError, match="not that of a package"):
        inventory.read(Path(name))


def test_versions_and_releases_are_numbers(select: Select, put: Put) -> None:
    """2.0.10 is newer than 2.0.9, and release 10 than release 9."""
    for version, release in (("2.0.9", 1), ("2.0.10", 9), ("2.0.10", 10)):
        put("dist", named(version, release))

    assert [named("2.0.10", 10), named("2.0.10", 9), named("2.0.9")] == names(select())


def test_served_packages_stay_and_are_pruned_by_name(select: Select, put: Put) -> None:
    """Versions are counted per package, and for each architecture and the sources separately."""
    old = [named("2.0.6"), named("2.0.6", name=f"{NAME}-secure")]
    for name in old:
        put("served", name)
    put("served", named("2.0.6", arch="src"), "el8/source")
    put("dist", named("2.0.9"))

    pruned = select(keep=1)

    assert {named("2.0.9"), *old} == set(names(select()))
    assert {named("2.0.9"), old[1]} == set(names(pruned))
    assert [named("2.0.6", arch="src")] == names(pruned, "source")


def test_a_noarch_package_is_in_the_folder_of_each_architecture(select: Select, put: Put) -> None:
    """But neither among the sources nor with debug information."""
    put("dist", named("2.0.6"))
    put("dist", named("2.0.6", arch="aarch64"), "el8/aarch64")
    put("dist", named("2.0.6", arch="src"), "el8/source")
    put("dist", named("2.0.6", arch="noarch", name=f"{NAME}-nginx"), "el8/noarch")
    put("dist", named("2.0.6", name=f"{NAME}-debuginfo"), "el8/x86_64-debug")

    packages = select()

    assert {"x86_64": 2, "x86_64-debug": 1, "aarch64": 2, "source": 1} == {
        folder: len(items) for (_, folder), items in packages.items()
    }
    assert {"el8"} == {dist for dist, _ in packages}


def nginx(version: str, release: int = 1) -> str:
    """The file name of a package of no architecture that requires this release."""
    return named(version, release, arch="noarch", name=f"{NAME}-nginx")


def test_each_folder_is_closed(choose: Choose, put: Put) -> None:
    """A release that was built for one architecture: the other has no package of it, and says so.

    Of a pruned repository each architecture keeps the newest that can be installed there.
    """
    for release in (1, 2):
        put("dist", named("2.0.6", release))
        put("dist", nginx("2.0.6", release))
    put("served", named("2.0.6", arch="aarch64"), "el8/aarch64")

    for keep, x86_64 in ((0, [2, 2, 1, 1]), (1, [2, 2])):
        packages, left_out = choose(keep)

        assert [f"el8/aarch64: {nginx('2.0.6', 2)}"] == left_out
        assert [nginx("2.0.6"), named("2.0.6", arch="aarch64")] == names(packages, "aarch64")
        assert x86_64 == [item.release for item in packages["el8", "x86_64"]]


def test_what_requires_a_pruned_package_goes_with_it(choose: Choose, put: Put) -> None:
    """The newest of its name is not the newest release any more."""
    put("dist", named("2.0.6", 2))
    put("served", named("2.0.6", 1))
    put("served", nginx("2.0.6", 1))

    assert ({("el8", "x86_64"): [named("2.0.6", 2)]}, []) == (
        {folder: names(choose(1)[0]) for folder in choose(1)[0]},
        choose(1)[1],
    )


def test_each_release_line_is_pruned_by_itself(select: Select, put: Put) -> None:
    """Who follows 2.x would find nothing else."""
    for version in ("2.0.6", "2.4.1", "3.4.3"):
        put("dist", named(version))

    assert [named("3.4.3"), named("2.4.1")] == names(select(keep=1))


def test_the_order_is_that_of_versions_and_names(select: Select, put: Put) -> None:
    """Wherever the files are: the same packages are the same repository."""
    put("dist", named("2.0.6", arch="noarch", name=f"{NAME}-nginx"))
    put("dist", named("2.0.6"))
    before = names(select())
    put("served", named("2.0.6", arch="noarch", name=f"{NAME}-nginx"), "el8/aarch64")

    assert before == names(select())


def test_the_served_file_stays_if_only_the_signature_differs(
    select: Select, complaints: dict[Path, str], put: Put
) -> None:
    """So all copies are the same; unless the signature of the served file does not verify."""
    served = put("served", named("2.0.6"), text="old|c")
    finished = put("dist", named("2.0.6"), text="new|c")

    assert served == select()["el8", "x86_64"][0].file
    complaints[served] = "another key"
    assert finished == select()["el8", "x86_64"][0].file


def test_what_is_intact_is_not_verified_again(
    choose: Choose, complaints: dict[Path, str], put: Put
) -> None:
    """Neither its signature nor its statement; the package in `dist` is held to it all the same."""
    served = put("served", named("2.0.6"), text="forged|c")
    complaints[served] = "NOKEY"

    packages, _ = choose(intact={served})

    assert served == packages["el8", "x86_64"][0].file
    put("dist", named("2.0.6"), text="s|other")
    with pytest.raises(RepositoryError) as caught:
        choose(intact={served})
    assert "served already, with another content" in caught.value.detail


def test_another_content_is_refused(select: Select, put: Put) -> None:
    """A package that is served never changes; a new one has a higher release."""
    put("served", named("2.0.6"))
    put("dist", named("2.0.6"), text="s|other")

    with pytest.raises(RepositoryError) as caught:
        select()

    assert "served already, with another content" in caught.value.detail


def test_all_complaints_come_at_once(select: Select, complaints: dict[Path, str], put: Put) -> None:
    """Unsigned, forged, or served with another key; a pruned package is not checked."""
    complaints[put("dist", named("2.0.6"))] = "not signed"
    put("dist", named("2.0.9"), text="forged|c")
    complaints[put("served", named("2.1.7"))] = "NOKEY"

    with pytest.raises(RepositoryError) as caught:
        select()

    assert {
        f"{named('2.0.6')}: not signed",
        f"{named('2.0.9')}: not the file that its provenance names",
        f"{named('2.1.7')}: NOKEY",
    } == set(caught.value.detail.splitlines())
    put("dist", named("2.4.1"))
    assert [named("2.4.1")] == names(select(keep=1))
