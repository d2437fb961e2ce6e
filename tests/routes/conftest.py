"""Hosts with settings of their own for the job service."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from vectrahub.tests.host_fixture import RunningHost, make_host
from vectrahub.tests.routes.old_clients import SECRETS, Neighbour, Old, settings
from vectrahub.vectrahub_client.host_config import HostConfig

MakeJobHost = Callable[..., RunningHost]


def configured(host: RunningHost, settings: str, secrets: str = "") -> RunningHost:
    """The host, not yet started, with these settings in its system user folder (TOML)."""
    folder = host.base / "user" / "__vectrahub"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("config.toml", settings), ("secrets.toml", secrets)):
        if text:
            (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
    return host


@pytest.fixture
def make_job_host(host_config: HostConfig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeJobHost]:
    """Boots hosts for one test: `make_job_host(settings_toml, secrets_toml, packs=...)`."""
    started: list[RunningHost] = []

    def boot(settings: str = "", secrets: str = "", packs: Sequence[str] = ()) -> RunningHost:
        running = configured(make_host(host_config, tmp_path_factory.mktemp("jobs"), packs), settings, secrets)
        started.append(running)
        running.start()
        return running

    try:
        yield boot
    finally:
        for running in started:
            running.stop()


def bearer(token: str) -> Mapping[str, str]:
    """The header with a token."""
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="session")
def old(host_config: HostConfig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Old]:
    """One host with all five contracts, tiny networks in the place of files, and what the old servers talked to."""
    neighbour = Neighbour()
    packs = ("stand_ins", "tiny_diffusion", "slow_node")
    host = configured(make_host(host_config, tmp_path_factory.mktemp("contracts"), packs), settings(neighbour), SECRETS)
    (host.base / "stand_ins").touch()
    try:
        with host:
            yield Old(host, neighbour)
    finally:
        neighbour.close()
