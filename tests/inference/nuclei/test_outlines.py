"""Outlines of many regions at once are those of each region alone, valid, and hold just its pixels."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import find_contours, perimeter_crofton

from medarch.inference.nuclei.outlines import outlines


def polygons(labels):
    rings = outlines(labels)
    shapes = {}
    for label, start, end in zip(rings.labels.tolist(), rings.starts[:-1], rings.starts[1:], strict=True):
        shapes.setdefault(label, []).append(rings.points[start:end] / 2)
    return {label: shapely.Polygon(found[0], found[1:]) for label, found in shapes.items()}


def random_labels(seed, shape=(40, 50), share=0.55):
    """4-connected regions of noise, with holes, corners that touch and neighbours without a gap."""
    rng = np.random.default_rng(seed)
    kinds = np.where(rng.random(shape) < share, rng.integers(1, 3, shape), 0)
    labels = np.zeros(shape, np.int64)
    for kind in (1, 2):
        regions, count = ndimage.label(kinds == kind)
        labels[regions > 0] = regions[regions > 0] + labels.max()
        assert count
    return labels


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.55, 0.8, 0.97]))
def test_polygons_are_valid_and_hold_the_centres_of_just_their_pixels(seed, share):
    labels = random_labels(seed, (18, 23), share)
    found = polygons(labels)
    assert sorted(found) == np.unique(labels[labels > 0]).tolist()
    rows, columns = np.indices(labels.shape)
    for label, polygon in found.items():
        assert polygon.is_valid
        inside = shapely.contains_xy(polygon, columns + 0.5, rows + 0.5)
        assert np.array_equal(inside, labels == label)


def test_outer_rings_are_those_of_marching_squares():
    labels = random_labels(7, share=0.5)
    found = polygons(labels)
    for label, polygon in found.items():
        rings = find_contours(np.pad(labels == label, 1).astype(float), 0.5, fully_connected="low")
        theirs = shapely.Polygon(max(rings, key=lambda ring: np.ptp(ring, axis=0).sum())[:, ::-1] - 0.5)
        assert polygon.exterior.equals(theirs.exterior) or shapely.Polygon(polygon.exterior).equals(theirs)
        assert len(polygon.interiors) == len(rings) - 1


def test_a_region_has_the_same_points_wherever_it_lies_and_whatever_lies_around_it():
    labels = random_labels(3)
    everything = outlines(labels)
    for label in (1, 5, 9):
        mine = np.flatnonzero(everything.labels == label)
        alone = outlines(np.where(labels == label, 4, 0)[:, 1:] if not (labels[:, 0] == label).any()
                         else np.pad(np.where(labels == label, 4, 0), ((0, 0), (0, 0))))  # fmt: skip
        shift = 2 if not (labels[:, 0] == label).any() else 0
        points = everything.points[everything.starts[mine[0]] : everything.starts[mine[-1] + 1]]
        assert np.array_equal(alone.points + np.array((shift, 0)), points)


def test_lengths_are_those_of_the_polygons():
    labels = random_labels(11)
    rings = outlines(labels)
    for start, end, length in zip(rings.starts[:-1], rings.starts[1:], rings.lengths, strict=True):
        assert shapely.LinearRing(rings.points[start:end] / 2).length == pytest.approx(length)
    rows, columns = np.indices((61, 61)) - 30
    disc = (rows**2 + columns**2 <= 25**2).astype(int)
    assert outlines(disc).lengths[0] == pytest.approx(perimeter_crofton(disc, 4), rel=0.08)


def test_nothing_has_no_outline():
    rings = outlines(np.zeros((5, 5), int))
    assert (len(rings.labels), rings.starts.tolist(), rings.points.shape) == (0, [0], (0, 2))
