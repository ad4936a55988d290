"""Engines of the detector side by side: speed, overhead, agreement; motion gating; tiling.

Every measured run is a fresh process, on frames that are decoded before the clock starts (but for
motion gating, where decoding belongs to what a still camera costs). CPU time is user + system of
the whole process with all its threads.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from box_agreement import Values, agreement
from detection_measures import (
    CONFIDENCE,
    GATE_SECONDS,
    Task,
    engines,
    found,
    gating,
    inputs_of,
    peer_speed,
    precision_of,
    speed,
    tiling,
)
from documents import document, start, write

from pipeline.bundled import BUNDLED
from pipeline.config import DetectionSettings
from pipeline.detection.weights import find_weights
from pipeline.errors import UserError

DEMO: Final = Path(__file__).resolve().parents[1] / "demo"


def in_fresh_process(measured: Callable[[Any], Any], task: Any) -> Any:
    """What a function returns in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(measured, task).result()


def measure_speed(
    weights: str, kinds: Sequence[str], options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Every run in the order in which it was made; who comes first moves on each round."""
    sides: dict[str, tuple[Callable[[Task], Values], str]] = {}
    for name in kinds:
        sides[f"ours, {name}"] = speed, name
        sides[f"ultralytics predict, {name}"] = peer_speed, name
    plan, runs = list(sides.items()), []
    for number in range(options.rounds):
        for side, (measured, engine) in plan[number % len(plan) :] + plan[: number % len(plan)]:
            load = os.getloadavg()[0]
            task = Task(weights, options.clips[0], options.frames, options.every, engine)
            values = in_fresh_process(measured, task)
            head = {"round": number + 1, "side": side, "load_before": load}
            runs.append({**head, "measures": values})
            print(f"round {number + 1}: {side}: {values}", file=sys.stderr)
    return runs


def summarise(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Median, least and greatest of every measure of every side."""
    rows: defaultdict[str, list[Values]] = defaultdict(list)
    for run in runs:
        rows[run["side"]].append(run["measures"])
    return {
        side: {
            name: {"median": statistics.median(v), "min": min(v), "max": max(v)}
            for name in several[0]
            for v in [[row[name] for row in several]]
        }
        for side, several in sorted(rows.items())
    }


def measure_agreement(
    weights: str, kinds: Sequence[str], options: argparse.Namespace
) -> dict[str, dict[str, Values]]:
    """Of every engine, and of OpenVINO in either precision, with torch; by clip."""
    others = [(name, name, "") for name in kinds if name == "onnx"]
    others += [(f"openvino, {kind}", "openvino", kind) for kind in ("f32", "bf16")]
    result: dict[str, dict[str, Values]] = {}
    for clip in options.clips:
        torch = Task(weights, clip, options.frames, options.every, "torch")
        reference = in_fresh_process(found, torch)
        result[clip.stem] = {
            label: agreement(
                reference,
                in_fresh_process(found, replace(torch, engine=engine, precision=precision)),
            )
            for label, engine, precision in others
        }
    return result


def measure_gating(weights: str, options: argparse.Namespace) -> dict[str, Values]:
    """By clip; those of the demo site have a truth."""
    truths = dict.fromkeys(options.clips) | {
        clip: options.demo / "ground_truth" / f"{clip.stem}.txt"
        for clip in sorted((options.demo / "videos").glob("*.mp4"))
    }
    return {
        clip.stem: in_fresh_process(
            gating, Task(weights, clip, options.gate_frames, engine="openvino", truth=truth)
        )
        for clip, truth in truths.items()
    }


def show(tree: Mapping[str, Any], indent: str = "") -> None:
    """The summary, one line a row."""
    for name, value in tree.items():
        if all(not isinstance(v, Mapping) or "median" in v for v in value.values()):
            cells = (
                f"{key} {v['median']:.4g} [{v['min']:.4g}..{v['max']:.4g}]"
                if isinstance(v, Mapping)
                else f"{key} {v:.4g}"
                for key, v in value.items()
            )
            print(f"{indent}{name}: {'; '.join(cells)}")
        else:
            print(f"{indent}{name}")
            show(value, indent + "  ")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weights", default=BUNDLED, help=".pt file, or a name as in a site file")
    parser.add_argument(
        "--clips", type=Path, nargs="+", required=True, help="videos; the first for speed"
    )
    parser.add_argument(
        "--every", type=int, default=10, help="frame of a clip, speed and agreement"
    )
    parser.add_argument("--crowd", type=Path, help="video of many people; tiling is left out else")
    parser.add_argument("--demo", type=Path, default=DEMO, help="folder of the demo site")
    parser.add_argument("--rounds", type=int, default=3, help="of speed")
    parser.add_argument("--frames", type=int, default=100, help="of a clip")
    parser.add_argument("--gate-frames", type=int, default=750, help="of a clip, motion gating")
    parser.add_argument("--output", type=Path, help="JSON file for everything")
    options = parser.parse_args()
    if min(options.rounds, options.frames, options.every, options.gate_frames) < 1:
        parser.error("--rounds, --frames, --every, --gate-frames: expected at least 1")
    for path in (*options.clips, *([options.crowd] if options.crowd else [])):
        if not path.is_file():
            parser.error(f"{path}: no such file")
    return options


def main() -> None:
    """Measure, print the summary, write the JSON document."""
    options = _options()
    found_weights = find_weights(DetectionSettings(weights=options.weights))
    if found_weights.suffix != ".pt":
        raise UserError(f"--weights: {found_weights}: expected a .pt file: every engine runs one")
    with tempfile.TemporaryDirectory() as folder:
        # A copy: nothing is written where the weights lie.
        weights = str(Path(folder) / found_weights.name)
        Path(weights).write_bytes(found_weights.read_bytes())
        os.environ.update(XDG_CACHE_HOME=folder, YOLO_CONFIG_DIR=folder)
        # Not here: what is imported sets variables, which the peer's processes would inherit.
        kinds, absent = in_fresh_process(engines, None)
        runs = measure_speed(weights, kinds, options)
        summary: dict[str, Any] = {"speed": summarise(runs)}
        summary["agreement with torch"] = measure_agreement(weights, kinds, options)
        summary["motion gating"] = measure_gating(weights, options)
        if options.crowd:
            task = Task(weights, options.crowd, max(1, options.frames // 5), engine="openvino")
            summary["tiles"] = in_fresh_process(tiling, task)
        size = in_fresh_process(inputs_of, Task(weights, options.clips[0], 1))
        precision = in_fresh_process(precision_of, weights)
    result = document(
        "detection",
        None,
        settings={
            "weights": found_weights.name,
            "confidence": CONFIDENCE,
            "input_height_width": size,
            "openvino_precision": precision,
            "gate_seconds": GATE_SECONDS,
        },
        not_available=absent,
        summary=summary,
        runs=runs,
    )
    show(summary)
    write(result, options.output)


if __name__ == "__main__":
    start(main)
