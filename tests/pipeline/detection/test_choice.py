"""Which engine runs: as set, or the fastest, remembered."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipeline.config import DetectionSettings
from pipeline.detection import choice
from pipeline.detection.choice import open_engine
from pipeline.errors import WeightsError


class Stub:
    """An engine by name only."""

    input_size, is_end_to_end, batches = None, False, False

    def __init__(self, name: str, path: Path, lanes: int) -> None:
        self.name, self.path, self.lanes = name, path, lanes
        self.classes = {0: "person"}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch, private_cache: Path) -> list[dict[str, float]]:
    """Engines are stubs; each comparison takes the first of these seconds a frame."""
    coming: list[dict[str, float]] = []
    monkeypatch.setattr(choice, "NEEDED", {"torch": (), "openvino": (), "onnx": ("not_there",)})
    monkeypatch.setattr(choice, "exported", lambda path, kind: path.with_name(kind))
    monkeypatch.setattr(choice, "_open", lambda kind, path, _, lanes: Stub(kind, path, lanes))
    monkeypatch.setattr(choice, "_compare", lambda *_: coming.pop(0))
    return coming


def _engine(weights: Path, at_once: int = 1, **settings: object) -> str:
    return open_engine(weights, DetectionSettings(device="cpu", **settings), at_once).name


def test_the_fastest_is_taken_and_remembered(
    weights: Path, times: list[dict[str, float]], capsys: pytest.CaptureFixture[str]
) -> None:
    times.append({"torch": 0.05, "openvino": 0.02})
    assert [_engine(weights) for _ in range(3)] == ["openvino"] * 3
    assert not times
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("detection.engine: openvino from now on (torch 50.0 ms, openvino 20.0 ms")
    assert err.count("\n") == 1


def test_other_weights_or_sizes_are_measured_again(
    weights: Path, times: list[dict[str, float]]
) -> None:
    times += [{"torch": 2, "openvino": 1}, {"torch": 1, "openvino": 2}, {"torch": 1}]
    assert _engine(weights) == "openvino"
    assert _engine(weights, image_size=1280) == "torch"
    assert _engine(weights) == "openvino"
    weights.write_bytes(b"others")
    assert _engine(weights) == "torch"
    assert not times


def test_a_damaged_memory_is_measured_again(
    weights: Path, times: list[dict[str, float]], private_cache: Path
) -> None:
    times += [{"torch": 2, "openvino": 1}, {"torch": 1, "openvino": 2}]
    _engine(weights)
    (file,) = private_cache.iterdir()
    file.write_text("{", encoding="utf-8")
    assert _engine(weights) == "torch"


def test_without_a_cache_folder_it_is_measured_each_time(
    weights: Path, times: list[dict[str, float]], private_cache: Path
) -> None:
    private_cache.parent.touch()
    times += [{"torch": 2, "openvino": 1}] * 2
    assert [_engine(weights) for _ in range(2)] == ["openvino"] * 2
    assert not times


def test_a_named_engine_is_not_measured(weights: Path, times: list[dict[str, float]]) -> None:
    assert _engine(weights, engine="torch") == "torch"
    assert _engine(weights, engine="openvino") == "openvino"


def test_lanes_are_as_many_as_frames_wait_or_processors_are(
    weights: Path, times: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "_processors", lambda: range(4))
    settings = DetectionSettings(device="cpu", engine="openvino")
    assert [open_engine(weights, settings, n).lanes for n in (0, 1, 2, 8)] == [1, 1, 2, 4]


def test_an_engine_that_cannot_run_the_format_is_refused(toy_detector: Path) -> None:
    with pytest.raises(WeightsError, match=r"detection\.engine: torch: expected weights for it"):
        _engine(toy_detector, engine="torch")


def test_a_gpu_runs_torch_only(
    weights: Path, times: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "find_device", lambda _: torch.device("cuda"))
    assert _engine(weights) == "torch"
    with pytest.raises(WeightsError, match=r"detection\.engine: openvino: expected torch on a GPU"):
        _engine(weights, engine="openvino")


def test_every_engine_really_measured(
    tmp_path: Path, private_cache: Path, make_untrained: Callable[..., Path]
) -> None:
    path = make_untrained(tmp_path / "tiny.pt", end_to_end=False)
    first = _engine(path, at_once=2, image_size=64)
    assert first in ("torch", "openvino", "onnx")
    assert _engine(path, at_once=2, image_size=64) == first
