from __future__ import annotations

import subprocess
import sys
from io import BytesIO

import pytest
import resvg_py
from PIL import Image

from vectrahub.tests.client.conftest import cli_environment
from vectrahub.tests.host_fixture import ROOT, RunningHost

pytestmark = pytest.mark.timeout(1500)  # nine pictures in one fixture

NAMES = [
    f"{name}{kind}" for name in ("logo", "illustration", "line_drawing") for kind in (".png", ".jpg", "_small.png")
]


def run_demo(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "demo", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=cli_environment(), capture_output=True, text=True, timeout=1200, check=False
    )


@pytest.fixture(scope="module")
def demo(host: RunningHost, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("demo")
    return out, run_demo("--draft", "--server", host.url, "--out", out)


def test_all_nine_become_drawings(demo) -> None:
    out, done = demo
    assert done.returncode == 0, done.stdout + done.stderr
    drawings = sorted(path.name for path in out.glob("*.svg"))
    assert drawings == sorted(name.replace(".", "-") + ".svg" for name in NAMES)
    assert all((out / name).read_bytes().startswith(b"<svg") for name in drawings)


def test_the_table_names_route_engine_and_figures(demo) -> None:
    _, done = demo
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.split()[:1] and "MP" not in line}
    expected = {"logo": "logo", "illustration": "illustration", "line_drawing": "line_art"}
    for name in NAMES:
        row = rows[name]
        wanted = next(route for start, route in expected.items() if name.startswith(start))
        assert row[1:3] == ["3", wanted]
        mean_de, paths, segments, size, seconds = map(float, row[-5:])
        assert 0 <= mean_de < 2 and paths >= 1 and segments > 10 and size > 500 and seconds > 0


def test_the_sheet_shows_every_picture(demo) -> None:
    out, _ = demo
    sheet = Image.open(out / "contact_sheet.png")
    assert sheet.width > 9 * 256 and sheet.height > 3 * 256
    colors = sheet.convert("RGB").getcolors(maxcolors=sheet.width * sheet.height)
    assert colors is not None and len(colors) > 100
    assert (out / "before_after.png").stat().st_size > 1000


def test_the_logo_keeps_its_transparent_ground_its_holes_and_its_half_transparent_water(demo) -> None:
    out, _ = demo
    svg = (out / "logo-png.svg").read_text()
    alpha = Image.open(BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=512, height=512)))).getchannel("A")
    ground, eye, ring, water, body = (
        alpha.getpixel(at) for at in ((8, 8), (320, 160), (116, 112), (100, 430), (300, 320))
    )
    assert (ground, eye, ring, body) == (0, 0, 0, 255)
    assert abs(water - 128) <= 3


def test_without_a_server_it_says_so(tmp_path) -> None:
    done = run_demo("--server", "http://127.0.0.1:9", "--out", tmp_path)
    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stdout
