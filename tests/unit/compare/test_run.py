"""`run`: what is refused before anything is measured."""

import shutil
from importlib import util
from pathlib import Path

import pytest

from pipeline.compare import run
from pipeline.compare.settings import Request
from pipeline.model import Selection
from pipeline.model.errors import HostError, RequestError


@pytest.fixture(autouse=True)
def no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test that would measure."""
    monkeypatch.setattr(run, "measure_all", lambda *_: pytest.fail("something is measured"))


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the programs and modules that this host has."""
    present = {"nginx", "wrk", "openssl", "matplotlib"}
    monkeypatch.setattr(
        shutil, "which", lambda name, path="": f"/bin/{name}" if name in present else None
    )
    monkeypatch.setattr(run, "find_spec", lambda name: util if name in present else None)
    return present


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("nginx", "invoke doctor"),
        ("wrk", "invoke doctor"),
        ("openssl", "invoke doctor"),
        ("matplotlib", "./bootstrap invoke compare"),
    ],
)
def test_what_the_host_lacks_is_named_first(
    checkout: Path, programs: set[str], name: str, hint: str
) -> None:
    """And not after twenty minutes of measuring."""
    programs.remove(name)
    with pytest.raises(HostError, match=f"no {name}") as caught:
        run.run(checkout, Request(Selection()))

    assert hint == caught.value.hint


def test_an_nginx_that_is_not_there_is_refused(checkout: Path, tmp_path: Path) -> None:
    """Another nginx than the host's is named by its path."""
    with pytest.raises(RequestError, match="--nginx"):
        run.run(checkout, Request(Selection(), nginx=str(tmp_path / "nginx")))
