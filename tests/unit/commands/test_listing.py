"""`invoke list`: which packages are built."""

import platform
from pathlib import Path

import pytest

from pipeline.artifact import placement
from pipeline.commands import listing
from pipeline.model import Built, Plan
from pipeline.system.workspace import Workspace

pytestmark = pytest.mark.usefixtures("rpmbuild")


@pytest.fixture(autouse=True)
def scratch(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    """The scratch checkout has the cache that belongs to it."""
    monkeypatch.setattr("pipeline.system.workspace.locate", lambda root: workspace)


def _built(plan: Plan) -> Built:
    return Built(plan, Path("/dist/x.rpm"), "ab" * 32, 123, False)


def test_it_is_a_table_of_releases_and_machines(
    checkout: Path,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A dash, the release number, or that another state of the project has built the package."""

    def finished(plan: Plan, dirs: object) -> Built | None:
        return _built(plan) if plan.nevra == "mimalloc-custom-2.0.6-1.el7.x86_64" else None

    monkeypatch.setattr(placement, "finished", finished)
    old = workspace.dist / "el8" / "x86_64" / "mimalloc-custom-2.0.6-1.el8.x86_64.rpm"
    old.parent.mkdir(parents=True)
    old.touch()
    listing.run(checkout)
    dists, machines, *rows = capsys.readouterr().out.splitlines()
    cells = {row.split("  ")[0]: row.split("  ")[1:] for row in rows}
    states = {name: [cell.strip() for cell in row if cell] for name, row in cells.items()}

    assert ["el7", "el7", "el8", "el8"] == dists.split()[:4]
    assert ["mimalloc", "x86_64", "aarch64", "x86_64", "aarch64"] == machines.split()[:5]
    assert ["1", "-", "outdated", "-"] == states["2.0.6"][:4]
    assert {"-"} == set(states["2.0.6 secure"])


def test_it_does_not_depend_on_the_host(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has every architecture of a dist, whichever this machine has."""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(placement, "finished", lambda plan, dirs: _built(plan))
    listing.run(checkout)

    assert {"1"} == set(capsys.readouterr().out.splitlines()[-1].split()[2:])
