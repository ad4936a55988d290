"""A site of video files from end to end: this project beside `yolo track`, interleaved.

Every measured run is a fresh process (the peer: one process a video, all at once, as it is run
today). CPU time is what the kernel charged to the processes and their children, user + system.
Memory is the sum of the proportional set sizes (PSS) of the process trees, so that pages that
processes share count once; the greatest of one look a second. Start-up (imports, models, database)
ends where the first frame is asked for; measures are given with and without it.

Where our CPU time goes is measured in one more process a round, which drives the same objects
(source, detector, tracker, tracklet builder, encoder, store, association) one after another: in
`run` the stages overlap in threads, and the pools of torch and OpenVINO serve several. Not even
here can process time be read around every stage: threads of torch's pool spin for milliseconds
after their work is done, into whatever comes next. So decoding (with one thread) and tracking are
measured by the time of the one thread that does them; detection is all else that the process
spends while frames are read, its pool's spinning included; encoding, storing and association come
afterwards, each alone, by process time. The rest is the end of the process. Their sum is compared
with the CPU time of `run`: the difference is threads, queues, progress display, and noise.
"""

import argparse
import io
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from documents import document, start, write

from pipeline.bundled import bundled_file, is_bundled
from pipeline.config import Site, VideoCamera, load_site
from pipeline.errors import UserError

POLL_SECONDS, MEMORY_EVERY_SECONDS = 0.02, 1.0
SETTLE_SECONDS = 0.2
"""Longer than the threads of a pool spin after their work."""
AGREEMENT = 0.10
STAGES = ("start_up", "decoding", "detection", "tracking", "encoding", "storing", "association")

Job = Mapping[str, Any]
"""What a measured process is told, as JSON."""


# The measured processes: each takes a job and returns what it counted.


def run_ours(job: Job) -> dict[str, Any]:
    """The command `run`, with a mark where its cameras start."""
    import run_pipeline
    from cameras.pool import Pool, Watch

    marks: dict[str, float] = {}
    run = Pool.run

    def marked(self: Pool, watch: Watch) -> None:
        marks.update(_ready())
        run(self, watch)

    Pool.run = marked  # type: ignore[method-assign]
    database = f"sqlite:///{job['folder']}/fresh.db"
    sys.argv = ["run_pipeline.py", "run", job["site"], "--database", database, "--json"]
    with redirect_stdout(io.StringIO()) as printed:
        try:
            run_pipeline.main()
        except SystemExit as end:
            if end.code:
                raise
    report = json.loads(printed.getvalue())
    frames = sum(camera["frames"] for camera in report["cameras"].values())
    found = {"tracklets": report["tracklets"], "identities": report["identities"]}
    return {**marks, "frames": frames, "found": found}


def _ready() -> dict[str, float]:
    """The end of a process's start-up, on a clock that all processes share."""
    return {"ready": time.monotonic(), "start_up_cpu_seconds": time.process_time()}


def run_peer(job: Job) -> dict[str, Any]:
    """`yolo track` of one video, its confidence and suppression as tracking has them by default."""
    from ultralytics import YOLO

    marks: dict[str, float] = {}
    model = YOLO(job["weights"], task="detect")
    model.add_callback("on_predict_start", lambda _: marks.update(_ready()))
    frames, ids = 0, set[int]()
    how = {"stream": True, "persist": False, "classes": [0], "verbose": False, "save": False}
    for result in model.track(source=job["video"], **how, **job["settings"]):
        frames += 1
        if result.boxes.id is not None:
            ids.update(result.boxes.id.int().tolist())
    return {**marks, "frames": frames, "found": {"tracks": len(ids)}}


def run_export(job: Job) -> dict[str, Any]:
    """The OpenVINO export of the weights, at the size of the letterbox; not measured."""
    from ultralytics import YOLO

    copy = shutil.copy(job["weights"], job["folder"])
    return {"weights": YOLO(copy).export(format="openvino", imgsz=tuple(job["image_size"]))}


def run_stages(job: Job) -> dict[str, Any]:
    """Our stages one after another, CPU seconds of each; see the module's docstring."""
    import cameras.video
    from cameras.encoding import make_thumbnails
    from cameras.sources import open_frames
    from commands.run import pixel_encoder
    from pipeline.association.resolver import Knowledge, associate
    from pipeline.calibration import load_calibrations
    from pipeline.detection.detector import Detector
    from pipeline.tracking.tracker import Tracker
    from pipeline.tracking.tracklets import TrackletBuilder
    from pipeline.types import EncodedTracklet
    from storage.store import CameraRecord, RunRecord, open_store

    seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def timed(stage: str, clock: Callable[[], float] = time.process_time) -> Iterator[None]:
        before = clock()
        yield
        if clock is time.process_time:
            time.sleep(SETTLE_SECONDS)
        seconds[stage] += clock() - before

    site = load_site(Path(job["site"]))
    knowledge = Knowledge(load_calibrations(site), site.transitions, site.association)
    detector, encoder = Detector(site.detection), pixel_encoder(site)
    store = open_store(f"sqlite:///{job['folder']}/stages.db", create=True)
    videos = [camera for camera in site.cameras if isinstance(camera, VideoCamera)]
    records = tuple(CameraRecord(camera.id, camera.video, False) for camera in videos)
    run_id = store.begin_run(RunRecord(site.site, "{}", detector.name, records, time.time_ns()))
    trackers = {camera.id: Tracker(site.tracking) for camera in videos}
    builders = {camera.id: TrackletBuilder(camera.id, site.tracking) for camera in videos}
    seconds["start_up"] = time.process_time()

    cameras.video.DECODER_THREADS = 1
    sources = [iter(open_frames(camera, site)) for camera in videos]
    frames, closed = 0, []
    with timed("reading"):
        while True:
            with timed("decoding", time.thread_time):
                batch = [frame for s in sources if (frame := next(s, None)) is not None]
            if not batch:
                break
            frames += len(batch)
            found = detector.detect([frame.image for frame in batch])
            with timed("tracking", time.thread_time):
                for frame, detections in zip(batch, found, strict=True):
                    tracked = trackers[frame.camera_id].update(detections, frame.timestamp_us)
                    closed.append(builders[frame.camera_id].add_frame(tracked, frame))
        with timed("tracking", time.thread_time):
            closed.extend(builder.close() for builder in builders.values())
    seconds["detection"] = seconds.pop("reading") - seconds["decoding"] - seconds["tracking"]
    with timed("encoding"):
        encoded = [
            [EncodedTracklet(t, encoder.encode(a), make_thumbnails(a)) for t, a in together]
            for together in filter(None, closed)
        ]
    with timed("storing"):
        for together in encoded:
            store.add_tracklets(run_id, together)
        stored = store.load_tracklets(run_id)
    with timed("association"):
        values = [t for t, _ in stored], [e for _, e in stored]
        links = associate(*values, knowledge, 0)
    with timed("storing"):
        store.set_links(run_id, links)
        store.end_run(run_id, "finished", time.time_ns())
    return {"frames": frames, "seconds": seconds, "found": {"tracklets": len(stored)}}


CHILDREN = {"ours": run_ours, "peer": run_peer, "export": run_export, "stages": run_stages}


# Measuring them from outside.


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of processes that ran at once: monotonic seconds, the peak of their PSS."""

    started: float
    ended: float
    cpu_seconds: float
    peak_memory_mb: float
    results: list[dict[str, Any]]


def watch(kind: str, jobs: Sequence[Job], folder: Path) -> Watched:
    """Run one process a job, all at once, to their ends.

    Raises:
        UserError: One of them failed; its last words follow.
    """
    results = [folder / f"{kind}-{number}.json" for number in range(len(jobs))]
    started, cpu, peak, looked = time.monotonic(), 0.0, 0.0, 0.0
    running: dict[int, Path] = {}
    try:
        for job, result in zip(jobs, results, strict=True):
            log, command = result.with_suffix(".log"), [sys.executable, __file__, "--child", kind]
            with log.open("wb") as words:
                process = subprocess.Popen(
                    [*command, json.dumps(job), str(result)], stdout=words, stderr=words
                )
            running[process.pid] = log
        while running:
            for pid in list(running):
                ended, status, usage = os.wait4(pid, os.WNOHANG)
                process_log = running.pop(pid) if ended else None
                cpu += usage.ru_utime + usage.ru_stime
                if process_log and status:
                    raise UserError(f"{kind}: a process failed: {process_log.read_text()[-2000:]}")
            if time.monotonic() - looked >= MEMORY_EVERY_SECONDS:
                looked = time.monotonic()
                peak = max(peak, sum(map(_tree_pss_mb, running)))
            time.sleep(POLL_SECONDS if running else 0)
    finally:
        for pid in running:
            os.kill(pid, signal.SIGKILL)
    values = [json.loads(path.read_text()) for path in results]
    return Watched(started, time.monotonic(), cpu, peak, values)


def _tree_pss_mb(pid: int) -> float:
    """PSS of a process and its descendants; 0 for those that have just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        tasks = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return 0.0
    own = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return own + sum(_tree_pss_mb(int(child)) for task in tasks for child in task.split())


def _measured(seen: Watched) -> dict[str, float]:
    frames = sum(result["frames"] for result in seen.results)
    start_up = sum(result["start_up_cpu_seconds"] for result in seen.results)
    wall = seen.ended - seen.started
    first_ready = min(result["ready"] for result in seen.results)
    return {
        "frames": frames,
        "wall_seconds": wall,
        "cpu_seconds": seen.cpu_seconds,
        "start_up_cpu_seconds": start_up,
        "frames_per_second": frames / wall,
        "cpu_ms_per_frame": 1000 * seen.cpu_seconds / frames,
        "running_frames_per_second": frames / (seen.ended - first_ready),
        "running_cpu_ms_per_frame": 1000 * (seen.cpu_seconds - start_up) / frames,
        "peak_memory_mb": seen.peak_memory_mb,
    }


def _stages_ms(seen: Watched) -> dict[str, float]:
    """CPU ms per frame by stage, the rest of the process, and their sum."""
    seconds, frames = seen.results[0]["seconds"], seen.results[0]["frames"]
    total = 1000 * seen.cpu_seconds / frames
    stages = {name: 1000 * seconds[name] / frames for name in STAGES}
    return {**stages, "rest": total - sum(stages.values()), "sum": total}


# What is measured.


def cut(video: Path, seconds: float, target: Path) -> None:
    """The packets of a video's first seconds, copied as they are, in order of decoding."""
    import av

    with av.open(str(video)) as source, av.open(str(target), "w") as output:
        stream = source.streams.video[0]
        copy = output.add_stream_from_template(stream)
        first: int | None = None
        for packet in source.demux(stream):
            if packet.dts is None:  # the end
                continue
            first = packet.dts if first is None else first
            if (packet.dts - first) * packet.time_base >= seconds:
                break
            packet.stream = copy
            output.mux(packet)


def prepare(path: Path, engine: str, seconds: float | None, folder: Path) -> tuple[Site, list[int]]:
    """The site as measured: every frame of its videos, cut; and its detector's (height, width).

    Raises:
        UserError: The site has other cameras than video files, or frames of several shapes.
    """
    from cameras.sources import open_frames
    from pipeline.detection.letterbox import Letterbox

    site, videos, sizes = load_site(path), [], set[tuple[int, int]]()
    for number, camera in enumerate(site.cameras):
        if not isinstance(camera, VideoCamera) or not Path(camera.video).is_file():
            raise UserError(f"{path}: cameras[{number}]: expected a video file to measure")
        if seconds is not None:
            target = folder / f"{camera.id}{Path(camera.video).suffix}"
            cut(Path(camera.video), seconds, target)
            camera = camera.model_copy(update={"video": str(target)})
        videos.append(camera)
        height, width = next(iter(open_frames(camera, site))).image.shape[:2]
        box = Letterbox.of(height, width, site.detection.image_size)
        sizes.add((box.height, box.width))
    if len(sizes) > 1:
        raise UserError(f"{path}: expected frames of one shape, got inputs of {sorted(sizes)}")
    size, weights = list(sizes.pop()), str(_weights(site, path))
    if engine == "openvino":
        job = {"weights": weights, "image_size": size, "folder": str(folder)}
        weights = str(Path(watch("export", [job], folder).results[0]["weights"]).resolve())
    ours = {"weights": weights, "rate_hz": None, "engine": "torch" if engine == "torch" else "auto"}
    detection = site.detection.model_copy(update=ours)
    return site.model_copy(update={"cameras": tuple(videos), "detection": detection}), size


def _weights(site: Site, path: Path) -> Path:
    """The detector's weights where they lie already; the program would download some."""
    name = site.detection.weights
    if is_bundled(name):
        return bundled_file("detection", name)
    for found in (Path(name), (site.detection.weights_dir or Path.cwd()) / name):
        if found.exists():
            return found.resolve()
    raise UserError(f"{path}: detection.weights: {name}: expected a file that is there")


def measure(
    site: Site, size: list[int], peers: Sequence[str], rounds: int, folder: Path
) -> list[dict[str, Any]]:
    """Every run in the order in which it was made; who comes first moves on each round."""
    file = folder / "site.yaml"
    file.write_text(json.dumps(site.model_dump(mode="json")))  # JSON is YAML
    device = None if site.detection.device == "auto" else site.detection.device
    sides, runs = ["ours", *peers, "stages"], []
    for number in range(rounds):
        shift = number % len(sides)
        for side in sides[shift:] + sides[:shift]:
            load, kind = os.getloadavg()[0], "peer" if side in peers else side
            with tempfile.TemporaryDirectory(dir=folder) as fresh:
                jobs: list[Job] = [{"site": str(file), "folder": fresh}]
                if kind == "peer":
                    settings = {"tracker": f"{side}.yaml", "imgsz": size, "device": device}
                    job = {"weights": site.detection.weights, "settings": settings}
                    jobs = [{**job, "video": camera["video"]} for camera in _videos(site)]
                seen = watch(kind, jobs, Path(fresh))
            values = _stages_ms(seen) if kind == "stages" else _measured(seen)
            found = [result["found"] for result in seen.results]
            head = {"round": number + 1, "side": side, "load_before": load, "found": found}
            runs.append({**head, "measures": values})
            print(f"round {number + 1}: {side}: {seen.cpu_seconds:.1f} CPU s", file=sys.stderr)
    return runs


def _videos(site: Site) -> list[dict[str, Any]]:
    return [camera.model_dump() for camera in site.cameras]


# What is told.


def summarise(runs: Sequence[Job]) -> dict[str, dict[str, dict[str, float]]]:
    """Median, least and greatest of every measure of every side."""
    rows: defaultdict[str, list[Mapping[str, float]]] = defaultdict(list)
    for run in runs:
        rows[run["side"]].append(run["measures"])
    return {
        side: {name: _spread([row[name] for row in several]) for name in several[0]}
        for side, several in rows.items()
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def show(summary: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """The table: median [least..greatest]; a warning where stages and whole disagree."""

    def line(words: str, sides: Sequence[str], name: str) -> str:
        values = [summary[side][name] for side in sides]
        cells = [f"{v['median']:.1f} [{v['min']:.1f}..{v['max']:.1f}]" for v in values]
        return f"{words:28}" + "".join(f"{cell:>30}" for cell in cells)

    sides = [side for side in summary if side != "stages"]
    heads = ["ours" if side == "ours" else f"yolo track {side}" for side in sides]
    print(f"{'median [min..max]':28}" + "".join(f"{head:>30}" for head in heads))
    for name in summary["ours"]:
        print(line(name, sides, name))
    print("\nours by stage, CPU ms per frame")
    for name in summary["stages"]:
        print(line(name, ["stages"], name))
    whole, total = summary["ours"]["cpu_ms_per_frame"], summary["stages"]["sum"]
    ratio = total["median"] / whole["median"]
    print(line("`run`, the whole", ["ours"], "cpu_ms_per_frame"), f"  sum / whole {ratio:.2f}")
    if abs(ratio - 1) > AGREEMENT:
        print(f"warning: the stages sum to {ratio:.2f} of the whole run", file=sys.stderr)
    print("\nOurs embeds tracklets, finds identities across cameras and stores; the peer does not.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--site", type=Path, required=True, help="site file of video files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, help="of each video; default: the whole")
    parser.add_argument("--engine", choices=("torch", "openvino"), default="torch")
    trackers = ("bytetrack", "botsort")
    parser.add_argument("--peer", nargs="+", choices=trackers, default=["bytetrack"])
    parser.add_argument("--output", type=Path, help="JSON file for everything")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: expected at least 1")
    return options


def main() -> None:
    """Measure, print the table, write the JSON document."""
    options = _options()
    # For every measured process: nothing is fetched or installed.
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["YOLO_CONFIG_DIR"] = temporary
        site, size = prepare(options.site, options.engine, options.seconds, folder)
        runs = measure(site, size, options.peer, options.rounds, folder)
    summary = summarise(runs)
    frames = {side: measures["frames"] for side, measures in summary.items() if side != "stages"}
    if len({tuple(count.values()) for count in frames.values()}) > 1:
        print(f"warning: not the same frames: {frames}", file=sys.stderr)
    result = document(
        "end_to_end",
        None,
        settings={
            "cameras": len(site.cameras),
            "engine": options.engine,
            "weights": Path(site.detection.weights).name,
            "input_height_width": size,
            "our_confidence": site.detection.confidence,
        },
        summary=summary,
        runs=runs,
    )
    show(summary)
    write(result, options.output)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        kind, told, target = sys.argv[2:]
        Path(target).write_text(json.dumps(CHILDREN[kind](json.loads(told))))
        sys.exit()
    start(main)
