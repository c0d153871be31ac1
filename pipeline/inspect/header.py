"""The header of an RPM: tags, dependencies, scriptlets, changelog, files."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from pipeline.model import FileEntry, Header
from pipeline.model.errors import CheckError
from pipeline.system.process import read as output_of

# Bits of a dependency's flags (rpmsenseFlags in rpm's rpmds.h), in the order that rpm prints them.
_SENSE = ((1 << 1, "<"), (1 << 2, ">"), (1 << 3, "="))

# Name of a scriptlet in a spec to the tag of its text. The tag of its interpreter ends in PROG,
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

# The tags of a file, in the order of `_files`.
_FILE_TAGS = (
    *("BASENAMES", "DIRINDEXES", "FILEMODES", "FILEUSERNAME", "FILEGROUPNAME"),
    *("FILEMTIMES", "FILELINKTOS", "FILEFLAGS"),
)

# A file name as rpmbuild makes it (a source package has no tag with the name of one), and what the
# package requires.
_OUTLINE = (
    "%{NAME}-%{VERSION}-%{RELEASE}.%|SOURCERPM?{%{ARCH}}:{src}|.rpm"
    "[\\t%{REQUIRENAME} %{REQUIREFLAGS:depflags} %{REQUIREVERSION}]\\n"
)

# The flag of a file that %license marks (rpmfileAttrs in rpm's rpmfiles.h).
_LICENSE = 1 << 7


def read(rpm: Path, *, home: Path) -> Header:
    """The header of an RPM file. Raises CheckError if rpm cannot read it.

    ``home`` is a folder without rpm macros, so that those of the user have no effect.
    """
    # Without --nosignature rpm opens the host's database of packages, for keys.
    text = output_of(
        ["rpm", "--query", "--nosignature", "--xml", "--package", rpm.absolute()],
        error=CheckError(f"rpm cannot read {rpm.name}"),
        env={"HOME": str(home)},
    )
    try:
        tree = ElementTree.fromstring(text)
    except ElementTree.ParseError as problem:
        raise CheckError(
            f"the header of {rpm.name} cannot be read", got=str(problem), file=rpm
        ) from problem
    columns = {
        str(tag.get("name")).upper(): [value.text or "" for value in tag]
        for tag in tree
        if not any(value.tag == "base64" for value in tag)
    }
    changes = _rows(columns, "CHANGELOGTIME", "CHANGELOGNAME", "CHANGELOGTEXT")
    return Header(
        tags={tag: "\n".join(values) for tag, values in columns.items()},
        provides=_dependencies(columns, "PROVIDE"),
        requires=_dependencies(columns, "REQUIRE"),
        scriptlets=_scriptlets(columns),
        changelog=tuple(
            f"{datetime.fromtimestamp(int(time), UTC).date()} {author}\n{text}"
            for time, author, text in changes
        ),
        files=_files(columns),
    )


def verify_digests(rpm: Path, *, home: Path) -> None:
    """Raise CheckError where the digests in an RPM file are not those of its header and payload."""
    output_of(
        ["rpmkeys", "--checksig", "--nosignature", rpm.absolute()],
        error=CheckError(
            f"{rpm.name} is damaged: its digests are not those of its content",
            file=rpm,
            hint="bring it again from where it is served",
        ),
        env={"HOME": str(home)},
    )


def outlines(rpms: Sequence[Path], *, home: Path) -> list[tuple[str, frozenset[str]]]:
    """The file name that each RPM has by its header, and what it requires, as ``name = version``.

    Raises CheckError if rpm cannot read one.
    """
    text = output_of(
        ["rpm", "--query", "--nosignature", "--queryformat", _OUTLINE, "--package", *rpms],
        error=CheckError("rpm cannot read the packages"),
        env={"HOME": str(home)},
    )
    rows = (line.split("\t") for line in text.splitlines())
    return [(name, frozenset(" ".join(need.split()) for need in needs)) for name, *needs in rows]


def _rows(columns: Mapping[str, list[str]], *tags: str) -> Iterator[tuple[str, ...]]:
    """The rows of a table that rpm stores as columns; none if the tags are missing."""
    return zip(*(columns.get(tag, []) for tag in tags), strict=True)


def _dependencies(columns: Mapping[str, list[str]], kind: str) -> tuple[str, ...]:
    dependencies = []
    for name, flags, version in _rows(columns, f"{kind}NAME", f"{kind}FLAGS", f"{kind}VERSION"):
        sense = "".join(sign for bit, sign in _SENSE if int(flags) & bit)
        dependencies.append(f"{name} {sense} {version}" if sense else name)
    return tuple(dependencies)


def _scriptlets(columns: Mapping[str, list[str]]) -> Mapping[str, str]:
    scriptlets = {}
    for name, tag in _SCRIPTLETS.items():
        # A scriptlet may have no text, such as `%post -p /sbin/ldconfig`.
        program, text = columns.get(f"{tag.removesuffix('S')}PROG", []), columns.get(tag, [])
        if program or text:
            scriptlets[name] = ": ".join([" ".join(program), *map(str.strip, text)])
    return scriptlets


def _files(columns: Mapping[str, list[str]]) -> tuple[FileEntry, ...]:
    folders = columns.get("DIRNAMES", [])
    return tuple(
        FileEntry(
            *(folders[int(folder)] + name, int(mode), user, group, int(mtime), link),
            is_license=bool(int(flags) & _LICENSE),
        )
        for name, folder, mode, user, group, mtime, link, flags in _rows(columns, *_FILE_TAGS)
    )
