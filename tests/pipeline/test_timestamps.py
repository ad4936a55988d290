"""Times: by hand, there and back, and what is said of text that is none."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.timestamps import from_iso, to_iso, to_us

TIMES = [
    ("1970-01-01T00:00:00.000000Z", 0),
    ("1970-01-01T00:00:00.000001Z", 1),
    ("1969-12-31T23:59:59.999999Z", -1),
    ("1970-01-02T00:00:01.500000Z", 86_401_500_000),
    ("2026-01-05T10:00:00.040000Z", 1_767_607_200_040_000),
]
MICROSECONDS = st.integers(
    to_us(datetime.min.replace(tzinfo=UTC)) + 10**11, 253_402_300_799_999_999
)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@pytest.mark.parametrize(("text", "us"), TIMES)
def test_hand_worked_times(text: str, us: int) -> None:
    assert to_iso(us) == text
    assert from_iso(text) == us


@pytest.mark.parametrize(
    "text", ["2026-01-05T11:00:00.04+01:00", "2026-01-05 10:00:00.040Z", "20260105T100000.04+00:00"]
)
def test_other_ways_to_write_a_time(text: str) -> None:
    assert from_iso(text) == TIMES[-1][1]


@given(MICROSECONDS)
def test_text_and_back_keeps_every_microsecond(us: int) -> None:
    assert from_iso(to_iso(us)) == us


@given(MICROSECONDS, MICROSECONDS)
def test_text_sorts_as_time(first: int, second: int) -> None:
    assert (to_iso(first) < to_iso(second)) == (first < second)


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES))
def test_the_zone_changes_nothing(time: datetime) -> None:
    assert to_us(time) == to_us(time.astimezone(UTC))
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=to_us(time)) == time


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("2026-01-05T10:00:00", "2026-01-05T10:00:00Z"),
        ("2026-01-05", "2026-01-05T00:00:00Z"),  # "2026-01-05Z" would be no time
    ],
)
def test_a_time_without_zone(text: str, example: str) -> None:
    with pytest.raises(ValueError) as caught:
        from_iso(text)
    assert str(caught.value) == f"expected a time with zone, such as {example}, got {text}"
    from_iso(example)


@pytest.mark.parametrize("text", ["", "noon", "2026-13-01T00:00:00Z", "2026-01-05T25:00:00Z"])
def test_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        from_iso(text)
