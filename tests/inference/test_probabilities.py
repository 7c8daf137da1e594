"""Probabilities and ensembles, from files to files, against arrays of all classes and voxels."""

import errno
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
import torch
from safetensors.torch import load_file, save_file
from small_disk import small_disk
from small_plan import small_plan
from streamed_logits import streamed_logits
from untrained_model import smooth_noise, write_model
from whole_probabilities import whole_probabilities

from medarch import api
from medarch.core.dataset import Case
from medarch.core.postprocessing import Postprocessing
from medarch.core.selection import Candidate, Selection
from medarch.inference import footing
from medarch.inference.engines.torch_engine import TorchEngine
from medarch.inference.load_model import load_model
from medarch.inference.prepare_input import prepare_input
from medarch.inference.window import Window
from medarch.io import plane_spans
from medarch.io.read_volume import read_volume
from medarch.io.write_volume import write_volume

FAST = {"device": "cpu", "precision": "float32", "mirror": False}
REGIONS = {"labels": {"background": 0, "whole": (1, 2), "core": (2,)}, "regions_class_order": (1, 2)}
KINDS = {
    "labels": {},
    "regions": REGIONS,
    "thick slices": {"spacing_mm": (6.0, 1.5, 1.5)},
    "in the file's order": {"orientation": None},
}


@pytest.fixture(autouse=True)
def in_pieces(monkeypatch):
    """One tile a pass and a few planes at once, so that even small cases come in many pieces."""
    monkeypatch.setitem(footing.VOXELS_PER_PASS, "cpu", 1)
    monkeypatch.setattr(plane_spans, "SLAB_BYTES", 2**14)


def sharp_model(folder, plan):
    """An untrained model that is as sure of its labels as a trained one."""
    write_model(folder, plan)
    path = folder / "weights_fold_0.safetensors"
    weights = load_file(path)
    for name in weights:
        if name.startswith("head"):
            weights[name] = weights[name] * 8
    save_file(weights, path)
    return folder


def turned_images(folder, suffix):
    """Two images with an empty border, in files whose axes run to the feet, the left and the front."""
    folder.mkdir()
    affine = np.array([[0, -0.9, 0, 12], [0, 0, 0.8, -7], [-2.5, 0, 0, 31], [0, 0, 0, 1.0]])
    for number in range(2):
        data = np.zeros((19, 40 + number, 44), np.float32)
        data[2:17, 4:36, 5:40] = smooth_noise((15, 32, 35), seed=number) + 500
        image = nib.Nifti1Image(data, affine)
        nib.save(image, folder / "image.nii")
        geometry = read_volume(folder / "image.nii").geometry
        write_volume(folder / f"case_{number}{suffix}", data, geometry)
        (folder / "image.nii").unlink()
    return folder


def whole_of(model_folder, row, **options):
    """What the model says of a predicted case, computed whole."""
    model = load_model(model_folder, device="cpu", precision="float32")
    prepared = prepare_input(model, Case(id=row.case, images=row.images), **options).arrays
    logits = streamed_logits(
        model.networks, torch.from_numpy(prepared.image), heads=model.plan.labels.heads,
        window=Window(model.configuration.patch_voxels),
    )  # fmt: skip
    assert prepared.record.cropped_shape != prepared.record.full_shape
    return whole_probabilities(logits.numpy(), prepared.record, model.plan.labels)


def labels_of(shares, scheme):
    """Labels, and where they are decided by more than rounding."""
    if scheme.has_regions:
        labels = np.where(shares[1] > 0.5, 2, np.where(shares[0] > 0.5, 1, 0))
        return labels, (np.abs(shares - 0.5) > 1e-5).all(axis=0)
    return shares.argmax(axis=0), np.diff(np.sort(shares, axis=0)[-2:], axis=0)[0] > 1e-5


def require_labels(path, shares, scheme):
    found = read_volume(path).array[0]
    labels, decided = labels_of(shares, scheme)
    assert len(np.unique(labels)) == 3
    assert decided.mean() > 0.99  # the mean of two models that are sure of different labels is a tie
    np.testing.assert_array_equal(found[decided], labels[decided])


def done(prediction):
    assert [row.error for row in prediction.cases] == [None] * len(prediction.cases)
    return prediction.cases


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [*((kind, suffix) for kind in KINDS for suffix in (".nii.gz", ".mha")), ("labels", ".nii"), ("labels", ".nrrd")],
)
def test_probabilities_and_labels_are_those_of_the_whole_computation(kind, suffix, tmp_path):
    plan = small_plan(**KINDS[kind])
    model = sharp_model(tmp_path / "model", plan)
    images = turned_images(tmp_path / "images", suffix)
    rows = done(api.predict(model, images, tmp_path / "out", probabilities=True, **FAST))
    plain = done(api.predict(model, images, tmp_path / "plain", **FAST))
    for row, alone in zip(rows, plain, strict=True):
        expected = whole_of(model, row)
        found = read_volume(row.probabilities)
        assert not found.geometry.differences(read_volume(row.images[0]).geometry)
        np.testing.assert_allclose(found.array, expected, atol=1e-5)
        require_labels(row.output, expected, plan.labels)
        assert row.output.read_bytes() == alone.output.read_bytes()
        np.testing.assert_array_equal(
            SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(row.probabilities))).ravel(),
            found.array.transpose((0, 3, 2, 1) if suffix.startswith(".nii") else (3, 2, 1, 0)).ravel(),
        )
    kept = {path.name for folder in (tmp_path / "out", tmp_path / "out" / "probabilities") for path in folder.iterdir()}
    assert not any(name.startswith(".tmp") for name in kept)


@pytest.mark.parametrize("kind", ["labels", "regions"])
@pytest.mark.parametrize("suffix", [".nii.gz", ".mha"])
def test_an_ensemble_is_the_mean_of_whole_arrays_in_one_run_and_from_folders(kind, suffix, tmp_path):
    plans = {
        "fine": small_plan(**KINDS[kind]),
        "coarse": small_plan(spacing_mm=(6.0, 2.5, 2.5), orientation=None, **KINDS[kind]),
    }
    plan_folder = tmp_path / "plan"
    for name, plan in plans.items():
        only = plan.configuration().model_copy(update={"name": name})
        named = plan.model_copy(update={"configurations": {name: only}, "default": name})
        sharp_model(plan_folder / name / "model", named)
    Selection(
        dataset="Test", plan="small", folds=("0",), cases=4, winner=tuple(plans), postprocessing=Postprocessing(),
        candidates=(Candidate(configurations=tuple(plans), dsc=0.5),), commands=(),
    ).save(plan_folder / "selection.json")  # fmt: skip
    images = turned_images(tmp_path / "images", suffix)
    at_once = done(
        api.predict(plan_folder / "selection.json", images, tmp_path / "at_once", probabilities=True, **FAST)
    )
    folders = [tmp_path / name for name in plans]
    for name, folder in zip(plans, folders, strict=True):
        done(api.predict(plan_folder / name / "model", images, folder, probabilities=True, **FAST))
    apart = done(api.ensemble(folders, tmp_path / "apart", probabilities=True))
    for row, from_folders in zip(at_once, apart, strict=True):
        expected = np.mean([whole_of(plan_folder / name / "model", row) for name in plans], axis=0)
        for made in (row, from_folders):
            np.testing.assert_allclose(read_volume(made.probabilities).array, expected, atol=1e-5)
            require_labels(made.output, expected, plans["fine"].labels)


def test_after_a_failed_allocation_the_logits_are_written_anew(monkeypatch, tmp_path):
    model = sharp_model(tmp_path / "model", small_plan())
    images = turned_images(tmp_path / "images", ".nii.gz")
    expected = done(api.predict(model, images, tmp_path / "expected", probabilities=True, **FAST))
    call, calls = TorchEngine.__call__, []

    def engine(this, tiles):
        calls.append(len(tiles))
        if len(calls) in (5, 7):
            torch.empty(2**50)
        return call(this, tiles)

    monkeypatch.setattr(TorchEngine, "__call__", engine)
    found = done(api.predict(model, images, tmp_path / "found", probabilities=True, **FAST))
    assert len(calls) > 7
    for one, other in zip(expected, found, strict=True):
        assert one.probabilities.read_bytes() == other.probabilities.read_bytes()
        assert one.output.read_bytes() == other.output.read_bytes()


def test_a_fault_in_the_network_or_the_writer_costs_its_case_and_leaves_no_scratch(monkeypatch, tmp_path):
    model = sharp_model(tmp_path / "model", small_plan())
    images = turned_images(tmp_path / "images", ".nii.gz")
    output = tmp_path / "out"
    call, calls = TorchEngine.__call__, []

    def engine(this, tiles):
        calls.append(len(tiles))
        if len(calls) == 3:  # in the first case, after scratch was written
            raise ValueError("planted")
        return call(this, tiles)

    monkeypatch.setattr(TorchEngine, "__call__", engine)
    rows = api.predict(model, images, output, probabilities=True, **FAST).cases
    assert [row.status for row in rows] == ["failed", "done"]
    assert "planted" in rows[0].error
    from medarch.inference import pipeline

    def write_planes(path, *args, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(pipeline, "write_planes", write_planes)
    rows = api.predict(model, images, output, probabilities=True, restart=True, **FAST).cases
    assert [row.status for row in rows] == ["failed", "failed"]
    assert "No space left on device" in rows[0].error
    open_files = [entry.readlink() for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    assert not any(str(output) in str(target) for target in open_files)
    assert not [path for path in output.rglob("*") if path.name.startswith(".tmp")]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_on_a_disk_too_small_for_the_logits_of_one_case_the_others_are_done(tmp_path):
    with small_disk(tmp_path / "small_disk", "400k") as output:
        model = sharp_model(tmp_path / "model", small_plan())
        images = tmp_path / "images"
        images.mkdir()
        for number, side in enumerate((9, 60, 10)):
            image = smooth_noise((side, 40, 30) if side > 50 else (side, 12, 10), seed=number)
            nib.save(nib.Nifti1Image(image, np.diag([1.5, 1.5, 2.0, 1.0])), images / f"case_{number}.nii.gz")
        rows = api.predict(model, images, output, probabilities=True, **FAST).cases
        assert [row.status for row in rows] == ["done", "failed", "done"]
        assert "No space left on device" in rows[1].error
