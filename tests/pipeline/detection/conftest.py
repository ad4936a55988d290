"""Untrained networks, small enough to export in a test, and a cache folder of the test's own."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from ultralytics import YOLO

TINY_YOLO = """
nc: 3
end2end: True
reg_max: 1
backbone:
  - [-1, 1, Conv, [8, 3, 2]]
  - [-1, 1, Conv, [8, 3, 2]]
  - [-1, 1, Conv, [8, 3, 2]]
  - [-1, 1, Conv, [8, 3, 2]]
  - [-1, 1, Conv, [8, 3, 2]]
head:
  - [[2, 3, 4], 1, Detect, [nc]]
"""


@pytest.fixture(scope="session")
def make_untrained() -> Callable[..., Path]:
    """Writes an untrained YOLO of three classes, person first, as ultralytics saves it.

    Drawn so that on coarse noise all boxes are different, and persons likelier than others.
    """

    def make(
        path: Path, *, end_to_end: bool, names: tuple[str, ...] = ("person", "a", "b")
    ) -> Path:
        recipe = path.with_suffix(".yaml")
        recipe.write_text(TINY_YOLO, encoding="utf-8")
        model = YOLO(str(recipe)).model
        generator = torch.Generator().manual_seed(0)
        for weights in (w for w in model.parameters() if w.dim() == 4):
            scale = 1.5 / weights[0].numel() ** 0.5
            torch.nn.init.normal_(weights, 0, scale, generator=generator)
        head = model.model[-1]
        for level in (*head.cv2, *head.one2one_cv2):
            torch.nn.init.normal_(level[-1].weight, 0, 0.02, generator=generator)
        for level in (*head.cv3, *head.one2one_cv3):
            level[-1].bias.data[:] = torch.tensor([-1.0, -2.0, -2.0])
        model.names, model.end2end = dict(enumerate(names)), end_to_end
        torch.save({"model": model}, path)
        return path

    return make


@pytest.fixture
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is made and remembered in the test is kept here, not at the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "multi-camera-person-tracking"
