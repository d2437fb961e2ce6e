"""A copy of what installs the pack, so that no test touches the checkout or the person's cache."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_PARTS = ("install.py", "models.toml", "requirements.txt", "requirements-dev.txt", "constraints.txt")


@dataclass
class Pack:
    """A copy of the installer in `root`, with an empty cache in `cache`."""

    root: Path
    cache: Path
    settings: dict[str, str] = field(default_factory=dict)

    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("VECTRAHUB_", "HF_"))}
        return {**kept, "VECTRAHUB_CACHE": str(self.cache), "HF_HUB_DISABLE_TELEMETRY": "1", **self.settings}

    def start(self, *arguments: str, python: str = sys.executable) -> subprocess.Popen[str]:
        command = [python, str(self.root / "install.py"), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.environ(), stdout=pipe, stderr=pipe, text=True, cwd=self.root.parent)

    def run(self, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, python=python)
        out, err = process.communicate(timeout=280)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    root = tmp_path / "a pack"
    root.mkdir()
    for part in _PARTS:
        shutil.copy(ROOT / part, root)
    shutil.copytree(ROOT / "installer", root / "installer", ignore=shutil.ignore_patterns("__pycache__"))
    return Pack(root, tmp_path / "cache")
