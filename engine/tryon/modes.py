"""The three ways to run Qwen-Image-Edit-2511, with the files, steps and guidance that belong together.

Steps and guidance: the model card (40 at 4.0) and that of the Lightning distillation (4 at 1.0). A Lightning LoRA on
8-bit weights draws lines over the picture; hence fp8 takes the file in which both are fused, and lora the 16-bit one.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Weights:
    """A file of the host's models folder, and its key in models.toml; `about`: size and licence, for errors."""

    folder: str
    file: str
    key: str
    about: str


@dataclass(frozen=True)
class Mode:
    """What a mode runs: `cfg` 1 needs no negative prompt."""

    model: Weights
    lora: Weights | None
    steps: int
    cfg: float


_FUSED = Weights(
    "diffusion_models",
    "qwen_image_edit_2511_fp8_e4m3fn_scaled_lightning_comfyui_4steps_v1.0.safetensors",
    "qwen-edit-2511-fp8",
    "20.4 GB, Apache-2.0",
)
_BASE = Weights(
    "diffusion_models", "qwen_image_edit_2511_bf16.safetensors", "qwen-edit-2511-bf16", "40.9 GB, Apache-2.0"
)
_LIGHTNING = Weights(
    "loras",
    "Qwen-Image-Edit-2511-Lightning-4steps-V1.0-bf16.safetensors",
    "qwen-edit-2511-lightning",
    "0.8 GB, Apache-2.0",
)
TEXT_ENCODER = Weights(
    "text_encoders", "qwen_2.5_vl_7b_fp8_scaled.safetensors", "qwen2.5-vl-7b-fp8", "9.4 GB, Apache-2.0"
)
VAE = Weights("vae", "qwen_image_vae.safetensors", "qwen-image-vae", "0.3 GB, Apache-2.0")

MODES = {
    "fp8": Mode(_FUSED, None, steps=4, cfg=1.0),
    "lora": Mode(_BASE, _LIGHTNING, steps=4, cfg=1.0),
    "base": Mode(_BASE, None, steps=40, cfg=4.0),
}
