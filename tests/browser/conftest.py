"""A page of the real front-end in headless Chromium, on the real host."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from PIL import Image, ImageDraw

from vectrahub.tests.host_fixture import RunningHost

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make env-dev")

# Nothing but the host is to be reached: a browser that looks for updates makes these tests slow and flaky.
_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
_READY = "!!(window.app?.graph && app.extensionManager && window.LiteGraph?.registered_node_types?.VectraHub_SVGSave)"


# Of a file, not of the session: while Playwright runs its thread counts as a running event loop, and no test of
# another file could have one.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on PATH: make chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def sample(host: RunningHost) -> str:
    """A small picture in the input folder, under the name that a stock ComfyUI has there."""
    picture = Image.new("RGB", (96, 96), "#FFFFFF")
    ImageDraw.Draw(picture).ellipse((16, 16, 80, 80), fill="#E30613")
    picture.save(host.input / "example.png")
    return "example.png"


def settle(page: Any) -> None:
    """Wait until the front-end has drawn what it was told: on a slow machine its frames come slower, too."""
    page.evaluate(
        """() => new Promise(done => { let left = 40;
        const next = () => left-- ? requestAnimationFrame(next) : done(); next(); })"""
    )


@contextmanager
def _opened(chromium: Any, host: RunningHost) -> Iterator[tuple[Any, list[str]]]:
    """The front-end's page, and the script errors that it has met."""
    # No Templates dialog over the canvas, and no panel that an earlier page has opened.
    httpx.post(
        f"{host.url}/settings", json={"Comfy.TutorialCompleted": True, "Comfy.RightSidePanel.IsOpen": False}, timeout=60
    )
    page = chromium.new_page(viewport={"width": 1800, "height": 1000})
    page.set_default_timeout(120_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"{error}\n{error.stack}"))
    page.goto(host.url)
    page.wait_for_function(_READY, timeout=120_000)
    # The front-end opens a workflow of its own when it starts; one that is loaded before would be replaced by it.
    page.wait_for_function("!!app.extensionManager.workflow.activeWorkflow", timeout=120_000)
    yield page, errors
    page.close()


@pytest.fixture(scope="module")
def front_end(chromium: Any, host: RunningHost, sample: str) -> Iterator[tuple[Any, list[str]]]:
    """The page that the tests share, opened once."""
    with _opened(chromium, host) as opened:
        yield opened


@pytest.fixture
def own_page(chromium: Any, host: RunningHost, sample: str) -> Iterator[Any]:
    """A page for one test that leaves dialogs or panels open."""
    with _opened(chromium, host) as (page, errors):
        yield page
        assert not [error for error in errors if "vectrahub" in error]


@pytest.fixture
def page(front_end: tuple[Any, list[str]]) -> Iterator[Any]:
    """The front-end with an empty graph; a script error of ours fails the test."""
    page, errors = front_end
    errors.clear()
    page.evaluate("() => { app.clean(); app.graph.clear(); }")
    yield page
    assert not [error for error in errors if "vectrahub" in error]
