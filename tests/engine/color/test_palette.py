"""The language of palettes."""

import pytest

from vectrahub.engine.color.palette import PaletteRequest, Remap, parse_request
from vectrahub.engine.color.spaces import parse_hex
from vectrahub.engine.errors import BadInput


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", PaletteRequest()),
        (" ,;\n ", PaletteRequest()),
        ("#E30613", PaletteRequest(fixed=("#E30613",))),
        ("e30613", PaletteRequest(fixed=("#E30613",))),
        ("#abc", PaletteRequest(fixed=("#AABBCC",))),
        ("#E30613, #FFFFFF;#000\n#0f0", PaletteRequest(fixed=("#E30613", "#FFFFFF", "#000000", "#00FF00"))),
        ("#fff\r\n#000\r\n", PaletteRequest(fixed=("#FFFFFF", "#000000"))),
        ("#fff, #FFFFFF, fff", PaletteRequest(fixed=("#FFFFFF",))),
        ("#E30613 ~ 0.1", PaletteRequest(remaps=(Remap("#E30613", "#E30613", 0.1),))),
        ("#E30613~.1", PaletteRequest(remaps=(Remap("#E30613", "#E30613", 0.1),))),
        ("#FFF -> transparent ~ 0.2", PaletteRequest(remaps=(Remap("#FFFFFF", None, 0.2),))),
        ("#FFF->Transparent", PaletteRequest(remaps=(Remap("#FFFFFF", None, 0.05),))),
        ("#FFF -> #f0f0f0 ~ 0", PaletteRequest(remaps=(Remap("#FFFFFF", "#F0F0F0", 0.0),))),
        ("#123456, #FFF -> transparent", PaletteRequest(fixed=("#123456",), remaps=(Remap("#FFFFFF", None, 0.05),))),
    ],
)
def test_every_form(text, expected):
    assert parse_request(text) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("red", "'red'"),
        ("#12", "'#12'"),
        ("#12345", "'#12345'"),
        ("#GGGGGG", "'#GGGGGG'"),
        ("#FFF #000", "'#FFF #000'"),
        ("#FFF -> ", "'#FFF ->'"),
        ("-> #FFF", "'-> #FFF'"),
        ("#FFF -> blue", "'blue'"),
        ("#FFF ~ much", "'#FFF ~ much'"),
        ("#FFF ~ 1.5", "1.5"),
        ("#FFF ~ -0.1", "-0.1"),
        ("#FFF ~ nan", "nan"),
        ("transparent -> #FFF", "'transparent'"),
        ("#FFF -> #000 -> #111", "#111"),
    ],
)
def test_mistakes_name_the_entry_and_the_way_out(text, named):
    with pytest.raises(BadInput) as caught:
        parse_request(f"#123456, {text}")
    message = str(caught.value)
    assert named in message and "allowed" in message and message.endswith(".")


@pytest.mark.parametrize("count", [-1, 33])
def test_the_number_of_colours_has_limits(count):
    with pytest.raises(BadInput, match=rf"got {count}, allowed 0\.\.32"):
        parse_request("", count)


def test_at_most_32_fixed_colours():
    colors = [f"#{index:02X}0000" for index in range(33)]
    assert len(parse_request(",".join(colors[:32])).fixed) == 32
    with pytest.raises(BadInput, match="got 33, allowed at most 32"):
        parse_request(",".join(colors))


@pytest.mark.parametrize("text", ["#FFFFFFF", "##FFFFFF", "", "0xFFFFFF", "#FF FF FF", "#ÀÀÀ"])
def test_not_a_colour(text):
    with pytest.raises(BadInput, match="Not a colour"):
        parse_hex(text)
