"""Hostile archives: each is the tarball of the tiny release with one thing wrong."""

import gzip
import lzma
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from tests.unit import release
from tests.unit.release import ALLOC, TOP, entries, entry, tarball

Member = tuple[tarfile.TarInfo, bytes]

# A megabyte of zeros, which compresses to a thousandth.
_MEGABYTE = bytes(1 << 20)
_BLOCK = 512

# Folders in the archive: some that a build reads, and some that it does not.
_PLACES = (TOP, f"{TOP}/src", f"{TOP}/docs", "elsewhere")

_EXTENSIONS = {
    "pax": tarfile.XHDTYPE,
    "global pax": tarfile.XGLTYPE,
    "long name": tarfile.GNUTYPE_LONGNAME,
    "long link": tarfile.GNUTYPE_LONGLINK,
    "Solaris pax": tarfile.SOLARIS_XHDTYPE,
}


@dataclass(frozen=True)
class HostileArchive:
    """An archive and its name; of a ``harmless`` one the complete release may be unpacked."""

    name: str
    content: bytes
    harmless: bool = False


def corpus(outside: str) -> Iterator[HostileArchive]:
    """All archives; ``outside`` is a folder that none of them may change."""
    yield from _paths(outside)
    yield from _links(outside)
    yield from _kinds()
    yield from _names()
    yield from _collisions()
    yield from _headers()
    yield from _sparse()
    yield from _extensions()
    yield from _bombs()
    yield from _broken()


def _with(
    name: str, *members: Member, first: bool = False, harmless: bool = False
) -> HostileArchive:
    """The release with these members after it, or before it."""
    all_members = [*members, *entries()] if first else [*entries(), *members]
    return HostileArchive(name, tarball(all_members, "gz"), harmless)


def _paths(outside: str) -> Iterator[HostileArchive]:
    """Paths that lead out of the folder."""
    ups = ["../" * number for number in (1, 2, 3, 8, 40)]
    paths = [f"{up}evil" for up in ups] + [f"{TOP}/{up}evil" for up in ups[1:]]
    paths += [f"{TOP}/src/{up}evil.c" for up in ups] + [f"{outside}/evil", f"/{outside}/evil"]
    paths += [f"//{outside}/evil", "/etc/passwd", "/", "..", "../", "./..", f"{TOP}/..", "/../evil"]
    paths += [f"{TOP}/./../../evil", f"{TOP}//..//..//evil", f"{TOP}/src/.././../../evil"]
    paths += ["./../evil", f"{TOP}/src/...//../../../evil", "/proc/self/cwd/evil", "/dev/fd/9"]
    for path in paths:
        for kind, word in ((tarfile.REGTYPE, "file"), (tarfile.DIRTYPE, "folder")):
            # The slash at the end of a folder's name is removed, and then it is empty.
            harmless = (path, word) == ("/", "folder")
            member = entry(path, type=kind)
            yield _with(f"{word} at {path}", member, first=word == "folder", harmless=harmless)


def _links(outside: str) -> Iterator[HostileArchive]:
    """Links that lead out of the folder, and links that are harmless only one by one."""
    targets = [outside, f"{outside}/canary", "/", "/etc/passwd", "..", "../..", "../" * 9 + "etc"]
    for kind, word in ((tarfile.SYMTYPE, "link"), (tarfile.LNKTYPE, "hard link")):
        for place in _PLACES:
            for target in targets:
                # From a folder below the top, one step up stays inside.
                inside = word == "link" and target == ".."
                inside |= word == "link" and target == "../.." and place.count("/") > 0
                if not inside:
                    link = entry(f"{place}/out", type=kind, linkname=target)
                    yield _with(f"{word} in {place} to {target}", link, first=True)
    through = entry(f"{TOP}/src/out/evil.c", "x")
    link = entry(f"{TOP}/src/out", type=tarfile.SYMTYPE, linkname="..")
    yield _with("a file through a link", link, through, first=True)
    chain = [
        entry(f"{TOP}/docs/{number}", type=tarfile.SYMTYPE, linkname=f"{number + 1}/..")
        for number in range(40)
    ]
    yield _with("a chain of links", *chain, entry(f"{TOP}/docs/0/evil"), harmless=True)
    ring = [
        entry(f"{TOP}/docs/{name}", type=tarfile.SYMTYPE, linkname=target)
        for name, target in (("a", "b"), ("b", "a"))
    ]
    yield _with("a ring of links", *ring, harmless=True)
    into = entry(f"{TOP}/src", type=tarfile.SYMTYPE, linkname="docs")
    yield _with("a link for a folder", into, first=True, harmless=True)
    itself = entry(f"{TOP}/src/own.c", type=tarfile.SYMTYPE, linkname="own.c")
    yield _with("a link to itself", itself)
    hard = entry(f"{TOP}/src/hard.c", type=tarfile.LNKTYPE, linkname=f"{TOP}/src/hard.c")
    yield _with("a hard link to itself", hard)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        empty = entry(f"{TOP}/src/empty.c", type=kind, linkname="")
        yield _with(f"a link to nothing {kind!r}", empty)
        unprintable = entry(f"{TOP}/x", type=kind, linkname="/\n\x1b[2J\udcff")
        yield _with(f"a link to what cannot be printed {kind!r}", unprintable)


def _kinds() -> Iterator[HostileArchive]:
    """Members that are neither files nor folders nor links."""
    kinds = {
        "character device": tarfile.CHRTYPE,
        "block device": tarfile.BLKTYPE,
        "fifo": tarfile.FIFOTYPE,
    }
    for word, kind in kinds.items():
        for place in _PLACES:
            yield _with(
                f"{word} in {place}", entry(f"{place}/x", type=kind, devmajor=1, devminor=3)
            )
    for kind in (b"M", b"V", b"N", b"D", b"Z", b"\x80", b"9"):
        member = entry(f"{TOP}/src/x.c", "x", type=kind)
        yield _with(f"a member of the kind {kind!r}", member, harmless=True)


def _names() -> Iterator[HostileArchive]:
    """Names that no file can have, or that cannot be printed."""
    names = ["x\0y", "\0", "x\ny", "x\ry", "\x1b[2Jx", "x" * 300, "/".join("d" * 2500)]
    names += ["\udcff\udcfe", "\u202egnp.c", "alloc.c/deep", "x" * 200_000, "\x7f", " ", "."]
    for name in names:
        for place in (f"{TOP}/src", f"{TOP}/docs"):
            label = f"name {name[:20]!r} ({len(name)}) in {place}"
            # A folder's name, which ends with a slash, or a file that no build reads.
            harmless = place.endswith("docs") or name in (".", "\0")
            for format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
                member, data = entry(f"{place}/{name}", "x")
                raw = member.tobuf(format, errors="surrogateescape") + data.ljust(_BLOCK, b"\0")
                whole = gzip.compress(raw + tarball(packing=""), mtime=0)
                yield HostileArchive(f"{label}, format {format}", whole, harmless)
    for key, value in {"path": "../evil", "linkpath": "/etc", "size": "-1", "mtime": "nan"}.items():
        member, data = entry(f"{TOP}/src/x.c", "x")
        member.pax_headers = {key: value}
        # For an older Python a negative size is the end of the archive.
        yield _with(f"pax {key}={value}", (member, data), harmless=key == "size")


def _collisions() -> Iterator[HostileArchive]:
    """Names of the same file, here or on other file systems."""
    for name in ("src/ALLOC.C", "SRC/alloc.c", "cmakelists.txt", "license", "src/alloc.c "):
        harmless = name.partition("/")[0] not in ("src",)
        yield _with(
            f"{name} beside the same name in another case",
            entry(f"{TOP}/{name}", ALLOC),
            harmless=harmless,
        )
    for name in ("src/alloc.c", "./src/alloc.c", "src//alloc.c", "src/./alloc.c"):
        yield _with(f"{name} twice", entry(f"{TOP}/{name}", ALLOC))
        yield _with(f"{name} twice, the other first", entry(f"{TOP}/{name}", "evil"), first=True)
    yield _with("a file where a folder is", entry(f"{TOP}/src", "x"), harmless=True)
    yield _with(
        "a file where a folder will be", entry(f"{TOP}/src", "x"), first=True, harmless=True
    )
    folder = entry(f"{TOP}/src/alloc.c", type=tarfile.DIRTYPE)
    yield _with("a folder where a file is", folder, harmless=True)
    yield _with("a file below a file", entry(f"{TOP}/src/alloc.c/x.c", "x"))
    yield _with("a file below a file to come", entry(f"{TOP}/src/alloc.c/x.c", "x"), first=True)
    again = [entry(f"{TOP}-2/{name}", "x") for name in ("CMakeLists.txt", "include/mimalloc.h")]
    yield _with("two releases", *again, harmless=True)


def _headers() -> Iterator[HostileArchive]:
    """Numbers in a header that cannot be right."""
    numbers = {
        "size": (124, 12, [-1, -(1 << 40), 1 << 31, 1 << 40, 1 << 62, (1 << 87)]),
        "mode": (100, 8, [-1, 0o7777777, 1 << 54]),
        "mtime": (136, 12, [-1, 1 << 62, (1 << 87)]),
        "uid": (108, 8, [-1, 1 << 54]),
        "major": (329, 8, [-1, 1 << 54]),
    }
    for field, (at, width, values) in numbers.items():
        for value in values:
            raw = bytearray(tarfile.TarInfo(f"{TOP}/src/x.c").tobuf(tarfile.GNU_FORMAT))
            raw[at : at + width] = _number(value, width)
            harmless = field != "size"
            yield HostileArchive(
                f"{field} {value}", _with_checksum(raw) + tarball(packing=""), harmless
            )
    for field, (at, width, _) in numbers.items():
        for text in (b"9" * width, b"\xff" * width, b"-1".ljust(width, b"\0"), b"\0" * width):
            raw = bytearray(tarfile.TarInfo(f"{TOP}/src/x.c").tobuf(tarfile.GNU_FORMAT))
            raw[at : at + width] = text
            whole = _with_checksum(raw) + tarball(packing="")
            yield HostileArchive(f"{field} {text[:2]!r}", whole, harmless=True)


def _number(value: int, width: int) -> bytes:
    """A number in GNU's format for numbers that are too large or negative."""
    mark = b"\xff" if value < 0 else b"\x80"
    return mark + (value % (1 << 8 * (width - 1))).to_bytes(width - 1)


def _with_checksum(raw: bytearray) -> bytes:
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


def _sparse() -> Iterator[HostileArchive]:
    """Sparse files: in the old format, and in the three of pax."""
    for size in (1 << 20, 1 << 40):
        sizes = {"GNU.sparse.realsize": str(size), "GNU.sparse.size": str(size)}
        maps = {
            "0.0": {
                "GNU.sparse.numblocks": "1",
                "GNU.sparse.offset": "0",
                "GNU.sparse.numbytes": "1",
            },
            "0.1": {"GNU.sparse.map": "0,1"},
            "1.0": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
            "0.1 of words": {"GNU.sparse.map": "x,y"},
            "0.1 backwards": {"GNU.sparse.map": "9,9,1,1,-5,-5"},
        }
        for format, keys in maps.items():
            member, data = entry(f"{TOP}/src/x.c", b"1\n0\n1\n".ljust(1024, b"\0"))
            member.pax_headers = {**keys, **sizes}
            yield _with(f"sparse {format} of {size}", (member, data))
    for data in (b"99999999999\n", b"-1\n", b"x\n", b"\n" * _BLOCK, b"7\n" * 200, b"1" * 1024):
        member, content = entry(f"{TOP}/src/x.c", data.ljust(1024, b"\0"))
        member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        yield _with(f"sparse 1.0 that begins with {data[:12]!r}", (member, content))
    raw = bytearray(tarfile.TarInfo(f"{TOP}/src/x.c").tobuf(tarfile.GNU_FORMAT))
    raw[156:157] = tarfile.GNUTYPE_SPARSE
    raw[482] = 1  # another block of the map follows
    more = (b"%011o\0" % 1) * 42
    block = more.ljust(504, b"\0") + b"\1".ljust(8, b"\0")
    head = gzip.compress(_with_checksum(raw), mtime=0)
    yield HostileArchive(
        "a sparse map without end", head + gzip.compress(block * 20_000, mtime=0) * 40
    )
    member, _ = entry(f"{TOP}/src/x.c")
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    head = gzip.compress(member.tobuf(tarfile.PAX_FORMAT) + b"99999999999\n" * 42 + b"0" * 8)
    yield HostileArchive("a pax map without end", head + gzip.compress(b"1\n" * (1 << 23)) * 30)


def _extensions() -> Iterator[HostileArchive]:
    """Headers that extend the next header; a reader keeps them in memory."""
    for word, kind in _EXTENSIONS.items():
        header = _extension(kind, 2 << 30)
        bomb = gzip.compress(_MEGABYTE * 16, mtime=0) * 128
        yield HostileArchive(f"{word} of two gigabytes", gzip.compress(header, mtime=0) + bomb)
        many = b"".join(
            _extension(kind, 40) + b"9 path=x\n".ljust(_BLOCK, b"\0") for _ in range(5000)
        )
        yield HostileArchive(
            f"{word}, thousands in a row", gzip.compress(many + tarball(packing=""))
        )
        yield HostileArchive(f"{word} with nothing after it", _extension(kind, 40))
        yield HostileArchive(f"{word} below zero", _extension(kind, -512) + tarball(packing=""))
        digits = b"9" * (1 << 20)
        whole = _extension(kind, len(digits)) + digits + tarball(packing="")
        yield HostileArchive(f"{word} of a million digits", gzip.compress(whole, mtime=0))
    for text in (
        b"",
        b"0 a=b\n",
        b"99 a=b\n",
        b"x a=b\n",
        b"6 ab\n",
        b"6 =ab\n",
        b"-5 a=b\n",
        b"21 hdrcharset=latin\n",
        b"21 hdrcharset=BINARY\n",
        b"8 a=\xff\xfe\n",
    ):
        raw = _extension(tarfile.XHDTYPE, len(text)) + text.ljust(_BLOCK, b"\0") * bool(text)
        yield HostileArchive(f"pax with {text!r}", raw + tarball(packing=""), harmless=True)


def _extension(kind: bytes, size: int) -> bytes:
    raw = bytearray(tarfile.TarInfo("././@extension").tobuf(tarfile.GNU_FORMAT))
    raw[156:157] = kind
    raw[124:136] = _number(size, 12)
    return _with_checksum(raw)


def _bombs() -> Iterator[HostileArchive]:
    """Small archives with a large content."""
    folders = [entry(f"{TOP}/docs/{number}", type=tarfile.DIRTYPE) for number in range(10_000)]
    stream = tarball(folders, "")[: 10_000 * _BLOCK]
    yield HostileArchive("a million folders", gzip.compress(stream, mtime=0) * 100)
    for place in ("src", "docs"):
        member = tarfile.TarInfo(f"{TOP}/{place}/bomb.c")
        member.size = 8 << 30
        head = gzip.compress(member.tobuf(), mtime=0)
        yield HostileArchive(
            f"eight gigabytes in {place}, gzip", head + gzip.compress(_MEGABYTE * 64) * 4
        )
        member.size = 1 << 30
        zeros = lzma.compress(_MEGABYTE * 64)
        yield HostileArchive(
            f"a gigabyte in {place}, xz", lzma.compress(member.tobuf()) + zeros * 16
        )
    nested = tarball()
    for _ in range(6):
        nested = gzip.compress(nested, mtime=0)
    yield HostileArchive("compressed seven times", nested)
    yield HostileArchive("nothing but zeros", gzip.compress(_MEGABYTE * 64, mtime=0) * 40)
    yield HostileArchive(
        "zeros after the release", tarball() + gzip.compress(_MEGABYTE * 64) * 40, harmless=True
    )
    wide = [{"id": lzma.FILTER_LZMA2, "dict_size": (3 << 29)}]
    yield HostileArchive(
        "xz that asks for a gigabyte and a half", lzma.compress(b"x", filters=wide)
    )


def _broken() -> Iterator[HostileArchive]:
    """Truncated, followed by something else, or of another format."""
    plain = tarball(packing="")
    for packing in release.PACKINGS:
        whole = tarball(packing=packing)
        for part in (1, 2, 3, 5, 10, 18, 50, 100, len(whole) // 2, len(whole) - 9, len(whole) - 1):
            # A tarball ends with padding, and a compressed file with its checksum.
            harmless = part > len(whole) - 10 or (not packing and part >= len(whole) // 2)
            yield HostileArchive(f"{part} bytes of {packing or 'tar'}", whole[:part], harmless)
        for tail in (b"x", b"\0" * 600, whole, b"\x1f\x8b\x08", b"<html>" * 99):
            yield HostileArchive(
                f"{packing or 'tar'} followed by {tail[:3]!r}", whole + tail, harmless=True
            )
        for at in range(0, len(whole), max(1, len(whole) // 12)):
            altered = bytearray(whole)
            altered[at] ^= 0xFF
            yield HostileArchive(
                f"{packing or 'tar'}, byte {at} altered", bytes(altered), harmless=True
            )
        for other, pack in release.PACKINGS.items():
            if other and packing:
                yield HostileArchive(f"{packing} in {other}", pack(whole))
    for word, content in {
        "nothing": b"",
        "zip": b"PK\x03\x04" + bytes(600),
        "zstd": b"\x28\xb5\x2f\xfd" + bytes(600),
        "old lzma": lzma.compress(plain[:700], format=lzma.FORMAT_ALONE),
        "compress": b"\x1f\x9d\x90" + bytes(600),
        "cpio": b"070701" + b"0" * 600,
        "page": b"<html>sign in</html>",
        "zeros": bytes(10240),
        "noise": bytes(range(256)) * 40,
    }.items():
        yield HostileArchive(f"no tarball: {word}", content)
