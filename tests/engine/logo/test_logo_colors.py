"""Colours of a logo: names near their codes, and a ground that none of them is lost on."""

import numpy as np
import pytest
from PIL import ImageColor

from vectrahub.engine.color.spaces import hex_to_rgb, srgb_to_lab
from vectrahub.engine.errors import BadInput
from vectrahub.engine.logo.colors import MAX_COLORS, _named_colors, nearest_name, read_colors


def lab(code: str) -> np.ndarray:
    return srgb_to_lab(hex_to_rgb((code,)))[0]


def css(name: str) -> str:
    return f"#{bytes(ImageColor.getrgb(name)[:3]).hex().upper()}"


def test_names_are_found_whether_or_not_somebody_has_asked_pillow_for_them():
    """Pillow's map of names changes when it is used: in a host that is everybody's."""
    before = nearest_name("#0A84FF")
    for name in list(ImageColor.colormap):
        ImageColor.getrgb(name)
    _named_colors.cache_clear()
    assert nearest_name("#0A84FF") == before
    assert read_colors("white, navy").ground not in ("white", "navy")


def test_a_named_colour_keeps_its_name_in_words():
    for name, words in (
        ("dodgerblue", "dodger blue"),
        ("mediumspringgreen", "medium spring green"),
        ("lightgoldenrodyellow", "light goldenrod yellow"),
        ("white", "white"),
        ("darkolivegreen", "dark olive green"),
    ):
        assert nearest_name(css(name)) == words


def test_every_name_is_one_of_css_and_the_nearest_of_those_in_use():
    codes = [f"#{value:02X}{(value * 7) % 256:02X}{(value * 31) % 256:02X}" for value in range(0, 256, 3)]
    names = {nearest_name(code) for code in [*codes, *map(css, ImageColor.colormap)]}
    known = {name: css(name.replace(" ", "")) for name in names}  # KeyError: not one of CSS
    for code in codes:
        distances = {name: float(np.linalg.norm(lab(code) - lab(other))) for name, other in known.items()}
        assert distances[nearest_name(code)] == min(distances.values())


@pytest.mark.parametrize("thing", ["papayawhip", "tomato", "snow", "navajowhite", "chocolate", "rebeccapurple"])
def test_names_that_a_model_would_draw_are_avoided(thing: str):
    assert nearest_name(css(thing)).replace(" ", "") != thing


@pytest.mark.parametrize(
    ("text", "colors"),
    [
        ("", ()),
        (" , ;\n", ()),
        ("#0A84FF, warm orange", ("dodger blue #0A84FF", "warm orange")),
        ("#fff;#000", ("white #FFFFFF", "black #000000")),
        ("0A84FF", ("dodger blue #0A84FF",)),
        ("deep #0A84FF", ("deep dodger blue #0A84FF",)),
        ('"red" and blue. ', ("red", "blue")),
        ("red, red", ("red",)),
        ("facade", ("facade",)),
        ("sandy brown & navy", ("sandy brown", "navy")),
        ("transparent background, red", ("red",)),
    ],
)
def test_words_and_codes(text: str, colors: tuple[str, ...]):
    assert read_colors(text).colors == colors


@pytest.mark.parametrize("text", ["#12", "red, #12345", "#GGGGGG", "#", "rgb(1,2,3)", "12345", "a" * 61, "#0A84FF80"])
def test_what_is_no_colour_is_refused(text: str):
    with pytest.raises(BadInput, match=r"got .+, allowed .+\. \S"):
        read_colors(text)


def test_too_many_colours():
    names = ["red", "green", "blue", "gold", "pink", "teal", "navy", "olive", "black"]
    assert len(read_colors(", ".join(names[:MAX_COLORS])).colors) == MAX_COLORS
    with pytest.raises(BadInput, match="got 9, allowed 8"):
        read_colors(", ".join(names))


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("", "white"),
        ("red, #000", "white"),
        ("white, gold", "black"),
        ("pure white", "black"),
        ("ivory, navy", "black"),
        ("#FDFDFD and black", "medium gray"),
        ("white, black, grey", "bright green"),
        ("white on navy", "navy"),
        ("gold on a deep green", "deep green"),
        ("gold, black background", "black"),
        ("white, transparent background", "black"),
        ("red, #0A84FF background", "dodger blue #0A84FF"),
        ("salmon orange", "white"),
    ],
)
def test_the_ground_is_white_unless_the_colours_say_otherwise(text: str, ground: str):
    assert read_colors(text).ground == ground
