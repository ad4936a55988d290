"""The detector on models that ultralytics itself can run beside it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import pipeline.offline  # noqa: F401 (before OpenVINO)

# isort: split
import openvino
import pytest
from scipy.optimize import linear_sum_assignment
from ultralytics import YOLO

from pipeline.config import DetectionSettings
from pipeline.detection.detector import Detector
from pipeline.errors import WeightsError
from pipeline.lasting import the_only
from pipeline.types import ImageArray


def _picture(*corners: tuple[int, int], height: int = 384, width: int = 640) -> ImageArray:
    picture = np.zeros((height, width, 3), np.uint8)
    for x, y in corners:
        picture[y : y + 128, x : x + 64] = (40, 200, 255)
    return picture


@pytest.fixture(scope="module")
def toy(toy_detector: Path) -> Detector:
    return Detector(DetectionSettings(weights=str(toy_detector), confidence=0.5))


def test_people_are_found_where_they_are(toy: Detector) -> None:
    (found,) = toy.detect([_picture((80, 96), (400, 200))])
    order = np.argsort(found.xyxy[:, 0])
    np.testing.assert_allclose(
        found.xyxy[order], [[80, 96, 144, 224], [400, 200, 464, 328]], atol=0.01
    )
    assert found.confidence is not None
    np.testing.assert_allclose(found.confidence, 1, atol=1e-3)


def test_boxes_come_back_in_pixels_of_the_frame(toy: Detector) -> None:
    """A frame of half the size holds the person at half the coordinates."""
    small = _picture((80, 96))[::2, ::2]
    (found,) = toy.detect([small])
    np.testing.assert_allclose(found.xyxy, [[40, 48, 72, 112]], atol=1.0)


def test_empty_frame_has_no_one(toy: Detector) -> None:
    (found,) = toy.detect([_picture()])
    assert found.xyxy.shape == (0, 4)
    assert found.confidence is not None


def test_result_does_not_depend_on_the_company(toy: Detector) -> None:
    pictures = [_picture((80, 96)), _picture(), _picture((8, 8), (300, 100))]
    together = toy.detect(pictures)
    for alone, among in zip((toy.detect([p])[0] for p in pictures), together, strict=True):
        np.testing.assert_array_equal(alone.xyxy, among.xyxy)
        np.testing.assert_array_equal(alone.confidence, among.confidence)


@pytest.fixture
def in_float32() -> Iterator[None]:
    """OpenVINO computes as torch does; by itself it takes bf16 where the processor has that."""
    core, name = the_only(openvino.Core), "INFERENCE_PRECISION_HINT"
    usual = core.get_property("CPU", name)
    core.set_property("CPU", {name: "f32"})
    yield
    core.set_property("CPU", {name: usual})


@pytest.mark.usefixtures("in_float32")
@pytest.mark.parametrize("end_to_end", [False, True], ids=["columns", "rows"])
def test_agrees_with_ultralytics(
    tmp_path: Path, make_untrained: Callable[..., Path], end_to_end: bool
) -> None:
    """Same boxes as `YOLO.predict` for the same weights, size and thresholds, by every engine."""
    weights = str(make_untrained(tmp_path / "tiny.pt", end_to_end=end_to_end))
    noise = np.random.default_rng(0).integers(0, 255, (9, 16, 3), dtype=np.uint8)
    picture = noise.repeat(20, axis=0).repeat(20, axis=1)
    threshold = 0.3
    settings = {"weights": weights, "confidence": threshold, "image_size": 320}
    theirs = YOLO(weights).predict(
        picture,
        conf=threshold,
        iou=0.7,
        imgsz=320,
        classes=[0],
        verbose=False,
        device="cpu",
        nms=False if end_to_end else None,
    )[0]
    expected = theirs.boxes.xyxy.numpy()
    has_area = (expected[:, 2] > expected[:, 0]) & (expected[:, 3] > expected[:, 1])
    assert has_area.sum() > 10
    for engine in ("torch", "openvino"):
        detector = Detector(DetectionSettings(**settings, engine=engine))
        assert detector.name == f"tiny.pt ({engine})"
        (ours,) = detector.detect([picture])
        assert len(ours) == has_area.sum()
        # Of two that are equally likely either may come first, on another processor.
        apart = np.abs(ours.xyxy[:, None] - expected[has_area]).max(axis=2)
        own, other = linear_sum_assignment(apart)
        assert apart[own, other].max() < 0.1
        assert ours.confidence is not None
        confidence = theirs.boxes.conf.numpy()[has_area][other]
        np.testing.assert_allclose(ours.confidence[own], confidence, atol=1e-3)


def test_small_people_are_found_in_tiles(toy_detector: Path) -> None:
    """The network knows people of 64x128 only; in the frame as a whole this one is 36x72."""
    large = np.zeros((768, 1280, 3), np.uint8)
    large[100:244, 900:972] = 255
    settings = DetectionSettings(weights=str(toy_detector), confidence=0.3)
    assert len(Detector(settings).detect([large])[0]) == 0
    tiled = settings.model_copy(update={"tiles": (2, 2)})
    (found,) = Detector(tiled).detect([large])
    assert len(found) >= 1
    assert abs(found.xyxy[0] - [900, 100, 972, 244]).max() < 20


def test_model_without_persons_is_refused(
    tmp_path: Path, make_untrained: Callable[..., Path]
) -> None:
    path = make_untrained(tmp_path / "cars.pt", end_to_end=False, names=("car", "van", "bus"))
    with pytest.raises(WeightsError, match=r"cars\.pt: expected a model with a class person"):
        Detector(DetectionSettings(weights=str(path), engine="torch"))


def test_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.pt"
    path.write_bytes(b"not a model at all")
    with pytest.raises(WeightsError, match=r"noise\.pt: ultralytics cannot load it") as caught:
        Detector(DetectionSettings(weights=str(path)))
    assert "\n" not in str(caught.value)


def test_wrong_device_is_refused(toy_detector: Path) -> None:
    with pytest.raises(WeightsError, match=r"detection\.device"):
        Detector(DetectionSettings(weights=str(toy_detector), device="warp"))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_an_openvino_network_cut_short_is_refused(
    toy_detector: Path, tmp_path: Path, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(toy_detector, tmp_path / "cut"))
    network = folder / "toy.xml"
    network.write_bytes(network.read_bytes()[: int(share * network.stat().st_size)])
    with pytest.raises(WeightsError, match=r"toy\.xml: expected a whole OpenVINO network"):
        Detector(DetectionSettings(weights=str(folder)))
    assert capfd.readouterr() == ("", "")
