"""Using a metric: which network serves which pair, what its file holds, whom it refuses."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.association.appearance import LIMIT
from pipeline.association.metric.metric import (
    Fallback,
    LocalityAwareMetric,
    LocalMetric,
    OtherEncoderError,
)
from pipeline.association.metric.network import BLOCK_PAIRS, MetricNetwork
from pipeline.association.metric.weights import load_metric, save_metric
from pipeline.association.pairs import Pairs
from pipeline.errors import WeightsError
from pipeline.types import DoubleArray, EncoderIdentity

ENCODER = EncoderIdentity("toy", "0" * 64, 3)
NONE = Fallback(300.0, "too thin: 3 people")


def constant(value: float, distance: float = 0.0) -> MetricNetwork:
    """Three dimensions, two hidden: the logit is `value` + distance * squared distance."""
    shapes = [(2, 3), (2, 2), (2, 2), (1, 2)]
    weights = tuple(np.zeros(shape, np.float32) for shape in shapes)
    biases = (*(np.zeros(2, np.float32) for _ in range(3)), np.array([value], np.float32))
    return MetricNetwork(weights, biases, distance)


def random_network(seed: int, dimension: int = 3, hidden: int = 5) -> MetricNetwork:
    rng = np.random.default_rng(seed)
    shapes = [(hidden, dimension), (hidden, hidden), (hidden, hidden), (1, hidden)]
    return MetricNetwork(
        tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes),
        tuple(rng.normal(size=shape[0]).astype(np.float32) for shape in shapes),
        -0.5,
    )


def metric(elsewhere: bool = False) -> LocalityAwareMetric:
    """Intra says 1, inter says 2."""
    return LocalityAwareMetric(
        ENCODER,
        LocalMetric(constant(1.0), 30.0, 1.0, 0.0),
        LocalMetric(constant(1.0), 300.0, 2.0, 0.0),
        elsewhere,
    )


def evidence(one: LocalityAwareMetric, same_camera: list[bool], gap_s: list[float]) -> DoubleArray:
    vectors = np.zeros((len(gap_s), 3), np.float32)
    return one.log_odds(vectors, vectors, np.array(same_camera), np.array(gap_s))


def test_a_network_by_hand() -> None:
    """|f1 - f2| = (1, 2, 0); hidden (2 - 1, 1) -> ReLU; squared distance 5."""
    network = MetricNetwork(
        (
            np.array([[0, 1, 0], [1, 0, 0]], np.float32),
            np.eye(2, dtype=np.float32),
            np.array([[1, 1], [-1, 0]], np.float32),
            np.array([[3, 7]], np.float32),
        ),
        (
            np.array([-1, 0], np.float32),
            np.zeros(2, np.float32),
            np.zeros(2, np.float32),
            np.array([0.5], np.float32),
        ),
        -2.0,
    )
    first, second = np.array([[0, 1, 4.0]], np.float32), np.array([[1, -1, 4.0]], np.float32)
    assert network.logits(first, second).tolist() == [3 * (1 + 1) + 0.5 - 2 * 5]


def test_it_is_symmetric() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 50, 3)).astype(np.float32)
    network = random_network(1)
    np.testing.assert_array_equal(network.logits(first, second), network.logits(second, first))


def test_which_network_serves_which_pair() -> None:
    same = [True, True, True, False, False, False]
    gaps = [-5.0, 30.0, 31.0, -400.0, 300.0, 301.0]
    np.testing.assert_array_equal(evidence(metric(), same, gaps), [1, 1, np.nan, 2, 2, np.nan])
    np.testing.assert_array_equal(evidence(metric(elsewhere=True), same, gaps), [1, 1, 2, 2, 2, 2])


def test_what_is_absent_is_left_to_cosine_and_said() -> None:
    one = LocalityAwareMetric(ENCODER, LocalMetric(constant(1.0), 30.0, 1.0, 0.0), NONE, False)
    np.testing.assert_array_equal(evidence(one, [True, False], [0.0, 0.0]), [1, np.nan])
    assert one.fallbacks() == ["different cameras, up to 300 s: cosine, too thin: 3 people"]


@pytest.mark.parametrize(("value", "limit"), [(100.0, LIMIT), (-100.0, -LIMIT)])
def test_evidence_is_limited(value: float, limit: float) -> None:
    local = LocalMetric(constant(value), 30.0, 1.0, 0.0)
    one = LocalityAwareMetric(ENCODER, local, NONE, False)
    assert evidence(one, [True], [0.0]).tolist() == [limit]


def test_many_pairs_are_compared_in_blocks() -> None:
    """The same whatever the blocks: by hand, one by one."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(150, 3)).astype(np.float32)
    pairs = Pairs.all(150)
    assert len(pairs) > BLOCK_PAIRS
    same, gaps = rng.random(len(pairs)) < 0.5, rng.uniform(-50, 400, len(pairs))
    one = LocalityAwareMetric(
        ENCODER,
        LocalMetric(random_network(1), 30.0, 0.1, 0.25),
        LocalMetric(random_network(2), 300.0, 0.1, -0.25),
        False,
    )
    found = one.of_pairs(vectors, pairs, same, gaps)
    for row in (0, 1, BLOCK_PAIRS - 1, BLOCK_PAIRS, len(pairs) - 1):
        this = slice(row, row + 1)
        expected = one.log_odds(
            vectors[pairs.first[this]], vectors[pairs.second[this]], same[this], gaps[this]
        )
        np.testing.assert_allclose(found[this], expected, rtol=1e-5)
    assert 0 < np.isnan(found).sum() < len(found)


def test_another_encoders_vectors_are_refused() -> None:
    assert metric().for_encoder(ENCODER).encoder == ENCODER
    with pytest.raises(OtherEncoderError) as error:
        metric().for_encoder(EncoderIdentity("toy", "1" * 64, 3))
    assert "learnt on embeddings by toy 000000000000, these are by toy 111111111111" in str(
        error.value
    )


def test_written_and_read_it_is_the_same(tmp_path: Path) -> None:
    one = LocalityAwareMetric(ENCODER, LocalMetric(random_network(3), 30.0, 0.5, -1.0), NONE, False)
    save_metric(tmp_path / "a", one)
    save_metric(tmp_path / "b", one)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    back = load_metric(tmp_path / "a")
    assert (back.encoder, back.inter, back.elsewhere) == (one.encoder, one.inter, False)
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 9, 3)).astype(np.float32)
    both = np.ones(9, bool), np.zeros(9)
    np.testing.assert_array_equal(
        back.log_odds(first, second, *both), one.log_odds(first, second, *both)
    )


def test_what_is_no_metric_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(WeightsError, match="no such file"):
        load_metric(path)
    path.write_bytes(b"pickle me")
    with pytest.raises(WeightsError, match="expected a safetensors file"):
        load_metric(path)
    save_file({"a": np.zeros(3, np.float32)}, path)
    with pytest.raises(WeightsError, match="expected a metric of `train metric`"):
        load_metric(path)
    wrong = LocalMetric(random_network(3, dimension=4), 30.0, 0.5, -1.0)
    save_metric(path, LocalityAwareMetric(ENCODER, wrong, NONE, False))
    with pytest.raises(WeightsError, match=r"intra.0: expected \(5, 3\), got \(5, 4\)"):
        load_metric(path)
