"""A training as core's own nodes: the graph that TrainLoRAStages becomes when it runs.

Each stage is a TrainLoraNode that continues what the one before it gave. No node of a stage is told how long the whole
is, so that the host's cache knows the stages of a training that is asked for more steps, or was cancelled.
"""

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from comfy_execution.graph_utils import GraphBuilder

from ..engine.training.stages import MARK, Stage, check_name, stage_seed, stages
from .lineage import Link
from .report import StageReport
from .saving import safe_prefix
from .training_files import check_place, steps_seen

NEW = "new"
Shapes = dict[str, torch.Size]


@dataclass(frozen=True)
class Settings:
    """What holds for every stage. accumulate: pictures per step; the rest as core's TrainLoraNode has it."""

    rank: int
    alpha: float
    learning_rate: float
    seed: int
    accumulate: int
    training_dtype: str
    lora_dtype: str
    gradient_checkpointing: bool
    offloading: bool


@dataclass(frozen=True)
class Training:
    """What TrainLoRAStages was asked for. continue_from: a file of the host's "loras", or NEW."""

    node_id: str
    model: Link
    latents: Link
    positive: Link
    name: str
    steps: int
    checkpoint_every: int
    continue_from: str
    settings: Settings


def in_stages(graph: GraphBuilder, wanted: Training) -> tuple[Link, Link, int, Link]:
    """Put the whole training into the graph; returns lora, losses, steps and report.

    Raises BadInput for a name or numbers out of range, for a place that cannot be written to and for a file to continue
    that cannot be read: nothing is trained before.
    """
    name = safe_prefix(wanted.name)
    check_name(name)
    done = 0 if wanted.continue_from == NEW else steps_seen(wanted.continue_from)
    every = stages(done, wanted.steps, wanted.checkpoint_every)
    check_place(name, wanted.steps)
    data = graph.node(
        "VectraHub_TrainingData", id="data", model=wanted.model, latents=wanted.latents, positive=wanted.positive
    )
    buckets = graph.node("ResolutionBucket", id="buckets", latents=data.out(1), conditioning=data.out(2))
    learned = (data.out(0), buckets.out(0), buckets.out(1))
    before: dict[str, Link] = {}
    if wanted.continue_from != NEW:
        loaded = graph.node("VectraHub_TrainingLoad", id="load", file=wanted.continue_from, alpha=wanted.settings.alpha)
        before = {"before": loaded.out(0), "losses": loaded.out(1)}
    for stage in every:
        kept = _stage(graph, wanted, stage, name, learned, before)
        before = {"before": kept[0], "losses": kept[1], "files": kept[2]}
    report = graph.node(
        "VectraHub_TrainingReport",
        id="report",
        loss=before["losses"],
        files=before["files"],
        ran={"steps": wanted.steps, "continued_from": wanted.continue_from, **asdict(wanted.settings)},
        report=StageReport("TrainLoRAStages"),
    )
    return before["before"], before["losses"], wanted.steps, report.out(0)


def _stage(
    graph: GraphBuilder,
    wanted: Training,
    stage: Stage,
    name: str,
    learned: tuple[Link, Link, Link],
    before: dict[str, Link],
) -> tuple[Link, Link, Link]:
    own = wanted.settings
    start = graph.node(
        "VectraHub_TrainingStart",
        id=f"start{stage.end}",
        model=learned[0],
        rank=own.rank,
        alpha=own.alpha,
        seed=own.seed,
        start=stage.start,
        end=stage.end,
        node_id=wanted.node_id,
        **({"before": before["before"]} if before else {}),
    )
    train = graph.node(
        "TrainLoraNode",
        id=f"train{stage.end}",
        model=start.out(0),
        existing_lora=start.out(1),
        latents=learned[1],
        positive=learned[2],
        bucket_mode=True,
        batch_size=1,  # core shows every picture of a batch all the captions of it, and takes the mean
        grad_accumulation_steps=own.accumulate,
        steps=stage.steps,
        learning_rate=own.learning_rate,
        rank=own.rank,
        seed=stage_seed(own.seed, stage.start, own.accumulate),
        optimizer="AdamW",
        loss_function="MSE",
        training_dtype=own.training_dtype,
        lora_dtype=own.lora_dtype,
        quantized_backward=False,
        algorithm="LoRA",
        gradient_checkpointing=own.gradient_checkpointing,
        checkpoint_depth=1,
        offloading=own.offloading,
        bypass_mode=False,
    )
    kept = graph.node(
        "VectraHub_TrainingCheckpoint",
        id=f"keep{stage.end}",
        lora=train.out(0),
        loss=train.out(1),
        name=name,
        steps=stage.end,
        alpha=own.alpha,
        about=asdict(own),
        **before,
    )
    return kept.out(0), kept.out(1), kept.out(2)


def takes_scaled(model: ModelPatcher, latents: list[torch.Tensor]) -> tuple[ModelPatcher, list[torch.Tensor]]:
    """The latents as the model's latent format scales them, and the model with a format that leaves them so.

    Core's sampler scales what it is given; its trainer does so too, but not in buckets. This holds for both.
    """
    scaled = [model.model.process_latent_in(one) for one in latents]
    kept: Any = copy.copy(model.get_model_object("latent_format"))
    kept.process_in = _as_it_is
    taken = model.clone()
    taken.add_object_patch("latent_format", kept)
    return taken, scaled


def _as_it_is(latent: torch.Tensor) -> torch.Tensor:
    return latent


def learnable(model: ModelPatcher) -> tuple[Shapes, Shapes]:
    """The shapes of what core trains: matrices by module, and norms and biases by the key of their difference."""
    modules = [
        (name, module)
        for name, module in model.model.named_modules()
        if hasattr(module, "weight_function") and module.weight is not None
    ]
    matrices = {name: module.weight.shape for name, module in modules if module.weight.ndim >= 2}
    norms = {f"{name}.diff": module.weight.shape for name, module in modules if name not in matrices}
    biases = {
        f"{name}.diff_b": module.bias.shape for name, module in modules if getattr(module, "bias", None) is not None
    }
    return matrices, norms | biases


def is_checkpoint(file: str) -> bool:
    """Whether a LoRA can be continued: its name says how many steps it has seen."""
    return MARK in file and file.lower().endswith((".safetensors", ".sft"))
