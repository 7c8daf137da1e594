"""Batches for training: repeatable, with targets of whole nuclei, and rare types sought."""

import numpy as np
import torch
from small_plan import small_plan
from test_draw_window import case

from medarch.preprocessing.nuclei.nuclei_images import NucleiImage
from medarch.tasks.create_task import create_task
from medarch.tasks.nuclei.distance_maps import distance_maps
from medarch.training.nuclei import nuclei_source as module
from medarch.training.nuclei.nuclei_source import NucleiSource

LABELS = {"background": 0, "a": 1, "b": 2, "c": 3}


def source(images, *, augment, padded=False, labels=LABELS, batch=4, window=136):
    plan = small_plan(task="nuclei", dim=2, channels=3, labels=labels)
    small = plan.configuration()
    options = {**small.network.options, "padded": padded}
    chosen = small.model_copy(
        update={
            "patch_voxels": (window, window),
            "batch_size": batch,
            "network": small.network.model_copy(update={"options": options}),
        }
    )
    task = create_task(plan, chosen)
    return NucleiSource(images, sorted(images), task=task, configuration=chosen, augment=augment)


def test_a_batch_is_a_function_of_its_number():
    images = {f"i{seed}": case(seed=seed) for seed in range(3)}
    first, again, next_ = (source(images, augment=True)[number] for number in (5, 5, 6))
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.target, again.target)
    assert not torch.equal(first.image, next_.image)
    assert first.image.shape == (4, 3, 1, 136, 136)
    assert first.target.shape == (4, 4, 44, 44)


def test_targets_are_those_of_whole_nuclei():
    whole = case((260, 260))
    batch = source({"one": whole}, augment=False)[0]
    maps = distance_maps(whole.instances)
    expected = np.concatenate([(whole.instances > 0)[None].astype(np.float32), maps])
    for target in batch.target.numpy():
        places = [
            (top, left)
            for top in range(260 - 43)
            for left in range(260 - 43)
            if np.array_equal(expected[0, top : top + 44, left : left + 44], target[0])
        ]
        assert places
        assert any(
            np.allclose(expected[1:3, top : top + 44, left : left + 44], target[1:3], atol=1e-5) for top, left in places
        )


def test_types_nobody_knows_are_marked():
    one = case()
    hidden = NucleiImage(one.image, one.instances, np.where(one.types == 1, 0, one.types).astype(np.uint8))
    labels = {"background": 0, "a": 1, "b": 2, "ignore": 3}
    target = source({"one": hidden}, augment=False, labels=labels)[0].target[:, -1]
    assert set(target.unique().tolist()) == {-1.0, 0.0, 2.0}


def test_rare_types_are_sought(monkeypatch):
    common, rare = case(seed=1), case(seed=2)
    only = NucleiImage(common.image, common.instances, (common.instances > 0).astype(np.uint8))
    few = (rare.instances == rare.instances.max()).astype(np.uint8) * 2 + (rare.instances > 0)
    images = {"common": only, "rare": NucleiImage(rare.image, rare.instances, few.astype(np.uint8))}
    typed = source(images, augment=False)
    plain = NucleiSource(images, sorted(images), task=typed.task, configuration=typed.configuration, augment=False)

    def share(batches):
        return np.mean([(batch.target[:, -1] == 3).any(dim=2).any(dim=1).float().mean() for batch in batches])

    sought = share(map(typed.__getitem__, range(25)))
    monkeypatch.setattr(module, "DRAWS", 1)
    assert sought > 1.2 * share(map(plain.__getitem__, range(25)))
