"""Prints what the host learns about our nodes, as JSON. Runs inside ComfyUI's tree, without its server.

python describe.py PACK BASE     in ComfyUI's folder; BASE is an empty base directory, so that no list
                                 of files depends on the machine
"""

import asyncio
import importlib.util
import inspect
import json
import sys
from pathlib import Path
from typing import Any

_CALLS = ("execute", "check_lazy_status", "fingerprint_inputs", "validate_inputs")
_FACTS = ("tooltip", "default", "min", "max", "step", "options", "multiline", "upload")


def main(pack: Path, base: Path) -> None:
    (base / "input").mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, ".")
    sys.argv[1:] = ["--cpu", "--base-directory", str(base)]
    import comfy.options

    comfy.options.enable_args_parsing()
    spec = importlib.util.spec_from_file_location(str(pack), pack / "__init__.py")  # named as the host names it
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    print(json.dumps(asyncio.run(_nodes(module)), indent=2, ensure_ascii=False))


async def _nodes(module: Any) -> list[dict[str, Any]]:
    extension = await module.comfy_entrypoint()
    return [_node(node) for node in await extension.get_node_list()]


def _node(node: Any) -> dict[str, Any]:
    schema = node.define_schema()
    calls = {name: _parameters(node, name) for name in _CALLS if _is_own(node, name)}
    return {
        "class": node.__name__,
        "id": schema.node_id,
        "display_name": schema.display_name,
        "category": schema.category,
        "description": schema.description,
        "search_aliases": schema.search_aliases,
        "output_node": bool(schema.is_output_node),
        "dev_only": bool(schema.is_dev_only),
        "inputs": [_input(one) for one in schema.inputs],
        "outputs": [{"name": one.display_name, "type": one.io_type, "tooltip": one.tooltip} for one in schema.outputs],
        "calls": calls,
    }


def _input(one: Any) -> dict[str, Any]:
    facts = {name: getattr(one, name, None) for name in _FACTS}
    flags = {name: True for name in ("optional", "lazy", "advanced", "rawLink") if getattr(one, name, False)}
    kept = {name: getattr(value, "value", value) for name, value in facts.items() if value is not None}
    return {"id": one.id, "type": one.io_type, **flags, **kept}


def _is_own(node: Any, name: str) -> bool:
    found = inspect.getattr_static(node, name, None)
    return found is not None and found.__func__.__module__ == node.__module__


def _parameters(node: Any, name: str) -> dict[str, Any]:
    parameters = inspect.signature(getattr(node, name)).parameters.values()
    named = [one for one in parameters if one.kind is not one.VAR_KEYWORD]
    return {
        "names": [one.name for one in named],
        "with_default": [one.name for one in named if one.default is not one.empty],
        "takes_rest": len(named) < len(parameters),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
