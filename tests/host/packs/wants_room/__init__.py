"""Test-only node: asks the host for all the room on its device, as the loading of a large model does."""

import comfy.model_management


class TestWantsRoom:
    """Passes the picture on after everything else was unloaded."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"image": ("IMAGE",)}}

    def run(self, image):
        comfy.model_management.free_memory(1e30, comfy.model_management.get_torch_device())
        return (image,)


NODE_CLASS_MAPPINGS = {"VectraHubTest_WantsRoom": TestWantsRoom}
