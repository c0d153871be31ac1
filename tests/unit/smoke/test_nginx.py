"""How an nginx of our own is set up, and how its workers are awaited."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.smoke import nginx
from pipeline.smoke.probe import PROBES


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """An nginx that prints only how it is built."""
    file = tmp_path / "nginx"
    file.write_text("#!/bin/sh\necho configure arguments: --without-http_uwsgi_module >&2\n")
    file.chmod(0o755)
    return file


def configuration(folder: Path, program: Path) -> str:
    """The configuration that is made for it."""
    nginx.prepare(folder, program, PROBES / nginx.CONFIGURATION, {"port": 8123})
    return (folder / nginx.CONFIGURATION).read_text()


def test_all_temporary_files_are_in_our_own_folder(tmp_path: Path, program: Path) -> None:
    """For each module that nginx is built with; without a module there is no such directive."""
    text = configuration(tmp_path / "a", program)

    assert "listen 127.0.0.1:8123;" in text
    assert "fastcgi_temp_path temporary/fastcgi;" in text
    assert "uwsgi" not in text
    assert (tmp_path / "a" / "temporary").is_dir()


def test_only_root_names_a_user(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nginx warns of the directive where it cannot follow it."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "user root root;" in configuration(tmp_path / "a", program)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert "user " not in configuration(tmp_path / "b", program)


def test_old_workers_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a reload they must have ended; whoever is there in the end is the answer."""
    monkeypatch.setattr(nginx, "TIMEOUT", 0.1)
    argv = ["sh", "-c", f"{sys.executable} -c 'print(1, flush=True); input()'; :"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as master:
        assert master.stdout
        master.stdout.readline()
        first = nginx.wait_for_workers(master, 1)
        again = nginx.wait_for_workers(master, 1, first)
        master.communicate(b"\n")

    assert [master.pid] == [first[0].pid, *(worker.pid for worker in first[2:])]
    assert [master.pid] == [process.pid for process in again]
    assert first[1].mapped
