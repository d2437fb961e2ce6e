"""The files of jobs: what came in, what came out, and what is still coming in."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from .._names import safe_name
from .records import Output

BELOW = "vectrahub/jobs"  # of the folder of inputs, and of that of outputs
_INCOMING = "vectrahub/incoming"
_STALE = 86_400.0  # seconds; no request takes so long


class JobFiles:
    """`inputs`, `outputs`: the server's own folders. All methods but `incoming` block and belong into a thread."""

    def __init__(self, inputs: Path, outputs: Path) -> None:
        self.inputs = inputs
        self.outputs = outputs

    @asynccontextmanager
    async def incoming(self) -> AsyncIterator[Path]:
        """A fresh folder for the files of a request; what was not taken over is gone at the end."""
        folder = await asyncio.to_thread(self._fresh)
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, True)

    def take(self, job_id: str, files: Mapping[str, Path]) -> dict[str, str]:
        """Make incoming files those of a job, durably; their paths relative to `inputs`, with `/`."""
        if not files:
            return {}
        folder = self.inputs / BELOW / job_id
        folder.mkdir(parents=True)
        kept = {}
        for number, (name, path) in enumerate(files.items()):
            stored = f"{number:02d}-{safe_name(name)}{path.suffix.lower()}"
            os.replace(path, folder / stored)
            _flush(folder / stored)
            kept[name] = f"{BELOW}/{job_id}/{stored}"
        _flush(folder)
        _flush(folder.parent)
        return kept

    def output(self, output: Output) -> Path:
        """Where a result lies."""
        return self.outputs / output.path

    def output_folder(self, job_id: str) -> Path:
        """The folder of a job's results; it may not exist."""
        return self.outputs / BELOW / job_id

    def clear_outputs(self, job_id: str) -> None:
        """Remove what an earlier run of the job left."""
        shutil.rmtree(self.output_folder(job_id), ignore_errors=True)

    def remove(self, job_id: str) -> None:
        """Remove all files of a job."""
        shutil.rmtree(self.inputs / BELOW / job_id, ignore_errors=True)
        self.clear_outputs(job_id)

    def sweep(self) -> None:
        """Remove what requests left that a dead process was reading; not what another one may be reading."""
        place = self.inputs / _INCOMING
        for folder in list(place.iterdir()) if place.is_dir() else ():
            if time.time() - folder.stat().st_mtime > _STALE:
                shutil.rmtree(folder, ignore_errors=True)

    def flush(self, outputs: Iterable[Output]) -> None:
        """Let the system write results to the disk."""
        for output in outputs:
            _flush(self.output(output))

    def _fresh(self) -> Path:
        place = self.inputs / _INCOMING
        place.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=place))


def _flush(path: Path) -> None:
    """Let the system write it to the disk. A folder cannot be flushed everywhere; then its file is still whole."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        return
    finally:
        os.close(handle)
