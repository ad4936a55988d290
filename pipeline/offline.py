"""Imported before ultralytics, OpenVINO and ONNX Runtime: nothing leaves the machine.

By default the last two report their use to their makers, ONNX Runtime with the names and hashes of
models, as soon as they are imported.
"""

import os
import sys

# ultralytics must not look for a network, install packages, or write to standard output, which
# belongs to `--json`.
os.environ["YOLO_AUTOINSTALL"] = "false"
os.environ["YOLO_OFFLINE"] = "true"
os.environ["YOLO_VERBOSE"] = "false"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# OpenVINO has no such switch, but does without the package that sends.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
