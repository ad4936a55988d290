"""What training brings: a small network, and people painted in three colours."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from pipeline.evaluation.retrieval.scores import evaluate_embeddings
from pipeline.reid.augmentation import NO_AUGMENTATION, AugmentationSettings, augmented, coarse
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.sources import ClipsInMemory
from pipeline.reid.losses import IdentityLoss, weighted_triplet_loss
from pipeline.reid.pooling import BnNeck, BodyGem
from pipeline.reid.samplers import IdentitySampler
from pipeline.reid.video_encoder import normalised
from pipeline.types import FloatArray, ImageArray

SIZE = (32, 16)
PARTS = np.repeat(np.arange(3), (6, 13, 13))  # head, trunk, legs
STRIPES = np.where(np.arange(32) % 2 == 0, 1, -1)[:, None]
CHANNELS = 16
DIMENSION = 3 * CHANNELS  # whole, upper and lower body
ACROSS_CAMERAS = Protocol("across cameras", queries_in_gallery=True)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks only wait for one another's threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def painted(
    seed: int, people: int, cameras: int, stripes: float = 0, light: float = 0.05
) -> ClipsInMemory:
    """A picture of everybody before every camera, before clutter.

    Args:
        seed: Who they are.
        people: How many.
        cameras: How many see everybody.
        stripes: How bright every other row of a part is at most.
        light: How differently cameras see colours: deviation of the logarithm of the gain.
    """
    rng = np.random.default_rng(seed)
    colours = rng.uniform(60, 180, (people, 3, 3))  # of head, trunk and legs
    contrasts = rng.uniform(-stripes, stripes, (people, 3, 1))
    lights = np.exp(rng.normal(0, light, (cameras, 3)))
    bodies = colours[:, PARTS] + contrasts[:, PARTS] * STRIPES  # (people, 32, 3)
    pictures = rng.normal(0, 8, (people, cameras, 1, *SIZE, 3))
    pictures += np.repeat(rng.uniform(60, 180, (people, cameras, 1, 4, 1, 3)), 8, axis=3)
    pictures[..., 3:13, :] = rng.normal(0, 8, (people, cameras, 1, 32, 10, 3))
    pictures[..., 3:13, :] += (bodies[:, None] * lights[:, None])[:, :, None, :, None]
    clips = np.clip(pictures, 0, 255).astype(np.uint8).reshape(-1, 1, *SIZE, 3)
    who = np.repeat(np.arange(people), cameras)
    return ClipsInMemory(list(clips), who, np.tile(np.arange(cameras), people))


class SmallEncoder(nn.Module):
    """Two convolutions, pooled as the project's encoders are."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, channels in ((3, CHANNELS // 2), (CHANNELS // 2, CHANNELS)):
            convolution = nn.Conv2d(before, channels, 3, 2, 1, bias=False)
            layers += [convolution, nn.BatchNorm2d(channels), nn.ReLU()]
        self.layers = nn.Sequential(*layers, BodyGem(CHANNELS, parts=True))
        self.neck = BnNeck(DIMENSION)

    def forward(self, crops: ImageArray) -> tuple[Tensor, Tensor]:
        """Before and after the neck (N, D) of crops (N, 32, 16, 3)."""
        embedding = self.layers(normalised(torch.from_numpy(crops), SIZE))
        return embedding, self.neck(embedding)

    @torch.inference_mode()
    def embed(self, crops: ImageArray) -> FloatArray:
        return normalize(self.eval()(crops)[1], dim=1).numpy()


def pictures_of(source: ClipsInMemory) -> ImageArray:
    return np.concatenate([source.read(clip, np.arange(1)) for clip in range(len(source.lengths))])


def learnt(source: ClipsInMemory, settings: AugmentationSettings, seed: int = 0) -> SmallEncoder:
    """After 40 batches of 6 people with 4 pictures."""
    torch.manual_seed(seed)
    encoder, pictures = SmallEncoder(), pictures_of(source)
    classifier = IdentityLoss(DIMENSION, int(source.identities.max()) + 1)
    optimiser = torch.optim.Adam([*encoder.parameters(), *classifier.parameters()], lr=0.01)
    sampler = IdentitySampler(source.identities, source.cameras, 6, 4, seed)
    batches = (batch for epoch in range(40) for batch in sampler.epoch(epoch))
    for number, batch in zip(range(40), batches, strict=False):
        rng = np.random.default_rng([seed, number])
        embedding, neck = encoder(augmented(pictures[batch][:, None], rng, settings)[:, 0])
        identities = torch.from_numpy(source.identities[batch])
        loss = classifier(neck, identities) + weighted_triplet_loss(embedding, identities)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return encoder


def found(encoder: SmallEncoder, others: ClipsInMemory, queries: ImageArray) -> float:
    """Mean average precision of changed pictures as queries, the pictures as they are searched."""
    who = others.identities, others.cameras
    vectors = encoder.embed(queries), encoder.embed(pictures_of(others))
    return evaluate_embeddings(*vectors, *who, *who, ACROSS_CAMERAS).map


def by_pixels(crops: ImageArray) -> FloatArray:
    """Pictures as they are, at unit length."""
    rows = crops.reshape(len(crops), -1).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_colours(crops: ImageArray) -> FloatArray:
    """Square roots of a histogram of 16 hues, 4 saturations and 4 values, at unit length."""
    rows = []
    for crop in crops:
        hsv = cv2.cvtColor(crop, cv2.COLOR_BGR2HSV)
        counts = cv2.calcHist([hsv], [0, 1, 2], None, [16, 4, 4], [0, 180, 0, 256, 0, 256])
        rows.append(np.sqrt(counts.ravel() / counts.sum()))
    return np.stack(rows)


def test_what_is_learnt_beats_pixels_and_histograms() -> None:
    """Of people and cameras that were not learnt from: rank 1 is ahead by .1."""
    others = painted(2, 30, 3, light=0.1)
    pictures = pictures_of(others)
    who = others.identities, others.cameras
    embed = learnt(painted(1, 60, 4, light=0.1), NO_AUGMENTATION).embed
    learnt_rank, *baselines = (
        evaluate_embeddings(vectors, vectors, *who, *who, ACROSS_CAMERAS).rank(1)
        for vectors in (describe(pictures) for describe in (embed, by_pixels, by_colours))
    )
    assert learnt_rank > max(baselines) + 0.1


def only(**changes: object) -> AugmentationSettings:
    return NO_AUGMENTATION.model_copy(update=changes)


def test_who_learns_from_erased_pictures_finds_those_half_hidden() -> None:
    """The trunk is most of a person; hidden, head and legs must do. Mean of two seeds."""
    source, others = painted(1, 60, 4), painted(2, 30, 3)
    hidden = pictures_of(others)
    hidden[:, 4:20] = np.random.default_rng(3).integers(40, 200, (len(hidden), 1, 1, 3))
    plain, erased = (
        np.mean([found(learnt(source, only(erase=p), seed), others, hidden) for seed in (0, 1)])
        for p in (0.0, 0.5)
    )
    assert erased > plain + 0.01


def test_light_moves_embeddings_little_after_training_under_changed_light() -> None:
    """By 30 % more or less: a cosine of .9 in the mean."""
    source, pictures = painted(1, 60, 4), pictures_of(painted(2, 24, 3))
    cosines = []
    for settings in (NO_AUGMENTATION, only(colour=1.0)):
        encoder = learnt(source, settings)
        lit = [np.clip(gain * pictures, 0, 255).astype(np.uint8) for gain in (0.7, 1.3)]
        before = encoder.embed(pictures)
        cosines.append(min((before * encoder.embed(each)).sum(axis=1).mean() for each in lit))
    assert cosines[0] < 0.8 < 0.9 < cosines[1]


def test_coarse_queries_lose_less_after_training_on_coarse_pictures() -> None:
    """People in stripes, which are gone at half the resolution: at least 30 % less is lost."""
    source, others = painted(1, 24, 4, stripes=50), painted(2, 24, 3, stripes=50)
    pictures = pictures_of(others)
    lost = []
    for settings in (NO_AUGMENTATION, only(resample=0.5)):
        encoder = learnt(source, settings)
        sharp = found(encoder, others, pictures)
        assert sharp > 0.6
        lost.append(
            [sharp - found(encoder, others, coarse(pictures, factor)) for factor in (2, 3, 4)]
        )
    assert min(lost[0]) > 0.3
    assert all(with_it < 0.7 * without for without, with_it in zip(*lost, strict=True))
