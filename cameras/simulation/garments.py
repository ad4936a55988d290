"""Dresses people: body, clothes, shoes, hair and what they carry become one mesh."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from cameras.simulation.accessories import carry, standing_gait
from cameras.simulation.body import Body, J, Part, make_body
from cameras.simulation.footwear import booted, shod, shoe
from cameras.simulation.hair import hair
from cameras.simulation.headwear import put_on, wear_glasses
from cameras.simulation.looks import Look
from cameras.simulation.meshes import Dressed, Material, Pattern, join
from cameras.simulation.pieces import Piece, moulded
from cameras.simulation.shells import Layer, wear
from pipeline.types import BoolArray, FloatArray

_EYES: Final = Material((0.2, 0.17, 0.15), gloss=0.6, infrared=0.2)
_FRAMES: Final = Material((0.05, 0.05, 0.06), gloss=0.7, infrared=0.1)
_SKIN, _EYE, _FRAME, _HAIR, _HAT, _UPPER, _SOLE, _FIRST = range(8)
"""Rows of the table of materials; the garments' begin at the last."""
_HIDDEN_M: Final = 0.05
"""What lies this far inside clothes is left out: it cannot be seen, nor show through."""


def body_of(look: Look) -> Body:
    """The body under a look."""
    return make_body(np.random.default_rng(look.body), look.female, look.child)


def dress(look: Look) -> Dressed:
    """A person as the look says, in the rest pose."""
    body = body_of(look)
    layers = _layers(body, look)
    surface = layers[-1].outer
    pieces = [
        *_skin(body, [*(layer.cut for layer in layers), shod(body, look.shoes.kind)]),
        *shoe(body, look.shoes.kind, _UPPER, _SOLE),
        *_clothes(body, layers),
        *hair(body, look, surface, _HAIR),
        *put_on(body, look.headwear, surface, _HAT),
        *wear_glasses(body, look.glasses, _FRAME),
        *_things(body, look, surface),
    ]
    return Dressed(
        mesh=join([piece.mesh for piece in pieces]),
        weights=np.concatenate([piece.weights for piece in pieces]),
        is_person=np.repeat([p.is_person for p in pieces], [len(p.weights) for p in pieces]),
        materials=_materials(body, look),
        joints=body.joints,
        keypoints=body.keypoints,
        keypoint_weights=body.keypoint_weights,
    )


def _materials(body: Body, look: Look) -> tuple[Material, ...]:
    shoes = look.shoes
    chest = float(body.joints[J["chest"], 2])
    head = (look.skin, _EYES, _FRAMES, look.hair_material, look.headwear_material)
    garments = (_fitted(garment.material, chest) for garment in look.garments)
    return (*head, shoes.material, shoes.sole, *garments, *(c.material for c in look.carries))


def _fitted(material: Material, chest: float) -> Material:
    """The material with its print at the height of this body's chest."""
    return replace(material, scale_m=chest) if material.pattern is Pattern.LOGO else material


def _layers(body: Body, look: Look) -> list[Layer]:
    """The garments, each over those before it."""
    layers: list[Layer] = []
    surface, hanging = booted(body, look.shoes.kind), np.zeros((0, 3), np.float32)
    for row, garment in enumerate(look.garments, start=_FIRST):
        layers.append(wear(body, surface, hanging, garment.cut, row))
        surface, hanging = layers[-1].outer, layers[-1].hanging
    return layers


def _skin(body: Body, cuts: Sequence[FloatArray]) -> list[Piece]:
    """What is left of the naked body, and its eyes."""
    seen = ~_buried(body, cuts)
    eyes = (body.part == Part.EYE)[body.faces].any(axis=1)
    bare = np.zeros(len(body.vertices), np.float32)
    return [
        moulded(body, body.vertices, bare, seen & ~eyes, _SKIN),
        moulded(body, body.vertices, bare, seen & eyes, _EYE),
    ]


def _clothes(body: Body, layers: Sequence[Layer]) -> list[Piece]:
    pieces = []
    for number, layer in enumerate(layers):
        seen = layer.faces & ~_buried(body, [over.cut for over in layers[number + 1 :]])
        if seen.any():
            pieces.append(moulded(body, layer.cloth, layer.shell_edge, seen, layer.material))
        pieces += layer.others
    return pieces


def _buried(body: Body, cuts: Sequence[FloatArray]) -> BoolArray:
    """Faces (F,) all of whose vertices lie far inside one of the garments worn over them."""
    buried = np.zeros(len(body.faces), bool)
    for cut in cuts:
        buried |= (cut < -_HIDDEN_M)[body.faces].all(axis=1)
    return buried


def _things(body: Body, look: Look, surface: FloatArray) -> list[Piece]:
    gait = standing_gait(body, look)
    first = _FIRST + len(look.garments)
    return [carry(body, gait, surface, thing, row) for row, thing in enumerate(look.carries, first)]
