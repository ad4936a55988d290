"""The floor seen from above: the ways that people took, under the cameras that saw them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Polygon
from matplotlib.patheffects import Normal, Stroke

from pipeline.charts import (
    FAINT,
    INK,
    WIDTH_IN,
    Sheet,
    colour_of,
    how_many,
    most_seen,
    number,
)
from pipeline.floor_views import CameraView
from pipeline.types import DoubleArray

MARGIN_M: Final = 1.0
FLOOR: Final = "#f4f2ec"
WALL: Final = "#55534e"
CAMERA: Final = "#3d3d3d"
SIDE_IN: Final = 0.4
PLAN_HEIGHT_IN: Final = 9.0
PANEL_COLUMNS: Final = 6
PANEL_HEIGHT_IN: Final = 4.0
PANEL_GAP_IN: Final = 0.12
PANEL_HEAD_IN: Final = 0.36
SCALE_BARS_M: Final = (0.5, 1, 2, 5, 10, 20, 50)


@dataclass(frozen=True, slots=True, eq=False)
class FloorMap:
    """What is known of the place itself: polygons of floor, lines of walls, polygons of columns,
    each (K, 2), metres."""

    areas: tuple[DoubleArray, ...] = ()
    walls: tuple[DoubleArray, ...] = ()
    columns: tuple[DoubleArray, ...] = ()


Paths = Mapping[int, Sequence[DoubleArray]]
"""The pieces (K, 2) of each identity's way, metres, in order of time; at least one."""


def floor_plan(
    site: str, paths: Paths, cameras: Sequence[CameraView], floor_map: FloorMap
) -> bytes:
    """PNG: the ways of all identities in one plan, and below it a small plan of each."""
    shown = most_seen({i: float(sum(map(len, pieces))) for i, pieces in paths.items()})
    low, high = _bounds([p for i in shown for p in paths[i]], cameras, floor_map)
    wide, tall = (high - low).tolist()
    room_in = WIDTH_IN - 2 * SIDE_IN
    scale = min(room_in / wide, PLAN_HEIGHT_IN / tall)
    panel_in = (room_in + PANEL_GAP_IN) / PANEL_COLUMNS - PANEL_GAP_IN
    panel_scale = min(panel_in / wide, PANEL_HEIGHT_IN / tall)
    panel_tall_in = panel_scale * tall + PANEL_HEAD_IN
    panel_rows = -(-len(shown) // PANEL_COLUMNS)
    height_in = tall * scale + 0.2 + panel_rows * panel_tall_in + 0.2

    remark = f"{how_many(len(shown), len(paths))}; ring: begin, arrow: end, dots: seen by no camera"
    sheet = Sheet(height_in, f"{site}: ways over the floor", remark)
    plan = sheet.axes((WIDTH_IN - wide * scale) / 2, 0, wide * scale, tall * scale)
    _draw_place(plan, cameras, floor_map, low, high)
    for identity in shown:
        _draw_path(plan, identity, paths[identity], 2.4)
    for identity, (x, y) in _free_places({i: np.concatenate(list(paths[i])) for i in shown}):
        number(plan, identity, x, y, plan.transData)
    _draw_cameras(plan, cameras)
    _draw_scale(plan, low, high)
    for index, identity in enumerate(shown):
        row, column = divmod(index, PANEL_COLUMNS)
        left, top = SIDE_IN + column * (panel_in + PANEL_GAP_IN), row * panel_tall_in
        left += (panel_in - panel_scale * wide) / 2
        panel = sheet.axes(
            left,
            tall * scale + 0.2 + top + PANEL_HEAD_IN,
            panel_scale * wide,
            panel_tall_in - PANEL_HEAD_IN,
        )
        views = () if floor_map.areas else cameras
        _draw_place(panel, views, floor_map, low, high, wall_width=1.0)
        _draw_path(panel, identity, paths[identity], 1.8)
        number(panel, identity, 0.5, 1 + 0.16 / (panel_tall_in - PANEL_HEAD_IN), panel.transAxes)
    return sheet.png()


def _bounds(
    paths: Sequence[DoubleArray], cameras: Sequence[CameraView], floor_map: FloorMap
) -> tuple[DoubleArray, DoubleArray]:
    """Lower left and upper right corner (2,) of what is drawn, metres: all ways, cameras, floor.

    What the cameras see of the floor may go on beyond.
    """
    stands = [camera.position[None] for camera in cameras]
    points = np.concatenate([*paths, *floor_map.areas, *floor_map.walls, *stands])
    return np.nanmin(points, axis=0) - MARGIN_M, np.nanmax(points, axis=0) + MARGIN_M


def _draw_place(
    axes: Axes,
    cameras: Sequence[CameraView],
    floor_map: FloorMap,
    low: DoubleArray,
    high: DoubleArray,
    wall_width: float = 2.0,
) -> None:
    """Floor, walls, and what the cameras see."""
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    for area in floor_map.areas:
        axes.add_patch(Polygon(area, facecolor=FLOOR, edgecolor="none", zorder=0))
    for camera in cameras:
        if len(camera.outline):
            shade, edge = (0, 0, 0, 0.035), (0, 0, 0, 0.22)
            axes.add_patch(Polygon(camera.outline, facecolor=shade, edgecolor=edge, zorder=1))
    for column in floor_map.columns:
        axes.add_patch(Polygon(column, facecolor=WALL, edgecolor="none", zorder=2))
    for wall in floor_map.walls:
        axes.plot(*wall.T, color=WALL, linewidth=wall_width, solid_capstyle="projecting", zorder=2)


def _draw_path(axes: Axes, identity: int, pieces: Sequence[DoubleArray], width: float) -> None:
    """The pieces of a way, dotted where nobody saw; a ring where it begins, an arrow at its end."""
    colour = colour_of(identity)
    casing = [Stroke(linewidth=width + 1.6, foreground="white"), Normal()]
    for before, after in pairwise(pieces):
        unseen = np.stack([before[-1], after[0]])
        axes.plot(*unseen.T, color=colour, linewidth=0.6 * width, linestyle=":", zorder=4)
    for piece in pieces:
        axes.plot(
            *piece.T,
            color=colour,
            linewidth=width,
            zorder=5,
            path_effects=casing,
            solid_capstyle="round",
        )
    first, last = pieces[0][0], pieces[-1]
    axes.plot(
        *first,
        "o",
        color="white",
        markeredgecolor=colour,
        markersize=2.6 * width,
        markeredgewidth=0.8 * width,
        zorder=6,
    )
    tail = last[-min(4, len(last))]
    if np.linalg.norm(last[-1] - tail) > 0.05:
        axes.annotate(
            "",
            xy=tuple(last[-1]),
            xytext=tuple(tail),
            zorder=6,
            arrowprops={
                "arrowstyle": "-|>",
                "color": colour,
                "linewidth": width,
                "mutation_scale": 5 * width,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )


def _draw_cameras(axes: Axes, cameras: Sequence[CameraView]) -> None:
    """A square where each camera stands, its name beside it; or its name in what it sees."""
    casing = [Stroke(linewidth=3, foreground="white"), Normal()]
    for camera in cameras:
        is_known = bool(np.isfinite(camera.position).all())
        if not is_known and not len(camera.outline):
            continue
        place = camera.position if is_known else camera.outline.mean(axis=0)
        if is_known:
            axes.plot(*place, "s", color=CAMERA, markeredgecolor="white", markersize=9, zorder=8)
        axes.annotate(
            camera.camera_id,
            tuple(place),
            (0, 9),
            textcoords="offset points",
            ha="center",
            size=11,
            weight="bold",
            color=CAMERA,
            path_effects=casing,
            zorder=9,
        )


def _draw_scale(axes: Axes, low: DoubleArray, high: DoubleArray) -> None:
    """A bar of a round number of metres, lower left."""
    longest = (high - low)[0] / 6
    metres = max((m for m in SCALE_BARS_M if m <= longest), default=SCALE_BARS_M[0])
    x, y = low + 0.25 * MARGIN_M
    axes.plot([x, x + metres], [y, y], color=INK, linewidth=2, solid_capstyle="butt", zorder=9)
    axes.annotate(
        f"{metres:g} m",
        (x + metres / 2, y),
        (0, 4),
        textcoords="offset points",
        ha="center",
        size=10,
        color=FAINT,
    )


def _free_places(ways: Mapping[int, DoubleArray]) -> list[tuple[int, tuple[float, float]]]:
    """A point of each way to write its number at, one after another farthest from the others'."""
    places: list[tuple[int, tuple[float, float]]] = []
    for identity, way in ways.items():
        taken = np.array([place for _, place in places]).reshape(-1, 2)
        distances = np.linalg.norm(way[:, None] - taken[None], axis=-1)  # (K, places)
        x, y = way[distances.min(axis=1, initial=np.inf).argmax()].tolist()
        places.append((identity, (x, y)))
    return places
