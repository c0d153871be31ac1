"""All that is in one RPM: its header, its files, its shared library, words of the building host."""

from collections.abc import Collection
from pathlib import Path, PurePosixPath

from pipeline.inspect import elf, header, host_names, payload
from pipeline.model import Facts, Library


def read(
    rpm: Path, scratch: Path, *, library: PurePosixPath, needles: Collection[str] = ()
) -> Facts:
    """The facts of an RPM; its files are left in ``payload.root(scratch)`` for whoever runs them.

    ``library`` is the installed path of the shared library, and ``needles`` are the words of the
    building host that no package may hold. The programs' output is in ``scratch/log``. Raises
    CheckError where the file is no RPM, or what should be a library is no ELF file.
    """
    payload.unpack(rpm, scratch)
    return gather(rpm, scratch, library=library, needles=needles)


def gather(
    rpm: Path, scratch: Path, *, library: PurePosixPath, needles: Collection[str] = ()
) -> Facts:
    """The same of an RPM whose files have been unpacked in ``scratch``."""
    root = payload.root(scratch)
    found = header.read(rpm, home=scratch)
    return Facts(
        file_name=rpm.name,
        listing=header.listing(rpm, home=scratch),
        header=found,
        library=_library(root, library),
        traces=host_names.search(needles, found.tags, root),
        texts=payload.texts(root),
    )


def _library(root: Path, library: PurePosixPath) -> Library | None:
    file = payload.place(root, library)
    return elf.read(file) if file.is_file() and not file.is_symlink() else None
