"""What places are made of, and parts of several materials put together into one mesh."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from cameras.simulation.meshes import Colour, Material, Mesh, Pattern, join
from cameras.simulation.primitives import box, placed
from cameras.simulation.settings import Surface


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """A mesh of one material."""

    mesh: Mesh
    material: Material


_TEXTURE_AXES: Final = np.array([(1, 2, 0), (0, 2, 1), (0, 1, 2)])
_WHITE: Final[Colour] = (1.0, 1.0, 1.0)
_BLACK: Final[Colour] = (0.0, 0.0, 0.0)


def colour_of(hex_colour: str) -> Colour:
    """`#rrggbb` as numbers from 0 to 1."""
    red, green, blue = (int(hex_colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return (red, green, blue)


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """A colour with a share in [0, 1] of another."""
    red, green, blue = (a + share * (b - a) for a, b in zip(first, second, strict=True))
    return (red, green, blue)


def darker(colour: Colour, share: float) -> Colour:
    """A colour with a share of black."""
    return mixed(colour, _BLACK, share)


def paler(colour: Colour, share: float) -> Colour:
    """A colour with a share of white."""
    return mixed(colour, _WHITE, share)


def surface_material(surface: Surface, colour: Colour, seed: float = 0.0) -> Material:
    """What floors, walls and columns are made of."""
    dark, pale = darker(colour, 0.35), paler(colour, 0.35)
    kinds: dict[Surface, Material] = {
        "tiles": Material(colour, dark, Pattern.TILES, 0.5, wear=0.15, gloss=0.3, infrared=0.55),
        "planks": Material(colour, dark, Pattern.PLANKS, 0.14, wear=0.1, gloss=0.2, infrared=0.65),
        "bricks": Material(colour, pale, Pattern.BRICKS, 0.24, wear=0.2, infrared=0.5),
        "concrete": Material(colour, darker(colour, 0.12), Pattern.SPECKLE, wear=0.3, infrared=0.4),
        "asphalt": Material(colour, paler(colour, 0.2), Pattern.SPECKLE, wear=0.1, infrared=0.2),
        "carpet": Material(colour, darker(colour, 0.25), Pattern.SPECKLE, infrared=0.45),
        "plaster": Material(colour, dark, Pattern.PLAIN, wear=0.2, infrared=0.75),
        "glass": Material(mixed(colour, (0.3, 0.4, 0.45), 0.6), gloss=1.0, infrared=0.15),
    }
    return replace(kinds[surface], seed=seed)


def wood(colour: Colour, seed: float = 0.0) -> Material:
    """Boards, their grain along the first texture coordinate."""
    return Material(
        colour, darker(colour, 0.4), Pattern.PLANKS, 0.3, seed, wear=0.1, gloss=0.25, infrared=0.65
    )


def paint(colour: Colour, gloss: float = 0.4, infrared: float = 0.5) -> Material:
    """Smooth paint, laminate, plastic."""
    return Material(colour, gloss=gloss, infrared=infrared)


def metal(brightness: float = 0.2) -> Material:
    """Grey metal."""
    return Material((brightness, brightness, brightness * 1.04), gloss=0.6, infrared=0.35)


def block(low: npt.ArrayLike, high: npt.ArrayLike, material: Material) -> Part:
    """An upright box between two corners; its texture goes on where another's next to it ends."""
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    mesh = placed(box(high - low), (low + high) / 2)
    axes = _TEXTURE_AXES[np.abs(mesh.normals).argmax(axis=1)]  # (V, 3)
    texture = np.take_along_axis(mesh.positions, axes, axis=1)
    return Part(replace(mesh, texture=texture), material)


def moved(parts: Iterable[Part], at: npt.ArrayLike, rotation: npt.ArrayLike) -> list[Part]:
    """Parts turned by `rotation` (3, 3), then moved by `at` (3,)."""
    return [Part(placed(part.mesh, at, rotation), part.material) for part in parts]


def assemble(parts: Iterable[Part]) -> tuple[Mesh, tuple[Material, ...]]:
    """One mesh, and its table of materials without repeats."""
    kept = list(parts)
    rows = {material: row for row, material in enumerate(dict.fromkeys(p.material for p in kept))}
    painted = [
        replace(p.mesh, material=np.full(len(p.mesh.positions), rows[p.material], np.int32))
        for p in kept
    ]
    return join(painted), tuple(rows)
