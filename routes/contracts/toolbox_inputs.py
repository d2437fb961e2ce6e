"""The inputs of the toolbox's actions, and what they are as values of our systems."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

_Id = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_RANDOM_SEEDS = 2**32


class _Input(BaseModel):
    # `model_config` is a member of one of them, so pydantic's own namespace is not kept free.
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


class _Pictures(_Input):
    @model_validator(mode="after")
    def _check_ids(self) -> _Pictures:
        ids = [tile.tile_id for tile in self._tiles()]
        if len(set(ids)) != len(ids):
            raise ValueError("each tile has a tile_id of its own")
        return self

    def pictures(self) -> dict[str, str]:
        """{tile id: its picture}."""
        return {tile.tile_id: tile.image_b64 for tile in self._tiles()}

    def _tiles(self) -> tuple[CaptionTile, ...]:
        raise NotImplementedError


class CaptionTile(_Input):
    """A picture with its name."""

    tile_id: _Id
    image_b64: str = Field(min_length=1)


class UpscaleTile(CaptionTile):
    """`prompt_override` stands where the tile's caption would."""

    prompt_override: str | None = None


class CaptionValues(_Input):
    """Of all tiles."""

    system_prompt: str | None = None
    max_tokens: int = 200
    temperature: float | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None


class Caption(_Pictures):
    """Words for tiles."""

    tiles: tuple[CaptionTile, ...] = Field(min_length=1)
    caption_params: CaptionValues = CaptionValues()

    def _tiles(self) -> tuple[CaptionTile, ...]:
        return self.tiles


class Lora(_Input):
    """A LoRA by its name."""

    name: str = Field(min_length=1)
    weight: float = 1.0


class ControlNet(_Input):
    """The tile ControlNet."""

    enabled: bool = True
    model: str | None = None
    conditioning_scale: float = 0.6


class Models(_Input):
    """Names of files, or names that `[contracts.toolbox] models` maps to files."""

    base_model: str = Field(min_length=1)
    model_type: Literal["sdxl", "flux"] = "sdxl"
    loras: tuple[Lora, ...] = ()
    controlnet: ControlNet | None = None


class Generation(_Input):
    """Of all tiles. Without `seed`, or with -1, one is drawn."""

    steps: int = 30
    cfg_scale: float = 7.0
    denoising_strength: float = 0.35
    sampler: str = "euler_a"
    seed: int | None = None


class Upscale(_Pictures):
    """Tiles to refine."""

    models: Models = Field(alias="model_config")
    generation_params: Generation = Generation()
    global_prompt: str = ""
    negative_prompt: str = ""
    tiles: tuple[UpscaleTile, ...] = Field(min_length=1)

    def _tiles(self) -> tuple[CaptionTile, ...]:
        return self.tiles


class ListModels(_Input):
    """Without `model_type` all types."""

    model_type: str | None = None
    base_model_filter: str | None = None


class UploadModel(_Input):
    """A chunk of a file; one chunk if nothing else is said."""

    filename: str
    model_type: str
    base_model: str | None = None
    file_b64: str
    chunk_index: int = 0
    total_chunks: int = 1


class DeleteModel(_Input):
    """By the path that `list_models` gives."""

    path: str


class Health(_Input):
    """Nothing is asked."""


def caption_params(asked: Caption) -> dict[str, Any]:
    """Values of the system caption."""
    given = {name: value for name, value in asked.caption_params.model_dump().items() if value is not None}
    if (instruction := given.pop("system_prompt", None)) is not None:
        given["instruction"] = instruction
    return given


def tiles_params(asked: Upscale, names: Mapping[str, str]) -> dict[str, Any]:
    """Values of the system tiles; a ControlNet that is on without a name is named after the family ("sdxl-tile")."""
    models, values, control = asked.models, asked.generation_params, asked.models.controlnet
    seed = values.seed
    params: dict[str, Any] = {
        "checkpoint": models.base_model,
        "family": models.model_type,
        "loras": [[lora.name, lora.weight] for lora in models.loras],
        "prompt": asked.global_prompt,
        "negative": asked.negative_prompt,
        "steps": values.steps,
        "cfg": values.cfg_scale,
        "denoise": values.denoising_strength,
        "sampler": values.sampler,
        "seed": secrets.randbelow(_RANDOM_SEEDS) if seed is None or seed == -1 else seed,
        "names": dict(names),
        "tiles": [{"tile_id": tile.tile_id, "prompt": tile.prompt_override} for tile in asked.tiles],
    }
    if control is not None and control.enabled:
        params["control_net"] = control.model or f"{models.model_type}-tile"
        params["control_strength"] = control.conditioning_scale
    return params
