"""Signed lists of checksums: they spare verifying what is served, and hide no change of it."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifact import statement
from pipeline.model.errors import RepositoryError
from pipeline.system import process
from pipeline.system.checksum import sha256_of
from tests.build.life import NAME, NEW, NGINX, OLD, Life, state
from tests.build.publisher import FOREIGN, OWN

Change = Callable[[Life, Path], None]


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the packages that rpmkeys has verified; runs fill it."""
    names: list[str] = []
    attempt = process.attempt

    def record(argv: Sequence[str | Path], **options: Any) -> tuple[int, str, str]:
        if argv[0] == "rpmkeys":
            names.extend(file.name for file in map(Path, argv) if file.suffix == ".rpm")
        return attempt(argv, **options)

    monkeypatch.setattr(process, "attempt", record)
    return names


def packages(version: str) -> list[str]:
    """The names of the packages of a release."""
    return [f"{NAME}-{version}-1.el8.x86_64.rpm", f"{NGINX}-{version}-1.el8.noarch.rpm"]


def test_what_a_signed_list_names_is_not_verified_again(life: Life, verified: list[str]) -> None:
    """With nothing to do rpmkeys verifies nothing, else what is new; in `dist` or not."""
    life.add(OLD)
    life.serve()
    assert packages(OLD) == sorted(verified)
    verified.clear()

    life.serve()
    assert [] == verified
    life.add(NEW)
    life.serve()
    assert packages(NEW) == sorted(verified)
    verified.clear()
    shutil.rmtree(life.publisher.checkout / "dist")
    life.serve(second=FOREIGN)

    assert [] == verified


def test_a_list_of_another_key_vouches_for_nothing(life: Life, verified: list[str]) -> None:
    """The packages are verified, and good; so they are where there is no list."""
    life.add(OLD)
    life.serve()
    (listing,) = life.publisher.served.glob("*/*/SHA256SUMS")
    changes: list[Callable[[], object]] = [
        lambda: life.publisher.sign_file(listing, FOREIGN),
        listing.with_name("SHA256SUMS.asc").unlink,
        listing.unlink,
    ]
    for change in changes:
        change()
        verified.clear()

        life.serve()

        assert packages(OLD) == sorted(verified)


def _alter(life: Life, rpm: Path) -> None:
    content = rpm.read_bytes()
    rpm.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def _alter_with_statement(life: Life, rpm: Path) -> None:
    _alter(life, rpm)
    state(rpm)


def _alter_bill(life: Life, rpm: Path) -> None:
    statement.accompanying_files(rpm)[1].write_text("{ }")


def _replace(life: Life, rpm: Path) -> None:
    shutil.copyfile(rpm.with_name(packages(OLD)[0]), rpm)


def _replace_with_statement(life: Life, rpm: Path) -> None:
    _replace(life, rpm)
    state(rpm)


def _sign_with_another(life: Life, rpm: Path) -> None:
    life.publisher.sign_by_hand(rpm, FOREIGN)
    state(rpm)


FORGERIES: dict[Change, str] = {
    _alter: "not the file that its provenance names",
    _alter_with_statement: "BAD",
    _alter_bill: "not the file that its provenance names",
    _replace: "not the file that its provenance names",
    _replace_with_statement: f"its header says {packages(OLD)[0]}",
    _sign_with_another: "NOKEY",
}


def _relist(life: Life, listing: Path) -> None:
    names = [line.split()[1] for line in listing.read_text().splitlines()]
    sums = [f"{sha256_of(listing.with_name(name))}  {name}\n" for name in names]
    listing.write_text("".join(sums))


def _relist_by_another(life: Life, listing: Path) -> None:
    _relist(life, listing)
    life.publisher.sign_file(listing, FOREIGN)


def _relist_beside_a_message(life: Life, listing: Path) -> None:
    """A message that the key has signed, in place of a signature of the list."""
    _relist(life, listing)
    message, target = life.work / "message", f"{listing}.asc"
    message.write_text("signed, but no list\n")
    options = ["--yes", "--armor", "-u", f"{OWN}@example.invalid", "--output", target]
    life.publisher.gpg(*options, "--sign", message)


@pytest.mark.parametrize(
    ("forge", "relist"),
    [
        *((forge, _relist) for forge in FORGERIES),
        (_alter_with_statement, lambda *_: None),
        (_alter_with_statement, _relist_by_another),
        (_alter_with_statement, _relist_beside_a_message),
    ],
)
def test_a_changed_file_is_found_whatever_its_list_says(
    life: Life, forge: Change, relist: Change
) -> None:
    """A served file that was altered, replaced, or signed by another; nothing is served anew."""
    for version in (OLD, NEW):
        life.add(version)
    life.serve()
    shutil.rmtree(life.publisher.checkout / "dist")
    (rpm,) = life.publisher.served.glob(f"*/*/{packages(NEW)[0]}")
    forge(life, rpm)
    relist(life, rpm.with_name("SHA256SUMS"))
    tree = life.publisher.served.resolve()

    with pytest.raises(RepositoryError) as caught:
        life.serve()

    assert rpm.name in caught.value.detail
    assert FORGERIES[forge] in caught.value.detail
    assert tree == life.publisher.served.resolve()
