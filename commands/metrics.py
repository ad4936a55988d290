"""What a run tells while it runs: metrics for Prometheus at /metrics, health at /health."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cameras.detection_service import DetectionService
from cameras.encoding import EncodingStage
from cameras.live import Link
from cameras.worker import CameraStatus, State
from commands.live_association import LiveAssociation
from pipeline.errors import SettingsError
from storage.writer import Writer

LOCAL = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class RunningParts:
    """What is asked when somebody wants to know."""

    statuses: Callable[[], Sequence[CameraStatus]]
    detection: DetectionService
    encoding: EncodingStage
    writer: Writer
    association: LiveAssociation | None


class RunCollector(Collector):
    """Reads the parts of a run when asked; nothing is counted twice."""

    def __init__(self, parts: RunningParts) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        """All metrics, as they stand."""
        statuses = self._parts.statuses()
        yield from _of_cameras(statuses)
        yield from _of_live_cameras(statuses)
        yield self._of_fits()
        yield from self._of_stages()

    def _of_fits(self) -> Metric:
        fitted = GaugeMetricFamily(
            "camera_fitted_offset_seconds",
            "By how much its clock is ahead of the other cameras', by people that they see walk.",
            labels=["camera"],
        )
        live = self._parts.association
        for fit in live.fits if live else ():
            fitted.add_metric([fit.camera], fit.clock_s)
        return fitted

    def _of_stages(self) -> Iterator[Metric]:
        parts, work = self._parts, self._parts.detection.work
        depth = GaugeMetricFamily("queue_depth", "What waits for a stage.", labels=["stage"])
        for stage, waiting in (
            ("detector", parts.detection.waiting),
            ("encoder", parts.encoding.waiting),
            ("writer", parts.writer.waiting),
            ("association", parts.association.waiting if parts.association else 0),
        ):
            depth.add_metric([stage], waiting)
        yield depth
        for name, words, value in (
            ("detector_batches", "Calls of the detector.", work.batches),
            ("detector_frames", "Frames in them.", work.frames),
            ("detector_seconds", "Time that they took, of all lanes.", work.seconds),
            ("commits", "Batches of tracklets stored.", parts.writer.commits),
            ("commit_seconds", "Time that took.", parts.writer.commit_seconds),
        ):
            yield CounterMetricFamily(name, words, value=value)


def is_up(status: CameraStatus) -> bool:
    """Whether frames come, or all have come."""
    if status.live is None:
        return status.state in (State.RUNNING, State.ENDED)
    return status.state is State.RUNNING and status.live.link is Link.RUNNING


def _of_cameras(statuses: Sequence[CameraStatus]) -> Iterator[Metric]:
    gauges: list[tuple[str, str, Callable[[CameraStatus], float]]] = [
        ("camera_up", "Whether frames come, or all have come.", is_up),
        ("camera_open_tracks", "People in view.", lambda s: s.open_tracks),
    ]
    counters: list[tuple[str, str, Callable[[CameraStatus], float]]] = [
        ("camera_frames_processed", "Frames looked at.", lambda s: s.frames),
        ("camera_tracklets", "Tracklets closed.", lambda s: s.tracklets),
        ("camera_restarts", "New beginnings after a fault of ours.", lambda s: s.restarts),
    ]
    for name, words, value in gauges:
        yield _labelled(GaugeMetricFamily(name, words, labels=["camera"]), statuses, value)
    for name, words, value in counters:
        yield _labelled(CounterMetricFamily(name, words, labels=["camera"]), statuses, value)


def _of_live_cameras(statuses: Sequence[CameraStatus]) -> Iterator[Metric]:
    received = CounterMetricFamily("camera_frames", "Pictures that came.", labels=["camera"])
    dropped = CounterMetricFamily(
        "camera_frames_dropped", "Of these, those nobody had time for.", labels=["camera"]
    )
    damaged = CounterMetricFamily(
        "camera_damage", "How often pictures were left out for damage.", labels=["camera"]
    )
    connections = CounterMetricFamily("camera_connections", "Connections tried.", labels=["camera"])
    age = GaugeMetricFamily("camera_frame_age_seconds", "Since the last one.", labels=["camera"])
    lag = GaugeMetricFamily(
        "camera_lag_seconds", "From a frame's time to its tracking.", labels=["camera"]
    )
    offset = GaugeMetricFamily(
        "camera_clock_offset_seconds", "Arrival minus the camera's own time.", labels=["camera"]
    )
    link = GaugeMetricFamily("camera_link", "1 for the state it is in.", labels=["camera", "state"])
    clock = GaugeMetricFamily(
        "camera_clock", "1 for whose clock dates its frames.", labels=["camera", "source"]
    )
    for status in statuses:
        live, name = status.live, [status.camera_id]
        if live is None:
            continue
        received.add_metric(name, live.pictures)
        dropped.add_metric(name, live.dropped)
        damaged.add_metric(name, live.facts.damaged)
        connections.add_metric(name, live.connections)
        lag.add_metric(name, status.lag_us / 1e6)
        link.add_metric([*name, live.link.value], 1)
        clock.add_metric([*name, live.clock.value], 1)
        if live.age_seconds is not None:
            age.add_metric(name, live.age_seconds)
        if live.offset_us is not None:
            offset.add_metric(name, live.offset_us / 1e6)
    yield from (received, dropped, damaged, connections, age, lag, offset, link, clock)


def _labelled(
    family: GaugeMetricFamily | CounterMetricFamily,
    statuses: Sequence[CameraStatus],
    value: Callable[[CameraStatus], float],
) -> Metric:
    for status in statuses:
        family.add_metric([status.camera_id], float(value(status)))
    return family


def health(statuses: Sequence[CameraStatus]) -> tuple[bool, dict[str, str]]:
    """Whether the run works, and how each camera is.

    A camera that is away does not count: nothing here would bring it back. One that has failed
    does, because what it hands over cannot be stored, or its source is no good.
    """
    cameras = {
        s.camera_id: s.state.value if s.live is None else s.live.link.value for s in statuses
    }
    return all(status.state is not State.FAILED for status in statuses), cameras


@contextmanager
def served(address: str | None, parts: RunningParts) -> Iterator[int]:
    """Answer at an address while the run lasts; None: nowhere. The port, 0 for none.

    Args:
        address: `9100`, or `0.0.0.0:9100`; without a host only this machine can ask.
        parts: What is asked.

    Raises:
        SettingsError: It is no address, or cannot be listened at.
    """
    if address is None:
        yield 0
        return
    server = _listening(address, parts)
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def split_address(address: str) -> tuple[str, int]:
    """Host, empty where none is named, and port.

    Raises:
        SettingsError: It is no address.
    """
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"--metrics: expected PORT or HOST:PORT, got {address}")
    return host, int(port)


class _Server(ThreadingMixIn, WSGIServer):
    """Whoever asks and does not listen to the answer holds up nobody, nor the end of the run."""

    daemon_threads = True
    block_on_close = False


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: whoever asks every few seconds is no news."""


def _listening(address: str, parts: RunningParts) -> WSGIServer:
    host, port = split_address(address)
    registry = CollectorRegistry()
    registry.register(RunCollector(parts))
    ProcessCollector(registry=registry)
    metrics = make_wsgi_app(registry)

    def answer(environ, start_response):  # type: ignore[no-untyped-def]
        if environ["PATH_INFO"] != "/health":
            return metrics(environ, start_response)
        works, cameras = health(parts.statuses())
        start_response(
            "200 OK" if works else "503 Service Unavailable",
            [("Content-Type", "application/json")],
        )
        return [json.dumps({"works": works, "cameras": cameras}).encode()]

    try:
        return make_server(host or LOCAL, port, answer, _Server, _Quiet)
    except OSError as error:
        raise SettingsError(f"--metrics {address}: {error.strerror}") from None
