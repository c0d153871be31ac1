"""The facts of an RPM: its header, its files, its shared library, names of the build host."""

from collections.abc import Collection
from pathlib import Path, PurePosixPath

from pipeline.inspect import elf, header, host_names, payload
from pipeline.model import Facts


def read(rpm: Path, scratch: Path, *, library: PurePosixPath, names: Collection[str] = ()) -> Facts:
    """Unpack an RPM below ``payload.root(scratch)``, and read its facts.

    ``library`` is the installed path of the shared library, ``names`` are the paths and names of
    the build host to search for. The log is ``scratch/log``. Raises CheckError where the file is
    not an RPM, or the library not an ELF file.
    """
    payload.unpack(rpm, scratch)
    return read_unpacked(rpm, scratch, library=library, names=names)


def read_unpacked(
    rpm: Path, scratch: Path, *, library: PurePosixPath, names: Collection[str] = ()
) -> Facts:
    """The facts of an RPM that is unpacked in ``scratch``; see ``read``."""
    root = payload.root(scratch)
    head, file = header.read(rpm, home=scratch), payload.place(root, library)
    return Facts(
        file_name=rpm.name,
        header=head,
        library=elf.read(file) if file.is_file() and not file.is_symlink() else None,
        host_names=host_names.search(names, head.tags, root),
        texts=payload.texts(root),
    )
