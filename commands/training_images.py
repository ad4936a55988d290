"""Windows to train a detector with, made by several processes, in parts that survive being cut.

Each kind is a folder named by the hash of its settings; in it, `train/PART` and `val/PART` hold
`images` and `labels` as ultralytics reads them. A part is there when `train/PART` is.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache, partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from cameras.simulation.detector_images import IMAGES_PER_SITE, ImageStudio
from pipeline.config import DetectionSettings, Site, VideoCamera
from pipeline.detection.training.clutter import cluttered
from pipeline.detection.training.cutouts import cut_out, empty_scene, paste
from pipeline.detection.training.degradation import degraded
from pipeline.detection.training.recipe import Footage, RealFootage, SimulatedImages
from pipeline.detection.training.windows import Window, cut_windows, read_windows, write_windows
from pipeline.errors import UserError
from pipeline.types import DoubleArray, ImageArray

_SIMULATED, _REAL, _PASTED, _CLUTTERED = 31, 32, 33, 34  # tell uses of the seed apart
MADE_IN_A_PART: Final = 32
AT_ONCE: Final = 8
"""Windows taken from a part."""
LEAST_CUTOUTS: Final = 30
"""Videos with fewer people cut out are left out: it is mostly wrong there."""

Watch = Callable[[int, int], None]
Make = Callable[[Path], None]
"""Makes a part in a folder of its own."""


class Windows:
    """All windows of a training: makes what is missing, under a folder.

    Args:
        folder: Where they are kept.
        size: Side of a window, pixels.
        seed: Of what is random in cutting real frames.
        is_over: Whether to stop: asked after each part.
        watch: Told how many parts of how many are there.
    """

    def __init__(
        self, folder: Path, size: int, seed: int, is_over: Callable[[], bool], watch: Watch
    ) -> None:
        self._folder, self._size, self._seed = folder, size, seed
        self._is_over, self._watch = is_over, watch
        for threads in ("LP_NUM_THREADS", "OMP_NUM_THREADS"):  # processes share the cores
            os.environ.setdefault(threads, "1")
        self._pool = ProcessPoolExecutor(os.cpu_count(), get_context("spawn"))

    def __enter__(self) -> "Windows":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def simulated(self, images: SimulatedImages) -> Path | None:
        """The folder of these; None where it had to stop, and the next call goes on."""
        folder = self._named("simulated", images.model_dump_json())
        sites = -(-images.images // IMAGES_PER_SITE)
        parts = {
            f"{site:05}": partial(_simulated_part, images, self._size, site)
            for site in range(sites)
        }
        return folder if self._make(folder, parts) else None

    def real(self, footage: RealFootage) -> Path | None:
        """The folder of the windows of these videos, and of the people cut out of them."""
        videos = tuple(
            one.model_copy(update={"video": Path(one.video.name)}) for one in footage.videos
        )
        nameless = {"teacher": Path(footage.teacher.name), "videos": videos, "pasted": 0}
        text = footage.model_copy(update=nameless).model_dump_json()
        folder = self._named("real", text, str(self._seed))
        parts = {
            f"{number:02}-{one.video.stem}": partial(
                _real_part, footage, one, self._size, [self._seed, _REAL, number]
            )
            for number, one in enumerate(footage.videos)
        }
        return folder if self._make(folder, parts) else None

    def pasted(self, count: int, simulated: Path, real: Path) -> Path | None:
        """The folder of windows of the simulated ones with people of the real ones in them.

        Raises:
            UserError: Nobody could be cut out of the videos.
        """
        if not _cutouts(real / "cutouts"):
            raise UserError(
                f"real.pasted: expected 0, or a video of a still camera: of none could"
                f" {LEAST_CUTOUTS} people be cut out"
            )
        folder = self._named("pasted", simulated.name, real.name, str(count), str(self._seed))
        parts = {
            f"{first:06}": partial(
                _pasted_part,
                simulated / "train",
                real / "cutouts",
                min(MADE_IN_A_PART, count - first),
                [self._seed, _PASTED, first],
            )
            for first in range(0, count, MADE_IN_A_PART)
        }
        return folder if self._make(folder, parts) else None

    def cluttered(self, count: int, kinds: Sequence[Path]) -> Path | None:
        """The folder of windows of all these kinds with pieces of backgrounds in them."""
        names = [kind.name for kind in kinds]
        folder = self._named("cluttered", *names, str(count), str(self._seed))
        parts = {
            f"{first:06}": partial(
                _cluttered_part,
                [kind / "train" for kind in kinds],
                min(MADE_IN_A_PART, count - first),
                [self._seed, _CLUTTERED, first],
            )
            for first in range(0, count, MADE_IN_A_PART)
        }
        return folder if self._make(folder, parts) else None

    def _named(self, kind: str, *made_by: str) -> Path:
        digest = hashlib.sha256("\n".join((str(self._size), *made_by)).encode()).hexdigest()
        return self._folder / f"{kind}-{digest[:12]}"

    def _make(self, folder: Path, parts: Mapping[str, Make]) -> bool:
        """Make the parts that are missing; whether all are there, and in time."""
        (folder / "train").mkdir(parents=True, exist_ok=True)
        missing = {
            name: make for name, make in parts.items() if not (folder / "train" / name).exists()
        }
        waiting = [
            self._pool.submit(_make_part, make, folder, name) for name, make in missing.items()
        ]
        done = len(parts) - len(missing)
        for part in as_completed(waiting):
            part.result()
            done += 1
            self._watch(done, len(parts))
            if self._is_over():
                for other in waiting:
                    other.cancel()
                break
        is_late = bool(missing) and self._is_over()
        return not is_late and all((folder / "train" / name).exists() for name in parts)


def _make_part(make: Make, folder: Path, name: str) -> None:
    """Make a part beside the others, then put it in its place; `train` comes last."""
    cv2.setNumThreads(1)
    partly = folder / f"partial-{name}"
    shutil.rmtree(partly, ignore_errors=True)
    make(partly)
    for kind in sorted(partly.iterdir(), key=lambda path: path.name == "train"):
        shutil.rmtree(folder / kind.name / name, ignore_errors=True)
        (folder / kind.name).mkdir(exist_ok=True)
        kind.rename(folder / kind.name / name)
    partly.rmdir()


def _simulated_part(images: SimulatedImages, size: int, site: int, folder: Path) -> None:
    """Windows of the pictures of one site."""
    studio = _studio(images.seed, images.people, images.surroundings)
    rng = np.random.default_rng([images.seed, _SIMULATED, site])
    first = site * IMAGES_PER_SITE
    numbers = range(first, min(first + IMAGES_PER_SITE, images.images))
    pictures = (studio.image(number) for number in numbers)
    windows = (
        window
        for one in pictures
        for window in cut_windows(rng, one.image, one.boxes(), size, images.windows_each)
    )
    _write(rng, windows, folder / "train")


@lru_cache(maxsize=1)
def _studio(seed: int, people: int, surroundings: bool) -> ImageStudio:
    """This process's own."""
    return ImageStudio(seed, people, surroundings)


def _real_part(
    footage: RealFootage, video: Footage, size: int, seed: list[int], folder: Path
) -> None:
    """Windows of one video, those of its end apart, and people cut out of it."""
    rng = np.random.default_rng(seed)
    frames = list(_frames(video.video, video.every))
    labelled = _label(footage, frames)
    end = round(len(frames) * (1 - footage.held_out))
    for name, part in (("train", slice(0, end)), ("val", slice(end, None))):
        windows = (
            window
            for image, boxes in zip(frames[part], labelled[part], strict=True)
            for window in cut_windows(rng, image, boxes, size, video.windows_each)
        )
        _write(rng, windows, folder / name)
    scene = empty_scene(frames[:end])
    cuts = [
        person
        for image, boxes in zip(frames[:end], labelled[:end], strict=True)
        for person in cut_out(image, scene, boxes)
    ]
    (folder / "cutouts").mkdir()
    for number, person in enumerate(cuts):
        cv2.imwrite(str(folder / "cutouts" / f"{number:05}.png"), person)


def _frames(video: Path, every: int) -> Iterator[ImageArray]:
    from cameras.sources import open_frames

    camera = VideoCamera(id="footage", video=str(video))
    site = Site(site="footage", start="2026-01-01T00:00:00Z", cameras=(camera,))
    return (frame.image for frame in islice(open_frames(camera, site), 0, None, every))


def _label(footage: RealFootage, frames: list[ImageArray]) -> list[DoubleArray]:
    """The teacher's boxes (N, 4) in each frame."""
    from pipeline.detection.detector import Detector

    settings = DetectionSettings(
        weights=str(footage.teacher),
        confidence=footage.confidence,
        image_size=footage.image_size,
        engine="torch" if footage.teacher.suffix == ".pt" else "auto",
    )
    detector = Detector(settings)
    return [detector.detect([frame])[0].xyxy.astype(np.float64) for frame in frames]


def _cutouts(folder: Path) -> list[list[Path]]:
    """Pictures of people, by video."""
    videos = [sorted(part.iterdir()) for part in sorted(folder.iterdir())]
    return [people for people in videos if len(people) >= LEAST_CUTOUTS]


def _pasted_part(simulated: Path, cutouts: Path, count: int, seed: list[int], folder: Path) -> None:
    """Windows of simulated places with people of videos in them."""
    rng = np.random.default_rng(seed)
    people = _cutouts(cutouts)
    sites = sorted(simulated.iterdir())
    windows: list[Window] = []
    while len(windows) < count:
        of_a_site = list(read_windows(sites[int(rng.integers(len(sites)))]))
        videos = [people[index] for index in rng.integers(len(people), size=16)]
        paths = [of_a_video[int(rng.integers(len(of_a_video)))] for of_a_video in videos]
        chosen = [
            np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8) for path in paths
        ]
        windows += [paste(rng, window, chosen) for window in of_a_site]
    _write(rng, windows[:count], folder / "train")


def _cluttered_part(kinds: Sequence[Path], count: int, seed: Sequence[int], folder: Path) -> None:
    """Windows of any kind, each kind as often as the others, with things of all kinds in them."""
    rng = np.random.default_rng(seed)
    parts = [sorted(kind.iterdir()) for kind in kinds]

    def some() -> list[Window]:
        of_a_kind = parts[int(rng.integers(len(parts)))]
        found = list(read_windows(of_a_kind[int(rng.integers(len(of_a_kind)))]))
        return [found[index] for index in rng.permutation(len(found))[:AT_ONCE].tolist()]

    windows: list[Window] = []
    while len(windows) < count:
        others = [*some(), *some()]
        windows += [cluttered(rng, window, others) for window in some()]
    _write(rng, windows[:count], folder / "train")


def _write(rng: np.random.Generator, windows: Iterable[Window], folder: Path) -> None:
    """Windows as a camera would deliver them."""
    worse = (Window(degraded(rng, one.image), one.boxes) for one in windows)
    write_windows(worse, folder, rng)
