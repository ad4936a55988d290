"""Rendering and torch in one process."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
from cameras.simulation.shading import open_context
context = open_context()
context.simple_framebuffer((16, 16)).use()
context.clear(1.0)
import torchvision
print("alive")
"""


def test_torch_can_be_loaded_after_rendering() -> None:
    """Else the process dies when triton is loaded, without a word of Python's."""
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True
    )
    assert (answer.returncode, answer.stdout) == (0, "alive\n"), answer.stderr[-500:]
