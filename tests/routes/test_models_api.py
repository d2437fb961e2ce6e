"""Models over real HTTP: uploads that go on after anything, and never replace a file."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from vectrahub.routes.models.uploads import ABANDONED
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.routes.model_files import ModelPlace, model_bytes, model_file
from vectrahub.tests.service.job_server import SECRET, Server

DATA = model_bytes()
NEW = {"filename": "x.safetensors", "model_type": "lora", "base_model": "sdxl", "size": len(DATA)}
KIND = {"Content-Type": "application/offset+octet-stream"}


@pytest.fixture
def place(tmp_path: Path) -> ModelPlace:
    return ModelPlace(tmp_path)


async def start(server: Server, **changed: Any) -> tuple[int, Any]:
    status, body, _ = await server.ask("POST", "/models/uploads", json={**NEW, **changed}, bare=True)
    return status, body


async def begun(server: Server, **changed: Any) -> str:
    status, body = await start(server, **changed)
    assert (status, body["offset"]) == (201, 0), body
    return body["upload_id"]


async def patch(server: Server, upload: str, offset: object, data: object) -> tuple[int, Any, Any]:
    headers = {**KIND, "Upload-Offset": str(offset)}
    return await server.ask("PATCH", f"/models/uploads/{upload}", data=data, headers=headers, bare=True)


async def stands(server: Server, upload: str) -> tuple[int, str | None]:
    status, _, headers = await server.ask("HEAD", f"/models/uploads/{upload}", bare=True)
    return status, headers.get("Upload-Offset")


def test_a_models_whole_life(place: ModelPlace) -> None:
    async def main() -> None:
        async with place.server() as server:
            upload = await begun(server)
            status, body, headers = await patch(server, upload, 0, DATA[:1500])
            assert (status, body, headers["Upload-Offset"]) == (204, b"", "1500")
            assert (await server.ask("GET", "/models", bare=True))[1]["models"] == []
            status, made, headers = await patch(server, upload, 1500, DATA[1500:])
            assert (status, headers["Location"]) == (201, "/vectrahub/v1/models/loras/sdxl/x.safetensors")
            assert (made["type"], made["path"], made["size"]) == ("loras", "sdxl/x.safetensors", len(DATA))
            assert made["base_model"] == "sdxl"
            assert made["sha256"] == hashlib.sha256(DATA).hexdigest()
            _, listed, _ = await server.ask("GET", "/models?type=lora&base_model=sdxl", bare=True)
            assert listed == {"models": [made], "types": ["checkpoints", "loras"]}
            model = "/models/loras/sdxl/x.safetensors"
            status, part, headers = await server.ask("GET", model, headers={"Range": "bytes=10-19"}, bare=True)
            assert (status, part) == (206, DATA[10:20])
            assert headers["Content-Type"] == "application/octet-stream"
            assert (await server.ask("GET", model, bare=True))[1] == DATA
            assert (await server.ask("POST", f"{model}/hash", bare=True))[1] == made
            assert (await server.ask("DELETE", model, bare=True))[:2] == (200, made)
            assert (await server.ask("GET", model, bare=True))[0] == 404
            assert await stands(server, upload) == (404, None)

    asyncio.run(main())
    assert place.left() == []
    assert place.folders.told == ["loras", "loras"]


def test_bytes_belong_where_the_upload_stands(place: ModelPlace) -> None:
    async def main() -> None:
        async with place.server() as server:
            upload = await begun(server)
            for offset in (1, 10**9):
                status, problem, headers = await patch(server, upload, offset, b"abc")
                assert (status, problem["offset"], headers["Upload-Offset"]) == (409, 0, "0")
            for offset in ("", "-1", "x", "1.5"):
                assert (await patch(server, upload, offset, b"abc"))[0] == 400
            assert (await patch(server, upload, 0, DATA[:5]))[0] == 204
            assert (await patch(server, upload, 0, DATA[:5]))[0] == 409, "sent twice"
            assert await stands(server, upload) == (200, "5")

    asyncio.run(main())


def test_what_came_before_a_connection_broke_is_kept(place: ModelPlace) -> None:
    async def main() -> None:
        async with place.server() as server:
            upload = await begun(server, sha256=hashlib.sha256(DATA).hexdigest())
            host, port = server.url.removeprefix("http://").split(":")
            _, writer = await asyncio.open_connection(host, int(port))
            lines = [
                f"PATCH /vectrahub/v1/models/uploads/{upload} HTTP/1.1",
                f"Host: {host}",
                "Upload-Offset: 0",
                f"Content-Type: {KIND['Content-Type']}",
                f"Content-Length: {len(DATA)}",
            ]
            writer.write("\r\n".join([*lines, "", ""]).encode() + DATA[:2000])
            await writer.drain()
            await asyncio.sleep(0.1)
            writer.close()
            while (await stands(server, upload))[1] == "0":
                await asyncio.sleep(0.02)
            offset = int((await stands(server, upload))[1] or 0)
            assert offset == 2000
            status, made, _ = await patch(server, upload, offset, DATA[offset:])
            assert (status, made["size"]) == (201, len(DATA))

    asyncio.run(main())
    assert place.lora.read_bytes() == DATA


@pytest.mark.parametrize("sha256", [None, hashlib.sha256(DATA).hexdigest()])
def test_an_upload_goes_on_after_a_restart(place: ModelPlace, sha256: str | None) -> None:
    async def main() -> None:
        async with place.server() as server:
            upload = await begun(server, sha256=sha256)
            await patch(server, upload, 0, DATA[:100])
        (part,) = place.lora.parent.glob(".*.part")
        with part.open("ab") as file:  # a write that died with its process, and that nobody was told of
            file.write(b"torn")
        async with place.server() as server:
            assert await stands(server, upload) == (200, "100")
            assert (await patch(server, upload, 100, DATA[100:]))[0] == 201

    asyncio.run(main())
    assert place.lora.read_bytes() == DATA
    assert place.left() == ["x.safetensors"]


def test_a_process_that_died_right_after_the_rename_leaves_no_trace(place: ModelPlace) -> None:
    async def main() -> None:
        async with place.server() as server:
            upload = await begun(server)
            await patch(server, upload, 0, DATA[:100])
        (part,) = place.lora.parent.glob(".*.part")
        os.link(part, place.lora)
        async with place.server() as server:
            assert await stands(server, upload) == (404, None)

    asyncio.run(main())
    assert place.left() == ["x.safetensors"]


@pytest.mark.parametrize(
    ("data", "changed", "why"),
    [
        (DATA, {"sha256": "0" * 64}, "sha256"),
        (b"#!/bin/sh\n" * 10, {}, "safetensors"),
        (DATA[:-1], {}, "not fully covered"),
        (b"\x02" + b"\0" * 7 + b"{}", {}, "no tensors"),
    ],
)
def test_what_is_no_model_or_another_one_never_gets_a_name(
    place: ModelPlace, data: bytes, changed: dict[str, str], why: str
) -> None:
    async def main() -> None:
        async with place.server() as server:
            upload = await begun(server, size=len(data), **changed)
            status, problem, _ = await patch(server, upload, 0, data)
            assert status == 422
            assert why in problem["detail"]
            assert await stands(server, upload) == (404, None)

    asyncio.run(main())
    assert place.left() == []


@pytest.mark.parametrize("other_root", [False, True])
def test_a_file_that_is_there_is_never_replaced(place: ModelPlace, other_root: bool) -> None:
    root = place.folders.root / ("more" if other_root else "loras")

    async def main() -> None:
        async with place.server() as server:
            model_file(root / "sdxl" / "x.safetensors", values=7)
            assert (await start(server))[0] == 409

    asyncio.run(main())


def test_a_file_that_came_meanwhile_is_not_replaced_either(place: ModelPlace) -> None:
    async def main() -> None:
        async with place.server() as server:
            upload = await begun(server)
            before = model_file(place.lora, values=7).read_bytes()
            status, problem, _ = await patch(server, upload, 0, DATA)
            assert (status, problem["type"]) == (409, "urn:vectrahub:problem:exists")
            assert place.lora.read_bytes() == before

    asyncio.run(main())
    assert place.left() == ["x.safetensors"]


def test_two_uploads_of_one_name(place: ModelPlace) -> None:
    async def main() -> None:
        async with place.server() as server:
            answers = await asyncio.gather(*(start(server) for _ in range(5)))
            assert sorted(status for status, _ in answers) == [201, 409, 409, 409, 409]
            (first,) = [body["upload_id"] for status, body in answers if status == 201]
            assert {body["upload_id"] for status, body in answers if status == 409} == {first}
            assert (await server.ask("DELETE", f"/models/uploads/{first}", bare=True))[0] == 204
            await begun(server)

    asyncio.run(main())


async def _slowly(*pieces: bytes, gate: asyncio.Event) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await gate.wait()


def test_one_request_at_a_time_adds_to_an_upload(place: ModelPlace) -> None:
    async def main() -> None:
        async with place.server() as server:
            upload, gate = await begun(server), asyncio.Event()
            slow = asyncio.create_task(patch(server, upload, 0, _slowly(DATA[:50], DATA[50:], gate=gate)))
            while (await patch(server, upload, 7, b""))[1]["type"] != "urn:vectrahub:problem:uploading":
                await asyncio.sleep(0.02)
            assert (await server.ask("DELETE", f"/models/uploads/{upload}", bare=True))[0] == 409
            gate.set()
            assert (await slow)[0] == 201

    asyncio.run(main())
    assert place.lora.read_bytes() == DATA


def test_more_than_was_announced_or_allowed_is_refused(place: ModelPlace) -> None:
    async def many(data: bytes) -> AsyncIterator[bytes]:
        yield data

    async def main() -> None:
        async with place.server(body_mb=0.002) as server:  # 2097 bytes
            upload = await begun(server, size=3000)
            for body in (b"x" * 2500, many(b"x" * 2500)):
                status, problem, _ = await patch(server, upload, 0, body)
                assert (status, "limits.body_mb" in problem["detail"]) == (413, True)
            assert (await patch(server, upload, 0, b"x" * 2000))[0] == 204
            for body in (b"x" * 1001, many(b"x" * 1001)):
                assert (await patch(server, upload, 2000, body))[0] == 413
            assert await stands(server, upload) == (200, "2000")

    asyncio.run(main())


@pytest.mark.parametrize(
    "changed",
    [
        {"filename": "../x.safetensors"},
        {"filename": "sub/x.safetensors"},
        {"filename": ".x.safetensors"},
        {"filename": "x.ckpt"},
        {"filename": "x.safetensors\n"},
        {"filename": "con.safetensors"},
        {"filename": "x" * 200 + ".safetensors"},
        {"base_model": "../sdxl"},
        {"base_model": "a/b"},
        {"base_model": ".."},
        {"size": 8},
        {"size": "10"},
        {"sha256": "abc"},
        {"more": 1},
    ],
)
def test_names_and_values_outside_their_limits(place: ModelPlace, changed: dict[str, object]) -> None:
    async def main() -> None:
        async with place.server() as server:
            assert (await start(server, **changed))[0] == 422

    asyncio.run(main())
    assert place.left() == []


def test_no_room_no_type_no_place_outside(place: ModelPlace, tmp_path: Path) -> None:
    async def main() -> None:
        async with place.server() as server:
            status, problem = await start(server, size=2**53)
            assert (status, problem["type"]) == (507, "urn:vectrahub:problem:no-space")
            assert (await start(server, model_type="custom_nodes"))[0] == 404
            (tmp_path / "outside").mkdir()
            (place.folders.root / "loras" / "out").symlink_to(tmp_path / "outside")
            assert (await start(server, base_model="out"))[0] == 409

    asyncio.run(main())
    assert not [*(tmp_path / "outside").iterdir()]


def test_a_token_for_jobs_opens_nothing_here(place: ModelPlace) -> None:
    async def main() -> None:
        async with place.server() as server:
            for method, path in (("GET", "/models"), ("POST", "/models/uploads"), ("DELETE", "/models/loras/x")):
                headers = {"Authorization": f"Bearer {SECRET}"}
                assert (await server.ask(method, path, headers=headers))[0] == 403

    asyncio.run(main())


def test_the_openapi_document_has_the_models(place: ModelPlace) -> None:
    async def main() -> None:
        async with place.server() as server:
            _, document, _ = await server.ask("GET", "/openapi.json", bare=True)
            found = {path for path in document["paths"] if "/models" in path}
            model = "/vectrahub/v1/models/{type}/{path}"
            uploads = {"/vectrahub/v1/models/uploads", "/vectrahub/v1/models/uploads/{upload_id}"}
            assert found == {"/vectrahub/v1/models", model, f"{model}/hash", *uploads}

    asyncio.run(main())


def test_what_nobody_goes_on_with_is_removed_after_a_day(place: ModelPlace) -> None:
    async def main() -> None:
        async with place.server() as server:
            await begun(server)
            await begun(server, filename="y.safetensors")
        records = {json.loads(path.read_text())["filename"]: path for path in place.lora.parent.glob(".*.json")}
        long_ago = time.time() - ABANDONED - 1
        os.utime(records["x.safetensors"], (long_ago, long_ago))
        orphan = place.lora.parent / ".vectrahub-0.part"
        orphan.touch()
        os.utime(orphan, (0, 0))
        uploads = place.uploads()
        await uploads.sweep()
        assert await uploads.find("loras", "x.safetensors", "sdxl") is None
        assert await uploads.find("loras", "y.safetensors", "sdxl") is not None

    asyncio.run(main())
    assert len(place.left()) == 2


# On the real host.


def test_the_hosts_own_lists_follow(host: RunningHost) -> None:
    models = f"{host.url}/vectrahub/v1/models"
    new = {**NEW, "filename": "uploaded-now.safetensors"}
    with httpx.Client(timeout=60, trust_env=False) as http:

        def listed() -> bool:
            info = http.get(f"{host.url}/object_info/LoraLoader").json()["LoraLoader"]
            return "sdxl/uploaded-now.safetensors" in info["input"]["required"]["lora_name"][0]

        assert not listed()
        upload = f"{host.url}{http.post(f'{models}/uploads', json=new).headers['Location']}"
        assert http.head(upload).headers["Upload-Offset"] == "0"
        made = http.patch(upload, content=DATA, headers={**KIND, "Upload-Offset": "0"})
        assert made.status_code == 201, made.text
        assert listed()
        model = f"{host.url}{made.headers['Location']}"
        assert http.get(model).content == DATA
        assert http.get(models, params={"type": "lora"}).json()["models"][0]["path"] == made.json()["path"]
        assert http.delete(model).status_code == 200
        assert not listed()
