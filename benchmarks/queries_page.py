"""Writes docs/queries.md: every question of `query`, asked of the demo site, with its answer.

    python benchmarks/queries_page.py

The clock stands still while it is made, so that the page is the same each time.
"""

import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.errors import UserError
from pipeline.timestamps import from_iso
from run_pipeline import app

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/queries.md"
NOW = "2026-01-05T12:00:00Z"
SITE = ROOT / "demo/recorded.yaml"
ASKED = "python run_pipeline.py "
LINES = 12
"""Of longer answers the beginning is shown."""

TEXT = """\
# Asking the store

Everything below was asked of the demo site (75 seconds, four cameras, people in groups), as

```
python run_pipeline.py run demo/recorded.yaml
```

leaves it in `tracking.db`; [`benchmarks/queries_page.py`](../benchmarks/queries_page.py) made this
page, and a test makes it again. Each command takes `--json` (one document on standard output),
`--database URL` and `--run N` (the newest otherwise). Times are ISO 8601 with zone, or back from
now: `-90s`, `-30m`, `-2h`, `-7d`. Shell quotes keep the corners of a zone together.

An *identity* is what the run takes for one person; a *tracklet* (`court/3`) one passage through one
camera, `court/3.2` its second piece. What the run takes for a thing is counted nowhere; ask for it
by `query identities --things`.

## Who was there?
$ query identities

Only those whom a camera saw at some time, or whom several saw, or who stayed long:
$ query identities --camera garden --from 2026-01-05T10:00:00Z --to 2026-01-05T10:00:15Z
$ query identities --cameras 4
$ query identities --seconds 74

## Who was at the court between 10:00:30 and 10:00:35?
Also those that no decision has been made about are named, with `-`.
$ query presence court --from 2026-01-05T10:00:30Z --to 2026-01-05T10:00:35Z

In a part of its image, by where their feet are; enter and leave are those of the zone:
$ query presence court --zone "0,180 320,180 320,360 0,360" --to 2026-01-05T10:00:20Z

## Where did this person go?
The gap is how long nobody saw them before; it is negative where views overlap.
$ query trajectory 3

With every place, in pixels and, as the cameras are calibrated, in metres:
$ query trajectory 3 --path --json

## Who was with them?
In view of one camera at once, for five seconds in all at least:
$ query together 8 --seconds 5

Closer than a metre and a half on the floor, whichever cameras saw them. It tells who walks together
from who passes by:
$ query together 8 --metres 1.5 --seconds 5

And all groups of the site:
$ query together --metres 1.5 --seconds 20

## Who was at one camera and then at another?
$ query passed plaza_north garden --within 15

## How many go from where to where, and how long does it take?
$ query moves
$ query transitions
$ query dwell

## How sure are you?
The last column of a trajectory is the probability that a passage is of the same person as the
others. What it stands on, for a passage:
$ query why garden/18

`--picture why.png` draws these pairs side by side, where thumbnails were kept.

## Who looks like this?
By a picture, or a box in one: `query search person.jpg`, `query search frame.jpg --box
100,40,180,260`. Several pictures, and `--tracklet`, are taken for one person; `--not` names who is
not meant; `--camera`, `--from` and `--to` say where and when; `--picture found.png` draws who was
found. The probability is the one that association gives when it goes by looks alone.
$ query search --tracklet garden/18 --limit 4
$ query search --tracklet garden/18 --camera court --to 2026-01-05T10:00:40Z --limit 4

A picture goes through the encoder that embedded the run. This run's embeddings were recorded, so
there is none:
$ query search docs/demo.jpg

## What would you have said yesterday?
Decisions are replaced, never rewritten. `--as-of` answers by those that held at a time; the run was
at 12:00:
$ query presence court --to 2026-01-05T10:00:05Z --as-of 2026-01-05T11:59:00Z

## In a program
The same, without the command line:

```python
from storage import meetings, movements, queries
from storage.store import open_store

with open_store("sqlite:///tracking.db", create=False) as store:
    run = queries.resolve_run(store, None)
    for person in queries.identities(store, run, queries.Wanted(least_cameras=3)):
        print(person.identity, person.cameras)
    together = meetings.in_view_together(store, run, 8, least_seconds=5)
    dwell = movements.dwell_times(movements.visits(store, run))
```

`storage.explanations.why`, `storage.paths` (places, zones) and `storage.search` are the others. Who
searches again and again keeps a `Search` of a `SearchGallery`; from 100,000 tracklets on
`indexed=True` makes a faiss index in memory. So it is on PostgreSQL too, also where pgvector is:
what is compared is the embeddings less what each camera adds to them, which is learned from the run
and changes as it grows, so an index of what is stored would find others. How long it takes to read
them all: [evaluation.md](evaluation.md).

## Take it away
`export --format` writes what other programs read; all are streamed, so that memory does not grow.
Boxes of things, and of tracklets without an identity, are left out.

| format | `--output` | what |
|---|---|---|
| `mot` | folder | MOTChallenge, `CAMERA.txt`; frames from 1; `--fill-gaps` |
| `kitti` | folder | KITTI tracking, `CAMERA.txt`; frames from 0; left, top, right, bottom |
| `duke` | file | DukeMTMC submission; frames from 1 in each camera |
| `aicity` | file | AI City track 1 of 2023 and 2024; frames from 0; metres, or -1 |
| `coco` | file | COCO with videos; `track_id` is the identity |
| `mdx` | file | NVIDIA Metropolis frames, a line a frame; `coordinate` in metres where calibrated |
| `csv` | file | a row a box |
| `parquet` | file | the same, typed, with metres |
| `geojson` | file | ways over a map; the site file must say `origin` |

Formats that number cameras take the digits at the end of their names where all have some of their
own (`c041`), else 1, 2, 3 in the order of the site file.
"""


def page(folder: Path) -> str:
    """The page, from a run in this folder."""
    url = f"sqlite:///{folder / 'tracking.db'}"
    with frozen_clock(), at_root():
        shown(["run", str(SITE), "--database", url])
        lines = [
            f"\n```\n$ {ASKED}{line[2:]}\n{answer(line[2:], url)}```\n"
            if line.startswith("$ ")
            else f"{line}\n"
            for line in TEXT.splitlines()
        ]
    return "".join(lines)


def answer(words: str, url: str) -> str:
    """What a command prints, or the beginning of it."""
    lines = shown([*shlex.split(words), "--database", url]).splitlines(keepends=True)
    lines = [f"{line.rstrip()}\n" for line in lines]
    if len(lines) <= LINES:
        return "".join(lines)
    return "".join([*lines[:LINES], f"... ({len(lines) - LINES} more lines)\n"])


def shown(words: list[str]) -> str:
    """What a command prints, or what it refuses with."""
    try:
        with redirect_stderr(StringIO()):
            return CliRunner().invoke(app, words, catch_exceptions=False).stdout
    except UserError as error:
        return f"error: {error}\n"


@contextmanager
def frozen_clock() -> Iterator[None]:
    """The time of day stands still; how long things take is still told."""
    now_us = from_iso(NOW)
    with patch.object(time, "time_ns", lambda: 1000 * now_us):
        yield


@contextmanager
def at_root() -> Iterator[None]:
    """In the repository's folder, as its readers are."""
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        yield
    finally:
        os.chdir(before)


def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(Path(folder)), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
