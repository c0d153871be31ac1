"""`origins`: a URL, the Python index, Debian's archives, and what the user hands over."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import certifi
import pytest

from pipeline.model import Plan, Source, UserSource
from pipeline.model.errors import FetchError, HostError, RequestError
from pipeline.sources import debian, pinned, user
from pipeline.system import download
from pipeline.system.report import Report
from tests.unit import release
from tests.unit.server import Answer, Server

LIMIT = 1 << 20

APT_GET = """\
#!/bin/sh
printf '%s\\n' "$*" >>{log}
case "$*" in *update*) exit 100 ;; *=9*) echo 'E: Unable to find a source package'; exit 100 ;; esac
case "$*" in *empty*) exit 0 ;; esac
printf tarball >mimalloc_2.0.9+ds.orig.tar.xz
cp sources.d/* {folder} 2>/dev/null
exit 0
"""


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """Where the archive goes."""
    return tmp_path / "part"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of the step."""
    return tmp_path / "log"


def _obtain(source: Source, part: Path, log: Path) -> bool:
    return pinned.obtain(source, part, limit=LIMIT, report=Report(), log=log)


# --- a URL and a Python source distribution ------------------------------------------------------


def test_url_is_downloaded(http: Server, part: Path, log: Path) -> None:
    """The answer says whether an earlier part was gone on with."""
    http.answers = [Answer(b"content", ranges=True)]
    part.write_bytes(b"con")

    assert _obtain(Source("0", url=http.url), part, log)
    assert b"content" == part.read_bytes()


def _set_up(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    found = [(name.replace("_", "-"), value) for name, value in settings.items()]
    monkeypatch.setattr(user, "_pip_settings", lambda: iter(found))


def test_sdist_is_found_where_pip_looks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: Path, log: Path
) -> None:
    """A folder that pip is told of by the environment is looked at; wheels are passed by."""
    (tmp_path / "links").mkdir()
    for name in ("cmeel_mimalloc-3.4.3.tar.gz", "cmeel_mimalloc-3.4.3-py3-none-any.whl"):
        (tmp_path / "links" / name).write_text(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))

    assert not _obtain(Source("0", sdist="cmeel-mimalloc==3.4.3"), part, log)
    assert "cmeel_mimalloc-3.4.3.tar.gz" == part.read_text()


def test_sdist_is_downloaded_from_the_index(
    monkeypatch: pytest.MonkeyPatch, http: Server, part: Path, log: Path
) -> None:
    """The index that pip is set up for is asked for the page, then for the file."""
    page = b'<a href="../../cmeel_mimalloc-3.4.3.tar.gz#sha256=00">cmeel_mimalloc-3.4.3.tar.gz</a>'
    http.answers = [Answer(page, headers={"Content-Type": "text/html"}), Answer(b"content")]
    _set_up(monkeypatch, index_url=http.url.replace("v2.0.6.tar.gz", "simple"))

    assert not _obtain(Source("0", sdist="cmeel-mimalloc==3.4.3"), part, log)
    assert b"content" == part.read_bytes()
    assert "identity" == http.asked[-1]["Accept-Encoding"]


def test_sdist_that_no_index_has(
    monkeypatch: pytest.MonkeyPatch, part: Path, log: Path, tmp_path: Path
) -> None:
    """What is not there is told by its name, and nothing is left behind."""
    _set_up(monkeypatch, no_index="1", find_links=str(tmp_path))
    with pytest.raises(FetchError, match="cmeel-mimalloc==9: not on the package index"):
        _obtain(Source("0", sdist="cmeel-mimalloc==9"), part, log)

    assert not part.exists()


def test_index_that_is_in_trouble(
    monkeypatch: pytest.MonkeyPatch, http: Server, part: Path, log: Path
) -> None:
    """An index that does not answer is one source less, and not the end."""
    http.answers = [Answer(status=404)]
    _set_up(monkeypatch, index_url=http.url)
    with pytest.raises(FetchError) as caught:
        _obtain(Source("0", sdist="cmeel-mimalloc==3.4.3"), part, log)

    assert caught.value.what.startswith("cmeel-mimalloc==3.4.3: ")


def test_index_that_is_not_there(monkeypatch: pytest.MonkeyPatch, part: Path, log: Path) -> None:
    """A machine without a network gets a reason, and no traceback."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/simple"
        _set_up(monkeypatch, index_url=url)
        with pytest.raises(FetchError, match=r"3.4.3: the package index: .*refused"):
            _obtain(Source("0", sdist="cmeel-mimalloc==3.4.3"), part, log)

    assert not part.exists()


def test_pips_certificates_are_trusted(
    monkeypatch: pytest.MonkeyPatch, http: Server, part: Path, log: Path
) -> None:
    """An index with a certificate of its own: what pip is told to trust, the download trusts."""
    page = b'<a href="../../cmeel_mimalloc-3.4.3.tar.gz">cmeel_mimalloc-3.4.3.tar.gz</a>'
    http.answers = [Answer(page, headers={"Content-Type": "text/html"})]
    file = certifi.where()
    _set_up(monkeypatch, index_url=http.url.replace("v2.0.6.tar.gz", "simple"), cert=file)
    given: list[str] = []
    monkeypatch.setattr(
        download, "download", lambda *_, certificates, **__: given.append(certificates)
    )
    _obtain(Source("0", sdist="cmeel-mimalloc==3.4.3"), part, log)

    assert [file] == given


def test_pips_certificates_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, part: Path, log: Path
) -> None:
    """A wrong setting of pip is told as such."""
    _set_up(monkeypatch, cert="/no/such/file")
    with pytest.raises(FetchError, match=r"pip's certificates, /no/such/file: No such file"):
        _obtain(Source("0", sdist="cmeel-mimalloc==3.4.3"), part, log)

    assert not part.exists()


def test_an_environment_without_pip(monkeypatch: pytest.MonkeyPatch, part: Path, log: Path) -> None:
    """Some tools make environments that have none; nobody guesses an index then."""
    monkeypatch.setattr("pipeline.sources.user.sys.executable", "/bin/false")
    with pytest.raises(FetchError, match="pip does not tell which index it asks") as caught:
        _obtain(Source("0", sdist="cmeel-mimalloc==3.4.3"), part, log)

    assert "./bootstrap" == caught.value.hint


# --- a Debian source package ---------------------------------------------------------------------


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A host whose apt knows two archives; the folder has what it was asked and given."""
    folder, program = tmp_path / "apt", tmp_path / "bin" / "apt-get"
    lists = folder / "etc" / "sources.list.d"
    lists.mkdir(parents=True)
    (folder / "etc" / "sources.list").write_text("# deb\ndeb http://one.invalid stable main\n")
    (lists / "two.sources").write_text("Types: deb\nURIs: http://two.invalid\n")
    (lists / "two.sources.save").write_text("Types: deb\n")
    program.parent.mkdir()
    program.write_text(APT_GET.format(log=folder / "asked", folder=folder))
    program.chmod(0o755)
    monkeypatch.setattr(user, "_APT", folder / "etc")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    before = {file: file.read_bytes() for file in (folder / "etc").rglob("*") if file.is_file()}
    yield folder
    after = {file: file.read_bytes() for file in (folder / "etc").rglob("*") if file.is_file()}
    assert before == after


def test_debian_tarball_is_downloaded(apt: Path, part: Path, log: Path) -> None:
    """Only the tarball is asked for, in a scratch place; an update that fails is not the end."""
    assert not _obtain(Source("0", debian="mimalloc=2.0.9+ds-2"), part, log)

    update, source = (apt / "asked").read_text().splitlines()
    assert "tarball" == part.read_text()
    assert update.endswith(" update")
    assert source.endswith(" source --download-only --tar-only mimalloc=2.0.9+ds-2")
    assert "Dir::State::lists=" in source


def test_debian_archives_are_asked_for_sources(apt: Path, part: Path, log: Path) -> None:
    """The host's own archives, as sources; the host's own files stay as they are."""
    _obtain(Source("0", debian="mimalloc=2.0.9+ds-2"), part, log)

    assert "# deb\ndeb-src http://one.invalid stable main\n" == (apt / "sources.list").read_text()
    assert "Types: deb-src\nURIs: http://two.invalid\n" == (apt / "two.sources").read_text()
    assert not (apt / "two.sources.save").exists()


@pytest.mark.parametrize(
    ("request_", "what"),
    [("mimalloc=9-1", "not to be had from the archives"), ("empty=1-1", "has no upstream tarball")],
)
def test_debian_package_that_is_not_there(
    apt: Path, part: Path, log: Path, request_: str, what: str
) -> None:
    """What apt says is in the log, and the package is named."""
    with pytest.raises(FetchError, match=what) as caught:
        _obtain(Source("0", debian=request_), part, log)

    assert caught.value.what.startswith(f"{request_}: ")
    assert not part.exists()
    assert log.read_text().startswith("$ apt-get -o ")
    assert (apt / "asked").exists()


def test_debian_versions_are_those_of_the_archives(apt: Path) -> None:
    """As they come; the lists that they are read from are fetched first, and not the host's."""
    program = apt.parent / "bin" / "apt-cache"
    told = "Package: mimalloc\nVersion: 2.0.9+ds-2\n\nPackage: mimalloc\nVersion: 2.0.9+ds-1\n"
    program.write_text(f"#!/bin/sh\necho \"$@\" > {apt}/searched\nprintf '{told}'\n")
    program.chmod(0o755)

    assert ["2.0.9+ds-2", "2.0.9+ds-1"] == debian.versions("mimalloc")
    searched = (apt / "searched").read_text()
    assert searched.endswith("showsrc --only-source mimalloc\n")
    assert "Dir::Etc::sourcelist=/dev/null" in searched
    assert (apt / "asked").read_text().rstrip().endswith("update")


def test_host_without_apt_knows_no_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked."""
    monkeypatch.setenv("PATH", "/nonexistent")

    assert [] == debian.versions("mimalloc")


def test_host_without_apt(monkeypatch: pytest.MonkeyPatch, part: Path, log: Path) -> None:
    """A host of another family has one source less."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FetchError, match="mimalloc=2-1: no apt-get on this host"):
        _obtain(Source("0", debian="mimalloc=2-1"), part, log)

    assert not part.exists()


# --- what the user hands over --------------------------------------------------------------------


def _git(folder: Path, *arguments: str) -> str:
    author = ("-c", "user.name=x", "-c", "user.email=x@x.invalid", "-c", "init.defaultBranch=main")
    told = subprocess.run(
        ["git", *author, "-C", folder, *arguments], check=True, capture_output=True, text=True
    )
    return told.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository of the tiny release, tagged v2.0.6, with a commit more on top."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = release.unfold(tmp_path / "repository")
    _git(folder, "init", "-q")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "release")
    _git(folder, "tag", "-a", "v2.0.6", "-m", "v2.0.6")
    (folder / "src" / "alloc.c").write_text("later\n")
    _git(folder, "commit", "-q", "-a", "-m", "later")
    return folder


def _handed(location: Path | str, plan: Plan) -> UserSource:
    return user.user_source(str(location), "2.0.6", plan.package)


def _deliver(given: UserSource, part: Path, log: Path) -> None:
    user.deliver(given, part, release.TOP, limit=LIMIT, report=Report(), log=log)


def test_tarball_is_known_by_its_checksum(
    tmp_path: Path, plan: Plan, part: Path, log: Path
) -> None:
    """Another content is another source, whatever the name."""
    file = tmp_path / "some.tar.gz"
    file.write_bytes(b"content")
    given = _handed(file, plan)
    _deliver(given, part, log)

    assert ("archive", f"sha256:{sha256(b'content').hexdigest()}") == (
        given.kind,
        given.fingerprint,
    )
    assert b"content" == part.read_bytes()


def test_relative_path_is_of_the_users_folder(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path is taken from where the user stands."""
    (tmp_path / "some.tar.gz").touch()
    monkeypatch.chdir(tmp_path)

    assert str(tmp_path / "some.tar.gz") == _handed("some.tar.gz", plan).location


def test_folder_is_known_by_its_identity(tmp_path: Path, plan: Plan, part: Path, log: Path) -> None:
    """A folder stays where it is; what a build does not read does not count."""
    given = _handed(release.unfold(tmp_path / "tree"), plan)
    _deliver(given, part, log)

    assert ("folder", release.identity()) == (given.kind, given.fingerprint)
    assert not part.exists()


@pytest.mark.parametrize("bare", [False, True], ids=["with a work tree", "bare"])
def test_repository_gives_its_tag(
    repository: Path, plan: Plan, part: Path, log: Path, bare: bool
) -> None:
    """What is packed is the tagged tree, whatever is checked out."""
    if bare:
        _git(repository.parent, "clone", "-q", "--bare", str(repository), "bare.git")
        repository = repository.parent / "bare.git"
    given = _handed(repository, plan)
    _deliver(given, part, log)
    subprocess.run(["tar", "-xzf", part], cwd=part.parent, check=True)

    assert ("git", _git(repository, "rev-parse", "v2.0.6^{commit}")) == (
        given.kind,
        given.fingerprint,
    )
    assert release.ALLOC == (part.parent / release.TOP / "src" / "alloc.c").read_text()


def test_repository_gives_the_same_bytes_twice(
    repository: Path, plan: Plan, part: Path, log: Path
) -> None:
    """No clock is in the archive, so it can have the checksum of upstream's tarball."""
    given = _handed(repository, plan)
    _deliver(given, part, log)
    first = part.read_bytes()
    _deliver(given, part, log)

    assert first == part.read_bytes()
    assert bytes(4) == first[4:8]


def test_repository_without_the_tag(repository: Path, plan: Plan) -> None:
    """A repository that does not have the release says which tag is missing."""
    _git(repository, "tag", "-d", "v2.0.6")
    with pytest.raises(FetchError) as caught:
        _handed(repository, plan)

    assert f"{repository}: the repository has no tag v2.0.6" in caught.value.what
    assert "git exited with" in caught.value.got


def test_repository_that_is_broken(repository: Path, plan: Plan, part: Path, log: Path) -> None:
    """What git says is in the log and in the message."""
    given = _handed(repository, plan)
    for file in (repository / ".git" / "objects").rglob("*"):
        if file.is_file():
            file.unlink()
    with pytest.raises(FetchError, match=f"git cannot archive {given.seal}") as caught:
        _deliver(given, part, log)

    assert log == caught.value.file
    assert "" != caught.value.detail


def test_repository_on_a_host_without_git(
    repository: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program that is missing is named."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError) as caught:
        _handed(repository, plan)

    assert "git cannot be started" == caught.value.what


def test_url_is_downloaded_anew(http: Server, plan: Plan, part: Path, log: Path) -> None:
    """What an earlier run has left is not of this download."""
    http.answers = [Answer(b"content", ranges=True)]
    part.write_bytes(b"xxx")
    _deliver(_handed(http.url, plan), part, log)

    assert b"content" == part.read_bytes()


def test_url_is_sealed_without_its_password(plan: Plan) -> None:
    """What goes into a package's record is for everybody's eyes."""
    given = _handed("https://me:secret@x.invalid/a.tar.gz", plan)

    assert "https://me:secret@x.invalid/a.tar.gz" == given.location
    assert "https://x.invalid/a.tar.gz" == given.fingerprint


@pytest.mark.parametrize("name", ["nowhere", "x" * 300, "fifo"])
def test_source_that_cannot_be_one(tmp_path: Path, plan: Plan, name: str) -> None:
    """What is neither a file nor a folder is refused before anything is done."""
    if name == "fifo":
        os.mkfifo(tmp_path / "fifo")
    with pytest.raises(RequestError) as caught:
        _handed(tmp_path / name, plan)

    assert name in str(caught.value)
    assert 2 == caught.value.exit_code
