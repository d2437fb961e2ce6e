"""Test-only nodes: one takes its time in cancellable steps, one fails, two report."""

import json
import time
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths


class TestSleep:
    """Sleeps `seconds` in steps of 50 ms with progress; cancelling ends it within a step."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {
            "required": {"image": ("IMAGE",), "seconds": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 600.0})},
            "optional": {"salt": ("INT", {"default": 0, "min": 0, "max": 1_000_000})},
        }

    def run(self, image, seconds, salt=0):
        steps = max(1, round(seconds / 0.05))
        bar = comfy.utils.ProgressBar(steps)
        for step in range(steps):
            time.sleep(0.05)
            comfy.model_management.throw_exception_if_processing_interrupted()
            bar.update_absolute(step + 1)
        return (image,)


class TestFail:
    """Raises ValueError(`reason`) when it runs."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"image": ("IMAGE",), "reason": ("STRING", {"default": "on purpose"})}}

    def run(self, image, reason):
        raise ValueError(reason)


class TestReport:
    """An output node that returns what it is told as `vectrahub_report` and as result files."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ()
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"image": ("IMAGE",), "report": ("STRING", {"default": "{}"})}}

    def run(self, image, report):
        return {"ui": {"vectrahub_report": [report]}}


class TestSvg:
    """Saves the text `svg` under the result contract of SVGSave, with a report."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ()
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"image": ("IMAGE",), "svg": ("STRING", {"default": "<svg/>"})}}

    def run(self, image, svg):
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
            "test/drawing", folder_paths.get_output_directory()
        )
        file = f"{name}_{counter:05}_.svg"
        Path(folder, file).write_text(svg, encoding="utf-8")
        report = json.dumps({"stage": "svg", "images": [{"width": image.shape[2]}]})
        saved = {"filename": file, "subfolder": subfolder, "type": "output"}
        return {"ui": {"images": [saved], "vectrahub_report": [report]}}


class TestElsewhere:
    """Writes `text` to a file of its own choice in the output folder's `elsewhere`, and claims it as a result."""

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ()
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {
            "required": {"image": ("IMAGE",), "name": ("STRING", {"default": "a.txt"}), "text": ("STRING", {})},
        }

    def run(self, image, name, text):
        folder = Path(folder_paths.get_output_directory(), "elsewhere")
        folder.mkdir(exist_ok=True)
        if "\0" not in name:
            (folder / name).write_text(text, encoding="utf-8")
        return {"ui": {"images": [{"filename": name, "subfolder": "elsewhere", "type": "output"}]}}


NODE_CLASS_MAPPINGS = {
    "VectraHubTest_Sleep": TestSleep,
    "VectraHubTest_Fail": TestFail,
    "VectraHubTest_Report": TestReport,
    "VectraHubTest_Svg": TestSvg,
    "VectraHubTest_Elsewhere": TestElsewhere,
}
