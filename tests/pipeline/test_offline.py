"""Nothing leaves the machine, whatever libraries would like to report."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "imports",
    [
        "pipeline.detection.ultralytics_engine, onnxruntime",
        "pipeline.detection.openvino_engine, openvino.tools.ovc",
        "pipeline.reid.backbone",
        "pipeline.reid.export",
    ],
)
def test_nobody_is_told_of_an_import(imports: str, tmp_path: Path) -> None:
    """OpenVINO and ONNX Runtime would put down a number of this user that they report under."""
    homes = dict.fromkeys(
        ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "YOLO_CONFIG_DIR"), str(tmp_path)
    )
    off_in_ci = ("CI", "TF_BUILD", "JENKINS_URL", "ORT_DISABLE_TELEMETRY")
    kept = {name: value for name, value in os.environ.items() if name not in off_in_ci}
    subprocess.run(
        [sys.executable, "-c", f"import {imports}"], cwd=ROOT, env=kept | homes, check=True
    )
    names = {path.name for path in tmp_path.iterdir()}
    assert not names & {"intel", "Microsoft"}
