"""`query search`: whom does a picture show, or a tracklet?"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from commands.options import (
    AsOf,
    Database,
    From,
    Json,
    RunNumber,
    To,
    opened_run,
    parse_as_of,
    period_of,
    print_json,
    print_table,
    write_picture,
)
from commands.sites import site_of_run
from pipeline.config import Site
from pipeline.errors import UserError
from pipeline.rendering import EvidenceRow, SheetPassage, evidence_sheet
from pipeline.types import EncoderIdentity, ImageArray
from storage import queries
from storage.explanations import KEY
from storage.search.gallery import SearchGallery, encoder_of
from storage.search.ranking import Hit, Search, Shown
from storage.store import Store

Crops = dict[str, ImageArray]
"""Pictures of people, 256x128, by the names that a user gave them."""


def search(
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="Pictures of one person.", metavar="[IMAGE]...", show_default=False),
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(help="Where in the one picture the person is.", metavar="x1,y1,x2,y2"),
    ] = None,
    tracklets: Annotated[
        list[str] | None,
        typer.Option("--tracklet", help="One that shows the person.", metavar="TRACKLET"),
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option("--not", help="Somebody else.", metavar="IMAGE|TRACKLET"),
    ] = None,
    cameras: Annotated[
        list[str] | None,
        typer.Option("--camera", help="Only whom this camera saw.", metavar="CAMERA"),
    ] = None,
    begin: From = None,
    end: To = None,
    limit: Annotated[int, typer.Option(min=1, help="So many identities.", metavar="N")] = 10,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw who was found into this file (.png, .jpg).", metavar="FILE"),
    ] = None,
    as_of: AsOf = None,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """Who looks like somebody in a picture, or in a tracklet, and how surely.

    Several pictures and tracklets are taken for one person. The probability is that of association
    when it goes by looks alone.
    """
    wanted, others = _named(images or [], tracklets or []), _sorted(unlike or [])
    if box is not None and len(images or []) != 1:
        raise UserError("--box: expected one picture that it lies in")
    with opened_run(database, run_number) as (store, run_id):
        crops = {
            name: read_person(Path(name), box if name in map(str, images or []) else None)
            for name, is_picture in {**wanted, **others}.items()
            if is_picture
        }
        found, shown_as = _search(store, run_id, crops, wanted, others, parse_as_of(as_of))
        hits = found.find(
            [shown_as[name] for name in wanted],
            [shown_as[name] for name in others],
            period_of(begin, end),
            cameras or [],
            limit,
        )
        if picture is not None:
            write_picture(picture, _sheet(store, run_id, next(iter(wanted)), crops, hits))
    if as_json:
        print_json({"run": run_id, "hits": [asdict(hit) for hit in hits]})
        return
    print_table(
        f"run {run_id}: who looks like {', '.join(wanted)}",
        ["identity", "probability", "log-odds", "similarity", "compared", "likest"],
        [
            (
                *(hit.identity, f"{100 * hit.probability:.0f} %", f"{hit.log_odds:+.1f}"),
                *(f"{hit.similarity:.2f}", hit.compared, hit.tracklets[0].tracklet),
            )
            for hit in hits
        ],
    )


def read_person(path: Path, box: str | None) -> ImageArray:
    """A person (256, 128, 3) in a picture, all of it or in a box of it.

    Raises:
        UserError: It cannot be read, or the box is none, or outside.
    """
    # Takes a moment to import, and no other query needs it.
    from pipeline.tracking.clips import cut

    image = cv2.imread(str(path)) if path.is_file() else None
    if image is None:
        raise UserError(f"{path}: expected a picture of a person, cannot be read as one")
    height, width = image.shape[:2]
    try:
        x1, y1, x2, y2 = (0, 0, width, height) if box is None else map(float, box.split(","))
    except ValueError:
        raise UserError(f"--box: expected x1,y1,x2,y2 in pixels, got {box}") from None
    if not (max(x1, 0) < min(x2, width) and max(y1, 0) < min(y2, height)):
        raise UserError(f"--box: {box} is outside of {path}, which is {width}x{height}")
    return cut(np.asarray(image, np.uint8), np.array([x1, y1, x2, y2]))


def _named(images: Sequence[Path], tracklets: Sequence[str]) -> dict[str, bool]:
    """What is sought by its name, and whether it is a picture."""
    named = {str(path): True for path in images} | dict.fromkeys(tracklets, False)
    if not named:
        raise UserError("expected a picture, or --tracklet, of the person to search for")
    return named


def _sorted(names: Sequence[str]) -> dict[str, bool]:
    """Names, and whether each is that of a picture; where there is no such file, of a tracklet."""
    for name in names:
        if not Path(name).is_file() and not KEY.fullmatch(name):
            raise UserError(f"--not: expected a picture or a tracklet such as desk/12, got {name}")
    return {name: Path(name).is_file() for name in names}


def _search(
    store: Store,
    run_id: int,
    crops: Crops,
    wanted: dict[str, bool],
    others: dict[str, bool],
    as_of_us: int | None,
) -> tuple[Search, dict[str, Shown]]:
    """What is searched, and what is shown, by name."""
    site = site_of_run(store, run_id)
    keys = [name for name, is_picture in {**wanted, **others}.items() if not is_picture]
    encoded: dict[str, Shown] = {}
    if crops:
        encoder, encoded = _encoded(store, run_id, site, crops)
    else:
        encoder = encoder_of(store, run_id, keys[0])
    threshold = site.association.similarity_threshold
    gallery = SearchGallery.load(store, run_id, encoder, threshold, as_of_us)
    for key in keys:
        position = gallery.position(key)
        encoded[key] = Shown(gallery.vectors[position], position)
    return Search(gallery), encoded


def _encoded(
    store: Store, run_id: int, site: Site, crops: Crops
) -> tuple[EncoderIdentity, dict[str, Shown]]:
    """Pictures by the encoder that embedded the run.

    Raises:
        UserError: It is not at hand, or another by now, or the embeddings were recorded.
    """
    # torch takes seconds to import, and no other query needs it.
    from commands.run import pixel_encoder
    from pipeline.reid.encoder import RecordedEncoder
    from pipeline.types import Clip, Embedding

    known = store.encoders(run_id)
    recorded = RecordedEncoder(site.site).sha256
    if all(each.sha256 == recorded for each in known):
        raise UserError(
            f"run {run_id}: its embeddings were recorded, or it has none; no picture can be"
            " compared with them: search by --tracklet"
        )
    encoder = pixel_encoder(site)
    if encoder.identity not in known:
        raise UserError(
            f"run {run_id}: its embeddings are by {', '.join(each.words for each in known)}, and"
            f" reid.weights is now {encoder.identity.words}: `reembed` it, or search by --tracklet"
        )
    found = {}
    for name, crop in crops.items():
        embedding = encoder.encode(Clip(crop[None], np.zeros(1, np.int64), np.ones(1, np.float32)))
        assert isinstance(embedding, Embedding)  # of a clip with a crop
        found[name] = Shown(embedding.vector)
    return encoder.identity, found


def _sheet(store: Store, run_id: int, first: str, crops: Crops, hits: Sequence[Hit]) -> ImageArray:
    """Who is sought beside each who was found."""
    likest = [hit.tracklets[0] for hit in hits]
    wanted = {one.tracklet for one in likest} | ({first} - set(crops))
    kept = queries.thumbnails(store, run_id, wanted)
    if first in crops:
        encoded = cv2.imencode(".png", crops[first])[1].tobytes()
        subject = SheetPassage(Path(first).name, "", 0, 0, (encoded,))
    else:
        subject = SheetPassage(first, "", 0, 0, kept.get(first, ())[:1])
    rows = [
        EvidenceRow(
            SheetPassage(
                *(one.tracklet, one.camera, one.enter_us, one.leave_us),
                kept.get(one.tracklet, ())[:1],
            ),
            f"identity {hit.identity}: {100 * hit.probability:.0f} %",
            (f"similarity {hit.similarity:.2f}", f"{hit.compared} passages compared"),
        )
        for hit, one in zip(hits, likest, strict=True)
    ]
    return evidence_sheet(f"run {run_id}: who looks like {subject.tracklet}", subject, rows)
