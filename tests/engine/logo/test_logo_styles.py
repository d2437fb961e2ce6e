"""The table of styles, and a person's own beside it."""

import os
import re
import signal
from pathlib import Path

import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.logo.styles import DEFAULT_STYLE, MAX_FILE, shipped_styles, style_named, styles_with
from vectrahub.tests.host_fixture import ROOT

PAGES = (ROOT / "docs" / "logo.md", ROOT / "js" / "docs" / "VectraHub_LogoPrompt.md")


def own(tmp_path: Path, text: str | bytes) -> Path:
    file = tmp_path / "logo_styles.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_the_shipped_ones_say_what_they_are_for():
    styles = shipped_styles()
    assert next(iter(styles)) == DEFAULT_STYLE
    for name, style in styles.items():
        assert style.name == name and style.description and style.palette and style.wordless
        for phrase in (*style.phrases, *style.wordless, style.palette):
            assert re.fullmatch(r"[A-Z].+\.", phrase), phrase  # a sentence
            # said by the prompt, once and where it fits
            assert not re.search(r"background|letter|\btext\b|\bword\b", phrase, re.IGNORECASE), phrase


def test_no_file_is_no_matter(tmp_path: Path):
    assert styles_with(tmp_path / "none.toml") == shipped_styles()


def test_a_style_is_added_and_one_is_changed_key_by_key(tmp_path: Path):
    file = own(tmp_path, '["Our house"]\nphrases = ["It is ours."]\n[minimal]\npalette = "All is red."\n')
    styles = styles_with(file)
    before = shipped_styles()
    assert list(styles) == [*before, "Our house"]
    assert styles["Our house"].phrases == ("It is ours.",) and not styles["Our house"].palette
    assert styles["minimal"].palette == "All is red."
    assert styles["minimal"].phrases == before["minimal"].phrases
    assert shipped_styles() == before


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[minimal\n", "line 1"),
        ("[a]\nphrases = [\n\n", "line"),
        (b"\xff\xfe[a]", "byte 0 is not UTF-8"),
        ("x" * (MAX_FILE + 1), "bytes"),
        ("palette = 3\n", "'palette'"),
        ('[a]\npalette = "x"\n', "style 'a': got no phrases"),
        ("[a]\nphrases = []\n", "style 'a': got no phrases"),
        ('[a]\nphrases = "one"\n', "style 'a', key 'phrases'"),
        ("[a]\nphrases = [1]\n", "style 'a', key 'phrases'"),
        ('[a]\nphrases = [" "]\n', "style 'a', key 'phrases'"),
        ('[a]\nphrases = ["' + "x" * 401 + '"]\n', "401 characters"),
        ("[a]\nphrases = [" + '"x",' * 13 + "]\n", "13 phrases"),
        ('[a]\nphrases = ["x"]\npalette = 1\n', "style 'a', key 'palette'"),
        ('[a]\nphrases = ["x"]\nphrase = ["y"]\n', "the key 'phrase', allowed description, palette, phrases, wordless"),
        ('[" "]\nphrases = ["x"]\n', "name of 1 characters"),
        ("a=" + "[" * 5000 + "]" * 5000, "brackets too deep"),
        ("a=" + "{a=" * 5000 + "1" + "}" * 5000, "brackets too deep"),
        ("a=" + "1" * 5000, "number too long"),
        ("a=0x" + "f" * 5000, "key 'a': got a number"),
        ("[a]\nphrases" + ".a" * 20000 + " = 1\n", "key 'phrases': got a table"),
        ('["a\\nb"]\nphrases = ["x"]\n', "style 'a\\nb'"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_place_and_a_remedy(tmp_path: Path, text: str, named: str):
    file = own(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        styles_with(file)
    message = str(caught.value)
    assert str(file) in message and named in message and re.search(r"got .+, allowed .+\. \S", message, re.DOTALL)


def test_a_folder_in_its_place_is_named(tmp_path: Path):
    with pytest.raises(BadInput, match=re.escape(str(tmp_path))):
        styles_with(tmp_path)


def test_an_unknown_style_lists_the_known():
    for name in ("baroque", ["minimal"]):
        with pytest.raises(BadInput, match=r"(baroque|minimal).*geometric"):
            style_named(name, shipped_styles())  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_list_the_styles_and_their_example_works(tmp_path: Path, page: Path):
    text = page.read_text(encoding="utf-8")
    styles = text[text.index("\n| style | for |") :].split("\n\n")[0]
    assert re.findall(r"^\| `?([a-z-]+)`? \|", styles, re.MULTILINE)[1:] == list(shipped_styles())
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert "house" in styles_with(own(tmp_path, example))


def test_the_mark_that_notepad_begins_a_file_with_is_no_matter(tmp_path: Path):
    assert "house" in styles_with(own(tmp_path, b"\xef\xbb\xbf" + b'[house]\r\nphrases = ["It is ours."]\r\n'))


def test_of_an_endless_file_only_the_start_is_read(tmp_path: Path):
    file = own(tmp_path, "")
    os.truncate(file, 1 << 40)  # takes no room on the disk
    with pytest.raises(BadInput, match=f"allowed {MAX_FILE} bytes"):
        styles_with(file)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_or_device_in_its_place_is_not_waited_for(tmp_path: Path):
    pipe, device = tmp_path / "pipe.toml", tmp_path / "device.toml"
    os.mkfifo(pipe)
    device.symlink_to("/dev/null")

    def woken(*_args: object) -> None:
        raise RuntimeError("waited")

    before = signal.signal(signal.SIGALRM, woken)
    signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        for file in (pipe, device):
            with pytest.raises(BadInput, match=rf"{file.name}.*allowed a file\."):
                styles_with(file)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_what_cannot_be_looked_at_is_named(tmp_path: Path):
    loop = tmp_path / "loop.toml"
    loop.symlink_to(loop)
    for file in (loop, tmp_path / ("x" * 300)):
        with pytest.raises(BadInput, match="allowed a readable file"):
            styles_with(file)
    assert styles_with(own(tmp_path, "") / "below a file.toml") == shipped_styles()
