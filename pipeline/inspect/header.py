"""The header of an RPM: tags, dependencies, scriptlets, changelog, files."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from pipeline.model import Entry, FileEntry, Header, Scriptlet
from pipeline.model.errors import CheckError
from pipeline.system.process import read as output_of

# Bits of a dependency's flags (rpmsenseFlags in rpm's rpmds.h), in the order that rpm prints them.
_SENSE = ((1 << 1, "<"), (1 << 2, ">"), (1 << 3, "="))

# The tag with the body of a scriptlet, by its name in a spec; that of its program ends in PROG,
# without the S.
_SCRIPTLETS = {
    "pretrans": "PRETRANS",
    "pre": "PREIN",
    "post": "POSTIN",
    "preun": "PREUN",
    "postun": "POSTUN",
    "posttrans": "POSTTRANS",
    "preuntrans": "PREUNTRANS",
    "postuntrans": "POSTUNTRANS",
    "verifyscript": "VERIFYSCRIPT",
    "triggers": "TRIGGERSCRIPTS",
    "file triggers": "FILETRIGGERSCRIPTS",
    "transaction file triggers": "TRANSFILETRIGGERSCRIPTS",
}

# What is told of each file, in the order of `_files`.
_FILE_TAGS = (
    "BASENAMES",
    "DIRINDEXES",
    "FILEMODES",
    "FILEUSERNAME",
    "FILEGROUPNAME",
    "FILEMTIMES",
    "FILESIZES",
    "FILELINKTOS",
)


def read(rpm: Path, *, home: Path) -> Header:
    """The header of an RPM file. Raises CheckError where rpm cannot read it.

    ``home`` is a folder without rpm macros, so that those of the user have no say.
    """
    text = _query(rpm, home, "--xml")
    try:
        tree = ElementTree.fromstring(text)
    except ElementTree.ParseError as problem:
        raise CheckError(
            f"the header of {rpm.name} cannot be read", got=str(problem), file=rpm
        ) from problem
    return _header({str(tag.get("name")).upper(): _values(tag) for tag in tree})


def listing(rpm: Path, *, home: Path) -> tuple[str, ...]:
    """The paths in an RPM file as ``rpm -qlp`` prints them, one a line; see ``read``."""
    return tuple(_query(rpm, home, "--list").splitlines())


def _query(rpm: Path, home: Path, what: str) -> str:
    # Without --nosignature rpm opens the host's database of packages, for keys.
    return output_of(
        ["rpm", "--query", "--nosignature", what, "--package", rpm.absolute()],
        error=CheckError,
        what=f"rpm cannot read {rpm.name}",
        env={"HOME": str(home)},
    )


def _values(tag: ElementTree.Element) -> list[str] | None:
    """A tag's values as text; None for binary ones."""
    if any(value.tag == "base64" for value in tag):
        return None
    return [value.text or "" for value in tag]


def _header(found: Mapping[str, list[str] | None]) -> Header:
    columns = {tag: values for tag, values in found.items() if values is not None}
    return Header(
        tags={tag: "\n".join(values) for tag, values in columns.items()},
        provides=_dependencies(columns, "PROVIDE"),
        requires=_dependencies(columns, "REQUIRE"),
        scriptlets=_scriptlets(columns),
        changelog=_changelog(columns),
        files=_files(columns),
    )


def _rows(columns: Mapping[str, list[str]], *tags: str) -> Iterator[tuple[str, ...]]:
    """What rpm keeps as columns, row by row; no rows where there are no such tags."""
    return zip(*(columns.get(tag, []) for tag in tags), strict=True)


def _dependencies(columns: Mapping[str, list[str]], kind: str) -> tuple[str, ...]:
    rows = _rows(columns, f"{kind}NAME", f"{kind}FLAGS", f"{kind}VERSION")
    return tuple(_dependency(name, int(flags), version) for name, flags, version in rows)


def _dependency(name: str, flags: int, version: str) -> str:
    sense = "".join(sign for bit, sign in _SENSE if flags & bit)
    return f"{name} {sense} {version}" if sense else name


def _scriptlets(columns: Mapping[str, list[str]]) -> Mapping[str, Scriptlet]:
    found = {}
    for name, tag in _SCRIPTLETS.items():
        # A scriptlet may be nothing but its program, as in `%post -p /sbin/ldconfig`.
        program, body = columns.get(f"{tag.removesuffix('S')}PROG", []), columns.get(tag, [])
        if program or body:
            found[name] = Scriptlet(" ".join(program), "\n".join(body))
    return found


def _changelog(columns: Mapping[str, list[str]]) -> tuple[Entry, ...]:
    rows = _rows(columns, "CHANGELOGTIME", "CHANGELOGNAME", "CHANGELOGTEXT")
    return tuple(
        Entry(datetime.fromtimestamp(int(time), UTC).date(), author, text)
        for time, author, text in rows
    )


def _files(columns: Mapping[str, list[str]]) -> tuple[FileEntry, ...]:
    folders = columns.get("DIRNAMES", [])
    rows = _rows(columns, *_FILE_TAGS)
    return tuple(
        FileEntry(
            path=folders[int(folder)] + name,
            mode=int(mode),
            user=user,
            group=group,
            mtime=int(mtime),
            size=int(size),
            link=link,
        )
        for name, folder, mode, user, group, mtime, size, link in rows
    )
