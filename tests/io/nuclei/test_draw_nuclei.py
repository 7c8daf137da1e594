"""Pictures show each nucleus where it is, the same however parts were cut."""

import numpy as np
from random_nuclei import labelled_discs

from medarch.inference.nuclei.describe_nuclei import describe_nuclei
from medarch.io.nuclei.draw_nuclei import draw_nuclei
from medarch.io.nuclei.nuclei_scale import NucleiScale

SCALE = NucleiScale(1.0, 0.5, (0, 0), ("a", "b"))


def described(labels, keep=None):
    types = np.random.default_rng(0).random((3, 104, 104))
    kept = labels if keep is None else np.where(np.isin(labels, keep), labels, 0)
    part = describe_nuclei(kept, np.ones(labels.shape), types, corner=(0, 0))
    return part, labels[tuple((part.first).T)].astype(np.int64)


def test_outlines_lie_on_the_rims_of_nuclei_in_their_colours():
    labels = labelled_discs(104)
    part, numbers = described(labels)
    white = np.full((104, 104, 3), 255, np.uint8)
    drawn = draw_nuclei(white, [[(part, numbers)]], SCALE, zoom=1.0)
    coloured = (drawn != 255).any(axis=-1)
    assert coloured.sum() > 16 * 30
    for number, kind in zip(numbers, part.kind, strict=True):
        rows, columns = np.nonzero(labels == number)
        box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        colours = {tuple(colour) for colour in drawn[box][coloured[box]].tolist()}
        assert colours == {SCALE.colour(int(kind))}
        assert not coloured[round(rows.mean()), round(columns.mean())]


def test_small_pictures_show_dots():
    part, numbers = described(labelled_discs(104))
    drawn = draw_nuclei(np.zeros((26, 26, 3), np.uint8), [[(part, numbers)]], SCALE, zoom=0.1)
    assert (drawn.any(axis=-1)).sum() == 16


def test_overlapping_outlines_do_not_depend_on_the_parts_they_came_in():
    labels = labelled_discs(104)
    black = np.zeros((60, 60, 3), np.uint8)
    whole = draw_nuclei(black, [[described(labels)]], SCALE, zoom=0.55)
    parts = [described(labels, keep) for keep in (np.arange(9, 17), np.arange(2, 9), np.arange(0, 2))]
    assert np.array_equal(draw_nuclei(black, [parts], SCALE, zoom=0.55), whole)
