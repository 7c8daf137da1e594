"""Errors in the labels of a cascade's first stage, against their definitions."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.morphology import ball

from medarch.training.apply_label_errors import apply_label_errors
from medarch.training.draw_label_errors import LabelErrors, Operation, Removal, draw_label_errors

SHAPE = (20, 24, 22)


@pytest.fixture
def one_hot():
    """Two labels of several pieces that touch each other and the border; ``(1, 2, *SHAPE)``."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 1.5)
    return torch.from_numpy(np.stack([noise > 0.08, noise < -0.08])[None].astype(np.float32))


def by_definition(mask, operator, radius):
    """Outside the array there is nothing to grow from and nothing that takes away."""
    footprint = ball(radius, dtype=bool)
    centre = (footprint.shape[0] - 1) // 2  # nnU-Net's for footprints of even size

    def dilate(x):
        padded = np.pad(x, footprint.shape[0])
        shifted = [
            padded[tuple(slice(start, start + side) for start, side in zip(offset, x.shape, strict=True))]
            for offset in np.argwhere(footprint) + footprint.shape[0] - centre
        ]
        return np.any(shifted, axis=0)

    def erode(x):
        return ~dilate(~x)

    return {
        "dilate": lambda: dilate(mask),
        "erode": lambda: erode(mask),
        "close": lambda: erode(dilate(mask)),
        "open": lambda: dilate(erode(mask)),
    }[operator]()


@pytest.mark.parametrize("radius", [1.0, 1.4, 2.0, 3.6, 7.3])
@pytest.mark.parametrize("operator", ["dilate", "erode", "close", "open"])
def test_operations_equal_their_definition_and_take_from_the_other_label_what_they_gain(one_hot, operator, radius):
    before = one_hot[0].numpy().copy() > 0
    draw = LabelErrors(operations=(Operation(0, operator, radius),))
    after = apply_label_errors(one_hot, [draw])[0].numpy() > 0
    expected = by_definition(before[0], operator, radius)
    np.testing.assert_array_equal(after[0], expected)
    np.testing.assert_array_equal(after[1], before[1] & ~(expected & ~before[0]))


def test_a_small_structure_far_from_the_border_costs_its_box_and_gives_the_same():
    mask = np.zeros((60, 60, 60), bool)
    mask[25:31, 28:33, 30:34] = True
    mask[27, 30, 36] = True
    for operator in ("dilate", "erode", "close", "open"):
        one_hot = torch.from_numpy(mask[None, None].astype(np.float32))
        apply_label_errors(one_hot, [LabelErrors(operations=(Operation(0, operator, 3.0),))])
        np.testing.assert_array_equal(one_hot[0, 0].numpy() > 0, by_definition(mask, operator, 3.0))


def test_one_component_disappears_but_never_a_large_one(one_hot):
    before = one_hot[0, 1].numpy().copy()
    components, count = ndimage.label(before, structure=np.ones((3, 3, 3)))
    assert count > 1
    sizes = np.bincount(components.ravel())[1:]
    small = [number for number in range(1, count + 1) if sizes[number - 1] < 0.15 * before.size]
    gone = set()
    for choice in np.linspace(0, 0.999, 12):
        after = apply_label_errors(one_hot.clone(), [LabelErrors(removals=(Removal(1, float(choice)),))])
        missing = np.unique(components[(after[0, 1].numpy() != before)])
        assert len(missing) == 1
        assert (after[0, 1].numpy()[components == missing[0]] == 0).all()
        assert (after[0, 0] == one_hot[0, 0]).all()
        gone.add(int(missing[0]))
    assert gone <= set(small)
    whole = torch.ones(1, 1, 8, 8, 8)
    assert apply_label_errors(whole, [LabelErrors(removals=(Removal(0, 0.0),))]).all()


def test_an_empty_label_and_an_empty_draw_change_nothing(one_hot):
    kept = one_hot.clone()
    apply_label_errors(one_hot, [LabelErrors()])
    assert (one_hot == kept).all()
    empty = torch.zeros_like(one_hot)
    draw = LabelErrors((Operation(0, "dilate", 3.0),), (Removal(1, 0.5),))
    assert not apply_label_errors(empty, [draw]).any()


def test_draws_have_nnunets_probabilities_and_are_a_function_of_the_seed():
    draws = [draw_label_errors(3, rng=np.random.default_rng(seed)) for seed in range(4000)]
    assert draws[7] == draw_label_errors(3, rng=np.random.default_rng(7))
    operations = [operation for draw in draws for operation in draw.operations]
    removals = [removal for draw in draws for removal in draw.removals]
    assert len(operations) / len(draws) == pytest.approx(0.4 * 0.5 * 3, abs=0.05)
    assert len(removals) / len(draws) == pytest.approx(0.2 * 0.5 * 3, abs=0.05)
    assert {operation.operator for operation in operations} == {"dilate", "erode", "close", "open"}
    radii = [operation.radius_voxels for operation in operations]
    assert (min(radii), max(radii)) == (pytest.approx(1, abs=0.05), pytest.approx(8, abs=0.05))
    assert {operation.channel for operation in operations} == {0, 1, 2}
    # In random order, because the later operation wins where two labels grow into each other.
    assert {draw.operations[0].channel for draw in draws if len(draw.operations) == 3} == {0, 1, 2}
