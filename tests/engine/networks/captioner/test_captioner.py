"""Captions of many pictures: each its own, whatever stands beside it; memory, cancelling, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from vectrahub.engine.errors import BadInput, EngineFailure
from vectrahub.engine.networks.captioner import caption as room_of
from vectrahub.engine.networks.captioner.caption import Caption, Room, Speaker, Wish, caption, working_bytes
from vectrahub.engine.networks.captioner.network import Captioner
from vectrahub.engine.networks.captioner.prompts import Question
from vectrahub.engine.networks.captioner.weights import load
from vectrahub.engine.networks.captioner.write import Sampling, Written, write
from vectrahub.engine.networks.qwen_vl.sampling import chances
from vectrahub.tests.tiny_captioner import ENDS, pictures, write_tiny_captioner

GREEDY = Wish(max_tokens=24)
SAMPLED = Wish(style="sentence", max_tokens=24, sampling=Sampling(temperature=1.0, top_p=0.95), seed=5)
PLENTY = 10**12  # bytes that never run out


class Full(RuntimeError):
    """Stands for the device's own error."""


@pytest.fixture(scope="module")
def some() -> list[Any]:
    return pictures(4)


def speaker(network: Captioner, folder: Path, free: int = PLENTY, most: int = 16) -> Speaker:
    return Speaker(network, folder, Room(lambda: free, lambda error: isinstance(error, Full), lambda: None, most))


def answer(
    network: Captioner, folder: Path, pixels: Any, penalty: float, tokens: int = 24, free: list[int] | None = None
) -> Written:
    """Greedy, alone. free: what may be repeated, None for what the question says."""
    question = Question(folder, "keywords")
    asked, free = question.about(pixels), question.separators if free is None else free
    drawn = chances([(0, asked.key)], tokens)
    return write(network, [asked], Sampling(repetition_penalty=penalty), question.ends, free, drawn, lambda _: None)[0]


@contextmanager
def rows_read(network: Captioner, limit: int = 99) -> Iterator[list[int]]:
    """How many rows each pass of the language model has; more than `limit` exhaust the memory."""
    read: list[int] = []

    def listen(_module: object, _arguments: object, named: dict[str, Any]) -> None:
        read.append(len(named["inputs_embeds"]))
        if read[-1] > limit:
            raise Full

    listening = network.model.language_model.register_forward_pre_hook(listen, with_kwargs=True)
    try:
        yield read
    finally:
        listening.remove()


# What is said


def test_greedy_is_what_generate_of_transformers_says(network: Captioner, folder: Path, some: list[Any]) -> None:
    from transformers import GenerationConfig, Qwen2_5_VLForConditionalGeneration

    theirs: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    config = GenerationConfig(do_sample=False, max_new_tokens=24, eos_token_id=list(ENDS), pad_token_id=ENDS[1])
    theirs.generation_config = config
    for pixels in some:
        asked = Question(folder, "keywords").about(pixels)
        said = theirs.generate(
            input_ids=asked.ids[None],
            attention_mask=torch.ones_like(asked.ids)[None],
            mm_token_type_ids=(asked.ids == 151_655).int()[None],
            pixel_values=asked.patches,
            image_grid_thw=torch.tensor([[1, asked.picture.rows * 2, asked.picture.columns * 2]]),
        )[0, len(asked.ids) :].tolist()
        found = answer(network, folder, pixels, 1.0)
        assert found.tokens == [token for token in said if token not in ENDS]
        assert found.finished == (said[-1] in ENDS)


@pytest.mark.parametrize("wish", [GREEDY, SAMPLED])
def test_a_caption_does_not_depend_on_its_batch(network: Captioner, folder: Path, some: list[Any], wish: Wish) -> None:
    together = caption(speaker(network, folder), some, wish)
    assert [one.batch for one in together] == [4] * 4
    assert len({one.text for one in together}) == 4, "pictures that look different to it"
    by_three = caption(speaker(network, folder, most=3), some, wish)
    assert [one.batch for one in by_three] == [3, 3, 3, 1]
    backwards = caption(speaker(network, folder), some[::-1], wish)[::-1]
    alone = [caption(speaker(network, folder), [pixels], wish)[0] for pixels in some]
    for others in (by_three, backwards, alone):
        assert [(one.text, one.tokens, one.finished) for one in others] == [
            (one.text, one.tokens, one.finished) for one in together
        ]


def test_a_seed_gives_one_caption(network: Captioner, folder: Path, some: list[Any]) -> None:
    one, twin = some[0], some[0].copy()
    first = caption(speaker(network, folder), [one, some[1], twin], SAMPLED)
    assert first[0] == first[2], "equal pictures get equal captions"
    assert caption(speaker(network, folder), [one, some[1], twin], SAMPLED) == first
    other = Wish("sentence", "", 24, SAMPLED.sampling, seed=6)
    assert caption(speaker(network, folder), [one], other)[0].text != first[0].text
    assert np.array_equal(one, twin)


def test_each_style_and_instruction_asks_otherwise(network: Captioner, folder: Path, some: list[Any]) -> None:
    wishes = [GREEDY, Wish("sentence", "", 24), Wish("keywords", "Only the colors.", 24)]
    assert len({caption(speaker(network, folder), some[:1], wish)[0].text for wish in wishes}) == 3


def test_the_penalty_is_on_what_was_said_only(network: Captioner, folder: Path, some: list[Any]) -> None:
    """Not on the question's words, nor on commas and ends."""
    free = [answer(network, folder, pixels, 1.0).tokens for pixels in some]
    bound = [answer(network, folder, pixels, 2.0).tokens for pixels in some]
    assert [tokens[:1] for tokens in free] == [tokens[:1] for tokens in bound]
    assert sum(map(variety, free)) + 1 < sum(map(variety, bound))
    question = Question(folder, "keywords")
    assert {question.words([token]).strip() for token in question.separators} >= {",", "."}
    spared = [answer(network, folder, pixels, 2.0, free=sorted({*free[0], *free[1]})) for pixels in some[:2]]
    assert [one.tokens for one in spared] == free[:2]


def variety(tokens: list[int]) -> float:
    """The share of an answer's tokens that are not repetitions."""
    return len(set(tokens)) / len(tokens)


def test_the_limit_cuts_cleanly(tmp_path: Path, some: list[Any]) -> None:
    folder = write_tiny_captioner(tmp_path / "endless", ends=0.0)
    for tokens in (8, 13):
        for one in caption(speaker(load(folder), folder), some[:2], Wish("sentence", "", tokens)):
            assert (one.tokens, one.finished) == (tokens, False)
            assert one.text and not one.text.endswith(",")


# Memory


def test_who_has_ended_leaves_the_batch(network: Captioner, folder: Path, some: list[Any]) -> None:
    with rows_read(network) as rows:
        captions = caption(
            speaker(network, folder), some, Wish(max_tokens=60, sampling=Sampling(2.0, 1.0, 1.0), seed=3)
        )
    assert len({one.tokens for one in captions}) > 2
    # The pass that says the first token is the question's; an end is a pass too, what was cut off is none.
    lengths = [one.tokens + one.finished for one in captions]
    assert rows == [sum(length > at for length in lengths) for at in range(max(lengths))]


def test_free_memory_decides_how_many(network: Captioner, folder: Path, some: list[Any]) -> None:
    each = working_bytes(network, GREEDY.max_tokens)
    for free, batches in ((0, [1] * 4), (2 * each, [2] * 4), (3 * each + 1, [3, 3, 3, 1])):
        spare = free + room_of._SPARE  # pyright: ignore[reportPrivateUsage]
        assert [one.batch for one in caption(speaker(network, folder, spare), some, GREEDY)] == batches


def test_memory_that_runs_out_halves_the_batch(network: Captioner, folder: Path, some: list[Any]) -> None:
    expected = [one.text for one in caption(speaker(network, folder), some, GREEDY)]
    shares: list[float] = []
    with rows_read(network, limit=1) as rows:
        captions = caption(speaker(network, folder), some, GREEDY, shares.append)
    assert [row for row in rows if row > 1] == [4, 2]
    assert [one.text for one in captions] == expected and {one.batch for one in captions} == {1}
    with rows_read(network, limit=0), pytest.raises(EngineFailure, match=r"one picture.*qwen2\.5-vl-3b"):
        caption(speaker(network, folder), some, GREEDY)
    assert [one.text for one in caption(speaker(network, folder), some, GREEDY)] == expected


def test_other_errors_pass(network: Captioner, folder: Path, some: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr(network.model, "forward", broken)
    with pytest.raises(RuntimeError, match="something else"):
        caption(speaker(network, folder), some, GREEDY)


@pytest.mark.parametrize("size", ["7B", "3B"])
def test_the_estimate_for_the_released_sizes(size: str) -> None:
    """Some hundred megabytes each: several fit beside the weights, and less cannot be."""
    from transformers import Qwen2_5_VLConfig

    hidden, layers, heads, wide, words = (
        (3584, 28, 28, 18944, 152_064) if size == "7B" else (2048, 36, 16, 11008, 151_936)
    )
    flat = {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads, "vocab_size": words}
    text = flat | {"intermediate_size": wide, "num_key_value_heads": 4 if size == "7B" else 2}
    vision = {"hidden_size": 1280, "intermediate_size": 3420, "depth": 32}

    class Like:
        class model:  # noqa: N801
            config = Qwen2_5_VLConfig(text_config=text, vision_config=vision)

        head = torch.empty(words, 1, dtype=torch.bfloat16, device="meta")

    assert 1e8 < working_bytes(Like, 160) < 1e9  # pyright: ignore[reportArgumentType]


# Progress and cancelling


def test_progress_runs_from_0_to_1(network: Captioner, folder: Path, some: list[Any]) -> None:
    shares: list[float] = []
    caption(speaker(network, folder, most=2), some, GREEDY, shares.append)
    assert shares[0] == 0 and shares[-1] == 1 and np.diff(shares).min() > -1e-9
    assert len(shares) > 20


def test_a_cancel_at_any_step_leaves_it_usable(network: Captioner, folder: Path, some: list[Any]) -> None:
    class Cancelled(Exception):
        pass

    def after(calls: int) -> Callable[[float], None]:
        left = iter(range(calls))

        def progress(_share: float) -> None:
            if next(left, None) is None:
                raise Cancelled

        return progress

    expected = caption(speaker(network, folder), some[:3], GREEDY)
    for calls in (0, 1, 2, 5, 9):
        with pytest.raises(Cancelled):
            caption(speaker(network, folder), some[:3], GREEDY, after(calls))
        assert not any(module._forward_pre_hooks for module in network.modules())
    assert caption(speaker(network, folder), some[:3], GREEDY) == expected


def test_a_cancel_is_heard_between_the_layers(
    network: Captioner, folder: Path, some: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading the pictures takes seconds on a CPU: it asks as often as the clock moves on."""
    clock = iter(range(100_000))
    monkeypatch.setattr("vectrahub.engine.networks.cancel.time", SimpleNamespace(monotonic=lambda: next(clock)))
    shares: list[float] = []
    caption(speaker(network, folder), some[:2], Wish(max_tokens=8), shares.append)
    assert sum(share == 0 for share in shares) > 30, "before its first token"


# What is refused


def test_a_picture_too_narrow_is_named_before_anything_runs(network: Captioner, folder: Path, some: list[Any]) -> None:
    strip = np.zeros((3, 900, 3), np.uint8)
    with rows_read(network) as rows, pytest.raises(BadInput, match=r"Image 2 of 3 .*900 x 3 px"):
        caption(speaker(network, folder), [some[0], strip, some[1]], GREEDY)
    assert not rows


def test_the_smallest_picture_is_described(network: Captioner, folder: Path) -> None:
    assert isinstance(caption(speaker(network, folder), [np.zeros((1, 1, 3), np.uint8)], GREEDY)[0], Caption)
    assert caption(speaker(network, folder), [], GREEDY) == []


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (Wish(max_tokens=7), "number of tokens.*got 7, allowed 8 to 512"),
        (Wish(max_tokens=513), "number of tokens"),
        (Wish(sampling=Sampling(temperature=-0.1)), "temperature"),
        (Wish(sampling=Sampling(temperature=float("nan"))), "temperature"),
        (Wish(sampling=Sampling(top_p=0.0)), "top_p"),
        (Wish(sampling=Sampling(repetition_penalty=0.9)), "repetition penalty"),
        (Wish(seed=-1), "seed"),
        (Wish(seed=2**64), "seed"),
    ],
)
def test_numbers_out_of_range_are_refused(network: Captioner, folder: Path, wish: Wish, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        caption(speaker(network, folder), [], wish)


def test_weights_that_give_no_numbers_are_said(folder: Path, some: list[Any]) -> None:
    network = load(folder)
    network.model.language_model.norm.weight = torch.nn.Parameter(torch.full((32,), torch.nan), requires_grad=False)
    with pytest.raises(EngineFailure, match="no numbers"):
        caption(speaker(network, folder), some[:1], GREEDY)


def test_bfloat16_runs(tmp_path: Path, some: list[Any]) -> None:
    folder = write_tiny_captioner(tmp_path / "half", tied=True, shards=1, dtype=torch.bfloat16)
    one, two = caption(speaker(load(folder), folder), some[:2], GREEDY)
    assert one.tokens and two.tokens
