"""`debian`: the tarball of a source package, by the host's apt."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.model import Source
from pipeline.model.errors import FetchError
from pipeline.sources import debian, pinned
from pipeline.system.report import Report

APT_GET = """\
#!/bin/sh
printf '%s\\n' "$*" >>{log}
case "$*" in *update*) exit 100 ;; *=9*) echo 'E: Unable to find a source package'; exit 100 ;; esac
case "$*" in *empty*) exit 0 ;; esac
printf tarball >mimalloc_2.0.9+ds.orig.tar.xz
cp sources.d/* {folder} 2>/dev/null
exit 0
"""


def _obtain(part: Path, log: Path, request: str = "mimalloc=2.0.9+ds-2") -> None:
    pinned.obtain(Source("0", debian=request), part, limit=1 << 20, report=Report(), log=log)


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A host whose apt is set up for two archives; the folder has its arguments and sources."""
    folder, program = tmp_path / "apt", tmp_path / "bin" / "apt-get"
    lists = folder / "etc" / "sources.list.d"
    lists.mkdir(parents=True)
    (folder / "etc" / "sources.list").write_text("# deb\ndeb http://one.invalid stable main\n")
    (lists / "two.sources").write_text("Types: deb\nURIs: http://two.invalid\n")
    (lists / "two.sources.save").write_text("Types: deb\n")
    program.parent.mkdir()
    program.write_text(APT_GET.format(log=folder / "arguments", folder=folder))
    program.chmod(0o755)
    monkeypatch.setattr(debian, "_CONFIGURATION", folder / "etc")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    before = {file: file.read_bytes() for file in (folder / "etc").rglob("*") if file.is_file()}
    yield folder
    after = {file: file.read_bytes() for file in (folder / "etc").rglob("*") if file.is_file()}
    assert before == after


def test_tarball_is_downloaded(apt: Path, part: Path, log: Path) -> None:
    """Only the tarball is requested, in a temporary folder; an update may fail."""
    _obtain(part, log)

    update, source = (apt / "arguments").read_text().splitlines()
    assert "tarball" == part.read_text()
    assert update.endswith(" update")
    assert source.endswith(" source --download-only --tar-only mimalloc=2.0.9+ds-2")
    assert "Dir::State::lists=" in source


def test_sources_of_the_hosts_archives_are_used(apt: Path, part: Path, log: Path) -> None:
    """The host's own files do not change."""
    _obtain(part, log)

    assert "# deb\ndeb-src http://one.invalid stable main\n" == (apt / "sources.list").read_text()
    assert "Types: deb-src\nURIs: http://two.invalid\n" == (apt / "two.sources").read_text()
    assert not (apt / "two.sources.save").exists()


@pytest.mark.parametrize(
    ("request_", "what"),
    [("mimalloc=9-1", "not in the archives"), ("empty=1-1", "has no upstream tarball")],
)
def test_package_that_does_not_exist(
    apt: Path, part: Path, log: Path, request_: str, what: str
) -> None:
    """The output of apt is in the log, and the package is named."""
    with pytest.raises(FetchError, match=what) as caught:
        _obtain(part, log, request_)

    assert caught.value.what.startswith(f"{request_}: ")
    assert not part.exists()
    assert log.read_text().startswith("$ apt-get -o ")
    assert (apt / "arguments").exists()


def test_versions_are_those_of_the_archives(apt: Path) -> None:
    """In apt's order; the lists are downloaded first, and are not those of the host."""
    program = apt.parent / "bin" / "apt-cache"
    output = "Package: mimalloc\nVersion: 2.0.9+ds-2\n\nPackage: mimalloc\nVersion: 2.0.9+ds-1\n"
    program.write_text(f"#!/bin/sh\necho \"$@\" > {apt}/query\nprintf '{output}'\n")
    program.chmod(0o755)

    assert ["2.0.9+ds-2", "2.0.9+ds-1"] == debian.versions("mimalloc")
    query = (apt / "query").read_text()
    assert query.endswith("showsrc --only-source mimalloc\n")
    assert "Dir::Etc::sourcelist=/dev/null" in query
    assert (apt / "arguments").read_text().rstrip().endswith("update")


def test_host_without_apt_has_no_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no error."""
    monkeypatch.setenv("PATH", "/nonexistent")

    assert [] == debian.versions("mimalloc")


def test_host_without_apt(monkeypatch: pytest.MonkeyPatch, part: Path, log: Path) -> None:
    """On a host that is not Debian's, this source is not available."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FetchError, match="mimalloc=2-1: no apt-get on this host"):
        _obtain(part, log, "mimalloc=2-1")

    assert not part.exists()
