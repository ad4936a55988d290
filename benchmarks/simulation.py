"""How fast the simulated site is rendered: scenes, training crops, the demo site.

Every measured run is a fresh process; what happens once (dressing people, building places) comes
before the clock starts and is given apart. Wall time by the monotonic clock; CPU time, user +
system, of the process with all its threads. Crops are made by as many processes at once as are
asked for, each with a renderer of its own, from one start on; their wall time lasts until the last
ends.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from documents import document, start, write

DEMO: Final = Path(__file__).resolve().parents[1] / "demo" / "simulation.yaml"
PEOPLE: Final = (1, 10, 50)
SIZES: Final = ((320, 180), (640, 360), (1280, 720))
PLAZA: Final = ((2.0, 2.0), (12.0, 12.0))
"""Where people of the scenes are, in the demo site; its first camera sees nearly all of it."""
IDENTITIES, CAMERAS, CROPS_IN_CLIP = 12, 6, 8
RENDERER_THREADS: Final = "LP_NUM_THREADS"


@dataclass(frozen=True, slots=True)
class Cost:
    """What was made: pictures (of a site: all cameras), on a clock all processes share."""

    made: int
    began: float
    ended: float
    cpu_seconds: float
    prepared_seconds: float


@contextmanager
def clocked(costs: list[Cost], made: int, born: float, start: Barrier) -> Iterator[None]:
    """Adds the cost of what is done inside, once all processes have come here."""
    start.wait()
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    yield
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    costs.append(Cost(made, began, time.monotonic(), cpu, began - born))


# The measured processes.


def scene(people: int, size: tuple[int, int], frames: int, start: Barrier) -> Cost:
    """Frames of one camera on the demo's plaza: pose, render, distort, sensor, truth."""
    from cameras.simulation.cast import Cast
    from cameras.simulation.lights import make_light
    from cameras.simulation.optics import Camera
    from cameras.simulation.place import build_place
    from cameras.simulation.renderer import Moment, Placed, Renderer, Shot
    from cameras.simulation.sensor import Sensor
    from cameras.simulation.settings import load_simulation
    from cameras.simulation.truth import observe
    from cameras.simulation.visits import Activity
    from cameras.simulation.visits import Moment as Doing
    from cameras.simulation.world import place, pose_at

    born, costs = time.monotonic(), list[Cost]()
    site = load_simulation(DEMO)
    settings = site.cameras[0].model_copy(update={"image_size": size})
    camera, sensor = Camera(settings), Sensor(settings, site.light, site.seed)
    light, rng = make_light(site.light), np.random.default_rng(people)
    positions, headings = rng.uniform(*PLAZA, (people, 2)), rng.uniform(0, 6.28, people).tolist()
    with Renderer() as renderer:
        scenery = Placed(renderer.add(*build_place(site)))
        cast = Cast(renderer, seed=0, alike=0, kept=people)
        actors = [cast.actor(identity) for identity in range(people)]
        dressed = {row: actor.dressed for row, actor in enumerate(actors, start=1)}

        def take(index: int) -> None:
            posed = [
                place(
                    actor.dressed,
                    row,
                    pose_at(doing, index / 10, index / 10, actor.gait),
                    doing,
                )
                for row, (actor, position, heading) in enumerate(
                    zip(actors, positions, headings, strict=True), start=1
                )
                for doing in [Doing(position, heading, 1.3, 0, Activity.WALK, 9, 9)]
            ]
            placed = (
                Placed(actor.model, one.identity, one.positions, one.normals)
                for actor, one in zip(actors, posed, strict=True)
            )
            moment = Moment(light, (scenery, *placed))
            (picture,) = renderer.draw([Shot(moment, camera.view)])
            sensor(camera.distort(picture.image), index)
            observe(camera, posed, dressed, camera.distort(picture.owner, nearest=True))

        take(0)
        with clocked(costs, frames, born, start):
            for index in range(1, frames + 1):
                take(index)
    return costs[0]


def crops(clips: int, seed: int, start: Barrier) -> Cost:
    """Crops of people already dressed before cameras already built."""
    from cameras.simulation.crops import ClipStudio

    born, costs = time.monotonic(), list[Cost]()
    with ClipStudio(seed, CROPS_IN_CLIP) as studio:
        for number in range(clips):
            studio.clip(number % IDENTITIES, number % CAMERAS, number)
        with clocked(costs, clips * CROPS_IN_CLIP, born, start):
            for number in range(clips):
                studio.clip(number % IDENTITIES, number % CAMERAS, number)
    return costs[0]


def site(seconds: float, encoded: bool, start: Barrier) -> Cost:
    """Frames of the demo site, all cameras: world, render, sensor, truth; and H.264 if wanted."""
    from cameras.simulation.scene import Scene
    from cameras.simulation.settings import load_simulation
    from cameras.video_writer import VideoWriter

    born, costs = time.monotonic(), list[Cost]()
    simulation = load_simulation(DEMO)
    rate = simulation.cameras[0].frame_rate
    count, first = round(seconds * rate), round(0.3 * simulation.duration_seconds * rate)
    ids = [camera.id for camera in simulation.cameras]
    with ExitStack() as stack, Scene(simulation) as rendered:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rendered.frames([(camera, first - 1) for camera in ids])
        with clocked(costs, count, born, start):
            writers = {
                camera.id: stack.enter_context(
                    VideoWriter(folder / f"{camera.id}.mp4", *camera.image_size)
                )
                for camera in simulation.cameras
                if encoded
            }
            for index in range(first, first + count):
                captures = rendered.frames([(camera, index) for camera in ids])
                for camera, capture in zip(ids, captures, strict=True):
                    if encoded:
                        writers[camera].write(capture.image, round(1e6 * index / rate))
            stack.close()
    return costs[0]


def renderer_name(_: Barrier) -> str:
    """What OpenGL calls itself: llvmpipe with its LLVM, or a GPU."""
    from cameras.simulation.shading import open_context

    context = open_context()
    name: str = context.info["GL_RENDERER"]
    context.release()
    return name


# Measuring them.


def in_processes(jobs: Sequence[partial[Any]], threads: int | None) -> list[Any]:
    """The jobs at once, each in a fresh process whose renderer has so many threads."""
    if threads is not None:
        os.environ[RENDERER_THREADS] = str(threads)
    try:
        spawn = get_context("spawn")
        with spawn.Manager() as manager, ProcessPoolExecutor(len(jobs), spawn) as pool:
            start = manager.Barrier(len(jobs))
            return [future.result() for future in [pool.submit(job, start) for job in jobs]]
    finally:
        if threads is not None:
            del os.environ[RENDERER_THREADS]


def rates(costs: Sequence[Cost]) -> dict[str, float]:
    """Of processes at once: pictures per wall second, CPU milliseconds per picture."""
    made = sum(cost.made for cost in costs)
    wall = max(cost.ended for cost in costs) - min(cost.began for cost in costs)
    return {
        "per_second": made / wall,
        "cpu_ms_each": 1000 * sum(cost.cpu_seconds for cost in costs) / made,
        "preparation_seconds": max(cost.prepared_seconds for cost in costs),
    }


def measures(options: argparse.Namespace) -> dict[str, tuple[list[partial[Cost]], int | None]]:
    """What is measured: by name the processes that run at once, and threads for their renderers."""
    plan: dict[str, tuple[list[partial[Cost]], int | None]] = {}
    for people in PEOPLE:
        for size in SIZES:
            name = f"scene, {people} people, {size[0]}x{size[1]}, frames"
            plan[name] = [partial(scene, people, size, options.frames)], None
    cores = len(os.sched_getaffinity(0))
    plan["crops, one process"] = [partial(crops, options.clips, 0)], None
    plan[f"crops, {cores} processes of one thread"] = (
        [partial(crops, options.clips, seed) for seed in range(cores)],
        1,
    )
    plan["demo site, frames of all cameras"] = [partial(site, options.seconds, False)], None
    plan["demo site, encoded"] = [partial(site, options.seconds, True)], None
    return plan


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every run in the order in which it was made; who comes first moves on each round."""
    plan, runs = list(measures(options).items()), []
    for number in range(options.rounds):
        shift = number * len(plan) // options.rounds
        for name, (jobs, threads) in plan[shift:] + plan[:shift]:
            load = os.getloadavg()[0]
            values = rates(in_processes(jobs, threads))
            runs.append({"round": number + 1, "name": name, "load_before": load, **values})
            print(f"round {number + 1}: {name}: {values['per_second']:.1f}/s", file=sys.stderr)
    return runs


def summarise(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Median, least and greatest of everything measured."""
    rows: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        for key in ("per_second", "cpu_ms_each", "preparation_seconds"):
            rows[run["name"]][key].append(run[key])
    return {
        name: {
            key: {"median": statistics.median(v), "min": min(v), "max": max(v)}
            for key, v in values.items()
        }
        for name, values in sorted(rows.items())
    }


def show(renderer: str, summary: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """The table: median [least..greatest]."""
    print(f"{renderer}\n{'median [min..max]':44}{'a second':>24}{'CPU ms each':>28}")
    for name, values in summary.items():
        cells = [
            f"{v['median']:.1f} [{v['min']:.1f}..{v['max']:.1f}]"
            for v in (values["per_second"], values["cpu_ms_each"])
        ]
        print(f"{name:44}{cells[0]:>24}{cells[1]:>28}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=20, help="of a scene")
    parser.add_argument("--clips", type=int, default=60, help="of 8 crops, a process")
    parser.add_argument("--seconds", type=float, default=4, help="of the demo site")
    parser.add_argument("--output", type=Path, help="JSON file for everything")
    return parser.parse_args()


def main() -> None:
    """Measure, print the table, write the JSON document."""
    options = _options()
    (renderer,) = in_processes([partial(renderer_name)], None)
    runs = measure(options)
    summary = summarise(runs)
    show(renderer, summary)
    result = document(
        "simulation",
        0,
        settings={"renderer": renderer, **vars(options), "output": None},
        summary=summary,
        runs=runs,
    )
    write(result, options.output)


if __name__ == "__main__":
    start(main)
