"""Readers of live cameras under the same faults: what the others lose, and whether they recover.

Four cameras of the tests send numbered pictures over RTSP/TCP; the first has a fault. All readers
look at all cameras at the same time, each in a process of its own and as its own documentation
says, and do nothing with the pictures but read their numbers.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import numpy.typing as npt
from documents import document, start, write
from live_parts import FAULTS

from pipeline.errors import UserError
from tests.cameras.rtsp.server import Behaviour, RtspServer

CAMERAS: Final = 4
RATE: Final = 10.0
SIZE: Final = (256, 192)
GOP: Final = 10
SECONDS: Final = {"killed": 5.0, "frozen": 10.0, "reset": 0.0, "another size": 10.0}
"""How long a fault lasts."""
SETTLING_SECONDS: Final = 3.0
READY_WITHIN_SECONDS: Final = 120.0
NOT_AVAILABLE: Final = {
    "inference InferencePipeline": "pip finds no packages for it within four minutes"
}
context = multiprocessing.get_context("spawn")

Image = npt.NDArray[np.uint8]
Take = Callable[[int, Image], None]
"""Given each picture, and the number of its camera."""


def numbered(number: int, size: tuple[int, int]) -> Image:
    """A picture that tells its number by sixteen black and white fields."""
    bits = (number >> np.arange(16) & 1).reshape(4, 4).astype(np.uint8)
    wide = cv2.resize(255 * bits, size, interpolation=cv2.INTER_NEAREST)
    return np.repeat(np.asarray(wide, np.uint8)[:, :, None], 3, axis=2)


def number_in(image: Image) -> int:
    """What it tells."""
    height, width = image.shape[:2]
    middles = image[height // 8 :: height // 4, width // 8 :: width // 4, 1][:4, :4]
    return int(((middles > 127).ravel().astype(int) << np.arange(16)).sum())


@contextmanager
def reset(server: RtspServer) -> Iterator[None]:
    """A connection that ends by RST; a new one works."""
    server.hang_up(reset=True)
    yield


class Notes:
    """What a reader has seen: a line a picture in a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def take(self, camera: int, image: Image) -> None:
        self._file.write(f"{camera} {number_in(image)} {time.time():.3f}\n")


def ours(urls: Sequence[str], take: Take) -> None:
    """`LiveSource`, polled as a worker does it."""
    from cameras.live import LiveSource
    from cameras.live_clock import SteadyClock
    from pipeline.config import Site

    cameras = [{"id": f"c{number}", "video": url} for number, url in enumerate(urls)]
    site, steady = Site.model_validate({"site": "s", "cameras": cameras}), SteadyClock()

    def follow(camera: int, _: str) -> Iterable[Image]:
        with closing(LiveSource(site.live_cameras[camera], site, steady)) as source:
            while True:
                frame = source.poll(0.2)
                if frame is not None:
                    yield frame.image

    side_by_side(follow, urls, take)


def ultralytics(urls: Sequence[str], take: Take) -> None:
    """`model.predict("a.streams", stream=True)` reads by this; batches of all cameras."""
    from ultralytics.data.loaders import LoadStreams

    with tempfile.NamedTemporaryFile("w", suffix=".streams") as file:
        file.write("\n".join(urls))
        file.flush()
        loader = LoadStreams(file.name)
    for _, images, _ in loader:
        for camera, image in enumerate(images):
            take(camera, image)


def supervision(urls: Sequence[str], take: Take) -> None:
    """`get_video_frames_generator`, a thread a camera."""
    from supervision import get_video_frames_generator

    side_by_side(lambda _, url: get_video_frames_generator(url), urls, take)


def opencv(urls: Sequence[str], take: Take) -> None:
    """The loop of OpenCV's tutorial, a thread a camera: it ends where `read` gives nothing."""
    side_by_side(lambda _, url: capture(url), urls, take)


def opencv_anew(urls: Sequence[str], take: Take) -> None:
    """The same, opened anew for ever."""

    def follow(_: int, url: str) -> Iterable[Image]:
        while True:
            yield from capture(url)
            time.sleep(1)

    side_by_side(follow, urls, take)


def capture(url: str) -> Iterator[Image]:
    video = cv2.VideoCapture(url)
    while video.isOpened():
        is_read, image = video.read()
        if not is_read:
            break
        yield np.asarray(image, np.uint8)
    video.release()


def side_by_side(
    follow: Callable[[int, str], Iterable[Image]], urls: Sequence[str], take: Take
) -> None:
    """A thread a camera, until all have ended."""

    def read(camera: int, url: str) -> None:
        for image in follow(camera, url):
            take(camera, image)

    threads = [Thread(target=read, args=each, daemon=True) for each in enumerate(urls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


READERS: Final[dict[str, Callable[[Sequence[str], Take], None]]] = {
    "ours": ours,
    "ultralytics LoadStreams": ultralytics,
    "supervision get_video_frames_generator": supervision,
    "OpenCV, read until it fails": opencv,
    "OpenCV, opened anew": opencv_anew,
}


def run(name: str, urls: Sequence[str], path: Path) -> None:
    """The process of a reader."""
    READERS[name](urls, Notes(path).take)


@dataclass(frozen=True)
class Outcome:
    """How one reader fared.

    Attributes:
        lost: Share of the healthy cameras' pictures from the fault on that it did not see, percent.
        recovery: From the end of the fault to the first picture taken after it, seconds; None
            where none came.
        longest_gap: Longest time without a picture of a healthy camera, seconds.
        ended: Whether its process, or its loop, ended.
    """

    lost: float
    recovery: float | None
    longest_gap: float
    ended: bool


def trial(fault: str, names: Sequence[str], watch_seconds: float) -> dict[str, Outcome]:
    """All readers through one fault of the first camera."""
    faults = {**FAULTS, "reset": reset}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        how = [Behaviour(size=SIZE, rate=RATE) for _ in range(CAMERAS)]
        servers = [stack.enter_context(RtspServer(numbered, each, GOP)) for each in how]
        urls, files = [server.url() for server in servers], {n: folder / f"{n}.txt" for n in names}
        readers = {
            name: context.Process(target=run, args=(name, urls, files[name]), daemon=True)
            for name in names
        }
        for reader in readers.values():
            reader.start()
            stack.callback(reader.kill)
        until_all_see(files, readers)
        time.sleep(SETTLING_SECONDS)
        began = time.time()
        with faults[fault](servers[0]):
            # A change of size is not over: what comes of it is seen from its beginning.
            ended = began if fault == "another size" else began + SECONDS[fault]
            time.sleep(SECONDS[fault])
        time.sleep(watch_seconds)
        until = time.time()
        alive = {name: reader.is_alive() for name, reader in readers.items()}
        taken = [np.array(server.taken_us) / 1e6 for server in servers]
        seen = {name: notes(file) for name, file in files.items()}
    return {
        name: outcome(seen[name], taken, (began, ended, until), is_alive=alive[name])
        for name in names
    }


def until_all_see(files: dict[str, Path], readers: dict[str, Any]) -> None:
    """Until every reader has had every camera."""
    end = time.monotonic() + READY_WITHIN_SECONDS
    while True:
        late = [n for n, f in files.items() if len(np.unique(notes(f)[:, 0])) < CAMERAS]
        if not late:
            return
        gone = [name for name in late if not readers[name].is_alive()]
        if gone or time.monotonic() > end:
            raise UserError(f"{', '.join(gone or late)}: did not see all cameras")
        time.sleep(0.2)


def notes(path: Path) -> npt.NDArray[np.float64]:
    """Rows of camera, number, time."""
    lines = path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []
    return np.array([line.split() for line in lines], np.float64).reshape(-1, 3)


def outcome(
    seen: npt.NDArray[np.float64],
    taken: Sequence[npt.NDArray[np.float64]],
    times: tuple[float, float, float],
    *,
    is_alive: bool,
) -> Outcome:
    """What came of a fault between two times, watched until a third."""
    began, ended, until = times
    due = found = 0
    gaps = []
    for camera in range(1, CAMERAS):
        own = seen[seen[:, 0] == camera]
        # Of the last second some may still be on their way.
        numbers = np.flatnonzero((taken[camera] >= began) & (taken[camera] < until - 1))
        due, found = due + len(numbers), found + int(np.isin(numbers, own[:, 1]).sum())
        within = own[(own[:, 2] > began) & (own[:, 2] < until), 2]
        gaps.append(np.diff([began, *within, until]).max())
    ill = seen[(seen[:, 0] == 0) & (seen[:, 1] < len(taken[0]))]
    later = ill[taken[0][ill[:, 1].astype(int)] > ended]
    return Outcome(
        lost=100 * (1 - found / due),
        recovery=float(later[:, 2].min() - ended) if len(later) else None,
        longest_gap=float(max(gaps)),
        ended=not is_alive,
    )


def summary(rounds: Sequence[dict[str, dict[str, Outcome]]]) -> dict[str, Any]:
    """By fault and reader."""
    return {
        fault: {name: cells([each[fault][name] for each in rounds]) for name in rounds[0][fault]}
        for fault in rounds[0]
    }


def cells(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    back = [each.recovery for each in outcomes if each.recovery is not None]
    never = len(outcomes) - len(back)
    return {
        "healthy cameras' pictures lost, %": spread([each.lost for each in outcomes]),
        "longest without one, s": spread([each.longest_gap for each in outcomes]),
        "recovers after, s": f"never in {never} of {len(outcomes)}" if never else spread(back),
        "all of it ended": f"{sum(each.ended for each in outcomes)} of {len(outcomes)}",
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--watch", type=float, default=40, help="seconds after each fault")
    parser.add_argument("--only", nargs="+", choices=READERS, default=list(READERS))
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    rounds = []
    for _ in range(arguments.rounds):
        rounds.append({fault: trial(fault, arguments.only, arguments.watch) for fault in SECONDS})
        print(json.dumps(summary(rounds), indent=1), flush=True)
    content = document("live_peers", None, summary=summary(rounds), not_available=NOT_AVAILABLE)
    write(content, arguments.output)


if __name__ == "__main__":
    start(main)
