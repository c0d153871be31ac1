"""The statement beside a package: whether the package matches it, and how signing changes it."""

import json
import struct
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.artifact.provenance import PREDICATE, STATEMENT, descriptor
from pipeline.model.errors import CheckError
from pipeline.system.checksum import sha256_of
from pipeline.system.workspace import place, place_text

# The lead of an RPM file, then headers: a magic number, four bytes, the number of entries, the
# bytes of their values. Source: rpm's documentation of the package format, version 4.
_LEAD, _INTRO, _ENTRY, _PADDING = 96, struct.Struct(">4s4xII"), 16, 8
_MAGIC = b"\x8e\xad\xe8\x01"


class _Fields(NamedTuple):
    """What a statement says: the key, the checksums of package and bill, the signing key if any."""

    key: object
    sha256: object
    bill_sha256: object
    signer: str


def accompanying_files(rpm: Path) -> tuple[Path, Path]:
    """The files beside a package: its statement, and its bill of materials."""
    stem = rpm.name.removesuffix(".rpm")
    return rpm.with_name(f"{stem}.provenance.json"), rpm.with_name(f"{stem}.cdx.json")


def matches(rpm: Path, *, key: str | None = None, statement: Path | None = None) -> bool:
    """Whether a package and its bill are the files that its statement names.

    With ``key``: and whether the package was made with this key. ``statement`` is its file, if it
    is not the one beside the package.
    """
    file, bill = accompanying_files(rpm)
    fields = _read(rpm, statement or file)
    if fields is None or key not in (None, fields.key) or not (rpm.is_file() and bill.is_file()):
        return False
    return (sha256_of(rpm), sha256_of(bill)) == (fields.sha256, fields.bill_sha256)


def _read(rpm: Path, statement: Path) -> _Fields | None:
    """The fields of a statement about a package; None if the file is no such statement."""
    try:
        content = json.loads(statement.read_text(encoding="utf-8"))
        (subject,), predicate = content["subject"], content["predicate"]
        names = (content["_type"], content["predicateType"], subject["name"])
        if names != (STATEMENT, PREDICATE, rpm.name):
            return None
        return _Fields(
            key=predicate["buildDefinition"]["internalParameters"]["key"],
            sha256=subject["digest"]["sha256"],
            bill_sha256=predicate["runDetails"]["byproducts"][0]["digest"]["sha256"],
            signer=str(subject.get("annotations", {}).get("signer", "")),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def signer(rpm: Path, unsigned: Path) -> str:
    """The key that signed the package ``rpm``, if it matches its statement; else empty.

    Also empty if its signed content differs from that of ``unsigned``.
    """
    fields = _read(rpm, accompanying_files(rpm)[0])
    if fields is None or not fields.signer or not rpm.is_file() or sha256_of(rpm) != fields.sha256:
        return ""
    return fields.signer if signed_content(rpm) == signed_content(unsigned) else ""


def replace_with_signed(rpm: Path, signed: Path, signer: str) -> None:
    """Replace a package by its signed file, and its statement by one about the signed file.

    ``signer`` is the key's fingerprint. The new statement is written first, under a temporary name:
    if the process is killed, ``finish_interrupted_signing`` finds out which of the two statements
    the package matches.
    """
    current, upcoming = accompanying_files(rpm)[0], _upcoming(rpm)
    statement = json.loads(current.read_text(encoding="utf-8"))
    set_signer(statement, sha256_of(signed), signer)
    write(statement, upcoming)
    place(signed, rpm)
    upcoming.replace(current)


def set_signer(statement: dict[str, Any], sha256: str, signer: str) -> None:
    """Change a statement into one about the signed file, which keeps the checksum as built."""
    (before,) = statement["subject"]
    statement["subject"] = [descriptor(before["name"], sha256, annotations={"signer": signer})]
    if "annotations" not in before:
        byproducts = statement["predicate"]["runDetails"]["byproducts"]
        byproducts.append({**before, "annotations": {"state": "as built, not signed"}})


def finish_interrupted_signing(rpm: Path) -> None:
    """Complete the signing of a package that was interrupted, or undo it if nothing is replaced."""
    upcoming = _upcoming(rpm)
    if not upcoming.exists():
        return
    if matches(rpm, statement=upcoming):
        upcoming.replace(accompanying_files(rpm)[0])
    else:
        upcoming.unlink()


def _upcoming(rpm: Path) -> Path:
    """The temporary name of the statement about the signed file."""
    statement = accompanying_files(rpm)[0]
    return statement.with_name(f".{statement.name}.next")


def write(statement: dict[str, Any], file: Path) -> None:
    """Write a statement under its final name, as JSON."""
    place_text(json.dumps(statement, indent=2) + "\n", file)


def have_same_content(rpm: Path, other: Path) -> bool:
    """Whether two RPM files are the same but for their signatures. Raises CheckError."""
    same = rpm.read_bytes() == other.read_bytes()
    return same or signed_content(rpm) == signed_content(other)


def signed_content(rpm: Path) -> bytes:
    """The header and the payload of an RPM file: what a signature covers, and signing leaves.

    Raises CheckError if the file does not begin as an RPM does.
    """
    content = rpm.read_bytes()
    intro = content[_LEAD : _LEAD + _INTRO.size].ljust(_INTRO.size, b"\0")
    magic, entries, size = _INTRO.unpack(intro)
    if magic != _MAGIC:
        raise CheckError(f"{rpm.name} is not an RPM of version 3 or 4", file=rpm)
    end = _LEAD + _INTRO.size + entries * _ENTRY + size
    return content[end + -end % _PADDING :]
