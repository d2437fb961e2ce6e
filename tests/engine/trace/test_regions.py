"""Regions, specks and plates on random label images."""

import cv2
import numpy as np
import pytest

from vectrahub.engine.trace.labels import EMPTY, ground_apart, label_image
from vectrahub.engine.trace.layers import layers, painting_order
from vectrahub.engine.trace.regions import absorb_specks, find_regions

SEEDS = range(8)


def blobs(seed: int, count: int = 4, size: tuple[int, int] = (48, 60), empty: bool = False) -> np.ndarray:
    """Random smooth-edged regions with a sprinkle of single pixels."""
    rng = np.random.default_rng(seed)
    fields = np.stack([cv2.GaussianBlur(rng.random(size), (0, 0), 3.0) for _ in range(count)])
    labels = fields.argmax(axis=0).astype(np.uint8)
    sprinkle = rng.random(size) < 0.02
    labels[sprinkle] = rng.integers(0, count, sprinkle.sum())
    if empty:
        labels[labels == count - 1] = EMPTY
    return labels


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 3, (12, 17)).astype(np.uint8)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("make", [blobs, noise])
def test_regions_are_the_connected_parts(make, seed):
    labels = make(seed)
    regions = find_regions(labels)
    assert (regions.label[regions.index] == labels).all()
    assert (np.bincount(regions.index.reshape(-1)) == regions.area).all()
    for region in range(len(regions.label)):
        parts, _ = cv2.connectedComponents((regions.index == region).astype(np.uint8), connectivity=4)
        assert parts == 2
    # Two regions of one label never touch: they would be one.
    assert (regions.label[regions.pairs[:, 0]] != regions.label[regions.pairs[:, 1]]).all()
    assert (regions.pairs[:, 0] < regions.pairs[:, 1]).all()
    edges = (labels[:, 1:] != labels[:, :-1]).sum() + (labels[1:] != labels[:-1]).sum()
    assert regions.shared.sum() == edges


@pytest.mark.parametrize("least", [2, 6, 40])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("make", [blobs, noise])
def test_specks_go_and_nothing_else_changes(make, seed, least):
    labels = make(seed)
    regions = find_regions(labels)
    clean = absorb_specks(regions, least)[regions.index].astype(np.uint8)
    assert (clean != labels).sum() <= regions.area[regions.area < least].sum()
    large = (regions.area >= least)[regions.index]
    assert (clean[large] == labels[large]).all()
    left = find_regions(clean)
    assert (left.area >= least).all() or len(left.area) == 1
    assert set(np.unique(clean)) <= set(np.unique(labels))


def test_a_speck_goes_to_its_longest_neighbour():
    labels = np.zeros((9, 9), np.uint8)
    labels[:, 5:] = 1
    labels[4, 4] = 2  # three sides on 0, one on 1
    regions = find_regions(labels)
    assert absorb_specks(regions, 2)[regions.index][4, 4] == 0


def test_a_picture_that_is_one_speck_stays():
    regions = find_regions(np.full((1, 1), 3, np.uint8))
    assert absorb_specks(regions, 100).tolist() == [3]


def painted(labels: np.ndarray, opaque: list[bool], underlap: int) -> np.ndarray:
    """Paint the plates and check on the way that none covers what it must not."""
    regions = find_regions(labels)
    solid = [*opaque, *[False] * (EMPTY + 1 - len(opaque))]
    order = painting_order(regions.label, regions.area, solid)
    canvas = np.full(labels.shape, EMPTY, np.uint8)
    times = np.zeros(labels.shape, int)
    plates = list(layers(regions, regions.label, order, solid, EMPTY, underlap))
    assert [plate.label for plate in plates] == [label for label in order if label != EMPTY]
    for plate in plates:
        height, width = plate.mask.shape
        window = (slice(plate.y, plate.y + height), slice(plate.x, plate.x + width))
        canvas[window][plate.mask] = plate.label
        times[window] += plate.mask
        if not opaque[plate.label]:
            assert (labels[window][plate.mask] == plate.label).all()  # it would show through
    translucent = np.isin(labels, [label for label, solid in enumerate(opaque) if not solid])
    assert (times[translucent] == 1).all()  # nothing below, nothing above
    assert (times[labels == EMPTY] == 0).all()
    return canvas


@pytest.mark.parametrize("underlap", [0, 1, 3])
@pytest.mark.parametrize("opaque", [[True] * 4, [True, False, True, False], [False] * 4])
@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_plates_painted_bottom_to_top_give_the_picture(seed, empty, opaque, underlap):
    labels = blobs(seed, empty=empty)
    assert (painted(labels, opaque, underlap) == labels).all()


def test_plates_run_below_what_they_enclose():
    labels = np.zeros((20, 20), np.uint8)
    labels[5:15, 5:15] = 1
    regions = find_regions(labels)
    opaque = [True, True] + [False] * (EMPTY - 1)
    order = painting_order(regions.label, regions.area, opaque)
    bottom, top = layers(regions, regions.label, order, opaque, EMPTY, 1)
    assert bottom.mask.all() and bottom.mask.shape == (20, 20)
    assert top.mask.sum() == 100


def test_labels_by_colour_and_opacity():
    rgb = np.zeros((4, 6, 3), np.uint8)
    rgb[:, 2:] = (227, 6, 19)
    alpha = np.ones((4, 6), np.float32)
    alpha[:, 4:] = 0.5
    alpha[0] = 0
    labelled = label_image(rgb, alpha)
    assert labelled is not None
    assert sorted(zip(labelled.fills, np.round(labelled.opacities, 2), strict=True)) == [
        ("#000000", 1),
        ("#E30613", 0.5),
        ("#E30613", 1),
    ]
    assert (labelled.labels[0] == EMPTY).all() and (labelled.labels[1:] != EMPTY).all()


@pytest.mark.parametrize(("colors", "possible"), [(64, True), (65, False)])
def test_at_most_64_colours(colors, possible):
    rgb = np.zeros((1, colors, 3), np.uint8)
    rgb[0, :, 0] = np.arange(colors)
    assert (label_image(rgb, None) is not None) == possible


def test_the_ground_is_told_from_the_white_that_is_enclosed():
    rgb = np.full((30, 30, 3), 255, np.uint8)
    rgb[5:25, 5:25] = 0
    rgb[12:18, 12:18] = 255
    labelled = label_image(rgb, None)
    regions = find_regions(labelled.labels)
    label, apart = ground_apart(labelled, regions, regions.label)
    picture = label[regions.index]
    assert apart.fills[picture[0, 0]] == apart.fills[picture[15, 15]] == "#FFFFFF"
    assert picture[0, 0] != picture[15, 15] != picture[8, 8]
