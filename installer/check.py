"""What `install.py` prints without an argument. Looks, changes nothing."""

import json
import platform
import subprocess
import sys
from pathlib import Path

from .cache import PACK

# Distribution -> the module that the pack imports.
_MODULES = {
    "vtracer": "vtracer",
    "resvg-py": "resvg_py",
    "opencv-python-headless": "cv2",
    "scikit-image": "skimage",
    "defusedxml": "defusedxml",
    "httpx": "httpx",
    "websocket-client": "websocket",
    "rich": "rich",
    "prometheus-client": "prometheus_client",
    "nvidia-ml-py": "pynvml",
    **({"tomli": "tomli"} if sys.version_info < (3, 11) else {}),
}
_PROBE = """
import importlib.metadata, importlib.util, json, sys
modules = json.loads(sys.argv[1])
missing = [name for name, module in modules.items() if importlib.util.find_spec(module) is None]
names = {(d.metadata["Name"] or "").lower() for d in importlib.metadata.distributions()}
print(json.dumps({"missing": missing, "opencv": sorted(n for n in names if n.startswith("opencv-"))}))
"""


def missing_packages(python: Path) -> list[str]:
    """Which of the pack's required packages an interpreter cannot import."""
    return _probe(python)["missing"]


def print_check() -> None:
    """Says what this interpreter lacks for the pack, and what it would cost."""
    found = _probe(Path(sys.executable))
    print(f"VectraHub at {PACK}, Python {platform.python_version()}")
    if found["missing"]:
        print(f"  missing: {', '.join(found['missing'])}")
        print(f"  get them: {sys.executable} -m pip install -r {PACK / 'requirements.txt'}")
    else:
        print("  every required package is here")
    if len(found["opencv"]) > 1:
        print(f"  note: {', '.join(found['opencv'])} share one folder, cv2; keep them at one version")
    print("  weights (all optional): python install.py models list")


def _probe(python: Path) -> dict[str, list[str]]:
    command = [str(python), "-c", _PROBE, json.dumps(_MODULES)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)
