"""Which pictures of a folder are learned, and what they are said to show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vectrahub.engine.errors import BadInput
from vectrahub.engine.training import pictures
from vectrahub.engine.training.pictures import MOST_PIXELS, Example, read_pictures, state


def find_examples(folder: Path, trigger: str, caption: str, minimum: int) -> list[Example]:
    return pictures.find_examples(folder, folder, trigger, caption, minimum)


def put(*files: Path, size: tuple[int, int] = (8, 6)) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (255, 0, 0)).save(file)


def test_captions_and_the_trigger(tmp_path: Path) -> None:
    put(*(tmp_path / f"{name}.png" for name in "dcba"))
    (tmp_path / "a.txt").write_text("\ufeffa red\n bus ", encoding="utf-8")
    (tmp_path / "b.txt").write_text("<t>, a van", encoding="utf-8")
    (tmp_path / "c.txt").write_text(" \n", encoding="utf-8")
    found = find_examples(tmp_path, " <t> ", "a  car", 4)
    assert [one.text for one in found] == ["<t>, a red bus", "<t>, a van", "<t>, a car", "<t>, a car"]
    assert [one.captioned for one in found] == [True, True, False, False]
    assert all(one.photo == one.picture for one in found)
    assert [one.text for one in find_examples(tmp_path, "", "", 4)] == ["a red bus", "<t>, a van", "", ""]
    assert {one.text for one in find_examples(tmp_path, "<x>", "", 4)} == {"<x>, a red bus", "<x>, <t>, a van", "<x>"}


def test_pairs(tmp_path: Path) -> None:
    put(tmp_path / "input/1.JPG", tmp_path / "input/2.webp", tmp_path / "target/1.png", tmp_path / "target/2.png")
    (tmp_path / "input/1.txt").write_text("of the photograph", encoding="utf-8")
    (tmp_path / "input/2.txt").write_text("of the photograph", encoding="utf-8")
    (tmp_path / "target/2.txt").write_text("of the drawing", encoding="utf-8")
    found = find_examples(tmp_path, "", "", 2)
    assert [(one.picture.name, one.photo.name, one.text) for one in found] == [
        ("1.png", "1.JPG", "of the photograph"),
        ("2.png", "2.webp", "of the drawing"),
    ]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], ["Too few", "got 0"]),
        (["a.png"], ["Too few", "got 1", "at least 2"]),
        (["a.png", "a.jpg"], ["a.jpg, a.png"]),
        (["input/a.png", "target/b.png"], ["input/a.png", "target/b.png"]),
        (["input/a.png", "input/b.png"], ["without a partner"]),
        (["a.png", "target/a.png", "input/a.png"], ["not both", "a.png"]),
        ([f"input/{n}.png" for n in range(9)], ["and 4 more"]),
    ],
)
def test_bad_folders(tmp_path: Path, files: list[str], words: list[str]) -> None:
    put(*(tmp_path / file for file in files))
    with pytest.raises(BadInput) as error:
        find_examples(tmp_path, "", "", 2)
    assert all(word in str(error.value) for word in words), error.value


def test_a_caption_in_another_encoding_is_named(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(BadInput, match=r"a\.txt"):
        find_examples(tmp_path, "", "", 1)


def test_pictures_are_read_as_they_are_seen(tmp_path: Path) -> None:
    half = Image.new("RGBA", (4, 2), (0, 0, 0, 128))
    half.save(tmp_path / "half.png")
    turned = Image.new("RGB", (4, 2), (0, 0, 255))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    Image.fromarray(np.full((2, 4), 32768, np.uint16)).save(tmp_path / "deep.png")
    Image.new("L", (3000, 2000), 7).save(tmp_path / "large.png")
    seen = read_pictures([tmp_path / name for name in ("half.png", "turned.jpg", "deep.png", "large.png")])
    assert all(one.dtype == np.float32 and 0 <= one.min() <= one.max() <= 1 for one in seen)
    assert np.allclose(seen[0], 127 / 255, atol=1e-3)
    assert seen[1].shape == (4, 2, 3)
    assert np.allclose(seen[2], 0.5, atol=3e-3)
    height, width = seen[3].shape[:2]
    assert MOST_PIXELS * 0.99 < height * width <= MOST_PIXELS and abs(width / height - 1.5) < 0.01


def test_deep_greys_are_turned_and_made_smaller_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the first row is the right side
    levels = np.repeat(np.linspace(0, 65535, 2000).astype(np.uint16)[None], 1500, axis=0)
    Image.fromarray(levels).save(tmp_path / "deep.png", exif=exif)
    (seen,) = read_pictures([tmp_path / "deep.png"])
    height, width = seen.shape[:2]
    assert MOST_PIXELS * 0.99 < height * width <= MOST_PIXELS and abs(height / width - 4 / 3) < 0.01
    assert np.allclose(seen[:, width // 2, 0], np.linspace(0, 1, height), atol=0.005)


def test_too_much_for_the_memory_is_refused_by_the_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a.png", tmp_path / "b.png", size=(10, 10))
    monkeypatch.setattr(pictures, "MOST_BYTES", 2399)
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:50])
    with pytest.raises(BadInput, match="Too many pictures to hold in memory: got 2 pictures"):
        read_pictures([tmp_path / "a.png", tmp_path / "b.png"])
    monkeypatch.setattr(pictures, "MOST_BYTES", 2400)
    assert len(read_pictures([tmp_path / "a.png", tmp_path / "a.png"])) == 2


@pytest.mark.parametrize("kind", ["GIF", "BMP", "EPS", "TIFF", "PPM"])
def test_no_other_reader_is_guessed(tmp_path: Path, kind: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", kind)
    with pytest.raises(BadInput, match=r"cannot be read: got a\.png"):
        read_pictures([tmp_path / "a.png"])


def test_the_trigger_is_a_word(tmp_path: Path) -> None:
    put(tmp_path / "a.png", tmp_path / "b.png")
    (tmp_path / "a.txt").write_text("category of cars", encoding="utf-8")
    (tmp_path / "b.TXT").write_text("the cat, a car", encoding="utf-8")
    assert [one.text for one in find_examples(tmp_path, "cat", "", 2)] == ["cat, category of cars", "the cat, a car"]


def test_two_captions_of_one_name(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    (tmp_path / "a.txt").touch()
    (tmp_path / "a.TXT").touch()
    if len(list(tmp_path.iterdir())) == 2:
        pytest.skip("a file system that takes small letters for capitals")
    with pytest.raises(BadInput, match=r"a\.TXT, a\.txt"):
        find_examples(tmp_path, "", "", 1)


@pytest.mark.parametrize("link", ["a.png", "a.txt", "target", "input", "input/1.png", "target/1.txt"])
def test_links_out_of_the_root_are_refused(tmp_path: Path, link: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    put(outside / "1.png", root / "inside/1.png")
    pairs = link.startswith(("target", "input"))
    put(*(root / "set" / name for name in (("input/1.png", "target/1.png") if pairs else ("a.png",))))
    (outside / "a.txt").write_text("secret", encoding="utf-8")
    place = root / "set" / link
    if place.is_dir():
        (place / "1.png").unlink()
        place.rmdir()
    place.unlink(missing_ok=True)
    place.symlink_to(outside if "." not in link else outside / ("a.txt" if link.endswith("txt") else "1.png"))
    with pytest.raises(BadInput, match=f"lead out.*got {place.name},"):
        pictures.find_examples(root / "set", root, "", "", 1)
    if place.suffix == ".png":
        place.unlink()
        place.symlink_to(root / "inside/1.png")
        assert len(pictures.find_examples(root / "set", root, "", "", 1)) == 1


def test_broken_pictures_are_all_named(tmp_path: Path) -> None:
    put(tmp_path / "good.png")
    (tmp_path / "no picture.png").write_bytes(b"hello")
    (tmp_path / "short.png").write_bytes((tmp_path / "good.png").read_bytes()[:50])
    with pytest.raises(BadInput, match=r"no picture\.png, short\.png"):
        read_pictures(sorted(tmp_path.iterdir()))


def test_the_state_changes_with_the_files(tmp_path: Path) -> None:
    put(tmp_path / "input/a.png", tmp_path / "target/a.png")
    before = state(tmp_path)
    assert state(tmp_path) == before
    (tmp_path / "target/a.txt").write_text("a car", encoding="utf-8")
    assert state(tmp_path) != before
