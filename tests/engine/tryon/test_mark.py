"""The green mark and the words that explain it."""

from __future__ import annotations

import numpy as np

from vectrahub.engine.tryon.mark import GREEN, marked
from vectrahub.engine.tryon.words import MASK_PROMPT, PROMPT, told

PERSON = np.full((640, 480, 3), 0.5, np.float32)


def test_without_a_mark_it_is_the_person_itself() -> None:
    for mask in (None, np.zeros((64, 64), np.float32), np.full((640, 480), 0.49, np.float32)):
        assert marked(PERSON, mask) is PERSON


def test_more_than_half_is_marked_and_a_mark_too_small_to_be_seen_is_none() -> None:
    assert (marked(PERSON, np.full((640, 480), 0.51, np.float32)) == GREEN).all()
    dot = np.zeros((6400, 4800), np.float32)
    dot[3201, 2401] = 1
    assert marked(PERSON, dot) is PERSON


def test_a_mask_is_averaged_when_it_shrinks() -> None:
    stripes = np.zeros((2560, 1920), np.float32)
    stripes[::4] = stripes[1::4] = stripes[2::4] = 1
    assert (marked(PERSON, stripes) == GREEN).all()
    assert marked(PERSON, 1 - stripes) is PERSON


def test_the_mark_is_green_and_only_where_it_is() -> None:
    mask = np.zeros((640, 480), np.float32)
    mask[100:200, 50:150] = 1
    green = marked(PERSON, mask)
    assert (green[100:200, 50:150] == GREEN).all()
    assert ((green == GREEN).all(axis=-1)).sum() == 100 * 100
    assert (PERSON == 0.5).all()


def test_a_mask_of_the_picture_before_it_was_framed_lands_where_it_was_drawn() -> None:
    mask = np.zeros((2068, 1332), np.float32)  # four times a person of 517 x 333, whose frame has margins
    mask[1034:, :] = 1
    green = (marked(np.full((1104, 720, 3), 0.5, np.float32), mask) == GREEN).all(axis=-1)
    assert green[552:, 10:-10].all() and not green[:552].any()
    assert not green[:, :4].any() and not green[:, -5:].any()


def test_the_mark_is_explained_only_where_there_is_one() -> None:
    assert told(PROMPT, MASK_PROMPT, is_marked=False) == PROMPT
    assert told(PROMPT, MASK_PROMPT, is_marked=True) == f"{MASK_PROMPT} {PROMPT}"
    assert told(" a ", "", is_marked=True) == "a"
    assert "green" not in PROMPT and "green" in MASK_PROMPT
    assert all(name in PROMPT for name in ("Picture 1", "Picture 2"))
