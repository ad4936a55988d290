"""Looks: drawn by seed alone, all different, or alike in a uniform; told in words."""

import numpy as np

from cameras.simulation.accessories import carry_of
from cameras.simulation.gait import Carry
from cameras.simulation.looks import IN_HAND, Headwear, Kind, Look, describe
from cameras.simulation.wardrobe import random_look, uniform_looks


def _looks(count: int) -> list[Look]:
    return [random_look(np.random.default_rng([7, number])) for number in range(count)]


def test_the_seed_decides_alone() -> None:
    assert _looks(5) == _looks(5)
    first, second = (uniform_looks(np.random.default_rng(3), 4) for _ in range(2))
    assert first == second


def test_hundreds_differ_in_words_too() -> None:
    lines = [describe(look) for look in _looks(300)]
    assert len(set(lines)) >= 299


def test_everybody_covers_torso_and_legs() -> None:
    for look in _looks(300):
        kinds = [garment.cut.kind for garment in look.garments]
        assert Kind.TOP in kinds
        covers_legs = any(
            garment.cut.kind is not Kind.TOP or garment.cut.hem > 0.25 for garment in look.garments
        )
        assert covers_legs, describe(look)


def test_one_thing_in_the_hands_at_most() -> None:
    looks = _looks(300)
    held = [sum(thing.thing in IN_HAND for thing in look.carries) for look in looks]
    assert max(held) == 1
    for look, count in zip(looks, held, strict=True):
        assert count == 0 or carry_of(look) not in (Carry.NONE, Carry.BACKPACK)


def test_a_mixed_public() -> None:
    looks = _looks(400)
    assert 0.4 < np.mean([look.female for look in looks]) < 0.6
    assert 0.02 < np.mean([look.child for look in looks]) < 0.12
    dark = [max(g.material.colour) < 0.35 for look in looks for g in look.garments]
    assert 0.25 < np.mean(dark) < 0.6
    brightness = [sum(g.material.colour) for look in looks for g in look.garments]
    infrared = [g.material.infrared for look in looks for g in look.garments]
    assert abs(np.corrcoef(brightness, infrared)[0, 1]) < 0.1


def test_a_uniform_is_shared_and_its_wearers_differ() -> None:
    looks = uniform_looks(np.random.default_rng(5), 12)
    assert len({look.garments for look in looks}) == 1
    assert len(set(looks)) == 12
    assert len({describe(look) for look in looks}) >= 11


def test_words_name_all_that_is_worn() -> None:
    for look in _looks(100):
        line = describe(look)
        worn = [garment.cut.name for garment in look.garments]
        worn += [thing.thing.value for thing in look.carries]
        worn += [look.shoes.kind.value]
        worn += [look.headwear.value] * (look.headwear is not Headwear.NONE)
        assert all(word in line for word in worn), line
        assert line.startswith(("woman", "man", "girl", "boy"))
