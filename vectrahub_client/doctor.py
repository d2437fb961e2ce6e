"""What a server has and lacks for this pack, as data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ._catalogue import CATALOGUE, command_for, read_catalogue
from ._discover import PACK_PREFIX, pack_nodes, server_stats
from .client import Client
from .vectorize import shipped_workflows

_CONVERTED = "model.safetensors"  # what install.py makes of a checkpoint


def examine(client: Client, catalogue: Path = CATALOGUE) -> dict[str, Any]:
    """{"usable", "server", "devices", "nodes", "missing_nodes", "weights", "advice"} of a server, ready for JSON.

    `usable` is whether the server has every node of the shipped workflows. `catalogue` is the models.toml of the
    checkout that this client lies in; where there is none, no weights are listed. Raises ServerError.
    """
    stats = server_stats(client.url, "doctor")
    nodes = pack_nodes(client.get("object_info"))
    wanted = _needed_nodes(shipped_workflows())
    missing = sorted(wanted - set(nodes))
    weights = [_weight(client, key, entry) for key, entry in read_catalogue(catalogue).items()]
    report = {
        "usable": bool(nodes) and not missing,
        "server": _server(client.url, stats),
        "devices": [_device(device) for device in stats.get("devices") or ()],
        "nodes": nodes,
        "missing_nodes": missing,
        "weights": weights,
    }
    return {**report, "advice": _advice(report)}


def _server(url: str, stats: Mapping[str, Any]) -> dict[str, Any]:
    system = stats.get("system") or {}
    return {
        "url": url,
        "comfyui": system.get("comfyui_version"),
        "python": str(system.get("python_version") or "").split(" ")[0],
        "pytorch": system.get("pytorch_version"),
        "ram_total": system.get("ram_total"),
        "ram_free": system.get("ram_free"),
    }


def _device(device: Mapping[str, Any]) -> dict[str, Any]:
    return {key: device.get(key) for key in ("name", "type", "vram_total", "vram_free")}


def _needed_nodes(folder: Path) -> set[str]:
    needed: set[str] = set()
    for path in sorted(folder.glob("*.json")):
        graph = json.loads(path.read_text(encoding="utf-8"))
        needed |= {node["class_type"] for node in graph.values() if node["class_type"].startswith(PACK_PREFIX)}
    return needed


def _weight(client: Client, key: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    root, _, below = str(entry["folder"]).partition("/")
    listed = client.get(f"models/{root}") or []  # None: a server that has no such folder
    files = [file for source in entry.get("sources") or () for file in source["files"]]
    shown: dict[str, Any] = {name: entry.get(name) for name in ("licence", "purpose", "without")}
    if files:
        shown["file"] = f"{below or root}/"
        shown["size"] = sum(file.get("size") or file.get("about") or 0 for file in files)
        # A server lists weights only; either form of them makes the folder usable.
        wanted = [name for name in (_CONVERTED, entry.get("convert")) if name]
        names = {file["path"].rsplit("/", 1)[-1] for file in files}
        shards = {name for name in names if name.endswith(".safetensors")}  # of one network: all are needed
    else:
        shown |= {"file": entry.get("file"), "size": entry.get("size") or entry.get("about")}
        wanted, shards = [entry["file"]], set()
    here = {name for name in {*wanted, *shards} if _is_listed("/".join(filter(None, (below, name))), listed)}
    present = bool(here & set(wanted)) or (bool(shards) and here >= shards)
    return {"key": key, "present": present, "folder": root, **shown, "get": command_for(key)}


def _is_listed(wanted: str, listed: Iterable[object]) -> bool:
    """Whether a path is among those of a server's folder, at its root or in a folder that a person made there."""
    names = ("/" + str(name).replace("\\", "/") for name in listed)
    return any(name.endswith("/" + wanted) for name in names)


def _advice(report: Mapping[str, Any]) -> list[str]:
    advice = []
    if not report["nodes"]:
        advice.append(
            "the pack is not loaded: clone it into this ComfyUI's custom_nodes, run pip install -r requirements.txt "
            "there, restart ComfyUI and look for an import error in its log"
        )
    elif report["missing_nodes"]:
        advice.append(
            f"{len(report['missing_nodes'])} nodes of the shipped workflows are missing: update the pack there"
        )
    if not any(device["type"] not in (None, "cpu") for device in report["devices"]):
        advice.append("no GPU: networks run on the processor and `auto` prefers methods that need none")
    absent = [weight for weight in report["weights"] if not weight["present"]]
    return advice + [f"{weight['file']}: {weight['without']}; {weight['get']}" for weight in absent]
