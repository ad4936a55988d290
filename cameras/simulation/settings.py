"""The file that describes a simulated site: its place, its people, its cameras.

Metres, z up, floor at z = 0; angles in degrees, headings counter-clockwise from +x.
"""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field, ValidationError, model_validator

from pipeline.config import CameraId, Positive, Probability, Settings, explain, read_yaml
from pipeline.errors import SettingsError

Metres = Annotated[float, Field(ge=-10_000, le=10_000)]
Even = Annotated[int, Field(ge=32, le=7680, multiple_of=2)]
Point = tuple[Metres, Metres]
Point3 = tuple[Metres, Metres, Metres]
Rectangle = tuple[Metres, Metres, Metres, Metres]
Surface = Literal["tiles", "planks", "bricks", "concrete", "asphalt", "carpet", "plaster", "glass"]
Furniture = Literal[
    "bench", "table", "chair", "desk", "counter", "shelf", "planter", "bin", "kiosk", "sign"
]


def _in_order(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"expected [least, most], got [{pair[0]}, {pair[1]}]")
    return pair


Speed = Annotated[float, Field(gt=0, le=4)]
Speeds = Annotated[tuple[Speed, Speed], AfterValidator(_in_order)]
Wait = Annotated[float, Field(ge=0, le=86_400)]
Span = Annotated[tuple[Wait, Wait], AfterValidator(_in_order)]
Few = Annotated[int, Field(ge=0, le=100)]
Count = Annotated[tuple[Few, Few], AfterValidator(_in_order)]
Hex = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class FloorSettings(Settings):
    """A rectangle of floor."""

    area: Rectangle = Field(description="x and y of two opposite corners.")
    surface: Surface = Field("tiles", description="What it is made of.")
    colour: Hex = Field("#9a9a94", description="Its main colour.")


class OpeningSettings(Settings):
    """A door or passage in a wall; people can walk through it."""

    at_m: float = Field(ge=0, description="Distance of its near edge from the wall's first end.")
    width_m: Positive = Field(1.2, description="Its width.")
    height_m: Positive = Field(2.1, description="Its height; the wall goes on above.")


class WallSettings(Settings):
    """A straight wall."""

    start: Point = Field(description="First end.")
    end: Point = Field(description="Second end.")
    height_m: Positive = Field(3.0, description="Its height.")
    thickness_m: Positive = Field(0.15, description="Its thickness.")
    surface: Surface = Field("plaster", description="What it is made of.")
    colour: Hex = Field("#d8d4c8", description="Its main colour.")
    openings: tuple[OpeningSettings, ...] = Field((), description="Doors and passages.")

    @model_validator(mode="after")
    def _check_openings(self) -> "WallSettings":
        length = self.length_m
        if length == 0:
            raise ValueError("expected two ends, got one point twice")
        before = 0.0
        for opening in sorted(self.openings, key=lambda opening: opening.at_m):
            if opening.at_m < before or opening.at_m + opening.width_m > length:
                raise ValueError(
                    f"openings: expected them beside one another within {length:.2f} m, got one"
                    f" from {opening.at_m} to {opening.at_m + opening.width_m} m"
                )
            before = opening.at_m + opening.width_m
        return self

    @property
    def length_m(self) -> float:
        """From end to end."""
        return math.dist(self.start, self.end)

    @property
    def closed_m(self) -> list[tuple[float, float]]:
        """The stretches between the openings, metres from the first end, in order."""
        openings = sorted(self.openings, key=lambda opening: opening.at_m)
        edges = [e for opening in openings for e in (opening.at_m, opening.at_m + opening.width_m)]
        bounds = [0.0, *edges, self.length_m]
        return [(a, b) for a, b in zip(bounds[::2], bounds[1::2], strict=True) if b > a]


class ColumnSettings(Settings):
    """A round column."""

    position: Point = Field(description="Its axis.")
    radius_m: Positive = Field(0.25, description="Its radius.")
    height_m: Positive = Field(3.0, description="Its height.")
    surface: Surface = Field("concrete", description="What it is made of.")
    colour: Hex = Field("#b0aca4", description="Its main colour.")


class FurnitureSettings(Settings):
    """A thing that stands on the floor, hides what is behind it, and is walked around."""

    kind: Furniture = Field(description="What it is.")
    position: Point = Field(description="Its middle.")
    heading_degrees: float = Field(0, description="Where its front looks.")
    colour: Hex = Field("#7a5c3e", description="Its main colour.")


class LightSettings(Settings):
    """What lights the site."""

    time: Literal["day", "dusk", "night"] = Field("day", description="How much sky and sun.")
    sun_azimuth_degrees: float = Field(230, description="Where the sun (or main lamp) stands.")
    sun_elevation_degrees: Annotated[float, Field(gt=5, le=90)] = Field(
        50, description="How high the sun (or main lamp) stands."
    )
    lamps: tuple[Point3, ...] = Field((), max_length=8, description="Lamps, lit day and night.")


class StopSettings(Settings):
    """A place that people walk to or through."""

    position: Point = Field(description="Its middle.")
    radius_m: Positive = Field(0.6, description="People aim at a random point this near.")
    kind: Literal["entry", "pass", "stand", "sit"] = Field(
        "pass",
        description="entry: people come and leave here, out of all views; stand, sit: they stay.",
    )
    heading_degrees: float | None = Field(
        None, description="Where those who stay look; default: anywhere."
    )
    dwell_seconds: Span = Field((3, 12), description="How long they stay.")


class PeopleSettings(Settings):
    """Who walks about."""

    count: Annotated[int, Field(ge=1, le=5000)] = Field(12, description="How many persons.")
    alike: Annotated[int, Field(ge=0)] = Field(
        0, description="How many of them wear one uniform, told apart by small things only."
    )
    grouped: Probability = Field(0.25, description="Share of persons who walk in twos and threes.")
    returning: Probability = Field(0.25, description="Share of persons who leave and come back.")
    stops: Count = Field((2, 5), description="Fewest and most stops in one visit.")
    speed_m_per_s: Speeds = Field((0.9, 1.7), description="Slowest, fastest.")
    sitting: bool = Field(True, description="Whether people use stops of the kind sit.")


class LensSettings(Settings):
    """Brown's distortion, as OpenCV has it."""

    k1: float = Field(0, description="First radial coefficient; negative: barrel.")
    k2: float = Field(0, description="Second radial coefficient.")
    p1: float = Field(0, description="First tangential coefficient.")
    p2: float = Field(0, description="Second tangential coefficient.")
    softness_px: Annotated[float, Field(ge=0, le=5)] = Field(
        0.5, description="Standard deviation of the lens blur."
    )


class SimulatedCamera(Settings):
    """A camera of the simulated site."""

    id: CameraId = Field(description="Its name; unique in the site.")
    position: Point3 = Field(description="Where it hangs.")
    look_at: Point3 = Field(description="The point in the middle of its picture.")
    field_of_view_degrees: Annotated[float, Field(ge=10, le=120)] = Field(
        70, description="Horizontal, before distortion."
    )
    image_size: tuple[Even, Even] = Field((640, 360), description="Width and height, pixels; even.")
    frame_rate: Annotated[float, Field(gt=0, le=240)] = Field(10, description="Frames per second.")
    lens: LensSettings = LensSettings()
    exposure_stops: Annotated[float, Field(ge=-8, le=8)] = Field(
        0, description="Brighter (+) or darker (-) than right."
    )
    white_balance_kelvin: Annotated[float, Field(ge=2000, le=12000)] = Field(
        6500, description="Light that it takes for white; lower than the scene's: bluish pictures."
    )
    noise: Probability = Field(0.15, description="0 clean to 1 as bad as it gets; more at night.")
    shutter_ms: Annotated[float, Field(ge=0, le=1000)] = Field(
        0, description="Time over which moving people smear; 0: frozen."
    )
    infrared: bool = Field(False, description="Grey pictures under its own infrared lamp.")
    quality: Annotated[int, Field(ge=10, le=40)] = Field(
        26, description="x264's constant rate factor: higher is smaller and worse."
    )
    clock_offset_ms: Annotated[float, Field(ge=-1e9, le=1e9)] = Field(
        0, description="How far its clock is ahead of true time."
    )
    dropped: Probability = Field(0, description="Share of frames that are lost.")


class Simulation(Settings):
    """A simulated site."""

    site: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="Its name.")
    start: AwareDatetime = Field(description="True time of the first frame, ISO 8601 with zone.")
    duration_seconds: Annotated[float, Field(gt=0, le=86_400)] = Field(
        60, description="Length of the videos."
    )
    seed: Annotated[int, Field(ge=0)] = Field(0, description="Everything random follows from it.")
    light: LightSettings = LightSettings()
    floors: Annotated[tuple[FloorSettings, ...], Field(min_length=1)] = Field(
        description="Where people can be; rectangles may touch and overlap."
    )
    walls: tuple[WallSettings, ...] = Field((), description="Walls.")
    columns: tuple[ColumnSettings, ...] = Field((), description="Columns.")
    furniture: tuple[FurnitureSettings, ...] = Field((), description="Furniture.")
    stops: dict[str, StopSettings] = Field(description="Places by name; at least one is an entry.")
    paths: tuple[tuple[str, str], ...] = Field(
        description="Which stops are joined by a straight free way, both directions."
    )
    people: PeopleSettings = PeopleSettings()
    cameras: Annotated[tuple[SimulatedCamera, ...], Field(min_length=1)] = Field(
        description="The cameras."
    )

    @model_validator(mode="after")
    def _check_names(self) -> "Simulation":
        ids = [camera.id for camera in self.cameras]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"cameras: expected unique ids, got {twice[0]} twice")
        unknown = sorted({stop for path in self.paths for stop in path} - set(self.stops))
        if unknown:
            raise ValueError(f"paths: expected the name of a stop, got {unknown[0]}")
        if not any(stop.kind == "entry" for stop in self.stops.values()):
            raise ValueError("stops: expected at least one of kind entry")
        if self.people.alike > self.people.count:
            raise ValueError("people.alike: expected at most people.count")
        return self


def load_simulation(path: Path) -> Simulation:
    """The simulated site that a YAML file describes.

    Raises:
        SettingsError: The file cannot be read, is not YAML, or holds a wrong key or value.
    """
    tree: Any = read_yaml(path)
    try:
        return Simulation.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(f"{path}: {explain(error.errors()[0])}") from None
