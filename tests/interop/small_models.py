"""Model folders with untrained weights, of every kind that nnU-Net knows."""

import nibabel as nib
import numpy as np
import torch
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter
from small_plan import small_plan

from medarch.core.dataset import Dataset
from medarch.core.plan import InferencePlan
from medarch.inference.model_folder import ModelInfo, weights_name
from medarch.networks.build_network import build_network

SMOOTH = 3
"""Voxels. Large, round structures: of theirs few voxels lie where rounding decides."""
AFFINE = np.array([[1.5, 0, 0, -20], [0, 1.4, 0, 7], [0, 0, 2.5, -30], [0, 0, 0, 1.0]])
REGIONS = {"background": 0, "whole": (1, 2), "core": (2,)}


def changed(plan, **changes):
    """The plan with fields of its only configuration, or of its recipe (``recipe=``), replaced."""
    configuration = plan.configuration()
    recipe = configuration.preprocessing.model_copy(update=changes.pop("recipe", {}))
    configuration = configuration.model_copy(update={"preprocessing": recipe, **changes})
    return plan.model_copy(
        update={"configurations": {configuration.name: configuration}, "default": configuration.name}
    )


def fit(network, plan):
    """Teach a network two thresholds of the image: trained networks know what they say, so that rounding is not heard.

    A cascade's second stage is told the answer by its further channels, as in life.
    """
    configuration, stream = plan.configuration(), np.random.default_rng(0)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(600):
        noise = stream.normal(size=(2, len(plan.channels), *configuration.patch_voxels))
        image = gaussian_filter(noise, (0, 0, *[SMOOTH] * configuration.network.dim))
        image = torch.from_numpy(image / image.std(axis=(0, *range(2, image.ndim)), keepdims=True)).float()
        labels = (image[:, 0] > 0.3).long() + (image[:, 0] > 1.2)
        further = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1)[:, 1:].float()
        seen = torch.cat([image, further], 1)[:, : configuration.network.in_channels]
        logits = network(seen)[0]
        if plan.labels.has_regions:
            wanted = torch.stack([labels > 0, labels > 1], 1).float()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
        else:
            loss = torch.nn.functional.cross_entropy(logits, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    if not plan.labels.has_regions:
        # What all classes share is nothing to softmax, but takes digits from nnU-Net's half precision.
        with torch.no_grad():
            for parameter in network.heads[-1].parameters():
                parameter.sub_(parameter.mean(dim=0, keepdim=True))


def write_model(folder, plan, *, folds=("0",), seed=3, trained=False):
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    for fold in folds:
        network = build_network(plan.configuration().network)
        # Norms that do something, so that a swapped weight and bias would be seen.
        for name, tensor in network.named_parameters():
            if tensor.dim() == 1:
                torch.nn.init.uniform_(tensor, 0.5 if name.endswith("weight") else -0.2, 1.5)
        if trained:
            fit(network, plan)
        save_file(network.state_dict(), folder / weights_name(fold))
    plan.save(folder / "plan.json")
    Dataset(name=plan.dataset, root=folder, layout="nnunet", channels=plan.channels, labels=plan.labels, cases=()).save(
        folder / "dataset.json"
    )
    ModelInfo(configuration=plan.default, folds=tuple(folds), precision="float32").save(folder / "model.json")
    return folder


def plan_3d(*arguments, **settings):
    """Two tiles along the first axis, one along the others: nnU-Net adds tiles up in half precision."""
    return changed(small_plan(*arguments, **{"orientation": None} | settings), patch_voxels=(16, 24, 24))


def cascade(folder, *, trained=False):
    """A model whose earlier stage lies in its folder."""
    plan = changed(plan_3d(), name="3d_lowres", recipe={"spacing_mm": (2.4, 1.8, 1.8)})
    first = changed(plan, next_stage="3d_cascade_fullres")
    network = plan.configuration().network.model_copy(update={"in_channels": 1 + len(plan.labels.foreground_values)})
    second = changed(plan_3d(), name="3d_cascade_fullres", previous_stage="3d_lowres", network=network)
    write_model(folder, second, trained=trained)
    write_model(folder / "previous_stage", first, seed=4, trained=trained)
    return folder


MODELS = {
    "plain 3d, turned to RAS": plan_3d(orientation="RAS"),
    "residual 3d, axes swapped": changed(plan_3d(architecture="residual_unet"), recipe={"axes": (1, 2, 0)}),
    "2d": changed(
        small_plan(dim=2, orientation=None, spacing_mm=(None, 1.5, 1.5)),
        patch_voxels=(20, 24),
        inference=InferencePlan(mirror_axes=(0, 1)),
    ),
    "regions, two channels": plan_3d(REGIONS, regions_class_order=(1, 2), channels=2),
}


def smooth_image(path, shape, *, seed, codes=None):
    """Structures within an ellipsoid, as a body in air.

    In the corners of an image nnU-Net weights tiles with numbers that half precision can hardly tell apart; nothing of
    interest must lie there.
    """
    values = gaussian_filter(np.random.default_rng(seed).normal(size=shape), SMOOTH)
    radius = np.sqrt(sum(axis**2 for axis in np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij")))
    values = (values / values.std() + 1 - 3 * np.maximum(radius - 0.7, 0)).astype(np.float32) * 100
    image = nib.Nifti1Image(values, AFFINE)
    if codes is not None:
        wanted = nib.orientations.axcodes2ornt(codes)
        image = image.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(AFFINE), wanted))
    nib.save(image, path)


def write_images(folder, *, channels=1):
    """Two cases in nnU-Net's naming, one of them stored in other directions."""
    folder.mkdir(parents=True)
    for number, codes in enumerate((None, "LPS")):
        for channel in range(channels):
            path = folder / f"case{number}_{channel:04d}.nii.gz"
            smooth_image(path, (40 + number, 44, 30), seed=10 * number + channel, codes=codes)
    return folder
