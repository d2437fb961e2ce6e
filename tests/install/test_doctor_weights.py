"""Which weights `doctor` calls present, by what a server lists. The answers come over HTTP, through the real client."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vectrahub_client import Client
from vectrahub_client._catalogue import CATALOGUE, read_catalogue
from vectrahub_client.doctor import _weight


@contextmanager
def listing(folders: Mapping[str, list[str]]) -> Iterator[Client]:
    """A client of a server that answers GET /models/FOLDER, with 404 where it has no such folder."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            names = folders.get(self.path.removeprefix("/models/"))
            body = b"" if names is None else json.dumps(names).encode()
            self.send_response(404 if names is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with Client(f"http://127.0.0.1:{server.server_port}") as client:
            yield client
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("listed", "present"),
    [
        (None, False),
        ([], False),
        (["omnisvg-8b/model.safetensors"], True),
        (["omnisvg-8b\\pytorch_model.bin"], True),
        (["omnisvg-4b/model.safetensors"], False),
        (["model.safetensors"], False),
        (["my-omnisvg-8b/model.safetensors"], False),
        (["omnisvg-8b/model.safetensors.part"], False),
    ],
)
def test_doctor_knows_a_folder_by_the_path_of_its_weights(listed, present):
    entry = read_catalogue(CATALOGUE)["omnisvg-8b"]
    with listing({} if listed is None else {"omnisvg": listed}) as client:
        weight = _weight(client, "omnisvg-8b", entry)
    assert weight["present"] is present
    assert (weight["file"], weight["folder"]) == ("omnisvg-8b/", "omnisvg")
    assert weight["size"] > 17_000_000_000 and weight["licence"] == "Apache-2.0" and "traced" in weight["without"]


SHARDS = [f"Qwen2.5-VL-3B-Instruct/model-0000{number}-of-00002.safetensors" for number in (1, 2)]


@pytest.mark.parametrize(
    ("listed", "present"),
    [
        (SHARDS, True),
        (["Qwen2.5-VL-3B-Instruct/model.safetensors"], True),
        (["Qwen-VL/" + name for name in SHARDS], True),
        (SHARDS[:1], False),
        ([name.replace("3B", "7B") for name in SHARDS], False),
        ([], False),
    ],
)
def test_doctor_wants_all_shards(listed, present):
    entry = read_catalogue(CATALOGUE)["qwen2.5-vl-3b"]
    with listing({"LLM": listed}) as client:
        assert _weight(client, "qwen2.5-vl-3b", entry)["present"] is present


@pytest.mark.parametrize(
    ("listed", "present"),
    [(["a.pth"], True), (["mine/a.pth"], True), (["mine\\a.pth"], True), (["ba.pth"], False), ([], False)],
)
def test_doctor_knows_a_file_wherever_a_person_put_it(listed, present):
    entry = {"folder": "upscale_models", "file": "a.pth", "size": 3}
    with listing({"upscale_models": listed}) as client:
        assert _weight(client, "a", entry)["present"] is present
