"""A thread with a queue before it: what it does when its work fails."""

import pytest

from pipeline.stage import Stage


class Failing(Stage[int]):
    """Fails at its first work; counts how often it looks for more."""

    looks = 0

    def _next_batch(self) -> tuple[list[int], bool]:
        self.looks += 1
        item = self._queue.get()
        return ([], True) if item is None else ([item], False)

    def _work(self, batch: list[int]) -> None:
        raise ValueError(f"no {batch[0]}")


def test_after_a_failure_it_drains_and_does_nothing_else() -> None:
    with pytest.raises(ValueError, match="no 1"), Failing("failing", 10) as stage:
        for number in range(1, 8):
            stage._queue.put(number)
    assert (stage.looks, stage.waiting) == (1, 0)
