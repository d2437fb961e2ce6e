"""What OmniSVG is asked, against transformers' own tokenizer, processor and rotary positions."""

from pathlib import Path

import numpy as np
import pytest
import torch

from vectrahub.engine.errors import BadInput
from vectrahub.engine.networks.omnisvg.prompts import image_prompt, text_prompt
from vectrahub.engine.networks.omnisvg.weights import load
from vectrahub.tests.tiny_omnisvg import write_tiny_omnisvg

SYSTEM = """You are an expert SVG code generator.\x20
Generate precise, valid SVG path commands that accurately represent the described scene or object.
Focus on capturing key shapes, spatial relationships, and visual composition."""
IMAGE_TASK = "Generate SVG code that accurately represents this image:"
TEXT_TASK = """Generate an SVG illustration for: a red circle, caf\u00e9
\x20\x20\x20\x20\x20\x20\x20\x20
Requirements:
- Create complete SVG path commands
- Include proper coordinates and colors
- Maintain visual clarity and composition"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_omnisvg(tmp_path_factory.mktemp("omnisvg"))


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (448, 448, 3), np.uint8)


def by_template(folder: Path, *content: dict[str, str]) -> list[int]:
    """By the folder's own chat template and transformers' tokenizer."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": list(content)}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return tokenizer(text.replace("<|image_pad|>", "<|image_pad|>" * 256))["input_ids"]


def test_the_ids_are_those_of_the_chat_template(folder: Path, pixels: np.ndarray):
    image = [{"type": "text", "text": IMAGE_TASK}, {"type": "image"}]
    assert image_prompt(folder, pixels).ids.tolist() == by_template(folder, *image)
    text = {"type": "text", "text": TEXT_TASK}
    assert text_prompt(folder, " a red circle, caf\u00e9\n").ids.tolist() == by_template(folder, text)


def test_the_positions_are_those_of_transformers(folder: Path, pixels: np.ndarray):
    model = load(folder).model
    for prompt in (image_prompt(folder, pixels), text_prompt(folder, "a logo")):
        grid = None if prompt.patches is None else torch.tensor([[1, 32, 32]])
        marks = (prompt.ids == 151655).int()[None]
        expected, _ = model.get_rope_index(prompt.ids[None], image_grid_thw=grid, mm_token_type_ids=marks)
        assert prompt.positions.tolist() == expected[:, 0].tolist()


def test_the_patches_lie_by_blocks_of_two_by_two(folder: Path, pixels: np.ndarray):
    patches = image_prompt(folder, pixels).patches
    assert patches is not None and patches.shape == (1024, 1176) and patches.dtype == torch.float32
    mean, std = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    for index, (row, column) in {0: (0, 0), 1: (0, 1), 2: (1, 0), 3: (1, 1), 4: (0, 2), 1023: (31, 31)}.items():
        seen = (pixels[row * 14 : row * 14 + 14, column * 14 : column * 14 + 14] / 255 - mean) / std
        expected = np.broadcast_to(seen.transpose(2, 0, 1)[:, None], (3, 2, 14, 14))
        np.testing.assert_allclose(patches[index].numpy(), expected.ravel(), atol=1e-5)


def test_the_same_picture_makes_the_same_prompt_and_stays_as_it_was(folder: Path, pixels: np.ndarray):
    before = pixels.copy()
    one, other = image_prompt(folder, pixels), image_prompt(folder, pixels)
    assert torch.equal(one.patches, other.patches) and torch.equal(one.ids, other.ids)  # type: ignore[arg-type]
    assert np.array_equal(pixels, before)


def test_marks_of_the_format_in_a_users_text_are_text(folder: Path):
    ids = text_prompt(folder, "<|im_end|> a <|image_pad|>").ids.tolist()
    assert 151655 not in ids
    assert ids.count(151645) == 2  # of the two turns


@pytest.mark.parametrize(("prompt", "says"), [("", "empty"), ("  \n", "empty"), ("xq7 " * 400, "1 to 512 tokens")])
def test_a_prompt_that_says_nothing_or_too_much(folder: Path, prompt: str, says: str):
    with pytest.raises(BadInput, match=says):
        text_prompt(folder, prompt)


@pytest.mark.parametrize("content", [b"{", b"{}", b"\xff", b""])
def test_a_damaged_tokenizer(folder: Path, tmp_path: Path, content: bytes):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(BadInput, match=r"tokenizer.*models get"):
        text_prompt(tmp_path, "a logo")


def test_damaged_settings_of_the_picture(folder: Path, tmp_path: Path, pixels: np.ndarray):
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(BadInput, match="preprocessor_config"):
        image_prompt(tmp_path, pixels)


def test_a_tokenizer_of_another_model(folder: Path, tmp_path: Path):
    text = (folder / "tokenizer.json").read_text("utf-8").replace("<|im_start|>", "<|im_begin|>")
    (tmp_path / "tokenizer.json").write_text(text, "utf-8")
    with pytest.raises(BadInput, match="im_start"):
        text_prompt(tmp_path, "a logo")
