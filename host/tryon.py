"""A try-on as ComfyUI's own nodes: the graph that VTONTryOn becomes when it runs.

Everything in it is a link, a number or a text, so that the host's cache finds what did not change: a new seed runs
the sampler and what comes after it, and nothing else. VTONTryOn takes links where it can, so that it expands before
anything else runs: after every node that ran, the host's cache drops what the job has not named yet, and the loaders
are named by the expansion only.
"""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import folder_paths
from comfy_execution.graph_utils import GraphBuilder

from ..engine.errors import BadInput, MissingPart
from ..engine.tryon.modes import MODES, TEXT_ENCODER, VAE, Mode, Weights
from .lineage import Link
from .report import StageReport

SHIFT = 3.1  # of the noise schedule, as Qwen-Image-Edit-2511 was trained
CFG_NORM = 1.0
REFERENCE = "index_timestep_zero"  # how 2511 tells its references from the picture that it paints


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
    """What VTONTryOn was asked for. steps, cfg: None = by the mode."""

    person: Link
    garment: Link
    original: Link | None
    mask: Link | None
    words: Words
    mode: str
    seed: int | Link
    steps: int | None
    cfg: float | None
    comparison: bool
    models: Models


def tried_on(graph: GraphBuilder, wanted: TryOn) -> tuple[Link, Link, Link]:
    """Put the whole work into the graph; returns the links of the result, the comparison and the report.

    Raises BadInput for an unknown mode, MissingPart for a file of the mode that is not here.
    """
    mode = _mode(wanted.mode)
    steps, cfg = wanted.steps or mode.steps, wanted.cfg or mode.cfg
    model = _model(graph, wanted.models.model, mode)
    vae = wanted.models.vae or graph.node("VAELoader", id="vae", vae_name=_file(VAE)).out(0)
    clip = wanted.models.clip or _text_encoder(graph)
    marked = {} if wanted.mask is None else {"mask": wanted.mask}
    picture = graph.node(
        "VectraHub_VTONPicture",
        id="picture",
        person=wanted.person,
        prompt=wanted.words.prompt,
        mask_prompt=wanted.words.mask_prompt,
        **marked,
    )
    pictures = {"image1": picture.out(0), "image2": wanted.garment}
    positive = _words(graph, "positive", picture.out(1), clip, vae, pictures)
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
    size = {} if wanted.original is None else {"original": wanted.original}
    finish = graph.node(
        "VectraHub_VTONFinish",
        id="finish",
        image=painted,
        person=wanted.person,
        garment=wanted.garment,
        prompt=picture.out(1),
        seed=wanted.seed,
        comparison=wanted.comparison,
        ran=_ran(wanted, mode, steps, cfg),
        report=StageReport("VTONTryOn"),
        **size,
    )
    return finish.out(0), finish.out(1), finish.out(2)


def _mode(name: str) -> Mode:
    if name not in MODES:
        raise BadInput("Mode", value=repr(name), limit=", ".join(MODES), remedy="Choose one of them.")
    return MODES[name]


def _model(graph: GraphBuilder, connected: Link | None, mode: Mode) -> Link:
    model = connected
    if model is None:
        model = graph.node("UNETLoader", id="model", unet_name=_file(mode.model), weight_dtype="default").out(0)
    model = graph.node("ModelSamplingAuraFlow", id="shift", model=model, shift=SHIFT).out(0)
    model = graph.node("CFGNorm", id="norm", model=model, strength=CFG_NORM).out(0)
    if mode.lora is not None:
        lora = graph.node("LoraLoaderModelOnly", id="lora", model=model, lora_name=_file(mode.lora), strength_model=1.0)
        model = lora.out(0)
    return model


def _text_encoder(graph: GraphBuilder) -> Link:
    return graph.node("CLIPLoader", id="clip", clip_name=_file(TEXT_ENCODER), type="qwen_image").out(0)


def _words(graph: GraphBuilder, name: str, text: str | Link, clip: Link, vae: Link, pictures: dict[str, Link]) -> Link:
    words = graph.node("TextEncodeQwenImageEditPlus", id=name, prompt=text, clip=clip, vae=vae, **pictures).out(0)
    method = graph.node(
        "FluxKontextMultiReferenceLatentMethod",
        id=f"{name}_references",
        conditioning=words,
        reference_latents_method=REFERENCE,
    )
    return method.out(0)


def _file(weights: Weights) -> str:
    """The file as the host lists it, in whatever subfolder it lies; the first of several."""
    for listed in folder_paths.get_filename_list(weights.folder):
        if PurePath(listed).name == weights.file:
            return listed
    raise MissingPart(
        f"{weights.file} (models/{weights.folder}, {weights.about})",
        remedy=f"Fetch it (Hugging Face): python install.py models get {weights.key}; or choose another mode, or "
        "connect a loader of your own.",
    )


def _ran(wanted: TryOn, mode: Mode, steps: int, cfg: float) -> dict[str, Any]:
    return {
        "mode": wanted.mode,
        "model": "connected" if wanted.models.model else mode.model.file,
        "lora": mode.lora.file if mode.lora else None,
        "steps": steps,
        "cfg": cfg,
    }
