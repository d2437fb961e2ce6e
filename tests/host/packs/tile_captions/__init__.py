"""Test-only node: captions as a captioner gives them, a list with one per tile."""


class TestCaptions:
    """ "caption 1", "caption 2" ... for the tiles of a grid, and `more` than there are tiles."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("STRING",)
    OUTPUT_IS_LIST = (True,)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"grid": ("VECTRAHUB_TILE_GRID",), "more": ("INT", {"default": 0, "min": -9, "max": 9})}}

    def run(self, grid, more):
        return ([f"caption {number + 1}" for number in range(grid.count + more)],)


NODE_CLASS_MAPPINGS = {"VectraHubTest_Captions": TestCaptions}
