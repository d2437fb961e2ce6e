"""Paths that a person gives, and the report: what is refused before a server is asked for anything."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from vectrahub.tests.client.graphs import empty_to_png, save
from vectrahub.vectrahub_client import Client
from vectrahub.vectrahub_client._outputs import JobResult
from vectrahub.vectrahub_client._paths import check_folder, check_input, check_results
from vectrahub.vectrahub_client.cli import each, main
from vectrahub.vectrahub_client.cli.each import Made, plan, run_each
from vectrahub.vectrahub_client.cli.report import Report
from vectrahub.vectrahub_client.cli.screen import Screen
from vectrahub.vectrahub_client.errors import ClientError, JobFailed, OutputError, ServerLost, UsageError
from vectrahub.vectrahub_client.vectorize import shipped_workflow
from vectrahub.vectrahub_client.warmup import warmup_workflow

LONG = "x" * 5000


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(b"x")
    Path("empty.png").write_bytes(b"")
    Path("folder.json").mkdir()
    Path("plan.json").write_text("{}")
    save(empty_to_png(), Path("w.json"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # main ends its process in its own way
    return tmp_path


@pytest.mark.parametrize("name", [LONG, "absent.png", "a.png/b.png", "empty.png", "folder.json", "loop.png", "\0"])
def test_what_is_no_input_is_refused(name: str) -> None:
    Path("loop.png").symlink_to("loop.png")
    with pytest.raises(UsageError):
        check_input(Path(name))
    with pytest.raises(UsageError):
        plan([Path(name)], Path("out"), ".svg")
    with pytest.raises(UsageError), Client("http://127.0.0.1:1") as client:
        client.upload(Path(name))  # before it is sent, or it would be a ServerError
    with pytest.raises(UsageError):
        warmup_workflow(name)


def test_a_folder_is_one_or_can_become_one() -> None:
    for path in (Path(), Path("folder.json"), Path("new/deep"), Path("/")):
        check_folder(path)
    for path in (Path("a.png"), Path("a.png/b"), Path("a.png/b/c"), Path(LONG)):
        with pytest.raises(UsageError):
            check_folder(path)


def test_results_replace_nothing_and_can_be_made() -> None:
    check_results([Path("b.png"), Path("new/a.png")], [Path("a.png")])
    for results in (["a.png"], ["b.png", "new/../b.png"], ["folder.json"], ["a.png/b.png"], [LONG], ["b", "./a.png"]):
        with pytest.raises(UsageError, match=r"the result|cannot look"):
            check_results(map(Path, results), [Path("a.png")])
    with pytest.raises(UsageError, match=r"a\.png is not a folder"):
        plan([Path("a.png")], Path("a.png/b.svg"), ".svg")


COMMANDS: tuple[tuple[list[str], list[str]], ...] = (
    (["run", "w.json", "--image", "Blank=in.json", "-o", "out"], ["w.json", "in.json"]),
    (["vectorize", "in.json", "a.png", "-o", ".", "--workflow", "vector.json"], ["vector.json", "in.json"]),
    (["vectorize", "a.png", "-o", "o.svg"], [str(shipped_workflow())]),
    (["upscale", "in.json", "-o", "o.png", "--plan", "plan.json"], ["plan.json", "in.json"]),
    (["upscale", "a.png", "-o", "o.png"], [str(shipped_workflow("upscale_sdxl"))]),
    (["logo", "a leaf", "--workflow", "logo.json"], ["logo.json"]),
    (["logo", "a leaf"], [str(shipped_workflow("logo_flux"))]),
    (["tryon", "in.json", "a.png", "-o", "o.png"], ["in.json", str(shipped_workflow("tryon_qwen_edit_2511"))]),
    (["vehicle", "in.json", "-o", "o.svg", "--png", "p.png"], ["in.json", str(shipped_workflow("vehicle_to_vector"))]),
)


@pytest.mark.parametrize(("command", "taken"), COMMANDS, ids=lambda value: value[0])
def test_no_report_replaces_what_a_command_reads_or_makes(
    command: list[str], taken: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("in.json").write_bytes(b"x")
    Path("vector.json").write_text(shipped_workflow().read_text())
    Path("logo.json").write_text(shipped_workflow("logo_flux").read_text())
    kept = {path: path.read_bytes() for path in map(Path, taken)}
    wrong = [*taken, "folder.json", "a.png", "r.txt", f"{LONG}.json", "a.png/r.json"]
    for report in wrong:
        # A server would be asked for at this address, and be none: 3.
        code = main.main([*command, "--report", report, "--server", "http://127.0.0.1:1"])
        assert code == 2 and "report" in capsys.readouterr().err.replace(LONG, "report"), report
    assert main.main([*command, "--report", "r.json", "--server", "http://127.0.0.1:1"]) == 3
    assert {path: path.read_bytes() for path in kept} == kept and not Path("r.json").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["run", LONG],
        ["run", "w.json", "--image", f"Blank={LONG}"],
        ["run", "w.json", "-o", LONG],
        ["run", "w.json", "-o", "a.png/out"],
        ["vectorize", LONG, "-o", "."],
        ["vectorize", "a.png", "-o", f"{LONG}.svg"],
        ["vectorize", "a.png", "-o", "a.png/o.svg"],
        ["upscale", "a.png", "-o", "o.png", "--plan", LONG],
        ["upscale", "a.png", "-o", "o.png", "--seed", str(2**64)],
        ["upscale", "a.png", "-o", "o.png", "--cfg", "nan"],
        ["upscale", "empty.png", "-o", "o.png"],
        ["logo", "a leaf", "-o", LONG],
        ["logo", "a leaf", "-o", "a.png/logos"],
        ["logo", "a leaf", "--seed", "9" * 400],
        ["tryon", LONG, "a.png", "-o", "o.png"],
        ["tryon", "a.png", "a.png", "-o", "a.png/o.png"],
        ["tryon", "a.png", "a.png", "-o", "o.png", "--seed", "9" * 400],
        ["tryon", "a.png", "empty.png", "-o", "o.png"],
        ["vehicle", LONG, "-o", "o.svg"],
        ["vehicle", "a.png", "-o", "a.png/o.svg"],
        ["vehicle", "a.png", "-o", "o.svg", "--png", LONG],
        ["vehicle", "a.png", "-o", "o.svg", "--seed", "9" * 400],
        ["warmup", LONG],
        ["warmup", "folder.json"],
    ],
)
def test_bad_paths_and_numbers_are_known_before_a_server(command: list[str]) -> None:
    assert main.main([*command, "--server", "http://127.0.0.1:1"]) == 2


def result(**reports: object) -> JobResult:
    return JobResult("id", (), reports, {}, 0.0)


def job(outcome: Made | BaseException) -> Any:
    def run(_client: Client) -> Made:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return run


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def connect(*_: object, **__: object) -> Iterator[None]:
        yield None

    monkeypatch.setattr(each, "connect", connect)


def ran(report: str, *outcomes: Made | BaseException) -> int:
    jobs = [(f"job-{n}", job(outcome)) for n, outcome in enumerate(outcomes)]
    with Screen(False) as screen:
        return run_each(jobs, None, Report(Path(report), [], screen), screen)


def test_a_failed_job_is_in_the_report_and_does_not_stop_the_others(
    connected: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran("r.json", JobFailed("no paint"), Made(result(Stage=1), [Path("o.png")])) == 1
    told = json.loads(Path("r.json").read_text())
    assert told["job-0"]["message"] == "no paint" and told["job-1"] == {"Stage": 1}
    shown = capsys.readouterr()
    assert shown.out == "o.png\n" and "job-0: no paint" in shown.err


def test_what_all_would_meet_is_raised_and_in_the_report(connected: None) -> None:
    with pytest.raises(ServerLost):
        ran("r.json", Made(result(Stage=1), []), ServerLost("gone"), Made(result(), []))
    assert list(json.loads(Path("r.json").read_text())) == ["job-0", "job-1"]


def test_an_older_report_stays_where_nothing_was_begun(connected: None) -> None:
    Path("r.json").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        ran("r.json", KeyboardInterrupt())
    assert Path("r.json").read_text() == "old"


def test_an_error_of_the_report_does_not_hide_that_of_the_job(
    connected: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def blocked(error: ClientError) -> Iterator[None]:
        Path("r").write_bytes(b"")
        raise error
        yield

    with Screen(False) as screen:
        report = Report(Path("r/r.json"), [], screen)
        with pytest.raises(ServerLost):
            run_each([("one", lambda _: next(blocked(ServerLost("gone"))))], None, report, screen)  # type: ignore
        assert "cannot write r/r.json" in capsys.readouterr().err
        with pytest.raises(OutputError, match=r"r/r\.json"):
            run_each([("one", job(Made(result(), [])))], None, report, screen)


def test_a_report_does_not_replace_a_fetched_file(connected: None) -> None:
    Path("out.json").write_text("a result")
    with pytest.raises(OutputError, match="replace a result"):
        ran("out.json", Made(result(Stage=1), [Path("out.json")]))
    assert Path("out.json").read_text() == "a result"


def test_a_path_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen(False) as screen:
        screen.error(UsageError("w.json is not JSON"), "w.json")
        screen.error(UsageError("no paint"), "w.json")
    assert capsys.readouterr().err == "error: w.json is not JSON\nerror: w.json: no paint\n"
