"""A few files, staged like an installation of mimalloc."""

from pathlib import Path

PREFIX = "/usr/local/nginx-dep"
FILES = ("include/mimalloc-2.0/mimalloc.h", "lib64/libmimalloc.so.2.0")
LINKS = {"libmimalloc.so.2": "libmimalloc.so.2.0", "libmimalloc.so": "libmimalloc.so.2"}
FOLDERS = ["", "/include", "/include/mimalloc-2.0", "/lib64"]


def lay_out(stage: Path) -> None:
    """Write the files below a folder."""
    for name in FILES:
        file = stage / PREFIX.lstrip("/") / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    for name, target in LINKS.items():
        (stage / PREFIX.lstrip("/") / "lib64" / name).symlink_to(target)
