"""The comparison as a picture: a row for each load, how fast and how large, with the spread."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.compare.allocators import C_LIBRARY, CONTROL, OURS, Allocator
from pipeline.compare.listing import SIZES, SPEED
from pipeline.compare.results import NOISE, Measure, Results
from pipeline.compare.settings import Load

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Title, measure, what a longer bar means.
PANELS: tuple[tuple[str, Measure, str], ...] = (
    ("requests a second", SPEED[0][1], "more is better"),
    ("p99 latency, ms", SPEED[2][1], "less is better"),
    ("RSS of a worker at most, MiB", SIZES[4][1], "less is better"),
    ("RSS of a worker at rest, MiB", SIZES[5][1], "less is better"),
)

_BLUE, _GREY, _SAND = "#2a6f97", "#8d99ae", "#c08552"
_FAINT = 0.45

# Nothing of the clock or of chance is in the files: the same figures give the same bytes.
_SETTINGS: Any = {"svg.hashsalt": "mimalloc-custom", "svg.fonttype": "path", "font.size": 9}
_DPI = 110


def draw(results: Results, allocators: Sequence[Allocator], targets: Sequence[Path]) -> None:
    """Draw the picture into files; the ending of each says how."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_SETTINGS):
        height = 0.9 + len(results.loads) * (0.7 + 0.24 * len(results.allocators))
        figure = Figure(figsize=(13, height), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(len(results.loads), len(PANELS), squeeze=False, sharey="row")
        kinds = {each.name: each.kind for each in allocators}
        for row, load in zip(grid, results.loads, strict=True):
            for axes, (title, measure, better) in zip(row, PANELS, strict=True):
                _panel(axes, results, load, measure, kinds)
                if load is results.loads[0]:
                    axes.set_title(f"{title}\n({better})", fontsize=9)
            row[0].set_ylabel(f"{load.name}", fontsize=11, fontweight="bold")
        figure.suptitle(
            "nginx on each allocator: median of all rounds, the line from the least to the most;\n"
            f"pale bars differ from {C_LIBRARY} by no more than noise",
            fontsize=10,
        )
        for target in targets:
            stamp = {"Date": None} if target.suffix == ".svg" else {"Software": None}
            figure.savefig(target, dpi=_DPI, metadata=stamp)


def _panel(
    axes: "Axes", results: Results, load: Load, measure: Measure, kinds: Mapping[str, str]
) -> None:
    spreads = [results.spread(load.name, name, measure) for name in results.allocators]
    for place, (name, spread) in enumerate(zip(results.allocators, spreads, strict=True)):
        colour = _GREY if name in (C_LIBRARY, CONTROL) else _BLUE if kinds[name] == OURS else _SAND
        noise = name != C_LIBRARY and NOISE == results.verdict(load.name, name, measure)
        away = [[spread.middle - spread.low], [spread.high - spread.middle]]
        axes.barh(
            place, spread.middle, xerr=away, color=colour, alpha=_FAINT if noise else 1.0, capsize=2
        )
        text = f"{spread.middle:.0f}" if spread.middle >= 100 else f"{spread.middle:.1f}"
        axes.annotate(
            text, (0, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_yticks(range(len(spreads)), results.allocators)
    axes.set_ylim(len(spreads) - 0.5, -0.5)  # the first on top
    axes.axvline(spreads[0].middle, color="black", linewidth=0.7, linestyle=":")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="x", labelsize=7)
