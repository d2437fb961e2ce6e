"""Loads the checkout as the package `vectrahub`, whatever its folder is called and without ComfyUI."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _load_pack() -> None:
    spec = importlib.util.spec_from_file_location(
        "vectrahub", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no package at {ROOT}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["vectrahub"] = module
    spec.loader.exec_module(module)


_load_pack()

# By this name it is importable under any import mode of pytest.
pytest_plugins = ["vectrahub.tests.host_fixture"]
