"""The statement beside a package: which file it is about, and whether that is there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifact import signed_content
from pipeline.artifact.provenance import PREDICATE, STATEMENT, descriptor
from pipeline.model.errors import CheckError
from pipeline.system.checksum import sha256_of
from pipeline.system.workspace import place, place_text

_PROVENANCE, _BILL = ".provenance.json", ".cdx.json"


def beside(rpm: Path) -> tuple[Path, Path]:
    """What accounts for a package: what it was made from, and its bill of materials."""
    stem = rpm.name.removesuffix(".rpm")
    return rpm.with_name(stem + _PROVENANCE), rpm.with_name(stem + _BILL)


def vouches(rpm: Path) -> bool:
    """Whether a package is the file that its statement names, with its bill of materials."""
    statement = _statement(rpm)
    return statement is not None and _agree(statement, rpm)


def resign(rpm: Path, signed: Path, signer: str) -> None:
    """Put a signed file in a package's place, and make its statement one about the signed file.

    ``signer`` is the key's fingerprint. The checksum that the package was built with stays in the
    statement. Whoever is stopped in between leaves the new statement beside the old one, and
    ``settle`` finds which of the two the package is for.
    """
    statement = json.loads(beside(rpm)[0].read_text(encoding="utf-8"))
    place_text(text(resigned(statement, rpm, sha256_of(signed), signer)), _upcoming(rpm))
    place(signed, rpm)
    _upcoming(rpm).replace(beside(rpm)[0])


def resigned(statement: dict[str, Any], rpm: Path, sha256: str, signer: str) -> dict[str, Any]:
    """A statement about a package, made one about the signed file."""
    (before,) = statement["subject"]
    statement["subject"] = [descriptor(rpm.name, sha256, annotations={"signer": signer})]
    if "annotations" not in before:
        byproducts = statement["predicate"]["runDetails"]["byproducts"]
        byproducts.append({**before, "annotations": {"state": "as built, not signed"}})
    return statement


def settle(rpm: Path) -> None:
    """End a signing of a package that was stopped, if it was: forwards, else backwards."""
    upcoming = _upcoming(rpm)
    if not upcoming.exists():
        return
    statement = _statement(rpm, upcoming)
    if statement is not None and _agree(statement, rpm):
        upcoming.replace(beside(rpm)[0])
    else:
        upcoming.unlink()


def _upcoming(rpm: Path) -> Path:
    """The statement of a signed file that is about to take the package's place."""
    statement = beside(rpm)[0]
    return statement.with_name(f".{statement.name}.next")


def signer(signed: Path, made: Path) -> str:
    """Whose signature the package in ``dist/`` has, if it has one, and is what was made otherwise.

    Empty where it is another package, or is not the file that its statement names.
    """
    statement = _statement(signed)
    if statement is None or not signed.is_file() or sha256_of(signed) != _sum(statement):
        return ""
    try:
        signer = statement["subject"][0]["annotations"]["signer"]
        same = signed_content.signed(signed) == signed_content.signed(made)
    except (KeyError, TypeError, CheckError):
        return ""
    return str(signer) if same else ""


def text(statement: Mapping[str, Any]) -> str:
    """A statement as it is written."""
    return json.dumps(statement, indent=2) + "\n"


def _statement(rpm: Path, file: Path | None = None) -> Mapping[str, Any] | None:
    """The statement beside a package, where it can be read and has what we look for in it."""
    file = file or beside(rpm)[0]
    try:
        if not file.is_file():  # a pipe would be waited at
            return None
        statement = json.loads(file.read_text(encoding="utf-8"))
        _key(statement), _sum(statement), _bill_sum(statement)
        (subject,) = statement["subject"]
        is_ours = (statement["_type"], statement["predicateType"]) == (STATEMENT, PREDICATE)
        if not is_ours or subject["name"] != rpm.name:
            return None
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    return dict(statement)


def accounted(rpm: Path, key: str) -> bool:
    """Whether a package is whole, and its statement has this key."""
    statement = _statement(rpm)
    return statement is not None and _key(statement) == key and _agree(statement, rpm)


def _agree(statement: Mapping[str, Any], rpm: Path) -> bool:
    files = (rpm, beside(rpm)[1])
    if not all(file.is_file() for file in files):
        return False
    sums = tuple(sha256_of(file) for file in files)
    return sums == (_sum(statement), _bill_sum(statement))


def _key(statement: Mapping[str, Any]) -> str:
    return str(statement["predicate"]["buildDefinition"]["internalParameters"]["key"])


def _sum(statement: Mapping[str, Any]) -> str:
    return str(statement["subject"][0]["digest"]["sha256"])


def _bill_sum(statement: Mapping[str, Any]) -> str:
    return str(statement["predicate"]["runDetails"]["byproducts"][0]["digest"]["sha256"])
