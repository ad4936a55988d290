"""Things that stand on the floor of a simulated site.

Each is built around the origin: x to its front, y to its left, z up, metres; within the size that
`footprints` says people walk around.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise, product

import numpy as np

from cameras.simulation.footprints import FOOTPRINTS
from cameras.simulation.meshes import Colour, Material, Pattern
from cameras.simulation.plants import foliage
from cameras.simulation.primitives import placed, rotation, turned
from cameras.simulation.settings import Furniture, FurnitureSettings
from cameras.simulation.surfaces import (
    Part,
    block,
    colour_of,
    darker,
    metal,
    moved,
    paint,
    paler,
    wood,
)

IRON = metal(0.16)
STEEL = metal(0.55)
DARK = paint((0.07, 0.07, 0.075), gloss=0.5, infrared=0.1)
SOIL = Material((0.22, 0.16, 0.11), (0.12, 0.09, 0.07), Pattern.SPECKLE, infrared=0.3)
GOODS: tuple[Colour, ...] = (
    *((0.76, 0.22, 0.18), (0.91, 0.74, 0.22), (0.20, 0.42, 0.66), (0.88, 0.86, 0.80)),
    *((0.25, 0.52, 0.30), (0.55, 0.33, 0.58), (0.86, 0.50, 0.22), (0.30, 0.28, 0.27)),
)


def furnish(furniture: Sequence[FurnitureSettings], seed: int) -> list[Part]:
    """All furniture, each where it stands."""
    return [
        part
        for number, thing in enumerate(furniture)
        for part in moved(
            build(thing.kind, colour_of(thing.colour), np.random.default_rng([seed, number])),
            (*thing.position, 0),
            rotation(2, thing.heading_degrees),
        )
    ]


def build(kind: Furniture, colour: Colour, rng: np.random.Generator) -> list[Part]:
    """A piece of furniture around the origin; what is on it is drawn by `rng`."""
    makers: dict[Furniture, Callable[[Colour, np.random.Generator], list[Part]]] = {
        "bench": _bench,
        "table": _table,
        "chair": _chair,
        "desk": _desk,
        "counter": _counter,
        "shelf": _shelf,
        "planter": _planter,
        "bin": _bin,
        "kiosk": _kiosk,
        "sign": _sign,
    }
    return makers[kind](colour, rng)


def _half(kind: Furniture) -> tuple[float, float]:
    """Half of what a thing may take along x and y."""
    length, depth = FOOTPRINTS[kind]
    return depth / 2, length / 2


def _legs(x: float, y: float, height: float, width: float, material: Material) -> list[Part]:
    """Four square legs whose outer edges lie at +-x, +-y."""
    inner = width / 2
    return [
        block((a - inner, b - inner, 0), (a + inner, b + inner, height), material)
        for a, b in product((inner - x, x - inner), (inner - y, y - inner))
    ]


def _slats(
    x: tuple[float, float], y: float, z: float, count: int, thickness: float, material: Material
) -> list[Part]:
    """Boards along y, side by side over a stretch of x, that lie on z."""
    starts = np.linspace(*x, count + 1)
    return [block((a, -y, z), (b - 0.014, y, z + thickness), material) for a, b in pairwise(starts)]


def _bench(colour: Colour, rng: np.random.Generator) -> list[Part]:
    x, y = _half("bench")
    board = wood(colour, rng.uniform())
    parts = _slats((-x + 0.1, x), y, 0.415, 4, 0.035, board)
    back = [block((-0.018, -y, z), (0.018, y, z + 0.1), board) for z in (0.13, 0.27)]
    parts += moved(back, (-x + 0.1, 0, 0.43), rotation(1, -12))
    for side in (-y + 0.2, 0, y - 0.2):
        frame = [(-x + 0.1, 0.37, x - 0.03, 0.415), (-x + 0.1, 0, -x + 0.15, 0.4)]
        frame += [(x - 0.11, 0, x - 0.06, 0.4), (-x + 0.06, 0.4, -x + 0.11, 0.62)]
        parts += [
            block((x0, side - 0.025, z0), (x1, side + 0.025, z1), IRON) for x0, z0, x1, z1 in frame
        ]
    return parts


def _table(colour: Colour, rng: np.random.Generator) -> list[Part]:
    x, y = _half("table")
    top = wood(colour, rng.uniform())
    return [
        *_slats((-x, x + 0.014), y, 0.71, 5, 0.035, top),
        *_legs(x - 0.05, y - 0.06, 0.71, 0.06, IRON),
        block((-x + 0.06, -y + 0.07, 0.65), (x - 0.06, y - 0.07, 0.705), IRON),
        *_cup((0.12, -0.3, 0.745), rng),
        *_cup((-0.2, 0.25, 0.745), rng),
    ]


def _cup(at: tuple[float, float, float], rng: np.random.Generator) -> list[Part]:
    body = turned([(0.028, 0), (0.038, 0.1), (0.038, 0.1), (0.03, 0.1)], sides=10)
    return [Part(placed(body, at), paint(GOODS[rng.integers(len(GOODS))]))]


def _chair(colour: Colour, _rng: np.random.Generator) -> list[Part]:
    x, y = _half("chair")
    seat = paint(colour, gloss=0.3)
    back = [block((-0.012, -y + 0.03, 0.18), (0.012, y - 0.03, 0.43), seat)]
    posts = [
        block((-0.03, s - 0.015, 0), (-0.005, s + 0.015, 0.42), STEEL) for s in (0.06 - y, y - 0.06)
    ]
    return [
        block((-x + 0.05, -y + 0.02, 0.435), (x - 0.01, y - 0.02, 0.465), seat),
        *_legs(x - 0.04, y - 0.03, 0.435, 0.03, STEEL),
        *moved([*back, *posts], (-x + 0.1, 0, 0.44), rotation(1, -9)),
    ]


def _desk(colour: Colour, rng: np.random.Generator) -> list[Part]:
    """Who works at it sits behind it and looks to its front."""
    x, y = _half("desk")
    board, panel = wood(colour, rng.uniform()), paint(paler(colour, 0.55), gloss=0.2)
    screen = [(0.1, 0.86, 0.13, 1.2, 0.28), (0.11, 0.75, 0.135, 0.88, 0.03)]
    screen += [(0.03, 0.745, 0.22, 0.757, 0.12), (-0.2, 0.745, -0.07, 0.765, 0.22)]
    return [
        block((-x, -y, 0.715), (x, y, 0.745), board),
        *(
            block((-x + 0.04, s, 0), (x - 0.04, s + 0.03, 0.715), panel)
            for s in (0.02 - y, y - 0.05)
        ),
        block((x - 0.09, -y + 0.05, 0.2), (x - 0.07, y - 0.05, 0.715), panel),
        block((-x + 0.08, y - 0.5, 0.1), (x - 0.12, y - 0.08, 0.69), panel),
        *(
            block((-x + 0.065, y - 0.49, z), (-x + 0.08, y - 0.09, z + 0.17), board)
            for z in (0.12, 0.31, 0.5)
        ),
        *(block((x0, -w, z0), (x1, w, z1), DARK) for x0, z0, x1, z1, w in screen),
        block((-0.25, 0.4, 0.745), (-0.03, 0.56, 0.77), paint((0.9, 0.9, 0.88))),
    ]


def _counter(colour: Colour, rng: np.random.Generator) -> list[Part]:
    x, y = _half("counter")
    front = Material(colour, darker(colour, 0.4), Pattern.STRIPES, 0.12, gloss=0.2, infrared=0.6)
    top = paint(paler(colour, 0.7), gloss=0.6)
    jars = [(0.05, -y + 0.3 + 0.16 * n, 1.05) for n in range(3)]
    return [
        block((-x + 0.1, -y + 0.06, 0), (x - 0.12, y - 0.06, 0.1), DARK),
        block((-x + 0.05, -y + 0.03, 0.1), (x - 0.06, y - 0.03, 1.0), front),
        block((-x, -y, 1.0), (x, y, 1.05), top),
        block((-0.14, 0.3, 1.05), (0.16, 0.65, 1.13), DARK),
        *moved(
            [block((-0.02, -0.17, 0), (0.01, 0.17, 0.24), DARK)], (0, 0.475, 1.14), rotation(1, -20)
        ),
        block((-0.2, -0.25, 1.05), (0.2, 0.1, 1.08), STEEL),
        *(part for jar in jars for part in _jar(jar, rng)),
    ]


def _jar(at: tuple[float, float, float], rng: np.random.Generator) -> list[Part]:
    body = turned([(0.06, 0), (0.06, 0.16), (0.06, 0.16), (0.05, 0.19)], sides=10)
    lid = turned([(0.055, 0.19), (0.055, 0.22)], sides=10)
    colour = GOODS[rng.integers(len(GOODS))]
    return [Part(placed(body, at), paint(colour, 0.8)), Part(placed(lid, at), STEEL)]


def _shelf(colour: Colour, rng: np.random.Generator) -> list[Part]:
    x, y = _half("shelf")
    board = wood(colour, rng.uniform())
    levels = (0.08, 0.5, 0.92, 1.34)
    return [
        block((-x, -y, 0), (-x + 0.02, y, 1.78), paint(darker(colour, 0.3), 0.2)),
        block((-x, -y, 0), (x, -y + 0.03, 1.8), board),
        block((-x, y - 0.03, 0), (x, y, 1.8), board),
        *(block((-x + 0.01, -y + 0.02, z), (x - 0.01, y - 0.02, z + 0.03), board) for z in levels),
        block((-x, -y, 1.77), (x, y, 1.8), board),
        *(goods for z in levels for goods in _row_of_goods(x, y - 0.05, z + 0.03, rng)),
    ]


def _row_of_goods(x: float, y: float, z: float, rng: np.random.Generator) -> list[Part]:
    """Packets side by side from -y to y, two or three of a kind."""
    parts: list[Part] = []
    at = -y
    while at < y - 0.2:
        width, height, depth = rng.uniform((0.07, 0.12, 0.16), (0.16, 0.33, 0.24))
        colour = GOODS[rng.integers(len(GOODS))]
        label = Material(
            colour, paler(colour, 0.6), Pattern.BANDS, height, rng.uniform(), gloss=0.3
        )
        for _ in range(rng.integers(1, 4)):
            if at + width > y:
                break
            front = x - rng.uniform(0.02, 0.05)
            parts.append(block((front - depth, at, z), (front, at + width, z + height), label))
            at += width + 0.006
        at += rng.uniform(0, 0.05)
    return parts


def _planter(colour: Colour, rng: np.random.Generator) -> list[Part]:
    x, y = _half("planter")
    trough = Material(colour, darker(colour, 0.2), Pattern.SPECKLE, wear=0.2, infrared=0.45)
    rim = 0.045
    return [
        block((-x + 0.03, -y + 0.03, 0), (x - 0.03, y - 0.03, 0.46), trough),
        *(block((a, -y, 0.44), (a + rim, y, 0.5), trough) for a in (-x, x - rim)),
        *(block((-x + rim, a, 0.44), (x - rim, a + rim, 0.5), trough) for a in (-y, y - rim)),
        block((-x + rim, -y + rim, 0.46), (x - rim, y - rim, 0.475), SOIL),
        *foliage((0, 0, 0.83), (x, y, 0.42), 180, 0.16, rng),
    ]


def _bin(colour: Colour, _rng: np.random.Generator) -> list[Part]:
    radius = _half("bin")[0]
    lid = [(radius, 0.72), (radius, 0.8), (radius, 0.8), (0.75 * radius, 0.88), (0.1, 0.9)]
    return [
        Part(turned([(0.8 * radius, 0), (0.94 * radius, 0.72)], sides=16), paint(colour, 0.3)),
        Part(turned(lid, sides=16), IRON),
        Part(turned([(0.095, 0.895), (0.095, 0.905)], sides=12), DARK),
        Part(turned([(0.86 * radius, 0.02), (0.86 * radius, 0.06)], sides=16), IRON),
    ]


def _kiosk(colour: Colour, rng: np.random.Generator) -> list[Part]:
    """A booth, open to its front above a counter."""
    x, y = _half("kiosk")
    wall, band = paint(colour, 0.3), paint(paler(colour, 0.75), 0.3)
    awning = Material(colour, (0.92, 0.9, 0.85), Pattern.STRIPES, 0.4, infrared=0.6)
    back, front, side = -x + 0.1, x - 0.25, y - 0.1
    name = Material((0.93, 0.9, 0.82), darker(colour, 0.3), Pattern.LOGO, 0.0, infrared=0.7)
    title = block((-0.01, -side, -0.12), (0.01, side, 0.12), name)
    return [
        block((back, -side, 0), (front, side, 0.08), DARK),
        block((front - 0.06, -side, 0.08), (front, side, 1.0), wall),
        block((front - 0.065, -side - 0.005, 0.5), (front + 0.005, side + 0.005, 0.58), band),
        *(block((back, a, 0.08), (front, a + 0.05, 2.3), wall) for a in (-side, side - 0.05)),
        block((back, -side, 0.08), (back + 0.05, side, 2.3), wall),
        block(
            (front - 0.3, -side + 0.04, 1.0), (x - 0.08, side - 0.04, 1.04), wood((0.6, 0.46, 0.3))
        ),
        block((back + 0.05, -side + 0.05, 1.0), (back + 0.35, side - 0.05, 1.03), IRON),
        *_row_of_goods(back + 0.36, side - 0.1, 1.03, rng),
        block((back + 0.05, -side + 0.05, 1.5), (back + 0.3, side - 0.05, 1.53), IRON),
        *_row_of_goods(back + 0.3, side - 0.1, 1.53, rng),
        block((-x + 0.04, -y + 0.04, 2.3), (x - 0.2, y - 0.04, 2.42), band),
        *moved([title], (front + 0.02, 0, 2.16), np.eye(3)),
        *moved(
            [block((0, -y, -0.015), (0.3, y, 0.015), awning)], (x - 0.285, 0, 2.4), rotation(1, 22)
        ),
    ]


def _sign(colour: Colour, rng: np.random.Generator) -> list[Part]:
    """A board on a foot, with a poster on both sides."""
    x, y = _half("sign")
    poster = Material(
        paler(colour, 0.6), colour, Pattern.PRINT, 0.35, rng.uniform(), gloss=0.5, infrared=0.6
    )
    title, side = paint(darker(colour, 0.2)), y - 0.04
    return [
        block((-x, -y, 0), (x, y, 0.05), IRON),
        block((-0.04, -side, 0.05), (0.04, side, 1.85), metal(0.3)),
        block((-0.046, -side + 0.04, 0.45), (0.046, side - 0.04, 1.5), poster),
        block((-0.046, -side + 0.04, 1.54), (0.046, side - 0.04, 1.8), title),
        block((-0.048, -side + 0.1, 1.62), (0.048, side - 0.2, 1.68), paint((0.95, 0.95, 0.92))),
    ]
