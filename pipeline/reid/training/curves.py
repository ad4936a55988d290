"""How a training went: a CSV file of its losses, and a picture of it."""

import csv
import io
from pathlib import Path
from typing import Final

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.reid.training.checkpoint import Curve

CURVES: Final = "curves.csv"
PICTURE: Final = "curves.png"
WINDOW: Final = 0.02
"""Share of all rows that a drawn value is the mean of: single batches jump about."""


def write_curves(path: Path, curve: Curve) -> None:
    """All rows, with the same columns for each; a loss that a row does not have is empty."""
    columns = list(dict.fromkeys(name for row in curve for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in curve)
    path.write_text(text.getvalue(), encoding="utf-8")


def read_curves(path: Path) -> Curve:
    """What `write_curves` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {name: float(value) for name, value in row.items() if value}
            for row in csv.DictReader(file)
        ]


def draw_curves(path: Path, curve: Curve, title: str) -> None:
    """A PNG of the losses over iterations, each smoothed, and the learning rate below."""
    figure = Figure((9, 6), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    iterations = [row["iteration"] for row in curve]
    for name in (key for key in curve[-1] if key not in ("iteration", "learning_rate")):
        values = [row.get(name, float("nan")) for row in curve]
        losses.plot(iterations, smoothed(values), label=name.replace("_", " "))
    losses.set_ylabel("loss, weighted")
    losses.set_ylim(bottom=0)
    losses.legend(frameon=False)
    rates.plot(iterations, [row["learning_rate"] for row in curve], color="#7d7d7d")
    rates.set(ylabel="learning rate", xlabel="iteration", ylim=(0, None))
    figure.suptitle(title)
    for axes in (losses, rates):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#eeeeee")
    figure.savefig(path, metadata={"Software": f"matplotlib {matplotlib.__version__}"})


def smoothed(values: list[float]) -> list[float]:
    """Each value as the mean of those before it in a window, itself included."""
    length = max(1, round(WINDOW * len(values)))
    runs = (values[max(0, end - length) : end] for end in range(1, len(values) + 1))
    return [sum(run) / len(run) for run in runs]
