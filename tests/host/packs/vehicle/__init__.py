"""Test-only stand-ins for the networks of the vehicle workflow, behind core's own nodes that run them.

SAM 3, BiRefNet and Depth Anything 3 have one fixed, large size each; what a tiny one of random weights finds means
nothing. These find what the tests draw: magenta parts, whatever is not the ground's colour, brightness as depth.
"""

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher


class _Detector(torch.nn.Module):
    """Finds magenta, as sure as it is told to be, and calls it one object."""

    def __init__(self, confidence):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1), requires_grad=False)
        self.confidence = confidence

    def forward(self, frame, text_embeddings, text_mask, boxes, threshold, orig_size):
        found = ((frame[:, 0] > 0.6) & (frame[:, 1] < 0.4) & (frame[:, 2] > 0.6)).float()
        height, width = orig_size
        rows, columns = torch.where(found[0] > 0)
        empty = rows.numel() == 0
        scale = torch.tensor([width, height, width, height]) / frame.shape[-1]
        box = [0, 0, 1, 1] if empty else [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        logit = torch.logit(torch.tensor([[1e-6 if empty else self.confidence]]))
        masks = torch.nn.functional.interpolate(found[None], size=(252, 252), mode="area") * 20 - 10
        return {"boxes": (torch.tensor(box) * scale)[None, None], "scores": logit, "masks": masks}

    def forward_segment(self, frame, mask_inputs=None, **_others):
        return mask_inputs


class _Depth(torch.nn.Module):
    """The darker, the farther."""

    dtype = torch.float32

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, pixels):
        return {"depth": 2 - pixels.mean(dim=1)}


class _Model(torch.nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.diffusion_model = inner

    def get_dtype(self):
        return torch.float32


def _patched(inner):
    device = comfy.model_management.get_torch_device()
    return ModelPatcher(_Model(inner), load_device=device, offload_device=torch.device("cpu"))


class TestDetector:
    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"confidence": ("FLOAT", {"default": 0.9, "min": 0.0, "max": 1.0, "step": 0.01})}}

    def run(self, confidence):
        return (_patched(_Detector(confidence)),)


class TestDepthModel:
    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("DA3_MODEL",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {}}

    def run(self):
        return (_patched(_Depth()),)


class _Foreground:
    def encode_image(self, images):
        ground = images[:, :1, :1, :3]
        return ((images[..., :3] - ground).abs().amax(dim=-1) > 0.1).float()


class TestForeground:
    """Whatever has not the colour of the top left corner."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("BACKGROUND_REMOVAL",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {}}

    def run(self):
        return (_Foreground(),)


class TestSampler:
    """Draws a red block whose width grows with the strength of the depth control that its conditioning carries.

    At `enough` it is as wide as the vehicle of the tests, half the picture; below, a tenth of it per 0.1 narrower.
    """

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {
            "required": {
                "positive": ("CONDITIONING",),
                "latent_image": ("LATENT",),
                "enough": ("FLOAT", {"default": 0.8, "min": 0.0, "max": 2.0, "step": 0.01}),
            }
        }

    def run(self, positive, latent_image, enough):
        controls, control = [], positive[0][1]["control"]
        while control is not None:
            controls.append(control.strength)
            control = control.previous_controlnet
        canny, depth = controls
        share = 0.5 * min(1.0, 1 - 3 * max(enough - depth, 0))
        return ({**latent_image, "vectrahub_test": (share, depth, canny)},)


class TestDecoder:
    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"samples": ("LATENT",)}}

    def run(self, samples):
        count, _, height, width = samples["samples"].shape
        picture = torch.ones(count, height * 8, width * 8, 3)
        share, depth, canny = samples["vectrahub_test"]
        wide, high = round(width * 8 * share), height * 4
        left, top = width * 2, height * 2
        picture[:, top : top + high, left : left + wide] = torch.tensor([0.9, 0.1, 0.1])
        # Where a test can read them: depth and canny, in the last row.
        picture[:, -1, -1], picture[:, -1, -2] = depth, canny
        return (picture,)


NODE_CLASS_MAPPINGS = {
    "VectraHubTest_Detector": TestDetector,
    "VectraHubTest_DepthModel": TestDepthModel,
    "VectraHubTest_Foreground": TestForeground,
    "VectraHubTest_Sampler": TestSampler,
    "VectraHubTest_Decoder": TestDecoder,
}
