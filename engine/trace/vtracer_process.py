"""VTracer in a process of its own.

In this process it would hold the interpreter's lock for seconds, could not be cancelled, and a
Rust panic is a BaseException that no handler expects. A child is killed, polled and read instead.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import EngineFailure
from ..progress import Progress, silent

_POLL = 0.02  # s
_CHILD = """
import json, sys, vtracer
for line in sys.stdin:
    job = json.loads(line)
    vtracer.convert_image_to_svg_py(job["image"], job["svg"], **job["options"])
"""


def run_vtracer(images: Sequence[NDArray[np.uint8]], options: dict[str, Any], progress: Progress = silent) -> list[str]:
    """Trace images one after the other with the same options; returns the SVG text of each.

    images: (h, w) grey, (h, w, 3) RGB or (h, w, 4) RGBA bytes, handed over as fast PNGs. options: VTracer's
    keywords. Raises EngineFailure when VTracer panics or leaves no drawing.
    """
    if not images:
        return []
    with tempfile.TemporaryDirectory(prefix="vectrahub-") as folder:
        jobs = []
        for number, image in enumerate(images):
            progress(0.0)
            jobs.append(_job(Path(folder), number, image, options))
        with (Path(folder) / "errors.txt").open("w+b") as errors:
            # Run in the empty folder: `-c` puts the working directory on the module path.
            child = subprocess.Popen(
                [sys.executable, "-c", _CHILD],
                stdin=subprocess.PIPE,
                stdout=errors,
                stderr=errors,
                cwd=folder,
                env={**os.environ, "RUST_BACKTRACE": "0"},  # else a panic's words drown in its backtrace
            )
            try:
                _feed(child, jobs)
                _watch(child, jobs, progress)
            finally:
                child.kill()
                child.wait()
            if child.returncode != 0:
                errors.seek(0)
                raise EngineFailure(f"VTracer failed: {errors.read().decode(errors='replace').strip()[-400:]}")
        return [_read(Path(job["svg"])) for job in jobs]


def _job(folder: Path, number: int, image: NDArray[np.uint8], options: dict[str, Any]) -> dict[str, Any]:
    path = folder / f"{number}.png"
    stored = image if image.ndim == 2 else cv2.cvtColor(image, _TO_BGR[image.shape[2]])
    cv2.imwrite(str(path), stored, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return {"image": str(path), "svg": str(folder / f"{number}.svg"), "options": options}


_TO_BGR = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}


def _feed(child: subprocess.Popen[bytes], jobs: Sequence[dict[str, Any]]) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write("".join(json.dumps(job) + "\n" for job in jobs).encode())
        child.stdin.close()
    except BrokenPipeError:
        child.wait()  # it died at once; its exit status tells why


def _watch(child: subprocess.Popen[bytes], jobs: Sequence[dict[str, Any]], progress: Progress) -> None:
    done = 0
    while child.poll() is None:
        while done < len(jobs) and Path(jobs[done]["svg"]).exists():
            done += 1
        progress(done / len(jobs))
        time.sleep(_POLL)


def _read(path: Path) -> str:
    if not path.exists():
        raise EngineFailure("VTracer left no drawing. The image may be too small to trace.")
    return path.read_text()
