"""One memory of embeddings for every loss that compares with more than a batch holds."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class FeatureMemory(nn.Module):
    """A row a class, moved along with its examples, and a circular queue of those without a class.

    Serves OIM (Xiao et al., arXiv 1604.01850), where rows are identities, and the memory banks of
    adaptation without labels, where they are clusters or examples. Rows have unit length, or are
    zero while nothing of their class was seen. It learns by `update` and `push` alone: gradients
    go to what it is compared with.

    Args:
        classes: C, rows.
        dimension: D.
        momentum: How much of a row remains in an update, in [0, 1].
        queue: Q, the most unlabelled examples that are kept.
    """

    rows: Tensor
    queue: Tensor
    pushed: Tensor

    def __init__(self, classes: int, dimension: int, momentum: float = 0.5, queue: int = 0) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("rows", torch.zeros(classes, dimension))
        self.register_buffer("queue", torch.zeros(queue, dimension))
        self.register_buffer("pushed", torch.zeros((), dtype=torch.int64))

    def forward(self, embedding: Tensor) -> Tensor:
        """Cosines (B, C + q) with the rows, then with the q <= Q queued, of embeddings (B, D)."""
        known = torch.cat([self.rows, self.queue[: int(self.pushed)]]).clone()  # `update` is next
        return normalize(embedding) @ known.T

    @torch.no_grad()
    def fill(self, rows: Tensor) -> None:
        """Put these (C, D) in place of the rows: the means of clusters, say."""
        self.rows.copy_(normalize(rows))

    @torch.no_grad()
    def update(self, embedding: Tensor, classes: Tensor) -> None:
        """Move rows towards examples (B, D) of their classes (B,), one after another.

        v <- normalise(momentum v + (1 - momentum) x)
        """
        for example, row in zip(normalize(embedding), classes.tolist(), strict=True):
            moved = self.momentum * self.rows[row] + (1 - self.momentum) * example
            self.rows[row] = normalize(moved, dim=0)

    @torch.no_grad()
    def push(self, embedding: Tensor) -> None:
        """Queue examples (B, D) without a class; the oldest make room."""
        size = len(self.queue)
        places = (int(self.pushed) + torch.arange(len(embedding))) % max(size, 1)
        kept = embedding[-size:] if size else embedding[:0]
        self.queue[places[-size:] if size else places[:0]] = normalize(kept)
        self.pushed += len(embedding)
