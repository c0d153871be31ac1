"""`user`: a tarball, a folder, a git repository or a URL that the user names."""

import os
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from pipeline.model import Plan, UserSource
from pipeline.model.errors import FetchError, HostError, RequestError
from pipeline.sources import user
from pipeline.system.report import Report
from tests.unit import release
from tests.unit.server import Answer, Server

LIMIT = 1 << 20


def _git(folder: Path, *arguments: str) -> str:
    author = ("-c", "user.name=x", "-c", "user.email=x@x.invalid", "-c", "init.defaultBranch=main")
    result = subprocess.run(
        ["git", *author, "-C", folder, *arguments], check=True, capture_output=True, text=True
    )
    return result.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository of the tiny release, tagged v2.0.6, with one more commit."""
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


def _source(location: Path | str, plan: Plan) -> UserSource:
    return user.user_source(str(location), "2.0.6", plan.package)


def _deliver(source: UserSource, part: Path, log: Path) -> None:
    user.deliver(source, part, release.TOP, limit=LIMIT, report=Report(), log=log)


def test_tarball_is_identified_by_its_checksum(
    tmp_path: Path, plan: Plan, part: Path, log: Path
) -> None:
    """Another content is another source; the name does not matter."""
    file = tmp_path / "some.tar.gz"
    file.write_bytes(b"content")
    source = _source(file, plan)
    _deliver(source, part, log)

    assert ("archive", f"sha256:{sha256(b'content').hexdigest()}") == (
        source.kind,
        source.fingerprint,
    )
    assert b"content" == part.read_bytes()


def test_relative_path(tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is relative to the working directory."""
    (tmp_path / "some.tar.gz").touch()
    monkeypatch.chdir(tmp_path)

    assert str(tmp_path / "some.tar.gz") == _source("some.tar.gz", plan).location


def test_folder_is_identified_by_its_files(
    tmp_path: Path, plan: Plan, part: Path, log: Path
) -> None:
    """It is not copied, and files that a build does not read do not count."""
    source = _source(release.unfold(tmp_path / "tree"), plan)
    _deliver(source, part, log)

    assert ("folder", release.identity()) == (source.kind, source.fingerprint)
    assert not part.exists()


@pytest.mark.parametrize("bare", [False, True], ids=["with a work tree", "bare"])
def test_repository_gives_its_tag(
    repository: Path, plan: Plan, part: Path, log: Path, bare: bool
) -> None:
    """The archive has the tagged tree, whatever is checked out."""
    if bare:
        _git(repository.parent, "clone", "-q", "--bare", str(repository), "bare.git")
        repository = repository.parent / "bare.git"
    source = _source(repository, plan)
    _deliver(source, part, log)
    subprocess.run(["tar", "-xzf", part], cwd=part.parent, check=True)

    assert ("git", _git(repository, "rev-parse", "v2.0.6^{commit}")) == (
        source.kind,
        source.fingerprint,
    )
    assert release.ALLOC == (part.parent / release.TOP / "src" / "alloc.c").read_text()


def test_repository_gives_the_same_bytes_twice(
    repository: Path, plan: Plan, part: Path, log: Path
) -> None:
    """The archive has no time in it, so it can have the checksum of upstream's tarball."""
    source = _source(repository, plan)
    _deliver(source, part, log)
    first = part.read_bytes()
    _deliver(source, part, log)

    assert first == part.read_bytes()
    assert bytes(4) == first[4:8]


def test_repository_without_the_tag(repository: Path, plan: Plan) -> None:
    """The missing tag is named."""
    _git(repository, "tag", "-d", "v2.0.6")
    with pytest.raises(FetchError) as caught:
        _source(repository, plan)

    assert f"{repository}: the repository has no tag v2.0.6" in caught.value.what
    assert f"git -C {repository} fetch --tags" == caught.value.hint


def test_repository_that_is_broken(repository: Path, plan: Plan, part: Path, log: Path) -> None:
    """The output of git is in the log and in the message."""
    source = _source(repository, plan)
    for file in (repository / ".git" / "objects").rglob("*"):
        if file.is_file():
            file.unlink()
    with pytest.raises(FetchError, match=f"git cannot archive {source.fingerprint}") as caught:
        _deliver(source, part, log)

    assert log == caught.value.file
    assert "" != caught.value.detail


def test_repository_on_a_host_without_git(
    repository: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The missing program is named."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError) as caught:
        _source(repository, plan)

    assert "git cannot be started" == caught.value.what


def test_url_is_downloaded_anew(http: Server, plan: Plan, part: Path, log: Path) -> None:
    """What an earlier run has left may be another file."""
    http.answers = [Answer(b"content", ranges=True)]
    part.write_bytes(b"xxx")
    _deliver(_source(http.url, plan), part, log)

    assert b"content" == part.read_bytes()


def test_fingerprint_of_a_url_has_no_password(plan: Plan) -> None:
    """The fingerprint goes into the provenance of the package, which is public."""
    source = _source("https://me:secret@x.invalid/a.tar.gz", plan)

    assert "https://me:secret@x.invalid/a.tar.gz" == source.location
    assert "https://x.invalid/a.tar.gz" == source.fingerprint


@pytest.mark.parametrize("name", ["nowhere", "x" * 300, "fifo"])
def test_path_that_is_not_a_source(tmp_path: Path, plan: Plan, name: str) -> None:
    """What is neither a file nor a folder is refused at once."""
    if name == "fifo":
        os.mkfifo(tmp_path / "fifo")
    with pytest.raises(RequestError) as caught:
        _source(tmp_path / name, plan)

    assert name in str(caught.value)
    assert 2 == caught.value.exit_code
