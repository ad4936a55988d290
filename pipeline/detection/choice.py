"""Which engine runs the network: as the settings say, or the fastest, measured once a machine."""

import hashlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import torch

from pipeline.config import DetectionSettings
from pipeline.detection.devices import find_device
from pipeline.detection.engines import Engine
from pipeline.detection.exports import cache_folder, exported, weights_key
from pipeline.detection.letterbox import Letterbox
from pipeline.detection.openvino_engine import OpenVinoEngine
from pipeline.errors import WeightsError

NEEDED: Final = {
    "torch": ("torch",),
    "openvino": ("openvino",),
    "onnx": ("onnxruntime", "onnx"),
}
"""Packages an engine needs to run a `.pt` file."""
WIDESCREEN: Final = (1080, 1920)
"""Frames for which engines are compared, (height, width)."""
ROUNDS: Final = 4
FRAMES_A_LANE: Final = 3


def open_engine(path: Path, settings: DetectionSettings, at_once: int) -> Engine:
    """The engine for these weights.

    Args:
        path: The model's file or folder. Of a `.pt` file exports are made where an engine needs
            one; any other format says itself what runs it.
        settings: Which engine, where.
        at_once: How many frames may wait for the detector at once.

    Raises:
        WeightsError: The weights, the engine and the device do not go together.
    """
    device = find_device(settings.device)
    lanes = max(1, min(at_once, len(_processors())))
    if path.suffix != ".pt":
        engine = _open(_format_of(path), path, device, lanes)
        if settings.engine not in ("auto", engine.name):
            raise WeightsError(
                f"detection.engine: {settings.engine}: expected weights for it or a .pt file,"
                f" got {path}, which {engine.name} runs"
            )
        return engine
    if device.type == "cuda":
        if settings.engine not in ("auto", "torch"):
            raise WeightsError(f"detection.engine: {settings.engine}: expected torch on a GPU")
        return _open("torch", path, device, lanes)
    if settings.engine == "auto":
        return _fastest(path, settings.image_size, device, lanes)
    return _open_exported(settings.engine, path, device, lanes)


def _processors() -> Sequence[int]:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


def _format_of(path: Path) -> str:
    return "openvino" if path.is_dir() and any(path.glob("*.xml")) else "other"


def _open(kind: str, path: Path, device: torch.device, lanes: int) -> Engine:
    if kind == "openvino":
        return OpenVinoEngine(path, lanes)
    # ultralytics takes seconds to import, and is not needed once an export is there.
    from pipeline.detection.ultralytics_engine import UltralyticsEngine

    return UltralyticsEngine(path, device)


def _open_exported(kind: str, path: Path, device: torch.device, lanes: int) -> Engine:
    missing = [package for package in NEEDED[kind] if find_spec(package) is None]
    if missing:
        raise WeightsError(
            f"detection.engine: {kind}: needs the package {missing[0]} for {path.name}"
        )
    return _open(kind, path if kind == "torch" else exported(path, kind), device, lanes)


def _fastest(path: Path, image_size: int, device: torch.device, lanes: int) -> Engine:
    """The engine remembered for this machine, weights and size; else the one that wins now."""
    machine = [platform.machine(), _processor_name(), str(len(_processors()))]
    key = "\n".join([*machine, weights_key(path), str(image_size), str(lanes)])
    file = cache_folder() / f"{path.stem}.engine-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    remembered = _read(file)
    if remembered in NEEDED:
        return _open_exported(remembered, path, device, lanes)
    engines = _all_engines(path, device, lanes)
    box = Letterbox.of(*WIDESCREEN, image_size)
    times = _compare(engines, box.height, box.width)
    best = min(times, key=lambda name: times[name])
    words = ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in times.items())
    kept = _remember(file, {"engine": best, "seconds_a_frame": times, "machine": machine})
    sys.stderr.write(f"detection.engine: {best} from now on ({words} a frame), {kept}\n")
    return engines[best]


def _processor_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    return text.partition("model name\t: ")[2].partition("\n")[0]


def _all_engines(path: Path, device: torch.device, lanes: int) -> dict[str, Engine]:
    """Every engine that runs these weights here; torch must, others may fail to."""
    engines = {"torch": _open("torch", path, device, lanes)}
    for kind in ("openvino", "onnx"):
        if all(find_spec(package) for package in NEEDED[kind]):
            try:
                engines[kind] = _open_exported(kind, path, device, lanes)
            except WeightsError as error:
                sys.stderr.write(f"{error}\n")
    return engines


def _compare(engines: dict[str, Engine], height: int, width: int) -> dict[str, float]:
    """Seconds a frame of each, in turns: the least of several rounds, disturbed least by others."""
    noise = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    rounds = [
        {name: _seconds_a_frame(engine, noise) for name, engine in engines.items()}
        for _ in range(ROUNDS + 1)
    ]
    return {name: min(times[name] for times in rounds[1:]) for name in engines}  # the first warms


def _seconds_a_frame(engine: Engine, frame: np.ndarray) -> float:
    count = FRAMES_A_LANE * engine.lanes
    with ThreadPoolExecutor(engine.lanes) as lanes:
        started = time.perf_counter()
        list(lanes.map(engine.infer, [frame] * count))
        return (time.perf_counter() - started) / count


def _read(file: Path) -> str:
    """The engine that a file remembers; empty where it does not."""
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["engine"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _remember(file: Path, choice: dict[str, object]) -> str:
    """Keep a choice, whole or not at all; says in words whether it is kept."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as temporary:
            json.dump(choice, temporary)
        Path(temporary.name).replace(file)
    except OSError as error:
        return f"not kept: {file.parent}: {error.strerror}"
    return f"kept in {file}"
