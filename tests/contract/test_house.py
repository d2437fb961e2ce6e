"""The order of the house, read from the syntax trees: who may import whom, no print, small files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from vectrahub.tests.contract.conftest import ROOT

# What each room may import of the pack, besides itself: engine <- host <- nodes, routes <- __init__.
MAY_IMPORT = {
    "engine": set(),
    "host": {"engine"},
    "nodes": {"engine", "host"},
    "routes": {"engine", "host", "vectrahub_client"},
    "vectrahub_client": set(),
}
PACK = ("engine", "host", "nodes", "routes")
HOST_MODULES = {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "execution", "folder_paths", "server", "nodes"}
MAX_LINES = 400


def sources(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(level, dotted name) of every import, also of those inside functions; level 0 is absolute."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module:
                yield node.level, node.module
            else:
                yield from ((node.level, alias.name) for alias in node.names)


def target(path: Path, level: int, name: str) -> str:
    """The pack's room that a relative import reaches."""
    package = path.relative_to(ROOT).parent.parts
    assert level <= len(package) + 1, f"{path}: the import leaves the pack"
    above = package[: len(package) - level + 1]
    return [*above, *name.split(".")][0]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_one_way(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(room)
        for level, name in imports(path)
        if level and target(path, level, name) not in MAY_IMPORT[room] | {room}
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("room", "unknown"), [("engine", HOST_MODULES | {"aiohttp"}), ("vectrahub_client", HOST_MODULES)]
)
def test_what_stands_alone_knows_no_comfyui(room: str, unknown: set[str]) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(room)
        for level, name in imports(path)
        if not level and name.split(".")[0] in unknown
    ]
    assert not wrong


def test_inside_the_pack_imports_are_relative() -> None:
    """The host's own modules have our names (`nodes`), and the pack's name depends on its folder."""
    ours = {*MAY_IMPORT, "vectrahub"}
    files = {*sources(*MAY_IMPORT), ROOT / "__init__.py"} - {ROOT / "host" / "core_nodes.py"}
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted(files)
        for level, name in imports(path)
        if not level and name.split(".")[0] in ours
    ]
    assert not wrong


def test_pack_code_neither_prints_nor_touches_the_path() -> None:
    wrong = []
    for path in sources(*PACK):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            printed = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            patched = isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.path"
            if printed or patched:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong


def test_the_engine_takes_no_logger_but_ours() -> None:
    for path in sources(*PACK):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "logging.getLogger":
                assert [ast.unparse(one) for one in node.args] == ["'vectrahub'"], path


def test_a_file_is_one_idea() -> None:
    files = [*sources(*MAY_IMPORT, "installer", "tests", "benchmarks", "demo"), *(ROOT / "js").glob("*.js")]
    long = {str(path.relative_to(ROOT)): n for path in files if (n := _lines(path)) > MAX_LINES}
    assert not long


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_sources_hold_no_character_that_windows_tools_refuse() -> None:
    for path in sources(*PACK, "vectrahub_client"):
        path.read_text(encoding="utf-8").encode("cp1252")


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by their names alone, and then takes one for the other."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_nobody_imports_the_conftest_that_loads_the_pack() -> None:
    """It would load the pack a second time, and what a test patches would be the other one's."""
    wrong = [
        path.name for path in (ROOT / "tests").rglob("*.py") for _, name in imports(path) if "tests.conftest" in name
    ]
    assert not wrong
