"""The released folder as a network, against transformers' own Qwen2.5-VL over the same weights."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from vectrahub.engine.errors import BadInput, MissingPart
from vectrahub.engine.networks.omnisvg import weights
from vectrahub.engine.networks.omnisvg.network import OmniSVG
from vectrahub.engine.networks.omnisvg.prompts import Prompt, image_prompt, text_prompt
from vectrahub.engine.networks.omnisvg.vocabulary import ENDS, SIZE
from vectrahub.engine.networks.omnisvg.weights import load, read_release
from vectrahub.tests.tiny_omnisvg import stream, teach, write_tiny_omnisvg

Tensors = dict[str, torch.Tensor]
BIN = "pytorch_model.bin"
KINDS = {
    "8b bin": {"base": 152_064},
    "8b safetensors": {"base": 152_064, "safetensors": True},
    "4b tied bin": {"base": 151_936, "tied": True},
    "4b tied safetensors": {"base": 151_936, "tied": True, "safetensors": True},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    written: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in written:
            written[kind] = write_tiny_omnisvg(tmp_path_factory.mktemp("omnisvg"), **KINDS[kind])
        return written[kind]

    return folder


@pytest.fixture
def copy(folders: Callable[[str], Path], tmp_path: Path) -> Path:
    """The 8B of .bin, to be spoilt."""
    return Path(shutil.copytree(folders("8b bin"), tmp_path / "copy"))


def today(name: str) -> str:
    """A released name as the installed transformers calls it, written out by hand."""
    name = name.removeprefix("transformer.")
    if name.startswith("visual."):
        return "model." + name
    return re.sub(r"^model\.", "model.language_model.", name)


def released(folder: Path) -> Tensors:
    found = folder / "model.safetensors"
    return load_file(found) if found.exists() else torch.load(folder / BIN, weights_only=True)


def reference(folder: Path, prompt: Prompt) -> torch.Tensor:
    """All logits (T, 197000) in float32 by transformers, which also finds the positions by itself."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    config = json.loads((folder / "config.json").read_text()) | {"vocab_size": SIZE}
    network = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig.from_dict(config)).eval().float()
    left = network.load_state_dict({today(k): v.float() for k, v in released(folder).items()}, strict=False)
    assert not left.unexpected_keys and set(left.missing_keys) <= {"lm_head.weight"}
    network.tie_weights()
    named: dict[str, Any] = {"input_ids": prompt.ids[None], "mm_token_type_ids": (prompt.ids == 151655).int()[None]}
    if prompt.patches is not None:
        named |= {"pixel_values": prompt.patches, "image_grid_thw": torch.tensor([[1, 32, 32]])}
    with torch.no_grad():
        return network(**named).logits[0]


def rows(network: OmniSVG, prompt: Prompt) -> torch.Tensor:
    """Logits of the head's rows (T, rows)."""
    named: dict[str, Any] = {}
    if prompt.patches is not None:
        named = {"pixel_values": prompt.patches, "image_grid_thw": torch.tensor([[1, 32, 32]])}
    with torch.no_grad():
        answer = network.model(input_ids=prompt.ids[None], position_ids=prompt.positions[:, None], **named)
    return answer.last_hidden_state[0] @ network.head.T


@pytest.mark.parametrize("kind", KINDS)
def test_the_logits_are_those_of_transformers(kind: str, folders: Callable[[str], Path]):
    folder = folders(kind)
    network = load(folder)
    vocabulary = network.vocabulary
    assert network.head.dtype == torch.bfloat16
    assert not network.training and not any(parameter.requires_grad for parameter in network.parameters())
    picture = np.random.default_rng(1).integers(0, 256, (448, 448, 3), np.uint8)
    network.float()
    ids = [*range(vocabulary.first, vocabulary.stop), *ENDS]
    assert len(network.head) == len(ids)
    for prompt in (image_prompt(folder, picture), text_prompt(folder, "a red circle")):
        expected = reference(folder, prompt)[:, ids]
        assert expected.std() > 1e-2
        torch.testing.assert_close(rows(network, prompt), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", [today, lambda name: today(name).removeprefix("model."), lambda name: name[12:]])
def test_names_of_any_transformers_are_understood(
    name: Callable[[str], str], copy: Path, folders: Callable[[str], Path]
):
    save_file({name(key): value for key, value in released(copy).items()}, copy / "model.safetensors")
    (copy / BIN).unlink()
    expected = load(folders("8b bin")).state_dict()
    found = load(copy).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_safetensors_are_taken_before_a_bin(copy: Path):
    tensors = released(copy)
    tensors["transformer.model.norm.weight"] = torch.full((64,), 7.0)
    save_file(tensors, copy / "model.safetensors")
    assert read_release(copy).weights.name == "model.safetensors"
    assert load(copy).model.language_model.norm.weight[0] == 7


def test_a_head_beside_tied_embeddings_is_the_head(folders: Callable[[str], Path], tmp_path: Path):
    folder = Path(shutil.copytree(folders("4b tied bin"), tmp_path / "tied"))
    tensors = released(folder)
    tensors["transformer.lm_head.weight"] = tensors["transformer.model.embed_tokens.weight"] + 1
    torch.save(tensors, folder / BIN)
    first = load(folder).vocabulary.first
    assert torch.equal(load(folder).head[0], tensors["transformer.lm_head.weight"][first])


@pytest.mark.parametrize("kind", ["8b bin", "8b safetensors"])
def test_the_weights_are_mapped_not_copied(kind: str, folders: Callable[[str], Path]):
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("needs /proc")

    def own_mb() -> float:
        return int(re.search(r"RssAnon:\s+(\d+) kB", status.read_text()).group(1)) / 1024  # type: ignore[union-attr]

    folder = folders(kind)
    load(folder)  # imports
    before = own_mb()
    network = load(folder)
    assert own_mb() - before < 5.5 + 10  # the head's rows, and room for small things; the file is 48 MB
    assert network.model.get_input_embeddings().weight.shape == (SIZE, 64)


def test_nothing_is_left_on_the_meta_device(folders: Callable[[str], Path]):
    network = load(folders("8b bin"))
    assert not any(tensor.is_meta for tensor in [*network.parameters(), *network.buffers()])


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("name", [*weights.BESIDE, BIN])
def test_a_missing_file_is_named_with_the_command_that_fetches_it(name: str, copy: Path):
    (copy / name).unlink()
    with pytest.raises(MissingPart, match=f"{name}.*models get omnisvg-8b"):
        read_release(copy)


def test_a_missing_folder(tmp_path: Path):
    with pytest.raises(MissingPart, match=r"config\.json"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"model_type": "llama"}', "\udcff"])
def test_a_config_of_something_else(content: str, copy: Path):
    (copy / "config.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput, match="config"):
        read_release(copy)


def test_the_base_vocabulary_is_known_by_the_config_or_by_the_size(copy: Path):
    assert read_release(copy).vocabulary.base == 152_064
    for hidden, base in ((3584, 152_064), (2048, 151_936)):
        change(copy / "config.json", vocab_size=SIZE, hidden_size=hidden)
        assert read_release(copy).vocabulary.base == base
    change(copy / "config.json", hidden_size=1234)
    with pytest.raises(BadInput, match="1234"):
        read_release(copy)


def test_the_first_release_is_refused_with_the_reason(copy: Path):
    tensors = released(copy)
    for name in ("transformer.model.embed_tokens.weight", "transformer.lm_head.weight"):
        tensors[name] = tensors[name][:196_042].clone()
    torch.save(tensors, copy / BIN)
    with pytest.raises(BadInput, match=r"OmniSVG-3B.*ids.*OmniSVG 1\.1"):
        load(copy)
    change(copy / "config.json", vocab_size=196_042)
    with pytest.raises(BadInput, match="OmniSVG-3B"):
        read_release(copy)


def test_weights_of_the_base_model_are_refused(copy: Path):
    torch.save({"model.embed_tokens.weight": torch.zeros(152_064, 64)}, copy / BIN)
    with pytest.raises(BadInput, match=r"152064.*197000"):
        load(copy)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
@pytest.mark.parametrize("kind", ["8b bin", "8b safetensors"])
def test_a_truncated_file(kind: str, share: float, folders: Callable[[str], Path], tmp_path: Path):
    folder = Path(shutil.copytree(folders(kind), tmp_path / "cut"))
    file = read_release(folder).weights
    with file.open("r+b") as stream:
        stream.truncate(int(file.stat().st_size * share))
    with pytest.raises(BadInput, match="damaged"):
        load(folder)


def drop(tensors: Tensors) -> None:
    del tensors["transformer.model.layers.1.mlp.up_proj.weight"]


def drop_head(tensors: Tensors) -> None:
    del tensors["transformer.lm_head.weight"]


def add(tensors: Tensors) -> None:
    tensors["transformer.model.layers.2.mlp.up_proj.weight"] = torch.zeros(1)


def reshape(tensors: Tensors) -> None:
    tensors["transformer.visual.patch_embed.proj.weight"] = torch.zeros(8, 8)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (drop, r"layers\.1\.mlp\.up_proj"),
        (drop_head, "lm_head"),
        (add, r"layers\.2\.mlp\.up_proj"),
        (reshape, "patch_embed"),
    ],
)
def test_weights_that_do_not_fit_are_named(spoil: Callable[[Tensors], None], named: str, copy: Path):
    tensors = released(copy)
    spoil(tensors)
    torch.save(tensors, copy / BIN)
    with pytest.raises(BadInput, match=named):
        load(copy)


def test_a_bin_that_would_run_code_is_refused(copy: Path):
    torch.save({"model": Path("x")}, copy / BIN)
    with pytest.raises(BadInput, match="damaged"):
        load(copy)


def test_an_old_transformers_is_named(copy: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.metadata.version", lambda _name: "4.45.2")
    with pytest.raises(MissingPart, match=r"4\.45\.2.*pip install -U transformers"):
        load(copy)


def test_a_taught_model_goes_on_with_the_drawing(copy: Path):
    picture = np.full((448, 448, 3), 255, np.uint8)
    vocabulary = read_release(copy).vocabulary
    taught = stream(vocabulary, "M 0,0 20,20 L 180,20 L 180,180 C 90,170 60,150 20,180 Z 20,20 #F00")
    teach(copy, taught, picture)
    network, asked = load(copy), image_prompt(copy, picture)
    ids = [*range(vocabulary.first, vocabulary.stop), *ENDS]
    said: list[int] = []
    while len(said) < len(taught):
        count = torch.arange(len(said)).expand(3, -1) + int(asked.positions.max()) + 1
        so_far = torch.cat([asked.ids, torch.tensor(said, dtype=torch.int64)])
        prompt = Prompt(so_far, torch.cat([asked.positions, count], dim=1), asked.patches)
        said.append(ids[int(rows(network, prompt)[-1].argmax())])
    assert said == taught
