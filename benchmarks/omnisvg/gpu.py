"""Full-size models with random weights on a GPU, against what the memory's speed allows."""

import time
from statistics import median
from typing import Any

import torch

from engine.networks.omnisvg.generate import FEWEST_TOKENS, working_bytes
from engine.networks.omnisvg.network import OmniSVG
from engine.networks.omnisvg.prompts import GRID, Prompt

from .models import Size, build, ours, picture_prompt
from .writers import OURS, PLAIN, Write, writers

STREAMS = (1, 2, 4, 8)
TARGETS = {1: 140.0, 8: 600.0}  # tokens per second of all streams together, 8B
_COPIED = 4 * 2**30  # bytes of the buffer that the memory's speed is measured with, far above any cache


def measure(size: Size, device: torch.device, tokens: int, repeats: int) -> dict[str, Any]:
    """The figures of one size in bfloat16. `device`: a GPU; on a CPU the logic runs and memory reads as 0."""
    model = build(size, device, torch.bfloat16)
    network = ours(model)
    prompt, keywords = picture_prompt(model)
    candidates = writers(model, network, prompt, keywords)
    speed = _bandwidth(device)
    rows = {str(streams): _ours(network, prompt, candidates[OURS], streams, tokens, repeats) for streams in STREAMS}
    for streams, row in rows.items():
        row |= _limits(network, prompt, int(streams), tokens, speed)
    return {
        "size": size.name,
        "dtype": "bfloat16",
        "prompt": len(prompt.ids),
        "tokens": tokens,
        "repeats": repeats,
        "bytes_per_second": round(speed),
        "weight_bytes_of_a_step": _weight_bytes(network),
        "ours": rows,
        "transformers": _peer(candidates[PLAIN], tokens, repeats, device),
    }


def _ours(
    network: OmniSVG, prompt: Prompt, write: Write, streams: int, tokens: int, repeats: int
) -> dict[str, float | int]:
    """A step's time is the difference of a long and a short run, so that the prompt and the capture cancel out."""
    device = network.head.device
    write(streams, FEWEST_TOKENS, 0)  # libraries load and choose their kernels
    held = _memory(device)
    prefill, short, long, per_second = [], [], [], []
    for repeat in range(repeats):
        prefill.append(_seconds(lambda: _read(network, prompt), device)[0])
        short.append(_seconds(lambda at=repeat: write(streams, FEWEST_TOKENS, at), device)[0])
        seconds, written = _seconds(lambda at=repeat: write(streams, tokens, at), device)
        long.append(seconds)
        per_second.append(written / seconds)
    step = (median(long) - median(short)) / (tokens - FEWEST_TOKENS)
    return {
        "prefill_ms": round(1000 * median(prefill), 2),
        "capture_ms": round(1000 * (median(short) - median(prefill) - FEWEST_TOKENS * step), 2),
        "step_ms": round(1000 * step, 3),
        "steady_tokens_per_second": round(streams / step, 1),
        "tokens_per_second": round(median(per_second), 1),
        "least": round(min(per_second), 1),
        "most": round(max(per_second), 1),
        "peak_bytes": _peak(device) - held,
        "working_bytes": working_bytes(network, streams, tokens),
    }


def _peer(write: Write, tokens: int, repeats: int, device: torch.device) -> dict[str, float]:
    """`generate` of transformers, one stream."""
    write(1, FEWEST_TOKENS, 0)
    runs = [_seconds(lambda at=repeat: write(1, tokens, at), device) for repeat in range(repeats)]
    speeds = [written / seconds for seconds, written in runs]
    return {
        "tokens_per_second": round(median(speeds), 1),
        "least": round(min(speeds), 1),
        "most": round(max(speeds), 1),
    }


@torch.inference_mode()
def _read(network: OmniSVG, prompt: Prompt) -> int:
    """The prompt as the engine reads it. Returns its tokens."""
    device = network.head.device
    assert prompt.patches is not None
    network.model(
        input_ids=prompt.ids[None].to(device),
        position_ids=prompt.positions[:, None].to(device),
        pixel_values=prompt.patches.to(device, network.head.dtype),
        image_grid_thw=torch.tensor([[1, GRID, GRID]], device=device),
        use_cache=True,
    )
    return len(prompt.ids)


def _weight_bytes(network: OmniSVG) -> int:
    """What every step reads whatever the number of streams: all layers, the last norm, the head's rows."""
    text: Any = network.model.language_model
    read = [*text.layers.parameters(), text.norm.weight, network.head]
    return sum(weight.numel() * weight.element_size() for weight in read)


def _limits(network: OmniSVG, prompt: Prompt, streams: int, tokens: int, speed: float) -> dict[str, float | int]:
    """The most tokens per second that the memory allows: streams * speed / bytes of a step, with the weights alone
    and with the cache, of which a captured step reads all places:
    2 (keys, values) * layers * streams * key heads * head size * (prompt + tokens) * bytes of a number."""
    text: Any = network.model.config.text_config
    numbers = text.num_key_value_heads * (text.hidden_size // text.num_attention_heads)
    places = len(prompt.ids) + tokens
    cache = 2 * text.num_hidden_layers * streams * numbers * places * network.head.element_size()
    weights = _weight_bytes(network)
    return {
        "cache_bytes_of_a_step": cache,
        "limit_by_weights": round(streams * speed / weights, 1),
        "limit": round(streams * speed / (weights + cache), 1),
    }


def _bandwidth(device: torch.device) -> float:
    """Bytes per second of a copy inside the device's memory, reading and writing counted."""
    size = _COPIED if device.type == "cuda" else 2**26
    source, target = (torch.zeros(size, dtype=torch.uint8, device=device) for _ in range(2))
    times = [_seconds(lambda: target.copy_(source).shape[0], device)[0] for _ in range(12)]
    return 2 * size / median(times[2:])


def _seconds(run: Any, device: torch.device) -> tuple[float, int]:
    _wait(device)
    began = time.perf_counter()
    done = run()
    _wait(device)
    return time.perf_counter() - began, done


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _memory(device: torch.device) -> int:
    if device.type != "cuda":
        return 0
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def _peak(device: torch.device) -> int:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


def reached(part: dict[str, Any]) -> bool:
    """Whether the targets, which are of the 8B, are met."""
    rows = part["ours"]
    return part["size"] != "8B" or all(rows[str(k)]["tokens_per_second"] >= least for k, least in TARGETS.items())
