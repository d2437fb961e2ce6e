"""What `auto` means, with and without weights, on a GPU of any size and without one."""

from __future__ import annotations

import pytest

from vectrahub.engine.networks.omnisvg.choice import choose_omnisvg

GB = 10**9
BOTH = {"omnisvg-4b": 8 * GB, "omnisvg-8b": 17 * GB}
SMALL = {"small": 1 * GB, "smaller": GB // 2}
ALIKE = {"b": GB, "a": GB, "c": GB}

# On a GPU the weights need a tenth more than they have, and writing needs 1 GB.
ROOM_4B, ROOM_8B = 8_800_000_000 + GB, 18_700_000_000 + GB


@pytest.mark.parametrize("room", [None, 1, 80 * GB])
@pytest.mark.parametrize("sizes", [{}, BOTH])
def test_a_name_is_taken_as_it_is(sizes: dict[str, int], room: int | None) -> None:
    assert choose_omnisvg("omnisvg-8b", sizes, room).name == "omnisvg-8b"


@pytest.mark.parametrize(
    ("sizes", "room", "chosen"),
    [
        (BOTH, 80 * GB, "omnisvg-8b"),
        (BOTH, ROOM_8B + 1, "omnisvg-8b"),
        (BOTH, ROOM_8B - 1, "omnisvg-4b"),
        (BOTH, ROOM_4B + 1, "omnisvg-4b"),
        (BOTH, ROOM_4B - 1, None),
        (BOTH | SMALL, ROOM_4B - 1, "small"),
        (SMALL, 80 * GB, "small"),
        (ALIKE, 80 * GB, "a"),
        ({}, 80 * GB, None),
        (BOTH, None, None),
        (BOTH | SMALL, None, "small"),
        (BOTH | {"most": 2 * GB, "more": 2 * GB + 1}, None, "most"),
        (ALIKE, None, "a"),
        ({}, None, None),
    ],
)
def test_auto(sizes: dict[str, int], room: int | None, chosen: str | None) -> None:
    choice = choose_omnisvg("auto", sizes, room)
    assert choice.name == chosen
    assert choice == choose_omnisvg("auto", dict(reversed(sizes.items())), room)
    assert choice.reason.startswith("auto: ")


def test_the_reason_says_what_is_missing() -> None:
    assert "no OmniSVG in models/omnisvg" in choose_omnisvg("auto", {}, 80 * GB).reason
    assert "no OmniSVG in models/omnisvg" in choose_omnisvg("auto", {}, None).reason
    no_gpu = choose_omnisvg("auto", BOTH, None).reason
    assert "no GPU" in no_gpu and "omnisvg-4b (8.0 GB)" in no_gpu
    too_small = choose_omnisvg("auto", BOTH, 6 * GB).reason
    assert "omnisvg-4b (8.0 GB)" in too_small and "6.0 GB" in too_small
    assert "no GPU" not in too_small
