"""Cancelling inside a network: one pass of a large one takes seconds on a CPU."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

SECONDS = 0.1


def every(check: Callable[[], None], seconds: float = SECONDS) -> Callable[[], None]:
    """`check`, called at most once per `seconds`."""
    called = time.monotonic()

    def throttled() -> None:
        nonlocal called
        if time.monotonic() - called > seconds:
            check()
            called = time.monotonic()

    return throttled


@contextmanager
def between_layers(module: torch.nn.Module | None, check: Callable[[], None]) -> Iterator[None]:
    """While inside, `check` is called before the layers of `module`, at most every `SECONDS`; it may raise."""
    throttled = every(check)
    leaves = [] if module is None else [layer for layer in module.modules() if next(layer.children(), None) is None]
    hooks = [layer.register_forward_pre_hook(lambda *_unused: throttled()) for layer in leaves]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
