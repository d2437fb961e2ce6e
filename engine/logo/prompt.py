"""What a person wants of a logo, as the prompt of an image model that reads sentences (FLUX.1)."""

import re
import unicodedata
from dataclasses import dataclass

from ..errors import BadInput
from .colors import read_colors
from .styles import Style

MIN_PROMPT, MAX_PROMPT = 3, 500  # characters
MAX_NAME = 60  # characters
MAX_INITIALS = 4

AUTO = "auto"
# {name} and {initials} are filled in; what has neither is drawn without lettering.
TYPES = {
    "icon": "It is an icon: a single symbol with a clear silhouette that is recognized at once, even very small.",
    "wordmark": (
        'It is a wordmark: the name "{name}", spelled exactly like this, is the whole logo, in distinctive lettering '
        "made for it, with even spacing and no separate symbol."
    ),
    "lettermark": (
        'It is a lettermark: the letters "{initials}", and no other letters, joined into one compact monogram with a '
        "shape of its own."
    ),
    "combination": (
        'It is a combination mark: one symbol, and below it the name "{name}", spelled exactly like this, in clear '
        "lettering of the same visual weight."
    ),
    "emblem": (
        'It is an emblem: one symbol and the name "{name}", spelled exactly like this, locked together within a single '
        "closed shape, such as a badge or a shield."
    ),
    "mascot": (
        "It is a mascot logo: one character with a friendly, confident expression, simplified to bold shapes with a "
        "strong silhouette."
    ),
    "abstract": (
        "It is an abstract mark: the idea is turned into one simple, balanced form that depicts nothing literally."
    ),
}

_WORDLESS = "It has no text: no letters, no words, no numbers and no watermark."
_LETTERED = "There is no other text and no watermark."
_GROUND = (
    "The whole logo is centered with an even margin on one plain, uniform {color} background that fills the picture, "
    "without shadow, texture, scenery or mockup."
)
_JOINERS = "\u200c\u200d"
_SMALL_WORDS = {"a", "an", "and", "the", "of", "for", "in", "de", "la", "und", "der", "die", "das", "et"}


@dataclass(frozen=True)
class Composed:
    """The prompt and what was decided for it.

    text: for people. prompt: the same for ComfyUI's text encoders, where round brackets are emphasis: the person's
    own words as they are, so that (red:1.4) works there as everywhere; brackets in all that follows mean themselves.
    logo_type: never "auto". lettering: the text that the logo shows, "" for none. colors, ground: as said in the text.
    """

    text: str
    prompt: str
    style: str
    logo_type: str
    lettering: str
    colors: tuple[str, ...]
    ground: str


def enhance(prompt: str, style: Style, logo_type: str = AUTO, business_name: str = "", colors: str = "") -> str:
    """The prompt of `compose`."""
    return compose(prompt, style, logo_type, business_name, colors).prompt


def compose(prompt: str, style: Style, logo_type: str = AUTO, business_name: str = "", colors: str = "") -> Composed:
    """The person's words, then sentences: kind of logo, style, colours, lettering or none, plain ground.

    `logo_type`: one of TYPES, or "auto": combination with a name, icon without. Icon, mascot and abstract never have
    lettering. Equal arguments give equal text. Raises BadInput for a prompt of fewer than MIN_PROMPT or more than
    MAX_PROMPT characters, a name of more than MAX_NAME, a kind that needs a name without one, or colours that
    read_colors refuses.
    """
    wish = _checked(prompt)
    name = _clean_name(business_name)
    kind = _decided(logo_type, name)
    initials = initials_of(name) if kind == "lettermark" else ""
    lettering = {"lettermark": initials, "icon": "", "mascot": "", "abstract": ""}.get(kind, name)
    wanted = read_colors(_visible(colors))
    described = [
        wish,
        TYPES[kind].format(name=name, initials=initials),
        *style.phrases,
        *(() if lettering else style.wordless),
        _colored(wanted.colors) if wanted.colors else style.palette,
        _LETTERED if lettering else _WORDLESS,
        _GROUND.format(color=wanted.ground),
    ]
    sentences = [said for said in map(_sentence, described) if said]
    text = " ".join(sentences)
    prompt = " ".join([sentences[0], *map(_literal, sentences[1:])])
    return Composed(text, prompt, style.name, kind, lettering, wanted.colors, wanted.ground)


def _checked(prompt: str) -> str:
    wish = _visible(prompt).strip()
    limit, remedy = f"{MIN_PROMPT} to {MAX_PROMPT} characters", "Say in a sentence or two what the logo shows."
    if not MIN_PROMPT <= len(wish) <= MAX_PROMPT:
        raise BadInput("The prompt cannot be used", value=f"{len(wish)} characters", limit=limit, remedy=remedy)
    if not re.search(r"\w", wish):
        limit += ", with words in it"
        raise BadInput("The prompt cannot be used", value=f"{wish[:40]!r} without words", limit=limit, remedy=remedy)
    return wish


def _visible(text: str) -> str:
    """Without control and format characters (NUL, reversed writing) and halves of characters; spaces stay, and the
    two joiners that emoji and several scripts are spelled with."""
    return "".join(
        char
        for char in text
        if char.isspace() or char in _JOINERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
    )


def _literal(sentence: str) -> str:
    """Read as it stands by ComfyUI's text encoders: neither emphasis nor, after a space, the name of an embedding."""
    return re.sub(r"([()])", r"\\\1", sentence).replace(" embedding:", " embedding :")


def _clean_name(business_name: str) -> str:
    """On one line, each letter with its accent one character, without the double quotes that would end it early."""
    plain = re.sub("[\u201c\u201d\u201e\u00ab\u00bb]", '"', unicodedata.normalize("NFC", _visible(business_name)))
    name = " ".join(plain.split()).strip(f'" {_JOINERS}').replace('"', "'")
    if len(name) > MAX_NAME:
        raise BadInput(
            "The business name is too long",
            value=f"{len(name)} characters",
            limit=f"{MAX_NAME} characters",
            remedy="Give the name only; put the rest into the prompt.",
        )
    return name


def _decided(logo_type: str, name: str) -> str:
    if logo_type == AUTO:
        return "combination" if name else "icon"
    if logo_type not in TYPES:
        limit = ", ".join((AUTO, *TYPES))
        raise BadInput("Unknown kind of logo", value=repr(logo_type), limit=limit, remedy="Choose one of these.")
    if "{" in TYPES[logo_type] and not name:
        raise BadInput(
            f"A {logo_type} shows the business name",
            value="no name",
            limit=f"1 to {MAX_NAME} characters",
            remedy="Fill in business_name, or choose icon, mascot or abstract.",
        )
    return logo_type


def initials_of(name: str) -> str:
    """'Bank of Alaska' -> 'BA', 'VectraHub' -> 'VH', 'IBM' -> 'IBM': at most MAX_INITIALS capitals or digits.

    Raises BadInput for a name without letters or digits.
    """
    words = re.findall("[^\\W_](?:[^\\W_]|['\u2019])*", name)
    if not words:
        raise BadInput(
            "A lettermark needs letters",
            value=repr(name),
            limit="a name with letters or digits",
            remedy="Change business_name, or choose another kind of logo.",
        )
    if len(words) > 1:
        words = [word for word in words if word.lower() not in _SMALL_WORDS] or words
        letters = "".join(word[0] for word in words)
    elif len(name) <= MAX_INITIALS and words[0].isupper():
        letters = words[0]
    else:
        capitals = re.sub(r"[^A-Z]", "", words[0])
        letters = capitals if 1 < len(capitals) < len(words[0]) else words[0][0]
    return letters.upper()[:MAX_INITIALS]


def _colored(colors: tuple[str, ...]) -> str:
    listed = colors[0] if len(colors) == 1 else f"{', '.join(colors[:-1])} and {colors[-1]}"
    return f"The logo itself is drawn only in {listed}."


def _sentence(text: str) -> str:
    """On one line, ended by exactly one mark, whatever it ended with; "" if there is nothing else."""
    words = " ".join(_visible(text).split())
    body = re.sub(r"[\s.,;:!?\u2026]+$", "", words)
    ending = next((mark for mark in words[len(body) :] if mark in ".!?"), ".")
    closed = re.search(r"[.!?][\"')\]\u201d]$", body)  # He said "go!" has ended already
    return body if closed or not body else body + ending
