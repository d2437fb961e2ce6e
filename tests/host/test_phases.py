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
    assert (first["ran"], second["ran"]) == (2, 2), "each node belongs to the first phase that needs it"
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
    assert first["ran"] == 0 and first["ms"] == 0 and first["memory_mb"] is None
    assert second["ran"] == 2 and second["ms"] >= 200


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


def test_links_led_around_a_bypassed_phase_are_no_phase(host: RunningHost) -> None:
    """The editor's Ctrl+B: the result comes from where the phase began."""
    graph = two_phases(7)
    del graph["2"]
    graph["3"]["inputs"]["result"] = ["1", 0]
    first, second = rows(run(host, graph))
    assert (first["enabled"], second["enabled"]) == (False, True)


def test_what_an_off_phase_shares_counts_for_the_one_that_is_on(host: RunningHost) -> None:
    graph = two_phases(8, first=False)
    graph["4"]["inputs"]["image"] = ["2", 0]
    outcome = run(host, graph)
    first, second = rows(outcome)
    assert first["ms"] == 0 and second["ms"] >= 400
    assert outcome.entry["outputs"]["9"]["text"][0].splitlines()[0].split() == ["first", "off"]


@pytest.mark.parametrize("figures", ["hello", "{}", '[{"phase": "a"}]', "[1]"])
def test_figures_that_are_none_are_refused(host: RunningHost, figures: str) -> None:
    graph = two_phases(9)
    graph["10"] = node("Text", "PrimitiveString", value=figures)
    graph["8"]["inputs"]["figures"] = ["10", 0]
    error = run(host, graph).error
    assert "VectraHub_PhaseReport" in error and figures in error and "Connect 'figures' of the phase before" in error


def test_figures_may_pass_through_other_nodes_and_a_report_be_any_text(host: RunningHost) -> None:
    graph = two_phases(10)
    graph["10"] = node("Text", "PrimitiveString", value="all went well")
    graph["11"] = node("Shown", "PreviewAny", source=["6", 2])
    graph["3"]["inputs"]["report"] = ["10", 0]
    graph["8"]["inputs"]["figures"] = ["11", 0]
    first, second = rows(run(host, graph))
    assert first["report"] == "all went well" and second["ran"] == 2


def test_a_report_without_phases_is_empty(host: RunningHost) -> None:
    graph = two_phases(11)
    graph["10"] = node("Text", "PrimitiveString", value="")
    graph["8"]["inputs"]["figures"] = ["10", 0]
    assert rows(run(host, graph)) == []


def test_off_with_nothing_before_stops_what_is_behind(host: RunningHost) -> None:
    graph = two_phases(5, second=False)
    del graph["6"]["inputs"]["before"]
    outcome = run(host, graph)
    assert outcome.problem is None and "7" not in outcome.entry["outputs"], "nothing saved, no error"
    assert [row["enabled"] for row in rows(outcome)] == [True, False]
