"""A refinement that was cut off goes on where it stopped: after an error, a cancel, and a killed server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from vectrahub.tests.host.events import listen
from vectrahub.tests.host.runs import run, submit, wait
from vectrahub.tests.host.tile_graphs import kept_tiles, new_picture, passes, picture_of, sampled, tiled
from vectrahub.tests.host_fixture import RunningHost

pytestmark = pytest.mark.host


class Control:
    """Slows down or breaks the test pack's networks without changing a graph."""

    def __init__(self, host: RunningHost) -> None:
        self.folder = host.base / "tiny_diffusion"
        self.folder.mkdir(exist_ok=True)

    def set(self, **control: object) -> None:
        (self.folder / "control.json").write_text(json.dumps(control))

    def heal(self) -> None:
        for file in self.folder.iterdir():
            file.unlink()


@pytest.fixture
def control(host: RunningHost) -> Iterator[Control]:
    steering = Control(host)
    yield steering
    steering.heal()
    steering.folder.rmdir()


def edits(**words: str) -> list[dict[str, object]]:
    """Prompts for tiles: tile4="..."."""
    places = {name: divmod(int(name.removeprefix("tile")) - 1, 3) for name in words}
    return [{"row": places[name][0], "column": places[name][1], "prompt": text} for name, text in words.items()]


def until(condition, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_after_an_error(host: RunningHost, control: Control) -> None:
    graph = tiled(new_picture(host), edits(tile4="a broken bridge"))
    control.set(fail_on="broken bridge")
    failed = listen(host, graph)
    assert "as the test wants it" in failed.outcome.error
    assert "VectraHub_TileRefine" in failed.outcome.error
    control.heal()
    healed = listen(host, graph)
    assert set(sampled(failed.ids)) | set(sampled(healed.ids)) == {f"tile{number}" for number in range(1, 7)}
    assert set(sampled(failed.ids)) & set(sampled(healed.ids)) == {"tile4"}
    assert passes(healed.outcome)[0]["kept"] == len(sampled(failed.ids)) - 1 > 0


def test_values_that_are_no_numbers_are_never_kept(host: RunningHost, control: Control) -> None:
    graph = tiled(new_picture(host), edits(tile2="a hole"))
    control.set(nan_on="a hole")
    failed = listen(host, graph)
    assert "Tile 2 came back with values that are no numbers" in failed.outcome.error
    assert "--fp32-vae" in failed.outcome.error
    control.heal()
    assert "tile2" in sampled(listen(host, graph).ids)


def test_the_good_tiles_of_a_call_are_kept(host: RunningHost, control: Control) -> None:
    graph = tiled(new_picture(host), edits(tile2="a hole"), batch=6)
    control.set(nan_on="a hole")
    assert "Tile 2 came back" in run(host, graph).error
    control.heal()
    healed = listen(host, graph)
    assert sampled(healed.ids) == ["tile2"]
    assert passes(healed.outcome)[0]["kept"] == 5


def test_after_a_cancel(host: RunningHost, control: Control) -> None:
    graph = tiled(new_picture(host))
    before = len(kept_tiles(host))
    control.set(slow=0.6)
    job = submit(host, graph)
    until(lambda: len(kept_tiles(host)) - before >= 2)
    httpx.post(f"{host.url}/interrupt", trust_env=False, timeout=60).raise_for_status()
    assert wait(host, job).entry["status"]["messages"][-1][0] == "execution_interrupted"
    control.heal()
    done = len(kept_tiles(host)) - before
    assert 2 <= done < 6
    assert len(sampled(listen(host, graph).ids)) == 6 - done


def test_after_a_killed_server(boot_host: Callable[..., RunningHost]) -> None:
    host = boot_host(packs=["tiny_diffusion"])
    steering = Control(host)
    name = new_picture(host)
    whole = picture_of(run(host, tiled(name, resume=False)))
    graph = tiled(name)
    steering.set(slow=0.6)
    submit(host, graph)
    until(lambda: len(kept_tiles(host)) >= 2)
    host.kill()
    done = len([path for path in kept_tiles(host) if path.suffix == ".npy"])
    assert 2 <= done < 6
    steering.heal()
    host.start()
    heard = listen(host, graph)
    assert len(sampled(heard.ids)) == 6 - done
    assert passes(heard.outcome)[0]["kept"] == done
    assert (picture_of(heard.outcome) == whole).all()


def test_on_a_server_without_a_cache(boot_host: Callable[..., RunningHost]) -> None:
    host = boot_host(packs=["tiny_diffusion"], args=["--cache-none"])
    graph = tiled(new_picture(host))
    first = listen(host, graph)
    again = listen(host, graph)
    assert (len(sampled(first.ids)), len(sampled(again.ids))) == (6, 0)
    assert (picture_of(first.outcome) == picture_of(again.outcome)).all()
