"""What is compared: our pipeline at its two settings, and other tracers at their defaults."""

import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import vtracer
from PIL import Image

from engine.color.palette import PaletteRequest
from engine.color.quantize import quantize
from engine.networks.router_features import route_by_features
from engine.networks.upscaler import enlarge
from engine.svg.document import write_svg
from engine.svg.finish import finish
from engine.svg.gate import check
from engine.trace.options import trace_options
from engine.trace.trace import trace

from ..icons import fetch_archive
from ..icons.pictures import Pixels

Tracer = Callable[[Pixels], bytes]

_IMAGETRACER = (
    "imagetracerjs",
    "1.2.6",
    "sha512-LKJlnKmXFzDdh6IZtXTyBxXcCLTAkwgKYS+NMiPXiXVnlTLjQC8fq7U89laUSgHtypJB3TdMMDK4ecG5NI/Cgw==",
)
_IMAGETRACER_SCRIPT = """
const ImageTracer = require(process.argv[1]);
const size = JSON.parse(process.argv[2]);
const chunks = [];
process.stdin.on("data", (chunk) => chunks.push(chunk));
process.stdin.on("end", () => {
  const data = new Uint8ClampedArray(Buffer.concat(chunks));
  process.stdout.write(ImageTracer.imagedataToSVG({ ...size, data }));
});
"""


def pipeline(rgb: Pixels, megapixels: float) -> bytes:
    """The functions that the nodes of workflows/vectorize.json call, in their order, without weights."""
    scores = route_by_features(rgb, None)
    route = max(scores, key=lambda name: scores[name])
    large = enlarge(rgb, None, megapixels, None).rgb
    snapped = quantize(np.rint(large * 255).astype(np.uint8), None, rgb, PaletteRequest())
    palette = snapped.palette
    size = palette.source_width, palette.source_height
    svg = write_svg(trace(snapped.rgb, snapped.alpha, trace_options(route), size).drawing, 2)
    check(svg, rgb)
    return finish(svg, palette=palette.colors, size=size).svg


def ours(rgb: Pixels) -> bytes:
    """Ours through 12 MP."""
    return pipeline(rgb, 12.0)


def draft(rgb: Pixels) -> bytes:
    """Ours through 3 MP."""
    return pipeline(rgb, 3.0)


def plain_vtracer(rgb: Pixels) -> bytes:
    """VTracer with its defaults, on the picture as it is."""
    png = io.BytesIO()
    Image.fromarray(rgb).save(png, "PNG")
    return vtracer.convert_raw_image_to_svg(png.getvalue(), img_format="png").encode()


def potrace(rgb: Pixels) -> bytes:
    """potrace with its defaults on the picture cut at half its luma: it knows black and white only."""
    dark = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) < 128
    with tempfile.TemporaryDirectory() as folder:
        bitmap = Path(folder) / "in.pbm"
        height, width = dark.shape
        bitmap.write_bytes(f"P4\n{width} {height}\n".encode() + np.packbits(dark, axis=1).tobytes())
        subprocess.run(["potrace", "-s", "-o", "out.svg", "in.pbm"], cwd=folder, check=True)
        return (Path(folder) / "out.svg").read_bytes()


def imagetracer(rgb: Pixels) -> bytes:
    """imagetracerjs with its defaults, in Node.js."""
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    size = json.dumps({"width": rgb.shape[1], "height": rgb.shape[0]})
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fetch_archive(*_IMAGETRACER)) as archive:
            archive.extractall(folder, filter="data")
        command = ["node", "-e", _IMAGETRACER_SCRIPT, str(Path(folder) / "package"), size]
        return subprocess.run(command, input=rgba.tobytes(), capture_output=True, check=True).stdout


def present() -> dict[str, Tracer]:
    """The tracers that can run here, ours first."""
    tracers: dict[str, Tracer] = {"pipeline 12 MP": ours, "pipeline draft 3 MP": draft, "vtracer": plain_vtracer}
    if shutil.which("potrace"):
        tracers["potrace"] = potrace
    if shutil.which("node"):
        tracers["imagetracerjs"] = imagetracer
    return tracers
