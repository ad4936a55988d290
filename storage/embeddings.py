"""Embeddings of tracklets, each beside the encoder that made it."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, delete, select

from pipeline.types import Embedding, EncoderIdentity, NoEmbedding
from storage import rows
from storage.schema import EmbeddingRow, Encoder, TrackletRow


def add(connection: Connection, new: Iterable[tuple[int, Embedding | NoEmbedding]]) -> None:
    """Keep what tracklets, by their rows' numbers, have in embeddings."""
    found = [(key, embedding) for key, embedding in new if isinstance(embedding, Embedding)]
    # Each is asked for once: others wait until this is written.
    made_by = dict.fromkeys(embedding.encoder for _, embedding in found)
    encoder_ids = {encoder: _encoder_id(connection, encoder) for encoder in made_by}
    made: list[dict[str, object]] = [
        {
            "tracklet_id": tracklet_id,
            "encoder_id": encoder_ids[embedding.encoder],
            "vector": rows.packed(embedding.vector),
        }
        for tracklet_id, embedding in found
    ]
    rows.insert_all(connection, EmbeddingRow, made)


def replace(connection: Connection, run_id: int, new: Mapping[str, Embedding | NoEmbedding]) -> int:
    """Put these, by the tracklets' keys, in the place of the embeddings that a run has.

    How many of the tracklets are there.
    """
    known = rows.tracklet_ids(connection, run_id)
    kept = [(known[key], embedding) for key, embedding in new.items() if key in known]
    if kept:
        of_tracklet = EmbeddingRow.tracklet_id == bindparam("key")
        connection.execute(delete(EmbeddingRow).where(of_tracklet), [{"key": k} for k, _ in kept])
        add(connection, kept)
    return len(kept)


def encoders(connection: Connection, run_id: int) -> list[EncoderIdentity]:
    """Those that made the embeddings of a run, by name and hash."""
    query = (
        select(Encoder.name, Encoder.sha256, Encoder.dimension)
        .join(EmbeddingRow, EmbeddingRow.encoder_id == Encoder.id)
        .join(TrackletRow, TrackletRow.id == EmbeddingRow.tracklet_id)
        .where(TrackletRow.run_id == run_id)
        .distinct()
    )
    found = [EncoderIdentity(*row) for row in connection.execute(query)]
    return sorted(found, key=lambda encoder: (encoder.name, encoder.sha256))


def _encoder_id(connection: Connection, encoder: EncoderIdentity) -> int:
    key: dict[str, object] = {
        "name": encoder.name,
        "sha256": encoder.sha256,
        "dimension": encoder.dimension,
    }
    return rows.found_or_made(connection, Encoder, key)
