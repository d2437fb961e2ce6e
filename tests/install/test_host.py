import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vectrahub.installer import comfyui, environment
from vectrahub.installer.cache import InstallError, cache_folder, only_one, workplace
from vectrahub.installer.host import base_folder, prepare_private, read_host

from .conftest import ROOT, Pack


@pytest.fixture(scope="session")
def prepared() -> dict[str, str]:
    """The real host that `make` prepared for this checkout."""
    host = read_host(cache_folder())
    if host is None:
        pytest.skip("no host is prepared: python install.py host --dev")
    return host


@pytest.fixture
def small_tree(tmp_path, monkeypatch) -> Path:
    """A tree and a pack that need one tiny package each, so that uv really builds an environment in a second."""
    for name, needs in (("tree", "webencodings"), ("pack", "defusedxml")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "requirements.txt").write_text(needs + "\n")
    (tmp_path / "pack" / "constraints.txt").write_text((ROOT / "constraints.txt").read_text())
    (tmp_path / "pack" / "requirements-dev.txt").write_text("tinycss2\n")
    monkeypatch.setattr(environment, "PACK", tmp_path / "pack")
    return tmp_path / "tree"


def imports(python: Path, module: str) -> bool:
    return subprocess.run([str(python), "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def test_a_second_call_changes_nothing(prepared, monkeypatch):
    monkeypatch.setattr("installer.host.fetch_tree", None)  # nothing is fetched or built
    monkeypatch.setattr("installer.host.build_environment", None)
    file = base_folder(cache_folder()) / "host.json"
    before = file.stat().st_mtime_ns
    assert prepare_private(cache_folder(), dev=False) == prepared
    assert file.stat().st_mtime_ns == before


def test_host_json(prepared):
    assert set(prepared) == {"python", "comfyui", "base", "version"}
    assert prepared["version"] == "0.30.0"
    assert Path(prepared["python"]).is_file()
    assert (Path(prepared["comfyui"]) / "main.py").is_file()
    assert (Path(prepared["base"]) / "custom_nodes" / "vectrahub").samefile(ROOT)


def test_an_existing_comfyui_is_used_and_left_alone(pack: Pack, prepared, tmp_path):
    tree = Path(prepared["comfyui"])
    before = sorted(path.name for path in tree.iterdir())
    into = tmp_path / "elsewhere"
    options = ["--into", str(into), "--comfyui", str(tree), "--python", prepared["python"]]
    result = pack.run("host", *options)
    assert result.returncode == 0, result.stderr
    host = json.loads(result.stdout)
    assert host == json.loads((into / "host.json").read_text())
    assert host["comfyui"] == str(tree.resolve()) and host["python"] == prepared["python"]
    assert (Path(host["base"]) / "models").samefile(tree / "models")
    assert (Path(host["base"]) / "custom_nodes" / "vectrahub").samefile(pack.root)
    assert sorted(path.name for path in tree.iterdir()) == before
    assert not pack.cache.exists()


def test_an_existing_comfyui_that_lacks_packages_names_them(pack: Pack, prepared, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    bare = environment._python_in(tmp_path / "bare")
    result = pack.run("host", "--comfyui", prepared["comfyui"], "--python", str(bare))
    assert result.returncode == 1
    assert "lacks vtracer" in result.stderr and "pip install -r" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("host", "--comfyui", "nowhere"), "is no ComfyUI"),
        (("host", "--python", "python3"), "--comfyui DIR"),
        (("where", "python"), "install.py host"),
        (("serve",), "install.py host"),
    ],
)
def test_bad_use_says_what_to_do(pack: Pack, arguments, words):
    result = pack.run(*arguments)
    assert result.returncode == 1
    assert words in result.stderr and "Traceback" not in result.stderr


def test_a_killed_build_heals(small_tree, tmp_path):
    cache = tmp_path / "cache"
    half = environment.environment_folder(cache, small_tree, dev=False)
    (half / "bin").mkdir(parents=True)
    (half / "bin" / "python").symlink_to(sys.executable)
    (half / "junk").touch()
    assert environment.ready_python(cache, small_tree, dev=False) is None
    python = environment.build_environment(cache, small_tree, dev=False)
    assert environment.ready_python(cache, small_tree, dev=False) == python
    assert imports(python, "defusedxml") and imports(python, "webencodings")
    assert not (half / "junk").exists()


def test_an_environment_with_the_tools_serves_both(small_tree, tmp_path):
    cache = tmp_path / "cache"
    python = environment.build_environment(cache, small_tree, dev=True)
    assert imports(python, "tinycss2")
    assert environment.ready_python(cache, small_tree, dev=False) == python
    assert environment.ready_python(cache, small_tree, dev=True) == python


def test_other_requirements_are_another_environment(small_tree, tmp_path):
    before = environment.environment_folder(tmp_path, small_tree, dev=False)
    (small_tree / "requirements.txt").write_text("six\n")
    assert environment.environment_folder(tmp_path, small_tree, dev=False) != before


def test_a_failed_build_does_not_count(small_tree, tmp_path):
    (small_tree / "requirements.txt").write_text("webencodings==0.0.0.1\n")
    with pytest.raises(InstallError, match="Installing the packages failed"):
        environment.build_environment(tmp_path, small_tree, dev=False)
    assert environment.ready_python(tmp_path, small_tree, dev=False) is None


def test_a_source_with_another_hash_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(comfyui, "SOURCE_SHA256", "0" * 64)
    with pytest.raises(InstallError, match="Downloading ComfyUI failed"):
        comfyui.fetch_tree(tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name != "bootstrap"]


def test_half_built_folders_of_killed_installs_are_removed(tmp_path):
    (tmp_path / "building-1" / "tree").mkdir(parents=True)
    with workplace(tmp_path) as folder:
        assert [path for path in tmp_path.iterdir()] == [folder]
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_second_install_waits_until_the_first_ends_or_dies(tmp_path):
    hold = (
        "import sys, time; from pathlib import Path; from installer.cache import only_one\n"
        "print('asks', flush=True)\n"
        "with only_one(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", hold, str(tmp_path)]
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": ""})
    try:
        assert first.stdout and first.stdout.readline() + first.stdout.readline() == "asks\nheld\n"
        second = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert second.stdout.readline() == "asks\n"
            time.sleep(0.5)
            os.set_blocking(second.stdout.fileno(), False)
            assert second.stdout.readline() == ""
            os.set_blocking(second.stdout.fileno(), True)
            first.send_signal(signal.SIGKILL)
            assert second.stdout.readline() == "held\n"
        finally:
            second.kill()
            second.communicate()
    finally:
        first.kill()
        first.communicate()
    with only_one(tmp_path):
        pass
