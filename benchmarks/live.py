"""Live cameras: lag, drops and CPU by load; with `--soak`, hours of random faults;
with `--outages`, cameras that are away for 1, 10 and 60 s.

The cameras are those of the tests, in a process of their own that is not measured, and send the
beginning of a demo video over RTSP/TCP. The run is the command `run`, with metrics and a fresh
SQLite file, in another process. The stub detector finds the same person in every camera by the
clock, and costs no CPU time: it sleeps, so that an overload is exact whatever the machine.
"""

import argparse
import json
import multiprocessing
import os
import signal
import socket
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import yaml
from documents import document, start, write
from live_parts import (
    BETWEEN_OUTAGES_SECONDS,
    PASSAGE_SECONDS,
    PERIOD_SECONDS,
    SPARED,
    Load,
    film,
    metrics,
    of_camera,
    run,
)
from scipy import stats

from pipeline.errors import UserError

SIZES: Final = ((640, 360), (1280, 720))
CAMERAS: Final = (1, 4, 8)
RATE: Final = 10.0
OUTAGES: Final = (1.0, 10.0, 60.0)
OVERLOAD: Final = 3.0
GAP_SECONDS: Final = 0.5
SETTLING_SECONDS: Final = 900
"""Of a soak this, or the first half, is not judged: association fills its window of ten minutes."""
READY_WITHIN_SECONDS: Final = 300
LAGS, STORE_LAGS = "lags.txt", "store-lags.txt"
context = multiprocessing.get_context("spawn")


class Trial:
    """One load: cameras and a run that looks at them all; ended by `end`."""

    def __init__(
        self,
        load: Load,
        folder: Path,
        seed: int | None = None,
        outages: Sequence[float] = (),
    ) -> None:
        self.load, self.folder = load, folder
        self._pipe, theirs = context.Pipe()
        self._cameras = context.Process(
            target=film, args=(load, seed, outages, theirs), daemon=True
        )
        self._cameras.start()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        write_site(folder, self._pipe.recv())
        self.run = context.Process(target=quietly, args=(load, folder, self.port), daemon=True)
        self.run.start()
        self._wait()
        self.began = time.time()
        self._pipe.send(None)

    def _wait(self) -> None:
        """Until every camera is looked at."""
        end = time.monotonic() + READY_WITHIN_SECONDS
        while min(self.frames(metrics(self.port))) < 3:
            if not self.run.is_alive() or time.monotonic() > end:
                raise UserError(
                    f"the run did not begin: {(self.folder / 'errors.txt').read_text()}"
                )
            time.sleep(0.2)

    def frames(self, told: dict[str, float]) -> list[float]:
        """Frames looked at, by camera."""
        each = range(self.load.cameras)
        return [of_camera(told, "frames_processed_total", camera) for camera in each]

    def cpu_seconds(self) -> float:
        """User and system time of the run so far."""
        words = Path(f"/proc/{self.run.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> tuple[list[dict[str, Any]], float]:
        """Stop the run as SIGTERM does, then the cameras: their faults, and how long it took."""
        assert self.run.pid is not None
        began = time.monotonic()
        os.kill(self.run.pid, signal.SIGTERM)
        self.run.join()
        took = time.monotonic() - began
        return ended(self._cameras, self._pipe), took


def quietly(load: Load, folder: Path, port: int) -> None:
    """The run, its words in files."""
    for name, number in (("output.json", 1), ("errors.txt", 2)):
        os.dup2(os.open(folder / name, os.O_CREAT | os.O_WRONLY), number)
    os.chdir(folder)
    run(load, folder / "site.yaml", port, folder / LAGS, folder / STORE_LAGS)


def ended(cameras: BaseProcess, pipe: Connection) -> list[dict[str, Any]]:
    pipe.send(None)
    faults: list[dict[str, Any]] = pipe.recv()
    cameras.join()
    return faults


def write_site(folder: Path, urls: list[str]) -> None:
    """The site file of cameras at these addresses."""
    tree = {
        "site": "live",
        "cameras": [{"id": f"c{number}", "video": url} for number, url in enumerate(urls)],
        "tracking": {"max_gap_seconds": GAP_SECONDS},
    }
    (folder / "site.yaml").write_text(yaml.safe_dump(tree))


def measured(load: Load, seconds: float) -> dict[str, float]:
    """Lag, drops and CPU time of one load."""
    with tempfile.TemporaryDirectory() as name:
        trial, files = Trial(load, Path(name)), [Path(name) / LAGS, Path(name) / STORE_LAGS]
        skipped, before = [len(file.read_text()) for file in files], metrics(trial.port)
        cpu, began = trial.cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        after, passed = metrics(trial.port), time.monotonic() - began
        cpu = trial.cpu_seconds() - cpu
        _, stopping = trial.end()
        frame_lags, store_lags = (
            [1000 * float(line) for line in file.read_text()[since:].splitlines()[1:]]
            for file, since in zip(files, skipped, strict=True)
        )
    looked = np.subtract(trial.frames(after), trial.frames(before))
    each = range(load.cameras)
    came = [
        of_camera(after, "frames_total", c) - of_camera(before, "frames_total", c) for c in each
    ]
    return {
        **{f"frame_lag_{name}_ms": value for name, value in spread(frame_lags).items()},
        **{f"store_lag_{name}_ms": value for name, value in spread(store_lags).items()},
        "frames_a_second": float(looked.sum()) / passed,
        "dropped_percent": 100 * (1 - float(looked.sum()) / max(sum(came), 1)),
        "fewest_of_a_camera_percent": 100 * float(looked.min() / max(looked.max(), 1)),
        "cpu_cores_a_camera": cpu / passed / load.cameras,
        "stopping_seconds": stopping,
    }


def spread(values: list[float]) -> dict[str, Any]:
    """Median, 95th percentile and greatest; None of nothing."""
    found = np.percentile(values, [50, 95, 100]).tolist() if values else [None] * 3
    return dict(zip(("p50", "p95", "max"), found, strict=True))


def soak(minutes: float, seed: int) -> dict[str, Any]:
    """Eight cameras, six of which have random faults one after another."""
    load = Load(8, SIZES[0], RATE, "stub")
    with tempfile.TemporaryDirectory() as name:
        trial = Trial(load, Path(name), seed)
        looks = watched(trial, 60 * minutes)
        until = time.time()
        faults, stopping = trial.end()
        report = json.loads((Path(name) / "output.json").read_text())
        errors = (Path(name) / "errors.txt").read_text()
        passages = found_passages(Path(name) / "tracking.db", trial.began, until)
    settling = min(SETTLING_SECONDS, 30 * minutes)
    judged = [look for look in looks if look["time"] >= trial.began + settling]
    hours = np.array([look["time"] - trial.began for look in judged]) / 3600
    return {
        "soak": {
            "minutes": minutes,
            "not_judged_minutes": settling / 60,
            "faults": len(faults),
            "tracebacks": errors.count("Traceback"),
            "restarts": max(sum(look["restarts"]) for look in looks),
            "exit_code": report["exit_code"],
            "stopping_seconds": stopping,
        },
        "trends": {
            name: trend(hours, [look[name] for look in judged])
            for name in ("memory_mb", "file_descriptors", "threads")
        },
        "passages of cameras without faults": passages,
        "seconds until a frame comes again": recoveries(faults, looks),
    }


def outages(rounds: int) -> dict[str, Any]:
    """Cameras that are killed at once, and back after 1, 10 and 60 s; one beside them is not."""
    load = Load(1 + len(OUTAGES), SIZES[0], RATE, "stub")
    with tempfile.TemporaryDirectory() as name:
        trial = Trial(load, Path(name), outages=OUTAGES)
        looks = watched(trial, rounds * (OUTAGES[-1] + BETWEEN_OUTAGES_SECONDS) - 1)
        faults, stopping = trial.end()
    ages = [look["age"][0] for look in looks]
    return {
        "seconds until a frame comes again": recoveries(faults, looks),
        "the camera beside them": {
            **{f"frame_age_{name}_seconds": value for name, value in spread(ages).items()},
            "rounds": rounds,
            "stopping_seconds": stopping,
        },
    }


def watched(trial: Trial, seconds: float) -> list[dict[str, Any]]:
    """A look at the run five times a second."""
    looks, process = [], Path(f"/proc/{trial.run.pid}")
    page_mb = os.sysconf("SC_PAGE_SIZE") / 1e6
    end = time.monotonic() + seconds
    while time.monotonic() < end and trial.run.is_alive():
        told = metrics(trial.port)
        each = range(trial.load.cameras)
        looks.append(
            {
                "time": time.time(),
                "frames": trial.frames(told),
                "age": [of_camera(told, "frame_age_seconds", camera) for camera in each],
                "restarts": [of_camera(told, "restarts_total", camera) for camera in each],
                "memory_mb": int((process / "statm").read_text().split()[1]) * page_mb,
                "file_descriptors": len(list((process / "fd").iterdir())),
                "threads": len(list((process / "task").iterdir())),
            }
        )
        time.sleep(0.2)
    return looks


def trend(hours: Any, values: list[float]) -> dict[str, Any]:
    """Slope an hour with its 95 % confidence interval, of means of tenths of the time.

    Looks that follow each other are not independent; means of long pieces nearly are.
    """
    pieces = [piece for piece in np.array_split(np.arange(len(values)), 10) if len(piece)]
    x, y = ([float(np.mean(np.array(each)[p])) for p in pieces] for each in (hours, values))
    fit = stats.linregress(x, y)
    half = float(stats.t.ppf(0.975, len(x) - 2) * fit.stderr)
    return {
        "first": round(y[0], 1),
        "last": round(y[-1], 1),
        "greatest": round(max(values), 1),
        "slope_an_hour": float(fit.slope),
        "at_least": float(fit.slope) - half,
        "at_most": float(fit.slope) + half,
    }


def recoveries(faults: list[dict[str, Any]], looks: list[dict[str, Any]]) -> dict[str, Any]:
    """From the end of each fault to the next frame looked at, backoff included; by its kind."""
    times = np.array([look["time"] for look in looks])
    found: dict[str, list[float]] = {}
    never: Counter[str] = Counter()
    for fault in faults:
        kind, frames = fault["kind"], np.array([look["frames"][fault["camera"]] for look in looks])
        first = int(np.searchsorted(times, fault["ended"]))
        later = np.flatnonzero(frames[first:] > frames[min(first, len(frames) - 1)])
        if len(later):
            found.setdefault(kind, []).append(float(times[first + later[0]] - fault["ended"]))
        else:
            never[kind] += 1
    return {
        kind: {
            "times": len(found.get(kind, [])) + never[kind],
            "not_before_the_end": never[kind],
            **spread(found.get(kind, [])),
        }
        for kind in sorted(found.keys() | never.keys())
    }


def found_passages(database: Path, began: float, until: float) -> dict[str, dict[str, int]]:
    """Of each camera without faults: passages that lie within the time, and those found.

    The stub goes by the clock at which it looks, which is a little after the picture was taken.
    """
    first, last = int(began // PERIOD_SECONDS) + 1, int(until // PERIOD_SECONDS)
    query = (
        "select start_us / 1e6 from tracklet join camera on camera.id = camera_id where name = ?"
    )
    found = {}
    with closing(sqlite3.connect(database)) as connection:
        for camera in range(SPARED):
            starts = [row[0] for row in connection.execute(query, (f"c{camera}",))]
            pause = PERIOD_SECONDS - PASSAGE_SECONDS
            seen = {int((start + pause / 2) // PERIOD_SECONDS) for start in starts}
            came = set(range(first, last))
            found[f"camera {camera}"] = {"came": len(came), "found": len(seen & came)}
    return found


def loads() -> list[Load]:
    """What is measured without faults."""
    plain = [
        Load(n, size, RATE, kind) for kind in ("stub", "real") for size in SIZES for n in CAMERAS
    ]
    return plain + [Load(n, size, RATE, "stub", OVERLOAD) for size in SIZES for n in CAMERAS]


def name_of(load: Load) -> str:
    width, height = load.size
    words = f"{load.cameras} cameras, {width}x{height}, {load.detector} detector"
    return words + (f", {load.overload:g}x overload" if load.overload else "")


def in_rounds(rounds: int, measure: Callable[[Load], dict[str, Any]]) -> list[dict[str, Any]]:
    """Every load once a round; who comes first moves on."""
    found = []
    for number in range(rounds):
        some = loads()
        at = number * len(some) // rounds
        for load in some[at:] + some[:at]:
            found.append({"round": number, "load": name_of(load), "measures": measure(load)})
            print(found[-1], flush=True)
    return found


def summarised(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Median, least and greatest of each load's measures."""
    by_load: dict[str, list[dict[str, float]]] = {name_of(load): [] for load in loads()}
    for each in runs:
        by_load[each["load"]].append(each["measures"])
    return {
        load: {
            name: {
                "median": float(np.median([one[name] for one in measures])),
                "min": min(one[name] for one in measures),
                "max": max(one[name] for one in measures),
            }
            for name in measures[0]
        }
        for load, measures in by_load.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="random faults instead")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--outages", action="store_true", help="cameras that go away, instead")
    arguments = parser.parse_args()
    if arguments.outages:
        found = {"outages": outages(arguments.rounds)}
        content = document("live", None, summary=found)
        print(json.dumps(found, indent=2))
    elif arguments.soak:
        found = soak(arguments.soak, arguments.seed)
        content = document("live", arguments.seed, summary=found)
        print(json.dumps(found, indent=2))
    else:
        runs = in_rounds(arguments.rounds, lambda load: measured(load, arguments.seconds))
        content = document("live", None, runs=runs, summary=summarised(runs))
    write(content, arguments.output)


if __name__ == "__main__":
    start(main)
