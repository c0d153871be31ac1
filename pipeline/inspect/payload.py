"""The files in an RPM, unpacked."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pipeline.model.errors import CheckError
from pipeline.system.process import run
from pipeline.system.workspace import remove

# The files that tell other builds how to link with the library, and systemd to preload it: checks
# read them.
_READ = (".pc", ".cmake", ".conf")

# A header that the archive's own tools would follow out of the folder is cut to the folder.
_CPIO = (
    "cpio",
    "--extract",
    "--make-directories",
    "--no-absolute-filenames",
    "--no-preserve-owner",
    "--preserve-modification-time",
    "--quiet",
)


def root(scratch: Path) -> Path:
    """Where an RPM's files are, once it is unpacked in ``scratch``."""
    return scratch / "root"


def place(folder: Path, path: PurePosixPath | str) -> Path:
    """Where the file with the installed path ``path`` is, below the folder of unpacked files."""
    return folder / str(path).lstrip("/")


def unpack(rpm: Path, scratch: Path, *, limit: int | None = None) -> Path:
    """Unpack an RPM's files into ``root(scratch)``, which is made anew.

    ``limit`` is how many bytes they may have together. Raises CheckError.
    """
    folder, archive, log = root(scratch), scratch / "payload.cpio", scratch / "log"
    remove(folder)
    folder.mkdir(parents=True)
    what = f"{rpm.name} cannot be unpacked"
    # A home of its own: the user's macros have no say.
    home = {"HOME": str(scratch)}
    try:
        run(
            ["rpm2cpio", rpm.absolute()],
            log=log,
            error=CheckError,
            what=what,
            env=home,
            stdout=archive,
            limit=limit,
        )
        run(_CPIO, log=log, error=CheckError, what=what, cwd=folder, stdin=archive)
    finally:
        archive.unlink(missing_ok=True)
    return folder


def entries(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every path below the folder of unpacked files, as installed and as it is here; sorted."""
    for file in sorted(folder.rglob("*")):
        yield f"/{file.relative_to(folder)}", file


def texts(folder: Path) -> Mapping[str, str]:
    """The contents of the small text files that checks read, by installed path."""
    return {
        path: file.read_text(encoding="utf-8", errors="replace")
        for path, file in entries(folder)
        if file.suffix in _READ and file.is_file() and not file.is_symlink()
    }
