"""A simulated site as files: videos, ground truth, calibrations, and a site file to run them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final

import cv2
import yaml

from cameras.simulation.looks import describe
from cameras.simulation.optics import Camera
from cameras.simulation.scene import Capture, Scene
from cameras.simulation.settings import SimulatedCamera, Simulation, load_simulation
from cameras.simulation.timetable import Timetable, timetable
from cameras.simulation.truth import FrameTruth
from cameras.simulation.truth_files import CameraTruth, archive, gather, mot_text, people_csv
from cameras.video_writer import VideoWriter
from pipeline.errors import SettingsError, UserError
from pipeline.timestamps import to_iso

SITE_FILE: Final = "site.yaml"
DESCRIPTION: Final = "simulation.yaml"
VIDEO: Final = "videos/{}.mp4"
CALIBRATION: Final = "{}.calibration.yaml"
OF_A_CAMERA: Final = (VIDEO, "ground_truth/{}.txt", "truth/{}.npz", CALIBRATION)

OnFrames = Callable[[int, int], None]
"""Called with how many frames are done, and of how many."""


def export(
    simulation: Simulation,
    description: bytes,
    output: Path,
    on_frames: OnFrames,
    *,
    with_masks: bool,
) -> None:
    """Render all cameras of a site into a folder, or leave nothing new in it.

    What an earlier simulation left in it is replaced, other files are left alone. The same
    description gives the same files.

    Args:
        simulation: What to render.
        description: The file that says so, kept beside what is made of it.
        output: The folder; made where there is none.
        on_frames: Told how far it is.
        with_masks: Whether to write, for every frame, whose each pixel is.

    Raises:
        UserError: The site cannot be rendered, or the folder not be written.
    """
    tables = {camera.id: timetable(simulation, camera) for camera in simulation.cameras}
    with Scene(simulation) as scene, _all_or_nothing(output) as folder:
        truths = _render(simulation, scene, tables, folder, on_frames, with_masks=with_masks)
        for camera in simulation.cameras:
            _write_truth(folder, camera, truths[camera.id])
        _write(folder / SITE_FILE, _site_text(simulation, tables))
        _write(folder / DESCRIPTION, description)
        people = {one: describe(look) for one, look in scene.world.identities.items()}
        _write(folder / "people.csv", people_csv(people, truths))


def _render(
    simulation: Simulation,
    scene: Scene,
    tables: Mapping[str, Timetable],
    folder: Path,
    on_frames: OnFrames,
    *,
    with_masks: bool,
) -> dict[str, CameraTruth]:
    """Write all videos, and masks where wanted; the truth of each camera."""
    total, done = sum(len(table.indices) for table in tables.values()), 0
    with ExitStack() as stack:
        recordings = {
            camera.id: stack.enter_context(
                _Recording(folder, camera, tables[camera.id], with_masks=with_masks)
            )
            for camera in simulation.cameras
        }
        for wanted in _moments(tables):
            for (camera_id, index), capture in zip(wanted, scene.frames(wanted), strict=True):
                recordings[camera_id].add(index, capture)
            done += len(wanted)
            on_frames(done, total)
    return {camera_id: recording.truth() for camera_id, recording in recordings.items()}


def _moments(tables: Mapping[str, Timetable]) -> Iterator[Sequence[tuple[str, int]]]:
    """Cameras and indices of the pictures that are taken together, in order of true time."""
    moments: dict[Fraction, list[tuple[str, int]]] = {}
    for camera_id, table in tables.items():
        for index in table.indices.tolist():
            moments.setdefault(index / table.frame_rate, []).append((camera_id, index))
    for time in sorted(moments):
        yield moments[time]


class _Recording:
    """The video of one camera, its masks, and the truth so far."""

    def __init__(
        self, folder: Path, camera: SimulatedCamera, table: Timetable, *, with_masks: bool
    ) -> None:
        self._camera, self._table = camera, table
        self._masks = folder / "masks" / camera.id if with_masks else None
        self._frames: list[FrameTruth] = []
        self._timestamps_us: list[int] = []
        path = folder / VIDEO.format(camera.id)
        with _errors_in_one_line(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        options = {"crf": str(camera.quality), "preset": "medium"}
        self._video = VideoWriter(path, *camera.image_size, options)

    def __enter__(self) -> "_Recording":
        self._video.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._video.__exit__(kind, error, trace)

    def add(self, index: int, capture: Capture) -> None:
        """The next frame."""
        timestamp_us = self._table.start_us + self._table.offset_us(index)
        self._video.write(capture.image, timestamp_us)
        self._frames.append(capture.truth)
        self._timestamps_us.append(timestamp_us)
        if self._masks is not None:
            _, png = cv2.imencode(".png", capture.owner)
            _write(self._masks / f"{len(self._frames):06}.png", png.tobytes())

    def truth(self) -> CameraTruth:
        """Of all frames."""
        return gather(self._camera.image_size, self._timestamps_us, self._frames)


def _write_truth(folder: Path, camera: SimulatedCamera, truth: CameraTruth) -> None:
    contents: tuple[str | bytes, ...] = (
        mot_text(truth),
        archive(truth),
        Camera(camera).calibration_text(),
    )
    for form, content in zip(OF_A_CAMERA[1:], contents, strict=True):
        _write(folder / form.format(camera.id), content)


def _site_text(simulation: Simulation, tables: Mapping[str, Timetable]) -> str:
    """A site file for `run`; the models are the user's choice."""
    tree = {
        "site": simulation.site,
        "cameras": [
            {
                "id": camera_id,
                "video": VIDEO.format(camera_id),
                "start": to_iso(table.start_us),
                "calibration": CALIBRATION.format(camera_id),
            }
            for camera_id, table in tables.items()
        ],
    }
    text: str = yaml.safe_dump(tree, sort_keys=False, width=100)
    return text


@contextmanager
def _all_or_nothing(output: Path) -> Iterator[Path]:
    """A folder whose files are moved to `output` at the end, and thrown away at an exception."""
    with ExitStack() as undo:
        with _errors_in_one_line(output):
            for folder in reversed((output, *output.parents)):
                if not folder.exists():
                    folder.mkdir()
                    undo.callback(folder.rmdir)
            partial = TemporaryDirectory(prefix=".partial-", dir=output)
        folder = Path(undo.enter_context(partial))
        yield folder
        undo.pop_all()
    with partial:
        _forget_earlier(output)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            target = output / path.relative_to(folder)
            with _errors_in_one_line(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)


def _forget_earlier(output: Path) -> None:
    """Remove the files of cameras that an earlier simulation left, as its description names it."""
    try:
        earlier = load_simulation(output / DESCRIPTION)
    except SettingsError:
        return
    for camera in earlier.cameras:
        masks = (output / "masks" / camera.id).glob("*.png")
        for path in (*(output / form.format(camera.id) for form in OF_A_CAMERA), *masks):
            with _errors_in_one_line(path):
                path.unlink(missing_ok=True)


def _write(path: Path, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    with _errors_in_one_line(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@contextmanager
def _errors_in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
