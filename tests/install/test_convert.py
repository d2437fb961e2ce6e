"""Entries of several files, and the conversion of a checkpoint. The checkpoints are real ones, saved by torch."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from vectrahub.installer.cache import InstallError, digest
from vectrahub.installer.convert import convert
from vectrahub.installer.environment import _python_in
from vectrahub.installer.states import complete_metadata

from .conftest import Pack
from .test_models import get, left_in
from .tiny_hub import TinyHub

CONFIG = b'{"hidden_size": 8}'
TOKENIZER = b'{"model": {}}'
WEIGHTS = "omnisvg/tiny/model.safetensors"


def state_dict(rows: int = 50) -> dict[str, torch.Tensor]:
    """bf16, one storage under two names, and what makes a writer stumble: views, 0 dimensions, nothing at all."""
    generator = torch.Generator().manual_seed(rows)
    embeddings = torch.randn(rows, 8, generator=generator).to(torch.bfloat16)
    base = torch.randn(6, 4, generator=generator)
    return {
        "transformer.lm_head.weight": embeddings,
        "transformer.model.embed_tokens.weight": embeddings,
        "transformer.model.norm.weight": torch.randn(3, generator=generator).to(torch.float16),
        "turned": base.t(),
        "upper": base[:3],
        "lower": base[3:],
        "scalar": torch.tensor(7),
        "nothing": torch.zeros(0, 4),
        "nothing else": torch.zeros(0, 4),
        "flags": torch.tensor([True, False, True]),
    }


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    return not one.numel() or torch.equal(
        one.contiguous().reshape(-1).view(torch.uint8), other.contiguous().reshape(-1).view(torch.uint8)
    )


def checkpoint(folder: Path, tensors: dict[str, torch.Tensor]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, folder / "pytorch_model.bin")
    return folder / "pytorch_model.bin"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def binary(tmp_path: Path) -> bytes:
    return checkpoint(tmp_path / "made", state_dict()).read_bytes()


def offer(
    pack: Pack, binary: bytes, *, hub_binary: bytes | None = None, size: str | None = None, sha: str | None = None
):
    """A catalogue of one folder from two repositories, and the hub that has it."""
    size = size or "about = 5"
    (pack.root / "models.toml").write_text(
        f"""[tiny]
folder = "omnisvg/tiny"
licence = "MIT"
origin = "a test"
purpose = "testing"
without = "nothing is tested"
convert = "pytorch_model.bin"

[[tiny.sources]]
repo = "someone/drawing"
revision = "{"0" * 40}"
files = [{{ path = "pytorch_model.bin", {size}, sha256 = "{sha256(binary) if sha is None else sha}" }}]

[[tiny.sources]]
repo = "someone/base"
revision = "{"1" * 40}"
files = [
    {{ path = "config.json", size = {len(CONFIG)}, sha256 = "{sha256(CONFIG)}" }},
    {{ path = "below/tokenizer.json", size = {len(TOKENIZER)}, sha256 = "{sha256(TOKENIZER)}" }},
]
"""
    )
    binary = binary if hub_binary is None else hub_binary
    hub = TinyHub(
        {
            "someone/drawing/pytorch_model.bin": (binary, sha256(binary)),
            "someone/base/config.json": (CONFIG, "a" * 40),  # small files have a git id, no hash
            "someone/base/below/tokenizer.json": (TOKENIZER, "b" * 40),
        }
    )
    pack.settings["HF_ENDPOINT"] = hub.url
    return hub.running()


def check(pack: Pack, models: Path) -> tuple[int, str]:
    result = pack.run("models", "check", "--models-dir", str(models))
    return result.returncode, result.stdout.splitlines()[1].strip()


def test_a_folder_is_fetched_from_two_repositories_and_converted_once(pack, models, binary):
    with offer(pack, binary) as hub:
        first = get(pack, models)
        again = get(pack, models)
    assert first.returncode == 0, first.stderr
    assert "pytorch_model.bin was removed" in first.stdout
    assert left_in(models) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert again.returncode == 0 and again.stdout == f"{models / 'omnisvg/tiny'} is whole\n"
    assert sorted(name for name, _ in hub.gets) == ["config.json", "pytorch_model.bin", "tokenizer.json"]
    assert hub.gets[-1] == ("pytorch_model.bin", None)  # the large one after the small ones
    assert check(pack, models) == (0, "tiny: whole")
    assert (models / "omnisvg/tiny/config.json").read_bytes() == CONFIG
    read, wanted = load_file(models / WEIGHTS), state_dict()
    assert read.keys() == wanted.keys() - {"transformer.lm_head.weight"}
    assert all(same_bits(tensor, wanted[name]) for name, tensor in read.items())


def test_every_bit_and_name_survives_and_shared_numbers_are_written_once(tmp_path):
    tensors = state_dict()
    source = checkpoint(tmp_path, tensors)
    target = tmp_path / "model.safetensors"
    (tmp_path / "model.safetensors.part").write_bytes(b"what a killed run left")
    shares: list[float] = []
    assert convert(source, target, "f" * 64, shares.append) == 9
    read = load_file(target)
    assert read.keys() == tensors.keys() - {"transformer.lm_head.weight"}
    for name, tensor in read.items():
        assert same_bits(tensor, tensors[name]), name
    assert complete_metadata(target) == {
        "format": "pt",
        "source_sha256": "f" * 64,
        "transformer.lm_head.weight": "transformer.model.embed_tokens.weight",
    }
    assert shares == sorted(shares) and shares[-1] == 1.0
    header = int.from_bytes(target.read_bytes()[:8], "little")
    assert header % 8 == 0
    for tensor in json.loads(target.read_bytes()[8 : 8 + header]).values():
        if "dtype" in tensor:
            width = {"F64": 8, "I64": 8, "F32": 4, "BF16": 2, "F16": 2, "BOOL": 1}[tensor["dtype"]]
            assert tensor["data_offsets"][0] % width == 0
    assert source.is_file()  # removing it is the caller's business


def test_equal_numbers_in_two_places_are_both_kept(tmp_path):
    ones = {"lm_head.weight": torch.ones(4, 2), "embed_tokens.weight": torch.ones(4, 2)}
    convert(checkpoint(tmp_path, ones), tmp_path / "model.safetensors", "", lambda _share: None)
    assert load_file(tmp_path / "model.safetensors").keys() == ones.keys()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not a checkpoint", "cannot be read as weights"),
        ([torch.ones(2)], "holds no named tensors"),
        ({"a": torch.ones(2), "step": 3}, "'step', which is no tensor"),
        ({"a": torch.ones(2, dtype=torch.complex64)}, "'a', which is no tensor of a known type"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, content, said):
    source = tmp_path / "pytorch_model.bin"
    source.write_bytes(content) if isinstance(content, bytes) else torch.save(content, source)
    with pytest.raises(InstallError, match=said):
        convert(source, tmp_path / "model.safetensors", "", lambda _share: None)
    assert left_in(tmp_path) == ["pytorch_model.bin"]


def test_a_stopped_conversion_leaves_only_its_source(tmp_path):
    source = checkpoint(tmp_path, state_dict())

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(source, tmp_path / "model.safetensors", "", stop)
    assert left_in(tmp_path) == ["pytorch_model.bin"]


def test_a_killed_conversion_starts_again_without_fetching(pack, models, binary):
    """Its source is whole; the .part is what the kill left of it."""
    folder = models / "omnisvg/tiny"
    folder.mkdir(parents=True)
    (folder / "pytorch_model.bin").write_bytes(binary)
    (folder / "config.json").write_bytes(CONFIG)
    (folder / "tokenizer.json").write_bytes(TOKENIZER)
    (folder / "model.safetensors.part").write_bytes(b"\x40" + b"\0" * 7 + b"{")
    with offer(pack, binary) as hub:
        result = get(pack, models)
    assert result.returncode == 0, result.stderr
    assert hub.gets == []
    assert left_in(models) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert same_bits(load_file(models / WEIGHTS)["turned"], state_dict()["turned"])


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_killed_get_of_a_folder_goes_on_where_it_stopped(pack, models, tmp_path):
    large = checkpoint(tmp_path / "large", state_dict(rows=1_500_000)).read_bytes()  # 24 MB, written in pieces of 10
    with offer(pack, large) as hub:
        hub.stall_after = 15_000_000
        first = pack.start("models", "get", "tiny", "--models-dir", str(models))
        deadline = time.monotonic() + 240
        while not any(part.stat().st_size for part in models.rglob("pytorch_model.bin.*.part")):
            assert time.monotonic() < deadline and first.poll() is None
            time.sleep(0.05)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        kept = next(models.rglob("pytorch_model.bin.*.part")).stat().st_size
        assert check(pack, models) == (1, "tiny: missing (config.json is whole; tokenizer.json is whole)")
        hub.stall_after = None
        second = get(pack, models)
    assert second.returncode == 0, second.stderr
    assert hub.gets[-2:] == [("pytorch_model.bin", None), ("pytorch_model.bin", f"bytes={kept}-")]
    assert len(hub.gets) == 4  # config.json and tokenizer.json came once
    assert left_in(models) == ["config.json", "model.safetensors", "tokenizer.json"]


def test_a_damaged_file_of_a_folder_is_named_and_kept(pack, models, binary):
    with offer(pack, binary) as hub:
        assert get(pack, models).returncode == 0
        mine = models / "omnisvg/tiny/config.json"
        mine.write_bytes(CONFIG[::-1])
        assert check(pack, models) == (1, "tiny: damaged (model.safetensors is whole; tokenizer.json is whole)")
        before = len(hub.gets)
        result = get(pack, models)
    assert result.returncode == 1 and f"{mine} is not the file on record" in result.stderr
    assert len(hub.gets) == before and mine.read_bytes() == CONFIG[::-1]


def test_a_converted_file_counts_only_when_it_is_complete_and_made_of_the_file_on_record(pack, models, binary):
    with offer(pack, binary):
        assert get(pack, models).returncode == 0
    weights = models / WEIGHTS
    whole = weights.read_bytes()
    for damaged in (whole[:-1], whole + b"\0", whole[:4], b"", b"\xff" * 8 + whole[8:]):
        weights.write_bytes(damaged)
        assert check(pack, models)[1].startswith("tiny: damaged")
    weights.write_bytes(whole.replace(sha256(binary).encode(), b"0" * 64))
    assert check(pack, models)[1].startswith("tiny: damaged")
    weights.write_bytes(whole.replace(b"source_sha256", b"source_sha257"))  # somebody else's conversion
    assert check(pack, models) == (0, "tiny: present (config.json is whole; tokenizer.json is whole)")
    weights.unlink()
    assert check(pack, models)[1].startswith("tiny: missing")


def test_a_checkpoint_that_is_no_state_dict_keeps_what_was_fetched(pack, models):
    with offer(pack, b"not a checkpoint"):
        result = get(pack, models)
    assert result.returncode == 1
    assert "cannot be read as weights" in result.stderr and "Traceback" not in result.stderr
    assert left_in(models) == ["config.json", "pytorch_model.bin", "tokenizer.json"]


def test_a_checkpoint_with_another_hash_stops_everything_before_the_first_byte(pack, models, binary):
    with offer(pack, binary, hub_binary=binary + b"!") as hub:
        result = get(pack, models)
    assert result.returncode == 1 and "another file" in result.stderr
    assert hub.gets == [] and left_in(models) == []


def test_the_room_for_the_conversion_counts(pack, models, binary, tmp_path):
    fits_once = shutil.disk_usage(tmp_path).free * 6 // 10
    with offer(pack, binary, size=f"size = {fits_once}") as hub:
        result = get(pack, models)
    assert result.returncode == 1 and "No room for tiny (with its conversion)" in result.stderr
    assert hub.gets == [] and left_in(models) == []


def test_without_a_hash_on_record_the_one_that_arrived_is_written_into_the_result(pack, models, binary):
    with offer(pack, binary, sha=""):
        result = get(pack, models)
    assert f"pytorch_model.bin: hash not on record; it is {sha256(binary)}" in result.stdout
    assert (complete_metadata(models / WEIGHTS) or {})["source_sha256"] == sha256(binary)
    assert check(pack, models) == (0, "tiny: present (config.json is whole; tokenizer.json is whole)")


def test_a_source_left_beside_its_result_is_removed_and_another_one_stays(pack, models, binary):
    with offer(pack, binary) as hub:
        assert get(pack, models).returncode == 0
        left = models / "omnisvg/tiny/pytorch_model.bin"
        left.write_bytes(b"somebody's own")
        stays = get(pack, models)
        assert stays.returncode == 0 and "stays" in stays.stdout and left.read_bytes() == b"somebody's own"
        left.write_bytes(binary)
        assert get(pack, models).returncode == 0 and not left.exists()
    assert len(hub.gets) == 3


def test_list_tells_here_incomplete_and_missing_apart(pack, models, binary):
    def listed() -> list[str]:
        return pack.run("models", "list", "--models-dir", str(models)).stdout.splitlines()

    with offer(pack, binary, size="about = 17200000000"):
        missing = listed()
        assert get(pack, models).returncode == 0
    assert missing[0] == "tiny  [missing]"
    assert "omnisvg/tiny/ (3 files), about 17.2 GB, MIT" in missing[1]
    assert "someone/drawing and someone/base" in missing[2]
    assert any("about 34.4 GB" in line for line in missing)
    assert listed()[0] == "tiny  [here]" and not any("get it" in line for line in listed())
    (models / "omnisvg/tiny/config.json").unlink()
    assert listed()[0] == "tiny  [incomplete]" and any("get it" in line for line in listed())


def test_a_damaged_folder_entry_is_named(pack, models, binary):
    with offer(pack, binary):
        text = (pack.root / "models.toml").read_text()
        for old, new, said in (
            ("about = 5, ", "", "a file of entry tiny lacks or adds ['size']"),
            (
                'convert = "pytorch_model.bin"',
                'convert = "other.bin"',
                "converts other.bin, which is not among its files",
            ),
            ('repo = "someone/base"\n', "", "a source of entry tiny lacks or adds ['repo']"),
        ):
            assert old in text
            (pack.root / "models.toml").write_text(text.replace(old, new))
            result = get(pack, models)
            assert result.returncode == 1 and said in result.stderr, result.stderr


def bare_python(folder: Path) -> str:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return str(_python_in(folder))


def test_an_interpreter_without_the_packages_hands_over_to_the_hosts(pack, models, binary, tmp_path):
    host = pack.cache / f"base-{digest(str(pack.root.resolve()))}" / "host.json"
    host.parent.mkdir(parents=True)
    host.write_text(json.dumps({"python": sys.executable}))
    command = ("models", "get", "tiny", "--models-dir", str(models))
    with offer(pack, binary):
        result = pack.run(*command, python=bare_python(tmp_path / "bare"))
    assert result.returncode == 0, result.stderr
    assert left_in(models) == ["config.json", "model.safetensors", "tokenizer.json"]


def test_without_a_host_the_missing_packages_are_named_before_the_first_byte(pack, models, binary, tmp_path):
    command = ("models", "get", "tiny", "--models-dir", str(models))
    with offer(pack, binary) as hub:
        result = pack.run(*command, python=bare_python(tmp_path / "bare"))
    assert result.returncode == 1
    assert "pip install huggingface_hub torch safetensors" in result.stderr
    assert "install.py host" in result.stderr and hub.gets == []
