"""OpenGL without a window, and the shaders that come with this package."""

from importlib.resources import files
from typing import Any, Final

import moderngl
import numpy as np

from cameras.simulation.lights import Light
from cameras.simulation.mesa import load_what_mesa_would_break
from cameras.simulation.optics import View
from cameras.simulation.projections import DepthMap, picture_matrix
from pipeline.errors import UserError

EGL: Final[dict[str, Any]] = {"backend": "egl"}  # moderngl's types do not know it
VERSION: Final = "#version 330"
SHOT_BYTES: Final = 512
"""Room for the block of shot.glsl; a multiple of every driver's alignment."""
LUMINANCE: Final = (0.2126, 0.7152, 0.0722)
TEXTURES: Final = ("seen_map", "depth_map", "materials", "sun_map", "floor_map", "shaded")
"""Names that textures have in all shaders, by the unit they are bound to."""


class RenderingError(UserError):
    """There is no OpenGL to render with."""


def open_context() -> moderngl.Context:
    """OpenGL 3.3 over EGL: on a GPU where EGL offers one, else on Mesa's software renderer.

    Raises:
        RenderingError: It did not open.
    """
    load_what_mesa_would_break()
    try:
        context = moderngl.create_context(standalone=True, **EGL)
    except Exception as error:  # whatever the loader or the driver raises: no common class
        raise RenderingError(
            "rendering needs OpenGL 3.3 over EGL, which did not open; on Debian: "
            f"apt install libegl1 libegl-mesa0 libgl1-mesa-dri ({error})"
        ) from error
    context.includes.update(_shaders())
    return context


def program(
    context: moderngl.Context, vertex: str, fragment: str, kind: str = "PLAIN"
) -> moderngl.Program:
    """The program of two shaders, compiled with `kind` defined."""
    vertex_text, fragment_text = (
        context.includes[f"{name}.glsl"].replace(VERSION, f"{VERSION}\n#define {kind}")
        for name in (f"{vertex}_vertex", f"{fragment}_fragment")
    )
    made = context.program(vertex_shader=vertex_text, fragment_shader=fragment_text)
    for unit, texture in enumerate(TEXTURES):
        if made.get(texture, None):
            made[texture] = unit
    return made


def uniforms(view: View, light: Light, sun: DepthMap, floor: DepthMap) -> bytes:
    """The block of shot.glsl."""
    gain = np.full(3, np.dot(LUMINANCE, view.gain)) if view.infrared else view.gain
    lamps = np.zeros((8, 4))
    lamps[: len(light.lamps), :3] = np.reshape(light.lamps, (-1, 3))
    rows = [
        *np.linalg.inv(picture_matrix(view)),
        *sun.lookup,
        *floor.lookup,
        (*(-view.rotation.T @ view.translation), 0),
        (*view.rotation[2], 0),
        (*gain, 0),
        (*light.to_sun, sun.pixel_m),
        (*light.sun, sun.part[0]),
        (*light.sky, sun.part[1]),
        (*light.ground, floor.part[0]),
        (*light.lamp, floor.part[1]),
        *lamps,
    ]
    return np.array(rows, np.float32).tobytes()


def _shaders() -> dict[str, str]:
    folder = files("cameras.simulation") / "shaders"
    return {path.name: path.read_text("utf-8") for path in folder.iterdir()}
