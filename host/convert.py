"""Between the host's sockets (IMAGE, MASK, SVG) and the engine's arrays."""

from collections.abc import Sequence
from io import BytesIO
from typing import TypeVar

import cv2
import numpy as np
import torch
from comfy_api.latest import io
from numpy.typing import NDArray

from ..engine.errors import BadInput

Pixels = NDArray[np.uint8]
Alpha = NDArray[np.float32]
Value = TypeVar("Value")


def images_to_pixels(images: torch.Tensor) -> list[Pixels]:
    """IMAGE (B, H, W, 1..4), 0..1 -> B arrays (H, W, 3) uint8 sRGB. Alpha channels are dropped.

    Raises BadInput for an empty batch or an image without pixels.
    """
    if images.ndim != 4 or 0 in images.shape:
        raise BadInput(
            "The image batch is empty",
            value=f"shape {tuple(images.shape)}",
            limit="at least one image of 1 x 1",
            remedy="Connect a node that gives an image.",
        )
    scaled = images[..., :3].detach().cpu().float().nan_to_num().clamp(0, 1).mul(255).round()
    if scaled.shape[-1] < 3:  # one grey channel, or grey and alpha
        scaled = scaled[..., :1].expand(-1, -1, -1, 3)
    return list(scaled.to(torch.uint8).numpy())


def pixels_to_images(pixels: Sequence[Pixels]) -> torch.Tensor:
    """B arrays (H, W, 3) uint8 of one size -> IMAGE (B, H, W, 3) float32, 0..1."""
    return torch.from_numpy(np.stack(pixels)).float().div_(255)


def floats_to_images(pictures: Sequence[NDArray[np.float32]]) -> torch.Tensor:
    """B arrays (H, W, 3) float32 0..1 of one size -> IMAGE (B, H, W, 3). A single array is shared, not copied."""
    return torch.from_numpy(pictures[0][None] if len(pictures) == 1 else np.stack(pictures))


def only(name: str, values: Sequence[Value], remedy: str) -> Value:
    """The one value of an input on a node that takes lists. Raises BadInput, with the remedy, for several or none."""
    if len(values) != 1:
        raise BadInput(f"Several values for '{name}'", value=len(values), limit="1", remedy=remedy)
    return values[0]


def references_for(reference: torch.Tensor | None, pixels: Sequence[Pixels]) -> list[Pixels] | list[None]:
    """The reference picture of each image, of any size: its own, or the only one; None without a reference."""
    if reference is None:
        return [None] * len(pixels)
    originals = images_to_pixels(reference)
    if len(originals) not in (1, len(pixels)):
        raise BadInput(
            "The reference batch does not fit the image batch",
            value=f"{len(originals)} references",
            limit=f"1 or {len(pixels)}",
            remedy="Give one reference, or one per image.",
        )
    return [originals[min(index, len(originals) - 1)] for index in range(len(pixels))]


def mask_to_alphas(
    mask: torch.Tensor | None, pixels: Sequence[Pixels] | Sequence[NDArray[np.float32]]
) -> list[Alpha | None]:
    """MASK (B or 1, H, W), 1 = transparent (LoadImage's convention) -> per image alpha (H, W), 1 = opaque.

    None stands for "opaque everywhere": no mask, or a mask of zeros such as LoadImage's
    64 x 64 stand-in for pictures without alpha. Other sizes are resized to the image.
    """
    if mask is None:
        return [None] * len(pixels)
    planes = plane_per_image(mask_to_planes(mask), len(pixels))
    return [_alpha(plane, image) for plane, image in zip(planes, pixels, strict=True)]


def plane_per_image(planes: Sequence[Alpha], images: int) -> Sequence[Alpha]:
    """The plane of each image: its own, or the only one. Raises BadInput for another count."""
    if len(planes) not in (1, images):
        raise BadInput(
            "The mask batch does not fit the image batch",
            value=f"{len(planes)} masks",
            limit=f"1 or {images}",
            remedy="Give one mask, or one per image.",
        )
    return planes if len(planes) == images else [planes[0]] * images


def _alpha(plane: NDArray[np.float32], image: NDArray) -> Alpha | None:
    if not plane.any():
        return None
    height, width = image.shape[:2]
    if plane.shape != (height, width):
        plane = np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return 1.0 - plane


def alphas_to_mask(
    alphas: Sequence[Alpha | None], pixels: Sequence[Pixels] | Sequence[NDArray[np.float32]]
) -> torch.Tensor:
    """Per image alpha (or None for opaque) -> MASK (B, H, W), 1 = transparent; `pixels` tell the size."""
    planes = [
        np.zeros(image.shape[:2], np.float32) if alpha is None else 1.0 - alpha
        for alpha, image in zip(alphas, pixels, strict=True)
    ]
    return torch.from_numpy(np.stack(planes))


def svg_to_texts(svg: io.SVG.Type) -> list[bytes]:
    """SVG socket -> one file's bytes per drawing."""
    return [stream.getvalue() for stream in svg.data]


def texts_to_svg(texts: Sequence[bytes]) -> io.SVG.Type:
    """One file's bytes per drawing -> SVG socket."""
    return io.SVG.Type([BytesIO(text) for text in texts])


def mask_to_planes(mask: torch.Tensor) -> list[Alpha]:
    """MASK (B, H, W) or (H, W) -> B planes (H, W), 0..1, as they are. Raises BadInput for one without pixels."""
    if 0 in mask.shape:
        raise BadInput(
            "The mask is empty", value=f"shape {tuple(mask.shape)}", limit="1 x 1 and more", remedy="Give one."
        )
    return list(mask.detach().cpu().float().nan_to_num().clamp(0, 1).reshape(-1, *mask.shape[-2:]).numpy())


def only_photo(name: str, images: torch.Tensor) -> NDArray[np.float32]:
    """The one picture of an IMAGE (1, H, W, 1..4) as (H, W, 3) float32 sRGB, 0..1. Alpha channels are dropped.

    Raises BadInput, with the name of the input, for several pictures, for none and for pixels that are not numbers.
    """
    if images.ndim != 4 or 0 in images.shape or len(images) != 1:
        raise BadInput(
            f"'{name}' is not one picture",
            value=f"shape {tuple(images.shape)}",
            limit="one picture, (1, height, width, 3)",
            remedy="Give one picture per run.",
        )
    channels = 3 if images.shape[-1] >= 3 else 1  # one grey channel, or grey and alpha
    picture = images[0, ..., :channels].detach().cpu().float()
    if not picture.isfinite().all():
        raise BadInput(
            f"'{name}' is broken",
            value="pixels that are not numbers (NaN or infinite)",
            limit="values of 0 to 1",
            remedy="Look at the node that made it: a VAE in half precision is known for this (--fp32-vae).",
        )
    return picture.clamp(0, 1).expand(-1, -1, 3).contiguous().numpy()


def only_photo_on_white(name: str, images: torch.Tensor, mask: torch.Tensor | None) -> NDArray[np.float32]:
    """`only_photo`, with white where the mask (1 = transparent, LoadImage's convention) lets the ground through."""
    photo = only_photo(name, images)
    (alpha,) = mask_to_alphas(mask, [photo])
    return photo if alpha is None else photo * alpha[..., None] + (1 - alpha[..., None])


def only_mask(name: str, mask: torch.Tensor | None) -> Alpha | None:
    """The one plane of a MASK as (H, W) float32, 0..1; None without a mask. Raises BadInput for several."""
    if mask is None or 0 in mask.shape[-2:]:
        return None
    planes = [] if 0 in mask.shape else mask_to_planes(mask)
    return np.ascontiguousarray(only(name, planes, "Give one mask per run."))
