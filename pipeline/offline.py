"""Imported before ultralytics, OpenVINO and ONNX Runtime: nothing leaves the machine.

By default the last two report their use to their makers, ONNX Runtime with the names and hashes of
models, as soon as they are imported.

Nor does a weights file bring code: ultralytics opens a `.pt` file for its own networks' classes and
tensors alone. Who has others, and trusts them, sets ULTRALYTICS_SAFE_LOAD=0.
"""

import os
import sys

# ultralytics must not look for a network, install packages, or write to standard output, which
# belongs to `--json`.
os.environ["YOLO_AUTOINSTALL"] = "false"
os.environ["YOLO_OFFLINE"] = "true"
os.environ["YOLO_VERBOSE"] = "false"
os.environ.setdefault("ULTRALYTICS_SAFE_LOAD", "1")
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# OpenVINO has no such switch, but does without the package that sends.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
