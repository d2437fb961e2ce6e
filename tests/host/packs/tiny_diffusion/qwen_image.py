"""Core's own Qwen-Image diffusion model, text encoder with its vision tower, and autoencoder, with tiny configurations.

Core reads none of the first two from a tiny file (tests/tiny_qwen_image.py says why), hence these.
"""

from __future__ import annotations

from typing import Any

import comfy.ldm.wan.vae
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models
import comfy.text_encoders.llama
import comfy.text_encoders.qwen_image
import comfy.text_encoders.qwen_vl
import torch

from .networks import clip_of, patched
from .weights import fill

WIDTH = 3584  # of the text as Qwen-Image is given it, in every file of it
_INNER = 64
_UNET = {
    "image_model": "qwen_image",
    "in_channels": 64,
    "out_channels": 16,
    "num_layers": 1,
    "attention_head_dim": 16,
    "num_attention_heads": 1,
    "axes_dims_rope": (4, 6, 6),
    "joint_attention_dim": WIDTH,
    "dtype": torch.float32,
}
_TEXT = {
    "hidden_size": _INNER,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
}
_HEED = 6.0  # of the words: some dozens of tokens among thousands of the pictures
_LAST = 12  # tokens: a short prompt and the end of the template
_SIGHT = {"hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "num_layers": 1}
_VAE = {
    "dim": 16,
    "z_dim": 16,
    "dim_mult": [1, 1, 1, 1],
    "num_res_blocks": 0,
    "temperal_downsample": [False, True, True],
}


def qwen_image_model(seed: int) -> comfy.model_patcher.ModelPatcher:
    """One block of one head; what it makes depends on the words, on every reference latent and on their order."""
    model = patched(comfy.supported_models.QwenImage(_UNET), seed)
    for block in model.model.diffusion_model.transformer_blocks:
        block.attn.norm_added_k.weight.data.mul_(_HEED)
    return model


def qwen_image_clip(seed: int) -> comfy.sd.CLIP:
    """The real tokenizer; a language model of one layer, and a vision tower that reads every picture."""
    options = {"dtype": torch.float32, "qwen25_7b_model_config": _TEXT, "qwen25_7b_class": _TinyEncoder}
    return clip_of(comfy.text_encoders.qwen_image.QwenImageTokenizer, _Widened, seed, options)


def qwen_image_vae(seed: int) -> comfy.sd.VAE:
    """8 x in space, 16 channels. What it decodes is a texture, not the picture that was encoded.

    Its attention is left out: over the million pixels that the text encoder makes of a picture it takes seconds.
    """
    tiny = fill(comfy.ldm.wan.vae.WanVAE(**_VAE), seed + 2)
    tiny.encoder.middle[1] = tiny.decoder.middle[1] = torch.nn.Identity()
    loaded = comfy.sd.VAE(
        sd=comfy.ldm.wan.vae.WanVAE(**{**_VAE, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2}).state_dict()
    )
    comfy.model_management.archive_model_dtypes(tiny)
    loaded.first_stage_model = tiny
    loaded.patcher = comfy.model_patcher.CoreModelPatcher(
        tiny, load_device=loaded.patcher.load_device, offload_device=loaded.patcher.offload_device
    )
    return loaded


class _TinySighted(comfy.text_encoders.llama.Qwen25_7BVLI):
    """Core's network, its vision tower replaced: the size of that one is no part of any configuration."""

    def __init__(self, config_dict: dict[str, Any], dtype: Any, device: Any, operations: Any) -> None:
        torch.nn.Module.__init__(self)
        config = comfy.text_encoders.llama.Qwen25_7BVLI_Config(**config_dict)
        place = {"device": device, "dtype": dtype, "ops": operations}
        self.num_layers = config.num_hidden_layers
        self.model = comfy.text_encoders.llama.Llama2_(config, **place)
        self.visual = comfy.text_encoders.qwen_vl.Qwen2VLVisionTransformer(
            output_hidden_size=config.hidden_size, **_SIGHT, **place
        )
        self.visual.fullatt_block_indexes = [0]
        self.dtype = dtype


class _TinyEncoder(comfy.text_encoders.qwen_image.Qwen25_7BVLIModel):
    """As core's, with the network above."""

    def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: dict[str, Any] | None = None) -> None:
        comfy.text_encoders.qwen_image.sd1_clip.SDClipModel.__init__(
            self,
            device=device,
            layer="last",
            textmodel_json_config={},
            dtype=dtype,
            special_tokens={"pad": 151643},
            layer_norm_hidden_state=False,
            model_class=_TinySighted,
            enable_attention_masks=True,
            return_attention_masks=True,
            model_options=model_options or {},
        )


class _Widened(comfy.text_encoders.qwen_image.QwenImageTEModel):
    """As core's, the tiny words repeated until they are as wide as the diffusion model expects them.

    What is said last, the prompt, is added to every token: of the hundreds it is a few, the rest are the pictures.
    """

    def encode_token_weights(self, token_weight_pairs: dict[str, Any], template_end: int = -1) -> tuple[Any, ...]:
        out, pooled, extra = super().encode_token_weights(token_weight_pairs, template_end)
        out = out + out[:, -_LAST:].mean(dim=1, keepdim=True)
        return out.repeat(1, 1, WIDTH // _INNER), pooled, extra
