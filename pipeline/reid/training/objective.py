"""The weighted sum of losses that a recipe asks for."""

from collections.abc import Mapping

from torch import Tensor, nn

from pipeline.reid.losses import (
    CentreLoss,
    IdentityLoss,
    Loss,
    OimLoss,
    TripletLoss,
    VerificationLoss,
    adaptive_triplet_loss,
    contrastive_loss,
    quadruplet_loss,
    weighted_triplet_loss,
)
from pipeline.reid.training.recipe import LossWeights
from pipeline.reid.video_encoder import Encoded


class Objective(nn.Module):
    """What a batch of encoded clips is to be better at; only losses of some weight are there.

    Args:
        weights: What each loss counts.
        dimension: D of embeddings.
        frame_dimension: F of frame vectors.
        identities: C; they are numbered from 0.
    """

    def __init__(
        self, weights: LossWeights, dimension: int, frame_dimension: int, identities: int
    ) -> None:
        super().__init__()
        self._weights = weights
        self.identity = IdentityLoss(dimension, identities, weights.focal)
        self.frame_identity = IdentityLoss(frame_dimension, identities, weights.focal)
        with_state = {
            "triplet": TripletLoss(),
            "verification": VerificationLoss(dimension),
            "centre": CentreLoss(dimension, identities),
            "oim": OimLoss(dimension, identities),
        }
        self.metric = nn.ModuleDict(
            {name: loss for name, loss in with_state.items() if getattr(weights, name)}
        )
        functions: Mapping[str, Loss] = {
            "weighted_triplet": weighted_triplet_loss,
            "adaptive_triplet": adaptive_triplet_loss,
            "quadruplet": quadruplet_loss,
            "contrastive": contrastive_loss,
        }
        self._functions = {name: loss for name, loss in functions.items() if getattr(weights, name)}

    def forward(self, encoded: Encoded, present: Tensor, identities: Tensor) -> dict[str, Tensor]:
        """Every loss by name, already weighted: their sum is what is to become small.

        Args:
            encoded: B clips; taken in float32.
            present: (B, K) bool, which frames they have.
            identities: (B,) who is in them.
        """
        weights, embedding = self._weights, encoded.embedding.float()
        losses = {name: loss(embedding, identities) for name, loss in self._functions.items()}
        losses |= {name: loss(embedding, identities) for name, loss in self.metric.items()}
        if weights.identity:
            losses["identity"] = self.identity(encoded.neck.float(), identities)
        if weights.frame_identity:
            of_frames = identities[:, None].expand(present.shape)[present]
            losses["frame_identity"] = self.frame_identity(
                encoded.frames[present].float(), of_frames
            )
        if encoded.penalty.requires_grad:
            losses["head_penalty"] = encoded.penalty.float()
        return {name: getattr(weights, name) * loss for name, loss in losses.items()}
