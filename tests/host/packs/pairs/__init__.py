"""Test-only node: two of everything as lists, and numbers that no widget would allow."""


class TestPair:
    """Pictures, texts and seeds as lists of two; then steps and cfg of -3."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("IMAGE", "STRING", "INT", "INT", "FLOAT")
    OUTPUT_IS_LIST = (True, True, True, False, False)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"first": ("IMAGE",), "second": ("IMAGE",)}}

    def run(self, first, second):
        return [first, second], ["wear it", "take it"], [1, 2], -3, -3.0


NODE_CLASS_MAPPINGS = {"VectraHubTest_Pair": TestPair}
