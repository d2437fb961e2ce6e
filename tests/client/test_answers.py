"""Answers of a server that need a word more, or make no sense."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from vectrahub.tests.client.graphs import node, slow
from vectrahub.vectrahub_client._catalogue import read_catalogue, remedy
from vectrahub.vectrahub_client._http import Http
from vectrahub.vectrahub_client._outputs import read_entry
from vectrahub.vectrahub_client._workflow import check_graph, is_link
from vectrahub.vectrahub_client.client import rejection
from vectrahub.vectrahub_client.errors import BadAnswer, UsageError, WorkflowError


def refused(*files: str) -> str:
    error = {"type": "value_not_in_list", "message": "Value not in list", "details": "ckpt_name: not in []"}
    errors = [{**error, "extra_info": {"input_name": "ckpt_name", "received_value": file}} for file in files]
    graph = {"1": node("Checkpoint", "CheckpointLoaderSimple")}
    return str(rejection({"node_errors": {"1": {"errors": errors}}}, graph))


def test_a_refusal_for_a_known_file_says_how_to_get_it() -> None:
    told = refused("flux1-dev-fp8.safetensors", "sub\\flux1-dev-fp8.safetensors")
    for words in ("not in []", "17.2 GB", "FLUX.1 [dev] non-commercial licence", "--checkpoint NAME"):
        assert words in told
    assert told.count("python install.py models get flux1-dev-fp8") == 1
    assert "--no-controlnet" in refused("controlnet-tile-sdxl-1.0.safetensors")
    assert "install.py" not in refused("mine.safetensors")


def test_every_file_of_the_catalogue_has_a_remedy(tmp_path: Any) -> None:
    named = {key: entry for key, entry in read_catalogue().items() if "file" in entry}
    assert len(named) > 5
    for key, entry in named.items():
        assert (way := remedy(entry["file"])) and f"models get {key}" in way and entry["without"] in way
    assert remedy("flux1-dev-fp8.safetensors", tmp_path / "absent.toml") is None


DONE = {"status": {"completed": True}}


@pytest.mark.parametrize(
    "entry",
    [
        {"status": []},
        {"status": {"completed": False, "messages": 5}},
        {"status": {"completed": False, "messages": [["execution_error", 5]]}},
        {**DONE, "outputs": ["x"]},
        {**DONE, "outputs": {"1": ["x"]}},
        {**DONE, "outputs": {"1": {}}, "meta": {"1": "x"}},
        {**DONE, "outputs": {"1": {"vectrahub_report": [{}]}}, "meta": [1]},
    ],
)
def test_a_history_that_makes_no_sense_is_a_bad_answer(entry: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        read_entry("id", entry, slow(1), 1.0)


def test_too_large_a_file_is_bad_usage() -> None:
    request = httpx.Request("POST", "http://h/upload/image")
    http = Http("http://h")
    with pytest.raises(UsageError, match="max-upload-size"):
        http._check(httpx.Response(413, request=request), ())
    with pytest.raises(BadAnswer):
        http._check(httpx.Response(418, request=request), ())


@pytest.mark.parametrize("value", [float("nan"), "\udcff"])
def test_what_json_cannot_say_is_bad_usage(value: object) -> None:
    with pytest.raises(UsageError, match="JSON"):
        Http("http://127.0.0.1:1").post("prompt", {"value": value})


@pytest.mark.parametrize("about", ["x", [1], {"title": 5}, {"title": ["x"]}])
def test_titles_are_words(about: object) -> None:
    with pytest.raises(WorkflowError, match="_meta"):
        check_graph({"1": {"class_type": "X", "inputs": {}, "_meta": about}}, "w")


def test_a_link_has_a_number() -> None:
    assert is_link(["1", 0]) and not any(map(is_link, (["1", "0"], ["1", None], [1, 0], ["1"], "10")))
