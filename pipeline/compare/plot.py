"""The results as a picture: a row for each load, a bar with its spread for each allocator."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.compare.allocators import C_LIBRARY, CONTROL, TUNED, Allocator
from pipeline.compare.nginx import Measurement
from pipeline.compare.results import CPU, RSS_IDLE, RSS_PEAK, RSS_START, Results, spread

_PANELS = {
    "CPU for a request, µs": CPU,
    "RSS of a worker at start, MiB": RSS_START,
    "RSS of a worker at most, MiB": RSS_PEAK,
    "RSS of a worker at rest, MiB": RSS_IDLE,
}
_TUNED, _OURS, _GREY, _SAND = "#2a6f97", "#a9d0e8", "#8d99ae", "#d9a679"

# The files have no date and no random names: the same results give the same bytes.
_STYLE: Any = {"svg.hashsalt": "mimalloc-custom", "svg.fonttype": "path", "font.size": 9}


def draw(
    results: Results[Measurement], allocators: Sequence[Allocator], files: Sequence[Path]
) -> None:
    """Draw the picture into files; the ending of each is its format."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        height = 0.9 + len(results.cases) * (0.5 + 0.22 * len(allocators))
        figure = Figure(figsize=(13, height), layout="constrained")
        panels = figure.subplots(len(results.cases), len(_PANELS), squeeze=False, sharey="row")
        for row, case in zip(panels, results.cases, strict=True):
            for axes, column in zip(row, _PANELS.values(), strict=True):
                values = [results.values(case, one.name, column) for one in allocators]
                _panel(axes, allocators, values)
            row[0].set_ylabel(case, fontsize=11, fontweight="bold")
        for axes, title in zip(panels[0], _PANELS, strict=True):
            axes.set_title(title, fontsize=10)
        figure.suptitle(
            "nginx on each allocator, less is better: median of all rounds, and the range;\n"
            f"dark blue: mimalloc with the settings of {TUNED.strip()}, light blue: without; "
            f"dotted: {C_LIBRARY}",
            fontsize=10,
        )
        for file in files:
            metadata = {"Date": None} if file.suffix == ".svg" else {"Software": None}
            figure.savefig(file, dpi=110, metadata=metadata)


def _panel(axes: Any, allocators: Sequence[Allocator], values: Sequence[Sequence[float]]) -> None:
    """A bar for each allocator, with its number behind the end of its line."""
    bars = [spread(numbers) for numbers in values]
    medians, highs = [bar.median for bar in bars], [bar.high for bar in bars]
    ranges = [[bar.median - bar.low for bar in bars], [bar.high - bar.median for bar in bars]]
    names, colours = [one.name for one in allocators], [_colour(one) for one in allocators]
    axes.barh(names, medians, xerr=ranges, color=colours, capsize=2)
    axes.axvline(medians[0], color="black", linewidth=0.7, linestyle=":", zorder=0)
    for place, (median, high) in enumerate(zip(medians, highs, strict=True)):
        text = f"{median:.0f}" if median >= 100 else f"{median:.1f}"
        where = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # over the dotted line
        axes.annotate(text, (high, place), bbox=paper, **where)
    axes.set_xlim(0, 1.2 * max(highs))
    axes.set_ylim(len(names) - 0.4, -0.6)  # the first on top
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="x", labelsize=7)


def _colour(allocator: Allocator) -> str:
    if allocator.name in (C_LIBRARY, CONTROL):
        return _GREY
    if allocator.ours:
        return _TUNED if allocator.env else _OURS
    return _SAND
