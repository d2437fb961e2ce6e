"""The automaton: every stream that it lets through is a whole drawing, and every drawing is let through."""

from __future__ import annotations

import random
import re

import pytest
import torch

from vectrahub.engine.networks.omnisvg.drawing import ARGUMENTS
from vectrahub.engine.networks.omnisvg.grammar import _ARGUMENTS, Grammar
from vectrahub.engine.networks.omnisvg.vocabulary import BASES, ENDS, Vocabulary

CPU = torch.device("cpu")
SHORTEST = 6  # tokens of the shortest drawing: M p p L p colour

# The language, written down a second time: one letter per token, P a point, f a flag, s another scalar, # a colour.
SUBPATH = "M PP (?:L P|C PPP|A P[fs]ffP)+ (?:Z P)?".replace(" ", "")
DRAWING = re.compile(f"E?(?:(?:{SUBPATH})+#)+E?")


def spelled(tokens: list[int], vocabulary: Vocabulary) -> str:
    letters = {"point": "P", "color": "#", "end": "E", "other": "?"}
    text = ""
    for token in tokens:
        kind, value = vocabulary.read(token)
        text += (
            "MLCAZ"[value] if kind == "command" else ("f" if value < 2 else "s") if kind == "scalar" else letters[kind]
        )
    return text


def closes_at_its_start(tokens: list[int], text: str) -> bool:
    start = -1
    for place, letter in enumerate(text):
        if letter == "M":
            start = tokens[place + 2]
        if letter == "Z" and tokens[place + 1] != start:
            return False
    return True


class Walk:
    """One stream, token by token."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.state, self.start = grammar.begin(1)

    def mask(self, left: int) -> torch.Tensor:
        return self.grammar.bars(self.state, self.start, torch.tensor([left]))[0] == 0

    def allowed(self) -> set[int]:
        return set(self.grammar.ids[self.mask(99)].tolist())

    def may(self, token: int, left: int) -> bool:
        return bool((self.mask(left) & (self.grammar.ids == token)).any())

    def say(self, token: int) -> None:
        row = (self.grammar.ids == token).nonzero()[0]
        self.state, self.start = self.grammar.advance(self.state, self.start, row)


@pytest.fixture(scope="module", params=BASES)
def vocabulary(request: pytest.FixtureRequest) -> Vocabulary:
    return Vocabulary(request.param)


@pytest.fixture(scope="module")
def grammar(vocabulary: Vocabulary) -> Grammar:
    return Grammar.of(vocabulary, CPU)


def test_it_asks_for_the_words_that_a_drawing_reads() -> None:
    assert {letter: len(states) for letter, states in _ARGUMENTS.items()} == {
        letter: len(words) for letter, words in ARGUMENTS.items()
    }


@pytest.mark.parametrize("budget", [SHORTEST, SHORTEST + 1, 13, 30])
def test_random_walks_are_whole_drawings(grammar: Grammar, vocabulary: Vocabulary, budget: int) -> None:
    """Each kind about as likely as another, so that rare tokens are tried too."""
    torch.manual_seed(budget)
    state, start = grammar.begin(60)
    letters = "MLCAZPfs#E?"
    kinds = torch.tensor([letters.index(spelled([token], vocabulary)) for token in grammar.ids.tolist()])
    rarity = 1 / kinds.bincount(minlength=len(letters)).float()[kinds]
    said = []
    for left in range(budget, 0, -1):
        mask = grammar.bars(state, start, torch.tensor([left])) == 0
        assert mask.any(dim=1).all()
        row = torch.multinomial(mask * rarity, 1)[:, 0]
        state, start = grammar.advance(state, start, row)
        said.append(grammar.ids[row])
    for stream in torch.stack(said, dim=1).tolist():
        ends = [place for place, token in enumerate(stream) if token in ENDS and place > 0]
        tokens = stream[: ends[0] + 1] if ends else stream
        text = spelled(tokens, vocabulary)
        assert DRAWING.fullmatch(text), text
        assert closes_at_its_start(tokens, text)
        assert all(token in ENDS for token in stream[len(tokens) :])


def random_drawing(vocabulary: Vocabulary, chance: random.Random) -> list[int]:
    def point() -> int:
        return vocabulary.point(chance.randrange(200), chance.randrange(200))

    def segment() -> list[int]:
        letter = chance.choice("LCA")
        head = [vocabulary.command(letter), point()]
        if letter == "C":
            return [*head, point(), point()]
        if letter == "A":
            return [*head, *(vocabulary.scalar(chance.randrange(n)) for n in (100, 2, 2)), point()]
        return head

    tokens: list[int] = []
    for _ in range(chance.randrange(1, 4)):
        for _ in range(chance.randrange(1, 3)):
            start = point()
            tokens += [vocabulary.command("M"), point(), start]
            for _ in range(chance.randrange(1, 5)):
                tokens += segment()
            if chance.random() < 0.7:
                tokens += [vocabulary.command("Z"), start]
        shades = (chance.randrange(16) for _ in range(3))
        tokens.append(chance.choice([vocabulary.no_color, vocabulary.current_color, vocabulary.color(*shades)]))
    return [*tokens, chance.choice(ENDS)]


def test_every_drawing_may_be_said(grammar: Grammar, vocabulary: Vocabulary) -> None:
    chance = random.Random(5)
    for _ in range(60):
        walk, tokens = Walk(grammar), chance.choice([[], [ENDS[0]], [ENDS[1]]]) + random_drawing(vocabulary, chance)
        for place, token in enumerate(tokens):
            assert walk.may(token, len(tokens) - place), spelled(tokens[: place + 1], vocabulary)
            walk.say(token)
        assert grammar.ended(walk.state).all()


@pytest.mark.parametrize(
    ("said", "next_tokens"),
    [
        ("", "EM"),
        ("E", "M"),
        ("M", "P"),
        ("MP", "P"),
        ("MPP", "ACL"),
        ("MPPL", "P"),
        ("MPPLP", "#ACLMZ"),
        ("MPPCPP", "P"),
        ("MPPA", "P"),
        ("MPPAP", "fs"),
        ("MPPAPs", "f"),
        ("MPPAPsf", "f"),
        ("MPPAPsff", "P"),
        ("MPPLPZ", "P"),
        ("MPPLPZP", "#M"),
        ("MPPLP#", "EM"),
        ("MPPLP#E", "E"),
    ],
)
def test_what_may_follow(grammar: Grammar, vocabulary: Vocabulary, said: str, next_tokens: str) -> None:
    ids = {letter: vocabulary.command(letter) for letter in "MLCAZ"}
    ids |= {"P": vocabulary.point(7, 9), "f": vocabulary.scalar(1), "s": vocabulary.scalar(45)}
    ids |= {"#": vocabulary.color(15, 0, 8), "E": ENDS[1]}
    walk = Walk(grammar)
    for letter in said:
        walk.say(ids[letter])
    assert set(spelled(list(walk.allowed()), vocabulary)) == set(next_tokens)


def test_a_path_closes_where_it_began(grammar: Grammar, vocabulary: Vocabulary) -> None:
    walk = Walk(grammar)
    start, other = vocabulary.point(3, 4), vocabulary.point(100, 50)
    for token in [vocabulary.command("M"), other, start, vocabulary.command("L"), other, vocabulary.command("Z")]:
        walk.say(token)
    assert walk.allowed() == {start}


def test_all_of_a_class_is_allowed(grammar: Grammar, vocabulary: Vocabulary) -> None:
    walk = Walk(grammar)
    walk.say(vocabulary.command("M"))
    assert walk.allowed() == {vocabulary.point(x, y) for x in range(200) for y in range(200)}
