"""Test-only nodes: MODEL, CLIP, VAE and CONTROL_NET of core's own classes, tiny, with random weights from a seed."""

from . import networks, qwen_image
from .expansion import TestExpansion
from .watch import Watch

_SEED = ("INT", {"default": 0, "min": 0, "max": 1_000_000})


class TestTiny:
    """`slow`: seconds that each call of the diffusion model takes longer. `fail_on`: sampling raises RuntimeError for a
    batch in which a prompt holds this text; `nan_on`: its rows become NaN. See watch.py for the same without inputs.
    """

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("MODEL", "CLIP", "VAE")

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {
            "required": {"seed": _SEED},
            "optional": {
                "slow": ("FLOAT", {"default": 0.0, "min": 0.0, "max": 60.0, "step": 0.01}),
                "fail_on": ("STRING", {"default": ""}),
                "nan_on": ("STRING", {"default": ""}),
            },
        }

    def run(self, seed, slow=0.0, fail_on="", nan_on=""):
        model, clip, vae = self.make(seed)
        model.set_model_unet_function_wrapper(Watch(slow, fail_on, nan_on))
        return model, clip, vae


class TestTinySDXL(TestTiny):
    """SDXL: text by cross-attention (prompts over 77 tokens give longer conditions) and pooled text."""

    def make(self, seed):
        return networks.sdxl_model(seed), networks.sdxl_clip(seed), networks.vae(seed, 4)


class TestFullSDXL(TestTiny):
    """SDXL in its full size, in half precision: for measuring speed on a GPU. Takes about a minute to make."""

    def make(self, seed):
        return networks.full_sdxl_model(seed), networks.full_sdxl_clip(seed), networks.full_vae(seed)


class TestTinyFlux(TestTiny):
    """Flux: T5 and CLIP text, guidance embedding, latents of 16 channels."""

    def make(self, seed):
        return networks.flux_model(seed), networks.flux_clip(seed), networks.vae(seed, 16)


class TestTinyQwenImage(TestTiny):
    """Qwen-Image, the one that edits: words and pictures by a Qwen2.5-VL, pictures again as reference latents."""

    def make(self, seed):
        return qwen_image.qwen_image_model(seed), qwen_image.qwen_image_clip(seed), qwen_image.qwen_image_vae(seed)


class TestTinyControlNet:
    """A ControlNet for one of them. That of Flux needs the VAE where it is applied, as the real ones do."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("CONTROL_NET",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"family": (["sdxl", "flux"], {"default": "sdxl"}), "seed": _SEED}}

    def run(self, family, seed):
        return (networks.flux_control(seed) if family == "flux" else networks.sdxl_control(seed),)


class TestNeverTheSame:
    """Passes a model on and tells the host that it never gives the same twice."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"model": ("MODEL",)}}

    @classmethod
    def IS_CHANGED(cls, **_inputs):  # noqa: N802
        return float("nan")

    def run(self, model):
        return (model,)


class TestTwoModels:
    """A model twice, as a list."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("MODEL",)
    OUTPUT_IS_LIST = (True,)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"model": ("MODEL",)}}

    def run(self, model):
        return ([model, model.clone()],)


NODE_CLASS_MAPPINGS = {
    "VectraHubTest_TwoModels": TestTwoModels,
    "VectraHubTest_NeverTheSame": TestNeverTheSame,
    "VectraHubTest_TinySDXL": TestTinySDXL,
    "VectraHubTest_FullSDXL": TestFullSDXL,
    "VectraHubTest_TinyFlux": TestTinyFlux,
    "VectraHubTest_TinyQwenImage": TestTinyQwenImage,
    "VectraHubTest_Expansion": TestExpansion,
    "VectraHubTest_TinyControlNet": TestTinyControlNet,
}
