"""What must not end before the process does."""

import signal
import subprocess
import sys
from pathlib import Path

from pipeline.lasting import the_only

STOPPED = """\
import signal, sys, threading
from pathlib import Path
import numpy as np
from pipeline.detection.openvino_engine import OpenVinoEngine

held = [OpenVinoEngine(Path(sys.argv[1]), 1)]

def detect_and_end():
    held[0].infer(np.zeros((1, 384, 640, 3), np.uint8))
    held.clear()

thread = threading.Thread(target=detect_and_end)
thread.start()
thread.join()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
signal.raise_signal(signal.SIGTERM)
"""


def test_one_of_a_kind() -> None:
    assert the_only(list) is the_only(list)
    assert the_only(list) is not the_only(dict)


def test_a_signal_arrives_where_a_thread_was_the_last_to_use_openvino(toy_detector: Path) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(toy_detector)], cwd=root, capture_output=True
    )
    assert done.returncode != -signal.SIGSEGV
    assert done.returncode == 130, done.stderr
