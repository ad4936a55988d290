"""A source that is read once, from one thread, and may be closed from another."""

import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

Item = TypeVar("Item", covariant=True)


class OnePass(Generic[Item]):
    """What a camera delivers, in order.

    Iterating goes on where it stopped, and ends when the source is at its end or closed. What the
    source holds open is released at its end, at an error and by `close`, whichever is first.

    Attributes:
        camera_id: Which camera.
        expected_frames: How many frames the source says that it has, those included that the
            sampling rate leaves out; None when it does not say.
    """

    def __init__(
        self,
        camera_id: str,
        expected_frames: int | None,
        items: Generator[Item, None, None],
        release: Callable[[], object] = lambda: None,
    ) -> None:
        """A source that nothing has been read of.

        Args:
            camera_id: Which camera.
            expected_frames: As above.
            items: Makes what is delivered.
            release: Lets go of what is open; may be called more than once.
        """
        self.camera_id = camera_id
        self.expected_frames = expected_frames
        self._items = items
        self._release = release
        # Decoders are not thread-safe: closing waits until the item being made is made.
        self._lock = threading.Lock()

    def __iter__(self) -> "OnePass[Item]":
        return self

    def __next__(self) -> Item:
        with self._lock:
            try:
                return next(self._items)
            except BaseException:  # the end, an error or an interrupt: nothing follows
                self._release()
                raise

    def close(self) -> None:
        """Stop delivering and let go of what is open; can be called more than once."""
        with self._lock:
            self._items.close()
            self._release()
