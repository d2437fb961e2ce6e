"""Test-only node: drawings that were not made, as a generator without weights gives them."""

from io import BytesIO

from comfy_api.latest import io


class TestNoDrawing:
    """`count` drawings of no bytes."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("SVG",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"count": ("INT", {"default": 1, "min": 0, "max": 16})}}

    def run(self, count):
        return (io.SVG.Type([BytesIO() for _ in range(count)]),)


NODE_CLASS_MAPPINGS = {"VectraHubTest_NoDrawing": TestNoDrawing}
