"""A tiny model on the CPU: tokens per second of every writer, and where a step of ours spends its time."""

import os
import time
from statistics import median
from typing import Any

import torch

from engine.networks.omnisvg.generate import FEWEST_TOKENS
from engine.networks.omnisvg.grammar import Grammar
from engine.networks.omnisvg.network import OmniSVG
from engine.networks.omnisvg.prompts import Prompt
from engine.networks.omnisvg.settings import IMAGE
from engine.networks.omnisvg.step import Cache, Step
from engine.networks.omnisvg.streams import Streams, noise
from engine.networks.omnisvg.vocabulary import SIZE

from .models import Size, build, ours, picture_prompt
from .writers import OURS, PLAIN, Write, writers

STREAMS = (1, 8)
TARGET = 3.0  # ours as a multiple of plain `generate`


def measure(size: Size, tokens: int, repeats: int) -> dict[str, Any]:
    """The figures of one size in float32; the writers take turns, so that a busy machine slows them alike."""
    model = build(size, torch.device("cpu"), torch.float32)
    network = ours(model)
    prompt, keywords = picture_prompt(model)
    candidates = writers(model, network, prompt, keywords)
    for write in candidates.values():
        write(1, FEWEST_TOKENS, 0)  # not counted: libraries load
    return {
        "size": size.name,
        "hidden": size.hidden,
        "layers": size.layers,
        "dtype": "float32",
        "threads": torch.get_num_threads(),
        "prompt": len(prompt.ids),
        "tokens": tokens,
        "repeats": repeats,
        "head_rows": [len(network.head), SIZE],
        "speed": {str(streams): _speed(candidates, streams, tokens, repeats) for streams in STREAMS},
        "step": {str(streams): _shares(network, prompt, streams, tokens) for streams in STREAMS},
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def _speed(candidates: dict[str, Write], streams: int, tokens: int, repeats: int) -> dict[str, Any]:
    """Tokens per second with the prompt in it, and per second of processor time, which a busy machine distorts
    less; ratios are of neighbours in time."""
    speeds: dict[str, list[float]] = {name: [] for name in candidates}
    thrifts: dict[str, list[float]] = {name: [] for name in candidates}
    for repeat in range(repeats):
        for name, write in candidates.items():
            began, used = time.perf_counter(), time.process_time()
            written = write(streams, tokens, repeat)
            speeds[name].append(written / (time.perf_counter() - began))
            thrifts[name].append(written / (time.process_time() - used))
            print(f"K = {streams}, {name}: {speeds[name][-1]:.1f} tokens/s", flush=True)
    return {
        name: {
            "tokens_per_second": _spread(speeds[name], 2),
            "ours_is_times": _spread(_ratios(speeds, name), 2),
            "ours_is_times_by_processor_time": _spread(_ratios(thrifts, name), 2),
        }
        for name in candidates
    }


def _ratios(speeds: dict[str, list[float]], name: str) -> list[float]:
    return [own / other for own, other in zip(speeds[OURS], speeds[name], strict=True)]


@torch.inference_mode()
def _shares(network: OmniSVG, prompt: Prompt, streams: int, tokens: int) -> dict[str, float]:
    """Milliseconds (medians) of a step's parts. The head is measured by itself, right after each step."""
    device = network.head.device
    past = network.model(
        input_ids=prompt.ids[None].to(device), position_ids=prompt.positions[:, None].to(device), use_cache=True
    ).past_key_values
    length = len(prompt.ids)
    writing = Streams.begin(Grammar.of(network.vocabulary, device), IMAGE, noise(0, streams, tokens))
    writing.choose(torch.zeros(streams, len(network.head)))
    step = Step(network, length, int(prompt.positions.max()) + 1, tokens)
    cache = Cache.of_prompt(past, streams, tokens)
    hidden = torch.randn(streams, network.head.shape[1])
    spent: dict[str, list[float]] = {"layers": [], "head": [], "choice": []}
    for said in range(1, tokens):
        began = time.perf_counter()
        logits = step(writing.tokens, writing.at - 1, cache, length + said)
        stepped = time.perf_counter()
        torch.nn.functional.linear(hidden, network.head)
        head = time.perf_counter() - stepped
        began_choice = time.perf_counter()
        writing.choose(logits)
        spent["choice"].append(time.perf_counter() - began_choice)
        spent["head"].append(head)
        spent["layers"].append(stepped - began - head)
    return {part: round(1000 * median(values), 3) for part, values in spent.items()}


def _spread(values: list[float], digits: int) -> dict[str, float]:
    shown = {"median": median(values), "least": min(values), "most": max(values)}
    return {name: round(value, digits) for name, value in shown.items()}


def reached(part: dict[str, Any]) -> bool:
    """Whether the target is met for every number of streams."""
    return all(row[PLAIN]["ours_is_times"]["median"] >= TARGET for row in part["speed"].values())
