"""People of three coloured bands before any background: learnt in seconds."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.sources import ClipsInMemory
from pipeline.reid.training.recipe import Recipe
from pipeline.reid.training.table import TestSet

HEIGHT, WIDTH, FRAMES = 64, 32, 4

TINY_RECIPE = {
    "name": "tiny",
    "encoder": {
        "backbone": "mobilenetv4_conv_small_050",
        "head": "lstm_attention",
        "dimension": 32,
        "height_px": HEIGHT,
        "width_px": WIDTH,
    },
    "train": {"archive": "train"},
    "test": {"others": {"archive": "test"}},
    "frames": {
        "iterations": 6,
        "people": 4,
        "clips": 2,
        "frames": 2,
        "learning_rate": 0.002,
        "averaging": 0.9,
        "checkpoint_every": 4,
    },
    "heads": {
        "frames": FRAMES,
        "iterations": 3,
        "people": 4,
        "clips": 2,
        "seeds": 2,
        "variants": 1,
        "learning_rate": 0.001,
        "names": ["mean", "lstm_attention"],
    },
}


def coloured_people(seed: int, people: int, cameras: int) -> ClipsInMemory:
    """Everybody once before every camera, each time before another background."""
    rng = np.random.default_rng(seed)
    colours = rng.uniform(30, 220, (people, 3, 3))  # head, trunk, legs
    gains = np.exp(rng.normal(0, 0.1, (cameras, 3)))
    clips, identities, seen_by = [], [], []
    for identity in range(people):
        bands = np.repeat(colours[identity], (10, 27, 27), axis=0)  # (64, 3)
        for camera in range(cameras):
            clip = rng.normal(0, 10, (FRAMES, HEIGHT, WIDTH, 3))
            clip += np.repeat(rng.uniform(0, 255, (4, 1, 3)), HEIGHT // 4, axis=0)
            clip[:, :, 8:24] = bands[:, None] * gains[camera] + rng.normal(
                0, 10, (FRAMES, HEIGHT, 16, 3)
            )
            clips.append(np.clip(clip, 0, 255).astype(np.uint8))
            identities.append(identity)
            seen_by.append(camera)
    return ClipsInMemory(clips, np.array(identities), np.array(seen_by))


def as_test_set(source: ClipsInMemory) -> TestSet:
    everything = np.arange(len(source.identities))
    return TestSet("others", source, everything, everything, Protocol("x", queries_in_gallery=True))


@pytest.fixture(scope="session")
def learnt_from() -> ClipsInMemory:
    return coloured_people(1, people=24, cameras=4)


@pytest.fixture(scope="session")
def others() -> TestSet:
    """Nobody and no camera of those that are learnt from."""
    return as_test_set(coloured_people(2, people=16, cameras=3))


@pytest.fixture
def tiny_recipe() -> Callable[..., Recipe]:
    """A recipe of a few iterations; sections are changed by name."""

    def make(**sections: dict[str, object]) -> Recipe:
        tree: dict[str, object] = dict(TINY_RECIPE)
        for name, changes in sections.items():
            tree[name] = {**TINY_RECIPE.get(name, {}), **changes}
        return Recipe.model_validate(tree)

    return make
