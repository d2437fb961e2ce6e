"""A try-on as ComfyUI's own nodes: the graph that VTONTryOn becomes when it runs.

But for its end, everything in it is a link, a number or a text, so that the host's cache finds what did not change: a
new seed runs the sampler and what comes after it, and nothing else. VTONTryOn takes links where it can, so that it
expands before anything else runs: after every node that ran, the host's cache drops what the job has not named yet,
and the loaders are named by the expansion only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeVar

import folder_paths
from comfy_execution.graph_utils import GraphBuilder

from ..engine.errors import BadInput, MissingPart
from ..engine.tryon.modes import MODES, TEXT_ENCODER, VAE, Mode, Weights
from .lineage import Link
from .report import StageReport

SHIFT = 3.1  # of the noise schedule, as Qwen-Image-Edit-2511 was trained
CFG_NORM = 1.0
MAX_STEPS = 200
MAX_CFG = 20.0
REFERENCE = "index_timestep_zero"  # how 2511 tells its references from the picture that it paints

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Models:
    """What is connected; None: the mode's own files."""

    model: Link | None = None
    clip: Link | None = None
    vae: Link | None = None


@dataclass(frozen=True)
class Words:
    """Texts or links to them. `mask_prompt` is said first where something is marked."""

    prompt: str | Link
    mask_prompt: str | Link


@dataclass(frozen=True)
class TryOn:
    """What VTONTryOn was asked for. steps, cfg: 0 = by the mode."""

    person: Link
    garment: Link
    original: Link | None
    mask: Link | None
    words: Words
    mode: str
    seed: int | Link
    steps: int
    cfg: float
    comparison: bool
    models: Models


def tried_on(graph: GraphBuilder, wanted: TryOn) -> tuple[Link, Link, Link]:
    """Put the whole work into the graph; returns the links of the result, the comparison and the report.

    Raises BadInput for an unknown mode, and for steps or cfg out of range; MissingPart for files that are not here.
    """
    mode = _mode(wanted.mode)
    steps = _within("steps", wanted.steps, MAX_STEPS) or mode.steps
    cfg = _within("cfg", wanted.cfg, MAX_CFG) or mode.cfg
    model, clip, vae = _loaded(graph, wanted.models, mode)
    picture = graph.node(
        "VectraHub_VTONPicture",
        id="picture",
        person=wanted.person,
        garment=wanted.garment,
        prompt=wanted.words.prompt,
        mask_prompt=wanted.words.mask_prompt,
        **_given(mask=wanted.mask, original=wanted.original),
    )
    pictures = {"image1": picture.out(0), "image2": picture.out(1)}
    positive = _words(graph, "positive", picture.out(2), clip, vae, pictures)
    negative = positive if cfg == 1 else _words(graph, "negative", "", clip, vae, pictures)
    sampler = graph.node(
        "KSampler",
        id="sample",
        model=model,
        positive=positive,
        negative=negative,
        latent_image=graph.node("VAEEncode", id="encode", pixels=picture.out(0), vae=vae).out(0),
        seed=wanted.seed,
        steps=steps,
        cfg=cfg,
        sampler_name="euler",
        scheduler="simple",
        denoise=1.0,
    )
    painted = graph.node("VAEDecode", id="decode", samples=sampler.out(0), vae=vae).out(0)
    finish = graph.node(
        "VectraHub_VTONFinish",
        id="finish",
        image=painted,
        person=wanted.person,
        garment=picture.out(1),
        prompt=picture.out(2),
        seed=wanted.seed,
        comparison=wanted.comparison,
        ran=_ran(wanted, mode, steps, cfg),
        report=StageReport("VTONTryOn"),
        **_given(original=wanted.original),
    )
    return finish.out(0), finish.out(1), finish.out(2)


def _mode(name: str) -> Mode:
    if name not in MODES:
        raise BadInput("Mode", value=repr(name), limit=", ".join(MODES), remedy="Choose one of them.")
    return MODES[name]


def _within(name: str, value: Number, most: Number) -> Number:
    if not 0 <= value <= most:  # a linked value is not checked by the host
        raise BadInput(f"'{name}'", value=value, limit=f"0 to {most:g}", remedy="0 takes what suits the mode.")
    return value


def _given(**links: Link | None) -> dict[str, Link]:
    return {name: link for name, link in links.items() if link is not None}


def _loaded(graph: GraphBuilder, connected: Models, mode: Mode) -> tuple[Link, Link, Link]:
    """Model, clip and vae: what is connected, else the mode's files."""
    own = () if connected.model else (mode.model,)
    lora = (mode.lora,) if mode.lora else ()
    encoder = () if connected.clip else (TEXT_ENCODER,)
    decoder = () if connected.vae else (VAE,)
    files = _files((*own, *lora, *encoder, *decoder))
    model = connected.model
    if model is None:
        model = graph.node("UNETLoader", id="model", unet_name=files[mode.model], weight_dtype="default").out(0)
    model = graph.node("ModelSamplingAuraFlow", id="shift", model=model, shift=SHIFT).out(0)
    model = graph.node("CFGNorm", id="norm", model=model, strength=CFG_NORM).out(0)
    if mode.lora:
        lightning = {"lora_name": files[mode.lora], "strength_model": 1.0}
        model = graph.node("LoraLoaderModelOnly", id="lora", model=model, **lightning).out(0)
    clip = connected.clip
    if clip is None:
        clip = graph.node("CLIPLoader", id="clip", clip_name=files[TEXT_ENCODER], type="qwen_image").out(0)
    vae = connected.vae
    if vae is None:
        vae = graph.node("VAELoader", id="vae", vae_name=files[VAE]).out(0)
    return model, clip, vae


def _words(graph: GraphBuilder, name: str, text: str | Link, clip: Link, vae: Link, pictures: dict[str, Link]) -> Link:
    words = graph.node("TextEncodeQwenImageEditPlus", id=name, prompt=text, clip=clip, vae=vae, **pictures).out(0)
    method = graph.node(
        "FluxKontextMultiReferenceLatentMethod",
        id=f"{name}_references",
        conditioning=words,
        reference_latents_method=REFERENCE,
    )
    return method.out(0)


def _files(wanted: Iterable[Weights]) -> dict[Weights, str]:
    """Each file as the host lists it, in whatever subfolder it lies; the first of several.

    Raises MissingPart that names every file that is not here.
    """
    found: dict[Weights, str] = {}
    missing: list[Weights] = []
    for weights in wanted:
        listed = folder_paths.get_filename_list(weights.folder)
        name = next((name for name in listed if PurePath(name).name == weights.file), None)
        if name is None:
            missing.append(weights)
        else:
            found[weights] = name
    if missing:
        keys = " ".join(weights.key for weights in missing)
        raise MissingPart(
            ", ".join(f"{weights.file} (models/{weights.folder}, {weights.about})" for weights in missing),
            remedy=f"Fetch (Hugging Face): python install.py models get {keys}; or connect model, clip or vae.",
        )
    return found


def _ran(wanted: TryOn, mode: Mode, steps: int, cfg: float) -> dict[str, Any]:
    return {
        "mode": wanted.mode,
        "model": "connected" if wanted.models.model else mode.model.file,
        "lora": mode.lora.file if mode.lora else None,
        "steps": steps,
        "cfg": cfg,
    }
