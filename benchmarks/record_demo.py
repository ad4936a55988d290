"""Records what given models see in the demo's videos, for `demo --recorded` and tests.

    python benchmarks/record_demo.py --detector yolo26n.pt --backbone retail-0286.xml

Writes `demo/recorded/ID.det.txt` and `ID.embeddings.npz` (row i belongs to row i), and
`demo/recorded.yaml`. To be run again whenever the demo's videos change.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cameras.sources import open_frames
from pipeline.config import DetectionSettings, ReidSettings, VideoCamera, load_site
from pipeline.detection.detector import Detector
from pipeline.geometry import xyxy_to_xywh
from pipeline.reid.backbone import OpenVinoBackbone
from pipeline.tracking.clips import cut
from pipeline.types import FloatArray

STEPS: Final = 256
"""Embeddings are rounded to this fraction of one: it changes cosines by some 1e-4, and their file
shrinks to a third."""
DEMO: Final = Path(__file__).resolve().parents[1] / "demo"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--detector", required=True, help="any detector that `detection` takes")
    parser.add_argument("--backbone", required=True, help="any backbone that `reid` takes")
    parser.add_argument("--demo", type=Path, default=DEMO, help="folder with site.yaml")
    options = parser.parse_args()
    site = load_site(options.demo / "site.yaml")
    detector = Detector(DetectionSettings(weights=options.detector, engine="torch"))
    backbone = OpenVinoBackbone(ReidSettings(weights=options.backbone))
    folder = options.demo / "recorded"
    folder.mkdir(exist_ok=True)
    tree = yaml.safe_load((options.demo / "site.yaml").read_text(encoding="utf-8"))
    for camera, entry in zip(site.cameras, tree["cameras"], strict=True):
        assert isinstance(camera, VideoCamera)
        lines, embeddings = [], []
        source = open_frames(camera, site)
        shape, times = (0, 0), []
        for frame in source:
            shape = frame.image.shape[:2]
            times.append(frame.timestamp_us)
            found = detector.detect([frame.image])[0]
            if len(found) == 0:
                continue
            assert found.confidence is not None
            boxes = xyxy_to_xywh(np.asarray(found.xyxy, np.float64))
            for (left, top, width, height), confidence in zip(
                boxes.tolist(), found.confidence.tolist(), strict=True
            ):
                row = f"{left:.2f},{top:.2f},{width:.2f},{height:.2f},{confidence:.4f}"
                lines.append(f"{frame.index + 1},-1,{row},-1,-1,-1\n")
            crops = np.stack([cut(frame.image, box) for box in found.xyxy])
            embeddings.append(_rounded(backbone.embed(crops)))
        source.close()
        rate = (len(times) - 1) * 1e6 / (times[-1] - times[0])
        (folder / f"{camera.id}.det.txt").write_text("".join(lines), encoding="utf-8")
        np.savez_compressed(
            folder / f"{camera.id}.embeddings.npz", embedding=np.concatenate(embeddings)
        )
        del entry["video"]
        entry["detections"] = f"recorded/{camera.id}.det.txt"
        entry["embeddings"] = f"recorded/{camera.id}.embeddings.npz"
        entry["frame_rate"] = round(rate, 3)
        entry["image_size"] = [shape[1], shape[0]]
        print(f"{camera.id}: {len(times)} frames, {len(lines)} detections")
    note = (
        "# The demo site with detections and embeddings that were recorded from its videos by\n"
        f"# benchmarks/record_demo.py with {Path(options.detector).name} and {backbone.name}.\n"
    )
    text = note + yaml.safe_dump(tree, sort_keys=False)
    (options.demo / "recorded.yaml").write_text(text, encoding="utf-8")


def _rounded(embeddings: FloatArray) -> np.ndarray:
    return (np.round(embeddings * STEPS) / STEPS).astype(np.float16)


if __name__ == "__main__":
    main()
