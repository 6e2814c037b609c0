"""How did policies do with one history, at a glance? F1 over time, a panel a policy, marked with what each decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from autoretrain.domain.errors import BadData

FORMATS: Final = (".png", ".svg")
_INK, _GREY, _LINE = "#333333", "#8a8a8a", "#0072b2"
_MARKS: Final = {
    "retrain": ("^", "#0072b2", "run started"),
    "promote": ("o", "#009e73", "promoted"),
    "hold": ("s", "#e69f00", "held or rejected"),
    "rollback": ("v", "#d55e00", "rolled back"),
    "failed": ("X", "#000000", "run failed"),
}
"""Told apart by shape as well as by colour; the colours are Okabe and Ito's."""

_LANES: Final = {"retrain": 0.04, "failed": 0.04, "hold": 0.09, "promote": 0.14, "rollback": 0.19}
"""Where the marks stand, as a share of the height: what happens in one moment stays visible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """`served` and `fixed` are (time, F1) of windows at their middle; `marks` are (time, key of a mark)."""

    title: str
    served: Sequence[tuple[datetime, float]]
    fixed: Sequence[tuple[datetime, float]]
    marks: Sequence[tuple[datetime, str]]


def draw_backtest(path: Path, panels: Sequence[Panel], *, title: str) -> None:
    """Write the picture as PNG or SVG, by the name. Raises BadData for another name, or where it can't be written."""
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise BadData(str(path), f"the name of a picture ends with {' or '.join(FORMATS)}")
    height = 0.9 + 1.9 * len(panels)
    figure = Figure(figsize=(9.0, height), dpi=120, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)
    lowest = min((f1 for panel in panels for _, f1 in (*panel.served, *panel.fixed)), default=0.0)
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        _draw_panel(axes, panel, lowest=lowest)
    locator = AutoDateLocator(tz=UTC)
    last = grid[-1, 0]
    last.xaxis.set_major_locator(locator)
    last.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
    figure.suptitle(title, x=0.075, y=1 - 0.14 / height, ha="left", va="top", fontsize=10, color=_INK)
    figure.legend(
        handles=_legend(panels), ncols=7, loc="upper left", bbox_to_anchor=(0.065, 1 - 0.3 / height), **_LEGEND
    )
    figure.subplots_adjust(left=0.075, right=0.98, top=1 - 0.85 / height, bottom=0.38 / height, hspace=0.32)
    try:
        # Without these, the same replay would give another file each time.
        with mpl.rc_context({"svg.hashsalt": "autoretrain"}):
            figure.savefig(path, format=kind[1:], metadata={"Date": None} if kind == ".svg" else {"Software": None})
    except OSError as error:
        raise BadData(str(path), f"can't be written: {error.strerror or error}") from error


_LEGEND: Final[dict[str, Any]] = {"frameon": False, "fontsize": 8, "handletextpad": 0.4, "columnspacing": 1.2}


def _draw_panel(axes: Axes, panel: Panel, *, lowest: float) -> None:
    axes.set_title(panel.title, fontsize=9, loc="left", color=_INK)
    for points, colour, style in ((panel.fixed, _GREY, (0, (4, 2))), (panel.served, _LINE, "solid")):
        times = [date2num(at) for at, _ in points]
        axes.plot(times, [f1 for _, f1 in points], color=colour, linestyle=style, linewidth=1.7)
    floor = max(-0.05, lowest - 0.3 * (1.02 - lowest))
    axes.set_ylim(floor, 1.02)
    axes.set_ylabel("F1", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    for key, (shape, colour, _) in _MARKS.items():
        times = [date2num(at) for at, mark in panel.marks if mark == key]
        lane = [_LANES[key]] * len(times)
        axes.plot(
            times, lane, shape, color=colour, markersize=6, transform=axes.get_xaxis_transform(), linestyle="none"
        )
        if key in {"promote", "rollback"}:
            for time in times:
                axes.axvline(time, color=colour, linewidth=0.8, alpha=0.6)


def _legend(panels: Sequence[Panel]) -> list[Line2D]:
    seen = {mark for panel in panels for _, mark in panel.marks}
    lines = [
        Line2D([], [], color=_LINE, linewidth=1.7, label="F1 of the policy"),
        Line2D([], [], color=_GREY, linewidth=1.7, linestyle=(0, (4, 2)), label="first model, never retrained"),
    ]
    return lines + [
        Line2D([], [], marker=shape, color=colour, linestyle="none", markersize=6, label=label)
        for key, (shape, colour, label) in _MARKS.items()
        if key in seen
    ]
