"""What an embedding is trained by: one number for a batch of embeddings and who they are.

Identities are int64 (B,), embeddings (B, D) float. Distances are Euclidean, not squared unless said
so. Metric losses take the embedding before the neck, classifiers what comes out of it (Luo et al.
2019, arXiv 1903.07071).
"""

from collections.abc import Callable
from typing import Final

import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import ContrastiveLoss, TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, one_hot, relu, softmax, softplus

from pipeline.reid.memory import FeatureMemory

SMOOTHING: Final = 0.1
CLASSIFIER_STD: Final = 0.001
CENTRE_RATE: Final = 0.5
OIM_TEMPERATURE: Final = 0.1

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of embeddings (B, D) and identities (B,)."""


class IdentityLoss(nn.Module):
    """Cross-entropy with label smoothing, by a classifier without bias that starts near zero.

    Args:
        dimension: D.
        identities: C; they are numbered from 0.
        focal: gamma of -(1 - p)^gamma log p (Lin et al., arXiv 1708.02002): above 0, examples that
            are already right count less.
    """

    def __init__(self, dimension: int, identities: int, focal: float = 0.0) -> None:
        super().__init__()
        self.focal = focal
        self.classifier = nn.Linear(dimension, identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=CLASSIFIER_STD)

    def forward(self, neck: Tensor, identities: Tensor) -> Tensor:
        """Loss of what comes out of the neck (B, D)."""
        logits = self.classifier(neck)
        each = cross_entropy(logits, identities, label_smoothing=SMOOTHING, reduction="none")
        right = softmax(logits, dim=1).gather(1, identities[:, None])[:, 0]
        return ((1 - right) ** self.focal * each).mean() if self.focal else each.mean()


class TripletLoss(nn.Module):
    """Batch-hard triplets with soft margin (Hermans et al., arXiv 1703.07737).

    softplus(furthest of the same - nearest other), over anchors that have both.
    """

    def __init__(self) -> None:
        super().__init__()
        distance = LpDistance(normalize_embeddings=False)
        self._mine = BatchHardMiner(distance=distance)
        self._loss = TripletMarginLoss(
            margin=0, smooth_loss=True, distance=distance, reducer=MeanReducer()
        )

    def forward(self, embedding: Tensor, identities: Tensor) -> Tensor:
        """Loss of embeddings before the neck."""
        hardest = self._mine(embedding, identities)
        loss: Tensor = self._loss(embedding, identities, hardest)
        return loss


class _SquaredContrastive(ContrastiveLoss):  # type: ignore[misc]  # it has no types
    def get_per_pair_loss(self, pair_dists: Tensor, pos_or_neg: str) -> Tensor:
        loss: Tensor = super().get_per_pair_loss(pair_dists, pos_or_neg)
        return loss**2


def contrastive_loss(embedding: Tensor, identities: Tensor, margin: float = 1.0) -> Tensor:
    """Mean d² over pairs of one identity, plus mean [margin - d]₊² over those of two.

    On unit vectors, so that the margin means the same for every encoder (Hadsell et al. 2006).
    """
    loss = _SquaredContrastive(neg_margin=margin, distance=LpDistance(), reducer=MeanReducer())
    result: Tensor = loss(embedding, identities)
    return result


def weighted_triplet_loss(embedding: Tensor, identities: Tensor) -> Tensor:
    """Weighted regularised triplet of AGW (Ye et al., arXiv 2001.04193, eq. 6-7).

    softplus(sum_p w_p d_p - sum_n w_n d_n), w_p = softmax(d_p) over the others of the anchor's
    identity, w_n = softmax(-d_n) over all else. No margin. Anchors without either do not count.
    """
    return softplus(_weighted_gaps(embedding, identities)).mean()


def adaptive_triplet_loss(embedding: Tensor, identities: Tensor, margin: float = 1.0) -> Tensor:
    """The same weights with a margin: [margin + sum_p w_p d_p - sum_n w_n d_n]₊.

    Ristani and Tomasi 2018, arXiv 1803.10859, eq. 4.
    """
    return relu(margin + _weighted_gaps(embedding, identities)).mean()


def quadruplet_loss(
    embedding: Tensor, identities: Tensor, margin: float = 1.0, second_margin: float = 0.5
) -> Tensor:
    """Triplets, and pairs of one identity against pairs of two others (arXiv 1704.01719, eq. 7).

    mean [d²_ij - d²_ik + margin]₊ + mean [d²_ij - d²_lk + second_margin]₊ over all i, j of one
    identity and k, l of two others; the second part is 0 for a batch of two identities.
    """
    squared = _distances(embedding) ** 2
    same = identities[:, None] == identities
    first, second = torch.nonzero(same ^ same.diag().diag(), as_tuple=True)
    anchors = identities[first]  # (P,) of the pairs i, j
    near = squared[first, second]
    is_other = anchors[:, None] != identities  # (P, B): k is someone else
    triplets = relu(near[:, None] - squared[first] + margin)
    left, right = torch.nonzero((~same).triu(1), as_tuple=True)
    is_apart = is_other[:, left] & is_other[:, right]  # (P, pairs of two others)
    quadruplets = relu(near[:, None] - squared[left, right] + second_margin)
    return _mean_where(triplets, is_other) + _mean_where(quadruplets, is_apart)


class VerificationLoss(nn.Module):
    """Same person or not, of (f_i - f_j)², over all pairs of a batch; both answers weigh alike.

    Args:
        dimension: D.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.verdict = nn.Linear(dimension, 2)

    def forward(self, embedding: Tensor, identities: Tensor) -> Tensor:
        """Cross-entropy of the two answers."""
        left, right = torch.triu_indices(len(embedding), len(embedding), offset=1)
        logits = self.verdict((embedding[left] - embedding[right]) ** 2)  # (pairs, 2)
        is_same = identities[left] == identities[right]
        wrong = -log_softmax(logits, dim=1).gather(1, is_same.long()[:, None])[:, 0]
        return (_mean_where(wrong, is_same) + _mean_where(wrong, ~is_same)) / 2


class CentreLoss(nn.Module):
    """Half the squared distance to the centre of one's identity (Wen et al. 2016), batch mean.

    Centres learn by the paper's own rule and not by the optimiser: after each batch in training
    c_j <- c_j - rate sum(c_j - x_i) / (1 + n_j) over the n_j examples of identity j.

    Args:
        dimension: D.
        identities: C; they are numbered from 0.
    """

    centres: Tensor

    def __init__(self, dimension: int, identities: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(identities, dimension))

    def forward(self, embedding: Tensor, identities: Tensor) -> Tensor:
        """Loss of embeddings before the neck."""
        gaps = embedding - self.centres[identities]
        if self.training:
            self._learn(gaps.detach().float(), identities)
        return (gaps**2).sum(dim=1).mean() / 2

    def _learn(self, gaps: Tensor, identities: Tensor) -> None:
        members = one_hot(identities, len(self.centres)).to(gaps.dtype)  # (B, C)
        self.centres += CENTRE_RATE * (members.T @ gaps) / (1 + members.sum(dim=0))[:, None]


class OimLoss(nn.Module):
    """Online instance matching: which row of a memory (Xiao et al., arXiv 1604.01850, eq. 1-4).

    Args:
        dimension: D.
        identities: C; they are numbered from 0. -1 is no known identity: such examples only join
            the queue, to be told apart from.
        queue: Size of that queue.
    """

    def __init__(self, dimension: int, identities: int, queue: int = 0) -> None:
        super().__init__()
        self.memory = FeatureMemory(identities, dimension, queue=queue)

    def forward(self, embedding: Tensor, identities: Tensor) -> Tensor:
        """Loss against the memory as it was; in training, it then learns the batch."""
        is_known = identities >= 0
        logits = self.memory(embedding[is_known]) / OIM_TEMPERATURE
        loss = cross_entropy(logits, identities[is_known])
        if self.training:
            self.memory.update(embedding[is_known].detach().float(), identities[is_known])
            self.memory.push(embedding[~is_known].detach().float())
        return loss


def _distances(embedding: Tensor) -> Tensor:
    """Euclidean distances (B, B); the gradient at 0 is 0."""
    return torch.cdist(embedding, embedding, compute_mode="donot_use_mm_for_euclid_dist")


def _weighted_gaps(embedding: Tensor, identities: Tensor) -> Tensor:
    """sum_p w_p d_p - sum_n w_n d_n of every anchor that has both, (A,)."""
    distances = _distances(embedding)
    same = identities[:, None] == identities
    is_positive = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    has_both = is_positive.any(dim=1) & (~same).any(dim=1)
    distances, is_positive, same = distances[has_both], is_positive[has_both], same[has_both]
    nothing = float("-inf")
    far = softmax(distances.masked_fill(~is_positive, nothing), dim=1)
    near = softmax((-distances).masked_fill(same, nothing), dim=1)
    return ((far - near) * distances).sum(dim=1)


def _mean_where(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen values, 0 where none is."""
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
