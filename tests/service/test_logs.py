from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator

import pytest

from vectrahub.vectrahub_client.service import logs
from vectrahub.vectrahub_client.service.settings import Log

LOGGER = logging.getLogger("vectrahub")
TOKEN = "vh_0a1b2c_S3cret-Part_x"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    logs.deconfigure()
    logs.request_id.set(None)
    logs.job_id.set(None)


def entries(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_json_line_says_when_what_and_about_which_request(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log(format="json"))
    logs.request_id.set("r-1")
    logs.job_id.set("j-1")
    LOGGER.info("done %d of %d", 1, 2)
    LOGGER.debug("not shown")
    (entry,) = entries(capsys)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert entry == {"level": "INFO", "message": "done 1 of 2", "request_id": "r-1", "job_id": "j-1"}


def test_threads_and_tasks_know_the_request_that_they_work_for(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log(format="json"))

    async def work(name: str) -> None:
        logs.request_id.set(name)
        await asyncio.to_thread(LOGGER.info, "from %s", name)

    async def both() -> None:
        await asyncio.gather(work("a"), work("b"))

    asyncio.run(both())
    assert {(one["message"], one["request_id"]) for one in entries(capsys)} == {("from a", "a"), ("from b", "b")}


@pytest.mark.parametrize("form", ["json", "text"])
def test_the_secret_part_of_a_token_is_never_shown(capsys: pytest.CaptureFixture[str], form: str) -> None:
    logs.configure(Log(format=form))  # type: ignore[arg-type]
    try:
        raise ValueError(f"bad {TOKEN}")
    except ValueError:
        LOGGER.exception("with %s", {"Authorization": f"Bearer {TOKEN}"})
    text = capsys.readouterr().err
    assert "S3cret" not in text
    assert text.count("vh_0a1b2c_***") == 2


def test_a_token_is_masked_in_comfyuis_log_too(caplog: pytest.LogCaptureFixture) -> None:
    logs.configure(Log())
    LOGGER.warning("token %s", TOKEN)
    assert caplog.messages == ["token vh_0a1b2c_***"]
    assert LOGGER.propagate


def test_an_exception_is_part_of_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log(format="json"))
    try:
        raise RuntimeError("first\nsecond")
    except RuntimeError:
        LOGGER.exception("failed")
    (entry,) = entries(capsys)
    assert entry["message"] == "failed"
    assert entry["exception"].startswith("Traceback")
    assert entry["exception"].endswith("RuntimeError: first\nsecond")


def test_a_name_with_a_line_break_forges_no_line_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log(format="text"))
    LOGGER.info("file %s", "a\n2026-01-01T00:00:00.000Z INFO all is well")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_configured_twice_it_logs_once_and_then_it_is_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    before = LOGGER.level, LOGGER.propagate, list(LOGGER.handlers), list(LOGGER.filters)
    logs.configure(Log(format="json", level="DEBUG"))
    logs.configure(Log(format="text", level="DEBUG"))
    LOGGER.debug("once")
    assert len(capsys.readouterr().err.splitlines()) == 1
    logs.deconfigure()
    assert (LOGGER.level, LOGGER.propagate, LOGGER.handlers, LOGGER.filters) == before
