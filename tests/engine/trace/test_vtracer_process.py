"""VTracer in its own process: killed, refused or crashed, it leaves nothing behind."""

import signal
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from vectrahub.engine.errors import EngineFailure
from vectrahub.engine.trace.options import TraceOptions
from vectrahub.engine.trace.vtracer_process import run_vtracer
from vectrahub.engine.trace.vtracer_svg import read_paths

OPTIONS = TraceOptions().vtracer(1)


class Cancelled(Exception):
    pass


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def children(folder: Path) -> list[str]:
    """Command lines of the processes that work in `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(entry.joinpath("cwd").readlink()).startswith(str(folder)):
                found.append(entry.joinpath("cmdline").read_text())
        except OSError:
            continue
    return found


def busy(side: int = 1500) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (side, side, 3)).astype(np.uint8)


def square(color: int = 0) -> np.ndarray:
    image = np.full((40, 40, 3), 255, np.uint8)
    image[10:30, 10:30] = color
    return image


def test_images_come_back_in_order(scratch):
    texts = run_vtracer([square(0), square(100), square(200)], {**OPTIONS, "color_precision": 8})
    fills = [[path.fill for path in read_paths(text)] for text in texts]
    assert [pair[-1] for pair in fills] == ["#000000", "#646464", "#C8C8C8"]
    assert not list(scratch.iterdir())


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc")
def test_cancelling_kills_the_child_at_once(scratch, monkeypatch):
    started: list[subprocess.Popen] = []
    reports: list[float] = []

    class Child(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    def stop(share: float) -> None:
        reports.append(share)
        if len(reports) == 10:
            assert children(scratch)
            raise Cancelled

    monkeypatch.setattr(subprocess, "Popen", Child)
    with pytest.raises(Cancelled):
        run_vtracer([busy()], {**OPTIONS, "color_precision": 8, "layer_difference": 0, "filter_speckle": 0}, stop)
    assert len(reports) == 10 and max(reports) < 1
    assert [child.returncode for child in started] == [-signal.SIGKILL]  # it did not come to its own end
    assert not children(scratch) and not list(scratch.iterdir())


def test_a_wrong_option_is_said_in_vtracers_words(scratch):
    with pytest.raises(EngineFailure, match="no_such_knob"):
        run_vtracer([square()], {**OPTIONS, "no_such_knob": 1})
    with pytest.raises(EngineFailure, match=r"VTracer failed: .*"):
        run_vtracer([square()], {**OPTIONS, "color_precision": "eight"})
    assert not list(scratch.iterdir())


def test_a_panic_is_an_error(scratch):
    with pytest.raises(EngineFailure, match=r"(?s)VTracer failed: .*panic"):
        run_vtracer([square()], {**OPTIONS, "color_precision": 0})
    assert not list(scratch.iterdir())


def test_no_images_start_nothing():
    assert run_vtracer([], OPTIONS) == []
