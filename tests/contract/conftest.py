"""What the contract tests look at: every node as the host sees it, and the files that must keep step with it.

After a wanted change of a schema, write the snapshot and the English texts anew and look at the difference:

    VECTRAHUB_REFRESH=1 make contract
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from vectrahub.vectrahub_client.host_config import HostConfig

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
REFRESH = "After a wanted change run: VECTRAHUB_REFRESH=1 make contract"

Node = dict[str, Any]


@pytest.fixture(scope="session")
def nodes(described: list[Node]) -> list[Node]:
    """The nodes that people place."""
    return [node for node in described if not node["dev_only"]]


@pytest.fixture(scope="session")
def parts(described: list[Node]) -> list[Node]:
    """The nodes that others become when they run; menus do not list them."""
    return [node for node in described if node["dev_only"]]


@pytest.fixture(scope="session")
def described(host_config: HostConfig, tmp_path_factory: pytest.TempPathFactory) -> list[Node]:
    """Every node of the pack, described by the real ComfyUI tree in a process of its own."""
    base = tmp_path_factory.mktemp("contract")
    done = subprocess.run(
        [str(host_config.python), str(HERE / "describe.py"), str(ROOT), str(base)],
        cwd=host_config.comfyui,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout[done.stdout.index("[\n") :])


def keep_in_step(path: Path, wanted: object) -> None:
    """Fail unless the file holds `wanted`; with VECTRAHUB_REFRESH set, write it."""
    text = json.dumps(wanted, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("VECTRAHUB_REFRESH"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"{path.relative_to(ROOT)} is missing. {REFRESH}"
    assert json.loads(path.read_text(encoding="utf-8")) == wanted, f"{path.relative_to(ROOT)} is behind. {REFRESH}"
