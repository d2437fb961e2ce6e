"""The released folder as a network: whole or in shards, tied or not, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from vectrahub.engine.errors import BadInput, MissingPart
from vectrahub.engine.networks.captioner import weights
from vectrahub.engine.networks.captioner.network import Captioner
from vectrahub.engine.networks.captioner.weights import load, weight_files
from vectrahub.tests.tiny_captioner import write_tiny_captioner

SHARD = "model-00002-of-00002.safetensors"


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """To be spoilt; the weights are links."""
    return Path(shutil.copytree(folder, tmp_path / "copy", copy_function=link))


def link(source: str, target: str) -> None:
    if source.endswith(".safetensors"):
        Path(target).symlink_to(source)
    else:
        shutil.copy(source, target)


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_all_shards_are_read_and_nothing_is_copied(folder: Path, network: Captioner) -> None:
    files = weight_files(folder)
    assert len(files) == 2
    tensors = load_file(files[0]) | load_file(files[1])
    assert torch.equal(network.head, tensors["lm_head.weight"])
    found = {name.removeprefix("model."): value for name, value in network.model.state_dict().items()}
    assert len(found) + 1 == len(tensors)
    for name in ("embed_tokens.weight", "layers.1.mlp.up_proj.weight", "norm.weight"):
        assert torch.equal(found[f"language_model.{name}"], tensors[f"model.{name}"])
    assert torch.equal(found["visual.merger.mlp.2.bias"], tensors["visual.merger.mlp.2.bias"])
    assert not network.training and not any(parameter.requires_grad for parameter in network.parameters())
    assert not any(tensor.is_meta for tensor in [*network.parameters(), *network.buffers()])


def test_a_tied_head_is_the_embedding_and_counted_once(tmp_path: Path) -> None:
    network = load(write_tiny_captioner(tmp_path / "tied", tied=True, shards=1, dtype=torch.bfloat16))
    assert network.own_head is None
    assert network.head.dtype == torch.bfloat16 and network.head.shape == (151_936, 32)
    assert network.head.data_ptr() == network.model.get_input_embeddings().weight.data_ptr()
    assert sum(value.shape == network.head.shape for value in network.state_dict().values()) == 1


@pytest.mark.parametrize("name", [*weights.BESIDE, weights.INDEX, SHARD])
def test_an_absent_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(MissingPart, match=rf"{name}.*models get qwen2\.5-vl-7b"):
        load(copy)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_type": "qwen3_vl"}, r"another model: got qwen3_vl, allowed model_type qwen2_5_vl"),
        ({"quantization_config": {"quant_method": "awq"}}, r"quantized: got awq"),
        ({"num_hidden_layers": 3}, r"damaged.*layers\.2"),
        ({"num_hidden_layers": 1}, r"damaged.*unknown layers\.1"),
        ({"intermediate_size": 96}, r"damaged"),
    ],
)
def test_a_folder_of_something_else_is_refused(copy: Path, changes: dict[str, Any], says: str) -> None:
    edit(copy / "config.json", **changes)
    with pytest.raises(BadInput, match=says):
        load(copy)


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.bfloat16])
def test_numbers_of_other_or_mixed_kinds_are_refused(copy: Path, kind: torch.dtype) -> None:
    """A folder cast to fp8 still has the released config."""
    shard = copy / SHARD
    tensors = {name: tensor.to(kind) for name, tensor in load_file(shard).items()}
    shard.unlink()
    save_file(tensors, shard)
    with pytest.raises(BadInput, match=str(kind).removeprefix("torch.")):
        load(copy)


def test_patches_are_embedded_as_by_transformers(network: Captioner) -> None:
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionPatchEmbed

    ours = network.model.visual.patch_embed
    size = network.model.config.vision_config.hidden_size
    theirs = Qwen2_5_VisionPatchEmbed(14, 2, 3, size)
    theirs.load_state_dict(ours.state_dict())
    patches = torch.randn(50, 1176, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(ours(patches), theirs(patches), atol=1e-5)


@pytest.mark.parametrize("content", [b"", b"\x00" * 400, b"\xff" * 20])
def test_a_damaged_shard_is_named(copy: Path, content: bytes) -> None:
    (copy / SHARD).unlink()
    (copy / SHARD).write_bytes(content)
    with pytest.raises(BadInput, match=f"{SHARD} are damaged"):
        load(copy)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": {"a": 1}}', '{"weight_map": []}'])
def test_a_damaged_index_is_named(copy: Path, text: str) -> None:
    (copy / weights.INDEX).write_text(text)
    with pytest.raises(BadInput, match="index"):
        load(copy)


def test_an_index_reaches_no_file_outside_its_folder(copy: Path) -> None:
    outside = copy.parent / "outside.safetensors"
    outside.write_bytes((copy / SHARD).read_bytes())
    index = json.loads((copy / weights.INDEX).read_text())
    edit(copy / weights.INDEX, weight_map={name: f"../{outside.name}" for name in index["weight_map"]})
    with pytest.raises(MissingPart, match=r"outside\.safetensors"):
        load(copy)


def test_an_old_transformers_is_named(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _name: "4.49.0")
    with pytest.raises(MissingPart, match=r"4\.54 or newer \(found: 4\.49\.0\).*pip install -U transformers"):
        load(copy)
