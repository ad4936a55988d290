"""Trackers on the same detections, by the same evaluation: ours beside its peers.

Accuracy is that of `pipeline.evaluation` (which agrees with TrackEval), the sequences of a set
concatenated into one; at full rate, and at 5 and 2 frames/s, as cameras are run in practice:
frames are dropped from detections and truth, and those trackers that take a frame rate are told.
Throughput is the CPU time of the tracker's own call, on detections that are already in its form.
"""

import argparse
import gc
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    # Before anything brings its pool of threads: a tracker is one camera's, and has one core.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from documents import document, start, write
from peers import OLD_SUPERVISION, OUR_TRACKLETS, OURS, PEERS, Peer, follow, our_tracklets
from recordings import Recording, crowd, first, read_set, thinned

from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.distractors import counted_truth, without_distractors
from pipeline.evaluation.purity import score_tracklets
from pipeline.evaluation.tracking import score

RATES: Final[Mapping[str, float | None]] = {"full rate": None, "5 frames/s": 5, "2 frames/s": 2}
CROWDS: Final = (10, 50, 100, 200)
TIMED_FRAMES: Final = 100
"""Of a crowd, and of each sequence of a set."""
LEAST_SECONDS: Final = 0.2
"""Faster ones are timed again and again from the start until they have taken as long."""
SEED: Final = 1
COLUMNS: Final = (
    *("HOTA", "DetA", "AssA", "IDF1", "MOTA", "IDSW"),
    *("purity", "mixed", "fragments", "tracklets", "mean_length"),
)

Scored = dict[str, float | int]


def available(peers: Sequence[Peer]) -> tuple[list[Peer], dict[str, str]]:
    """Those that follow a small crowd, and why the others do not, by name."""
    trial, able, absent = crowd(3, 5, SEED), [], {}
    for peer in peers:
        try:
            follow(peer, trial)
        except Exception as reason:  # other people's code may fail in any way; it is told
            absent[peer.name] = f"{type(reason).__name__}: {str(reason).strip().splitlines()[0]}"
            print(f"{peer.name}: not there: {absent[peer.name]}", file=sys.stderr)
        else:
            able.append(peer)
    return able, absent


# Accuracy.


def scored(recordings: Sequence[Recording], tracked: Sequence[CameraTracks]) -> Scored:
    """Scores of all sequences as one; ids of different sequences are different people."""
    truths = [counted_truth(recording.truth) for recording in recordings]
    kept = [
        without_distractors(recording.truth, tracks)
        for recording, tracks in zip(recordings, tracked, strict=True)
    ]
    lengths = [len(recording.moments) for recording in recordings]
    truth, predicted = _concatenated(truths, lengths), _concatenated(kept, lengths)
    values = {**score(truth, predicted).to_json(), **asdict(score_tracklets(truth, predicted))}
    return {name: values[name] for name in COLUMNS}


def _concatenated(tracks: Sequence[CameraTracks], lengths: Sequence[int]) -> CameraTracks:
    frames = np.cumsum([0, *lengths[:-1]])
    people = np.cumsum([0, *(1 + its.ids.max(initial=0) for its in tracks[:-1])])
    return CameraTracks(
        "all",
        np.concatenate([t.frame_indices + f for t, f in zip(tracks, frames, strict=True)]),
        np.concatenate([t.ids + p for t, p in zip(tracks, people, strict=True)]),
        np.concatenate([t.boxes for t in tracks]),
    )


def accuracy(peers: Sequence[Peer], recordings: Sequence[Recording]) -> dict[str, Scored]:
    """Scores by tracker; our tracklets stand beside what leaves our tracker frame by frame."""
    ways: dict[str, Callable[[Recording], CameraTracks]] = {
        peer.name: partial(follow, peer) for peer in peers
    }
    if OURS in ways:
        ways[OUR_TRACKLETS] = our_tracklets
    result = {}
    for name, way in ways.items():
        result[name] = scored(recordings, [way(recording) for recording in recordings])
        print(_line(name, result[name]), file=sys.stderr, flush=True)
    return dict(sorted(result.items(), key=lambda row: -row[1]["HOTA"]))


def _line(name: str, values: Mapping[str, float | int]) -> str:
    cells = (f"{v:10.2f}" if isinstance(v, float) else f"{v:10d}" for v in values.values())
    return f"{name:24}" + "".join(cells)


# Throughput.


def frames_per_cpu_second(peer: Peer, recordings: Sequence[Recording]) -> float:
    """Of one pass over the recordings, by a fresh tracker each, repeated while it is short."""
    frames, seconds = 0, 0.0
    while seconds < LEAST_SECONDS:
        for recording in recordings:
            follower = peer.start(recording)
            prepared = [follower.prepare(moment) for moment in recording.moments]
            gc.collect()
            before = time.process_time()
            for detections in prepared:
                follower.update(detections)
            seconds += time.process_time() - before
            frames += len(prepared)
    return frames / seconds


def throughput(
    peers: Sequence[Peer], cases: Mapping[str, Sequence[Recording]], rounds: int
) -> dict[str, dict[str, list[float]]]:
    """Frames per CPU second by tracker and case, one value a round.

    Trackers take turns within a case; who comes first moves on from round to round.
    """
    values: dict[str, dict[str, list[float]]] = {
        peer.name: {case: [] for case in cases} for peer in peers
    }
    for number in range(rounds):
        shift = number % len(peers)
        for case, recordings in cases.items():
            for peer in [*peers[shift:], *peers[:shift]]:
                values[peer.name][case].append(frames_per_cpu_second(peer, recordings))
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return values


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


# What is told.


def versions(peers: Sequence[Peer]) -> dict[str, str]:
    """Of the distributions that the trackers come from; those that are installed."""
    found = {}
    for package in sorted({peer.package for peer in peers} - {"", OLD_SUPERVISION}):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mot15", type=Path, help="folder of sequences")
    parser.add_argument("--mot17", type=Path, help="folder of sequences")
    parser.add_argument("--rounds", type=int, default=5, help="of throughput; 0: none")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="trackers; default: all")
    parser.add_argument("--output", type=Path, help="JSON file for everything")
    options = parser.parse_args()
    names = [peer.name for peer in PEERS]
    for name in options.only or ():
        if name not in names:
            parser.error(f"--only: expected of {', '.join(names)}; got {name}")
    return options


def main() -> None:
    """Score and time all trackers, tell the figures, write the JSON document."""
    options = _options()
    wanted = [peer for peer in PEERS if not options.only or peer.name in options.only]
    peers, absent = available(wanted)
    folders = {"MOT15": options.mot15, "MOT17": options.mot17}
    sets = {name: read_set(folder) for name, folder in folders.items() if folder}
    scores: defaultdict[str, dict[str, dict[str, Scored]]] = defaultdict(dict)
    for name, recordings in sets.items():
        for rate, hertz in RATES.items():
            print(f"\n{name}, {rate}: {' '.join(COLUMNS)}", file=sys.stderr)
            seen = [thinned(r, hertz) for r in recordings] if hertz else recordings
            scores[name][rate] = accuracy(peers, seen)
    cases = {f"{people} boxes": [crowd(people, TIMED_FRAMES, SEED)] for people in CROWDS}
    cases |= {name: first(recordings, TIMED_FRAMES) for name, recordings in sets.items()}
    runs = throughput(peers, cases, options.rounds) if options.rounds else {}
    speeds = {
        name: {case: _spread(values) for case, values in by_case.items()}
        for name, by_case in runs.items()
    }
    result = document(
        "tracking",
        SEED,
        settings={
            "sequences": {name: [r.name for r in its] for name, its in sets.items()},
            "timed_frames": TIMED_FRAMES,
        },
        not_available=absent,
        summary={**scores, "frames per CPU second": speeds},
        runs=runs,
    )
    result["versions"] |= versions(peers)
    for case in cases if speeds else ():
        print(f"\n{case}: frames per CPU second, median least greatest", file=sys.stderr)
        for name, by_case in speeds.items():
            print(_line(name, by_case[case]), file=sys.stderr)
    write(result, options.output)


if __name__ == "__main__":
    start(main)
