"""What an encoder costs: parameters, arithmetic and time."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline.reid.video_encoder import VideoEncoder

REPEATS: Final = 5
CROPS: Final = 8


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one encoder.

    Attributes:
        parameters: How many numbers it has learnt, head and neck included.
        gflops_per_crop: 10^9 floating-point operations (a multiplication and an addition are two).
        ms_per_crop: Milliseconds by torch on one CPU thread, or on the GPU, in batches of 8.
        ms_per_clip: The same for a clip of `frames` crops from pixels to embedding.
        frames: Crops in that clip.
    """

    parameters: int
    gflops_per_crop: float
    ms_per_crop: float
    ms_per_clip: float
    frames: int


@torch.inference_mode()
def measure_cost(encoder: VideoEncoder, frames: int) -> Cost:
    """The cost of an encoder on the device where it is; times are medians of a few runs."""
    encoder.eval()
    device = next(encoder.parameters()).device
    crop = torch.zeros((1, 3, *encoder.settings.size), device=device)
    with FlopCounterMode(display=False) as counter:
        encoder.frame_vectors(crop)
    crops = crop.expand(CROPS, -1, -1, -1).contiguous()
    clip = crop.expand(frames, -1, -1, -1)[None].contiguous()
    present = torch.ones((1, frames), dtype=torch.bool, device=device)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ms_per_crop = _median_ms(lambda: encoder.frame_vectors(crops)) / CROPS
        ms_per_clip = _median_ms(lambda: encoder.embed(clip, present))
    finally:
        torch.set_num_threads(threads)
    return Cost(
        sum(weight.numel() for weight in encoder.parameters()),
        counter.get_total_flops() / 1e9,
        ms_per_crop,
        ms_per_clip,
        frames,
    )


def _median_ms(run: Callable[[], torch.Tensor]) -> float:
    """Milliseconds of one run; what it gives is read, so that a GPU has finished."""
    run().sum().item()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run().sum().item()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)
