"""Properties of the prompt of a logo, over every style and kind."""

import itertools
import re
from dataclasses import replace

import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.logo.prompt import MAX_INITIALS, MAX_NAME, TYPES, compose, enhance, initials_of
from vectrahub.engine.logo.styles import shipped_styles

STYLES = shipped_styles()
WISH = "A paper plane over a rising sun"
WORDLESS = ("icon", "mascot", "abstract")
LETTERED = ("wordmark", "lettermark", "combination", "emblem")
ALL = list(itertools.product(STYLES, TYPES))


def made(style: str = "minimal", logo_type: str = "auto", name: str = "", colors: str = "", wish: str = WISH) -> str:
    return enhance(wish, STYLES[style], logo_type, name, colors)


def test_the_kinds_are_all_here():
    assert set(TYPES) == {*WORDLESS, *LETTERED}


@pytest.mark.parametrize(("style", "kind"), ALL)
@pytest.mark.parametrize("wish", [WISH, "a fox.", "wow!!! ...", "two, three,", 'He said "go!"', "line\none\ttwo :"])
def test_every_prompt_is_sentences_with_one_mark_each(style: str, kind: str, wish: str):
    text = made(style, kind, "" if kind in WORDLESS else "Acme Inc.", "#0A84FF, warm orange.", wish)
    assert text == " ".join(text.split()) and text.endswith(".")
    assert not re.search(r"[.,;:!?]\s*[.,;:!?]", text.replace('Inc."', 'Inc"'))
    assert text.startswith(" ".join(wish.split()).rstrip(".,;:!? "))
    assert len(re.findall(r"plain, uniform [a-z ]+ background", text)) == 1


@pytest.mark.parametrize(("style", "kind"), ALL)
def test_lettering_and_no_text_exclude_each_other(style: str, kind: str):
    name = "Larkspur Coffee"
    text = made(style, kind, name).lower()
    forbids = "no text" in text
    assert forbids == (kind in WORDLESS)
    assert ("larkspur" in text) == (kind in ("wordmark", "combination", "emblem"))
    assert ('"lc"' in text) == (kind == "lettermark")
    if kind not in WORDLESS:
        assert not re.search(r"without (any )?(text|letter|word)|no (letters|words)\b|\bicon\b", text)


def test_the_seeds_phrases_are_the_default_style():
    text = made().lower()
    for meaning in (
        "professional logo",
        "clean",
        "minimalist vector",
        "bold, flat shapes",
        "palette is simple",
        "strong contrast",
        "no text",
        "plain, uniform white background",
        "modern",
        "very small",
        "corporate identity",
        "icon",
    ):
        assert meaning in text, meaning
    assert next(iter(STYLES)) == "minimal"


def test_auto_decides_by_the_name():
    assert compose(WISH, STYLES["minimal"]).logo_type == "icon"
    assert compose(WISH, STYLES["minimal"], business_name=' " ').logo_type == "icon"
    decided = compose(WISH, STYLES["minimal"], business_name="Acme")
    assert (decided.logo_type, decided.lettering) == ("combination", "Acme")


@pytest.mark.parametrize("kind", LETTERED)
def test_lettering_needs_a_name(kind: str):
    with pytest.raises(BadInput, match="business_name"):
        made(logo_type=kind)


def test_an_unknown_kind_lists_the_known():
    with pytest.raises(BadInput, match=r"sticker.*auto.*wordmark"):
        made(logo_type="sticker")


@pytest.mark.parametrize("length", [0, 1, 2, 501, 5000])
def test_a_prompt_of_the_wrong_length(length: int):
    with pytest.raises(BadInput, match=rf"got {length} characters, allowed 3 to 500 characters\. \S"):
        made(wish=f"  {'x' * length}\n")


def test_the_longest_and_shortest_prompts():
    assert made(wish=f" {'x' * 500} ").startswith("x" * 500 + ".")
    assert made(wish="fox").startswith("fox. ")
    with pytest.raises(BadInput, match="cannot be used"):
        made(wish="?!...")


def test_a_name_stays_in_its_quotes():
    for name in ['Joe\'s "Best"\nCoffee', '"Acme"', "\u201cAcme\u201d", "{name} {0} %s", "N" * MAX_NAME]:
        text = made("minimal", "wordmark", name)
        assert text.count('"') == 2 and "\n" not in text
    assert "{name} {0} %s" in made("minimal", "wordmark", "{name} {0} %s")
    with pytest.raises(BadInput, match="61 characters, allowed 60"):
        made(name="N" * 61)


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("IBM", "IBM"),
        ("acme", "A"),
        ("VectraHub", "VH"),
        ("ACME", "ACME"),
        ("Bank of Alaska", "BA"),
        ("The And", "TA"),
        ("Joe's Diner", "JD"),
        ("7 Eleven", "7E"),
        ("one two three four five", "OTTF"),
        ("\u00e9clair", "\u00c9"),
        ("\u00df x y z", "SSXY"),
    ],
)
def test_initials(name: str, initials: str):
    assert initials_of(name) == initials
    assert len(initials) <= MAX_INITIALS
    assert f'"{initials}"' in made("minimal", "lettermark", name)


def test_a_name_without_letters_gives_no_initials():
    with pytest.raises(BadInput, match="letters"):
        made(logo_type="lettermark", name="&!")
    assert '"&!"' in made(logo_type="wordmark", name="&!")


@pytest.mark.parametrize("style", STYLES)
def test_colours_replace_the_palette_of_the_style(style: str):
    plain, colored = made(style), made(style, colors="#0A84FF, warm orange")
    assert "dodger blue #0A84FF and warm orange" in colored
    assert STYLES[style].palette in plain and STYLES[style].palette not in colored


def test_equal_arguments_give_equal_text():
    given = ("line", "emblem", "Acme", "white on navy")
    assert made(*given) == made(*given)
    assert "uniform navy background" in made(*given)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("a fox", "a fox. It is"),
        ("a fox...", "a fox. It is"),
        ("a fox!!,", "a fox! It is"),
        ("Shall it bark?", "Shall it bark? It is"),
        ('He said "go!"', 'He said "go!" It is'),
        ('the sign "stop"', 'the sign "stop". It is'),
        ("v1.0, please;", "v1.0, please. It is"),
    ],
)
def test_the_persons_words_end_as_they_meant(wish: str, said: str):
    assert made(wish=wish).startswith(said)


@pytest.mark.parametrize("name", ["Fox (Berlin)", "((Acme:1.9)) (x", "a\\(b\\)", "):("])
def test_brackets_are_emphasis_only_in_the_persons_own_words(name: str):
    """Read the way that ComfyUI documents: a bracket without a backslash before it opens or closes emphasis."""
    style = replace(STYLES["minimal"], phrases=("It is round (nearly).",))
    composed = compose("a (red:1.4) fox", style, "wordmark", name, "#0A84FF")
    assert composed.prompt.startswith("a (red:1.4) fox. ")
    rest = composed.prompt.removeprefix("a (red:1.4) fox. ")
    assert not re.search(r"(?<!\\)[()]", rest)
    assert re.sub(r"\\([()])", r"\1", rest) == composed.text.removeprefix("a (red:1.4) fox. ")
    assert f'"{name}"' in composed.text and "(nearly)." in composed.text


def test_a_name_is_not_taken_for_an_embedding():
    composed = compose(WISH, STYLES["minimal"], "wordmark", "Acme embedding:x")
    assert not re.search(r"\sembedding:", composed.prompt) and "Acme embedding:x" in composed.text


@pytest.mark.parametrize("hidden", ["\0", "\x1b", "\u202e", "\u200b", "\ufeff", "\ud800"])
def test_what_cannot_be_seen_is_dropped(hidden: str):
    style = replace(STYLES["minimal"], phrases=(f"It is{hidden} round.", hidden))
    composed = compose(f"a{hidden} fox", style, "wordmark", f"Ac{hidden}me", f"re{hidden}d")
    assert hidden not in composed.text + composed.prompt
    plain = replace(style, phrases=("It is round.",))
    assert composed.text == compose("a fox", plain, "wordmark", "Acme", "red").text
    with pytest.raises(BadInput, match="got 2 characters"):
        made(wish=f"fo{hidden * 5}")


def test_joiners_stay_within_words_and_are_no_name():
    family = "\U0001f468\u200d\U0001f469"
    assert family in made(wish=f"a {family}") and '"\u0645\u06cc\u200c\u062e"' in made(name="\u0645\u06cc\u200c\u062e")
    assert compose(WISH, STYLES["minimal"], business_name="\u200d ").lettering == ""


def test_letters_and_accents_apart_are_put_together():
    assert compose(WISH, STYLES["minimal"], "lettermark", "e\u0301clair").lettering == "\u00c9"
    assert compose(WISH, STYLES["minimal"], "wordmark", "cafe\u0301").lettering == "caf\u00e9"


def test_a_prompt_of_emoji_only_is_told_what_it_lacks():
    with pytest.raises(BadInput, match=r"without words, allowed 3 to 500 characters, with words in it"):
        made(wish="\U0001f98a" * 5)
