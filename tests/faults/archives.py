"""Bad archives, made up: each is the release's own tarball with something about it that is not."""

from __future__ import annotations

import gzip
import lzma
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from tests.unit import release
from tests.unit.release import ALLOC, TOP, entries, entry, tarball

Member = tuple[tarfile.TarInfo, bytes]

# A megabyte of nothing, which packs to a thousandth.
_MEGABYTE = bytes(1 << 20)
_BLOCK = 512

# Where in the archive, and where in what a build reads of it.
_PLACES = (TOP, f"{TOP}/src", f"{TOP}/docs", "elsewhere")

_EXTENSIONS = {
    "pax": tarfile.XHDTYPE,
    "global pax": tarfile.XGLTYPE,
    "long name": tarfile.GNUTYPE_LONGNAME,
    "long link": tarfile.GNUTYPE_LONGLINK,
    "Solaris pax": tarfile.SOLARIS_XHDTYPE,
}


@dataclass(frozen=True)
class Bad:
    """An archive by its name; ``harmless`` is one whose release may come out, if it is whole."""

    name: str
    content: bytes
    harmless: bool = False


def corpus(outside: str) -> Iterator[Bad]:
    """All of them; ``outside`` is a folder that none of them may reach."""
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


def _with(name: str, *members: Member, first: bool = False, harmless: bool = False) -> Bad:
    """The release with these members behind it, or before it."""
    all_of_it = [*members, *entries()] if first else [*entries(), *members]
    return Bad(name, tarball(all_of_it, "gz"), harmless)


def _paths(outside: str) -> Iterator[Bad]:
    """Ways out by the path alone."""
    ups = ["../" * number for number in (1, 2, 3, 8, 40)]
    ways = [f"{up}evil" for up in ups] + [f"{TOP}/{up}evil" for up in ups[1:]]
    ways += [f"{TOP}/src/{up}evil.c" for up in ups] + [f"{outside}/evil", f"/{outside}/evil"]
    ways += [f"//{outside}/evil", "/etc/passwd", "/", "..", "../", "./..", f"{TOP}/..", "/../evil"]
    ways += [f"{TOP}/./../../evil", f"{TOP}//..//..//evil", f"{TOP}/src/.././../../evil"]
    ways += ["./../evil", f"{TOP}/src/...//../../../evil", "/proc/self/cwd/evil", "/dev/fd/9"]
    for way in ways:
        for kind, word in ((tarfile.REGTYPE, "file"), (tarfile.DIRTYPE, "folder")):
            # A folder's slash is taken off its name, and then there is none.
            harmless = (way, word) == ("/", "folder")
            member = entry(way, type=kind)
            yield _with(f"{word} at {way}", member, first=word == "folder", harmless=harmless)


def _links(outside: str) -> Iterator[Bad]:
    """Ways out by a link, and through links that each look harmless."""
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
        entry(f"{TOP}/docs/{one}", type=tarfile.SYMTYPE, linkname=other)
        for one, other in (("a", "b"), ("b", "a"))
    ]
    yield _with("a ring of links", *ring, harmless=True)
    into = entry(f"{TOP}/src", type=tarfile.SYMTYPE, linkname="docs")
    yield _with("a link for a folder", into, first=True, harmless=True)
    own = entry(f"{TOP}/src/own.c", type=tarfile.SYMTYPE, linkname="own.c")
    yield _with("a link to itself", own)
    hard = entry(f"{TOP}/src/hard.c", type=tarfile.LNKTYPE, linkname=f"{TOP}/src/hard.c")
    yield _with("a hard link to itself", hard)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        empty = entry(f"{TOP}/src/empty.c", type=kind, linkname="")
        yield _with(f"a link to nothing {kind!r}", empty)
        odd = entry(f"{TOP}/x", type=kind, linkname="/\n\x1b[2J\udcff")
        yield _with(f"a link to what cannot be shown {kind!r}", odd)


def _kinds() -> Iterator[Bad]:
    """What is neither file nor folder nor link."""
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
        odd = entry(f"{TOP}/src/x.c", "x", type=kind)
        yield _with(f"a member of the kind {kind!r}", odd, harmless=True)


def _names() -> Iterator[Bad]:
    """Names that no file can have, or that cannot be shown."""
    names = ["x\0y", "\0", "x\ny", "x\ry", "\x1b[2Jx", "x" * 300, "/".join("d" * 2500)]
    names += ["\udcff\udcfe", "\u202egnp.c", "alloc.c/deep", "x" * 200_000, "\x7f", " ", "."]
    for name in names:
        for place in (f"{TOP}/src", f"{TOP}/docs"):
            told = f"name {name[:20]!r} ({len(name)}) in {place}"
            # The name of a folder, which ends with a slash, or what no build reads.
            harmless = place.endswith("docs") or name in (".", "\0")
            for format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
                member, data = entry(f"{place}/{name}", "x")
                raw = member.tobuf(format, errors="surrogateescape") + data.ljust(_BLOCK, b"\0")
                whole = gzip.compress(raw + tarball(packing=""), mtime=0)
                yield Bad(f"{told}, format {format}", whole, harmless)
    for key, value in {"path": "../evil", "linkpath": "/etc", "size": "-1", "mtime": "nan"}.items():
        member, data = entry(f"{TOP}/src/x.c", "x")
        member.pax_headers = {key: value}
        # To an older Python a size below nothing is the end of the archive.
        yield _with(f"pax {key}={value}", (member, data), harmless=key == "size")


def _collisions() -> Iterator[Bad]:
    """Names that are one file, here or elsewhere."""
    for name in ("src/ALLOC.C", "SRC/alloc.c", "cmakelists.txt", "license", "src/alloc.c "):
        harmless = name.partition("/")[0] not in ("src",)
        yield _with(f"{name} beside its like", entry(f"{TOP}/{name}", ALLOC), harmless=harmless)
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


def _headers() -> Iterator[Bad]:
    """Numbers in a header that cannot be true."""
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
            yield Bad(f"{field} {value}", _summed(raw) + tarball(packing=""), harmless)
    for field, (at, width, _) in numbers.items():
        for text in (b"9" * width, b"\xff" * width, b"-1".ljust(width, b"\0"), b"\0" * width):
            raw = bytearray(tarfile.TarInfo(f"{TOP}/src/x.c").tobuf(tarfile.GNU_FORMAT))
            raw[at : at + width] = text
            whole = _summed(raw) + tarball(packing="")
            yield Bad(f"{field} {text[:2]!r}", whole, harmless=True)


def _number(value: int, width: int) -> bytes:
    """A number as GNU writes those that are too large, or below zero."""
    mark = b"\xff" if value < 0 else b"\x80"
    return mark + (value % (1 << 8 * (width - 1))).to_bytes(width - 1)


def _summed(raw: bytearray) -> bytes:
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


def _sparse() -> Iterator[Bad]:
    """Files of holes: in the old way, and in the three ways of pax."""
    for size in (1 << 20, 1 << 40):
        told = {"GNU.sparse.realsize": str(size), "GNU.sparse.size": str(size)}
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
        for way, keys in maps.items():
            member, data = entry(f"{TOP}/src/x.c", b"1\n0\n1\n".ljust(1024, b"\0"))
            member.pax_headers = {**keys, **told}
            yield _with(f"sparse {way} of {size}", (member, data))
    for data in (b"99999999999\n", b"-1\n", b"x\n", b"\n" * _BLOCK, b"7\n" * 200, b"1" * 1024):
        member, content = entry(f"{TOP}/src/x.c", data.ljust(1024, b"\0"))
        member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        yield _with(f"sparse 1.0 that begins with {data[:12]!r}", (member, content))
    raw = bytearray(tarfile.TarInfo(f"{TOP}/src/x.c").tobuf(tarfile.GNU_FORMAT))
    raw[156:157] = tarfile.GNUTYPE_SPARSE
    raw[482] = 1  # another block of the map follows
    more = (b"%011o\0" % 1) * 42
    block = more.ljust(504, b"\0") + b"\1".ljust(8, b"\0")
    head = gzip.compress(_summed(raw), mtime=0)
    yield Bad("a sparse map without end", head + gzip.compress(block * 20_000, mtime=0) * 40)
    member, _ = entry(f"{TOP}/src/x.c")
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    head = gzip.compress(member.tobuf(tarfile.PAX_FORMAT) + b"99999999999\n" * 42 + b"0" * 8)
    yield Bad("a pax map without end", head + gzip.compress(b"1\n" * (1 << 23)) * 30)


def _extensions() -> Iterator[Bad]:
    """Headers that are there for the sake of another header, which a reader keeps in memory."""
    for word, kind in _EXTENSIONS.items():
        header = _extension(kind, 2 << 30)
        bomb = gzip.compress(_MEGABYTE * 16, mtime=0) * 128
        yield Bad(f"{word} of two gigabytes", gzip.compress(header, mtime=0) + bomb)
        many = b"".join(
            _extension(kind, 40) + b"9 path=x\n".ljust(_BLOCK, b"\0") for _ in range(5000)
        )
        yield Bad(f"{word}, thousands in a row", gzip.compress(many + tarball(packing="")))
        yield Bad(f"{word} with nothing behind it", _extension(kind, 40))
        yield Bad(f"{word} below zero", _extension(kind, -512) + tarball(packing=""))
        digits = b"9" * (1 << 20)
        whole = _extension(kind, len(digits)) + digits + tarball(packing="")
        yield Bad(f"{word} of a million digits", gzip.compress(whole, mtime=0))
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
        yield Bad(f"pax that says {text!r}", raw + tarball(packing=""), harmless=True)


def _extension(kind: bytes, size: int) -> bytes:
    raw = bytearray(tarfile.TarInfo("././@extension").tobuf(tarfile.GNU_FORMAT))
    raw[156:157] = kind
    raw[124:136] = _number(size, 12)
    return _summed(raw)


def _bombs() -> Iterator[Bad]:
    """A little that becomes a lot."""
    folders = [entry(f"{TOP}/docs/{number}", type=tarfile.DIRTYPE) for number in range(10_000)]
    stream = tarball(folders, "")[: 10_000 * _BLOCK]
    yield Bad("a million folders", gzip.compress(stream, mtime=0) * 100)
    for place in ("src", "docs"):
        member = tarfile.TarInfo(f"{TOP}/{place}/bomb.c")
        member.size = 8 << 30
        head = gzip.compress(member.tobuf(), mtime=0)
        yield Bad(f"eight gigabytes in {place}, gzip", head + gzip.compress(_MEGABYTE * 64) * 4)
        member.size = 1 << 30
        nothing = lzma.compress(_MEGABYTE * 64)
        yield Bad(f"a gigabyte in {place}, xz", lzma.compress(member.tobuf()) + nothing * 16)
    nested = tarball()
    for _ in range(6):
        nested = gzip.compress(nested, mtime=0)
    yield Bad("packed seven times", nested)
    yield Bad("nothing but zeros", gzip.compress(_MEGABYTE * 64, mtime=0) * 40)
    yield Bad(
        "zeros behind the release", tarball() + gzip.compress(_MEGABYTE * 64) * 40, harmless=True
    )
    wide = [{"id": lzma.FILTER_LZMA2, "dict_size": (3 << 29)}]
    yield Bad("xz that asks for a gigabyte and a half", lzma.compress(b"x", filters=wide))


def _broken() -> Iterator[Bad]:
    """Truncated, followed by something else, or called what it is not."""
    plain = tarball(packing="")
    for packing in release.PACKINGS:
        whole = tarball(packing=packing)
        for part in (1, 2, 3, 5, 10, 18, 50, 100, len(whole) // 2, len(whole) - 9, len(whole) - 1):
            # What a tarball ends in is padding, and what a packing ends in is its checksum.
            harmless = part > len(whole) - 10 or (not packing and part >= len(whole) // 2)
            yield Bad(f"{part} bytes of {packing or 'tar'}", whole[:part], harmless)
        for tail in (b"x", b"\0" * 600, whole, b"\x1f\x8b\x08", b"<html>" * 99):
            yield Bad(f"{packing or 'tar'} followed by {tail[:3]!r}", whole + tail, harmless=True)
        for at in range(0, len(whole), max(1, len(whole) // 12)):
            spoilt = bytearray(whole)
            spoilt[at] ^= 0xFF
            yield Bad(f"{packing or 'tar'}, byte {at} spoilt", bytes(spoilt), harmless=True)
        for other, pack in release.PACKINGS.items():
            if other and packing:
                yield Bad(f"{packing} in {other}", pack(whole))
    for word, content in {
        "nothing": b"",
        "zip": b"PK\x03\x04" + bytes(600),
        "zstd": b"\x28\xb5\x2f\xfd" + bytes(600),
        "lzma of old": lzma.compress(plain[:700], format=lzma.FORMAT_ALONE),
        "compress": b"\x1f\x9d\x90" + bytes(600),
        "cpio": b"070701" + b"0" * 600,
        "page": b"<html>sign in</html>",
        "zeros": bytes(10240),
        "noise": bytes(range(256)) * 40,
    }.items():
        yield Bad(f"no tarball: {word}", content)
