import hashlib
import signal
import sys
import time
from pathlib import Path

import pytest

from vectrahub.installer.catalogue import read_catalogue

from .conftest import Pack
from .tiny_hub import TinyHub

CONTENT = b"small but real"


def offer(pack: Pack, content: bytes, *, sha256: str | None = None, size: int | None = None) -> None:
    digest = hashlib.sha256(content).hexdigest() if sha256 is None else sha256
    (pack.root / "models.toml").write_text(
        f"""[tiny]
file = "tiny.pth"
folder = "upscale_models"
size = {len(content) if size is None else size}
sha256 = "{digest}"
licence = "MIT"
origin = "a test"
repo = "someone/tiny"
path = "weights/tiny.pth"
revision = "{"0" * 40}"
purpose = "testing"
without = "nothing is tested"
"""
    )


def get(pack: Pack, models: Path, key: str = "tiny"):
    return pack.run("models", "get", key, "--models-dir", str(models))


def left_in(models: Path) -> list[str]:
    return sorted(path.name for path in models.rglob("*") if path.is_file())


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def hub_of(pack: Pack, content: bytes, etag: str | None = None):
    digest = hashlib.sha256(content).hexdigest()
    hub = TinyHub({"someone/tiny/weights/tiny.pth": (content, digest if etag is None else etag)})
    pack.settings["HF_ENDPOINT"] = hub.url
    return hub.running()


def test_get_knows_every_key_before_it_fetches_one(pack, models):
    offer(pack, CONTENT)
    with hub_of(pack, CONTENT):
        refused = pack.run("models", "get", "tiny", "teeny", "--models-dir", str(models))
        assert refused.returncode and "'teeny'" in refused.stderr and not left_in(models)
        assert pack.run("models", "get", "tiny", "tiny", "--models-dir", str(models)).returncode == 0
    assert len(left_in(models)) == 1


def test_get_fetches_once(pack, models):
    offer(pack, CONTENT)
    with hub_of(pack, CONTENT) as hub:
        assert get(pack, models).returncode == 0
        again = get(pack, models)
    assert (models / "upscale_models/tiny.pth").read_bytes() == CONTENT
    assert again.returncode == 0 and "whole" in again.stdout
    assert hub.ranges == [None]
    assert left_in(models) == ["tiny.pth"]


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_killed_get_goes_on_where_it_stopped(pack, models):
    content = bytes(range(256)) * 4096 * 24  # 24 MiB: the library writes in pieces of 10 MB
    offer(pack, content)
    with hub_of(pack, content) as hub:
        hub.stall_after = 15_000_000
        first = pack.start("models", "get", "tiny", "--models-dir", str(models))
        deadline = time.monotonic() + 240
        while not any(part.stat().st_size for part in models.rglob("*.part")):
            assert time.monotonic() < deadline and first.poll() is None
            time.sleep(0.05)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        kept = next(models.rglob("*.part")).stat().st_size
        hub.stall_after = None
        second = get(pack, models)
    assert second.returncode == 0, second.stderr
    assert hub.ranges == [None, f"bytes={kept}-"]
    assert (models / "upscale_models/tiny.pth").read_bytes() == content
    assert left_in(models) == ["tiny.pth"]


def test_a_file_with_another_hash_is_removed(pack, models):
    offer(pack, CONTENT)
    with hub_of(pack, b"something else", etag="not-a-hash"):
        result = get(pack, models)
    assert result.returncode == 1
    assert hashlib.sha256(b"something else").hexdigest() in result.stderr and "Traceback" not in result.stderr
    assert left_in(models) == []


def test_a_hub_that_states_another_hash_is_not_fetched_from(pack, models):
    offer(pack, CONTENT)
    with hub_of(pack, b"something else") as hub:
        result = get(pack, models)
    assert result.returncode == 1 and "another file" in result.stderr
    assert hub.ranges == []


def test_without_a_hash_on_record_it_says_so(pack, models):
    offer(pack, CONTENT, sha256="")
    with hub_of(pack, CONTENT, etag="not-a-hash"):
        result = get(pack, models)
    assert result.returncode == 0
    assert f"hash not on record; it is {hashlib.sha256(CONTENT).hexdigest()}" in result.stdout


def test_a_single_file_whose_size_and_hash_are_not_on_record(pack, models):
    """`about` is an estimate: the hub's length counts, its own hash is the only judge, and the user is told."""
    offer(pack, CONTENT, sha256="")
    text = (pack.root / "models.toml").read_text()
    (pack.root / "models.toml").write_text(text.replace(f"size = {len(CONTENT)}", "about = 1000000"))
    assert "upscale_models/tiny.pth, about 1 MB" in pack.run("models", "list", "--models-dir", str(models)).stdout
    with hub_of(pack, CONTENT):
        result = get(pack, models)
    assert result.returncode == 0, result.stderr
    stated = hashlib.sha256(CONTENT).hexdigest()
    assert f"no hash on record here; it is compared with the hub's own statement, {stated}" in result.stderr
    check = pack.run("models", "check", "--models-dir", str(models))
    assert check.returncode == 0 and "tiny: present" in check.stdout


def test_a_size_beside_an_estimate_is_refused(pack, models):
    offer(pack, CONTENT)
    with (pack.root / "models.toml").open("a") as stream:
        stream.write("about = 14\n")
    result = get(pack, models)
    assert result.returncode == 1 and "lacks or adds ['size']" in result.stderr


def test_no_room(pack, models):
    offer(pack, CONTENT, size=10**16)
    with hub_of(pack, CONTENT) as hub:
        result = get(pack, models)
    assert result.returncode == 1 and "No room" in result.stderr and "--models-dir" in result.stderr
    assert hub.ranges == []


def test_unknown_key_lists_the_known(pack, models):
    offer(pack, CONTENT)
    result = get(pack, models, key="huge")
    assert result.returncode == 1
    assert result.stderr == "error: Unknown key 'huge'; known are tiny.\n"


def test_a_persons_own_file_is_never_overwritten(pack, models):
    offer(pack, CONTENT)
    place = models / "upscale_models/tiny.pth"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"mine")
    with hub_of(pack, CONTENT):
        result = get(pack, models)
    assert result.returncode == 1 and "Move it away" in result.stderr
    assert place.read_bytes() == b"mine"


def test_no_hub(pack, models):
    offer(pack, CONTENT)
    pack.settings["HF_ENDPOINT"] = "http://127.0.0.1:9"  # the discard port: nobody answers
    result = get(pack, models)
    assert result.returncode == 1 and "does not answer" in result.stderr and "Traceback" not in result.stderr
    assert left_in(models) == []


def test_a_damaged_catalogue_is_named(pack, models):
    (pack.root / "models.toml").write_text('[tiny]\nfile = "a"\n')
    result = get(pack, models)
    assert result.returncode == 1 and "entry tiny lacks" in result.stderr


def test_check_tells_missing_whole_and_damaged_apart(pack, models):
    offer(pack, CONTENT)
    place = models / "upscale_models/tiny.pth"

    def check():
        result = pack.run("models", "check", "--models-dir", str(models))
        return result.returncode, result.stdout.splitlines()[1].strip()

    assert check() == (1, "tiny: missing")
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    assert check() == (0, "tiny: whole")
    place.write_bytes(CONTENT[::-1])
    assert check() == (1, "tiny: damaged")


def test_list_works_before_there_is_a_host(pack):
    result = pack.run("models", "list")
    assert result.returncode == 0
    assert "realesrgan-x2plus  [missing]" in result.stdout and "BSD-3-Clause" in result.stdout


def test_a_command_that_needs_a_folder_says_how_to_name_one(pack):
    result = pack.run("models", "check")
    assert result.returncode == 1 and "--models-dir" in result.stderr


def test_a_hub_that_offers_another_length_is_not_fetched_from(pack, models):
    offer(pack, CONTENT, size=len(CONTENT) - 1)
    with hub_of(pack, CONTENT, etag="not-a-hash") as hub:
        result = get(pack, models)
    assert result.returncode == 1 and "14 bytes, on record 13" in result.stderr
    assert hub.ranges == [] and left_in(models) == []


def test_what_arrived_whole_is_not_asked_for_again(pack, models):
    offer(pack, CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    part = models / f"upscale_models/tiny.pth.{digest[:16]}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    with hub_of(pack, CONTENT) as hub:
        assert get(pack, models).returncode == 0
    assert hub.ranges == []
    assert left_in(models) == ["tiny.pth"]


def test_the_catalogue_is_pinned():
    for weights in read_catalogue().values():
        for file in weights.files:
            assert len(file.revision) == 40 and int(file.revision, 16) >= 0
            assert file.sha256 == "" or (len(file.sha256) == 64 and int(file.sha256, 16) >= 0)
            assert file.size > 0
        assert weights.licence and len({file.name for file in weights.files}) == len(weights.files)


def test_the_catalogue_says_what_a_licence_forbids():
    catalogue = read_catalogue()
    assert catalogue["omnisvg-8b"].licence == "Apache-2.0"
    assert "non-commercial" in catalogue["omnisvg-4b"].licence
    assert catalogue["qwen2.5-vl-7b"].licence == "Apache-2.0"
    assert "non-commercial" in catalogue["qwen2.5-vl-3b"].licence


def test_the_catalogue_has_the_captioners_as_released():
    """The sums of the files are those of the releases, and whatever the captioner asks for is among them."""
    for key, size, shards in (("qwen2.5-vl-7b", 16.59e9, 5), ("qwen2.5-vl-3b", 7.52e9, 2)):
        weights = read_catalogue()[key]
        assert not weights.convert and weights.folder.startswith("LLM/")
        assert abs(weights.size - size) < 1e7
        names = {file.name for file in weights.files}
        assert len([name for name in names if name.endswith(".safetensors")]) == shards
        assert {"config.json", "tokenizer.json", "preprocessor_config.json", "model.safetensors.index.json"} <= names


def test_the_catalogue_has_what_a_try_on_loads():
    """Names and folders are those under which the host's loaders look for them; all may be used commercially."""
    catalogue = read_catalogue()
    keys = ("qwen-edit-2511-fp8", "qwen-edit-2511-bf16", "qwen-edit-2511-lightning")
    parts = {key: catalogue[key] for key in (*keys, "qwen2.5-vl-7b-fp8", "qwen-image-vae")}
    assert {one.licence for one in parts.values()} == {"Apache-2.0"}
    assert all(one.single for one in parts.values())
    folders = [one.folder for one in parts.values()]
    assert folders == ["diffusion_models", "diffusion_models", "loras", "text_encoders", "vae"]
    assert "comfyui_4steps" in parts["qwen-edit-2511-fp8"].files[0].name  # the one without it is for LightX2V
    assert [key for key, one in parts.items() if not one.exact] == ["qwen-edit-2511-fp8"]


def test_the_catalogue_has_what_a_car_photo_needs():
    """Folders are those in which the host's loaders look; nothing of it is for research alone."""
    catalogue = read_catalogue()
    folders = {
        "big-lama": "inpaint",
        "sam3": "checkpoints",
        "birefnet": "background_removal",
        "depth-anything-3": "geometry_estimation",
        "controlnet-depth-sdxl": "controlnet",
        "controlnet-canny-sdxl": "controlnet",
    }
    assert {key: catalogue[key].folder for key in folders} == folders
    assert not [key for key in folders if "non-commercial" in catalogue[key].licence]
    assert all(catalogue[key].files[0].name.endswith(".safetensors") for key in folders)
    assert [key for key in folders if not catalogue[key].exact] == ["big-lama"]
