"""A source lets go of what it holds open, however it ends."""

import threading

import pytest

from cameras.onepass import OnePass
from pipeline.errors import SourceError


def source_of(items):
    released = []
    return OnePass("north", None, items, lambda: released.append(True)), released


def test_at_its_end():
    source, released = source_of(number for number in range(2))
    assert next(source) == 0 and not released
    assert list(source) == [1] and released
    assert list(source) == []


def test_at_an_error():
    def failing():
        yield 1
        raise SourceError("north.mp4: damaged")

    source, released = source_of(failing())
    with pytest.raises(SourceError):
        list(source)
    assert released
    assert list(source) == []


def test_closed_before_it_was_read():
    source, released = source_of(number for number in range(2))
    source.close()
    assert released
    assert list(source) == []


def test_closing_waits_for_the_item_being_made():
    begun, may_end = threading.Event(), threading.Event()
    order = []

    def slow():
        begun.set()
        assert may_end.wait(10)
        order.append("made")
        yield 1

    source, _ = source_of(slow())
    got = []
    reader = threading.Thread(target=lambda: got.extend(source))
    reader.start()
    assert begun.wait(10)

    def close():
        source.close()
        order.append("closed")

    closer = threading.Thread(target=close)
    closer.start()
    may_end.set()
    closer.join(10)
    reader.join(10)
    assert order == ["made", "closed"]
    assert got in ([1], [])
