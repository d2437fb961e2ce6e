"""The command line and the library against the real host."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import httpx
import pytest
from PIL import Image

from vectrahub.tests.client.conftest import Cli
from vectrahub.tests.client.graphs import empty_to_png, node, save, scale_image, slow, through
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.vectrahub_client import Client, Event, JobFailed, JobRejected, JobResult, _discover, examine
from vectrahub.vectrahub_client._outputs import OutputFile
from vectrahub.vectrahub_client.errors import BadAnswer, HostNotPrepared, JobCancelled, JobTimeout, OutputError


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "my logo \U0001f680 [output].png"
    Image.new("RGB", (4, 2), (0, 128, 255)).save(path)
    return path


def jobs_of(host: RunningHost) -> dict[str, str]:
    answer = httpx.get(f"{host.url}/api/jobs", trust_env=False, timeout=60).json()
    return {job["id"]: job["status"] for job in answer["jobs"]}


def test_run_uploads_sets_and_downloads(cli: Cli, host: RunningHost, tmp_path: Path, picture: Path) -> None:
    workflow = save(scale_image(), tmp_path / "w.json")
    out = tmp_path / "out"
    command = ["run", workflow, "--server", host.url, "--image", f"Picture={picture}", "--set", "Scale.width=20"]
    done = cli(*command, "--set", "height=10", "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    (written,) = out.iterdir()
    assert done.stdout == f"{written}\n"
    with Image.open(written) as image:
        assert image.size == (20, 10) and image.convert("RGB").getpixel((0, 0)) == (0, 128, 255)


def test_json_lines_tell_the_whole_story(cli: Cli, host: RunningHost, tmp_path: Path) -> None:
    workflow = save(slow(0.5), tmp_path / "w.json")
    done = cli("run", workflow, "--json", "--out", tmp_path, "--report", tmp_path / "r.json", COMFYUI_URL=host.url)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [line["event"] for line in lines]
    assert done.returncode == 0, done.stdout
    assert kinds[0] == "say" and kinds[-1] == "result"
    assert {"queued", "node", "progress", "done"} <= set(kinds)
    shares = [line["share"] for line in lines if "share" in line]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert {line["title"] for line in lines if line["event"] == "progress"} == {"Nap"}
    assert Path(lines[-1]["files"][0]).is_file()
    assert json.loads((tmp_path / "r.json").read_text()) == {"w": {}}


def test_existing_files_are_kept(cli: Cli, host: RunningHost, tmp_path: Path) -> None:
    workflow = save(empty_to_png(), tmp_path / "w.json")
    first = cli("run", workflow, "--server", host.url, "-o", tmp_path / "out")
    again = cli("run", workflow, "--server", host.url, "-o", tmp_path / "out")  # cached: the same file of the server
    assert (first.returncode, again.returncode) == (0, 0)
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_failing_node_is_exit_1_and_named(cli: Cli, host: RunningHost, tmp_path: Path) -> None:
    workflow = save(through("VectraHubTest_Fail", "My step", reason="no paint left"), tmp_path / "w.json")
    done = cli("run", workflow, "--server", host.url, "-o", tmp_path / "out")
    assert done.returncode == 1 and done.stdout == ""
    assert all(word in done.stderr for word in ("My step", "VectraHubTest_Fail", "no paint left")), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


REFUSED = {
    "wrong type": ({**empty_to_png(), "1": node("Blank", "EmptyImage", width="wide", height=8, batch_size=1, color=0)}),
    "out of range": ({**empty_to_png(), "1": node("Blank", "EmptyImage", width=-4, height=8, batch_size=1, color=0)}),
    "missing input": ({**empty_to_png(), "1": node("Blank", "EmptyImage", width=4)}),
    "unknown node": ({**empty_to_png(), "1": node("Blank", "NoSuchNode", width=4)}),
    "unknown choice": ({**scale_image(), "1": node("Blank", "EmptyImage", width=4, height=4, batch_size=1, color=0)}),
    "no output": ({"1": empty_to_png()["1"]}),
}
REFUSED["unknown choice"]["2"]["inputs"]["upscale_method"] = "magic"


@pytest.mark.parametrize("what", REFUSED)
def test_a_refused_workflow_is_exit_2(what: str, cli: Cli, host: RunningHost, tmp_path: Path) -> None:
    done = cli("run", save(REFUSED[what], tmp_path / "w.json"), "--server", host.url)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    words = {"no output": "no outputs", "unknown node": "NoSuchNode", "unknown choice": "Scale"}.get(what, "Blank")
    assert words in done.stderr, done.stderr


def test_half_a_workflow_is_not_run(host: RunningHost) -> None:
    """The host would run the valid output and only mention the other."""
    graph = slow(600)
    graph["8"] = node("Bad", "EmptyImage", width=-1, height=1, batch_size=1, color=0)
    graph["9"] = node("Bad end", "SaveImage", images=["8", 0], filename_prefix="bad")
    before = jobs_of(host)
    with Client(host.url) as client, pytest.raises(JobRejected, match="Bad") as caught:
        client.run(graph)
    assert caught.value.title in ("Bad", "Bad end")
    wait_until_idle(host)
    new = {key: state for key, state in jobs_of(host).items() if key not in before}
    assert set(new.values()) <= {"cancelled"}


def wait_until_idle(host: RunningHost, seconds: float = 120) -> None:
    pause = threading.Event()
    for _ in range(int(seconds / 0.1)):
        queue = httpx.get(f"{host.url}/queue", trust_env=False, timeout=60).json()
        if not queue["queue_running"] and not queue["queue_pending"]:
            return
        pause.wait(0.1)
    raise AssertionError(f"still busy after {seconds} s")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "Blank.width=wide"], "whole number"),
        (["--set", "Blank.width=0"], "Blank.width is 1 to"),
        (["--set", "nowhere=1"], "Blank.height"),
        (["--set", "Blank.width"], "NAME=VALUE"),
        (["--image", "Blank=/does/not/exist.png"], "no file"),
        (["--server", "ftp://x"], "HOST:PORT"),
        (["--timeout", "0"], "above 0"),
        (["--bogus"], "--bogus"),
    ],
)
def test_bad_usage_is_exit_2(arguments: list[str], words: str, cli: Cli, host: RunningHost, tmp_path: Path) -> None:
    done = cli("run", save(empty_to_png(), tmp_path / "w.json"), "--server", host.url, *arguments)
    assert done.returncode == 2 and words in done.stderr, done.stderr


def test_a_ui_workflow_is_exit_2(cli: Cli, tmp_path: Path) -> None:
    done = cli("run", save({"nodes": [], "links": [], "version": 0.4}, tmp_path / "w.json"))
    assert done.returncode == 2 and "Export (API)" in done.stderr


def test_two_runs_at_once(host: RunningHost, tmp_path: Path) -> None:
    heard: dict[str, list[Event]] = {"a": [], "b": []}
    files: dict[str, list[Path]] = {}

    def run(client: Client, name: str) -> None:
        graph = slow(0.5)
        graph["2"]["inputs"]["filename_prefix"] = f"both-{name}"
        result = client.run(graph, on_event=heard[name].append, timeout=240)
        files[name] = client.download_all(result, tmp_path)

    with Client(host.url) as client:
        threads = [threading.Thread(target=run, args=(client, name)) for name in heard]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(240)
    for name, events in heard.items():
        assert [path.name.startswith(f"both-{name}") for path in files[name]] == [True]
        assert len({event.prompt_id for event in events}) == 1 and events[-1].kind == "done"
        assert any(event.kind == "progress" for event in events)


def test_a_timeout_cancels_the_job(host: RunningHost) -> None:
    with Client(host.url) as client, pytest.raises(JobTimeout, match=r"longer than 0\.7 s"):
        client.run(slow(600), timeout=0.7)
    wait_until_idle(host)


def test_a_listener_that_raises_cancels_the_job(host: RunningHost) -> None:
    def stop(event: Event) -> None:
        if event.kind == "progress":
            raise LookupError("enough")

    with Client(host.url) as client, pytest.raises(LookupError):
        client.run(slow(600), on_event=stop)
    wait_until_idle(host)


def test_cancelled_by_somebody_else(host: RunningHost) -> None:
    with Client(host.url) as client, Client(host.url) as other:

        def cancel(event: Event) -> None:
            if event.kind == "progress":
                other.cancel(event.prompt_id)

        with pytest.raises(JobCancelled):
            client.run(slow(600), on_event=cancel, timeout=120)
    wait_until_idle(host)


def test_a_waiting_job_is_taken_from_the_queue(host: RunningHost) -> None:
    with Client(host.url) as client:
        started = threading.Event()

        def ahead() -> None:
            with pytest.raises(JobCancelled):
                client.run(slow(600), on_event=lambda event: event.kind == "progress" and started.set())

        first = threading.Thread(target=ahead)
        first.start()
        assert started.wait(120)
        with pytest.raises(JobTimeout):
            client.run(slow(600), timeout=0.3)
        left = httpx.get(f"{host.url}/queue", trust_env=False, timeout=60).json()
        assert (len(left["queue_running"]), left["queue_pending"]) == (1, [])
        client.cancel(left["queue_running"][0][1])
        first.join(120)
        assert not first.is_alive()
    wait_until_idle(host)


def test_reports_come_from_the_history(host: RunningHost) -> None:
    graph = empty_to_png()
    graph["4"] = node("Stage", "VectraHubTest_Report", image=["1", 0], report='{"stage": "x", "images": [{"a": 1}]}')
    with Client(host.url) as client:
        result = client.run(graph)
    assert result.reports == {"Stage": {"stage": "x", "images": [{"a": 1}]}}


def test_library_errors_carry_the_node(host: RunningHost) -> None:
    with Client(host.url) as client, pytest.raises(JobFailed) as caught:
        client.run(through("VectraHubTest_Fail", "Step", reason="r\u00e9ason \U0001f622"))
    assert (caught.value.title, caught.value.node_type, caught.value.node_id) == ("Step", "VectraHubTest_Fail", "3")
    assert "r\u00e9ason \U0001f622" in str(caught.value)


def test_names_from_the_server_cannot_leave_the_folder(host: RunningHost, tmp_path: Path) -> None:
    (host.output / "real.png").write_bytes(b"data")
    out = tmp_path / "out"
    with Client(host.url) as client:
        for hostile in ("../../evil.png", "..\\..\\evil.png", "/etc/evil"):
            file = OutputFile("1", "x", hostile, "", "output")
            with pytest.raises(BadAnswer):  # the real server refuses; a false one would only reach `out`
                client.download_all(_result(file), out)
        inside = OutputFile("1", "x", "real.png", "", "output")
        (written,) = client.download_all(_result(inside), out)
    assert written.parent == out and written.read_bytes() == b"data"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["real.png"]


def _result(file: OutputFile) -> JobResult:
    return JobResult("id", (file,), {}, {}, 0.0)


def test_a_result_that_cannot_be_written_is_an_output_error(host: RunningHost, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with Client(host.url) as client:
        result = client.run(empty_to_png())
        with pytest.raises(OutputError):
            client.download_all(result, tmp_path / "file")


def test_an_upload_is_kept_once_and_harms_nobody(host: RunningHost, picture: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / picture.name
    other.parent.mkdir()
    Image.new("RGB", (1, 1)).save(other)
    with Client(host.url) as client:
        names = [client.upload(path) for path in (picture, picture, other)]
    assert names[0] == names[1] != names[2]
    assert "[" not in names[0] and (host.input / names[0]).read_bytes() == picture.read_bytes()


def _svg_workflow(tmp_path: Path) -> Path:
    """Stands in for the pack's own workflow, with its titles and core nodes only."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
    graph = {
        "1": node("Image", "LoadImage", image="x.png"),
        "2": node(
            "Upscale",
            "ImageScaleToTotalPixels",
            image=["1", 0],
            upscale_method="area",
            megapixels=1.0,
            resolution_steps=1,
        ),
        "3": node("Save", "VectraHubTest_Svg", image=["2", 0], svg=svg),
    }
    return save(graph, tmp_path / "svg.json")


def test_many_images_one_call(cli: Cli, host: RunningHost, tmp_path: Path) -> None:
    names = ["a.png", "a.jpg", "sp ace.png", "emoji \U0001f98a.png", "broken.png"]
    images = [tmp_path / name for name in names]
    for index, image in enumerate(images):
        Image.new("RGB", (8 + index, 8)).save(image)
    images[-1].write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    workflow = _svg_workflow(tmp_path)
    out, report = tmp_path / "out", tmp_path / "report.json"
    done = cli("vectorize", *images, "-o", out, "--server", host.url, "--workflow", workflow, "--report", report)
    assert done.returncode == 1, done.stderr
    assert {path.name for path in out.iterdir()} == {"a.svg", "a-2.svg", "sp ace.svg", "emoji \U0001f98a.svg"}
    assert "broken.png" in done.stderr and "LoadImage" in done.stderr
    assert done.stdout.splitlines() == [
        str(out / n) for n in ("a.svg", "a-2.svg", "sp ace.svg", "emoji \U0001f98a.svg")
    ]
    kept = json.loads(report.read_text(encoding="utf-8"))
    assert list(kept) == [str(image) for image in images]
    assert kept[str(images[0])]["Save"]["stage"] == "svg" and kept[str(images[-1])]["error"] == "failed"


def test_one_image_into_one_file(cli: Cli, host: RunningHost, tmp_path: Path, picture: Path) -> None:
    target = tmp_path / "new" / "drawing.SVG"
    command = ("vectorize", picture, "-o", target, "--server", host.url, "--workflow", _svg_workflow(tmp_path))
    for _ in range(2):  # the second replaces the first
        assert cli(*command, "--draft").returncode == 0
    assert [path.name for path in target.parent.iterdir()] == ["drawing.SVG"]
    assert target.read_text().startswith("<svg")


def test_doctor_tells_what_is_there(cli: Cli, host: RunningHost) -> None:
    with Client(host.url) as client:
        report = examine(client)
    assert report["server"]["comfyui"] and report["server"]["ram_total"] > 0 and report["devices"]
    assert {"key", "present", "get", "without"} <= set(report["weights"][0])
    done = cli("doctor", "--json", "--server", host.url)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["event"] == "doctor" and told["nodes"] == report["nodes"]
    assert done.returncode == (0 if report["usable"] else 3)
    text = cli("doctor", "--server", host.url).stdout
    assert "models get realesrgan-x2plus" in text and "ComfyUI 0." in text


def test_a_comfyui_at_the_usual_place_is_used_if_it_has_the_pack(
    host: RunningHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_discover, "USUAL_SERVER", host.url)
    absent = tmp_path / "absent.json"
    with _discover.connect(environ={}, host_json=absent) as client:
        assert client.url == host.url
    monkeypatch.setattr(_discover, "PACK_PREFIX", "AnotherPack_")
    with pytest.raises(HostNotPrepared), _discover.connect(environ={}, host_json=absent):
        pass
