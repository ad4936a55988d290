"""A page of searches to be looked at: each query and its first ten answers, right and wrong."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from pipeline.reid.training.table import TestSet
from pipeline.types import FloatArray, ImageArray, IntArray

ANSWERS: Final = 10
FRAMES: Final = 3
"""Of each clip so many frames are shown."""
HEIGHT_PX: Final = 96
JPEG_QUALITY: Final = 65
STYLE: Final = """
body { margin: 2rem auto; max-width: 112rem; padding: 0 1rem; color: #282828; background: #fafafa;
  font: 15px/1.4 system-ui, sans-serif }
.search { display: flex; gap: .4rem; margin: .4rem 0; align-items: flex-start }
figure { margin: 0; border: 3px solid #888; background: #fff; min-width: 0; overflow: hidden }
figure img { display: block; max-width: 100% } figure.query { margin-right: 1rem }
.right { border-color: #2b8a3e } .wrong { border-color: #c92a2a }
figcaption { font-size: 12px; padding: 0 .2rem; white-space: nowrap }
.note { color: #666 }
"""


@dataclass(frozen=True, eq=False, slots=True)
class Search:
    """A query and its first answers.

    Attributes:
        query: Which clip of the test set.
        answers: (A,) which clips were found, most similar first.
        similarities: (A,) their cosines.
    """

    query: int
    answers: IntArray
    similarities: FloatArray


def search(test: TestSet, embeddings: FloatArray, query: int) -> Search:
    """The first answers to a query, as the protocol has them: junk and its own camera left out.

    Args:
        test: The test set.
        embeddings: (N, D) unit vectors of its clips.
        query: Which clip is sought.
    """
    identities, cameras = test.source.identities, test.source.cameras
    gallery, protocol = test.gallery, test.protocol
    is_known = identities[gallery] == identities[query]
    is_ignored = np.isin(identities[gallery], list(protocol.junk)) | (gallery == query)
    if protocol.ignore_same_camera:
        is_ignored |= is_known & (cameras[gallery] == cameras[query])
    left = gallery[~is_ignored]
    similarities = embeddings[left] @ embeddings[query]
    best = np.argsort(-similarities, kind="stable")[:ANSWERS]
    return Search(query, left[best], similarities[best])


def spread_queries(test: TestSet, count: int) -> IntArray:
    """So many queries from all over the set, none of them chosen for how well it goes."""
    places = np.linspace(0, len(test.queries) - 1, min(count, len(test.queries)))
    return test.queries[np.rint(places).astype(np.int64)]


def write_page(
    path: Path, title: str, searches: Sequence[tuple[TestSet, Sequence[Search]]]
) -> None:
    """One HTML file that holds its pictures."""
    parts = [
        f"<h1>{escape(title)}</h1><p class=note>Left the query, then its {ANSWERS} most similar"
        " clips, without those of the same person before the same camera; ✓: the same person, ✗:"
        " somebody else. Queries are taken at even distances, not chosen. Number: camera, and"
        " cosine.</p>"
    ]
    for test, found in searches:
        parts.append(f"<h2>{escape(test.name)}</h2>")
        parts += [_row(test, one) for one in found]
    head = f"<meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>"
    body = "\n".join(parts)
    path.write_text(
        f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>\n",
        encoding="utf-8",
    )


def _row(test: TestSet, found: Search) -> str:
    identities, cameras = test.source.identities, test.source.cameras
    figures = [_figure(test, found.query, "query", f"query, camera {cameras[found.query]}")]
    for clip, similarity in zip(found.answers, found.similarities, strict=True):
        is_right = identities[clip] == identities[found.query]
        mark, sign = ("right", "✓") if is_right else ("wrong", "✗")
        words = f"{sign} {cameras[clip]} · {similarity:.2f}"
        figures.append(_figure(test, int(clip), mark, words))
    return f"<div class=search>{''.join(figures)}</div>"


def _figure(test: TestSet, clip: int, mark: str, words: str) -> str:
    length = int(test.source.lengths[clip])
    frames = np.unique(np.linspace(0, length - 1, min(FRAMES, length)).round().astype(np.int64))
    jpeg = base64.b64encode(_strip(test.source.read(clip, frames))).decode()
    picture = f'<img src="data:image/jpeg;base64,{jpeg}" alt="{mark}">'
    return f"<figure class={mark}>{picture}<figcaption>{escape(words)}</figcaption></figure>"


def _strip(frames: ImageArray) -> bytes:
    """Frames side by side, as JPEG."""
    side_by_side = np.concatenate(list(frames), axis=1)
    height, width = side_by_side.shape[:2]
    size = (round(width * HEIGHT_PX / height), HEIGHT_PX)
    small = cv2.resize(side_by_side, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    return bytes(jpeg.tobytes())
