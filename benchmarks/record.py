"""On what and of what a result was measured."""

import os
import platform
import subprocess
from pathlib import Path

import numpy as np


def machine() -> str:
    """Processor, cores and versions, in words."""
    cores = os.cpu_count()
    return f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, NumPy {np.__version__}"


def commit() -> str:
    """The commit measured; '-dirty' when the tree had changes."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    return done.stdout.strip() or "unknown"
