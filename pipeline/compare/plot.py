"""The results as a picture: a row for each load, a bar with its spread for each allocator."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.compare.allocators import C_LIBRARY, CONTROL, Allocator
from pipeline.compare.nginx import Measurement
from pipeline.compare.results import P99, RATE, RSS_IDLE, RSS_PEAK, Column, Results, spread

_PANELS = {
    "requests a second\n(more is better)": RATE,
    "p99 latency, ms\n(less is better)": P99,
    "RSS of a worker at most, MiB\n(less is better)": RSS_PEAK,
    "RSS of a worker at rest, MiB\n(less is better)": RSS_IDLE,
}
_BLUE, _GREY, _SAND = "#2a6f97", "#8d99ae", "#c08552"
_PALE = "73"  # added to a colour: 45 % of it

# The files have no date and no random names: the same results give the same bytes.
_STYLE: Any = {"svg.hashsalt": "mimalloc-custom", "svg.fonttype": "path", "font.size": 9}


def draw(
    results: Results[Measurement], allocators: Sequence[Allocator], files: Sequence[Path]
) -> None:
    """Draw the picture into files; the ending of each is its format."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        height = 0.9 + len(results.cases) * (0.7 + 0.24 * len(allocators))
        figure = Figure(figsize=(13, height), layout="constrained")
        panels = figure.subplots(len(results.cases), len(_PANELS), squeeze=False, sharey="row")
        for row, case in zip(panels, results.cases, strict=True):
            for axes, column in zip(row, _PANELS.values(), strict=True):
                _panel(axes, results, allocators, case, column)
            row[0].set_ylabel(case, fontsize=11, fontweight="bold")
        for axes, title in zip(panels[0], _PANELS, strict=True):
            axes.set_title(title, fontsize=9)
        figure.suptitle(
            "nginx on each allocator: median of all rounds, the line from the least to the most;\n"
            f"pale bars differ from {C_LIBRARY} by no more than noise",
            fontsize=10,
        )
        for file in files:
            metadata = {"Date": None} if file.suffix == ".svg" else {"Software": None}
            figure.savefig(file, dpi=110, metadata=metadata)


def _panel(
    axes: Any,
    results: Results[Measurement],
    allocators: Sequence[Allocator],
    case: str,
    column: Column,
) -> None:
    names = [allocator.name for allocator in allocators]
    bars = [spread(results.values(case, name, column)) for name in names]
    medians = [bar.median for bar in bars]
    ranges = [[bar.median - bar.low for bar in bars], [bar.high - bar.median for bar in bars]]
    colours = [_BLUE if allocator.ours else _SAND for allocator in allocators]
    for place, name in enumerate(names):
        if name in (C_LIBRARY, CONTROL):
            colours[place] = _GREY
        if name != C_LIBRARY and not results.differs(case, name, column):
            colours[place] += _PALE
    drawn = axes.barh(names, medians, xerr=ranges, color=colours, capsize=2)
    labels = [f"{median:.0f}" if median >= 100 else f"{median:.1f}" for median in medians]
    axes.bar_label(drawn, labels, label_type="center", fontsize=8)
    axes.axvline(medians[0], color="black", linewidth=0.7, linestyle=":")
    axes.set_ylim(len(names) - 0.5, -0.5)  # the first on top
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="x", labelsize=7)
