"""How a metric's networks learnt: a CSV file, and a picture of it."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.association.metric.training.crossfit import CurvePoint

CURVES: Final = "curves.csv"
PICTURE: Final = "curves.png"


def write_curves(path: Path, points: Sequence[CurvePoint]) -> None:
    """One row a point; an AUC that could not be measured is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(CurvePoint)], lineterminator="\n")
    writer.writeheader()
    for point in points:
        auc = "" if np.isnan(point.held_out_auc) else f"{point.held_out_auc:.6g}"
        writer.writerow(asdict(point) | {"loss": f"{point.loss:.6g}", "held_out_auc": auc})
    path.write_text(text.getvalue(), encoding="utf-8")


def draw_curves(path: Path, points: Sequence[CurvePoint], title: str) -> None:
    """A PNG: loss, and AUC on held-out people, of each network; thin lines are single folds."""
    figure = Figure((9, 6), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    losses, aucs = figure.subplots(2, 1, sharex=True)
    for number, name in enumerate(dict.fromkeys(point.network for point in points)):
        own = [point for point in points if point.network == name]
        iterations = sorted({point.iteration for point in own})
        for axes, column in ((losses, "loss"), (aucs, "held_out_auc")):
            values = np.array([getattr(point, column) for point in own])
            values = values.reshape(-1, len(iterations))  # (folds, stops)
            axes.plot(iterations, values.T, color=f"C{number}", linewidth=0.5)
            measured = values[~np.isnan(values).any(axis=1)]
            if len(measured):
                axes.plot(iterations, measured.mean(axis=0), color=f"C{number}", label=name)
    losses.set(ylabel="loss")
    aucs.set(ylabel="AUC, held-out people", xlabel="iteration")
    figure.suptitle(title)
    for axes in (losses, aucs):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#eeeeee")
    if points:
        losses.legend(frameon=False)
    figure.savefig(path, metadata={"Software": f"matplotlib {matplotlib.__version__}"})
