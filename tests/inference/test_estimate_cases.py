"""What a dry run says, against what the run counts."""

import json

import nibabel as nib
import torch
from small_plan import small_plan
from typer.testing import CliRunner
from untrained_model import AFFINE, smooth_noise, write_model

from medarch import api
from medarch.cli.app import app
from medarch.inference.engines.torch_engine import TorchEngine

OPTIONS = {"device": "cpu", "precision": "float32"}


def test_passes_are_those_of_the_run_and_larger_cases_cost_more(model_folder, tmp_path, monkeypatch):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, side in enumerate((18, 40, 64)):
        nib.save(nib.Nifti1Image(smooth_noise((side, 20, 12), seed=number), AFFINE), folder / f"case_{number}.nii.gz")
    (folder / "case_3.nii.gz").write_bytes(b"\x1f\x8bnothing")
    rows = api.estimate_prediction(model_folder, folder, mirror=False, **OPTIONS)
    assert [row.case for row in rows] == [f"case_{number}" for number in range(4)]
    tiles = []
    call = TorchEngine.__call__
    monkeypatch.setattr(TorchEngine, "__call__", lambda this, batch: tiles.append(len(batch)) or call(this, batch))
    api.predict(model_folder, folder, tmp_path / "out", mirror=False, **OPTIONS)
    assert sum(row.passes for row in rows) == sum(tiles)
    assert rows[3].passes == 0
    assert 0 < rows[0].seconds < rows[1].seconds < rows[2].seconds
    assert 0 < rows[0].peak_bytes < rows[2].peak_bytes
    mirrored = api.estimate_prediction(model_folder, folder, **OPTIONS)
    fast = api.estimate_prediction(model_folder, folder, fast=True, **OPTIONS)
    assert mirrored[2].passes > rows[2].passes > fast[2].passes


def test_probabilities_cost_time_and_memory_but_not_with_the_length_of_a_case(tmp_path):
    labels = {"background": 0, **{f"class{value}": value for value in range(1, 80)}}
    model = write_model(tmp_path / "model", small_plan(labels=labels))
    folder = tmp_path / "images"
    folder.mkdir()
    for number, length in enumerate((24, 96)):
        nib.save(nib.Nifti1Image(smooth_noise((20, 18, length)), AFFINE), folder / f"case_{number}.nii.gz")
    plain = api.estimate_prediction(model, folder, mirror=False, **OPTIONS)
    told = api.estimate_prediction(model, folder, mirror=False, probabilities=True, **OPTIONS)
    assert [row.passes for row in told] == [row.passes for row in plain]
    more_s = [one.seconds - other.seconds for one, other in zip(told, plain, strict=True)]
    assert told[1].seconds > 2 * told[0].seconds
    assert more_s[1] > 0
    more = [one.peak_bytes - other.peak_bytes for one, other in zip(told, plain, strict=True)]
    assert more[0] == more[1] > 2**26  # besides what the process has grown by


def test_beside_other_programs_one_thread_is_measured(busy_core, model_folder, images, monkeypatch):
    before = torch.get_num_threads()
    threads = []
    call = TorchEngine.__call__
    monkeypatch.setattr(
        TorchEngine, "__call__", lambda this, batch: threads.append(torch.get_num_threads()) or call(this, batch)
    )
    torch.set_num_threads(2)
    try:
        rows = api.estimate_prediction(model_folder, images / "case_0.nii.gz", mirror=False, **OPTIONS)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert (threads[0], threads[-1]) == (2, 1)
    assert all(row.seconds > 0 for row in rows)


def test_the_command_line_prints_it_and_writes_nothing(model_folder, images, tmp_path):
    command = ["predict", str(model_folder), str(images), str(tmp_path / "out"), "--dry-run", "--device", "cpu"]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0, shown.output
    assert "4 case(s), about" in shown.stdout
    rows = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert [row["case"] for row in rows] == [f"case_{number}" for number in range(4)]
    assert not (tmp_path / "out").exists()
