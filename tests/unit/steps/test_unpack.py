"""`unpack`: broken archives, hostile archives, archives of something else."""

import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.model import Limits, Plan, UserSource
from pipeline.model.errors import PackagingError, RequestError, UnpackError, VerifyError
from pipeline.steps import unpack
from pipeline.system.checksum import identity_of
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from tests.unit import release
from tests.unit.release import TOP, entries, entry, tarball

Member = tuple[tarfile.TarInfo, bytes]
Unpack = Callable[[bytes], Path]


@pytest.fixture
def dirs(make_dirs: Callable[..., StepDirs]) -> StepDirs:
    """The step directories up to this step."""
    return make_dirs("fetch", "unpack")


@pytest.fixture
def run(plan: Plan, dirs: StepDirs) -> Unpack:
    """Unpacks an archive in an empty step directory; returns the tree."""

    def do(archive: bytes) -> Path:
        dirs.archive.write_bytes(archive)
        for file in dirs.folder("unpack").iterdir():
            file.rename(dirs.workspace.root / file.name)
        unpack.run(plan, dirs, Report())
        return dirs.tree

    return do


def _files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def _refused(run: Unpack, members: list[Member], *, packing: str = "gz") -> UnpackError:
    """The error for an archive that has these members besides the release's own."""
    with pytest.raises(UnpackError) as caught:
        run(tarball([*entries(), *members], packing))
    assert 22 == caught.value.exit_code
    return caught.value


# --- good archives -------------------------------------------------------------------------------


@pytest.mark.parametrize("packing", ["gz", "xz", "bz2", ""])
def test_release_is_unpacked(run: Unpack, packing: str) -> None:
    """What the build reads is there, byte for byte, and nothing else, however it is packed."""
    tree = run(tarball(packing=packing))

    assert sorted(release.TREE) == _files(tree)
    assert release.identity() == identity_of(tree)


@pytest.mark.parametrize("top", ["", ".", "./x", "cmeel-1.0/mimalloc", "a/b/c"])
def test_tree_may_start_anywhere(run: Unpack, top: str) -> None:
    """Repackagers have folders of their own."""
    assert sorted(release.TREE) == _files(run(tarball(entries(top))))


def test_shallowest_tree_is_used(run: Unpack) -> None:
    """A copy of another release, deeper down, is not mistaken for this one."""
    inner = entries(f"{TOP}/contrib/old", **{"LICENSE": "another"})

    assert release.identity() == identity_of(run(tarball([*inner, *entries()])))


def test_names_may_be_long(run: Unpack) -> None:
    """A deep path is written with extension headers, which are no entries of the tree."""
    top = "/".join(["a" * 60] * 4)

    assert sorted(release.TREE) == _files(run(tarball(entries(top))))


def test_modes_of_the_archive_do_not_matter(run: Unpack) -> None:
    """Files are made anew: no set-user-id bit and no forbidden file comes out of an archive."""
    odd = [(member, data) for member, data in entries()]
    for member, _ in odd:
        member.mode = 0o6000
    tree = run(tarball(odd))

    assert {0o644 & ~_umask()} == {
        file.stat().st_mode & 0o7777 for file in tree.rglob("*") if file.is_file()
    }


def test_folders_of_the_archive_are_made_as_needed(run: Unpack) -> None:
    """An entry for a folder adds nothing: neither its mode nor an empty folder."""
    folders = [
        entry(f"{TOP}/{name}", type=tarfile.DIRTYPE, mode=0) for name in ("src", "include/x")
    ]
    tree = run(tarball([*folders, *entries()]))

    assert sorted(release.TREE) == _files(tree)
    assert not (tree / "include" / "x").exists()


def test_full_disk_is_not_the_archives_fault(run: Unpack, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file system refuses is not called a broken archive."""

    def fill(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(unpack, "_write", fill)
    with pytest.raises(OSError, match="No space left") as caught:
        run(tarball())

    assert not isinstance(caught.value, PackagingError)


def test_harmless_link_elsewhere_is_skipped(run: Unpack) -> None:
    """Upstream's docs may hold links, as long as none leads out."""
    link = entry(f"{TOP}/docs/link", type=tarfile.SYMTYPE, linkname="index.html")

    assert sorted(release.TREE) == _files(run(tarball([*entries(), link])))


# --- broken archives -----------------------------------------------------------------------------


@pytest.mark.parametrize("packing", ["gz", "xz", "bz2", ""])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9])
def test_truncated_archive(run: Unpack, packing: str, share: float) -> None:
    """An archive that ends early is refused; the complete one is accepted afterwards."""
    # Of a size that neither packing nor padding hides.
    noise = entry(f"{TOP}/noise", os.urandom(49_000))
    whole = tarball([*entries(), noise], packing)
    with pytest.raises((UnpackError, VerifyError)) as caught:
        run(whole[: int(len(whole) * share)])

    assert caught.value.exit_code in (21, 22)
    assert sorted(release.TREE) == _files(run(whole))


def test_archive_that_ends_between_two_files(run: Unpack) -> None:
    """Where the format itself sees nothing wrong, the identity does."""
    plain = tarball(entries(), "")
    end = 512 + 512  # CMakeLists.txt: a header and a block
    with pytest.raises(UnpackError, match="no mimalloc in it"):
        run(plain[:end])
    with pytest.raises(VerifyError, match="not mimalloc"):
        run(plain[: 6 * end])

    assert release.identity() == identity_of(run(plain))


@pytest.mark.parametrize("packing", ["gz", "xz"])
def test_archive_with_a_flipped_bit(run: Unpack, packing: str) -> None:
    """The packing's own checksum, the format's or the identity finds it."""
    archive = bytearray(tarball(packing=packing))
    archive[len(archive) // 2] ^= 0x10
    with pytest.raises((UnpackError, VerifyError)):
        run(bytes(archive))

    assert release.identity() == identity_of(run(tarball(packing=packing)))


@pytest.mark.parametrize("content", [b"", b"<html>sign in</html>", b"PK\x03\x04zip", b"\x1f\x8b"])
def test_file_that_is_no_archive(run: Unpack, dirs: StepDirs, content: bytes) -> None:
    """A page in place of a tarball is called broken, with the file and what to do."""
    with pytest.raises(UnpackError) as caught:
        run(content)

    problem = caught.value
    assert ("the archive is truncated or broken", dirs.archive) == (problem.what, problem.file)
    assert "--source" in problem.hint
    assert problem.got != ""


def test_chain_of_headers(run: Unpack) -> None:
    """An archive that is made to exhaust the reader's stack is broken, and no traceback."""
    name = entry("././@LongLink", "a" * 10, type=tarfile.GNUTYPE_LONGNAME)
    with pytest.raises(UnpackError, match="16384 bytes of headers"):
        run(tarball([name] * 2000, ""))


def test_header_that_would_be_kept_in_memory(run: Unpack) -> None:
    """What stands before a member is small, and a size that says otherwise is not read."""
    huge, _ = entry("././@PaxHeader", type=tarfile.XHDTYPE)
    huge.size = 1 << 33
    with pytest.raises(UnpackError, match="16384 bytes of headers"):
        run(huge.tobuf(tarfile.GNU_FORMAT) + tarball(packing=""))


def test_size_below_zero(run: Unpack) -> None:
    """A member that leads the reader back to itself does not make it read for ever."""
    header = bytearray(tarfile.TarInfo("again").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = tarfile.itn(-512, 12, tarfile.GNU_FORMAT)  # type: ignore[attr-defined]
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(UnpackError):
        run(bytes(header) + tarball(packing=""))


# --- hostile archives ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fields", "why"),
    [
        ("/etc/passwd", {}, "a path outside"),
        (f"{TOP}/src/../../../evil", {}, "a path outside"),
        ("../evil", {}, "a path outside"),
        (f"{TOP}/out", {"type": tarfile.SYMTYPE, "linkname": "../../evil"}, "outside"),
        (
            f"{TOP}/out",
            {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
            "a link to '/etc/passwd'",
        ),
        (f"{TOP}/out", {"type": tarfile.LNKTYPE, "linkname": "../evil"}, "outside"),
        (
            f"{TOP}/out",
            {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"},
            "a link to '/etc/passwd'",
        ),
        (f"{TOP}/device", {"type": tarfile.CHRTYPE, "devmajor": 1}, "neither a file"),
        (f"{TOP}/device", {"type": tarfile.BLKTYPE, "devmajor": 1}, "neither a file"),
        (f"{TOP}/fifo", {"type": tarfile.FIFOTYPE}, "neither a file"),
        (f"{TOP}/src/alloc.c", {}, "the same path twice"),
        (f"{TOP}/./src//alloc.c", {}, "the same path twice"),
        (f"{TOP}/src/link.c", {"type": tarfile.SYMTYPE, "linkname": "alloc.c"}, "a link where"),
        (
            f"{TOP}/src/link.c",
            {"type": tarfile.LNKTYPE, "linkname": f"{TOP}/src/alloc.c"},
            "a link where",
        ),
    ],
)
def test_hostile_member(
    run: Unpack, dirs: StepDirs, name: str, fields: dict[str, str], why: str
) -> None:
    """One such member is enough, used or not; nothing is written outside of the step directory."""
    before = set(dirs.workspace.root.parent.rglob("*"))
    problem = _refused(run, [entry(name, **fields)])
    new = set(dirs.workspace.root.parent.rglob("*")) - before

    assert f"the archive holds what no release holds: {name!r}" == problem.what
    assert why in problem.got
    assert "do not trust the place that it came from" == problem.hint
    assert [] == [file for file in new if not file.is_relative_to(dirs.workspace.work)]


def test_link_in_place_of_a_folder(run: Unpack, tmp_path: Path) -> None:
    """The members after it are not written through it."""
    link = entry(f"{TOP}/src/prim", type=tarfile.SYMTYPE, linkname=str(tmp_path))
    problem = _refused(run, [link, entry(f"{TOP}/src/prim/evil.c", "x")])

    assert "a link to " in problem.got
    assert not (tmp_path / "evil.c").exists()


@pytest.mark.parametrize("name", ["src/alloc.c/deep", "include/" + "x" * 300])
def test_name_that_no_file_can_have(run: Unpack, name: str) -> None:
    """A name below a file, or longer than names can be, is the archive's fault and not ours."""
    assert "truncated or broken" in _refused(run, [entry(f"{TOP}/{name}", "x")]).what


def test_names_that_differ_in_case(run: Unpack) -> None:
    """Two names are two files, and then it is another tree."""
    with pytest.raises(VerifyError, match="not mimalloc"):
        run(tarball([*entries(), entry(f"{TOP}/src/ALLOC.C", release.ALLOC)]))


def _with_limits(plan: Plan, **limits: int) -> Plan:
    changed = Limits(**{"download": 1, "unpacked": 1 << 20, "entries": 100, **limits})
    return replace(plan, package=replace(plan.package, limits=changed))


def test_too_many_entries(plan: Plan, dirs: StepDirs) -> None:
    """Reading of very many empty files stops early."""
    dirs.archive.write_bytes(tarball([entry(f"{TOP}/{number}") for number in range(200)]))
    with pytest.raises(UnpackError, match="too large") as caught:
        unpack.run(_with_limits(plan, entries=100), dirs, Report())

    assert "at most 1048576 bytes in 100 entries" == caught.value.expected
    assert "0 bytes or more in 101 entries or more" == caught.value.got


@pytest.mark.parametrize("used", ["src/bomb.c", "docs/bomb"])
def test_zip_bomb(plan: Plan, dirs: StepDirs, used: str) -> None:
    """What unpacks to more than any release does is not unpacked, wherever it stands."""
    bomb = entry(f"{TOP}/{used}", bytes(1 << 21))
    dirs.archive.write_bytes(tarball([*entries(), bomb], "xz"))
    with pytest.raises(UnpackError, match="too large"):
        unpack.run(_with_limits(plan), dirs, Report())

    assert len(dirs.archive.read_bytes()) < 5000
    assert [] == _files(dirs.tree)


def test_header_that_promises_too_much(plan: Plan, dirs: StepDirs) -> None:
    """A size is believed before anything is read."""
    member = tarfile.TarInfo(f"{TOP}/src/a.c")
    member.size = 1 << 40
    dirs.archive.write_bytes(member.tobuf() + bytes(1024))
    with pytest.raises(UnpackError, match="too large"):
        unpack.run(_with_limits(plan), dirs, Report())

    assert [] == _files(dirs.tree)


def test_sparse_file_counts_with_its_holes(plan: Plan, dirs: StepDirs) -> None:
    """A file of holes is as large as it will be."""
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": f"{TOP}/src/a"}
    member, data = entry(f"{TOP}/sparse", b"0\n".ljust(512, b"\0"))
    member.pax_headers = {**headers, "GNU.sparse.realsize": str(1 << 40)}
    dirs.archive.write_bytes(tarball([*entries(), (member, data)]))
    with pytest.raises(UnpackError, match="too large"):
        unpack.run(_with_limits(plan), dirs, Report())

    assert [] == _files(dirs.tree)


# --- something else ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "files",
    [
        ["readme.md"],
        ["CMakeLists.txt"],
        ["include/mimalloc.h"],
        ["cmakelists.txt", "include/mimalloc.h"],
        ["a/CMakeLists.txt", "b/include/mimalloc.h"],
        ["xCMakeLists.txt", "include/mimalloc.h"],
    ],
)
def test_archive_of_something_else(run: Unpack, files: list[str]) -> None:
    """The files of every mimalloc tree must be there, in one folder, with their exact names."""
    with pytest.raises(UnpackError) as caught:
        run(tarball([entry(f"{TOP}/{name}", "x") for name in files]))

    assert "no mimalloc in it" == caught.value.what
    assert "CMakeLists.txt and include/mimalloc.h" == caught.value.expected


def test_tree_that_was_not_tagged(run: Unpack, dirs: StepDirs) -> None:
    """One changed byte is another tree; both identities are shown, and how to compare."""
    changed = tarball(entries(**{"src/alloc.c": release.ALLOC.replace("line_1;", "line_0;")}))
    with pytest.raises(VerifyError) as caught:
        run(changed)

    problem = caught.value
    assert "this is not mimalloc 2.0.6 as upstream tagged it" == problem.what
    assert (release.identity(), dirs.tree) == (problem.expected, problem.file)
    assert identity_of(dirs.tree) == problem.got
    assert "diff -r" in problem.hint
    assert 21 == problem.exit_code
    assert release.identity() == identity_of(run(tarball()))


@pytest.mark.parametrize(
    ("name", "text", "what", "got"),
    [
        (
            "include/mimalloc.h",
            "#define MI_MALLOC_VERSION 207\n",
            "the header states another version",
            "207",
        ),
        ("include/mimalloc.h", "\n", "the header states another version", "none"),
        (
            "cmake/mimalloc-config-version.cmake",
            "set(mi_version_major 2)\nset(mi_version_minor 1)\nset(mi_version_patch 6)\n",
            "cmake's version file states another version",
            "2.1.6",
        ),
        (
            "cmake/mimalloc-config-version.cmake",
            "",
            "cmake's version file states another version",
            "none",
        ),
    ],
)
def test_tree_of_another_version(
    plan: Plan, dirs: StepDirs, name: str, text: str, what: str, got: str
) -> None:
    """A tag may be wrong: the version in the tree is compared with the recipe."""
    files = {**release.TREE, name: text}
    odd = release.recast(plan, tree=release.identity(files))
    dirs.archive.write_bytes(tarball(entries(**{name: text})))
    with pytest.raises(VerifyError) as caught:
        unpack.run(odd, dirs, Report())

    problem = caught.value
    assert (what, got, dirs.tree / name) == (problem.what, problem.got, problem.file)


def test_tree_without_a_version_file(plan: Plan, dirs: StepDirs) -> None:
    """A recipe may be pinned to a tree without the file; that is an error, too."""
    name = "cmake/mimalloc-config-version.cmake"
    files = {path: text for path, text in release.TREE.items() if path != name}
    odd = release.recast(plan, tree=release.identity(files))
    dirs.archive.write_bytes(
        tarball([(member, data) for member, data in entries() if not member.name.endswith(name)])
    )
    with pytest.raises(PackagingError) as caught:
        unpack.run(odd, dirs, Report())

    assert "none" == caught.value.got


# --- folders -------------------------------------------------------------------------------------


def _folder(plan: Plan, folder: Path) -> Plan:
    return replace(plan, user_source=UserSource("folder", str(folder), "x"))


def test_folder_is_copied(plan: Plan, dirs: StepDirs, tmp_path: Path) -> None:
    """Only what a build reads, and the user's folder stays as it is."""
    folder = release.unfold(tmp_path / "mine")
    before = _files(folder)
    unpack.run(_folder(plan, folder), dirs, Report())

    assert sorted(release.TREE) == _files(dirs.tree)
    assert before == _files(folder)


def test_folder_may_have_links_and_devices(plan: Plan, dirs: StepDirs, tmp_path: Path) -> None:
    """A link to a file is copied as that file; what is no file is left out, and not opened."""
    folder = release.unfold(tmp_path / "mine")
    file = folder / "src" / "alloc.c"
    file.rename(tmp_path / "alloc.c")
    file.symlink_to(tmp_path / "alloc.c")
    os.mkfifo(folder / "src" / "fifo")
    (folder / "src" / "dangling").symlink_to("nothing")
    unpack.run(_folder(plan, folder), dirs, Report())

    assert sorted(release.TREE) == _files(dirs.tree)
    assert not any(path.is_symlink() for path in dirs.tree.rglob("*"))


def test_link_outside_of_what_is_read(plan: Plan, dirs: StepDirs, tmp_path: Path) -> None:
    """What a build does not read may be anything."""
    folder = release.unfold(tmp_path / "mine")
    (folder / "docs" / "link").symlink_to("/etc/passwd")
    unpack.run(_folder(plan, folder), dirs, Report())

    assert sorted(release.TREE) == _files(dirs.tree)


def test_folder_of_something_else(plan: Plan, dirs: StepDirs, tmp_path: Path) -> None:
    """A folder that is not a mimalloc tree is an error of the user."""
    with pytest.raises(RequestError) as caught:
        unpack.run(_folder(plan, tmp_path), dirs, Report())

    assert ("not a mimalloc tree", tmp_path) == (caught.value.what, caught.value.file)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
