"""`instructions`: the count for a request, and a count that is not complete."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.compare import instructions, nginx
from pipeline.compare.allocators import C_LIBRARY, Allocator
from pipeline.compare.nginx import Setup
from pipeline.model.errors import CompareError
from tests.unit.compare.rounds import LOAD, SETTINGS

LOG = "==7== Events    : Ir\n==7== Collected : {}\n==7== I   refs: 0\n"


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """An nginx whose worker takes 5 instructions for a request, and 900 for its start."""
    served = list[int]()

    @contextmanager
    def running(
        setup: Setup, allocator: Allocator, folder: Path, under: Sequence[str]
    ) -> Iterator[SimpleNamespace]:
        assert 0 == setup.settings.sites
        master = SimpleNamespace(send_signal=lambda number: None, wait=lambda seconds: None)
        yield SimpleNamespace(master=master, allocator=allocator)
        pattern = under[-1].removeprefix("--log-file=")
        for pid, count in ((7, 100), (8, 900 + 5 * served[-1])):
            Path(pattern.replace("%p", str(pid))).write_text(LOG.format(count))

    monkeypatch.setattr(nginx, "running", running)
    monkeypatch.setattr(instructions, "_request", lambda server, load, n: served.append(n))
    return Setup("nginx", SETTINGS, tmp_path)


def test_the_start_is_not_counted(setup: Setup, tmp_path: Path) -> None:
    """Nor what the first request takes only once."""
    assert 5.0 == instructions.per_request(setup, Allocator(C_LIBRARY), LOAD, tmp_path / "a")


def test_a_worker_without_a_count_is_an_error(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed, or it crashed; what valgrind says of it is shown."""
    monkeypatch.setattr("tests.unit.compare.test_instructions.LOG", "==7== Killed\n")
    with pytest.raises(CompareError, match=r"cannot be counted \(static\)") as caught:
        instructions.per_request(setup, Allocator(C_LIBRARY), LOAD, tmp_path / "a")

    assert ("2 counts", "0") == (caught.value.expected, caught.value.got)
    assert "Killed" in caught.value.detail
