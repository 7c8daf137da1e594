"""Whatever happens to a case: the run ends, every other case is done, and the cause is named."""

import errno
import itertools
import os
import random
import threading

import nibabel as nib
import numpy as np
import pytest
import torch
from small_disk import small_disk
from untrained_model import AFFINE, smooth_noise

from medarch import api
from medarch.inference import pipeline
from medarch.inference.engines.torch_engine import TorchEngine
from medarch.inference.with_less_memory import with_less_memory

OPTIONS = {"device": "cpu", "precision": "float32", "mirror": False}
PATIENCE_S = 120
CAUSES = {
    "damaged": ("E300",),
    "disk full": ("No space left on device",),
    "writer ended": ("SystemExit",),
    "writer out of memory": ("MemoryError",),
    "no memory for the network": ("E610", "not enough memory"),
    "fault in the network": ("ValueError", "planted"),
}


class Faults:
    """Plants faults where the real ones happen, by case."""

    def __init__(self, monkeypatch):
        self.planted = {}
        self.case = None
        write, ask, call = pipeline.write_volume, pipeline.predict_labels, TorchEngine.__call__

        def write_volume(path, *args, **options):
            fault = self.planted.get(path.name.split(".")[0])
            if fault == "disk full":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            if fault == "writer ended":
                raise SystemExit(1)
            if fault == "writer out of memory":
                raise MemoryError
            write(path, *args, **options)

        def predict_labels(model, prepared, **options):
            self.case = prepared.record.id
            return ask(model, prepared, **options)

        def engine(this, tiles):
            fault = self.planted.get(self.case)
            if fault == "no memory for the network":
                torch.empty(2**50)  # torch's own words
            if fault == "fault in the network":
                raise ValueError("planted")
            return call(this, tiles)

        monkeypatch.setattr(pipeline, "write_volume", write_volume)
        monkeypatch.setattr(pipeline, "predict_labels", predict_labels)
        monkeypatch.setattr(TorchEngine, "__call__", engine)


def run(*args, **options):
    """In a thread, so that a hang is a failure and not the end of the tests."""
    found = []
    thread = threading.Thread(target=lambda: found.append(api.predict(*args, **OPTIONS, **options)), daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "the run hangs"
    return found[0]


def plant(faults, folder, count, draw):
    faults.planted = {}
    for number in range(count):
        name = f"case_{number}"
        path = folder / f"{name}.nii.gz"
        nib.save(nib.Nifti1Image(smooth_noise((18, 20, 12), seed=number), AFFINE), path)
        fault = draw.choice([*CAUSES, None])
        if fault is not None:
            faults.planted[name] = fault
        if fault == "damaged":
            content = path.read_bytes()
            path.write_bytes(content[: draw.randrange(1, len(content) - 8)])


@pytest.mark.parametrize("wanted", [30, pytest.param(200, marks=pytest.mark.slow)])
def test_no_fault_stops_a_run_or_another_case(model_folder, tmp_path, monkeypatch, wanted):
    faults = Faults(monkeypatch)
    draw = random.Random(wanted)
    injected = 0
    for number in itertools.count():
        folder = tmp_path / f"images_{number}"
        folder.mkdir()
        plant(faults, folder, draw.randrange(1, 7), draw)
        injected += len(faults.planted)
        prediction = run(model_folder, folder, tmp_path / f"out_{number}")
        for row in prediction.cases:
            fault = faults.planted.get(row.case)
            assert row.status == ("done" if fault is None else "failed")
            assert all(text in (row.error or "") for text in CAUSES.get(fault, ())), row.error
        faults.planted = {}
        if number % 5 == 0 and prediction.failed:  # the same command again does what was not done
            for row in prediction.failed:
                nib.save(nib.Nifti1Image(smooth_noise((18, 20, 12), seed=1), AFFINE), row.images[0])
            again = run(model_folder, folder, tmp_path / f"out_{number}")
            assert not again.failed
            assert [row.status for row in again.cases].count("done") == len(prediction.failed)
        if injected >= wanted:
            return


def test_a_case_whose_size_cannot_be_told_holds_up_no_other(model_folder, images, tmp_path, monkeypatch):
    tell = pipeline.case_bytes

    def case_bytes(case, configurations):
        if case.id == "case_1":
            raise ValueError("planted")
        return tell(case, configurations)

    monkeypatch.setattr(pipeline, "case_bytes", case_bytes)
    rows = run(model_folder, images, tmp_path / "out").cases
    assert [row.status for row in rows] == ["done", "failed", "done", "done"]
    assert "planted" in rows[1].error


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA"), MemoryError()])
def test_every_kind_of_failed_allocation_is_tried_again_with_less(error):
    footings = []

    def attempt(footing):
        footings.append(footing.voxels_per_pass)
        if len(footings) < 3:
            raise error
        return "done"

    assert with_less_memory("case", torch.device("cpu"), attempt) == "done"
    assert footings[0] > footings[1] > footings[2] == 1


def test_after_a_failed_allocation_fewer_tiles_go_at_once_and_labels_stay(model_folder, images, tmp_path, monkeypatch):
    expected = run(model_folder, images, tmp_path / "expected")
    call = TorchEngine.__call__
    sizes = []

    def engine(this, tiles):
        sizes.append(len(tiles))
        if len(tiles) > 1:
            torch.empty(2**50)
        return call(this, tiles)

    monkeypatch.setattr(TorchEngine, "__call__", engine)
    found = run(model_folder, images, tmp_path / "found")
    assert max(sizes) > 1
    for one, other in zip(expected.cases, found.cases, strict=True):
        np.testing.assert_array_equal(nib.load(one.output).dataobj, nib.load(other.output).dataobj)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_on_a_disk_that_is_really_full_the_cases_that_fit_are_done(model_folder, tmp_path):
    with small_disk(tmp_path / "small_disk", "64k") as output:
        images = tmp_path / "images"
        images.mkdir()
        for number, side in enumerate((14, 150, 15)):
            image = smooth_noise((side, 60, 40) if side > 100 else (side, 16, 12), seed=number)
            nib.save(nib.Nifti1Image(image, AFFINE), images / f"case_{number}.nii.gz")
        prediction = run(model_folder, images, output)
        assert [row.status for row in prediction.cases] == ["done", "failed", "done"]
        assert "No space left on device" in prediction.cases[1].error
