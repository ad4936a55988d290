"""How much floor furniture takes: its shape's size, and what people walk around."""

from cameras.simulation.settings import Furniture

FOOTPRINTS: dict[Furniture, tuple[float, float]] = {
    "bench": (1.8, 0.5),
    "table": (1.4, 0.8),
    "chair": (0.48, 0.5),
    "desk": (1.6, 0.8),
    "counter": (2.4, 0.7),
    "shelf": (1.2, 0.4),
    "planter": (1.0, 0.5),
    "bin": (0.4, 0.4),
    "kiosk": (2.0, 1.6),
    "sign": (0.7, 0.4),
}
"""Length across the front (left to right) and depth along the heading (front to back), metres."""
