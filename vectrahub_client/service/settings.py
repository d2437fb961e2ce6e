"""What the operator decides: one TOML file, and the environment above it.

VECTRAHUB_LIMITS__QUEUE=50 is `queue` of `[limits]`. Secrets come from the environment or from secrets.toml of a folder
that nobody is served from, never from the other file, which people commit.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from ..errors import UsageError
from .records import Scope

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENV_PREFIX = "VECTRAHUB_"
CONFIG_ENV = "VECTRAHUB_CONFIG"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Auth(_Section):
    """Who is let in. Without a token only loopback is, and only while `trust_loopback` holds."""

    trust_loopback: bool = True
    guard_host: bool = False  # every other address of ComfyUI wants a token with the scope admin, too


class Limits(_Section):
    """What one request, one token and all of them may ask for."""

    queue: int = Field(default=200, ge=1)  # unfinished jobs
    per_token: int = Field(default=50, ge=1)  # of them, of one token
    body_mb: float = Field(default=100, gt=0)
    pixels_mp: float = Field(default=100, gt=0)  # of one picture, decoded
    json_depth: int = Field(default=64, ge=4, le=500)
    timeout_s: float = Field(default=1800, gt=0)  # of a job that asks for none, and the most that it may ask for
    wait_s: float = Field(default=60, ge=0)  # the most that ?wait= may ask for
    attempts: int = Field(default=3, ge=1)  # runs of a job that die with the server, before it counts as failed
    keep_days: float = Field(default=7, gt=0)  # of a finished job and its files
    # Whether tokens with `jobs` may post graphs of their own: these can use every node and read every job's files.
    workflows: bool = False


class Urls(_Section):
    """Addresses that inputs come from and callbacks go to. Both lists hold HOST, HOST:PORT or *.DOMAIN.

    `allow`: public hosts over https; "*" is any. `internal`: hosts that may be private and plain http.
    """

    allow: tuple[str, ...] = ()
    internal: tuple[str, ...] = ()
    max_mb: float = Field(default=50, gt=0)
    timeout_s: float = Field(default=30, gt=0)


class Callbacks(_Section):
    """Handing over results: pauses after the first failures, then growing ones, until `give_up_hours`."""

    timeout_s: float = Field(default=10, gt=0)
    pauses_s: tuple[Annotated[float, Field(ge=0)], ...] = (1, 2, 4)
    longest_pause_s: float = Field(default=3600, gt=0)
    give_up_hours: float = Field(default=72, gt=0)


class Log(_Section):
    """Of the pack's own logger; empty `format` leaves it to ComfyUI."""

    format: Literal["", "text", "json"] = ""
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class _Contract(_Section):
    enabled: bool = False
    open: bool = False  # without a token, as its old clients may ask; whoever reaches the port may use it


class VectraHubContract(_Contract):
    """S0: RunPod jobs with an image. Without `app_base_url` the SVG stays here and links lead here."""

    app_base_url: str = ""
    link_hours: float = Field(default=24, gt=0)


class ToolboxContract(_Contract):
    """S1: RunPod jobs with an action. `models` maps the names that its clients use to files of this server."""

    models: dict[str, str] = {}
    wait_s: float = Field(default=300, gt=0)  # of /runsync


class LogoContract(_Contract):
    """S2: POST /api/generate_logo."""

    max_concurrent_jobs: int = Field(default=2, ge=1)
    steps: int | None = Field(default=None, ge=1)  # DEFAULT_INFERENCE_STEPS there
    guidance: float | None = Field(default=None, ge=0)  # DEFAULT_GUIDANCE_SCALE there


class VtonContract(_Contract):
    """S3: /tryon and /infer. `callback_url` and `load_balancer_url` are told of ended jobs."""

    max_jobs: int = Field(default=1, ge=1)  # unfinished ones, above them 429
    mode: Literal["fp8", "lora", "base"] = "fp8"
    resolution: Literal["480p", "720p", "1080p"] = "720p"
    callback_url: str = ""
    load_balancer_url: str = ""


class VehicleContract(_Contract):
    """S4: /api/v1/process."""

    timeout_s: float = Field(default=300, gt=0)


class Contracts(_Section):
    """The five servers' own addresses; all off."""

    vectrahub: VectraHubContract = VectraHubContract()
    toolbox: ToolboxContract = ToolboxContract()
    logo: LogoContract = LogoContract()
    vton: VtonContract = VtonContract()
    vehicle: VehicleContract = VehicleContract()


class Token(_Section):
    """A token whose secret the operator chose: what an old client already sends."""

    secret: SecretStr = Field(min_length=16)
    scopes: frozenset[Scope] = frozenset({"jobs"})
    max_jobs: int | None = Field(default=None, ge=1)


class Secrets(_Section):
    """`callbacks` signs them; `links` signs links; the others go where their names say. `tokens` by name."""

    callbacks: SecretStr | None = None
    links: SecretStr | None = None  # FILE_PROXY_SECRET there
    svg_upload: SecretStr | None = None  # SVG_UPLOAD_SECRET there
    asset_service: SecretStr | None = None
    load_balancer: SecretStr | None = None
    tokens: dict[str, Token] = {}


class Settings(BaseSettings):
    """All of it; `load_settings` makes it."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    enabled: bool = True
    node_id: str = Field(default="vectrahub-1", min_length=1, max_length=100)
    # What links begin with, where a proxy stands before the server.
    public_url: str = Field(default="", pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$")
    auth: Auth = Auth()
    limits: Limits = Limits()
    urls: Urls = Urls()
    callbacks: Callbacks = Callbacks()
    log: Log = Log()
    contracts: Contracts = Contracts()
    secrets: Secrets = Secrets()

    @classmethod
    def settings_customise_sources(
        cls,
        _settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        **_others: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment is above the file."""
        return env_settings, init_settings


# The names under which the old servers took the same settings.
_OLD_NAMES = {
    "APP_BASE_URL": ("contracts", "vectrahub", "app_base_url"),
    "SVG_UPLOAD_SECRET": ("secrets", "svg_upload"),
    "FILE_PROXY_SECRET": ("secrets", "links"),
}


def load_settings(
    config: Path | None = None, secrets: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """The settings: the files where they exist, the environment above them.

    Raises UsageError, which names each key, its value (unless it is a secret), and what it should be.
    """
    data = _read(config)
    _check_names(environ)
    if "secrets" in data:
        raise UsageError(f"{config}: secrets do not belong there; give them by environment or in {secrets}")
    if kept := _read(secrets):
        data["secrets"] = kept
    for name, path in _OLD_NAMES.items():
        if environ.get(name):
            _put(data, path, environ[name])
    try:
        return Settings(**data)
    except SettingsError as error:  # its text names the section, never the value
        raise UsageError(f"a variable {ENV_PREFIX}... cannot be used: {error}; lists and tables are JSON") from None
    except ValidationError as error:
        lines = [_explain(one) for one in error.errors(include_url=False)]
        raise UsageError(f"the settings ({config or 'environment'}) cannot be used: " + "; ".join(lines)) from None


def _check_names(environ: Mapping[str, str]) -> None:
    """A section that is misspelt would be ignored, and with it a guard that somebody relies on."""
    for name in environ:
        section, nested, _ = name.removeprefix(ENV_PREFIX).partition("__")
        if name.startswith(ENV_PREFIX) and nested and section.lower() not in Settings.model_fields:
            known = ", ".join(field.upper() for field in Settings.model_fields)
            raise UsageError(f"the variable {name} sets nothing: after {ENV_PREFIX} comes one of {known}")


def _read(path: Path | None) -> dict[str, Any]:
    if path is None or not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the settings {path}: {error}") from error


def _put(data: dict[str, Any], path: tuple[str, ...], value: str) -> None:
    for key in path[:-1]:
        data = data.setdefault(key, {})
    data.setdefault(path[-1], value)


def _explain(error: Mapping[str, Any]) -> str:
    place = [str(part) for part in error["loc"]]
    shown = "" if place and place[0] == "secrets" else f" (it is {str(error['input'])[:80]!r})"
    return f"{'.'.join(place) or 'settings'}: {error['msg']}{shown}; in the environment {env_name(place)}"


def env_name(place: list[str]) -> str:
    """The variable that sets a key."""
    return ENV_PREFIX + "__".join(place).upper()
