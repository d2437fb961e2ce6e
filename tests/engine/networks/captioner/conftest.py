"""One thread for the tiny networks of these tests: with more, threads that wait for each other on a busy machine make
them ten times slower."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vectrahub.engine.networks.captioner.network import Captioner
from vectrahub.engine.networks.captioner.weights import load
from vectrahub.tests.tiny_captioner import write_tiny_captioner


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny captioner in two shards, as released; float32."""
    return write_tiny_captioner(tmp_path_factory.mktemp("captioner") / "tiny")


@pytest.fixture(scope="package")
def network(folder: Path) -> Captioner:
    return load(folder)
