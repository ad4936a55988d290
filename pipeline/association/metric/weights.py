"""The file of a metric: safetensors, what it is for in the metadata; no code is in it."""

from pathlib import Path
from typing import Annotated, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pipeline.association.metric.metric import Fallback, LocalityAwareMetric, LocalMetric
from pipeline.association.metric.network import MetricNetwork
from pipeline.errors import WeightsError
from pipeline.types import EncoderIdentity, FloatArray

CARD_KEY: Final = "locality-aware-metric"
"""The one entry of the metadata; with more, the order of the bytes would be left to chance."""
LAYERS: Final = 4

Tensors = dict[str, FloatArray]


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _EncoderCard(_Card):
    name: str
    sha256: str
    dimension: int


class _NetworkCard(_Card):
    window_s: Annotated[float, Field(gt=0)]
    distance: float
    slope: Annotated[float, Field(ge=0)]
    intercept: float


class _FallbackCard(_Card):
    window_s: Annotated[float, Field(gt=0)]
    reason: str


class _MetricCard(_Card):
    encoder: _EncoderCard
    intra: _NetworkCard | _FallbackCard
    inter: _NetworkCard | _FallbackCard
    elsewhere: bool


def save_metric(path: Path, metric: LocalityAwareMetric) -> None:
    """Write a metric; the same bytes for the same metric.

    What is there is replaced only when the new file is whole.
    """
    encoder = metric.encoder
    card = _MetricCard(
        encoder=_EncoderCard(name=encoder.name, sha256=encoder.sha256, dimension=encoder.dimension),
        intra=_card(metric.intra),
        inter=_card(metric.inter),
        elsewhere=metric.elsewhere,
    )
    tensors = _tensors("intra", metric.intra) | _tensors("inter", metric.inter)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(save(tensors, {CARD_KEY: card.model_dump_json()}))
    partial.replace(path)


def load_metric(path: Path) -> LocalityAwareMetric:
    """The metric of a file of `save_metric`.

    Raises:
        WeightsError: The file is missing, damaged or not one of ours.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    try:
        with safe_open(path, framework="np") as file:
            card = _MetricCard.model_validate_json((file.metadata() or {})[CARD_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        line = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path}: expected a safetensors file: {line[:160]}") from None
    except (KeyError, ValidationError):
        raise WeightsError(f"{path}: expected a metric of `train metric`") from None
    encoder = EncoderIdentity(card.encoder.name, card.encoder.sha256, card.encoder.dimension)
    try:
        intra = _local("intra", card.intra, tensors, encoder.dimension)
        inter = _local("inter", card.inter, tensors, encoder.dimension)
    except (KeyError, ValueError) as error:
        raise WeightsError(f"{path}: the networks of the metric do not fit: {error}") from None
    return LocalityAwareMetric(encoder, intra, inter, card.elsewhere)


def _card(local: LocalMetric | Fallback) -> _NetworkCard | _FallbackCard:
    if isinstance(local, Fallback):
        return _FallbackCard(window_s=local.window_s, reason=local.reason)
    return _NetworkCard(
        window_s=local.window_s,
        distance=local.network.distance,
        slope=local.slope,
        intercept=local.intercept,
    )


def _tensors(name: str, local: LocalMetric | Fallback) -> Tensors:
    if isinstance(local, Fallback):
        return {}
    found: Tensors = {}
    layers = zip(local.network.weights, local.network.biases, strict=True)
    for number, (weight, bias) in enumerate(layers):
        found[f"{name}.{number}.weight"] = np.ascontiguousarray(weight)
        found[f"{name}.{number}.bias"] = np.ascontiguousarray(bias)
    return found


def _local(
    name: str, card: _NetworkCard | _FallbackCard, tensors: Tensors, dimension: int
) -> LocalMetric | Fallback:
    """A network or its fallback; `KeyError` or `ValueError` where its layers do not fit."""
    if isinstance(card, _FallbackCard):
        return Fallback(card.window_s, card.reason)
    weights = tuple(tensors[f"{name}.{number}.weight"] for number in range(LAYERS))
    biases = tuple(tensors[f"{name}.{number}.bias"] for number in range(LAYERS))
    inputs = dimension
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        outputs = len(bias) if number < LAYERS - 1 else 1
        if weight.shape != (outputs, inputs) or bias.shape != (outputs,):
            raise ValueError(f"{name}.{number}: expected ({outputs}, {inputs}), got {weight.shape}")
        inputs = outputs
    network = MetricNetwork(weights, biases, card.distance)
    return LocalMetric(network, card.window_s, card.slope, card.intercept)
