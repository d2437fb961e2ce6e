from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from vectrahub.tests.host_fixture import ROOT

Cli = Callable[..., subprocess.CompletedProcess[str]]


def cli_command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "vectrahub_client", *map(str, arguments)]


def cli_environment(**extra: str) -> dict[str, str]:
    return {**{k: v for k, v in os.environ.items() if k != "COMFYUI_URL"}, **extra}


@pytest.fixture
def cli() -> Cli:
    """Runs the command line as a person would; stdout, stderr, returncode."""

    def call(*arguments: object, timeout: float = 240, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            cli_command(*arguments),
            cwd=ROOT,
            env=cli_environment(**environment),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return call
