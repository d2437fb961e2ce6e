"""Test-only nodes: batches that no core node gives."""

import torch


class TestBatch:
    """`count` images of `width` x `height`, each of a colour of its own, with a disc; 0 gives an empty batch."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("IMAGE", "MASK")

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        size = ("INT", {"default": 64, "min": 0, "max": 8192})
        return {"required": {"count": ("INT", {"default": 0, "min": 0, "max": 16}), "width": size, "height": size}}

    def run(self, count, width, height):
        images = torch.ones((count, height, width, 3))
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(width, height) / 3) ** 2
        colors = torch.tensor([[0.9, 0.0, 0.1], [0.1, 0.3, 0.6], [0.2, 0.55, 0.2]])
        for index in range(count):
            images[index][disc] = colors[index % 3]
        masks = torch.zeros((count, height, width))
        if width >= 4:
            masks[:, :, : width // 4] = 1.0
        return (images, masks)


class TestList:
    """A list of `count` images, each a bit wider than the last, the second one a batch of two; pixels of the image
    that `broken` counts from 1 are NaN."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("IMAGE",)
    OUTPUT_IS_LIST = (True,)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        numbers = {"count": ("INT", {"default": 3, "min": 1, "max": 64}), "broken": ("INT", {"default": 0})}
        return {"required": {**numbers, "salt": ("INT", {"default": 0, "min": 0, "max": 1_000_000})}}

    def run(self, count, broken, salt):
        random = torch.Generator().manual_seed(salt)
        images = []
        for index in range(count):
            cells = torch.rand((2 if index == 1 else 1, 4, 4, 3), generator=random)
            images.append(cells.repeat_interleave(112, 1).repeat_interleave(112 + 7 * index, 2))
        seen = [picture for batch in images for picture in batch]
        if broken:
            seen[broken - 1][5, 7, 1] = torch.nan
        return (images,)


class TestBusy:
    """A picture of `patches` random patches in 24 colours: much to trace. `salt` makes it a new one."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        size = ("INT", {"default": 1024, "min": 1, "max": 8192})
        return {
            "required": {
                "width": size,
                "height": size,
                "patch": ("INT", {"default": 16, "min": 1, "max": 512}),
                "salt": ("INT", {"default": 0, "min": 0, "max": 1_000_000}),
            }
        }

    def run(self, width, height, patch, salt):
        random = torch.Generator().manual_seed(salt)
        palette = (torch.arange(24 * 3).reshape(24, 3) * 37 % 256) / 255
        cells = torch.randint(0, 24, (-(-height // patch), -(-width // patch)), generator=random)
        labels = cells.repeat_interleave(patch, 0).repeat_interleave(patch, 1)[:height, :width]
        return (palette[labels][None].clone(),)


NODE_CLASS_MAPPINGS = {
    "VectraHubTest_Batch": TestBatch,
    "VectraHubTest_List": TestList,
    "VectraHubTest_Busy": TestBusy,
}
