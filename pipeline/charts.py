"""Charts of results, as PNG: the sheet that all are drawn on, and the timeline."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Transform

from pipeline.rendering import COLOURS, LETTERS
from pipeline.timestamps import to_iso

DPI: Final = 120
INK: Final = "#282828"
FAINT: Final = "#7d7d7d"
RULE: Final = "#dcdcdc"
BAND: Final = "#f5f5f4"
WIDTH_IN: Final = 12.5
HEAD_IN: Final = 0.75
MOST_IDENTITIES: Final = 40
"""A chart of more people could not be read."""

LEFT_IN: Final = 0.65
RIGHT_IN: Final = 1.0
FOOT_IN: Final = 0.75
LANE_IN: Final = 0.23
ROW_MARGIN: Final = 0.5
"""Between the rows of two identities, in lanes."""
BAR_HEIGHT: Final = 0.84
"""In lanes."""
TICK_SECONDS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)
MOST_TICKS: Final = 10


@dataclass(frozen=True, slots=True)
class Bar:
    """A passage of an identity through a camera, times in microseconds UTC."""

    identity: int
    camera_id: str
    enter_us: int
    leave_us: int


class Sheet:
    """Paper with a title, on which axes are placed by inches from its upper left corner.

    Args:
        height_in: Height below the title, inches.
        title: What it shows.
        remark: What should be known beside it; may be empty.
    """

    def __init__(self, height_in: float, title: str, remark: str) -> None:
        self._height_in = HEAD_IN + height_in
        self.figure = Figure((WIDTH_IN, self._height_in), dpi=DPI, facecolor="white")
        FigureCanvasAgg(self.figure)  # stays with the figure; no window, no global state
        left, first, second = 0.2 / WIDTH_IN, self._from_top(0.34), self._from_top(0.58)
        self.figure.text(left, first, title, fontsize=15, weight="bold", color=INK)
        self.figure.text(left, second, remark, fontsize=10, color=FAINT)

    def axes(self, left_in: float, top_in: float, width_in: float, height_in: float) -> Axes:
        """Axes without frame or ticks; `top_in` counts from below the title."""
        bottom = self._from_top(HEAD_IN + top_in + height_in)
        place = (left_in / WIDTH_IN, bottom, width_in / WIDTH_IN, height_in / self._height_in)
        axes = self.figure.add_axes(place)
        axes.set_facecolor("none")
        axes.spines[:].set_visible(False)
        axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
        return axes

    def png(self) -> bytes:
        """The whole as a file."""
        file = io.BytesIO()
        self.figure.savefig(file, format="png")
        return file.getvalue()

    def _from_top(self, inches: float) -> float:
        return 1 - inches / self._height_in


def colour_of(identity: int) -> str:
    """The colour that an identity has in all pictures, #rrggbb."""
    return str(COLOURS.by_idx(identity).as_hex())


def letters_on(identity: int) -> str:
    """What can be read on the identity's colour, #rrggbb."""
    return str(LETTERS.by_idx(identity).as_hex())


def most_seen(seen: Mapping[int, float]) -> list[int]:
    """Up to `MOST_IDENTITIES` identities, those seen longest, in order of their numbers."""
    longest = sorted(seen, key=lambda identity: (-seen[identity], identity))
    return sorted(longest[:MOST_IDENTITIES])


def how_many(shown: int, known: int) -> str:
    """The remark that says whether anybody was left out."""
    return f"{known} identities" if shown == known else f"the {shown} seen longest of {known}"


def number(axes: Axes, identity: int, x: float, y: float, places: Transform) -> None:
    """An identity's number on its colour, at coordinates of that transform."""
    axes.text(
        x,
        y,
        str(identity),
        transform=places,
        color=letters_on(identity),
        fontsize=9.5,
        weight="bold",
        ha="center",
        va="center_baseline",
        zorder=10,
        bbox={
            "boxstyle": "round,pad=0.28",
            "facecolor": colour_of(identity),
            "edgecolor": "white",
            "linewidth": 0.8,
        },
    )


def timeline(site: str, bars: Sequence[Bar]) -> bytes:
    """A row an identity, a bar a passage, labelled with its camera; at least one bar.

    Passages at the same time, in views that overlap, lie in lanes below one another.
    """
    seconds: dict[int, float] = {}
    for bar in bars:
        seen = (bar.leave_us - bar.enter_us) / 1e6
        seconds[bar.identity] = seconds.get(bar.identity, 0) + seen
    shown = most_seen(seconds)
    ordered = sorted(bars, key=lambda bar: (bar.enter_us, bar.leave_us, bar.camera_id))
    rows = {identity: [bar for bar in ordered if bar.identity == identity] for identity in shown}
    lanes = {identity: lanes_of(row) for identity, row in rows.items()}
    total = sum(max(row) + 1 + ROW_MARGIN for row in lanes.values())
    begin_us = min(bar.enter_us for bar in bars)
    end_us = max(max(bar.leave_us for bar in bars), begin_us + 1_000_000)

    remark = f"{how_many(len(shown), len(seconds))}; a bar is a passage through the camera named"
    sheet = Sheet(total * LANE_IN + FOOT_IN, f"{site}: who was where", remark)
    width_in = WIDTH_IN - LEFT_IN - RIGHT_IN
    margin_us = end_us + round((end_us - begin_us) * RIGHT_IN / width_in)
    axes = sheet.axes(LEFT_IN, 0, width_in, total * LANE_IN)
    axes.set_xlim(0, (end_us - begin_us) / 1e6)
    axes.set_ylim(total, 0)
    _time_axis(axes, begin_us, end_us)
    top = 0.0
    for index, identity in enumerate(shown):
        height = max(lanes[identity]) + 1 + ROW_MARGIN
        if index % 2 == 0:
            axes.axhspan(top, top + height, color=BAND, zorder=0)
        number(axes, identity, -0.025, top + height / 2, axes.get_yaxis_transform())
        free_until_us: dict[int, int] = {}  # by lane
        for bar, lane in reversed([*zip(rows[identity], lanes[identity], strict=True)]):
            limit_us = free_until_us.get(lane, margin_us)
            _draw_bar(axes, bar, begin_us, limit_us, top + (ROW_MARGIN + 1) / 2 + lane)
            free_until_us[lane] = bar.enter_us
        top += height
    return sheet.png()


def lanes_of(bars: Sequence[Bar]) -> list[int]:
    """The first lane from 0 that is free for each bar; bars come in order of their begin."""
    free_from: list[int] = []
    lanes = []
    for bar in bars:
        lane = next(
            (lane for lane, free in enumerate(free_from) if free <= bar.enter_us), len(free_from)
        )
        free_from[lane : lane + 1] = [bar.leave_us]
        lanes.append(lane)
    return lanes


def _draw_bar(axes: Axes, bar: Bar, begin_us: int, free_until_us: int, middle: float) -> None:
    """A bar with its camera's name in it, or behind it where there is room only there."""
    left, right, limit = (
        (us - begin_us) / 1e6 for us in (bar.enter_us, bar.leave_us, free_until_us)
    )
    colour, letters = colour_of(bar.identity), letters_on(bar.identity)
    width = max(right - left, axes.get_xlim()[1] / 400)  # a moment can be seen too
    axes.barh(middle, width, BAR_HEIGHT, left, color=colour, edgecolor="white", zorder=3)
    name = axes.text(
        left, middle, f" {bar.camera_id}", size=9, color=letters, va="center_baseline", zorder=4
    )
    if _right_edge(axes, name) > right:
        name.set(x=right, color=INK)
        name.set_visible(_right_edge(axes, name) <= limit)


def _right_edge(axes: Axes, text: Text) -> float:
    """Where a text ends, in data coordinates."""
    corner = text.get_window_extent().max
    return float(axes.transData.inverted().transform(corner)[0])


def _time_axis(axes: Axes, begin_us: int, end_us: int) -> None:
    """Ticks at round times of the day."""
    seconds = (end_us - begin_us) / 1e6
    step = next((s for s in TICK_SECONDS if seconds / s <= MOST_TICKS), 86_400)
    first = -(-begin_us // (step * 1_000_000)) * step * 1_000_000
    ticks = range(first, end_us + 1, step * 1_000_000)
    clock = slice(11, 19 if step % 60 else 16)
    axes.set_xticks(
        [(tick - begin_us) / 1e6 for tick in ticks], [to_iso(tick)[clock] for tick in ticks]
    )
    axes.tick_params(labelbottom=True, labelsize=10, labelcolor=INK)
    axes.grid(axis="x", color=RULE, linewidth=0.8, zorder=1)
    axes.set_axisbelow(True)
    axes.set_xlabel(f"UTC, {to_iso(begin_us)[:10]}", fontsize=10, color=FAINT, loc="right")
