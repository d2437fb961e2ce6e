from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vectrahub.tests.client.graphs import empty_to_png, node, save, scale_image
from vectrahub.vectrahub_client._workflow import check_graph, read_workflow, set_image, set_value, split_assignment
from vectrahub.vectrahub_client.errors import WorkflowError

SCHEMAS: dict[str, Any] = {
    "EmptyImage": {
        "input": {
            "required": {
                "width": ["INT", {"min": 1, "max": 100}],
                "height": ["INT", {"min": 1, "max": 100}],
                "share": ["FLOAT", {"min": 0.0, "max": 1.0}],
                "old_combo": [["red", "green"], {}],
                "combo": ["COMBO", {"options": ["auto", 1, 2]}],
            },
            "optional": {"flip": ["BOOLEAN", {}], "text": ["STRING", {"multiline": True}], "mask": ["MASK"]},
        }
    },
    "ImageScale": {"input": {"required": {"width": ["INT", {}], "image": ["IMAGE"]}}},
    "LoadImage": {"input": {"required": {"image": [["a.png"], {"image_upload": True}]}}},
    "SaveImage": {"input": {"required": {"images": ["IMAGE"], "filename_prefix": ["STRING", {}]}}},
}
schema_of = SCHEMAS.get


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("Blank.width", "7", 7),
        ("Blank.share", "0.5", 0.5),
        ("Blank.share", "1", 1.0),
        ("Blank.flip", "Yes", True),
        ("Blank.flip", "0", False),
        ("Blank.text", "a=b\nc", "a=b\nc"),
        ("Blank.text", "", ""),
        ("Blank.old_combo", "green", "green"),
        ("Blank.combo", "2", 2),
        ("1.height", "9", 9),
        ("width", "11", 11),
        ("flip", "true", True),  # optional and not in the file, but only one node has it
    ],
)
def test_a_value_is_parsed_by_its_schema(name: str, text: str, value: object) -> None:
    graph = empty_to_png()
    set_value(graph, name, text, schema_of)
    found = graph["1"]["inputs"][name.rpartition(".")[2]]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("Blank.width", "1.5", ["Blank.width", "whole number", "'1.5'"]),
        ("Blank.width", "101", ["1 to 100", "101"]),
        ("Blank.share", "nan", ["number"]),
        ("Blank.share", "-0.1", ["0.0 to 1.0"]),
        ("Blank.flip", "maybe", ["true or false"]),
        ("Blank.old_combo", "gren", ["did you mean 'green'"]),
        ("Blank.combo", "zzz", ["one of: auto, 1, 2"]),
        ("Blank.mask", "x", ["MASK socket"]),
        ("Blank.nothing", "1", ["no input 'nothing'", "width"]),
        ("Nobody.width", "1", ["no node is titled 'Nobody'", "Blank", "Keep"]),
        ("nothing", "1", ["no node has an input 'nothing'", "Blank.width", "Keep.filename_prefix"]),
    ],
)
def test_a_wrong_value_says_what_would_be_right(name: str, text: str, words: list[str]) -> None:
    with pytest.raises(WorkflowError) as caught:
        set_value(empty_to_png(), name, text, schema_of)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_bare_name_must_be_unambiguous() -> None:
    graph = {**empty_to_png(), "9": node("Other", "ImageScale", width=3, image=["1", 0])}
    with pytest.raises(WorkflowError, match=r"say which: Blank\.width, Other\.width"):
        set_value(graph, "width", "5", schema_of)


def test_two_nodes_of_one_title_need_an_id() -> None:
    graph = {**empty_to_png(), "9": node("Blank", "EmptyImage", width=3)}
    with pytest.raises(WorkflowError, match="1, 9"):
        set_value(graph, "Blank.width", "5", schema_of)
    set_value(graph, "9.width", "5", schema_of)
    assert graph["9"]["inputs"]["width"] == 5


def test_a_node_that_the_server_lacks_is_named() -> None:
    graph = {"1": node("Odd", "NoSuchNode", x=1)}
    with pytest.raises(WorkflowError, match="NoSuchNode"):
        set_value(graph, "Odd.x", "1", schema_of)


def test_an_image_goes_to_the_loader_only() -> None:
    graph = scale_image()
    set_image(graph, "Picture", "sub/a b.png", schema_of)
    assert graph["1"]["inputs"]["image"] == "sub/a b.png"
    with pytest.raises(WorkflowError, match="loads no file; these load images: Picture"):
        set_image(graph, "Scale", "a.png", schema_of)


@pytest.mark.parametrize("text", ["novalue", "=x", " =x", ""])
def test_an_assignment_needs_a_name_and_a_sign(text: str) -> None:
    with pytest.raises(WorkflowError, match="NAME=VALUE"):
        split_assignment(text, "--set")


def test_the_value_begins_at_the_first_sign() -> None:
    assert split_assignment("Save.text=a=b", "--set") == ("Save.text", "a=b")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"nodes": [], "links": []}, r"UI format.*Export \(API\)"),
        ([], "not an API-format workflow"),
        ({}, "not an API-format workflow"),
        ({"1": {"inputs": {}}}, "node '1' has no class_type"),
        ({"1": 5}, "node '1'"),
        ({"1": {"class_type": "A", "inputs": []}}, "node '1'"),
    ],
)
def test_what_is_no_api_workflow_says_so(data: object, words: str) -> None:
    with pytest.raises(WorkflowError, match=words):
        check_graph(data, "x.json")


def test_reading_takes_a_whole_body_and_copies_it(tmp_path: Path) -> None:
    graph = empty_to_png()
    assert read_workflow(save({"prompt": graph, "client_id": "x"}, tmp_path / "w.json")) == graph
    checked = check_graph(graph, "graph")
    checked["1"]["inputs"]["width"] = 99
    assert graph["1"]["inputs"]["width"] == 16


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_file_that_is_no_json_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.json"
    path.write_bytes(content)
    with pytest.raises(WorkflowError, match=r"w\.json"):
        read_workflow(path)
    with pytest.raises(WorkflowError, match="cannot read"):
        read_workflow(tmp_path / "absent.json")
