"""Captions: what is in each picture, as words for a diffusion model."""

from typing import Any

import torch
from comfy_api.latest import io

from ..engine.errors import EngineFailure, MissingPart
from ..engine.networks.captioner.caption import FEWEST_TOKENS, MOST_TOKENS, Caption, Wish, caption
from ..engine.networks.captioner.choice import choose_captioner
from ..engine.networks.captioner.write import Sampling
from ..engine.networks.qwen_vl.choice import AUTO, Choice
from ..host.captioner import captioner, captioner_sizes, images_to_captioner, missing_captioner
from ..host.convert import Pixels, only
from ..host.memory import gpu_memory
from ..host.progress import HostProgress
from ..host.report import StageReport, report_ui

_KEYWORDS, _SENTENCE = "keywords", "sentence"
_ERROR, _SKIP = "error", "skip"
_ONE = "It holds for all images; run images that want another one apart."


class QwenCaption(io.ComfyNode):
    """Describes each image of a list or batch, several at a time."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_QwenCaption",
            display_name="Qwen Caption",
            category="VectraHub/tiles",
            description=(
                "Describes every image, such as the tiles of Tile Split, in words for a diffusion model, by "
                "Qwen2.5-VL. One caption per image; several are written at a time. Needs its weights, and a GPU to "
                "be quick."
            ),
            search_aliases=["caption", "describe", "image to text", "qwen vl", "qwen2.5-vl", "tagger", "interrogate"],
            is_input_list=True,
            inputs=[
                io.Image.Input("images", tooltip="Images to describe: a list, a batch or both, of any sizes."),
                io.Combo.Input(
                    "style",
                    options=[_KEYWORDS, _SENTENCE],
                    default=_KEYWORDS,
                    optional=True,
                    tooltip="keywords: up to 60 words, separated by commas, none twice. sentence: one or two.",
                ),
                io.String.Input(
                    "instruction",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="What the network is told to do (system prompt). Empty: an instruction made for the style.",
                ),
                io.Float.Input(
                    "temperature",
                    default=0.0,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    optional=True,
                    tooltip="0: always the likeliest word. Higher: drawn by chance, bolder and less certain.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**64 - 1,
                    control_after_generate=io.ControlAfterGenerate.fixed,  # the front-end's own choice is randomize
                    optional=True,
                    tooltip="For a temperature above 0. The same seed gives an image the same caption.",
                ),
                io.Boolean.Input(
                    "free_after",
                    default=False,
                    optional=True,
                    tooltip="Unload the network afterwards. Else it stays until another model wants the room.",
                ),
                io.Int.Input(
                    "max_tokens",
                    default=160,
                    min=FEWEST_TOKENS,
                    max=MOST_TOKENS,
                    optional=True,
                    advanced=True,
                    tooltip="Longest caption; a word takes 1 to 2 tokens. What breaks off there is cut cleanly.",
                ),
                io.Float.Input(
                    "top_p",
                    default=0.9,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="For a temperature above 0: only the likeliest words, up to this share, are drawn.",
                ),
                io.Float.Input(
                    "repetition_penalty",
                    default=1.05,
                    min=1.0,
                    max=2.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Makes words already said in the caption less likely, commas excepted. 1: not at all.",
                ),
                io.Combo.Input(
                    "model",
                    options=[AUTO, *captioner_sizes()],
                    default=AUTO,
                    optional=True,
                    advanced=True,
                    tooltip="A folder of models/LLM with a Qwen2.5-VL. auto: the largest that fits into the GPU.",
                ),
                io.Combo.Input(
                    "if_missing",
                    options=[_ERROR, _SKIP],
                    default=_ERROR,
                    optional=True,
                    advanced=True,
                    tooltip="Where it cannot run: stop with an error, or give empty captions and go on.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="captions", is_output_list=True, tooltip="One caption per image."),
                io.String.Output(display_name="report", tooltip="JSON per image: model, caption, tokens, batch."),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: list[torch.Tensor],
        style: Any = (_KEYWORDS,),
        instruction: Any = ("",),
        temperature: Any = (0.0,),
        seed: Any = (0,),
        free_after: Any = (False,),
        max_tokens: Any = (160,),
        top_p: Any = (0.9,),
        repetition_penalty: Any = (1.05,),
        model: Any = (AUTO,),
        if_missing: Any = (_ERROR,),
    ) -> io.NodeOutput:
        report, progress = StageReport("caption"), HostProgress()
        pictures = images_to_captioner(images)
        wish = _wish(
            style=style,
            instruction=instruction,
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
            seed=seed,
        )
        choice = choose_captioner(only("model", model, _ONE), captioner_sizes(), gpu_memory())
        try:
            captions = _describe(pictures, wish, choice, free_after[0], progress)
        except (MissingPart, EngineFailure) as error:
            if if_missing[0] == _ERROR:
                raise
            texts = _skip(pictures, str(error), report)
        else:
            texts = _told(captions, choice, report)
        text = report.json()
        return io.NodeOutput(texts, text, ui=report_ui(text))


def _wish(**lists: Any) -> Wish:
    given = {name: only(name, values, _ONE) for name, values in lists.items()}
    sampling = Sampling(given["temperature"], given["top_p"], given["repetition_penalty"])
    return Wish(given["style"], given["instruction"], given["max_tokens"], sampling, given["seed"])


def _describe(
    pictures: list[Pixels], wish: Wish, choice: Choice, free_after: bool, progress: HostProgress
) -> list[Caption]:
    if choice.name is None:
        raise missing_captioner(choice)
    progress(0.0)  # a cancel is heard before and after loading, which is the host's
    with captioner(choice.name, len(pictures), wish.max_tokens, free_after) as speaker:
        return caption(speaker, pictures, wish, progress)


def _told(captions: list[Caption], choice: Choice, report: StageReport) -> list[str]:
    for one in captions:
        report.add(
            engine=choice.name,
            reason=choice.reason,
            caption=one.text,
            tokens=one.tokens,
            finished=one.finished,
            batch=one.batch,
        )
    return [one.text for one in captions]


def _skip(pictures: list[Pixels], reason: str, report: StageReport) -> list[str]:
    """Empty captions: a plan then uses the prompt for the whole picture alone."""
    for _ in pictures:
        report.add(engine="none", reason=reason, caption="")
    return [""] * len(pictures)
