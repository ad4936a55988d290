"""What an engine is: the network, from letterboxed frames to raw predictions."""

from typing import Protocol

from pipeline.types import FloatArray, ImageArray


class Engine(Protocol):
    """Runs one network.

    Attributes:
        name: What computes: `torch`, `openvino`, `onnx` or another of ultralytics' formats.
        classes: Names of the classes by their number.
        is_end_to_end: Whether rows of boxes come out; otherwise columns that overlap.
        input_size: (height, width) that the network fixes; None where any will do.
        lanes: From how many threads at once `infer` may be called.
        batches: Whether several inputs in one call cost less than one by one.
    """

    name: str
    classes: dict[int, str]
    is_end_to_end: bool
    input_size: tuple[int, int] | None
    lanes: int
    batches: bool

    def infer(self, batch: ImageArray) -> list[FloatArray]:
        """Raw predictions of each input of a batch (B, H, W, 3) uint8 BGR.

        End to end: (n, 6 or more) of x1, y1, x2, y2, confidence, class. Otherwise
        (4 + classes or more, n): centre x and y, width, height, confidence of each class.
        """
        ...
