"""From an answer to a caption: one line, ready to be part of a prompt."""

import re

from .prompts import MAX_WORDS, Style

# Marks of Markdown and of prompts: round brackets and backslashes would be weights and escapes to CLIP's tokenizer.
_MARKS = re.compile(r"[*_`#<>~\\()\[\]{}|\ufffd]+")
_BULLET = re.compile(r"^\s*(?:[-+\u2022]|\d+[.)])\s+")
_LABEL = re.compile(r"^\s*(?:keywords?|captions?|tags?|prompts?|description)\s*:\s*", re.IGNORECASE)
_EDGE = " \t.,;:!?\"'\u201c\u201d\u2018\u2019-"
_LOOSE = re.compile(r" (?=[.,;:!?])")  # a space that a mark left before a stop
_SENTENCE = re.compile(r".*[.!?](?=\s|$|[\"'\u201d\u2019])[\"'\u201d\u2019]?", re.DOTALL)


def clean(answer: str, style: Style, finished: bool = True) -> str:
    """One line without Markdown, brackets and the words that announce a caption.

    keywords: separated by ", ", none twice (whatever their case), 60 words at most. sentence: as it was said.
    finished: whether the answer came to its own end. If not, what it broke off in is cut: the last keyword, or what
    follows the last sentence; of a single one, its last word.
    """
    lines = [_BULLET.sub("", line) for line in answer.splitlines()]
    lines = [_LABEL.sub("", _MARKS.sub(" ", line)) for line in lines]
    return _keywords(lines, finished) if style == "keywords" else _sentence(" ".join(lines), finished)


def _keywords(lines: list[str], finished: bool) -> str:
    parts = [part for line in lines for part in re.split(r"[,;\u3001\uff0c]|\.\s", line)]
    words = [" ".join(part.split()).strip(_EDGE) for part in parts]
    if not finished:
        # An answer that broke off right after a separator has an empty last part: nothing was broken.
        words = words[:-1] or [_without_last_word(words[-1])] if words else []
    kept: dict[str, str] = {}
    count = 0
    for word in filter(None, words):
        if word.casefold() in kept:
            continue
        count += len(word.split())
        if count > MAX_WORDS and kept:
            break
        kept[word.casefold()] = word
    return ", ".join(kept.values())


def _sentence(text: str, finished: bool) -> str:
    line = _LOOSE.sub("", " ".join(text.split())).strip(" \"'\u201c\u201d")
    if finished:
        return line
    whole = _SENTENCE.match(line)
    return whole.group().strip() if whole else _without_last_word(line).rstrip(_EDGE)


def _without_last_word(text: str) -> str:
    """Of a single word nothing is cut: half a word says more than none."""
    return text.rpartition(" ")[0] or text
