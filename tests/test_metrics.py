"""What a run tells of itself while it runs."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import supervision as sv

from cameras.detection_service import DetectionService
from cameras.encoding import EncodingStage
from cameras.live import Link, LiveStatus
from cameras.live_clock import ClockSource
from cameras.worker import CameraStatus, State
from commands.live_association import LiveAssociation
from commands.metrics import RunningParts, served
from pipeline.association.floor_fit import CameraFit
from pipeline.association.resolver import Knowledge
from pipeline.config import AssociationSettings
from pipeline.errors import SettingsError
from pipeline.reid.encoder import RecordedEncoder
from pipeline.reid.splitting import TrackletSplitter
from storage.store import Store, open_store
from storage.writer import Writer


def asked(port: int, path: str) -> tuple[int, str]:
    """Status and text of an answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Fitted(LiveAssociation):
    """Knows that a clock is ahead."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, 1, Knowledge({}, {}, AssociationSettings()))

    @property
    def fits(self) -> tuple[CameraFit, ...]:
        return (CameraFit("yard", 1.5, (0.0, 0.0), 12),)


@pytest.fixture
def parts(tmp_path: Path) -> RunningParts:
    """Of a recorded camera and a live one; the detector has had two frames."""
    live = LiveStatus(Link.RUNNING, pictures=90, dropped=12, connections=3)
    live.clock, live.offset_us, live.facts.damaged = ClockSource.CAMERA, 40_000, 2
    statuses = [
        CameraStatus("hall", State.ENDED, frames=50, tracklets=4),
        CameraStatus("yard", State.RUNNING, frames=70, live=live, lag_us=120_000),
    ]
    encoder = RecordedEncoder("plaza")
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}", create=True)
    writer = Writer(store, 1)
    encoding = EncodingStage(lambda _: encoder, TrackletSplitter(None), writer.put, False)
    with DetectionService(lambda images: [sv.Detections.empty()] * len(images), 1) as service:
        for _ in range(2):
            service.submit(np.zeros((4, 4, 3), np.uint8)).result()
    return RunningParts(lambda: statuses, service, encoding, writer, Fitted(store))


def test_metrics_are_what_the_parts_tell(parts: RunningParts) -> None:
    assert parts.association is not None
    parts.association.put([])
    with served("0", parts) as port:
        status, text = asked(port, "/metrics")
    assert status == 200
    lines = set(text.splitlines())
    expected = {
        'camera_up{camera="hall"} 1.0',
        'camera_up{camera="yard"} 1.0',
        'camera_frames_processed_total{camera="hall"} 50.0',
        'camera_frames_total{camera="yard"} 90.0',
        'camera_frames_dropped_total{camera="yard"} 12.0',
        'camera_damage_total{camera="yard"} 2.0',
        'camera_connections_total{camera="yard"} 3.0',
        'camera_clock_offset_seconds{camera="yard"} 0.04',
        'camera_fitted_offset_seconds{camera="yard"} 1.5',
        'camera_clock{camera="yard",source="camera"} 1.0',
        'camera_link{camera="yard",state="running"} 1.0',
        'camera_lag_seconds{camera="yard"} 0.12',
        'queue_depth{stage="detector"} 0.0',
        'queue_depth{stage="writer"} 0.0',
        'queue_depth{stage="association"} 1.0',
        "detector_frames_total 2.0",
        "detector_batches_total 2.0",
        "commits_total 0.0",
    }
    assert expected - lines == set()
    assert "process_resident_memory_bytes" in text


def test_a_camera_that_is_away_is_down_and_no_sickness(parts: RunningParts) -> None:
    yard = parts.statuses()[1]
    assert yard.live is not None
    yard.live.link = Link.BACKOFF
    with served("127.0.0.1:0", parts) as port:
        assert 'camera_up{camera="yard"} 0.0' in asked(port, "/metrics")[1]
        status, text = asked(port, "/health")
        cameras = {"hall": "ended", "yard": "backoff"}
        assert (status, json.loads(text)) == (200, {"works": True, "cameras": cameras})
        yard.state = State.FAILED
        assert asked(port, "/health")[0] == 503


@pytest.mark.parametrize("address", ["metrics", "127.0.0.1:", "99999", "-1"])
def test_what_is_no_address(parts: RunningParts, address: str) -> None:
    with (
        pytest.raises(SettingsError, match=f"expected PORT or HOST:PORT, got {address}"),
        served(address, parts),
    ):
        pass


def test_a_port_that_is_taken(parts: RunningParts) -> None:
    with (
        served("0", parts) as port,
        pytest.raises(SettingsError, match="already in use"),
        served(str(port), parts),
    ):
        pass
