"""The second stage: a temporal head learns from frame vectors, in seconds.

Some of the clips are corrupted, which is what makes a head learn anything that a mean does not
know. The frame projection learns on as a D x D map under the mean, which is folded into it at the
end; the other heads start from there. Learnt together with weights that leave bad frames out, the
map itself would learn less from these: that costs 0.5 mAP on clean clips.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from pipeline.reid.corruption import Corruption, Kind
from pipeline.reid.datasets.sources import class_labels
from pipeline.reid.pooling import ProjectedGem
from pipeline.reid.samplers import IdentitySampler
from pipeline.reid.settings import HeadName
from pipeline.reid.temporal.heads import make_head
from pipeline.reid.temporal.lstm_attention import LstmAttention
from pipeline.reid.temporal.weighting import WeightingHead
from pipeline.reid.training.objective import Objective
from pipeline.reid.training.optimising import make_optimiser, rate, set_rate
from pipeline.reid.training.recipe import HeadStage
from pipeline.reid.training.vectors import ClipVectors, OtherPeople, confused
from pipeline.reid.video_encoder import Encoded, VideoEncoder
from pipeline.types import FloatArray

_HEADS = 4  # tells uses of the seed apart
TRAINED_WITH: Final = Corruption(wrong=0.15)
CONFUSIONS: Final[tuple[Kind, ...]] = ("wrong_frames", "id_switch")
ENOUGH_AT_FIRST: Final = 0.65
"""Where the default head begins to learn from which cosine with the consensus on a frame counts in
full. Of people that a backbone had not seen, 90 % of the right frames were closer than .69 to what
their clip agrees on, and 90 % of those of others less close than .56."""
SHORTEST: Final = 0.5
"""Of a clip's frames, how many are looked at at least: tracklets have any length."""


class HeadModel(nn.Module):
    """What comes after the frame vectors: a linear map, the head, the neck.

    Args:
        encoder: Whose frame vectors it sees; its neck is where this one's starts.
        name: Which head.
        start: Whose linear map and neck it starts with instead; a head that weighs frames leaves
            them as they are.
    """

    def __init__(
        self, encoder: VideoEncoder, name: HeadName, start: "HeadModel | None" = None
    ) -> None:
        super().__init__()
        dimension = encoder.settings.dimension
        self.linear: nn.Module = nn.Identity()
        if isinstance(encoder.pooling, ProjectedGem):
            self.linear = nn.Linear(dimension, dimension, bias=False)
            nn.init.eye_(self.linear.weight)
        self.head = make_head(name, encoder.frame_dimension, dimension)
        self.neck = copy.deepcopy(encoder.neck)
        self._leaves = False
        if start is not None:
            self.linear, self.neck = copy.deepcopy(start.linear), copy.deepcopy(start.neck)
            self._leaves = isinstance(self.head, WeightingHead)
            self.linear.requires_grad_(not self._leaves)
            self.neck.requires_grad_(not self._leaves)

    def train(self, mode: bool = True) -> "HeadModel":
        """As usual, but what is left as it is takes in no statistics."""
        super().train(mode)
        if self._leaves:
            self.neck.eval()
        return self

    def forward(self, vectors: Tensor, present: Tensor) -> Encoded:
        """Of frame vectors (B, K, F), absent ones zero, and present (B, K) bool."""
        frames = self.linear(vectors)
        embedding, weights = self.head(frames, present)
        return Encoded(embedding, self.neck(embedding), frames, weights, frames.new_zeros(()))

    @torch.inference_mode()
    def embed(self, clips: ClipVectors) -> FloatArray:
        """Unit vectors (N, D) of clips."""
        self.eval()
        device = next(self.neck.parameters()).device
        encoded: Encoded = self(
            torch.from_numpy(clips.vectors).to(device), torch.from_numpy(clips.present).to(device)
        )
        return np.asarray(normalize(encoded.neck, dim=1).cpu().numpy(), np.float32)


@dataclass(frozen=True, eq=False, slots=True)
class HeadTraining:
    """What heads learn from.

    Attributes:
        clean: The clips as they are.
        variants: The same clips with other pictures, each corrupted in some way.
    """

    clean: ClipVectors
    variants: Sequence[ClipVectors]

    def draw(self, clip: int, rng: np.random.Generator, corrupted: float) -> FloatArray:
        """Vectors (k, F) of a clip as it is, or with this probability as it should not be."""
        clean = self.clean
        choice = int(rng.integers(len(CONFUSIONS) + len(self.variants)))
        if rng.random() >= corrupted:
            vectors: FloatArray = clean.vectors[clip][clean.present[clip]]
        elif choice < len(CONFUSIONS):
            others = OtherPeople(clean.identities, clean.cameras)
            vectors = confused(clean, clip, CONFUSIONS[choice], rng, others, TRAINED_WITH)
        else:
            variant = self.variants[choice - len(CONFUSIONS)]
            vectors = variant.vectors[clip][variant.present[clip]]
        count = int(rng.integers(int(np.ceil(SHORTEST * len(vectors))), len(vectors) + 1))
        start = int(rng.integers(len(vectors) - count + 1))
        run: FloatArray = vectors[start : start + count]
        return run


def train_head(
    encoder: VideoEncoder,
    name: HeadName,
    training: HeadTraining,
    stage: HeadStage,
    seed: int,
    start: HeadModel | None = None,
) -> HeadModel:
    """A head that has learnt on an encoder's frame vectors; the same seed gives the same head.

    Args:
        encoder: Whose frame vectors.
        name: Which head.
        training: The frame vectors.
        stage: How.
        seed: Everything random follows from it.
        start: The mean that has learnt, for any other head.
    """
    torch.manual_seed(seed)
    clean = training.clean
    device = next(encoder.parameters()).device
    model = HeadModel(encoder, name, start).to(device).train()
    labels = torch.from_numpy(class_labels(clean.identities)).to(device)
    objective = Objective(
        stage.losses, encoder.settings.dimension, encoder.frame_dimension, int(labels.max()) + 1
    ).to(device)
    if isinstance(model.head, LstmAttention):
        nn.init.constant_(model.head.enough, ENOUGH_AT_FIRST)
    optimiser = make_optimiser((model.head, model, objective), stage, (stage.head_rate, 1, 1))
    sampler = IdentitySampler(clean.identities, clean.cameras, stage.people, stage.clips, seed)
    number = epoch = 0
    while number < stage.iterations:
        for clips in sampler.epoch(epoch):
            rng = np.random.default_rng([seed, _HEADS, number])
            drawn = [training.draw(int(clip), rng, stage.corrupted) for clip in clips]
            vectors, present = padded(drawn)
            vectors, present = vectors.to(device), present.to(device)
            set_rate(optimiser, rate(stage, number))
            losses = objective(
                model(vectors, present), present, labels[torch.from_numpy(clips).to(device)]
            )
            optimiser.zero_grad(set_to_none=True)
            torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), stage.clip_gradient)
            optimiser.step()
            number += 1
            if number == stage.iterations:
                break
        epoch += 1
    return model.eval()


def padded(clips: Sequence[FloatArray]) -> tuple[Tensor, Tensor]:
    """Vectors (B, K, F), zero where a clip has fewer than K, and where there are any, (B, K)."""
    lengths = torch.tensor([len(clip) for clip in clips])
    rows = nn.utils.rnn.pad_sequence([torch.from_numpy(clip) for clip in clips], batch_first=True)
    return rows, torch.arange(rows.shape[1]) < lengths[:, None]


def assembled(encoder: VideoEncoder, name: HeadName, model: HeadModel) -> VideoEncoder:
    """One encoder of the backbone and pooling of one and the head and neck of the other."""
    settings = encoder.settings.model_copy(update={"head": name})
    whole = VideoEncoder(settings)
    whole.backbone.load_state_dict(encoder.backbone.state_dict())
    whole.pooling.load_state_dict(encoder.pooling.state_dict())
    whole.head.load_state_dict(model.head.state_dict())
    whole.neck.load_state_dict(model.neck.state_dict())
    if isinstance(whole.pooling, ProjectedGem) and isinstance(model.linear, nn.Linear):
        projection = whole.pooling.project[-1]
        assert isinstance(projection, nn.Linear)
        with torch.no_grad():
            projection.weight.copy_(model.linear.weight @ projection.weight)
    return whole.to(next(encoder.parameters()).device).eval()
