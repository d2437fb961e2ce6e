"""Phases in the real host: what is off does not run, and the report says what each phase took in this run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vectrahub.tests.client.graphs import node
from vectrahub.tests.host.events import listen
from vectrahub.tests.host.runs import Graph, Outcome, run
from vectrahub.tests.host_fixture import RunningHost

pytestmark = pytest.mark.host


def two_phases(salt: int, first: bool = True, second: bool = True) -> Graph:
    """A picture that naps in each of two phases, for 0.3 s and 0.1 s; the second makes a palette, too."""
    return {
        "1": node("Blank", "EmptyImage", width=16, height=8, batch_size=1, color=0xFF0000 + salt),
        "2": node("Long nap", "VectraHubTest_Sleep", image=["1", 0], seconds=0.3, salt=salt),
        "3": node("First", "VectraHub_Phase", name="first", enabled=first, before=["1", 0], result=["2", 0]),
        "4": node("Short nap", "VectraHubTest_Sleep", image=["3", 0], seconds=0.1, salt=salt),
        "5": node("Palette", "VectraHub_PaletteSnap", image=["4", 0], colors=0, palette=""),
        "6": node(
            *("Second", "VectraHub_Phase"),
            **{"name": "second", "enabled": second, "before": ["3", 0], "result": ["4", 0], "palette": ["5", 1]},
            figures=["3", 2],
        ),
        "7": node("Keep", "SaveImage", images=["6", 0], filename_prefix="phases"),
        "8": node("Report", "VectraHub_PhaseReport", figures=["6", 2]),
        "9": node("Table", "PreviewAny", source=["8", 0]),
    }


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.problem is None, outcome.error
    (text,) = outcome.entry["outputs"]["8"]["vectrahub_report"]
    return json.loads(text)["images"][0]["phases"]


def test_each_phase_with_its_time_and_memory(host: RunningHost) -> None:
    outcome = run(host, two_phases(1))
    first, second = rows(outcome)
    assert (first["phase"], second["phase"]) == ("first", "second")
    assert first["ms"] >= 300 and second["ms"] >= 100
    assert (first["ran"], second["ran"]) == (3, 3), "each node belongs to the first phase that needs it"
    assert first["memory_mb"] > 50
    assert first["gpu_mb"] is None, "no GPU here"
    table = outcome.entry["outputs"]["9"]["text"][0]
    assert [line.split()[0] for line in table.splitlines()] == ["first", "second"]
    total = json.loads(outcome.entry["outputs"]["8"]["vectrahub_report"][0])["ms"]
    assert total >= first["ms"] + second["ms"], "the whole job"


def test_what_was_cached_took_nothing(host: RunningHost) -> None:
    run(host, two_phases(2))
    graph = two_phases(2)
    graph["4"]["inputs"]["seconds"] = 0.2
    first, second = rows(run(host, graph))
    assert first["ran"] == 0 and first["ms"] == 0
    assert second["ran"] == 3 and second["ms"] >= 200


@pytest.mark.parametrize(("off", "asleep"), [("first", ["Long nap"]), ("second", ["Short nap", "Palette"])])
def test_what_is_off_does_not_run(host: RunningHost, off: str, asleep: list[str]) -> None:
    heard = listen(host, two_phases(3, **{off: False}))
    assert not set(asleep) & set(heard.ran) and "Keep" in heard.ran
    enabled = {row["phase"]: row["enabled"] for row in rows(heard.outcome)}
    assert enabled == {"first": off != "first", "second": off != "second"}


def test_a_phase_whose_nodes_are_bypassed_gives_what_came_before(host: RunningHost) -> None:
    graph = two_phases(4)
    del graph["2"], graph["3"]["inputs"]["result"]
    first, second = rows(run(host, graph))
    assert (first["enabled"], second["enabled"]) == (False, True)


def test_off_with_nothing_before_stops_what_is_behind(host: RunningHost) -> None:
    graph = two_phases(5, second=False)
    del graph["6"]["inputs"]["before"]
    outcome = run(host, graph)
    assert outcome.problem is None and "7" not in outcome.entry["outputs"], "nothing saved, no error"
    assert [row["enabled"] for row in rows(outcome)] == [True, False]
