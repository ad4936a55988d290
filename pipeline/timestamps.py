"""One time base: int64 microseconds UTC since 1970. Text at the borders is ISO 8601 with zone."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_us(time: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime, exactly."""
    delta = time - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def to_iso(timestamp_us: int) -> str:
    """`2026-01-05T10:00:00.040000Z`: sorts as text, and keeps every microsecond."""
    time = _EPOCH + timedelta(microseconds=timestamp_us)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_iso(text: str) -> int:
    """Microseconds since 1970 UTC of an ISO 8601 time.

    Raises:
        ValueError: The text is no such time, or has no zone.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"expected a time with zone, such as {time.isoformat()}Z, got {text}")
    return to_us(time)
