"""Decoding by hardware: what of it this machine has, and which a camera is decoded by.

Only what ffmpeg's own decoders can hand over to (`ffmpeg -hwaccel`) is meant, not decoders of their
own such as `h264_qsv`. Pictures come back to main memory.
"""

from collections.abc import Iterable
from functools import cache
from typing import Final

import av
from av.codec.hwaccel import HWAccel, hwdevices_available

from pipeline.config import AUTO, SOFTWARE, Camera, VideoCamera
from pipeline.errors import SettingsError

TRIED: Final = "h264"
"""Whatever decodes at all decodes this."""


@cache
def has_device(name: str) -> bool:
    """Whether a device of this kind is here and decodes; tried once in a process."""
    codec = av.Codec(TRIED, "r")
    kinds = {config.device_type.name for config in codec.hardware_configs if config.is_supported}
    if name not in kinds:
        return False
    try:
        HWAccel(name).create(codec)
    except (av.FFmpegError, OSError):
        return False
    return True


def decoding_of(camera: VideoCamera) -> str:
    """What a camera is decoded by: a device, or `software`.

    By themselves only live cameras take a device: the pixels of a recording, and so all that comes
    of it, are the same on every machine.

    Raises:
        SettingsError: The camera names a device that is not here.
    """
    if camera.decoding == AUTO:
        here = filter(has_device, hwdevices_available() if camera.is_live else ())
        return next(here, SOFTWARE)
    if camera.decoding != SOFTWARE and not has_device(camera.decoding):
        raise SettingsError(
            f"camera {camera.id}: decoding: expected {AUTO}, {SOFTWARE} or hardware that is here"
            f" ({', '.join(filter(has_device, hwdevices_available())) or 'there is none'}),"
            f" got {camera.decoding}"
        )
    return camera.decoding


def accelerator(camera: VideoCamera) -> HWAccel | None:
    """What to open a camera with; None: software decodes it, as it does what a device cannot.

    Raises:
        SettingsError: The camera names a device that is not here.
    """
    name = decoding_of(camera)
    return None if name == SOFTWARE else HWAccel(name, allow_software_fallback=True)


def check_decoding(cameras: Iterable[Camera]) -> None:
    """Raise `SettingsError` where one that is looked at names a device that is not here."""
    for camera in cameras:
        if isinstance(camera, VideoCamera) and camera.enabled:
            decoding_of(camera)
