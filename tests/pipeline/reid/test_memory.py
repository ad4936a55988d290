"""The feature memory: unit rows, a circular queue, gradients to what is compared alone."""

import pytest
import torch
from torch import Tensor

from pipeline.reid.memory import FeatureMemory


def _unit(*values: float) -> Tensor:
    row = torch.tensor(values)
    return row / row.norm()


def test_a_row_takes_its_first_example_and_then_moves_by_the_momentum() -> None:
    memory = FeatureMemory(classes=2, dimension=2, momentum=0.75)
    memory.update(torch.tensor([[3.0, 0.0]]), torch.tensor([1]))
    assert memory.rows.tolist() == [[0, 0], [1, 0]]
    memory.update(torch.tensor([[0.0, 5.0]]), torch.tensor([1]))
    torch.testing.assert_close(memory.rows[1], _unit(0.75, 0.25))


def test_examples_of_one_class_move_it_one_after_another() -> None:
    examples, classes = torch.randn(3, 4, generator=torch.manual_seed(0)), torch.tensor([0, 1, 0])
    together, apart = FeatureMemory(2, 4), FeatureMemory(2, 4)
    together.update(examples, classes)
    for index in range(3):
        apart.update(examples[index : index + 1], classes[index : index + 1])
    assert torch.equal(together.rows, apart.rows)


def test_rows_and_queue_keep_unit_length() -> None:
    memory = FeatureMemory(classes=3, dimension=4, queue=2)
    memory.fill(torch.randn(3, 4))
    for _ in range(5):
        memory.update(torch.randn(6, 4) * 7, torch.randint(3, (6,)))
        memory.push(torch.randn(1, 4) * 7)
    torch.testing.assert_close(memory.rows.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(memory.queue.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("batches", [[1, 1, 1, 1, 1], [5], [2, 3], [4, 1], [3, 2]])
def test_the_queue_is_circular(batches: list[int]) -> None:
    """Of one-hot examples 0..4 the last three remain, each in the place of its number modulo 3."""
    memory = FeatureMemory(classes=1, dimension=5, queue=3)
    start = 0
    for size in batches:
        memory.push(torch.eye(5)[start : start + size])
        start += size
    assert memory.queue.argmax(dim=1).tolist() == [3, 4, 2]


def test_only_what_was_pushed_is_compared_with() -> None:
    memory = FeatureMemory(classes=2, dimension=3, queue=4)
    memory.fill(torch.eye(3)[:2])
    memory.push(torch.eye(3)[2:])
    assert memory(torch.tensor([[0.0, 0.0, 2.0]])).tolist() == [[0, 0, 1]]


def test_gradients_go_to_the_embeddings_only() -> None:
    memory = FeatureMemory(classes=2, dimension=3)
    memory.fill(torch.randn(2, 3))
    embedding = torch.randn(4, 3, requires_grad=True)
    similarities = memory(embedding)
    memory.update(embedding, torch.tensor([0, 1, 0, 1]))  # before backward, as losses do
    similarities.square().sum().backward()
    assert embedding.grad is not None and embedding.grad.abs().sum() > 0
    assert list(memory.parameters()) == [] and not memory.rows.requires_grad


def test_a_memory_without_queue_takes_no_unlabelled() -> None:
    memory = FeatureMemory(classes=2, dimension=3)
    memory.push(torch.randn(4, 3))
    assert memory(torch.randn(1, 3)).shape == (1, 2)
