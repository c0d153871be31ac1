"""The facts of an RPM: its header, its files, its shared library, names of the build host."""

import re
import socket
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from pipeline.inspect import elf, header, payload
from pipeline.model import Facts
from pipeline.system.workspace import StepDirs

# A part of a longer name does not count: `box` in `toolbox` or `box-2`.
_BEFORE, _AFTER = rb"(?<![A-Za-z0-9_-])", rb"(?![A-Za-z0-9_-])"


def read(
    rpm: Path,
    scratch: Path,
    *,
    library: PurePosixPath,
    names: Collection[str] = (),
    unpacked: bool = False,
) -> Facts:
    """Unpack an RPM below ``payload.root(scratch)``, unless it is, and read its facts.

    ``library`` is the installed path of the shared library, ``names`` are the paths and names of
    the build host to search for. The log is ``scratch/log``. Raises CheckError where the file is
    not an RPM, or the library not an ELF file.
    """
    root = payload.root(scratch) if unpacked else payload.unpack(rpm, scratch)
    head, file = header.read(rpm, home=scratch), payload.place(root, library)
    return Facts(
        file_name=rpm.name,
        header=head,
        library=elf.read(file) if file.is_file() and not file.is_symlink() else None,
        host_names=host_names(names, head.tags, root),
        texts=payload.texts(root),
    )


def host_names(
    names: Collection[str], tags: Mapping[str, str], folder: Path
) -> tuple[tuple[str, str], ...]:
    """The places where names occur, as (place, name).

    A name with a slash is a path and matches anywhere; another one matches as a whole word. Places
    are ``header <TAG>``, ``name of <path>`` and the installed path of a file. ``folder`` has the
    unpacked files.
    """
    contents = [(f"header {tag}", value.encode()) for tag, value in tags.items()]
    for path, file in payload.entries(folder) if names else ():
        contents.append((f"name of {path}", path.encode(errors="surrogateescape")))
        if file.is_file() and not file.is_symlink():
            contents.append((path, file.read_bytes()))
    patterns = {}
    for name in sorted(filter(None, names)):
        exact = re.escape(name.encode())
        patterns[name] = re.compile(exact if "/" in name else _BEFORE + exact + _AFTER)
    return tuple(
        (place, name)
        for place, content in contents
        for name, pattern in patterns.items()
        if pattern.search(content)
    )


def names_of_host(dirs: StepDirs) -> Iterator[str]:
    """What no package may contain: folders of this build, and the name of this host.

    A host may be called ``linux`` or ``local``: a name that upstream's text or our spec contains
    is not searched for, nor one of less than four letters.
    """
    for folder in (dirs.workspace.root, dirs.workspace.cache, Path.home()):
        if len(folder.parts) > 1:
            yield str(folder)
    name = socket.gethostname()
    packed = dirs.folder("package")
    texts = [*dirs.patched.rglob("*"), *packed.glob("*.spec"), *packed.glob("sources/*")]
    text = b"".join(file.read_bytes() for file in texts if file.is_file())
    if len(name) > 3 and name.encode() not in text:
        yield name
