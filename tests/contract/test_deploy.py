"""What is deployed without a container to try it in: every path, option and variable that the files name exists."""

from __future__ import annotations

import configparser
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from vectrahub.tests.contract.conftest import ROOT
from vectrahub.vectrahub_client.host_config import HostConfig
from vectrahub.vectrahub_client.service.settings import ENV_PREFIX, Settings, load_settings

DEPLOY = ROOT / "deploy"
IMAGE_PACK = "/srv/vectrahub/custom_nodes/vectrahub/"
HOST_NAMES = {"VECTRAHUB_HOST", "VECTRAHUB_CONFIG"}  # of the client and of the service, not settings

# What ComfyUI's own loaders and parsers say, asked in a process of its own: they are full of state.
ASK_HOST = """
import json, sys
sys.path.insert(0, sys.argv[1])
order = json.loads(sys.argv[2])
sys.argv = sys.argv[:1]
import folder_paths
from comfy.cli_args import parser
from utils.extra_config import load_extra_path_config
core = sorted(folder_paths.folder_names_and_paths)
load_extra_path_config(order["yaml"])
mapped = {name: paths for name, (paths, _) in folder_paths.folder_names_and_paths.items()}
for line in order["lines"]:
    parser.parse_args(line)
print(json.dumps({"core": core, "mapped": mapped}))
"""


def dockerfile() -> list[str]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    return [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]


def instruction(name: str) -> list[str]:
    return [line.split(maxsplit=1)[1] for line in dockerfile() if line.split()[0] == name]


def unit() -> dict[str, list[str]]:
    """The keys of [Service], each with all its values."""
    found: dict[str, list[str]] = {}
    text = (DEPLOY / "systemd" / "vectrahub.service").read_text(encoding="utf-8").replace("\\\n", " ")
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            assert re.fullmatch(r"[A-Z][A-Za-z]+", key), line
            if section == "[Service]":
                found.setdefault(key, []).append(value)
    return found


def after_main(words: list[str]) -> list[str]:
    """The arguments of ComfyUI's main.py in a command line."""
    return words[next(n for n, word in enumerate(words) if word.endswith("/main.py")) + 1 :]


@pytest.fixture(scope="module")
def host_says(host_config: HostConfig) -> dict[str, Any]:
    lines = [
        after_main(json.loads(instruction("CMD")[-1])),
        after_main(shlex.split(unit()["ExecStart"][0])),
        json.loads((DEPLOY / "host.json").read_text(encoding="utf-8"))["args"],
    ]
    order = json.dumps({"yaml": str(DEPLOY / "extra_model_paths.yaml"), "lines": lines})
    done = subprocess.run(
        [str(host_config.python), "-c", ASK_HOST, str(host_config.comfyui), order],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_host_knows_every_option_and_folder(host_says: dict[str, Any]) -> None:
    not_models = {"configs", "custom_nodes", "datasets", "diffusers"}
    volume = {name for name, paths in host_says["mapped"].items() if paths[0].startswith("/runpod-volume/")}
    assert volume >= set(host_says["core"]) - not_models


def test_the_volume_has_every_folder_of_the_catalogue_and_of_the_seed(host_says: dict[str, Any]) -> None:
    catalogue = re.findall(r'^folder = "([^"/]+)', (ROOT / "models.toml").read_text(encoding="utf-8"), re.MULTILINE)
    mapped = host_says["mapped"]
    for kind in catalogue:
        assert mapped[kind][0] in (f"/runpod-volume/models/{kind}", f"/runpod-volume/{kind}"), kind
    seed = {"checkpoints": ("sdxl", "flux"), "LLM": ("qwen",), "controlnet": ("controlnet",)}
    for kind, folders in seed.items():
        assert {f"/runpod-volume/models/{folder}" for folder in folders} <= set(mapped[kind])
    assert mapped["loras"][0] == "/runpod-volume/loras"


def test_what_the_image_copies_and_starts_is_here() -> None:
    for line in instruction("COPY"):
        *sources, _ = line.split()
        assert all((ROOT / source).exists() for source in sources), line
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    named = re.findall(re.escape(IMAGE_PACK) + r"([\w./-]+)", text + (DEPLOY / "host.json").read_text("utf-8"))
    assert len(named) >= 4
    left_out = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    for path in named:
        assert (ROOT / path).exists(), path
        assert path.split("/")[0] not in left_out, path


def test_the_image_runs_as_nobody_special_and_says_when_it_is_ready() -> None:
    assert instruction("USER") == ["vectrahub"]
    assert "/vectrahub/v1/ready" in instruction("HEALTHCHECK")[0]
    assert not [line for line in dockerfile() if "models get" in line or ".safetensors" in line]


def test_image_and_client_agree_on_the_host() -> None:
    host = json.loads((DEPLOY / "host.json").read_text(encoding="utf-8"))
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert f"-m venv {host['python'].removesuffix('/bin/python')}" in text
    assert f".git {host['comfyui']} " in text
    assert f'--base-directory", "{host["base"]}"' in text


def test_the_pinned_comfyui_is_the_one_that_the_tests_run(host_config: HostConfig) -> None:
    version = (host_config.comfyui / "comfyui_version.py").read_text(encoding="utf-8")
    (pinned,) = [value for name, value in (line.split("=") for line in instruction("ARG")) if name == "COMFYUI"]
    assert f'"{pinned}"' in version


@pytest.mark.parametrize("file", ["deploy/Dockerfile", "deploy/systemd/vectrahub.service", "docs/deploy.md"])
def test_the_variables_that_are_named_are_settings(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    workers = {"VECTRAHUB_TOKEN", "VECTRAHUB_WARMUP", "VECTRAHUB_CACHE"}
    for name in set(re.findall(r"\bVECTRAHUB_[A-Z0-9_]+", text)) - HOST_NAMES - workers:
        model: Any = Settings
        for part in name.removeprefix(ENV_PREFIX).lower().split("__"):
            assert part in model.model_fields, name
            model = model.model_fields[part].annotation


def test_the_example_of_the_settings_is_what_holds_without_one() -> None:
    assert load_settings(DEPLOY / "vectrahub.toml", environ={}) == load_settings(environ={})


def test_the_example_leaves_no_setting_out() -> None:
    text = (DEPLOY / "vectrahub.toml").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:# )?(\w+) = ", text, re.MULTILINE)) | set(
        re.findall(r"^\[([\w.]+)\]", text, re.MULTILINE)
    )
    assert not {*_keys(Settings, "")} - named


def _keys(section: type[BaseModel], place: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner = field.annotation
        if name == "secrets":
            continue
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            yield name
        elif place + name == "contracts":
            yield from _keys(inner, "contracts.")
        else:
            yield place + name
            yield from _keys(inner, f"{place}{name}.")


def test_the_service_of_the_machine_is_shut_in() -> None:
    service = unit()
    for key in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "RestrictSUIDSGID", "ProtectKernelModules"):
        assert service[key] == ["yes"]
    assert service["ProtectSystem"] == ["strict"] and service["CapabilityBoundingSet"] == [""]
    assert service["User"] != ["root"] and "VECTRAHUB_AUTH__GUARD_HOST=true" in service["Environment"]
    (state,) = service["StateDirectory"]
    assert f"--base-directory /var/lib/{state} " in service["ExecStart"][0]


def test_extras_are_said_once_and_alike() -> None:
    tomllib = pytest.importorskip("tomllib", reason="reads pyproject.toml")
    pack = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    alone = tomllib.loads((ROOT / "vectrahub_client" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in ("fleet", "runpod"):
        assert set(pack[extra]) <= set(alone["optional-dependencies"][extra])


def test_the_handler_finds_the_library_and_not_its_own_folder() -> None:
    """deploy/runpod has the name of the library that the handler imports."""
    if importlib.util.find_spec("runpod") is None:
        pytest.skip("runpod is not installed")
    script = "import runpy, sys; runpy.run_path(sys.argv[1]); print(sys.modules['runpod'].__file__)"
    done = subprocess.run(
        [sys.executable, "-c", script, str(DEPLOY / "runpod" / "handler.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip().splitlines()[-1]).parent.parent != DEPLOY


def test_the_unit_reads_as_an_ini_file() -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(DEPLOY / "systemd" / "vectrahub.service", encoding="utf-8")
    assert parser.sections() == ["Unit", "Service", "Install"]
