"""The values that flow between the stages: frozen, NumPy only.

Arrays are made read-only on construction, so that a value handed to the next stage cannot change
under it. One form inside: boxes are xyxy in pixels, images BGR, times int64 microseconds UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import supervision as sv

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ImageArray = npt.NDArray[np.uint8]

CROP_HEIGHT_PX: Final = 256
CROP_WIDTH_PX: Final = 128
EMBEDDING_KEY: Final = "embedding"
"""Key of `supervision.Detections.data` under which recorded embeddings travel, float32 (N, D)."""


def _frozen(array: npt.ArrayLike, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """A read-only array of the wanted type; copied only where the caller could still write."""
    if isinstance(array, np.ndarray) and array.dtype == dtype and _is_immutable(array):
        return array
    result = np.array(array, dtype=dtype)
    result.flags.writeable = False
    return result


def _is_immutable(array: npt.NDArray[Any]) -> bool:
    """Whether nobody can write to the array, nor to one that it is a view of."""
    owner: object = array
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return False
        owner = owner.base
    return owner is None


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera.

    Attributes:
        camera_id: Which camera.
        index: Number of the frame in its source, from 0; skipped frames are counted.
        timestamp_us: Capture time, microseconds UTC.
        image: Pixels (H, W, 3), uint8, BGR.
    """

    camera_id: str
    index: int
    timestamp_us: int
    image: ImageArray


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What was recorded instead of pixels at one frame: detections, or tracks with tracker_id.

    Attributes:
        camera_id: Which camera.
        index: Number of the frame in its source, from 0.
        timestamp_us: Capture time, microseconds UTC.
        detections: People of this frame, possibly none. `tracker_id` is set for recorded tracks;
            `data["embedding"]`, float32 (N, D), is set where embeddings were recorded.
    """

    camera_id: str
    index: int
    timestamp_us: int
    detections: sv.Detections


@dataclass(frozen=True, slots=True, eq=False)
class Tracklet:
    """A closed track: one passage of one person through one camera.

    A passage longer than the site's limit is cut into several tracklets with the same `track_id`
    and consecutive `part` numbers. Where one is split because it goes on with another person, the
    number between its pieces is left out.

    Attributes:
        camera_id: Which camera.
        track_id: Number of the track in this camera and run, from 1.
        part: Which piece of the track, from 1.
        frame_indices: (T,) int64, strictly increasing, T >= 1.
        timestamps_us: (T,) int64, increasing, microseconds UTC.
        boxes: (T, 4) float32, xyxy, pixels.
        scores: (T,) float32, detector confidence in [0, 1].

    Raises:
        ValueError: When lengths, shapes or order are not as above.
    """

    camera_id: str
    track_id: int
    part: int
    frame_indices: IntArray
    timestamps_us: IntArray
    boxes: FloatArray
    scores: FloatArray

    def __post_init__(self) -> None:
        for name, dtype in (
            ("frame_indices", np.int64),
            ("timestamps_us", np.int64),
            ("boxes", np.float32),
            ("scores", np.float32),
        ):
            object.__setattr__(self, name, _frozen(getattr(self, name), dtype))
        count = self.frame_indices.size
        _expect(count >= 1, "a tracklet has at least one box, got none")
        _expect(
            self.frame_indices.shape == (count,),
            f"frame_indices: expected ({count},), got {self.frame_indices.shape}",
        )
        _expect(
            self.boxes.shape == (count, 4), f"boxes: expected ({count}, 4), got {self.boxes.shape}"
        )
        _expect(
            self.scores.shape == (count,), f"scores: expected ({count},), got {self.scores.shape}"
        )
        _expect(
            self.timestamps_us.shape == (count,),
            f"timestamps_us: expected ({count},), got {self.timestamps_us.shape}",
        )
        _expect(bool(np.all(np.diff(self.frame_indices) > 0)), "frame_indices must increase")
        _expect(bool(np.all(np.diff(self.timestamps_us) >= 0)), "timestamps_us must not decrease")

    @property
    def key(self) -> str:
        """Name of the tracklet in its run: `camera/track`, with `.part` from the second piece."""
        suffix = f".{self.part}" if self.part > 1 else ""
        return f"{self.camera_id}/{self.track_id}{suffix}"

    @property
    def start_us(self) -> int:
        """Time of the first box."""
        return int(self.timestamps_us[0])

    @property
    def end_us(self) -> int:
        """Time of the last box."""
        return int(self.timestamps_us[-1])


@dataclass(frozen=True, slots=True)
class Split:
    """From here on a tracklet shows somebody else.

    Attributes:
        tracklet: Its key.
        frame_index: Of the first box of the other person; not its first.
    """

    tracklet: str
    frame_index: int


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """The crops of a tracklet that the encoder sees: its K best, spread over its length.

    Attributes:
        crops: (K, 256, 128, 3) uint8, BGR, K >= 0, in order of time.
        timestamps_us: (K,) int64, microseconds UTC.
        qualities: (K,) float32 in [0, 1]: confidence, sharpness, wholeness, occlusion in one.
    """

    crops: ImageArray
    timestamps_us: IntArray
    qualities: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "crops", _frozen(self.crops, np.uint8))
        object.__setattr__(self, "timestamps_us", _frozen(self.timestamps_us, np.int64))
        object.__setattr__(self, "qualities", _frozen(self.qualities, np.float32))
        count = self.timestamps_us.size
        for name, shape in (
            ("crops", (count, CROP_HEIGHT_PX, CROP_WIDTH_PX, 3)),
            ("timestamps_us", (count,)),
            ("qualities", (count,)),
        ):
            got = getattr(self, name).shape
            _expect(got == shape, f"{name}: expected {shape}, got {got}")


@dataclass(frozen=True, slots=True, eq=False)
class FrameEmbeddings:
    """What stands in for a clip where embeddings were recorded instead of pixels.

    Attributes:
        vectors: (K, D) float32, one embedding a box, K >= 0, in order of time.
        timestamps_us: (K,) int64, microseconds UTC.
    """

    vectors: FloatArray
    timestamps_us: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", _frozen(self.vectors, np.float32))
        object.__setattr__(self, "timestamps_us", _frozen(self.timestamps_us, np.int64))
        _expect(self.vectors.ndim == 2, f"vectors: expected (K, D), got {self.vectors.shape}")
        expected = (len(self.vectors),)
        _expect(
            self.timestamps_us.shape == expected,
            f"timestamps_us: expected {expected}, got {self.timestamps_us.shape}",
        )


@dataclass(frozen=True, slots=True)
class NoAppearance:
    """Neither pixels nor embeddings were recorded for this tracklet."""


Appearance = Clip | FrameEmbeddings | NoAppearance

UNSUPPORTED: Final = "unsupported"
"""Method of links to what is rather a thing than a person: nothing that counts people shows it."""


@dataclass(frozen=True, slots=True)
class EncoderIdentity:
    """Which encoder made an embedding; embeddings of different encoders are never compared.

    Attributes:
        name: File name of the weights, or where the embeddings were recorded.
        sha256: Hash of their files, 64 hex digits.
        dimension: Length D of the embedding.
    """

    name: str
    sha256: str
    dimension: int

    @property
    def words(self) -> str:
        """Name and the beginning of the hash, as messages show them."""
        return f"{self.name} {self.sha256[:12]}"


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """The encoder's unit vector of one tracklet: float32 (D,), and who made it."""

    vector: FloatArray
    encoder: EncoderIdentity

    def __post_init__(self) -> None:
        object.__setattr__(self, "vector", _frozen(self.vector, np.float32))
        expected = (self.encoder.dimension,)
        _expect(
            self.vector.shape == expected, f"vector: expected {expected}, got {self.vector.shape}"
        )


@dataclass(frozen=True, slots=True)
class NoEmbedding:
    """The tracklet has no embedding: nothing of its appearance was recorded or good enough."""


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """A small JPEG of a tracklet, stored only where the site's settings allow."""

    timestamp_us: int
    jpeg: bytes


@dataclass(frozen=True, slots=True, eq=False)
class EncodedTracklet:
    """A tracklet ready to be remembered.

    Attributes:
        tracklet: Its boxes.
        embedding: Its embedding, if any.
        thumbnails: A few pictures of it, where they are kept.
        is_open: Whether the person is still in view. Then these are all boxes so far; where there
            is no embedding, what was told of it earlier still holds.
    """

    tracklet: Tracklet
    embedding: Embedding | NoEmbedding
    thumbnails: tuple[Thumbnail, ...]
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class LastSeen:
    """What a camera has come to in a run: from here on it counts when it begins anew.

    Attributes:
        track: Number of its last track; 0: none.
        frame: Number of the last frame that somebody was in; -1: none.
    """

    track: int = 0
    frame: int = -1


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence for "same person" in log-odds; parts add, 0 is even, a part not at hand is 0.

    Attributes:
        appearance: From the similarity of embeddings.
        transition_time: From the time between two cameras.
        ground_plane: From positions on the floor, for calibrated cameras that overlap.
        edits: From what a user has confirmed or rejected.
    """

    appearance: float
    transition_time: float
    ground_plane: float
    edits: float

    @property
    def log_odds(self) -> float:
        """The sum of the parts."""
        return self.appearance + self.transition_time + self.ground_plane + self.edits


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """What speaks for and against one other tracklet being the same person.

    Attributes:
        other: Key of the other tracklet (`camera/track`).
        similarity: Cosine of the two embeddings in [-1, 1]; NaN where one of them has none.
        evidence: The parts.
        same_identity: Whether the other tracklet ended up in the same identity.
    """

    other: str
    similarity: float
    evidence: Evidence
    same_identity: bool


@dataclass(frozen=True, slots=True)
class Link:
    """The decision tracklet -> identity, with its evidence.

    Attributes:
        tracklet: Key of the tracklet in its run (`camera/track`).
        identity: Number of the identity in its run, from 1.
        evidence: Mean evidence between this tracklet and the others of its identity; all parts
            are 0 where it is alone.
        pairs: The strongest pairs: those that speak for the link, and the closest rivals.
        decided_at_us: When it was decided, microseconds UTC of the machine's clock.
        method: Which association decided, e.g. `correlation-clustering`.
    """

    tracklet: str
    identity: int
    evidence: Evidence
    pairs: tuple[PairEvidence, ...]
    decided_at_us: int
    method: str


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """How a camera sees the world: metres, floor at z = 0.

    Attributes:
        ground_homography: (3, 3) float64, undistorted pixels (u, v, 1) -> floor (x, y, 1) in
            metres; its sign makes the third coordinate positive for floor before the camera.
        intrinsics: (3, 3) float64 used to undo lens distortion; the identity without distortion.
        distortion: (5,) float64, OpenCV's k1, k2, p1, p2, k3; zeros without distortion.
        image_height: Height of the frames for which it holds, pixels; infinite where unknown.
        position: (3,) float64, where the camera stands, metres; NaN where unknown.
    """

    ground_homography: DoubleArray
    intrinsics: DoubleArray
    distortion: DoubleArray
    image_height: float
    position: DoubleArray = field(default_factory=lambda: np.full(3, np.nan))

    def __post_init__(self) -> None:
        for name, shape in (
            ("ground_homography", (3, 3)),
            ("intrinsics", (3, 3)),
            ("distortion", (5,)),
            ("position", (3,)),
        ):
            array = _frozen(getattr(self, name), np.float64)
            _expect(array.shape == shape, f"{name}: expected {shape}, got {array.shape}")
            object.__setattr__(self, name, array)


Calibrations = Mapping[str, Calibration]
"""Calibration by camera id; cameras without one are absent."""
