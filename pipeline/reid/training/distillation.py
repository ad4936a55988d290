"""Learning from a frozen teacher: its embeddings are computed once and followed from then on.

Views Knowledge Distillation (Porrello et al. 2020, arXiv 2007.04174): the teacher sees a person's
clips from several cameras together, the student one at a time. Here the teacher's view of a clip is
the mean of its embeddings over that person's clips in the batch.
"""

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax, mse_loss, normalize, softmax

from pipeline.reid.training.batches import Batch
from pipeline.reid.training.recipe import Teacher
from pipeline.reid.video_encoder import Encoded
from pipeline.types import FloatArray, IntArray

TEMPERATURE: Final = 10.0


class NoTeacher(nn.Module):
    """Nothing to follow."""

    def forward(self, *_: object) -> dict[str, Tensor]:
        """No losses."""
        return {}


class Distillation(nn.Module):
    """Follows the embeddings that a teacher gave.

    Args:
        teacher: What to follow in it.
        embeddings: (frames of all clips, T) float32, unit vectors, clip after clip.
        offsets: (N,) where the frames of each clip begin.
        classifier: (C, T) a row for each of the people trained on; none where it has zero rows.
        dimension: D of the student's embeddings.
    """

    def __init__(
        self,
        teacher: Teacher,
        embeddings: FloatArray,
        offsets: IntArray,
        classifier: Tensor,
        dimension: int,
    ) -> None:
        super().__init__()
        self._weights, self._views = teacher.losses, teacher.views
        self._embeddings, self._offsets = embeddings, offsets
        self._classifier = classifier
        self.map = nn.Linear(dimension, embeddings.shape[1])

    def forward(
        self, encoded: Encoded, classifier: nn.Linear, batch: Batch, identities: Tensor
    ) -> dict[str, Tensor]:
        """Losses by name, weighted, of a batch that the student has encoded."""
        weights = self._weights
        target = several_views(self.seen(batch).to(encoded.embedding), identities, self._views)
        losses = {}
        if weights.distances:
            losses["teacher_distances"] = weights.distances * distance_loss(
                encoded.embedding.float(), target.float()
            )
        if weights.logits and len(self._classifier):
            logits = classifier(encoded.neck.float())
            wanted = target.float() @ self._classifier.to(target).float().T
            losses["teacher_logits"] = weights.logits * logit_loss(logits, wanted)
        if weights.regression:
            mapped = normalize(self.map(encoded.embedding.float()))
            losses["teacher_regression"] = weights.regression * regression_loss(mapped, target)
        return losses

    def seen(self, batch: Batch) -> Tensor:
        """What the teacher makes of the frames of each clip: their mean (B, T)."""
        rows = self._offsets[batch.clips][:, None] + batch.frames
        return torch.from_numpy(np.asarray(self._embeddings[rows].mean(axis=1), np.float32))


def several_views(seen: Tensor, identities: Tensor, views: int) -> Tensor:
    """Unit vectors (B, T): of each clip, the mean over it and the next of its person's clips.

    Args:
        seen: (B, T) the teacher's embedding of each clip alone.
        identities: (B,) who is in them.
        views: How many clips it sees together; fewer where the batch has fewer.
    """
    same = identities[:, None] == identities
    size = len(same)
    # How far on in the batch each other clip stands, going round: the clip itself is first.
    place = torch.arange(size, device=same.device)
    steps = (place - place[:, None]) % size
    order = torch.where(same, steps, size).argsort(dim=1)  # own clips first, from each one on
    chosen = torch.zeros_like(same).scatter_(1, order[:, :views], value=True) & same
    return normalize(chosen.to(seen) @ seen)


def distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the distances within a batch, each scaled to a mean of 1.

    VKD's equation 8; scaled as in relational distillation (arXiv 1904.05068, eq. 5), because the
    two measure differently.
    """
    return mse_loss(_scaled_distances(student), _scaled_distances(teacher))


def logit_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """KL divergence of classes softened by a temperature, times its square (arXiv 1503.02531)."""
    wanted = softmax(teacher / TEMPERATURE, dim=1)
    given = log_softmax(student / TEMPERATURE, dim=1)
    return kl_div(given, wanted, reduction="batchmean") * TEMPERATURE**2


def regression_loss(mapped: Tensor, teacher: Tensor) -> Tensor:
    """One minus the cosine with the teacher's embedding, both of unit length; batch mean."""
    return 1 - (mapped * teacher).sum(dim=1).mean()


def _scaled_distances(embedding: Tensor) -> Tensor:
    """Distances (B (B - 1) / 2,) between the clips of a batch, over their mean."""
    first, second = torch.triu_indices(len(embedding), len(embedding), offset=1)
    distances = (embedding[first] - embedding[second]).square().sum(dim=1).clamp(min=1e-12).sqrt()
    return distances / distances.mean().clamp(min=1e-6)
