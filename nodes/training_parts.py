"""What TrainLoRAStages becomes beside core's own trainer."""

from typing import Any

import torch
from comfy.sd import load_lora_for_models
from comfy_api.latest import io

from ..engine.errors import BadInput
from ..engine.training.adapters import Weights, check_belongs, continued, differences, new_adapters, trained
from ..host.convert import only
from ..host.progress import say
from ..host.report import StageReport, report_ui
from ..host.training import learnable, takes_scaled
from ..host.training_files import hand_over, read_checkpoint, save_checkpoint

_CATEGORY = "VectraHub/vehicle/parts"
_LATENT_PIXELS = 8  # per side of a latent's pixel, as core itself counts them for SDXL
LORA = io.Custom("LORA_MODEL")
LOSS = io.Custom("LOSS_MAP")


class TrainingData(io.ComfyNode):
    """What core's trainer leaves out for pictures of several sizes: each text's own size, and the scale of the latents.

    With buckets it tells all texts the size of the first picture, and learns the latents as the VAE gives them, where
    the model wants them as its latent format scales them.
    """

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_TrainingData",
            display_name="TrainingData (part of Train LoRA Stages)",
            category=_CATEGORY,
            description="Gives each text the size of its picture, and the pictures the scale that the model wants.",
            is_dev_only=True,
            is_input_list=True,
            inputs=[
                io.Model.Input("model", tooltip="The model to train on."),
                io.Latent.Input("latents", tooltip="The pictures, encoded."),
                io.Conditioning.Input("positive", tooltip="One text per picture, encoded."),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model, which takes them as they are."),
                io.Latent.Output(display_name="latents", is_output_list=True, tooltip="The same, scaled."),
                io.Conditioning.Output(display_name="positive", is_output_list=True, tooltip="The same, sized."),
            ],
        )

    @classmethod
    def execute(cls, model: list[Any], latents: list[dict[str, Any]], positive: list[list[Any]]) -> io.NodeOutput:
        samples = [latent["samples"] for latent in latents]
        if len(samples) != len(positive) or any(one.shape[0] != 1 for one in samples):
            raise BadInput(
                "Pictures and texts to learn from",
                value=f"{sum(one.shape[0] for one in samples)} latents, {len(positive)} conditionings",
                limit="lists of equal length, one picture each",
                remedy="Connect both outputs of Make Training Dataset.",
            )
        taken, prepared = takes_scaled(only("model", model, "Train one model at a time."), samples)
        sized = []
        for one, texts in zip(samples, positive, strict=True):
            size = {"height": one.shape[-2] * _LATENT_PIXELS, "width": one.shape[-1] * _LATENT_PIXELS}
            sized.append([[text, {**size, **options}] for text, options in texts])
        return io.NodeOutput(taken, [{"samples": one} for one in prepared], sized)


class TrainingLoad(io.ComfyNode):
    """The checkpoint that a training goes on from."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_TrainingLoad",
            display_name="TrainingLoad (part of Train LoRA Stages)",
            category=_CATEGORY,
            description="Loads a checkpoint to continue.",
            is_dev_only=True,
            inputs=[
                io.String.Input("file", tooltip="A file of models/loras or output/loras."),
                io.Float.Input("alpha", tooltip="The alpha that it gets."),
            ],
            outputs=[
                LORA.Output(display_name="lora", tooltip="Its weights."),
                LOSS.Output(display_name="losses", tooltip="The loss of its steps, as far as the file knows it."),
            ],
        )

    @classmethod
    def execute(cls, file: str, alpha: float) -> io.NodeOutput:
        weights, about = read_checkpoint(file)
        return io.NodeOutput(continued(weights, alpha), {"loss": about.get("loss", [])})


class TrainingStart(io.ComfyNode):
    """Hands core's trainer what it continues: alpha 16 from the first step on is something to continue, too."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_TrainingStart",
            display_name="TrainingStart (part of Train LoRA Stages)",
            category=_CATEGORY,
            description="Hands ComfyUI's trainer the weights that a stage begins with.",
            is_dev_only=True,
            inputs=[
                io.Model.Input("model", tooltip="The model to train on."),
                io.Int.Input("rank", tooltip="Rank of new adapters."),
                io.Float.Input("alpha", tooltip="Alpha of new adapters."),
                io.Int.Input("seed", tooltip="Seed of new adapters."),
                io.Int.Input("start", tooltip="Steps done."),
                io.Int.Input("end", tooltip="Steps after this stage."),
                io.String.Input("node_id", tooltip="The node that the user sees."),
                LORA.Input("before", optional=True, tooltip="What the stage before gave."),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model, with what norms and biases have learned."),
                io.String.Output(display_name="existing_lora", tooltip="Name of the file with the adapters."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        rank: int,
        alpha: float,
        seed: int,
        start: int,
        end: int,
        node_id: str,
        before: Weights | None = None,
    ) -> io.NodeOutput:
        say(node_id, f"Training: steps {start + 1} to {end}")  # the trainer's own bar counts within them
        matrices, vectors = learnable(model)
        if before is None:
            return io.NodeOutput(model, hand_over(new_adapters(matrices, rank, alpha, seed), start))
        check_belongs(before, matrices, vectors, rank)
        with torch.inference_mode(False):
            learned = {key: value.clone() for key, value in differences(before).items()}
        patched, _ = load_lora_for_models(model, None, learned, 1.0, 0.0)
        return io.NodeOutput(patched, hand_over(before, start))


class TrainingCheckpoint(io.ComfyNode):
    """What a stage gave, made whole and saved."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_TrainingCheckpoint",
            display_name="TrainingCheckpoint (part of Train LoRA Stages)",
            category=_CATEGORY,
            description="Saves what a stage gave.",
            is_dev_only=True,
            inputs=[
                LORA.Input("lora", tooltip="What ComfyUI's trainer gave."),
                LOSS.Input("loss", tooltip="The loss of its steps."),
                io.String.Input("name", tooltip="Name of the file."),
                io.Int.Input("steps", tooltip="Steps done."),
                io.Float.Input("alpha", tooltip="Alpha of the file."),
                io.AnyType.Input("about", tooltip="What the file says about itself."),
                LORA.Input("before", optional=True, tooltip="What the stage before gave."),
                LOSS.Input("losses", optional=True, tooltip="The loss up to there."),
                io.AnyType.Input("files", optional=True, tooltip="The files up to there."),
            ],
            outputs=[
                LORA.Output(display_name="lora", tooltip="What was saved."),
                LOSS.Output(display_name="losses", tooltip="The loss of all steps."),
                io.AnyType.Output(display_name="files", tooltip="All files of this training."),
            ],
        )

    @classmethod
    def execute(
        cls,
        lora: Weights,
        loss: dict[str, list[float]],
        name: str,
        steps: int,
        alpha: float,
        about: dict[str, Any],
        before: Weights | None = None,
        losses: dict[str, list[float]] | None = None,
        files: list[str] | None = None,
    ) -> io.NodeOutput:
        made = trained(lora, alpha, before)
        every = [*(losses or {"loss": []})["loss"], *(float(f"{one:.6g}") for one in loss["loss"])]
        file = save_checkpoint(made, name, steps, {**about, "steps": steps, "loss": every})
        lora.update({key: value.to("cpu") for key, value in lora.items()})  # the cache would keep it on the GPU
        return io.NodeOutput(made, {"loss": every}, [*(files or []), file])


class TrainingReport(io.ComfyNode):
    """What a training did."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_TrainingReport",
            display_name="TrainingReport (part of Train LoRA Stages)",
            category=_CATEGORY,
            description="Reports a training.",
            is_dev_only=True,
            inputs=[
                LOSS.Input("loss", tooltip="The loss of all steps."),
                io.AnyType.Input("files", tooltip="The checkpoints."),
                io.AnyType.Input("ran", tooltip="Set by Train LoRA Stages."),
                io.AnyType.Input("report", tooltip="Set by Train LoRA Stages."),
            ],
            outputs=[io.String.Output(display_name="report", tooltip="JSON: settings, checkpoints, loss.")],
        )

    @classmethod
    def execute(
        cls, loss: dict[str, list[float]], files: list[str], ran: dict[str, Any], report: StageReport
    ) -> io.NodeOutput:
        values = loss["loss"]
        tenth = max(1, len(values) // 10)
        first, last = sum(values[:tenth]) / tenth, sum(values[-tenth:]) / tenth
        figures = {"first_tenth": float(f"{first:.4g}"), "last_tenth": float(f"{last:.4g}")}
        report.add(**ran, files=[f"loras/{file}" for file in files], loss=figures)
        text = report.json()
        return io.NodeOutput(text, ui=report_ui(text))


TRAINING_PARTS: list[type[io.ComfyNode]] = [
    TrainingData,
    TrainingLoad,
    TrainingStart,
    TrainingCheckpoint,
    TrainingReport,
]
