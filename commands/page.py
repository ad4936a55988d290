"""The demo's report as one static page beside its pictures: no scripts, nothing from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from commands.report import FLOOR_PLAN, MOSAIC, TIMELINE, sheet_name, write
from pipeline.evaluation.multi_camera import Evaluation
from pipeline.evaluation.tracking import Scores

STYLE = """
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #282828; background: #fafafa;
  font: 16px/1.5 system-ui, sans-serif }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.5rem }
video, img { max-width: 100%; height: auto; background: #fff }
video, figure img { border: 1px solid #dcdcdc; border-radius: 4px }
figure { margin: 0 }
table { border-collapse: collapse; background: #fff }
th, td { padding: .35rem .8rem; text-align: right; border-bottom: 1px solid #e4e4e4 }
th:first-child, td:first-child { text-align: left }
tr.ours { font-weight: 600; background: #eef4ec }
.sheets { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start }
.sheets img { border: 1px solid #dcdcdc; max-height: 30rem; width: auto }
.note { color: #666 }
"""
LEGEND = (
    "In percent, higher is better; IDSW is a count, lower is better. DetA: people found; AssA: who"
    " is who, once found; HOTA: both. IDF1: the share of boxes whose identity is right all the way."
)


@dataclass(frozen=True, slots=True)
class Page:
    """What the page tells.

    Attributes:
        site: Name of the site.
        weights: In words which models were used.
        cameras: Their names.
        tracklets: How many passages were seen.
        identities: Numbers of the people that they were taken for.
        evaluations: Of the run first, then of what it is held against, by name.
    """

    site: str
    weights: str
    cameras: Sequence[str]
    tracklets: int
    identities: Sequence[int]
    evaluations: Mapping[str, Evaluation]


def write_page(page: Page, output: Path) -> Path:
    """Make `index.html` beside the pictures."""
    ours = next(iter(page.evaluations))
    people = {name: result.multi_camera for name, result in page.evaluations.items()}
    found = (
        f"{page.tracklets} passages through {len(page.cameras)} cameras,"
        f" taken for {len(page.identities)} people."
    )
    videos = ", ".join(_link(f"{name}.mp4", name) for name in page.cameras)
    sheets = "".join(_picture(sheet_name(i), f"identity {i}") for i in page.identities)
    parts = [
        f"<h1>{escape(page.site)}</h1><p>{found}</p>",
        f"<p class=note>Weights: {escape(page.weights)}.</p>",
        f'<video src="{MOSAIC}" controls loop muted></video><p>Each camera alone: {videos}.</p>',
        f"<h2>Over all cameras as one sequence</h2>{_table(people, ours)}",
        f"<p class=note>{LEGEND}</p>",
        f"<h2>In each camera</h2>{_table(page.evaluations[ours].per_camera, '')}",
        f"<h2>Who was where</h2><figure>{_picture(TIMELINE, 'timeline')}</figure>",
        _floor_plan(output),
        f"<h2>Whom the run takes for one person</h2><div class=sheets>{sheets}</div>",
    ]
    title = escape(page.site)
    head = f"<meta charset=utf-8><title>{title}</title><style>{STYLE}</style>"
    path = output / "index.html"
    write(
        path,
        f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body>"
        "</html>\n".encode(),
    )
    return path


def _floor_plan(output: Path) -> str:
    """Only where cameras are calibrated."""
    if not (output / FLOOR_PLAN).exists():
        return ""
    return f"<h2>Where they went</h2><figure>{_picture(FLOOR_PLAN, 'floor plan')}</figure>"


def _table(rows: Mapping[str, Scores], ours: str) -> str:
    trees = {name: scores.to_json() for name, scores in rows.items()}
    headings = "".join(f"<th>{escape(key)}</th>" for key in next(iter(trees.values())))
    lines = [
        f"<tr{' class=ours' if name == ours else ''}><td>{escape(name)}</td>"
        + "".join(f"<td>{shown(value)}</td>" for value in tree.values())
        + "</tr>"
        for name, tree in trees.items()
    ]
    return f"<table><tr><th></th>{headings}</tr>{''.join(lines)}</table>"


def shown(value: float | int) -> str:
    """A score as tables show it."""
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _link(file: str, words: str) -> str:
    return f'<a href="{escape(file)}">{escape(words)}</a>'


def _picture(file: str, words: str) -> str:
    return f'<a href="{file}"><img src="{file}" alt="{escape(words)}"></a>'
