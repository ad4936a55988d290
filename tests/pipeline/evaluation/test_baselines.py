"""The baselines that scores are held against, by numbers worked by hand."""

from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.evaluation.baselines import COSINE_ALONE, ONE_EACH, baselines, cosine_alone
from pipeline.evaluation.camera_tracks import CameraTracks, identified
from pipeline.evaluation.ground_truth import GroundTruth
from pipeline.evaluation.multi_camera import evaluate
from pipeline.types import Embedding, EncoderIdentity, NoEmbedding, Tracklet

ENCODER = EncoderIdentity("toy", "0" * 64, 2)
OTHER = EncoderIdentity("other", "1" * 64, 2)


def at(degrees: float, encoder: EncoderIdentity = ENCODER) -> Embedding:
    angle = np.radians(degrees)
    return Embedding(np.array([np.cos(angle), np.sin(angle)]), encoder)


def grouped(embeddings: Sequence[Embedding | NoEmbedding]) -> list[int]:
    return cosine_alone(embeddings).tolist()


@pytest.mark.parametrize(
    ("embeddings", "identities"),
    [
        ([], []),
        ([at(0)], [0]),
        ([at(0), at(53)], [0, 0]),  # cos 53 = .602
        ([at(0), at(54)], [0, 1]),  # cos 54 = .588
        # 0 and 40 are joined (.77); 80 is .77 from one and .17 from the other: .47 on average.
        ([at(0), at(40), at(80.5)], [0, 0, 1]),
        ([at(0), NoEmbedding(), at(0), NoEmbedding()], [0, 1, 0, 2]),
        ([at(0), at(0, OTHER), at(0), at(0, OTHER)], [0, 1, 0, 1]),
    ],
)
def test_cosine_alone(embeddings: list[Embedding], identities: list[int]) -> None:
    assert grouped(embeddings) == identities


def test_baselines_by_name() -> None:
    found = baselines([at(0), at(10), at(90)])
    assert {name: ids.tolist() for name, ids in found.items()} == {
        ONE_EACH: [0, 1, 2],
        COSINE_ALONE: [0, 0, 1],
    }
    assert "0.6" in COSINE_ALONE


def tracklet(camera: str, number: int, frames: Sequence[int], left: float) -> Tracklet:
    count = len(frames)
    boxes = np.tile([left, 0, left + 10, 20], (count, 1))
    times = np.array(frames) * 100_000
    return Tracklet(camera, number, 1, frames, times, boxes, np.ones(count))


def rows(tracks: CameraTracks) -> list[tuple[int, int, float]]:
    columns = zip(tracks.frame_indices, tracks.ids, tracks.boxes[:, 0], strict=True)
    return [(int(frame), int(number), float(left)) for frame, number, left in columns]


def test_boxes_come_under_their_identities_camera_by_camera() -> None:
    tracklets = [
        tracklet("b", 1, [5, 6], 0),
        tracklet("a", 1, [1], 30),
        tracklet("b", 2, [4, 5], 60),
    ]
    found = identified(["a", "b", "c"], tracklets, np.array([7, 7, 9]))
    assert [tracks.camera_id for tracks in found] == ["a", "b", "c"]
    assert rows(found[0]) == [(1, 7, 30)]
    assert rows(found[1]) == [(4, 9, 60), (5, 7, 0), (5, 9, 60), (6, 7, 0)]
    assert rows(found[2]) == []


def test_of_two_boxes_of_one_identity_in_a_frame_the_second_is_of_nobody_else() -> None:
    tracklets = [
        tracklet("a", 1, [0, 1], 0),
        tracklet("a", 2, [1, 2], 50),
        tracklet("a", 3, [1], 90),
        tracklet("b", 1, [1], 0),
    ]
    a, b = identified(["a", "b"], tracklets, np.zeros(4, np.int64))
    assert [row for row in rows(a) if row[1] == 0] == [(0, 0, 0), (1, 0, 0), (2, 0, 50)]
    others = [row for row in rows(a) if row[1] != 0]
    assert [(frame, left) for frame, _, left in others] == [(1, 50), (1, 90)]
    assert len({number for _, number, _ in others}) == 2
    assert rows(b) == [(1, 0, 0)]


def test_the_baselines_lose_what_they_must() -> None:
    """Two people in two cameras, ten frames in each; their embeddings are 50 degrees apart."""
    frames = list(range(10))
    tracklets = [tracklet(c, n, frames, 50 * n) for c in ("a", "b") for n in (1, 2)]
    embeddings = [at(0), at(50), at(2), at(52)]
    truth = {
        tracks.camera_id: GroundTruth(tracks, np.ones(20, np.bool_), np.zeros(20, np.bool_))
        for tracks in identified(["a", "b"], tracklets, np.array([1, 2, 1, 2]))
    }
    scores = {
        name: evaluate(truth, identified(["a", "b"], tracklets, identities)).multi_camera
        for name, identities in baselines(embeddings).items()
    }
    # Each person's boxes are half under one number, half under another: half can be right.
    assert scores[ONE_EACH].to_json()["IDF1"] == pytest.approx(50)
    # All four are joined: the first person keeps the number, the second is two others.
    assert scores[COSINE_ALONE].to_json()["IDF1"] == pytest.approx(75)
    for result in scores.values():
        assert result.to_json()["DetA"] == pytest.approx(100)
