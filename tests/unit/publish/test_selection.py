"""`publish.shelf`: what names say, what is served, what is pruned, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.model.errors import RepositoryError
from pipeline.publish import selection
from pipeline.publish.key import Key
from pipeline.publish.selection import Item
from pipeline.publish.signature import Keyring

NAME = "mimalloc-custom"

Put = Callable[..., Path]


@pytest.fixture
def ring(key: Key, tmp_path: Path) -> Keyring:
    """A keyring; what it says is up to `verdict`."""
    return Keyring(key, tmp_path)


@pytest.fixture
def verdict(monkeypatch: pytest.MonkeyPatch) -> dict[Path, str]:
    """What the keyring has against a file; to be filled by a test."""
    said: dict[Path, str] = {}
    monkeypatch.setattr(Keyring, "complaint", lambda self, rpm: said.get(rpm, ""))
    monkeypatch.setattr(
        "pipeline.artifact.statement.vouches", lambda rpm: b"forged" not in rpm.read_bytes()
    )
    monkeypatch.setattr(selection, "content_of", lambda rpm: rpm.read_bytes().partition(b"|")[2])
    return said


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Puts a package file, `signature|content`, below a folder."""

    def make(top: str, name: str, folder: str = "el8/x86_64", text: str = "s|c") -> Path:
        file = tmp_path / top / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    return make


def named(version: str, release: int = 1, arch: str = "x86_64", name: str = NAME) -> str:
    """The file name of a package for el8."""
    return f"{name}-{version}-{release}.el8.{arch}.rpm"


def served(tmp_path: Path, ring: Keyring, keep: int = 0) -> dict[str, list[str]]:
    """The names on each shelf."""
    stock = selection.select(tmp_path / "dist", tmp_path / "served", ring, keep)
    return {f"{dist}/{kind}": [item.file.name for item in held]
            for (dist, kind), held in stock.items()}  # fmt: skip


def test_a_name_says_what_a_package_is() -> None:
    """Name, version, release, dist and architecture, and what follows from them."""
    file = Path("mimalloc-custom-secure-2.0.6-12.el10.x86_64_v2.rpm")

    item = selection.read(file)

    assert Item(file, "mimalloc-custom-secure", "2.0.6", 12, "el10", "x86_64_v2") == item
    assert ("v2", "x86_64_v2") == (item.line, item.shelf)
    assert "source" == selection.read(Path(named("2.0.6", arch="src"))).shelf


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
def test_a_name_of_another_kind_is_refused(name: str) -> None:
    """It would be served as something that it is not."""
    with pytest.raises(RepositoryError, match="not that of a package"):
        selection.read(Path(name))


def test_versions_are_numbers(ring: Keyring, verdict: object, put: Put, tmp_path: Path) -> None:
    """2.0.10 is newer than 2.0.9, and release 10 than release 9."""
    for version, release in (("2.0.9", 1), ("2.0.10", 9), ("2.0.10", 10)):
        put("dist", named(version, release))

    assert [named("2.0.10", 10), named("2.0.10", 9), named("2.0.9")] == served(tmp_path, ring)[
        "el8/x86_64"
    ]


def test_what_was_served_stays_and_is_pruned_by_name(
    ring: Keyring, verdict: object, put: Put, tmp_path: Path
) -> None:
    """Two packages do not count against each other, nor do machines and sources."""
    old = [named("2.0.6"), named("2.0.6", name=f"{NAME}-secure")]
    for name in old:
        put("served", name)
    put("served", named("2.0.6", arch="src"), "el8/source")
    put("dist", named("2.0.9"))

    everything, newest = served(tmp_path, ring), served(tmp_path, ring, keep=1)

    assert {named("2.0.9"), *old} == set(everything["el8/x86_64"])
    assert {named("2.0.9"), old[1]} == set(newest["el8/x86_64"])
    assert [named("2.0.6", arch="src")] == newest["el8/source"]


def test_what_suits_every_machine_is_with_each(
    ring: Keyring, verdict: object, put: Put, tmp_path: Path
) -> None:
    """But not among the sources."""
    put("dist", named("2.0.6"))
    put("dist", named("2.0.6", arch="aarch64"), "el8/aarch64")
    put("dist", named("2.0.6", arch="src"), "el8/source")
    put("dist", named("2.0.6", arch="noarch", name=f"{NAME}-nginx"), "el8/noarch")

    found = served(tmp_path, ring)

    assert {"el8/x86_64", "el8/aarch64", "el8/source"} == set(found)
    for kind, count in (("x86_64", 2), ("aarch64", 2), ("source", 1)):
        assert count == len(found[f"el8/{kind}"])


def test_the_served_file_is_kept_where_only_the_signature_differs(
    ring: Keyring, verdict: dict[Path, str], put: Put, tmp_path: Path
) -> None:
    """Nobody's copy is made to differ; unless the old signature is no good."""
    old = put("served", named("2.0.6"), text="old|c")
    new = put("dist", named("2.0.6"), text="new|c")

    def chosen() -> Path:
        stock = selection.select(tmp_path / "dist", tmp_path / "served", ring, 0)
        return stock["el8", "x86_64"][0].file

    assert old == chosen()
    verdict[old] = "another key"
    assert new == chosen()


def test_another_content_is_refused(
    ring: Keyring, verdict: object, put: Put, tmp_path: Path
) -> None:
    """A package that is served never changes; a new one has a higher release."""
    put("served", named("2.0.6"))
    put("dist", named("2.0.6"), text="s|other")

    with pytest.raises(RepositoryError) as caught:
        served(tmp_path, ring)

    assert "served already, with another content" in caught.value.detail


def test_every_complaint_comes_at_once(
    ring: Keyring, verdict: dict[Path, str], put: Put, tmp_path: Path
) -> None:
    """Unsigned, forged, and served with a key that is no longer ours; pruned ones are no matter."""
    verdict[put("dist", named("2.0.6"))] = "not signed"
    put("dist", named("2.0.9"), text="forged|c")
    verdict[put("served", named("2.1.7"))] = "NOKEY"

    with pytest.raises(RepositoryError) as caught:
        served(tmp_path, ring)

    assert {
        f"{named('2.0.6')}: not signed",
        f"{named('2.0.9')}: not the file that its provenance names",
        f"{named('2.1.7')}: NOKEY",
    } == set(caught.value.detail.splitlines())
    put("dist", named("2.4.1"))
    assert [named("2.4.1")] == served(tmp_path, ring, keep=1)["el8/x86_64"]
