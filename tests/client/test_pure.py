from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import pytest

import vectrahub.vectrahub_client as package
from vectrahub.tests.client.graphs import slow
from vectrahub.tests.host_fixture import ROOT
from vectrahub.vectrahub_client import errors
from vectrahub.vectrahub_client._events import EventReader
from vectrahub.vectrahub_client._http import is_loopback, normal_url
from vectrahub.vectrahub_client._outputs import check_verdict, result_of
from vectrahub.vectrahub_client.cli.each import plan
from vectrahub.vectrahub_client.errors import HostNotPrepared, JobCancelled, JobFailed, UsageError
from vectrahub.vectrahub_client.host_config import default_config_path, load_config
from vectrahub.vectrahub_client.vectorize import VectorizeRequest, shipped_workflow, vectorize_graph


def test_the_public_names_are_there_and_documented() -> None:
    for name in package.__all__:
        assert getattr(package, name).__doc__, name


def test_the_package_stands_alone() -> None:
    own = set(sys.stdlib_module_names) | {"httpx", "websocket", "rich", "tomli"}
    service = own | {"aiohttp", "yarl", "pydantic", "pydantic_settings", "typing_extensions", "sqlalchemy"}
    service |= {"prometheus_client", "PIL"}
    rooms = {"service": service, "fleet": service | {"ray"}}  # the extras of its pyproject.toml
    files = list((ROOT / "vectrahub_client").rglob("*.py"))
    for path in files:
        depth = len(path.relative_to(ROOT / "vectrahub_client").parts)
        allowed = rooms.get(path.relative_to(ROOT / "vectrahub_client").parts[0], own)
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(found, ast.Import):
                assert {name.name.split(".")[0] for name in found.names} <= allowed, path
            elif isinstance(found, ast.ImportFrom):
                assert found.level <= depth if found.level else (found.module or "").split(".")[0] in allowed, path
    assert len(files) > 10


def test_the_drawing_of_the_error_tree_is_true() -> None:
    drawn: list[tuple[int, type]] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.fullmatch(r"( {4}[| `-]*)([A-Z]\w+)(?: +(\d)  .*)?", line):
            kind = getattr(errors, match[2])
            assert kind.exit_code == int(match[3] or 1), kind
            parents = [other for depth, other in drawn if depth < len(match[1])]
            assert not parents or issubclass(kind, parents[-1]), kind
            drawn.append((len(match[1]), kind))
    shown = {kind for _, kind in drawn} | {errors.NodeTrouble}
    assert shown == {kind for kind in vars(errors).values() if isinstance(kind, type)}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:8188", "http://127.0.0.1:8188"),
        ("http://h:1/", "http://h:1"),
        ("https://h/comfy/?x=1", "https://h/comfy"),
        (" localhost ", "http://localhost"),
        ("http://[::1]:8188", "http://[::1]:8188"),
    ],
)
def test_addresses_are_made_regular(text: str, url: str) -> None:
    assert normal_url(text) == url


@pytest.mark.parametrize("text", ["", "ftp://x", "http://", "http://x:notaport", "http://x:99999", "://"])
def test_a_wrong_address_is_bad_usage(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        normal_url(text)


def test_loopback_is_known() -> None:
    assert all(map(is_loopback, ["http://127.0.0.2:1", "http://localhost", "http://[::1]:1"]))
    assert not any(map(is_loopback, ["http://10.0.0.1", "http://example.org", "http://localhost.example"]))


def test_events_count_the_nodes_that_are_over() -> None:
    reader = EventReader("me", slow(1))

    def ui(kind: str, **data: object):
        return reader.read({"type": kind, "data": {"prompt_id": "me", **data}})

    assert reader.read({"type": "execution_start", "data": {"prompt_id": "other"}}) is None
    assert reader.read({"type": "status", "data": {}}) is None
    ui("execution_cached", nodes=["1"])
    event = ui("executing", node="3", display_node="3")
    assert event and (event.kind, event.title, event.done, event.total) == ("node", "Nap", 1, 3)
    state = {"node_id": "3", "display_node_id": "3", "state": "running", "value": 10, "max": 20}
    event = ui("progress_state", nodes={"3": state})
    assert event and (event.kind, event.value, event.maximum) == ("progress", 10, 20)
    assert event.share == pytest.approx(0.5)
    ui("progress_state", nodes={"3": {**state, "state": "finished", "value": 20}})
    event = ui("executing", node="2", display_node="2")
    assert event and event.done == 2
    assert json.dumps(event.as_dict())


def entry(*messages: object, outputs: object = None) -> dict[str, object]:
    return {"status": {"status_str": "error", "completed": False, "messages": messages}, "outputs": outputs or {}}


def test_a_failure_names_the_node_also_inside_an_expansion() -> None:
    data = {"node_id": "3.0.0.7", "node_type": "KSampler", "exception_message": "out of paint\n"}
    with pytest.raises(JobFailed, match=r"'Nap' \(KSampler\), id 3\.0\.0\.7, failed: out of paint") as caught:
        check_verdict(entry(["execution_start", {}], ["execution_error", data]), slow(1))
    assert caught.value.as_dict()["node"] == {"id": "3.0.0.7", "type": "KSampler", "title": "Nap"}
    with pytest.raises(JobCancelled):
        check_verdict(entry(["execution_interrupted", {"node_id": "3"}]), slow(1))


def test_results_are_files_and_reports() -> None:
    graph = slow(1)
    outputs = {
        "2": {"images": [{"filename": "a.svg", "subfolder": "x", "type": "output"}, {"odd": 1}], "animated": (False,)},
        "1": {"images": [{"filename": "p.png", "type": "temp"}], "text": ["hello"]},
        "3": {"vectrahub_report": ['{"stage": "nap"}']},
    }
    result = result_of("id", entry(outputs=outputs), graph, 1.0)
    assert [(file.title, file.filename, file.subfolder) for file in result.files] == [("Keep", "a.svg", "x")]
    assert result.reports == {"Nap": {"stage": "nap"}}
    del outputs["2"]
    assert [file.filename for file in result_of("id", entry(outputs=outputs), graph, 1.0).files] == ["p.png"]


def test_the_shipped_workflow_has_every_node_that_a_request_sets() -> None:
    full = VectorizeRequest(route="line_art", colors=4, palette="#FF0000, #00FF00", draft=True)
    graph = vectorize_graph(full, "sub/x.png")
    by_title = {node["_meta"]["title"]: node["inputs"] for node in graph.values()}
    assert by_title["Image"]["image"] == "sub/x.png"
    assert by_title["Route"]["force"] == "line_art"
    assert by_title["Palette"]["colors"] == 4
    assert by_title["Palette"]["palette"] == "#FF0000, #00FF00"
    assert by_title["Upscale"]["megapixels"] == 3.0
    assert "Save" in by_title
    plain = vectorize_graph(VectorizeRequest(), "x.png")
    shipped = json.loads(shipped_workflow().read_text(encoding="utf-8"))
    changed = [key for key in shipped if plain[key] != shipped[key]]
    assert [shipped[key]["_meta"]["title"] for key in changed] == ["Image"]


@pytest.mark.parametrize("wrong", [{"route": "photo"}, {"colors": 33}, {"colors": -1}])
def test_a_wrong_request_is_bad_usage(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        VectorizeRequest(**wrong)  # type: ignore[arg-type]


def test_where_results_go(tmp_path: Path) -> None:
    images = [tmp_path / name for name in ("a.png", "a.jpg")]
    for image in images:
        image.write_bytes(b"x")
    assert plan(images[:1], tmp_path / "o.svg", ".svg") == [(images[0], tmp_path / "o.svg")]
    assert [target.name for _, target in plan(images, tmp_path / "out", ".svg")] == ["a.svg", "a-2.svg"]
    for wrong in (lambda: plan(images, tmp_path / "o.svg", ".svg"), lambda: plan(images, images[0], ".svg")):
        with pytest.raises(UsageError):
            wrong()
    with pytest.raises(UsageError, match="no file"):
        plan([tmp_path / "absent.png"], tmp_path, ".svg")


def test_where_host_json_is_looked_for() -> None:
    assert default_config_path({"VECTRAHUB_HOST": "/a/h.json", "VECTRAHUB_CACHE": "/b"}) == Path("/a/h.json")
    assert default_config_path({"VECTRAHUB_CACHE": "/b", "XDG_CACHE_HOME": "/c"}) == Path("/b/host.json")
    assert default_config_path({"XDG_CACHE_HOME": "/c"}) == Path("/c/vectrahub/host.json")
    assert default_config_path({}) == Path.home() / ".cache/vectrahub/host.json"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"python": "/no", "comfyui": "/no", "base": "/no"}'])
def test_a_wrong_host_json_says_how_to_make_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "host.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HostNotPrepared, match="host"):
        load_config(path)
    with pytest.raises(HostNotPrepared, match=r"install\.py host"):
        load_config(tmp_path / "absent.json")
