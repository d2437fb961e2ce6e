"""Specks take the commonest colour around them; all else stays."""

import cv2
import numpy as np
import pytest
from skimage.measure import label as connected

from vectrahub.engine.color import specks as module
from vectrahub.engine.color.specks import NOTHING, absorb_specks


def one_by_one(labels: np.ndarray, least: float) -> tuple[np.ndarray, int]:
    """The same in the plainest words: the smallest patch first, all patches found anew after each."""
    labels, removed = labels.copy(), 0
    while True:
        found = np.zeros(labels.shape, int)
        for value in np.unique(labels[labels != NOTHING]):
            parts = connected(labels == value, connectivity=2)
            found[parts > 0] = parts[parts > 0] + found.max()
        candidates = []
        for patch in range(1, found.max() + 1):
            inside = found == patch
            around = {}
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    moved = np.full(labels.shape, NOTHING)
                    h, w = labels.shape
                    moved[max(dy, 0) : h + min(dy, 0), max(dx, 0) : w + min(dx, 0)] = labels[
                        max(-dy, 0) : h + min(-dy, 0), max(-dx, 0) : w + min(-dx, 0)
                    ]
                    for value in moved[inside & (moved != NOTHING) & (moved != labels)]:
                        around[int(value)] = around.get(int(value), 0) + 1
            if inside.sum() < least and around:
                candidates.append((inside.sum(), inside, max(sorted(around), key=around.__getitem__)))
        if not candidates:
            return labels, removed
        smallest = min(size for size, _, _ in candidates)
        ours = [entry for entry in candidates if entry[0] == smallest]
        if len(ours) > 1 and any(
            (cv2.dilate(a.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & b).any()
            for i, (_, a, _) in enumerate(ours)
            for _, b, _ in ours[i + 1 :]
        ):
            raise ValueError("equal neighbours: the order is a matter of taste")
        _, inside, value = ours[0]
        labels[inside] = value
        removed += 1


def blobs(seed: int, height: int, width: int, count: int, cell: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    field = rng.integers(0, count, (height // cell + 1, width // cell + 1), dtype=np.uint8)
    return cv2.resize(field, (width, height), interpolation=cv2.INTER_NEAREST)


def test_the_same_as_going_one_by_one() -> None:
    compared = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 3, (9, 11), dtype=np.uint8)
        labels[rng.random(labels.shape) < 0.1] = NOTHING
        least = float(rng.integers(2, 9))
        try:
            wanted, removed = one_by_one(labels, least)
        except ValueError:
            continue
        found = absorb_specks(labels, least)
        assert (found[0] == wanted).all() and found[1] == removed, (seed, least)
        compared += 1
    assert compared >= 8


@pytest.mark.parametrize("strip", [1, 50, 333])
def test_strips_make_no_difference(monkeypatch: pytest.MonkeyPatch, strip: int) -> None:
    for seed in range(5):
        labels = blobs(seed, 37, 53, 4, 3)
        labels[blobs(seed + 99, 37, 53, 5, 6) == 0] = NOTHING
        whole = absorb_specks(labels, 30)
        with monkeypatch.context() as patch:
            patch.setattr(module, "_STRIP", strip)
            cut = absorb_specks(labels, 30)
        kept = whole[0] != NOTHING
        assert (kept == (cut[0] != NOTHING)).all() and whole[1] > 0
        # The order of equal neighbours is that of the patches, which a strip numbers otherwise.
        assert abs(cut[1] - whole[1]) <= whole[1] // 3


def test_a_speck_takes_what_most_of_it_touches() -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[:, 10:] = 1
    labels[5:8, 8:11] = 2  # two columns in 0, one in 1
    done, removed = absorb_specks(labels, 10)
    assert (done[5:8, 8:11] == 0).all() and removed == 1 and (done[:, 11:] == 1).all()


def test_the_limit_is_exact_and_diagonals_join() -> None:
    labels = np.zeros((12, 12), np.uint8)
    for at in range(4):
        labels[3 + at, 3 + at] = 1  # one patch of four across corners
    assert absorb_specks(labels, 4)[1] == 0
    done, removed = absorb_specks(labels, 5)
    assert removed == 1 and not done.any()


def test_a_thin_line_is_one_patch_and_survives() -> None:
    labels = np.zeros((60, 60), np.uint8)
    for at in range(60):
        labels[at, at] = 1
    assert absorb_specks(labels, 50)[1] == 0
    labels[10] = 2  # cuts the diagonal in parts of 10 and 49
    done, removed = absorb_specks(labels, 48)
    assert removed == 1 and (done[10] == 2).all() and np.diag(done).tolist() == [0] * 10 + [2] + [1] * 49


def test_a_cluster_dissolves_into_what_is_around() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros((60, 60), np.uint8)
    labels[20:24, 20:24] = rng.integers(1, 9, (4, 4))
    done, _ = absorb_specks(labels, 20)
    assert not done.any()


def test_transparent_pixels_are_no_colour_and_take_none() -> None:
    labels = np.full((30, 30), NOTHING, np.uint8)
    labels[5:25, 5:25] = 0
    labels[5:7, 5:25] = 1  # below the limit, between transparency and 0
    labels[28, 28] = 2  # alone in transparency
    done, removed = absorb_specks(labels, 50)
    assert removed == 1 and (done[5:7, 5:25] == 0).all() and done[28, 28] == 2
    assert ((done == NOTHING) == (labels == NOTHING)).all()
    inner = np.zeros((30, 30), np.uint8)
    inner[10, 10] = NOTHING  # a hole is no speck
    assert absorb_specks(inner, 50)[1] == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 1)])
def test_tiny_pictures(shape: tuple[int, int]) -> None:
    labels = np.zeros(shape, np.uint8)
    labels[-1, -1] = 1
    done, removed = absorb_specks(labels, 2)
    assert done.shape == shape and removed == (labels.size > 1)
    assert done.max() == (1 if labels.size == 1 else done.min())


def test_nothing_is_left_below_the_limit_nothing_is_mutated() -> None:
    labels = blobs(3, 200, 300, 6, 5)
    before = labels.copy()
    labels.setflags(write=False)
    done, removed = absorb_specks(labels, 400)
    again, none = absorb_specks(done, 400)
    assert removed > 50 and none == 0 and again is done and (labels == before).all()
    assert (absorb_specks(labels, 400)[0] == done).all()
    for value in np.unique(done):
        parts = connected(done == value, connectivity=2)
        assert np.bincount(parts.reshape(-1))[1:].min() >= 400


@pytest.mark.parametrize("least", [0, 1, -3.0])
def test_zero_keeps_all(least: float) -> None:
    labels = blobs(1, 30, 30, 5, 1)
    assert absorb_specks(labels, least)[0] is labels


class Stop(Exception):
    pass


def reported(labels: np.ndarray, least: float) -> tuple[list[float], int]:
    """The shares reported, and how many specks went."""
    shares: list[float] = []
    _, removed = absorb_specks(labels, least, shares.append)
    assert shares == sorted(shares) and shares[-1] == 1
    return shares, removed


def test_fine_noise_is_no_more_work_than_its_size() -> None:
    """Nearly every pixel a patch of its own, a report for so many neighbours looked at: rounds would make hundreds."""
    labels = np.random.default_rng(0).integers(0, 15, (300, 300), np.uint8)
    shares, removed = reported(labels, 90)
    given_away = [share for share in shares if 0.7 < share < 0.9]
    assert removed > 50_000 and 5 <= len(given_away) < 20
    assert np.diff(given_away, prepend=0.7, append=0.9).max() < 0.05


def test_twelve_megapixels_report_often_and_can_be_stopped() -> None:
    rng = np.random.default_rng(5)
    small = cv2.GaussianBlur(rng.random((866, 1155)).astype(np.float32), (0, 0), 3)
    rank = cv2.resize(small, (4000, 3000), interpolation=cv2.INTER_CUBIC)
    labels = np.digitize(rank, np.quantile(small, np.linspace(0, 1, 16)[1:-1])).astype(np.uint8)
    shares, removed = reported(labels, 12_000)
    assert removed > 1_000 and len(shares) > 50
    assert np.diff(shares, prepend=0).max() < 0.15  # where the strips are joined; 0.07 elsewhere

    heard: list[float] = []

    def stop(share: float) -> None:
        heard.append(share)
        if share > 0.3:
            raise Stop

    with pytest.raises(Stop):
        absorb_specks(labels, 12_000, stop)
    assert 0.3 < heard[-1] < 0.4
