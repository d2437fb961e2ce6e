import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vectrahub.installer.check import _MODULES
from vectrahub.installer.environment import _python_in

from .conftest import ROOT, Pack

# What a ComfyUI 0.30.0 environment brings by its own requirements.txt, directly or beneath it.
FROM_COMFYUI = {
    *("PIL", "aiohttp", "comfy", "comfy_api", "comfy_execution", "comfyui_version", "folder_paths"),
    *("huggingface_hub", "latent_preview"),
}
FROM_COMFYUI |= {"nodes", "numpy", "psutil", "safetensors", "scipy", "server", "spandrel", "tokenizers", "torch"}
FROM_COMFYUI |= {"tqdm", "transformers", "typing_extensions", "yaml"}
FROM_COMFYUI |= {"execution", "pydantic", "pydantic_settings", "sqlalchemy", "yarl"}
# Named in the error when they are absent; extras of pyproject.toml.
OPTIONAL = {"cairosvg", "open_clip", "ray", "runpod"}
# For the one Python that lacks the module of the standard library.
OLD_PYTHON = {"tomli"}


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_without_an_argument_it_changes_nothing(pack: Pack, tmp_path):
    before = listing(tmp_path)
    result = pack.run()
    assert result.returncode == 0, result.stderr
    assert "every required package is here" in result.stdout
    assert listing(tmp_path) == before


def test_it_names_what_is_missing_and_still_exits_0(pack: Pack, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    result = pack.run(python=str(_python_in(tmp_path / "bare")))
    assert result.returncode == 0
    assert "missing: vtracer" in result.stdout and "pip install -r" in result.stdout


def test_the_check_knows_every_requirement():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    names = {re.split(r"[<>=;\s]", line)[0] for line in lines if line and not line.startswith("#")}
    assert names - OLD_PYTHON == set(_MODULES) - OLD_PYTHON


@pytest.mark.parametrize("room", ["engine", "host", "nodes", "routes", "vectrahub_client", "installer"])
def test_every_import_is_a_requirement(room):
    own = {"engine", "host", "nodes", "routes", "vectrahub_client", "installer"}
    known = set(_MODULES.values()) | FROM_COMFYUI | OPTIONAL | OLD_PYTHON | set(sys.stdlib_module_names) | own
    unknown = {}
    for file in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found = {(node.module or "").split(".")[0]}
            else:
                continue
            if found - known:
                unknown[str(file.relative_to(ROOT))] = found - known
    assert unknown == {}


def test_every_requirement_is_imported():
    text = "\n".join(
        file.read_text(encoding="utf-8")
        for room in ("engine", "host", "nodes", "routes", "vectrahub_client")
        for file in (ROOT / room).rglob("*.py")
    )
    required = set(_MODULES.values()) - OLD_PYTHON
    unused = [module for module in sorted(required) if not re.search(rf"^\s*(import|from)\b.*\b{module}\b", text, re.M)]
    assert unused == []
