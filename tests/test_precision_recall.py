"""The scores of the benchmark of detectors, by hand."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
TALL = [0.0, 0, 40, 100]
FAR = [500.0, 0, 540, 100]


@pytest.fixture(scope="module")
def scores() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "precision_recall", FOLDER / "precision_recall.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        patch.setitem(sys.modules, "precision_recall", module)
        spec.loader.exec_module(module)
    return module


def people(*rows: tuple[list[float], float]) -> np.ndarray:
    return np.array([[*box, confidence] for box, confidence in rows]).reshape(-1, 5)


def test_a_curve_by_hand(scores: ModuleType) -> None:
    """Two frames, three people to be found.

    0.9 right; 0.8 wrong; 0.7 right; 0.6 a second box of the same person, wrong; the one of 30
    pixels and the one that nobody asks for count neither way; the third person is never found.
    """
    there = np.array([TALL, FAR])
    first = scores.reference(there, np.array([True, True]))
    second = scores.reference(np.array([TALL, FAR]), np.array([True, False]))
    curve = scores.curve(
        [first, second],
        [
            people((TALL, 0.9), (TALL, 0.6), ([200.0, 0, 240, 100], 0.8)),
            people((TALL, 0.7), (FAR, 0.95), ([200.0, 0, 240, 30], 0.85)),
        ],
    )
    np.testing.assert_allclose(curve.confidence, [0.9, 0.8, 0.7, 0.6])
    np.testing.assert_allclose(curve.precision, [1, 1 / 2, 2 / 3, 1 / 2])
    np.testing.assert_allclose(curve.recall, [1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert curve.average_precision == pytest.approx(1 / 3 + 2 / 9)
    assert curve.recall_at_precision(0.6) == pytest.approx(2 / 3)
    assert curve.recall_at_precision(0.9) == pytest.approx(1 / 3)
    assert curve.at_confidence(0.75) == (1 / 2, pytest.approx(1 / 3))
    assert curve.confidences([0.5]) == [pytest.approx(0.8)]


def test_nothing_found_and_nothing_there(scores: ModuleType) -> None:
    nobody, none = np.empty((0, 4)), np.empty((0, 5))
    curve = scores.curve([scores.reference(nobody, np.zeros(0, bool))], [none])
    assert (curve.average_precision, curve.recall_at_precision(0.9)) == (0, 0)
    assert curve.at_confidence(0.5) == (1, 0)
    wrong = scores.curve([scores.reference(nobody, np.zeros(0, bool))], [people((TALL, 0.5))])
    assert wrong.at_confidence(0.5) == (0, 0)
