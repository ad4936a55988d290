"""Why a tracklet has its identity, in words and as a picture."""

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from commands.reasons import decision, picture, reasons
from pipeline.types import UNSUPPORTED
from storage.explanations import Explanation, Pair, Parts

NOTHING = Parts(0.0, 0.0, 0.0, 0.0, 0.0)
SECOND = 1_000_000


def _pair(
    camera: str, begin_s: float, parts: Parts, similarity: float | None = 0.7, same: bool = True
) -> Pair:
    start = round(begin_s * SECOND)
    return Pair(f"{camera}/7", camera, start, start + 5 * SECOND, 3, same, similarity, parts)


def _explanation(*pairs: Pair) -> Explanation:
    return Explanation(
        run=1,
        tracklet="hall/2",
        camera="hall",
        enter_us=100 * SECOND,
        leave_us=110 * SECOND,
        identity=3,
        method="correlation-clustering",
        decided_at="2026-01-01T00:00:00.000000Z",
        evidence=NOTHING,
        pairs=pairs,
        earlier_decisions=0,
    )


CASES = [
    (
        _pair("door", 122, Parts(6.0, 5.0, 1.0, 0.0, 0.0)),
        "looks like it, similarity 0.70 (+5.0)",
        "from hall to door in 12 s, as often happens (+1.0)",
    ),
    (
        _pair("door", 80, Parts(-6.0, -5.0, -1.0, 0.0, 0.0), 0.1, same=False),
        "looks unlike it, similarity 0.10 (-5.0)",
        "from door to hall in 15 s, as seldom happens (-1.0)",
    ),
    (
        _pair("hall", 90, NOTHING, None),
        "no embedding to compare",
        "back at hall after 5 s (+0.0)",
    ),
    (
        _pair("door", 104, Parts(104.0, 0.0, 0.0, 4.0, 100.0), None),
        "no embedding to compare",
        "both in view for 5 s (+0.0)",
        "at the same place on the floor (+4.0)",
        "a user joined them",
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_reasons(case: tuple[Pair, *tuple[str, ...]]) -> None:
    pair, *wanted = case
    assert reasons(_explanation(pair), pair) == wanted


def test_alone() -> None:
    assert "no other tracklet was close enough" in decision(_explanation())


def test_picture_shows_both_and_grows_with_the_pairs() -> None:
    """The middle thumbnails, red and blue, side by side; who has none gets an empty frame."""
    colours = {"hall/2": (0, 0, 255), "door/7": (255, 0, 0)}
    thumbnails = {
        key: (cv2.imencode(".png", np.full((128, 64, 3), bgr, np.uint8))[1].tobytes(),)
        for key, bgr in colours.items()
    }
    pairs = (_pair("door", 122, NOTHING), _pair("gate", 130, NOTHING, None))
    one, two = (picture(_explanation(*pairs[:n]), thumbnails) for n in (1, 2))
    assert two.shape[0] > one.shape[0]
    for bgr in colours.values():
        is_there = (one == bgr).all(axis=2)
        assert is_there.sum() > 64 * 128
    assert re.match(r"hall/2 is identity 3", decision(_explanation(*pairs)))


def test_what_is_no_person_is_told() -> None:
    words = decision(replace(_explanation(), method=UNSUPPORTED))
    assert "rather a thing than a person" in words
    assert "rather a thing" not in decision(_explanation())
