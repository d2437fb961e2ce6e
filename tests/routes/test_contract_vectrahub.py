"""S0 on the real host: what the website sends, and what it gets."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from vectrahub.engine.svg.render import render
from vectrahub.tests.routes.old_clients import LINKS, UPLOADS, Old, b64, png
from vectrahub.vectrahub_client.service.net.sign import sign_link, verify

pytestmark = pytest.mark.host

UPLOAD = "/php/api/svg_upload.php"


def asked(old: Old, **more: Any) -> dict[str, Any]:
    """Quick: at the coarsest."""
    return {"input": {"image": f"{old.neighbour.url}/picture.png", "upscale": 1, **more}}


def test_the_seeds_request_becomes_an_svg_at_the_website(old: Old) -> None:
    body = {
        "input": {
            "image": f"{old.neighbour.url}/picture.png",
            "upscale": 4,
            "color_mode": "color",
            "vtracer_params": {},
            "filename": "abc123.png",
        }
    }
    accepted = old.post("/v2/some-endpoint/run", json=body).json()
    assert accepted == {"id": accepted["id"], "status": "IN_QUEUE"}
    said = old.until(f"/v2/some-endpoint/status/{accepted['id']}", lambda one: one["status"] == "COMPLETED")
    assert said["executionTime"] > 0 and said["delayTime"] >= 0
    output = said["output"]
    assert set(output) == {"svg_url", "svg_size", "success", "image_type"}
    assert output["success"] is True and output["svg_url"].startswith("https://pixel2vector.com/")
    upload = old.neighbour.wait_for(UPLOAD, lambda one: one.fields["original_filename"] == "abc123.png")
    assert upload.fields["secret"] == UPLOADS
    assert len(upload.files["svg_file"]) == output["svg_size"]
    middle = render(upload.files["svg_file"], 96, 64)[32, 48]
    assert middle[0] > 180 and middle[2] < 80


def test_a_website_that_fails_leaves_our_own_link(old: Old) -> None:
    with old.neighbour.refusing():
        said = old.post("/runsync", json={"input": {**asked(old)["input"], "image": b64(png())}}).json()
    assert said["status"] == "COMPLETED", said
    output = said["output"]
    assert output["success"] is True and "the disk is full" in output["warning"]
    link = urlsplit(output["svg_url"])
    query = {name: values[0] for name, values in parse_qs(link.query).items()}
    assert (link.path, query["name"], query["dir"]) == (
        "/php/api/file_proxy.php",
        f"vectorized_{said['id']}.svg",
        "outputs",
    )
    assert link.netloc == "gpu.example", "as the client called the server"
    served = old.get(f"{link.path}?{link.query}", token=None)
    assert served.headers["Content-Type"] == "image/svg+xml" and len(served.content) == output["svg_size"]
    assert served.headers["Content-Disposition"].startswith("attachment")
    for change in ({"sig": "0" * 64}, {"expires": str(int(query["expires"]) + 1)}, {"name": "x.svg"}, {"dir": ".."}):
        assert old.get(f"{link.path}?{urlencode({**query, **change})}", token=None).status_code == 403
    over = {**query, "expires": "1000", "sig": sign_link(query["name"], "outputs", 1000, LINKS)}
    assert old.get(f"{link.path}?{urlencode(over)}", token=None).status_code == 403
    later = int(query["expires"])
    for name in ("../config.toml", f"vectorized_{'0' * 8}-0000-0000-0000-{'0' * 12}.svg"):
        signed = {**query, "name": name, "sig": sign_link(name, "outputs", later, LINKS)}
        assert old.get(f"{link.path}?{urlencode(signed)}", token=None).status_code == 404


def test_the_webhook_is_told(old: Old) -> None:
    said = old.post("/run", json={**asked(old), "webhook": f"{old.neighbour.url}/hook"}).json()
    told = old.neighbour.wait_for("/hook", lambda one: one.document["id"] == said["id"])
    assert verify(told.headers, told.body, "the-secret-of-callbacks")
    assert told.document == old.runpod(said["id"])
    assert told.document["status"] == "COMPLETED" and told.document["output"]["svg_url"]


def test_every_value_counts(old: Old) -> None:
    """Black and white has no other fill; VTracer's own curves and grouping give another drawing than ours."""
    drawn = []
    for more in (
        {},
        {"color_mode": "binary"},
        {"vtracer_params": {"mode": "polygon", "hierarchical": "stacked", "color_precision": 3}},
    ):
        name = f"v{len(drawn)}.png"
        said = old.post("/runsync", json=asked(old, filename=name, **more)).json()
        assert said["status"] == "COMPLETED", said
        upload = old.neighbour.wait_for(UPLOAD, lambda one, name=name: one.fields["original_filename"] == name)
        drawn.append(upload.files["svg_file"].decode().lower())
    assert len({*drawn}) == 3
    assert "#d" in drawn[0] and not any(color in drawn[1] for color in ("#d", "#1428", "220")), drawn[1]


@pytest.mark.parametrize("way", ["run", "runsync"])
def test_an_input_that_cannot_be_used_is_a_failed_job(old: Old, way: str) -> None:
    """RunPod takes every input: the website polls, and reads `success` and `error` in the output."""
    for wanted, words in (
        ({"vtracer_params": {"blur": 3}}, ("blur", "corner_threshold")),
        ({"upscale": 3}, ("upscale",)),
        ({"colours": 3}, ("input.colours", "vtracer_params")),
        ({"image": None}, ("image", "action")),
        ({"image": "!!"}, ("base64",)),
        ({"image": b64(b"no picture")}, ("PNG",)),
        ({"image": "https://10.0.0.1/x.png"}, ("10.0.0.1",)),
    ):
        answer = old.post(f"/{way}", json=asked(old, **wanted))
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert said["status"] == "FAILED" and all(word in said["error"] for word in words), said
        assert said["output"] == {"success": False, "error": said["error"]}
        assert old.get(f"/status/{said['id']}").json() == said


def test_a_key_of_a_refused_input_is_free(old: Old) -> None:
    headers = {"Idempotency-Key": "refused-at-first"}
    assert old.post("/run", json=asked(old, upscale=3), headers=headers).json()["status"] == "FAILED"
    assert old.post("/run", json=asked(old), headers=headers).json()["status"] == "IN_QUEUE"


def test_what_is_wrong_with_the_request_is_a_400_that_says_why(old: Old) -> None:
    for body, word in (
        ({"image": "x"}, "input"),
        ({"input": []}, "input"),
        ({**asked(old), "hook": "x"}, "webhook"),
        ({**asked(old), "webhook": "http://169.254.169.254/"}, "169.254"),
    ):
        answer = old.post("/run", json=body)
        assert answer.status_code == 400 and word in answer.json()["error"], answer.text
    assert old.post("/run", json=asked(old), token=None).status_code == 401
    assert old.get("/status/none").status_code == 404
