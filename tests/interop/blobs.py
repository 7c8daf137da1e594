"""A small raw dataset, its plan in a workspace, and the folder that nnU-Net's preprocessor would make of it."""

import pickle
import shutil

import blosc2
import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

from medarch import api
from medarch.api import PlanFolder
from medarch.core.plan import Plan
from medarch.interop.export_plan_folder import export_plan_folder
from medarch.planning.split_file import load_splits

NAME = "Dataset007_Blobs"


def write_raw(folder, *, cases=6):
    """nnU-Net's raw layout; bodies in an empty border; the second case is stored in other directions."""
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    stream = np.random.default_rng(8)
    for number in range(cases):
        noise = gaussian_filter(stream.normal(size=(20, 22, 18)), 2)
        body = np.zeros(noise.shape, bool)
        body[2:-3, 3:-2, 1:-1] = True
        image = np.where(body, 100 + 400 * noise, 0).astype(np.float32)
        label = np.where(body, (noise > 0.03) + (noise > 0.08), 0).astype(np.uint8)
        for part, array, suffix in (("imagesTr", image, "_0000"), ("labelsTr", label, "")):
            nifti = nib.Nifti1Image(array, np.diag([1.2, 1.0, 1.5, 1]))
            if number == 1:
                start = nib.io_orientation(nifti.affine)
                turn = nib.orientations.ornt_transform(start, nib.orientations.axcodes2ornt("LSA"))
                nifti = nifti.as_reoriented(turn)
            nib.save(nifti, folder / part / f"blob_{number}{suffix}.nii.gz")
    (folder / "dataset.json").write_text(
        '{"channel_names": {"0": "MRI"}, "labels": {"background": 0, "outer": 1, "inner": 2}, '
        f'"numTraining": {cases}, "file_ending": ".nii.gz"}}'
    )
    return folder


def plan_small(raw, workspace, *, recipe=None):
    """nnU-Net's plan with few features and a short training, in its workspace."""
    made = api.plan(raw, workspace, preset="nnunet", workers=0)
    folder = workspace / made.dataset / made.name
    shrink(folder / "plan.json", recipe=recipe)
    return folder


def shrink(file, *, recipe=None):
    plan = Plan.load(file)
    small = {}
    for name, configuration in plan.configurations.items():
        stages = len(configuration.network.features)
        training = {"epochs": 1, "iterations_per_epoch": 3, "validation_iterations": 1}
        small[name] = configuration.model_copy(
            update={
                "batch_size": 2,
                "network": configuration.network.model_copy(update={"features": (4, 6, 8, 8, 8)[:stages]}),
                "training": configuration.training.model_copy(update=training),
                "preprocessing": configuration.preprocessing.model_copy(update=recipe or {}),
            }
        )
    plan.model_copy(update={"configurations": small}).save(file)


def write_preprocessed(plan_folder, target, *, form="b2nd"):
    """Write medarch's prepared cases and plan as nnU-Net keeps its own."""
    home = PlanFolder.load(plan_folder)
    splits = load_splits(home.room.splits_file)
    export_plan_folder(home.plan, home.dataset, home.fingerprint(), splits, target, number=7)
    (target / "gt_segmentations").mkdir()
    for case in home.dataset.cases:
        shutil.copy(case.label, target / "gt_segmentations" / f"{case.id}.nii.gz")
    for name in ("2d", "3d_fullres"):
        store = api.preprocess(plan_folder, configuration=name, workers=0)
        folder = target / f"nnUNetPlans_{name}"
        folder.mkdir()
        for case in store.ids():
            write_case(folder, case, store.read_image(case), store.read_label(case)[None], form=form)
            record, axes = store.record(case), home.plan.configuration(name).preprocessing.axes
            properties = {
                "spacing": [record.cropped_spacing_mm[axes.index(2 - reader)] for reader in range(3)],
                "shape_before_cropping": record.full_shape,
                "bbox_used_for_cropping": [list(map(np.int64, ends)) for ends in record.crop],
                "shape_after_cropping_and_before_resampling": record.cropped_shape,
                "class_locations": {1: store.locations(case)[1].copy()},
            }
            (folder / f"{case}.pkl").write_bytes(pickle.dumps(properties))
    return target


def write_case(folder, case, image, label, *, form):
    if form == "npz":
        np.savez_compressed(folder / f"{case}.npz", data=image, seg=label)
        return
    for name, array in ((case, image), (f"{case}_seg", label)):
        if form == "npy":
            np.save(folder / f"{name}.npy", array)
            continue
        blosc2.asarray(np.ascontiguousarray(array), urlpath=str(folder / f"{name}.b2nd"))
