"""Model files in real folders: what is listed, found, refused and removed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from vectrahub.routes.models.folders import ModelFolder
from vectrahub.routes.models.hashes import Hashes, digest_of
from vectrahub.routes.models.header import read_header
from vectrahub.routes.models.store import ModelStore
from vectrahub.tests.routes.model_files import DiskFolders, head, model_file
from vectrahub.vectrahub_client.service.problems import Problem


@pytest.fixture
def folders(tmp_path: Path) -> DiskFolders:
    return DiskFolders(tmp_path / "models")


@pytest.fixture
def store(folders: DiskFolders, tmp_path: Path) -> ModelStore:
    return ModelStore(folders, Hashes(tmp_path / "private" / "hashes.json"))


def test_models_are_described_by_their_header_and_else_by_their_folder(store: ModelStore, folders: DiskFolders) -> None:
    model_file(folders.root / "loras" / "a.safetensors", {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"})
    model_file(folders.root / "loras" / "misc" / "b.safetensors", {"ss_base_model_version": "flux1"})
    model_file(folders.root / "loras" / "sdxl" / "c.safetensors")
    model_file(folders.root / "loras" / "d.safetensors")
    (folders.root / "loras" / "note.txt").write_text("no model")
    found = {one.path: one for one in store.models("lora")}
    assert {path: one.base_model for path, one in found.items()} == {
        "a.safetensors": "sdxl",
        "d.safetensors": None,
        "misc/b.safetensors": "flux",
        "sdxl/c.safetensors": "sdxl",
    }
    one = found["sdxl/c.safetensors"]
    assert (one.type, one.name, one.size) == ("loras", "c", (folders.root / "loras/sdxl/c.safetensors").stat().st_size)
    assert [one.path for one in store.models("loras", "SDXL")] == ["a.safetensors", "sdxl/c.safetensors"]
    assert [one.type for one in store.models()] == ["loras"] * 4


def test_a_broken_model_is_listed_all_the_same(store: ModelStore, folders: DiskFolders) -> None:
    model_file(folders.root / "loras" / "broken.safetensors").write_bytes(b"no header")
    assert [one.path for one in store.models("loras")] == ["broken.safetensors"]


def test_of_two_files_of_one_path_the_hosts_first_counts(store: ModelStore, folders: DiskFolders) -> None:
    first = model_file(folders.root / "loras" / "x.safetensors")
    model_file(folders.root / "more" / "x.safetensors", values=64)
    (one,) = store.models("loras")
    assert one.size == first.stat().st_size
    assert store.file("loras", "x.safetensors") == first


@pytest.mark.parametrize(
    "path",
    [
        "../secret.safetensors",
        "sdxl/../../secret.safetensors",
        "/etc/passwd",
        "..\\secret.safetensors",
        "C:secret.safetensors",
        "sdxl//x.safetensors",
        ".hidden.safetensors",
        ".git/x.safetensors",
        "note.txt",
        "sdxl",
        "",
        "x\0.safetensors",
        "missing.safetensors",
    ],
)
def test_nothing_but_models_is_found(store: ModelStore, folders: DiskFolders, path: str) -> None:
    for place in ("x.safetensors", ".hidden.safetensors", ".git/x.safetensors", "sdxl/x.safetensors", "note.txt"):
        model_file(folders.root / "loras" / place)
    model_file(folders.root / "secret.safetensors")
    for action in (store.get, store.delete, store.hash):
        with pytest.raises(Problem) as refused:
            action("loras", path)
        assert refused.value.status == 404
    assert (folders.root / "secret.safetensors").exists()


def test_an_unknown_type_is_answered_with_those_that_there_are(store: ModelStore) -> None:
    with pytest.raises(Problem, match="checkpoints, loras"):
        store.models("custom_nodes")


def test_links_that_lead_out_are_neither_listed_nor_followed(
    store: ModelStore, folders: DiskFolders, tmp_path: Path
) -> None:
    outside = model_file(tmp_path / "outside" / "x.safetensors")
    inside = model_file(folders.root / "checkpoints" / "y.safetensors")
    loras = folders.root / "loras"
    loras.mkdir()
    (loras / "out.safetensors").symlink_to(outside)
    (loras / "folder").symlink_to(outside.parent)
    (loras / "in.safetensors").symlink_to(inside)
    (loras / "loop.safetensors").symlink_to(loras / "loop.safetensors")
    assert [one.path for one in store.models("loras")] == ["in.safetensors"]
    for path in ("out.safetensors", "folder/x.safetensors", "loop.safetensors"):
        with pytest.raises(Problem):
            store.delete("loras", path)
    store.delete("loras", "in.safetensors")
    assert outside.exists()
    assert inside.exists(), "the link goes, not what it leads to"


def test_a_deleted_model_is_gone_from_disk_list_and_digests(
    store: ModelStore, folders: DiskFolders, tmp_path: Path
) -> None:
    file = model_file(folders.root / "loras" / "sdxl" / "x.safetensors")
    assert store.hash("loras", "sdxl/x.safetensors").sha256 == digest_of(file)
    assert store.delete("lora", "sdxl/x.safetensors").path == "sdxl/x.safetensors"
    assert not file.exists()
    assert folders.told == ["loras"]
    assert str(file) not in (tmp_path / "private" / "hashes.json").read_text()


def test_a_digest_is_kept_until_the_file_changes(store: ModelStore, folders: DiskFolders, tmp_path: Path) -> None:
    file = model_file(folders.root / "loras" / "x.safetensors")
    first = store.hash("loras", "x.safetensors").sha256
    kept = ModelStore(folders, Hashes(tmp_path / "private" / "hashes.json"))
    assert kept.get("loras", "x.safetensors").sha256 == first
    model_file(file, values=99)
    assert kept.get("loras", "x.safetensors").sha256 is None
    assert kept.hash("loras", "x.safetensors").sha256 == digest_of(file) != first


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}'])
def test_damaged_digests_are_forgotten(folders: DiskFolders, tmp_path: Path, text: str) -> None:
    file = model_file(folders.root / "loras" / "x.safetensors")
    kept = tmp_path / "hashes.json"
    kept.write_text(text)
    hashes = Hashes(kept)
    assert hashes.known(file) is None
    assert hashes.compute(file) == digest_of(file)
    assert json.loads(kept.read_text()).keys() == {str(file)}


TENSOR = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "too small"),
        (b"\xff" * 8 + b"{}", "too large"),
        (head(b"not JSON"), "JSON"),
        (head({"a": TENSOR}) + b"123", "not fully covered"),
        (head({"a": TENSOR}) + b"12345", "not fully covered"),
        (head({"a": {**TENSOR, "data_offsets": [4, 8]}}) + b"12345678", "offset"),
        (head({"a": TENSOR, "b": TENSOR}) + b"12345678", "offset"),
        (head({"a": {**TENSOR, "shape": [2]}}) + b"1234", "shape"),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_reason(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(content)
    with pytest.raises(Problem, match=why) as refused:
        read_header(file)
    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("metadata", "base"),
    [
        ({"modelspec.architecture": "stable-diffusion-v1/lora"}, "sd1"),
        ({"modelspec.architecture": "Flux.1-dev"}, "flux"),
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "sdxl"),
        ({"ss_base_model_version": "sd_v1"}, "sd1"),
        ({"ss_sd_model_name": "ponyDiffusionV6XL.safetensors"}, "sdxl"),
        ({"ss_sd_model_name": "v1-5-pruned.safetensors"}, "sd1"),
        ({"modelspec.architecture": "qwen-image"}, "qwen-image"),
        ({"title": "sdxl things"}, None),
    ],
)
def test_the_base_model_by_the_words_of_trainers(tmp_path: Path, metadata: Mapping[str, str], base: str | None) -> None:
    save_file({"w": np.zeros(1, np.float32)}, tmp_path / "x.safetensors", dict(metadata))
    assert read_header(tmp_path / "x.safetensors").base_model == base


def test_new_files_go_where_the_type_has_its_name() -> None:
    folder = ModelFolder("diffusion_models", (Path("/m/unet"), Path("/m/diffusion_models")), frozenset())
    assert folder.home == Path("/m/diffusion_models")
    assert ModelFolder("loras", (Path("/v/Lora"), Path("/m/other")), frozenset()).home == Path("/v/Lora")


def test_a_list_is_not_led_in_circles(store: ModelStore, folders: DiskFolders) -> None:
    model_file(folders.root / "loras" / "x.safetensors")
    os.symlink(folders.root / "loras", folders.root / "loras" / "again")
    assert [one.path for one in store.models("loras")] == ["x.safetensors"]
