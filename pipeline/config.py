"""Settings: a YAML site file, checked strictly, every value frozen.

Every error names the file, the key's full path and what was expected. `${NAME}` in a value is
replaced by the environment variable NAME, so that credentials need not stand in the file; paths
are relative to the site file.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from pipeline.bundled import BUNDLED, is_bundled
from pipeline.errors import SettingsError

Positive = Annotated[float, Field(gt=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
CameraId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
TileCount = Annotated[int, Field(ge=1, le=8)]
ImageSize = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]


class Settings(BaseModel):
    """Base of all settings: unknown keys are errors, values cannot change, numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CameraSettings(Settings):
    """What every camera has, whatever it delivers."""

    id: CameraId = Field(description="Name of the camera; unique in the site.")
    start: AwareDatetime | None = Field(
        None, description="Time of the first frame of a recording; default: the site's start."
    )
    time_offset_ms: float = Field(
        0, description="Added to every timestamp of this camera, to correct its clock."
    )
    calibration: Path | None = Field(
        None, description="YAML file with projection, intrinsics + pose, or ground_homography."
    )
    enabled: bool = Field(
        True, description="false: nobody looks at it; what it gave before stays, and counts."
    )


LIVE_SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "srt", "udp", "rtp", "tcp")
"""What live cameras are read by."""


AUTO, SOFTWARE = "auto", "software"


class VideoCamera(CameraSettings):
    """A camera that delivers pixels."""

    video: str = Field(
        description="Video file, folder of images; or live: rtsp:// or other URL, /dev/video0."
    )
    frame_rate: Positive | None = Field(
        None, description="Frames per second of a folder of images; videos carry their own times."
    )
    rtsp_transport: Literal["tcp", "udp"] = Field(
        "tcp", description="How an rtsp:// camera sends; udp loses pictures where the network does."
    )
    decoding: Annotated[str, Field(pattern=r"^[a-z0-9]+$")] = Field(
        AUTO,
        description="What decodes a video: auto (hardware that is there, for live cameras alone);"
        " software; or a kind of hardware as ffmpeg names it: cuda, vaapi, videotoolbox ...",
    )

    @model_validator(mode="after")
    def _check_scheme(self) -> "VideoCamera":
        scheme, separator, _ = self.video.partition("://")
        if separator and scheme.lower() not in LIVE_SCHEMES:
            raise ValueError(
                f"video: expected a path, or an address of {', '.join(LIVE_SCHEMES)},"
                f" got {scheme}://"
            )
        return self

    @property
    def is_url(self) -> bool:
        """Whether `video` is a network address rather than a path."""
        return "://" in self.video

    @property
    def is_live(self) -> bool:
        """Whether pictures come as they are taken: a network address, or a device."""
        return self.is_url or self.video.startswith("/dev/")


class SimulationCamera(CameraSettings):
    """A camera of a simulated site, rendered while it is looked at."""

    simulation: Path = Field(
        description="Simulation file (YAML) with a camera of the same id; its start and clock hold"
        " where no start is given here, its calibration where none is."
    )


PixelCamera = VideoCamera | SimulationCamera
"""A camera that delivers frames."""


class RecordedCamera(CameraSettings):
    """A camera of which rows were recorded instead of pixels (MOTChallenge columns)."""

    frame_rate: Positive = Field(description="Frames per second of the recording.")
    image_size: ImageSize = Field(description="Width and height of its frames, pixels.")
    embeddings: Path | None = Field(
        None, description="NPZ file: embedding float32 (N, D), row i belongs to row i of the text."
    )


class DetectionsCamera(RecordedCamera):
    """Recorded detections: tracking starts here."""

    detections: Path = Field(description="Text file of detections, MOTChallenge columns.")


class TracksCamera(RecordedCamera):
    """Recorded tracks: association starts here."""

    tracks: Path = Field(description="Text file of tracks, MOTChallenge columns.")


SOURCE_KEYS = ("video", "simulation", "detections", "tracks")


def _camera_kind(value: Any) -> str | None:
    """Which kind of camera a mapping describes: by the one source key that it holds."""
    keys = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    kinds = [key for key in SOURCE_KEYS if key in keys]
    return kinds[0] if len(kinds) == 1 else None


Camera = Annotated[
    Annotated[VideoCamera, Tag("video")]
    | Annotated[SimulationCamera, Tag("simulation")]
    | Annotated[DetectionsCamera, Tag("detections")]
    | Annotated[TracksCamera, Tag("tracks")],
    Discriminator(_camera_kind),
]


class DetectionSettings(Settings):
    """How people are found in frames."""

    weights: str = Field(
        BUNDLED,
        description="bundled: this project's own detector; or ultralytics weights: .pt file, ONNX"
        " file, OpenVINO folder, or a model's name.",
    )
    weights_dir: Path | None = Field(None, description="Folder searched for weights given by name.")
    image_size: Annotated[int, Field(ge=32, multiple_of=32)] = Field(
        640, description="Longer side of the frame as the detector sees it, pixels."
    )
    confidence: Probability = Field(
        0.1,
        description="Detections below are dropped, also recorded ones; weak ones extend tracks.",
    )
    iou: Probability = Field(
        0.7, description="Non-maximum suppression drops a box above this overlap with a better one."
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:0 ...")
    engine: Literal["auto", "torch", "openvino", "onnx"] = Field(
        "auto",
        description="What runs a .pt file on a CPU; auto: the fastest here, measured once and"
        " remembered, so possibly another one on another machine.",
    )
    tiles: tuple[TileCount, TileCount] = Field(
        (1, 1),
        description="Columns and rows in which a frame is looked at beside the whole, for small"
        " people in large frames; each tile costs as much as a frame.",
    )
    rate_hz: Positive | None = Field(
        None, description="Frames looked at per second and camera; default: all."
    )
    motion_gate_seconds: Positive | None = Field(
        None,
        description="While nothing moves, the last detections hold for at most this long; default:"
        " people are sought in every frame that is looked at.",
    )


class TrackingSettings(Settings):
    """How detections become tracks, tracklets and clips."""

    # Detectors differ in the confidence that they give; people once tracked show what is usual.
    # 0.65 costs 0.6 on MOT15, 0.75 costs 0.5 on simulated sites (means of HOTA and IDF1).
    high_confidence: Probability = Field(
        0.7,
        description="Detections below this share of the confidence that tracked people usually"
        " have are weak: they extend tracks seen lately, and only where they fit well.",
    )
    start_confidence: Probability = Field(
        0.8, description="Only detections at or above this share of it start a new track."
    )
    # On MOT15 at full rate 1.0 and 2.0 cost 0.4 and 0.3 HOTA, and 2.0 mixes more people; at 2
    # frames a second it gains 2.
    max_gap_seconds: Positive = Field(1.5, description="A track not seen for longer is closed.")
    # Over the mean of HOTA and IDF1 of each camera it gains 7.1 and 0.8 on two simulated sites, and
    # costs 2.8 on the demo site and on CMC1: what it splits wrongly outweighs what it keeps apart.
    appearance: bool = Field(
        False,
        description="Where boxes alone leave open who is who, compare by the Re-ID encoder too.",
    )
    min_detections: Annotated[int, Field(ge=1)] = Field(
        3, description="Tracks with fewer boxes are dropped when they close."
    )
    max_tracklet_seconds: Positive = Field(
        300, description="A longer passage is cut into tracklets of this length."
    )
    clip_size: Annotated[int, Field(ge=1, le=64)] = Field(
        8, description="Crops kept of each tracklet for the encoder."
    )
    # On three simulated sites 0.25 and 0.5 split alike, and 0 splits one more, wrongly.
    split_log_odds: Positive | None = Field(
        0.5,
        description="A tracklet is split where its crops speak for two people by at least these"
        " log-odds; null: never.",
    )


class ReidSettings(Settings):
    """How a clip becomes an embedding."""

    weights: str = Field(
        BUNDLED,
        description="bundled: this project's own encoder, bundled/NAME: another of its folder"
        " weights; or a trained encoder (.safetensors, of `train encoder`), on the detector's"
        " device; or a frozen frame-embedding backbone: ONNX or OpenVINO .xml file.",
    )
    input: Literal["bgr-255", "rgb-imagenet"] = Field(
        "bgr-255",
        description="What a backbone expects: BGR from 0 to 255, or RGB normalised as ImageNet.",
    )


class AssociationSettings(Settings):
    """How tracklets become identities."""

    similarity_threshold: Annotated[float, Field(ge=-1, le=1)] | None = Field(
        None,
        description="Cosine at which two tracklets are as likely the same person as not;"
        " default: estimated from the run's own tracklets.",
    )
    least_confidence: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        0.5,
        description="Links that are less likely right than this are not made: fewer are wrong, and"
        " people fall into more identities.",
    )
    max_absence_seconds: Positive = Field(
        3600.0,
        description="Longest time out of sight after which somebody is known again, seconds.",
    )
    ground_plane_sigma_m: Positive = Field(
        0.2, description="Standard deviation of a perfect foot point on the floor, metres."
    )
    metric: Path | None = Field(
        None,
        description="A locality-aware metric (.safetensors, of `train metric`) for the pairs that"
        " it serves; all others, and those of another encoder, are compared by cosine.",
    )


Thumbnails = Literal[True, False, "blurred"]


class StorageSettings(Settings):
    """What is remembered, where, and for how long."""

    url: str | None = Field(
        None, description="SQLAlchemy URL of the database; default: sqlite:///tracking.db."
    )
    retention_days: Positive | None = Field(
        30,
        description="Tracklets stored longer ago are erased with all that hangs on them, before a"
        " run, every hour while it goes on, and by `retention`; null: never.",
    )
    retention_gb: Positive | None = Field(
        None, description="The oldest tracklets are erased where the site takes more gigabytes."
    )
    points_days: Positive | None = Field(
        None,
        description="Of tracklets stored longer ago only the first and the last box are kept;"
        " default: as long as the tracklet.",
    )
    embeddings_days: Positive | None = Field(
        None,
        description="Embeddings stored longer ago are erased: nobody is found by looks any more;"
        " default: kept as long as the tracklet.",
    )
    thumbnails_days: Positive | None = Field(
        None,
        description="Pictures stored longer ago are erased; default: kept as long as the tracklet.",
    )
    thumbnails: Thumbnails = Field(
        True,
        description="Keep a few small pictures of each tracklet; blurred: with their upper quarter,"
        " where the face of somebody who stands is, blurred; false: none.",
    )
    names: bool = Field(False, description="Whether `identity name` may give people names.")


Seconds = tuple[float, float]


class OriginSettings(Settings):
    """Where on earth the floor's coordinates begin (WGS 84)."""

    latitude: Annotated[float, Field(ge=-89, le=89)] = Field(
        description="Of the floor's (0, 0), degrees north."
    )
    longitude: Annotated[float, Field(ge=-180, le=180)] = Field(
        description="Of the floor's (0, 0), degrees east."
    )
    heading_degrees: float = Field(
        0.0, description="Where the floor's y axis points, degrees from north to the east."
    )


class Site(Settings):
    """A site file."""

    site: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="Its name.")
    start: AwareDatetime | None = Field(
        None, description="Time of the first frame of recordings, ISO 8601 with zone."
    )
    cameras: Annotated[tuple[Camera, ...], Field(min_length=1)] = Field(
        description="The cameras; each has one of video, simulation, detections, tracks."
    )
    transitions: dict[str, dict[str, Seconds]] = Field(
        default_factory=dict,
        description="Seconds [min, max] from leaving the first camera to entering the second,"
        " negative where views overlap: less than min cannot be one person, min to max speaks for"
        " one.",
    )
    origin: OriginSettings | None = Field(
        None,
        description="Where on earth the calibrations' floor lies, for exports to maps: latitude,"
        " longitude, heading_degrees.",
    )
    detection: DetectionSettings = DetectionSettings()
    tracking: TrackingSettings = TrackingSettings()
    reid: ReidSettings = ReidSettings()
    association: AssociationSettings = AssociationSettings()
    storage: StorageSettings = StorageSettings()

    @property
    def live_cameras(self) -> tuple[VideoCamera, ...]:
        """Those because of which a run goes on until it is stopped."""
        return tuple(
            each for each in self.cameras if isinstance(each, VideoCamera) and each.is_live
        )

    @model_validator(mode="after")
    def _check_names(self) -> "Site":
        ids = [camera.id for camera in self.cameras]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"cameras: expected unique ids, got {twice[0]} twice")
        for first, targets in self.transitions.items():
            for second, (low, high) in targets.items():
                for name in (first, second):
                    if name not in ids:
                        raise ValueError(f"transitions: expected the id of a camera, got {name}")
                if low > high:
                    raise ValueError(
                        f"transitions.{first}.{second}: expected [min, max], got [{low}, {high}]"
                    )
        return self


def load_site(path: Path) -> Site:
    """The settings of a site file, with variables substituted and paths made absolute.

    Raises:
        SettingsError: The file cannot be read, is not YAML, or holds a wrong key or value.
    """
    tree = _substitute(read_yaml(path), os.environ, path, "")
    try:
        site = Site.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(f"{path}: {explain(error.errors()[0])}") from None
    return _resolve(site, path.parent)


def site_schema() -> str:
    """JSON schema of the site file, as kept in `docs/site.schema.json`."""
    return json.dumps(Site.model_json_schema(), indent=2, sort_keys=True) + "\n"


_PLAIN_HOST = re.compile(r"([^@:/?#\[\]]*|\[[0-9A-Fa-f:.]+\])(:\d+)?([/?#]|$)")
_QUERY = re.compile(r"[?#]")


def redact(url: str) -> str:
    """A URL or path without user name, password and query, fit for logs and the database.

    Passwords that should have been escaped ("/", "?", "#" or "@" in them) are removed as well.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    if not _PLAIN_HOST.match(rest):
        rest = rest.rpartition("@")[2]
    return f"{scheme}://{_QUERY.split(rest, maxsplit=1)[0]}"


def redacted_json(site: Site) -> str:
    """The settings as JSON for the record, without credentials."""
    tree = site.model_dump(mode="json")
    for camera in tree["cameras"]:
        if "video" in camera:
            camera["video"] = redact(camera["video"])
    if tree["storage"]["url"]:
        tree["storage"]["url"] = redact(tree["storage"]["url"])
    return json.dumps(tree, sort_keys=True)


def stored_site(settings_json: str) -> Site:
    """The settings that `redacted_json` put down, paths absolute as they were then.

    Raises:
        SettingsError: They are those of another version of this program.
    """
    try:
        return Site.model_validate_json(settings_json)
    except ValidationError as error:
        raise SettingsError(
            f"settings of another version of this program: {explain(error.errors()[0])}"
        ) from None


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML without silent loss: a key that stands twice is an error."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Here the keys are still those of the text: merged ones (`<<`) come in afterwards.
        node = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # refused when the mapping is built
            if (key.tag, key.value) in seen:
                raise yaml.composer.ComposerError(
                    None, None, f"the key {key.value} stands twice", key.start_mark
                )
            seen.add((key.tag, key.value))
        return node


def read_yaml(path: Path) -> Any:
    """The tree of a YAML file; `SettingsError` names the file and line where it is not one."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: expected a YAML text file, got binary data") from None
    try:
        return yaml.load(text, _UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SettingsError(f"{path}:{line} not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from None


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _substitute(tree: Any, environment: Mapping[str, str], path: Path, key: str) -> Any:
    """The tree with `${NAME}` replaced in every text value."""
    if isinstance(tree, dict):
        return {
            name: _substitute(value, environment, path, f"{key}.{name}" if key else str(name))
            for name, value in tree.items()
        }
    if isinstance(tree, list):
        return [_substitute(v, environment, path, f"{key}[{i}]") for i, v in enumerate(tree)]
    if not isinstance(tree, str):
        return tree
    for name in _VARIABLE.findall(tree):
        if name not in environment:
            raise SettingsError(
                f"{path}: {key}: expected the environment variable {name} to be set"
            )
    return _VARIABLE.sub(lambda match: environment[match[1]], tree)


def explain(error: ErrorDetails) -> str:
    """One line for a pydantic error: the key's full path, and what was expected."""
    key = _key_path(error["loc"])
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"{key}: unknown key"
    if kind == "missing":
        return f"{key}: expected a value, got none"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return f"{key}: expected exactly one of {', '.join(SOURCE_KEYS)}"
    if kind == "value_error":
        return ": ".join(part for part in (key, str(error["ctx"]["error"])) if part)
    what = error["msg"][0].lower() + error["msg"][1:]
    return f"{key or 'the file'}: {what}, got {_shown(error['input'])}"


def _shown(value: Any) -> str:
    """A value as an error may show it: short, and without credentials."""
    if isinstance(value, str):
        return redact(value)[:60]
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return "none" if value is None else str(value)[:60]


def _key_path(location: tuple[int | str, ...]) -> str:
    """`cameras[1].frame_rate` for a pydantic location; tags of unions are left out."""
    path = ""
    for index, part in enumerate(location):
        is_tag = index >= 2 and location[0] == "cameras" and index == 2 and part in SOURCE_KEYS
        if is_tag:
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _resolve(site: Site, folder: Path) -> Site:
    """The site with every path made absolute, seen from the site file's folder."""

    def beside(path: Path | None) -> Path | None:
        return None if path is None else (folder / path).resolve()

    def of_camera(camera: Any) -> Any:
        changes: dict[str, Any] = {"calibration": beside(camera.calibration)}
        if isinstance(camera, VideoCamera):
            changes["video"] = camera.video if camera.is_url else str(beside(Path(camera.video)))
        elif isinstance(camera, SimulationCamera):
            changes["simulation"] = beside(camera.simulation)
        else:
            changes["embeddings"] = beside(camera.embeddings)
            key = "detections" if isinstance(camera, DetectionsCamera) else "tracks"
            changes[key] = beside(getattr(camera, key))
        return camera.model_copy(update=changes)

    detection = site.detection.model_copy(
        update={
            "weights": _beside_if_there(site.detection.weights, folder),
            "weights_dir": beside(site.detection.weights_dir),
        }
    )
    reid = site.reid.model_copy(update={"weights": _beside_if_there(site.reid.weights, folder)})
    association = site.association.model_copy(update={"metric": beside(site.association.metric)})
    cameras = tuple(of_camera(camera) for camera in site.cameras)
    return site.model_copy(
        update={
            "cameras": cameras,
            "detection": detection,
            "reid": reid,
            "association": association,
        }
    )


def _beside_if_there(weights: str, folder: Path) -> str:
    """Weights given as a path beside the site file; a bare name that is not there stays a name."""
    if is_bundled(weights):
        return weights
    path = folder / weights
    is_path = path.exists() or len(Path(weights).parts) > 1
    return str(path.resolve()) if is_path else weights
