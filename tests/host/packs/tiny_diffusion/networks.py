"""Core's own diffusion models, text encoders, autoencoders and ControlNets, with tiny configurations.

Every builder takes a seed and gives the object that core's loaders would give. For a bench, SDXL's parts come in their
full size too.
"""

from __future__ import annotations

from typing import Any

import comfy.cldm.cldm
import comfy.controlnet
import comfy.latent_formats
import comfy.ldm.flux.controlnet
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.sdxl_clip
import comfy.supported_models
import comfy.supported_models_base
import comfy.text_encoders.flux
import folder_paths
import torch
from comfy.ldm.models.autoencoder import AutoencoderKL

from .watch import watched
from .weights import fill

_L = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 3}
_G = {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 3}
_T5 = {"d_model": 32, "d_kv": 16, "num_heads": 2, "d_ff": 64, "num_layers": 2}
_TINY_TEXT = {"clip_l_model_config": _L, "clip_g_model_config": _G, "t5xxl_model_config": _T5, "dtype": torch.float32}
_SIZES = 6 * 256  # the embeddings of SDXL's six picture sizes, beside the pooled text

_SDXL = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 2],
    "transformer_depth": [0, 1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [0, 0, 1, 1],
    "context_dim": _L["hidden_size"] + _G["hidden_size"],
    "num_classes": "sequential",
    "adm_in_channels": _G["hidden_size"] + _SIZES,
    "use_spatial_transformer": True,
    "use_linear_in_transformer": True,
    "use_checkpoint": False,
    "legacy": False,
    "use_temporal_attention": False,
    "use_temporal_resblock": False,
    "dtype": torch.float32,
}
_FULL_SDXL = {
    **_SDXL,
    "model_channels": 320,
    "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 2, 4],
    "transformer_depth": [0, 0, 2, 2, 10, 10],
    "transformer_depth_middle": 10,
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "context_dim": 2048,
    "adm_in_channels": 1280 + _SIZES,
    "dtype": torch.float16,
}
_VAE = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 256,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 32,
    "ch_mult": [1, 1, 1, 1],
    "num_res_blocks": 1,
    "attn_resolutions": [],
    "dropout": 0.0,
}
_FLUX = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "vec_in_dim": _L["hidden_size"],
    "context_in_dim": _T5["d_model"],
    "hidden_size": 64,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 1,
    "depth_single_blocks": 1,
    "axes_dim": [8, 12, 12],
    "theta": 10000,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
    "dtype": torch.float32,
}


def sdxl_model(seed: int) -> comfy.model_patcher.ModelPatcher:
    return patched(comfy.supported_models.SDXL(_SDXL), seed)


def full_sdxl_model(seed: int) -> comfy.model_patcher.ModelPatcher:
    """2.6 billion half-precision weights."""
    return patched(comfy.supported_models.SDXL(_FULL_SDXL), seed)


def flux_model(seed: int) -> comfy.model_patcher.ModelPatcher:
    return patched(comfy.supported_models.Flux(_FLUX), seed)


def patched(
    config: comfy.supported_models_base.BASE, seed: int, disable_dynamic: bool = False
) -> comfy.model_patcher.ModelPatcher:
    """The model of a configuration, its weights from a seed. Core can load it again, as it does to train."""
    device, resting = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    dtype = config.unet_config["dtype"]
    config.set_inference_dtype(dtype, comfy.model_management.unet_manual_cast(dtype, device))
    model = config.get_model({}, device=resting)
    fill(model.diffusion_model, seed)
    kind = comfy.model_patcher.ModelPatcher if disable_dynamic else comfy.model_patcher.CoreModelPatcher
    loaded = kind(model, device, resting)
    loaded.cached_patcher_init = (patched, (config, seed))
    return loaded


def sdxl_clip(seed: int) -> comfy.sd.CLIP:
    return clip_of(comfy.sdxl_clip.SDXLTokenizer, comfy.sdxl_clip.SDXLClipModel, seed, _TINY_TEXT)


def full_sdxl_clip(seed: int) -> comfy.sd.CLIP:
    return clip_of(comfy.sdxl_clip.SDXLTokenizer, comfy.sdxl_clip.SDXLClipModel, seed, {"dtype": torch.float16})


def flux_clip(seed: int) -> comfy.sd.CLIP:
    encoder = comfy.text_encoders.flux.flux_clip(torch.float32)
    return clip_of(comfy.text_encoders.flux.FluxTokenizer, encoder, seed, _TINY_TEXT)


def clip_of(tokenizer: type, model: type, seed: int, options: dict[str, Any]) -> comfy.sd.CLIP:
    """A text encoder of core's classes, its weights from a seed; `Watch` knows what it encodes."""
    clip = comfy.sd.CLIP(
        comfy.supported_models_base.ClipTarget(*watched(tokenizer, model)),
        embedding_directory=folder_paths.get_folder_paths("embeddings"),
        model_options=options,
    )
    fill(clip.cond_stage_model, seed + 1)
    return clip


def vae(seed: int, channels: int) -> comfy.sd.VAE:
    """8 x in space, `channels` in the latent. What it decodes is a texture, not the picture that was encoded."""
    return _vae(seed, {**_VAE, "z_channels": channels}, torch.float32)


def full_vae(seed: int) -> comfy.sd.VAE:
    return _vae(seed, {**_VAE, "ch": 128, "ch_mult": [1, 2, 4, 4], "num_res_blocks": 2}, None)


def _vae(seed: int, shape: dict[str, Any], dtype: torch.dtype | None) -> comfy.sd.VAE:
    config = {"ddconfig": shape, "embed_dim": shape["z_channels"]}
    made = fill(AutoencoderKL(**config), seed + 2)
    made.decoder.conv_out.weight.mul_(0.5)  # most of a picture within 0..1
    loaded = comfy.sd.VAE(sd=made.state_dict(), config={"params": config}, dtype=dtype)
    loaded.latent_channels = shape["z_channels"]
    return loaded


def sdxl_control(seed: int) -> comfy.controlnet.ControlNet:
    """ControlNet that sees pixels, as the SDXL tile ControlNets do."""
    shape = {key: value for key, value in _SDXL.items() if key != "out_channels"}
    model = comfy.cldm.cldm.ControlNet(
        hint_channels=3, num_head_channels=64, operations=comfy.ops.disable_weight_init, **shape
    )
    return comfy.controlnet.ControlNet(fill(model, seed + 3), load_device=comfy.model_management.get_torch_device())


def flux_control(seed: int) -> comfy.controlnet.ControlNet:
    """ControlNet that sees latents, and so needs the VAE, as the upscaling ControlNets of Flux do."""
    model = comfy.ldm.flux.controlnet.ControlNetFlux(
        latent_input=True, control_latent_channels=16, operations=comfy.ops.disable_weight_init, **_FLUX
    )
    return comfy.controlnet.ControlNet(
        fill(model, seed + 4),
        compression_ratio=1,
        latent_format=comfy.latent_formats.Flux(),
        load_device=comfy.model_management.get_torch_device(),
        extra_conds=["y", "guidance"],
    )
