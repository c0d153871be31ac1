"""The files in an RPM, unpacked."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pipeline.model.errors import CheckError
from pipeline.system.process import run
from pipeline.system.workspace import remove

# Absolute names become relative, so nothing is written outside of the folder.
_CPIO = (
    *("cpio", "--extract", "--quiet", "--make-directories", "--no-absolute-filenames"),
    *("--no-preserve-owner", "--preserve-modification-time"),
    "--force-local",  # a colon in the archive's path does not name a host
)


def root(scratch: Path) -> Path:
    """The folder of an RPM's files that are unpacked in ``scratch``."""
    return scratch / "root"


def place(folder: Path, path: PurePosixPath | str) -> Path:
    """The file with the installed path ``path`` below a folder of unpacked files."""
    return folder / str(path).lstrip("/")


def unpack(rpm: Path, scratch: Path, *, limit: int | None = None) -> Path:
    """Unpack an RPM's files into ``root(scratch)``, which is emptied before.

    ``limit`` is the largest size of the payload in bytes. Raises CheckError.
    """
    folder, archive, log = root(scratch), scratch / "payload.cpio", scratch / "log"
    remove(folder)
    folder.mkdir(parents=True)
    what = f"{rpm.name} cannot be unpacked"
    # The user's macros must have no effect.
    env, argv = {"HOME": str(scratch)}, ("rpm2cpio", rpm.absolute())
    try:
        run(argv, log=log, error=CheckError(what), env=env, stdout=archive, limit=limit)
        run([*_CPIO, f"--file={archive.absolute()}"], log=log, error=CheckError(what), cwd=folder)
    finally:
        archive.unlink(missing_ok=True)
    return folder


def entries(folder: Path) -> Iterator[tuple[str, Path]]:
    """The installed path and the file of everything below a folder of unpacked files, sorted."""
    for file in sorted(folder.rglob("*")):
        yield f"/{file.relative_to(folder)}", file


def texts(folder: Path) -> Mapping[str, str]:
    """The contents of the text files, which have no byte of value zero, by installed path."""
    files = ((path, file) for path, file in entries(folder) if not file.is_symlink())
    contents = {path: file.read_bytes() for path, file in files if file.is_file()}
    return {
        path: content.decode(errors="replace")
        for path, content in contents.items()
        if b"\0" not in content
    }
