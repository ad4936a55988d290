"""COSAM without parameters: what the frames of a clip have in common, and what stands before it.

The published network (Subramaniam et al. 2019) learns a mask from the correlation of every place
with every place of the other frames by a convolution that fixes length and size of a clip. Here
the best correlation alone decides, which any number of frames has.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize

SHARPNESS = 10.0
"""Logit per unit of correlation. A place .3 below its clip's mean counts a tenth of an average one.
Set by that reasoning, not tuned."""


def common_regions(maps: Tensor, present: Tensor) -> Tensor:
    """How much each place of a clip counts: (B, K, h, w), in (0, 2).

    m = 2 sigmoid(beta (r - mean r)), with r a place's largest normalised correlation over channels
    with any place of the clip's other frames. 1 for a clip of one frame and where absent.

    Args:
        maps: (B, K, C, h, w).
        present: (B, K) bool.
    """
    batch, length, _, height, width = maps.shape
    best = best_correlations(maps, present)  # (B, K, L)
    alone = (present.sum(dim=1) < 2)[:, None] | ~present  # (B, K)
    best = best.masked_fill(alone[..., None], 0)
    count = present.sum(dim=1) * best.shape[-1]
    mean = best.sum(dim=(1, 2)) / count
    mask = 2 * torch.sigmoid(SHARPNESS * (best - mean[:, None, None]))
    mask = mask.masked_fill(alone[..., None], 1)
    return mask.reshape(batch, length, height, width)


def best_correlations(maps: Tensor, present: Tensor) -> Tensor:
    """Each place's largest correlation with the other frames: (B, K, h w), -inf without any."""
    batch, length = present.shape
    places = maps.float().flatten(3).transpose(2, 3)  # (B, K, L, C)
    places = normalize(places - places.mean(dim=-1, keepdim=True), dim=-1, eps=1e-4)
    count = places.shape[2]
    rows = places.flatten(1, 2)  # (B, K L, C)
    correlations = (rows @ rows.transpose(1, 2)).reshape(batch, length, count, length, count)
    same = torch.eye(length, dtype=torch.bool, device=maps.device)
    unseen = same[None] | ~present[:, None]  # (B, K, K)
    return correlations.masked_fill(unseen[:, :, None, :, None], float("-inf")).amax(dim=(3, 4))
