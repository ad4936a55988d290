from pathlib import Path

import cv2
import numpy as np
import pytest

from cameras.simulation.detector_images import (
    IMAGES_PER_SITE,
    MOST_PEOPLE,
    DetectorImage,
    ImageStudio,
    write_yolo,
)
from cameras.simulation.truth import FrameTruth


@pytest.fixture(scope="module")
def images() -> list[DetectorImage]:
    with ImageStudio(1, people_known=MOST_PEOPLE) as studio:
        return [studio.image(number) for number in (0, 1, IMAGES_PER_SITE)]


def test_an_image_depends_on_its_number_alone(images: list[DetectorImage]) -> None:
    with ImageStudio(1, people_known=MOST_PEOPLE) as studio:
        again = studio.image(1)
    np.testing.assert_array_equal(again.image, images[1].image)
    np.testing.assert_array_equal(again.truth.full_boxes, images[1].truth.full_boxes)


def test_surroundings_change_no_people(images: list[DetectorImage]) -> None:
    with ImageStudio(1, people_known=MOST_PEOPLE, surroundings=False) as studio:
        bare = studio.image(0)
    np.testing.assert_array_equal(bare.truth.full_boxes, images[0].truth.full_boxes)
    assert (bare.image != images[0].image).any()


def test_what_is_seen_lies_in_the_whole_person(images: list[DetectorImage]) -> None:
    assert sum(len(one.truth.identities) for one in images) > 0
    for one in images:
        assert one.image.dtype == np.uint8
        height, width = one.image.shape[:2]
        truth = one.truth
        assert len(truth.identities) <= MOST_PEOPLE
        assert len(set(truth.identities.tolist())) == len(truth.identities)
        seen = truth.visibility > 0.5
        inside = truth.visible_boxes[seen]
        assert (inside >= 0).all()
        assert (inside <= (width, height, width, height)).all()
        assert (truth.keypoints[seen, :, 2] > 0).any(axis=1).all()


def test_yolo_files(tmp_path: Path) -> None:
    """One person of 20 x 40 in the middle of 100 x 80, half outside to the left; one hidden."""
    truth = FrameTruth(
        identities=np.array([1, 2]),
        full_boxes=np.array([[-10.0, 20, 10, 60], [50, 20, 70, 60]]),
        visible_boxes=np.array([[0.0, 20, 10, 60], [0, 0, 0, 0]]),
        visibility=np.array([0.5, 0.0]),
        ground=np.zeros((2, 2)),
        keypoints=np.zeros((2, 17, 3)),
    )
    image = np.full((80, 100, 3), 128, np.uint8)
    assert write_yolo([DetectorImage(image, truth)], tmp_path) == 1
    assert (tmp_path / "labels" / "000001.txt").read_text() == (
        "0 0.050000 0.500000 0.100000 0.500000\n"
    )
    assert cv2.imread(str(tmp_path / "images" / "000001.jpg")).shape == (80, 100, 3)
