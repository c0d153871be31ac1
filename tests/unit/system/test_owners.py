"""`owners`: who else can change what is in a folder."""

import grp
import os
import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.system import owners

SELF, OTHER = os.geteuid(), 4242


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of this user alone."""
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """The users of a host, with this one, whose group is its own."""
    gid = os.getegid()
    users = [SimpleNamespace(pw_name="self", pw_uid=SELF, pw_gid=gid)]
    groups = {gid: SimpleNamespace(gr_mem=[])}
    monkeypatch.setattr(pwd, "getpwall", lambda: users)
    monkeypatch.setattr(grp, "getgrgid", lambda number: groups[number])
    return users


def test_a_folder_of_this_user_alone(folder: Path) -> None:
    """Whoever may read it."""
    assert "" == owners.others(folder)


def test_everybody_can_write(folder: Path) -> None:
    """Also where each may change only what is his own, as in /tmp."""
    for mode in (0o777, 0o1777, 0o702):
        folder.chmod(mode)
        assert "everybody can write to it" == owners.others(folder)


def test_the_users_own_group_can_write(folder: Path, accounts: list[SimpleNamespace]) -> None:
    """Enterprise Linux makes a group for each user, and lets it write to new files."""
    folder.chmod(0o775)
    assert "" == owners.others(folder)

    accounts.append(SimpleNamespace(pw_name="other", pw_uid=OTHER, pw_gid=os.getegid()))
    assert f"group {os.getegid()} can write to it" == owners.others(folder)


def test_a_group_with_another_member_can_write(
    folder: Path, accounts: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is this user's, and somebody was added to it."""
    folder.chmod(0o775)
    monkeypatch.setattr(grp, "getgrgid", lambda _: SimpleNamespace(gr_mem=["self", "other"]))

    assert "group" in owners.others(folder)


def test_a_group_without_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container: it has no members that anybody knows."""

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(grp, "getgrgid", unknown)
    monkeypatch.setattr(pwd, "getpwall", list)
    folder.chmod(0o775)

    assert "" == owners.others(folder)


def test_a_folder_of_another_user(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner can write to it, whatever its mode is."""
    monkeypatch.setattr(os, "geteuid", lambda: OTHER)
    if SELF == 0:
        # Root can change everything anyway.
        assert "" == owners.others(folder)
        os.chown(folder, 1, -1)
        assert "it belongs to uid 1" == owners.others(folder)
    else:
        assert f"it belongs to uid {SELF}" == owners.others(folder)


def test_another_group_can_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that this user is not in by default."""
    monkeypatch.setattr(os, "getegid", lambda: OTHER)
    folder.chmod(0o775)

    assert f"group {folder.stat().st_gid} can write to it" == owners.others(folder)
