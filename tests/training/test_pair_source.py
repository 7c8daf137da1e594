"""Batches of pairs."""

import numpy as np
import pytest
import torch
from small_plan import small_plan

from medarch.core.dataset import Case, Dataset, Pair
from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.core.landmarks import Landmarks
from medarch.core.pairing import Pairing
from medarch.core.plan import AugmentationPlan, RegistrationPlan
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.prepare_case import prepare_case
from medarch.training.finish_batch import finish_batch
from medarch.training.pair_source import PairSource

CASES = [f"c{number}" for number in range(5)]
CPU = torch.device("cpu")
TOP = 0.7
"""A blob above this share of its peak fits into the small input."""


def configuration(*, dim=3, preset="none", alignment="centres", batch=2):
    plan = small_plan(
        task="registration", registration=RegistrationPlan(alignment=alignment), dim=dim, spacing_mm=(1.0, 1.0, 1.0)
    )
    found = plan.configuration()
    augmentation = AugmentationPlan(
        preset=preset, mirror_axes=tuple(range(dim)), rotation_degrees=(20.0,) * (3 if dim == 3 else 1)
    )
    training = found.training.model_copy(update={"augmentation": augmentation, "validation_iterations": 3})
    recipe = found.preprocessing.model_copy(update={"crop": "none"})
    return found.model_copy(update={"training": training, "batch_size": batch, "preprocessing": recipe})


@pytest.fixture(scope="module", params=[3, 2])
def stored(request, tmp_path_factory):
    """A blob in each case, ten millimetres further along x in the world from case to case, the last unlabelled."""
    dim = request.param
    store = CaseStore(tmp_path_factory.mktemp("store"))
    for number, case in enumerate(CASES):
        shape = (17 + number, 16, 9 if dim == 3 else 1)
        grid = np.indices(shape) - np.array([8, 8, 4 if dim == 3 else 0]).reshape(3, 1, 1, 1)
        image = np.exp(-(grid**2).sum(0) / 18).astype(np.float32)[None]
        affine = np.eye(4)
        affine[0, 3] = 10 * number
        label = (image[0] > 0.5).astype(np.uint8) if number < 4 else None
        arrays = prepare_case(
            image, Geometry.from_array(shape, affine), case=case, recipe=configuration(dim=dim).preprocessing,
            label=label,
        )  # fmt: skip
        store.write(arrays, {})
    return dim, store


def source(stored, *, augment, cases=CASES, pairs=None, landmarks=None, **how):
    dim, store = stored
    made = Dataset(
        name="T", task="registration", root="/", layout="nnunet", channels=("MR",), cases=tuple(
            Case(id=case, images=()) for case in CASES
        ), labels=LabelScheme(labels={"background": 0, "blob": 1}), pairs=pairs,
    )  # fmt: skip
    return PairSource(
        store, Pairing(made, cases), configuration=configuration(dim=dim, **how), labelled=True, augment=augment,
        landmarks=landmarks,
    )  # fmt: skip


def finished(made, number=0):
    return finish_batch(made[number], made.configuration, CPU)


def test_a_batch_is_a_function_of_its_number(stored):
    first, second = (finished(source(stored, augment=True, preset="nnunet"), 7) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    other = finished(source(stored, augment=True, preset="nnunet"), 8)
    assert not torch.equal(first[0], other[0])


def test_images_are_the_stored_ones_about_their_centres(stored):
    dim, store = stored
    made = source(stored, augment=False, pairs=(Pair(fixed="c0", moving="c2"),))
    image, label = finished(made)
    size = made.configuration.patch_voxels
    assert image.shape == (1, 2, *size)
    assert label.shape == (1, 2, *size)
    for channel, case in enumerate(("c0", "c2")):
        whole = torch.from_numpy(np.array(store.read_image(case)))
        whole = whole - whole.min()
        seen = image[0, channel]
        # The network's axes are k, j, i: the last is the one in which cases differ, 17 and 19 voxels long.
        peak = np.unravel_index(seen.argmax().item(), seen.shape)
        corner = [(have - want) // 2 for have, want in zip(store.shape("c0"), made.size, strict=True)]
        between = [(have - want) // 2 for have, want in zip(store.shape(case), store.shape("c0"), strict=True)]
        expected = np.array([4 if dim == 3 else 0, 8, 8]) - corner - between
        assert peak == tuple(expected[3 - dim :])
        assert seen.max() == pytest.approx(whole.max().item(), rel=1e-5)
        assert label[0, channel][peak] == 1


def test_in_the_world_images_lie_where_their_headers_say(stored):
    shifted = source(stored, augment=False, pairs=(Pair(fixed="c0", moving="c1"),), alignment="world")
    image, label = finished(shifted)
    fixed, moving = image[0]
    first, second = (np.unravel_index(each.argmax().item(), each.shape)[-1] for each in (fixed, moving))
    # 10 mm beyond what the grid holds: the blob's flank is what is left at its last voxel.
    assert (first, second) == (8, moving.shape[-1] - 1)
    assert label[0, 1].min() == -1  # left of the moving image


def test_a_case_without_a_label_is_minus_one_all_over(stored):
    _, label = finished(source(stored, augment=False, pairs=(Pair(fixed="c4", moving="c0"),)))
    assert (label[0, 0] == -1).all()
    assert (label[0, 1] == 1).any()


def test_validation_is_a_fixed_spread_of_pairs_and_its_last_batch_may_be_smaller(stored):
    made = source(stored, augment=False, batch=4, cases=CASES[:4])
    assert len(made) == 3
    assert [len(finished(made, number)[0]) for number in range(3)] == [4, 4, 4]
    few = source(stored, augment=False, batch=4, cases=CASES[:3])
    assert [len(finished(few, number)[0]) for number in range(len(few))] == [4, 2]


def test_augmentation_moves_labels_with_their_images(stored):
    made = source(stored, augment=True, preset="nnunet", batch=8, cases=CASES[:4])
    moved = 0
    for number in range(4):
        image, label = finished(made, number)
        top = image.amax(tuple(range(2, image.dim())), keepdim=True)
        inside, outside = (image / top)[label == 1], (image / top)[label == 0]
        assert inside.min() > 0.3
        assert outside.max() < 0.7
        moved += int((image[:, 0] != image[:, 1]).flatten(1).any(1).sum())
    assert moved > 20


def blob_centres(dim, *, cases=CASES):
    """The middle of each blob and, in another order in every case, a point beside it; RAS mm."""
    found = {}
    for number, case in enumerate(cases):
        middle = (8.0 + 10 * number, 8.0, 4.0 if dim == 3 else 0.0)
        beside = (middle[0] + 2.0, middle[1] - 1.0, middle[2])
        order = (("middle", "beside"), (middle, beside))
        names, points = order if number % 2 else (each[::-1] for each in order)
        found[case] = Landmarks(names=(*names, f"only {case}"), points_mm=(*points, (0.0, 0.0, 0.0)))
    return found


@pytest.mark.parametrize("alignment", ["centres", "world"])
def test_augmentation_moves_landmarks_with_their_images(stored, alignment):
    """Each landmark stays on the blob's peak, which is found in the finished images to a fifth of a voxel."""
    dim, _ = stored
    made = source(
        stored, augment=True, preset="nnunet", batch=4, landmarks=blob_centres(dim), alignment=alignment,
        pairs=tuple(Pair(fixed=f"c{a}", moving=f"c{b}") for a, b in ((0, 0), (1, 1), (2, 2), (0, 2), (3, 1))),
    )  # fmt: skip
    compared = 0
    for number in range(6):
        batch = made[number]
        image, _ = finish_batch(batch, made.configuration, CPU)
        places = torch.stack(torch.meshgrid(*[torch.arange(float(n)) for n in image.shape[2:]], indexing="ij"))
        for row in range(4):
            for channel in range(2):
                seen = image[row, channel]
                if seen.max() < 1.0 or _on_face(seen):
                    continue  # the blob lies outside, or is cut
                weights = (seen - TOP * seen.max()).clamp_min(0)
                centre = (places * weights).flatten(1).sum(1) / weights.sum()
                points = batch.landmarks[row, channel]
                assert (points - centre).norm(dim=1).nan_to_num(9.0).min() < 0.2
                compared += 1
    assert compared > 20


def _on_face(image):
    """Whether the blob reaches a face of the image."""
    bright = image > TOP * image.max()
    return any(bool(bright.select(axis, end).any()) for axis in range(image.dim()) for end in (0, -1))


def test_landmarks_of_one_name_are_one_place_and_pairs_without_any_carry_none(stored):
    dim, _ = stored
    pairs = (Pair(fixed="c0", moving="c1"), Pair(fixed="c1", moving="c4"))
    landmarks = blob_centres(dim, cases=CASES[:2])
    both = source(stored, augment=False, batch=2, pairs=pairs, landmarks=landmarks)[0].landmarks
    assert both.shape == (2, 2, 2, dim)
    assert both[1].isnan().all()
    fixed, moving = both[0]
    # The blobs lie alike about the centres but for half the difference in length, cut to whole voxels.
    assert torch.allclose(fixed - moving, (fixed - moving)[:1].expand_as(fixed), atol=1e-4)
    assert (fixed[0] - fixed[1]).norm() == pytest.approx(5**0.5, abs=1e-4)
    assert source(stored, augment=False, batch=2, pairs=pairs[1:], landmarks=landmarks)[0].landmarks is None
    assert source(stored, augment=False, batch=2, pairs=pairs)[0].landmarks is None


def test_light_augmentation_mirrors_both_images_alike(stored):
    pairs = (Pair(fixed="c0", moving="c1"),)
    plain = finished(source(stored, augment=False, batch=1, pairs=pairs))[0]
    made = source(stored, augment=True, preset="light", batch=1, pairs=pairs)
    axes = tuple(range(2, plain.dim()))
    seen = set()
    for number in range(40):
        image = finished(made, number)[0]
        ways = [
            flips for flips in _subsets(axes) if torch.allclose(image, plain.flip(flips) if flips else plain, atol=1e-5)
        ]
        assert ways
        seen.update(ways)
    assert len(seen) > len(axes)


def _subsets(axes):
    return [tuple(axis for bit, axis in enumerate(axes) if number >> bit & 1) for number in range(2 ** len(axes))]
