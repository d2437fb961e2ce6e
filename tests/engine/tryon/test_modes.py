"""The modes' files are those of the catalogue, so that the command in an error fetches what was missing."""

from __future__ import annotations

import pytest

from vectrahub.engine.tryon.modes import MODES, TEXT_ENCODER, VAE, Weights
from vectrahub.installer.catalogue import read_catalogue

FILES = {TEXT_ENCODER, VAE, *(mode.model for mode in MODES.values()), *(m.lora for m in MODES.values() if m.lora)}


@pytest.mark.parametrize("weights", sorted(FILES, key=lambda one: one.key), ids=lambda one: one.key)
def test_a_file_is_in_the_catalogue_as_it_is_told(weights: Weights) -> None:
    entry = read_catalogue()[weights.key]
    assert (entry.folder, entry.files[0].name) == (weights.folder, weights.file)
    assert weights.about == f"{entry.size / 1e9:.1f} GB, {entry.licence}"


def test_no_mode_puts_the_lora_on_8_bit_weights() -> None:
    assert [name for name, mode in MODES.items() if mode.lora] == ["lora"]
    assert "fp8" not in MODES["lora"].model.file


def test_only_the_distilled_modes_are_quick_and_need_no_negative() -> None:
    assert {name: (mode.steps, mode.cfg) for name, mode in MODES.items()} == {
        "fp8": (4, 1.0),
        "lora": (4, 1.0),
        "base": (40, 4.0),
    }
