"""The client by itself: `pip install ./vectrahub_client` in an environment without the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from vectrahub.tests.host_fixture import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="builds the client's wheel")
    folder = tmp_path_factory.mktemp("wheel")
    script = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-I", "-c", script, str(folder)], cwd=ROOT / "vectrahub_client", check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_the_package_and_the_workflows(wheel: Path) -> None:
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "vectrahub_client").rglob("*.py")}
    workflows = {f"vectrahub_client/workflows/{path.name}" for path in (ROOT / "workflows" / "api").glob("*.json")}
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert inside == sources | workflows and workflows


def test_it_runs_far_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); import vectrahub_client as c; "
        "assert 'site' in c.__file__; print(len(c.vectorize_graph(c.VectorizeRequest(), 'x.png')))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and int(done.stdout) >= 8, done.stderr
