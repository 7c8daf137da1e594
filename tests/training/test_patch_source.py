import numpy as np
import pytest
import torch

from medarch import api
from medarch.tasks.create_task import create_task
from medarch.training.finish_batch import finish_batch
from medarch.training.patch_source import PatchSource


def source_of(folder, store, *, augment=True, configuration="3d_fullres", patch=None, **training):
    plan = api.PlanFolder.load(folder).plan
    chosen = plan.configuration(configuration)
    update = {"training": chosen.training.model_copy(update=training), "batch_size": 3}
    chosen = chosen.model_copy(update=update | ({"patch_voxels": patch} if patch else {}))
    return PatchSource(
        store, store.ids(), task=create_task(plan, chosen), configuration=chosen, augment=augment
    ), chosen


def test_a_batch_is_a_function_of_its_number(nnunet_plan_folder, sample_store):
    source, configuration = source_of(nnunet_plan_folder, sample_store)
    first = [finish_batch(source[number], configuration, torch.device("cpu")) for number in (7, 8)]
    again = [finish_batch(source[number], configuration, torch.device("cpu")) for number in (8, 7)][::-1]
    for (image, label), (same_image, same_label) in zip(first, again, strict=True):
        assert (image == same_image).all()
        assert (label == same_label).all()
    assert (first[0][0] != first[1][0]).any()


def test_the_last_third_holds_foreground(nnunet_plan_folder, sample_store):
    source, _ = source_of(nnunet_plan_folder, sample_store, augment=False, patch=(8, 8, 8))
    held = np.array([[(label > 0).any().item() for label in source[number].label] for number in range(40)])
    assert held[:, 2].all()
    assert not held[:, 0].all()


def test_both_classes_are_focused_equally(nnunet_plan_folder, sample_store):
    source, _ = source_of(nnunet_plan_folder, sample_store, augment=False, patch=(1, 1, 1), foreground_share=1.0)
    centres = np.concatenate([source[number].label.numpy().ravel() for number in range(200)])
    assert set(centres) == {1, 2}
    assert abs((centres == 1).mean() - 0.5) < 0.08


def test_a_case_smaller_than_the_patch_is_centred_and_padded(nnunet_plan_folder, sample_store):
    source, _ = source_of(nnunet_plan_folder, sample_store, augment=False, patch=(64, 72, 64))
    image = source[0].image[0, 0].numpy()
    wholes = [sample_store.read_image(case)[0] for case in sample_store.ids()]
    corners = [[-((size - side) // 2) for side, size in zip(image.shape, whole.shape, strict=True)] for whole in wholes]
    held = []
    for whole, corner in zip(wholes, corners, strict=True):
        box = tuple(slice(low, low + size) for low, size in zip(corner, whole.shape, strict=True))
        rest = image.copy()
        rest[box] = 0
        held.append((image[box] == whole).all() and (rest == 0).all())
    assert any(held)


def test_unmoved_patches_are_cut_from_the_store(nnunet_plan_folder, sample_store):
    source, _ = source_of(nnunet_plan_folder, sample_store, augment=False, patch=(8, 8, 8))
    patch = source[3].image[0, 0].numpy()
    wholes = [sample_store.read_image(case)[0] for case in sample_store.ids()]
    windows = (np.lib.stride_tricks.sliding_window_view(whole, (8, 8, 8)) for whole in wholes)
    assert any(
        (window[..., 0, 0, 0] == patch[0, 0, 0]).any() and (window == patch).all((-1, -2, -3)).any()
        for window in windows
    )


def test_2d_batches_are_slices(nnunet_plan_folder, sample_store):
    source, configuration = source_of(nnunet_plan_folder, sample_store, configuration="2d")
    image, label = finish_batch(source[0], configuration, torch.device("cpu"))
    assert image.shape == (3, 1, 56, 40)
    assert label.shape == (3, 1, 56, 40)


def test_torchio_transforms_are_applied_and_repeatable(nnunet_plan_folder, sample_store):
    pytest.importorskip("torchio")
    plain, _ = source_of(nnunet_plan_folder, sample_store)
    augmentation = plain.configuration.training.augmentation.model_copy(
        update={"torchio": ({"name": "RandomBiasField", "coefficients": 0.5},)}
    )
    source, _ = source_of(nnunet_plan_folder, sample_store, augmentation=augmentation)
    first, again = source[1].image, source[1].image
    assert (first == again).all()
    assert (first != plain[1].image).any()
