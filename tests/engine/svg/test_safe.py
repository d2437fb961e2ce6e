"""What strangers put into SVG files never comes out of the sanitiser."""

import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.svg import safe
from vectrahub.engine.svg.safe import parse_svg, read_svg, safe_bytes, serialize

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 10 10"{}>{}</svg>'
)


def clean(body: str, attributes: str = "") -> str:
    return serialize(parse_svg(SVG.format(attributes, body).encode())).decode()


@pytest.mark.parametrize(
    "body",
    [
        "<script>evil()</script>",
        "<foreignObject><div xmlns='http://www.w3.org/1999/xhtml'>evil</div></foreignObject>",
        "<image href='file:///evil.png' width='5' height='5'/>",
        "<image xlink:href='https://evil.example/x.png' width='5' height='5'/>",
        "<path d='M0 0h1v1z' onload='evil()'/>",
        "<path d='M0 0h1v1z' fill='url(https://evil.example/#a)'/>",
        "<path d='M0 0h1v1z' fill='u\\72l(https://evil.example)'/>",
        "<path d='M0 0h1v1z' style='fill:url(//evil.example/a#b)'/>",
        "<path d='M0 0h1v1z' fill='image-set(url(evil.png))'/>",
        "<style>@import 'https://evil.example/a.css'; path{fill:url(evil.svg#a)}</style><path d='M0 0h1v1z'/>",
        "<use href='https://evil.example/a.svg#b'/>",
        "<a href='javascript:evil()'><path d='M0 0h1v1z'/></a>",
        "<set attributeName='href' to='javascript:evil()'/>",
        "<linearGradient id='g' href='file:///evil'/>",
        "<text>evil</text>",
        "<desc>evil</desc><metadata>evil</metadata><title>evil</title>",
        "<filter id='f'><feImage href='evil.png'/></filter>",
        "<!-- evil --><?evil evil?>",
        "<svg><script>evil</script></svg>",
        "<h:script xmlns:h='http://www.w3.org/1999/xhtml'>evil()</h:script>",
    ],
)
def test_nothing_evil_survives(body: str) -> None:
    assert "evil" not in clean(body)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg",
        b"not xml",
        b"\x00\x01\xff",
        b"<html/>",
        b'<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><svg xmlns="http://www.w3.org/2000/svg">&b;</svg>',
        b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&x;</svg>',
        b'<svg xmlns="http://www.w3.org/2000/svg">' + b"<g>" * 500 + b"</g>" * 500 + b"</svg>",
        b'<svg xmlns="http://www.w3.org/2000/svg">' + b"<g/>" * (safe.MAX_NODES + 1) + b"</svg>",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="1e9" height="1e9"/>',
        b'<svg xmlns="http://www.w3.org/2000/svg" width="0" height="5"/>',
        b'<svg xmlns="http://www.w3.org/2000/svg" width="-4" height="5"/>',
    ],
    ids=["empty", "cut", "text", "binary", "html", "bomb", "external", "deep", "nodes", "huge", "zero", "negative"],
)
def test_bad_files_are_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        parse_svg(data)


def test_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe, "MAX_BYTES", 10)
    with pytest.raises(BadInput, match="too large"):
        parse_svg(SVG.format("", "").encode())


def test_use_bomb_is_refused() -> None:
    uses = [f"<use href='#l{n}'/>" * 10 for n in range(8)]
    levels = "".join(f"<g id='l{n + 1}'>{use}</g>" for n, use in enumerate(uses))
    with pytest.raises(BadInput, match="use"):
        clean(f"<path id='l0' d='M0 0h1'/>{levels}")
    with pytest.raises(BadInput, match="use"):
        clean("<g id='a'><use href='#a'/></g>")


def test_masks_cannot_be_chained() -> None:
    text = clean("<mask id='a'><path d='M0 0h1' mask='url(#b)'/></mask><path d='M0 0h1v1z' mask='url(#a)'/>")
    assert text.count("url(#a)") == 1 and "url(#b)" not in text


def test_looks_survive() -> None:
    text = clean(
        "<style>.a,.b{fill:#f00} path.b{fill:blue} #c{fill:lime !important}</style>"
        "<path class='a' d='M0 0h1'/><path class='b' d='M0 0h1'/><path id='c' class='b' d='M0 0h1'/>"
        "<path class='a' style='fill: url(#g); stroke:red' d='M0 0h1'/>"
    )
    assert [part.split('"')[0] for part in text.split('fill="')[1:]] == ["#f00", "blue", "lime", "url(#g)"]
    assert 'stroke="red"' in text


def test_use_becomes_a_copy() -> None:
    text = clean("<defs><path id='p' d='M0 0h1v1z'/></defs><use href='#p' x='3' fill='red'/>")
    assert 'fill="red" transform="translate(3,0)"' in text and text.count("<path") == 2


def test_removed_is_counted() -> None:
    removed = read_svg(SVG.format("", "<text>a</text><text>b</text><image/>").encode()).removed
    assert removed == {"text": 2, "image": 1}


def test_safe_bytes_keeps_clean_files_and_cleans_others() -> None:
    good = b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4">\n<path d="M0 0h1v1z"/>\n</svg>\n'
    assert safe_bytes(good) == good
    assert b"xml-stylesheet" not in safe_bytes(b'<?xml-stylesheet href="a.css"?>' + good)
