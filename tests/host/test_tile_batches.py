"""Tiles that share a call of the sampler come out as they do one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vectrahub.tests.host.events import listen
from vectrahub.tests.host.runs import run
from vectrahub.tests.host.tile_graphs import new_picture, picture_of, sampled, tiled, with_control
from vectrahub.tests.host_fixture import RunningHost

pytestmark = pytest.mark.host

SHARED = [
    *("euler", "euler_cfg_pp", "heun", "heunpp2", "exp_heun_2_x0", "dpm_2", "lms", "dpmpp_2m", "dpmpp_2m_cfg_pp"),
    *("ipndm", "ipndm_v", "deis", "res_multistep", "res_multistep_cfg_pp", "gradient_estimation"),
    *("gradient_estimation_cfg_pp", "ddim", "uni_pc", "uni_pc_bh2", "euler_ancestral", "euler_ancestral_cfg_pp"),
    *("dpm_2_ancestral", "dpmpp_2s_ancestral", "dpmpp_2s_ancestral_cfg_pp", "res_multistep_ancestral"),
    *("res_multistep_ancestral_cfg_pp", "lcm", "ddpm"),
]
ALONE = ["dpmpp_sde", "dpmpp_2m_sde", "dpm_adaptive", "seeds_2"]
LONG = ", ".join(f"a thing of kind {number}" for number in range(40))  # over 77 tokens: words of another form
EDITS = [
    {"row": 0, "column": 0, "prompt": "a red house"},
    {"row": 0, "column": 1, "prompt": LONG},
    {"row": 0, "column": 2, "prompt": "the sea", "seed": 9},
]


def both(
    host: RunningHost, sampler: str, family: str = "sdxl", control: bool = False
) -> tuple[np.ndarray, np.ndarray, int]:
    """The same three tiles one by one and three at a time, and in how many calls these were made."""
    name = new_picture(host, 160, 64)
    settings = {"sampler_name": sampler, "steps": 3, "resume": False}
    if family == "flux":
        settings["cfg"] = 1.0
    results = []
    for batch in (1, 3):
        graph = tiled(name, EDITS, family, batch=batch, **settings)
        heard = listen(host, with_control(graph, family) if control else graph)
        results.append((picture_of(heard.outcome), len(sampled(heard.ids))))
    assert results[0][1] == 3
    return results[0][0], results[1][0], results[1][1]


@pytest.mark.parametrize("sampler", SHARED + ALONE)
def test_the_same_as_one_by_one(host: RunningHost, sampler: str) -> None:
    alone, together, calls = both(host, sampler)
    assert np.abs(alone - together).max() <= 1
    assert calls == (1 if sampler in SHARED else 3)


@pytest.mark.parametrize("family", ["sdxl", "flux"])
def test_with_a_control_net_too(host: RunningHost, family: str) -> None:
    alone, together, calls = both(host, "euler", family, control=True)
    assert np.abs(alone - together).max() <= 1
    assert calls == 1


def test_fresh_noise_is_the_same_where_pictures_are_halves(boot_host: Callable[..., RunningHost]) -> None:
    host = boot_host(packs=["tiny_diffusion"], args=["--fp16-intermediates"])
    for sampler in ("euler_ancestral", "lcm"):
        alone, together, _ = both(host, sampler)
        assert np.abs(alone - together).max() <= 2, sampler


@pytest.fixture
def steering(host: RunningHost) -> Iterator[Path]:
    """The folder by which the test pack's networks are watched and steered."""
    folder = host.base / "tiny_diffusion"
    folder.mkdir()
    yield folder
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def test_calls_are_shared_where_they_can_be(host: RunningHost, steering: Path) -> None:
    """One of six tiles has another denoise, one longer words; the others go together, with cfg in twice the rows."""
    edits = [*EDITS, {"row": 1, "column": 1, "denoise": 0.8}]
    heard = listen(host, tiled(new_picture(host), edits, batch=3, steps=1))
    assert heard.outcome.problem is None
    rows = rows_of_calls(steering)
    assert sum(rows) == 2 * 6
    assert max(rows) >= 4
    assert len(sampled(heard.ids)) == 3


def test_where_the_memory_is_too_small_calls_become_smaller(host: RunningHost, steering: Path) -> None:
    name = new_picture(host)
    alone = picture_of(run(host, tiled(name, batch=1, resume=False)))
    (steering / "control.json").write_text(json.dumps({"most_rows": 4}))
    together = picture_of(run(host, tiled(name, batch=6, resume=False)))
    assert np.abs(alone - together).max() <= 1
    assert max(rows_of_calls(steering)) > 4


def rows_of_calls(folder: Path) -> list[int]:
    return [len(json.loads(line)["texts"]) for line in (folder / "calls.jsonl").read_text().splitlines()]
