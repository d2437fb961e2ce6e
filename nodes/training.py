"""Training a LoRA for a style: the pictures of a folder, and core's own trainer in stages with checkpoints."""

import folder_paths
import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import GraphBuilder

from ..engine.raster.tiles.plan import MAX_SEED
from ..engine.training.pictures import find_examples, read_pictures, state
from ..engine.training.stages import MAX_STEPS
from ..host.lineage import Link
from ..host.progress import HostProgress
from ..host.report import StageReport, report_ui
from ..host.training import NEW, Settings, Training, in_stages, is_checkpoint
from ..host.training_files import FOLDER, training_folder
from .training_parts import LORA, LOSS

TRIGGER = "<flt_vctr_style>"


class TrainingSet(io.ComfyNode):
    """The pictures of a folder with their texts, for Make Training Dataset."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_TrainingSet",
            display_name="Training Set",
            category="VectraHub/vehicle",
            description=(
                "Reads the pictures that a style is learned from, and what each of them shows: captioned pictures "
                "(NAME.png with NAME.txt), or pairs (input/NAME.* the photograph, target/NAME.* what is learned)."
            ),
            search_aliases=["dataset", "lora training", "load folder", "captions", "pairs", "train"],
            inputs=[
                io.String.Input(
                    "folder",
                    default="vehicle_lora",
                    tooltip="Folder in ComfyUI's input folder. Its own pictures, or those of its input and target.",
                ),
                io.String.Input(
                    "trigger",
                    default=TRIGGER,
                    tooltip="Put before every text that does not hold it. Say it again to get the style.",
                ),
                io.String.Input(
                    "caption",
                    default="flat vector illustration of a car",
                    multiline=True,
                    tooltip="For pictures without a .txt of their own.",
                ),
                io.Int.Input("minimum", default=10, min=1, max=10_000, tooltip="Fewer pictures than this are refused."),
            ],
            outputs=[
                io.Image.Output(display_name="images", is_output_list=True, tooltip="The pictures to learn, a list."),
                io.String.Output(display_name="texts", is_output_list=True, tooltip="Trigger and caption of each."),
                io.Image.Output(
                    display_name="photos",
                    is_output_list=True,
                    tooltip="The photographs of pairs, else the pictures: for Qwen Caption, instead of .txt files.",
                ),
                io.String.Output(display_name="report", tooltip="JSON: pictures, pairs, captions, sizes."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, folder: str, **_others: object) -> str:
        return repr(state(training_folder(folder)[0]))

    @classmethod
    def execute(cls, folder: str, trigger: str, caption: str, minimum: int) -> io.NodeOutput:
        report = StageReport("TrainingSet")
        examples = find_examples(*training_folder(folder), trigger, caption, minimum)
        pairs = [one.photo for one in examples if one.photo != one.picture]
        read = read_pictures([*(one.picture for one in examples), *pairs], HostProgress())
        images = [torch.from_numpy(pixels)[None] for pixels in read]
        learned = images[: len(examples)]
        small = [
            one.picture.name for one, image in zip(examples, learned, strict=True) if image[0, ..., 0].numel() < 2**19
        ]
        captioned = sum(one.captioned for one in examples)
        report.add(pictures=len(learned), pairs=len(pairs), captioned=captioned, below_half_a_megapixel=small)
        text = report.json()
        texts = [one.text for one in examples]
        return io.NodeOutput(learned, texts, images[len(examples) :] or learned, text, ui=report_ui(text))


class TrainLoRAStages(io.ComfyNode):
    """Core's Train LoRA in stages: a checkpoint after each, and any of them can be continued."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        checkpoints = [name for name in folder_paths.get_filename_list(FOLDER) if is_checkpoint(name)]
        return io.Schema(
            node_id="VectraHub_TrainLoRAStages",
            display_name="Train LoRA Stages",
            category="VectraHub/vehicle",
            description=(
                "Trains a LoRA with ComfyUI's own trainer and saves a checkpoint after every so many steps, as "
                "output/loras/NAME_STEPS_steps_00001_.safetensors. What was cut off goes on from any of them."
            ),
            search_aliases=["train", "lora training", "fine-tune", "finetune", "dreambooth", "checkpoint"],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
            enable_expand=True,
            inputs=[
                io.Model.Input("model", raw_link=True, lazy=True, tooltip="The model to train on, from a loader."),
                io.Latent.Input("latents", raw_link=True, lazy=True, tooltip="From Make Training Dataset."),
                io.Conditioning.Input(
                    "positive", raw_link=True, lazy=True, tooltip="The 'conditioning' of Make Training Dataset."
                ),
                io.String.Input(
                    "name", default="vectrahub/flat_vector", tooltip="Name of the files, '/' for subfolders."
                ),
                io.Int.Input(
                    "steps",
                    default=2000,
                    min=2,
                    max=MAX_STEPS,
                    tooltip="Steps in all, with those of the file that is continued.",
                ),
                io.Int.Input(
                    "checkpoint_every", default=500, min=1, max=MAX_STEPS, tooltip="Steps between two checkpoints."
                ),
                io.Int.Input(
                    "rank", default=32, min=1, max=128, tooltip="How much it can learn; the files grow with it."
                ),
                io.Float.Input(
                    "alpha",
                    default=16.0,
                    min=0.01,
                    max=1024.0,
                    step=0.01,
                    tooltip="What is learned counts alpha / rank; half the rank is usual.",
                ),
                io.Float.Input(
                    "learning_rate",
                    default=1e-4,
                    min=1e-7,
                    max=1.0,
                    step=1e-7,
                    tooltip="How far a step goes. Too high spoils the model, too low learns nothing.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=MAX_SEED,
                    control_after_generate=io.ControlAfterGenerate.fixed,  # a new seed trains anew
                    tooltip="Of the first weights, the noise and the order of the pictures.",
                ),
                io.Combo.Input(
                    "continue_from",
                    options=[NEW, *checkpoints],
                    default=NEW,
                    tooltip="new, or the checkpoint to go on from. Keep the other settings.",
                ),
                io.Int.Input(
                    "accumulate",
                    default=1,
                    min=1,
                    max=1024,
                    optional=True,
                    advanced=True,
                    tooltip="Pictures per step, one after the other: smoother, and that many times as long.",
                ),
                io.Combo.Input(
                    "training_dtype",
                    options=["bf16", "fp32", "none"],
                    default="bf16",
                    optional=True,
                    advanced=True,
                    tooltip="Numbers that the model computes in. none: as its file has them.",
                ),
                io.Combo.Input(
                    "lora_dtype",
                    options=["fp32", "bf16"],
                    default="fp32",
                    optional=True,
                    advanced=True,
                    tooltip="Numbers of the LoRA and its file. bf16 is half as large, and too coarse for small steps.",
                ),
                io.Boolean.Input(
                    "gradient_checkpointing",
                    default=True,
                    optional=True,
                    advanced=True,
                    tooltip="Compute twice instead of remembering: much less memory, slower.",
                ),
                io.Boolean.Input(
                    "offloading",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Keep the model's weights in main memory: less graphics memory, much slower.",
                ),
            ],
            outputs=[
                LORA.Output(display_name="lora", tooltip="The LoRA after the last step, for Load LoRA Model."),
                LOSS.Output(display_name="loss", tooltip="The loss of every step, for Plot Loss Graph."),
                io.Int.Output(display_name="steps", tooltip="Steps in all."),
                io.String.Output(display_name="report", tooltip="JSON: settings, checkpoints, loss, time."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Link,
        latents: Link,
        positive: Link,
        name: str,
        steps: int,
        checkpoint_every: int,
        rank: int,
        alpha: float,
        learning_rate: float,
        seed: int,
        continue_from: str,
        accumulate: int = 1,
        training_dtype: str = "bf16",
        lora_dtype: str = "fp32",
        gradient_checkpointing: bool = True,
        offloading: bool = False,
    ) -> io.NodeOutput:
        settings = Settings(
            rank=rank,
            alpha=alpha,
            learning_rate=learning_rate,
            seed=seed,
            accumulate=accumulate,
            training_dtype=training_dtype,
            lora_dtype=lora_dtype,
            gradient_checkpointing=gradient_checkpointing,
            offloading=offloading,
        )
        wanted = Training(
            node_id=str(cls.hidden.unique_id),
            model=model,
            latents=latents,
            positive=positive,
            name=name,
            steps=steps,
            checkpoint_every=checkpoint_every,
            continue_from=continue_from,
            settings=settings,
        )
        graph = GraphBuilder()
        return io.NodeOutput(*in_stages(graph, wanted), expand=graph.finalize())
