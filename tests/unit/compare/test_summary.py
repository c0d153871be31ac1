"""`summary`: a row for each allocator."""

from pipeline.compare import summary
from pipeline.compare.allocators import CONTROL
from tests.unit.compare.rounds import LOAD, OURS, results


def test_each_allocator_has_a_row() -> None:
    """Sizes at the start, at the most and at rest; the time relative to the C library's."""
    head, _, *rows = summary.lines(results())
    cells = {
        row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:-1]] for row in rows
    }

    assert ["start", f"{LOAD.name}: most, rest", "CPU", "page faults"] == [
        cell.strip() for cell in head.split("|")[2:-1]
    ]
    assert ["15.0", "15.0, 15.0", "1.00", "2"] == cells[OURS]
    assert ["10.0", "10.0, 10.0", "1.00", "2"] == cells[CONTROL]
