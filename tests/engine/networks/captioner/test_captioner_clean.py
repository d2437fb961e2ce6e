"""From an answer to a caption."""

from __future__ import annotations

import pytest

from vectrahub.engine.networks.captioner.clean import clean

WORDS = [f"w{index}" for index in range(100)]


@pytest.mark.parametrize(
    ("answer", "caption"),
    [
        ("red barn, green field, blue sky", "red barn, green field, blue sky"),
        ("  red barn ,green   field,, blue sky. ", "red barn, green field, blue sky"),
        ("Red barn, red BARN, field, Field, barn", "Red barn, field, barn"),
        ("- red barn\n- green field\n* blue sky", "red barn, green field, blue sky"),
        ("1. red barn\n2) green field", "red barn, green field"),
        ("**Keywords:** red barn, `field`", "red barn, field"),
        ("# Caption: red barn; field", "red barn, field"),
        ("sign (open), a\\b, [x], (word:1.4)", "sign open, a b, x, word:1.4"),
        ('"red barn, field"', "red barn, field"),
        ("red barn. Green field. sky", "red barn, Green field, sky"),
        ("f/1.8 lens, 3.5 m wall", "f/1.8 lens, 3.5 m wall"),
        ("red\ufffd barn", "red barn"),
        ("rouge, \u9752\u3001\u7dd1", "rouge, \u9752, \u7dd1"),
        ("red barn", "red barn"),
        ("", ""),
        (" ., \n", ""),
    ],
)
def test_keywords(answer: str, caption: str) -> None:
    assert clean(answer, "keywords") == caption
    assert clean(caption, "keywords") == caption


@pytest.mark.parametrize(
    ("answer", "caption"),
    [
        ("red barn, green fie", "red barn"),
        ("red barn, green field, ", "red barn, green field"),
        ("red barn, red barn", "red barn"),
        ("old red bar", "old red"),
        ("red", "red"),
        ("", ""),
        ("red barn, \ufffd", "red barn"),
    ],
)
def test_a_broken_keyword_is_cut(answer: str, caption: str) -> None:
    assert clean(answer, "keywords", finished=False) == caption


def test_keywords_are_sixty_words_at_most() -> None:
    assert clean(", ".join(WORDS), "keywords") == ", ".join(WORDS[:60])
    pairs = [f"{left} {right}" for left, right in zip(WORDS[::2], WORDS[1::2], strict=True)]
    assert clean("one, " + ", ".join(pairs), "keywords") == "one, " + ", ".join(pairs[:29])
    assert clean(" ".join(WORDS), "keywords") == " ".join(WORDS), "a single one is not cut in its middle"


@pytest.mark.parametrize(
    ("answer", "finished", "caption"),
    [
        ("A red barn.\nIt stands in a field.", True, "A red barn. It stands in a field."),
        ("**A red barn**, in a field.", True, "A red barn, in a field."),
        ('"A red barn."', True, "A red barn."),
        ("A red barn. It stands in a fie", False, "A red barn."),
        ("A wall of 3.5 m. Behind it", False, "A wall of 3.5 m."),
        ("A red barn in a green fie", False, "A red barn in a green"),
        ("A red barn, in", False, "A red barn"),
        ("A barn (red).", True, "A barn red."),
        ("", False, ""),
    ],
)
def test_a_sentence(answer: str, finished: bool, caption: str) -> None:
    assert clean(answer, "sentence", finished) == caption
