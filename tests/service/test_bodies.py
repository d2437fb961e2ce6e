import asyncio
import base64
import gzip
import hashlib
import json
import os

import aiohttp
import pytest
from aiohttp import web

from vectrahub.tests.service.job_server import job_server
from vectrahub.vectrahub_client.service import bodies
from vectrahub.vectrahub_client.service.bodies import read_body
from vectrahub.vectrahub_client.service.inline_files import decode, is_address
from vectrahub.vectrahub_client.service.problems import Problem
from vectrahub.vectrahub_client.service.route import PREFIX, Route
from vectrahub.vectrahub_client.service.strict_json import MAX_VALUES, parse


def send(tmp_path, limits=None, **how):
    """What the reader makes of a body, as JSON: the document and the digests of the files."""
    folder = tmp_path / "files"
    folder.mkdir()

    async def main():
        async def handler(request, caller):
            async with server.service.gate.place(request, caller) as place:
                body = await read_body(place, folder)
            files = {name: [one.digest, one.bytes] for name, one in body.files.items()}
            assert all(hashlib.sha256(one.path.read_bytes()).hexdigest() == one.digest for one in body.files.values())
            return web.json_response({"document": body.document, "files": files})

        routes = [Route("POST", f"{PREFIX}/under-test", handler, "jobs")]
        async with job_server(tmp_path, routes, **({"limits": limits} if limits else {})) as server:
            return (await server.ask("POST", "/under-test", **how))[:2]

    return asyncio.run(main())


JSON = {"Content-Type": "application/json"}


def send_text(tmp_path, text, **more):
    data = text if isinstance(text, bytes) else text.encode()
    return send(tmp_path, data=data, headers=JSON, **more)


async def pieces(*parts):
    for part in parts:
        yield part


def test_json_arrives(tmp_path):
    assert send(tmp_path, json={"a": [1, 2.5, None, "\u00fc\u2028"]})[1]["document"] == {
        "a": [1, 2.5, None, "\u00fc\u2028"]
    }


def test_a_compressed_body_is_a_415(tmp_path):
    headers = {**JSON, "Content-Encoding": "gzip"}
    status, body = send(tmp_path, data=gzip.compress(b'{"a": 1}'), headers=headers)
    assert status == 415 and "gzip" in body["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
def test_another_kind_of_body_is_a_415(tmp_path, kind):
    status, body = send(tmp_path, data=b"{}", headers={"Content-Type": kind})
    assert status == 415 and "application/json" in body["detail"]
    assert ("no Content-Type" in body["detail"]) == (kind == "")


@pytest.mark.parametrize("length", [True, False], ids=["said", "not said"])
def test_too_many_bytes_are_a_413(tmp_path, length):
    data = b'"' + b"a" * 2_000_000 + b'"'
    status, body = send(
        tmp_path, {"body_mb": 1}, data=data if length else pieces(data[:900_000], data[900_000:]), headers=JSON
    )
    assert status == 413 and "1048576" in body["detail"]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 70 + "1" + "}" * 70, "[" * 65 + "]" * 65])
def test_deep_json_is_a_400(tmp_path, text):
    status, body = send_text(tmp_path, text)
    assert status == 400 and "64" in body["detail"]


def test_brackets_in_strings_are_no_depth():
    assert parse(b'["' + b"[" * 1000 + b'\\"[[[\\\\"]', 4) == ["[" * 1000 + '"[[[\\']


def test_too_many_values_are_refused_before_they_are_made():
    with pytest.raises(Problem, match=str(MAX_VALUES)):
        parse(b"[" + b"0," * MAX_VALUES + b"0]", 4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nonsense",
        '{"a": 1, "a": 2}',
        '{"b": {"a": 1, "a": 1}}',
        "[NaN]",
        "[Infinity]",
        "[-Infinity]",
        "[1e999]",
        "[" + "9" * 5000 + "]",
        '["\\ud800"]',
        '{"\\udfff": 1}',
        b'["\xff"]',
        b'["\xed\xa0\x80"]',
        b"\xef\xbb\xbf{}",
        '["\n"]',
        "{} {}",
        "]]]",
    ],
)
def test_json_that_is_none_is_a_400(tmp_path, text):
    assert send_text(tmp_path, text)[0] == 400


def test_a_whole_pair_of_surrogates_is_a_character():
    assert parse(b'["\\ud83d\\ude00"]', 4) == ["\U0001f600"]


def test_a_form_arrives_in_files(tmp_path):
    picture = os.urandom(3_000_000)
    form = aiohttp.FormData()
    form.add_field("image", picture, filename="../../etc/passwd")
    form.add_field("request", '{"params": {}}', content_type="application/json")
    status, body = send(tmp_path, data=form)
    assert status == 200 and body["document"] == {"params": {}}
    assert body["files"] == {"image": [hashlib.sha256(picture).hexdigest(), 3_000_000]}
    assert {path.name for path in (tmp_path / "files").iterdir()} <= {"part-1", "part-2"}


def test_a_form_without_a_request_is_an_empty_one(tmp_path):
    form = aiohttp.FormData()
    form.add_field("image", b"x", filename="x")
    assert send(tmp_path, data=form)[1]["document"] == {}


def multipart(*parts, boundary="b", end=True):
    text = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return text + (f"--{boundary}--\r\n".encode() if end else b"")


def part(name, content=b"x", more=b""):
    return b'Content-Disposition: form-data; name="' + name + b'"\r\n' + more + b"\r\n" + content


FORM = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        multipart(part(b"a"), end=False),
        multipart(part(b"a"), part(b"a")),
        multipart(part(b"")),
        multipart(part(b"a\0b")),
        multipart(b"\r\nno name"),
        multipart(part(b"x" * 300)),
        multipart(part(b"a", more=b"Content-Transfer-Encoding: base64\r\n")),
        multipart(part(b"a", b"--c\r\n\r\n--c--", more=b"Content-Type: multipart/mixed; boundary=c\r\n")),
        multipart(part(b"a", more=b"Content-Type: multipart/mixed\r\n")),
        multipart(part(b"a", more=b"X: " + b"y" * 100_000 + b"\r\n")),
        multipart(part(b"a", more=b"".join(b"X%d: y\r\n" % n for n in range(1000)))),
        multipart(part(b"a", more=b"no header\r\n")),
        multipart(*(part(b"n%d" % n) for n in range(100))),
        multipart(part(b"request", b"{")),
        multipart(part(b"request", b"\xff")),
        multipart(part(b"_charset_", b"y" * 50), part(b"a")),
        multipart(part(b"_charset_", b"\xff\xfe"), part(b"a")),
    ],
    ids=range(19),
)
def test_a_form_that_is_none_is_a_400(tmp_path, data):
    assert send(tmp_path, data=data, headers=FORM)[0] == 400


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=" + "b" * 80])
def test_a_form_without_a_usable_boundary_is_a_400(tmp_path, kind):
    assert send(tmp_path, data=multipart(part(b"a")), headers={"Content-Type": kind})[0] == 400


@pytest.mark.parametrize("length", [True, False], ids=["said", "not said"])
def test_a_form_with_too_many_bytes_is_a_413(tmp_path, length):
    data = multipart(part(b"a", b"x" * 700_000), part(b"c", b"x" * 700_000))
    body = data if length else pieces(data[:900_000], data[900_000:])
    assert send(tmp_path, {"body_mb": 1}, data=body, headers=FORM)[0] == 413


def test_a_body_that_does_not_end_in_time_is_a_408(tmp_path, monkeypatch):
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.2)

    async def slow():
        yield b"{"
        await asyncio.sleep(2)
        yield b"}"

    assert send(tmp_path, data=slow(), headers=JSON)[0] == 408


@pytest.mark.parametrize(
    ("start", "headers"), [(b"{", JSON), (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx', FORM)]
)
def test_a_body_that_stalls_is_a_408(tmp_path, monkeypatch, start, headers):
    monkeypatch.setattr(bodies, "STALL_SECONDS", 0.2)

    async def stalls():
        yield start
        await asyncio.sleep(20)

    status, body = send(tmp_path, data=stalls(), headers=headers)
    assert status == 408 and "0.2 s" in body["detail"]


def test_the_request_of_a_form_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(bodies, "ON_THE_WAY", 1000)
    form = aiohttp.FormData()
    form.add_field("request", json.dumps({"a": "b" * 1000}), content_type="application/json")
    assert send(tmp_path, data=form)[0] == 413


def written(tmp_path, text, limit=1 << 24):
    stored = decode(text, tmp_path / "file", "image", limit)
    assert stored.digest == hashlib.sha256(stored.path.read_bytes()).hexdigest()
    return stored.path.read_bytes()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 3 << 20, (3 << 20) + 1, (6 << 20) - 1])
def test_base64_of_any_length_is_decoded(tmp_path, size):
    data = os.urandom(size)
    assert written(tmp_path, base64.b64encode(data).decode()) == data


def test_line_breaks_and_data_uris_are_tolerated(tmp_path):
    data = os.urandom(5_000_000)
    lines = base64.encodebytes(data).decode().replace("\n", "\r\n")
    assert written(tmp_path, "data:image/png;charset=x;base64," + lines) == data


@pytest.mark.parametrize(
    "text",
    ["", "   ", "AAA", "A", "AA=A", "AA==AA==", "AAAA====", "====", "AA-_", "AAA\u00e4", "AA\0A", "data:,abc",
     "data:image/png,abcd", "data:image/png;base64,", "data:" + "x" * 5000],
)  # fmt: skip
def test_what_is_no_base64_is_refused_by_name(tmp_path, text):
    with pytest.raises(Problem) as caught:
        decode(text, tmp_path / "file", "image", 1000)
    assert caught.value.status == 422 and "files.image" in caught.value.detail


def test_base64_above_the_limit_is_a_413(tmp_path):
    with pytest.raises(Problem) as caught:
        decode("A" * 4000, tmp_path / "file", "image", 100)
    assert caught.value.status == 413


def test_addresses_are_told_from_files():
    assert is_address("https://a.example/b") and is_address(" FILE:///etc/passwd") and is_address("gopher://x")
    assert not is_address("AAAA") and not is_address("data:image/png;base64,AAAA") and not is_address("//host/path")
