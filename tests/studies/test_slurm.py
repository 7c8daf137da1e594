"""The same studies through a real slurmctld and slurmd on this machine."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from box_study import Study, statuses
from slurm_cluster import cluster  # noqa: F401 - a fixture

from medarch.studies.job import JobRecord
from medarch.studies.run_slurm import live_jobs, slurm_executor
from medarch.studies.study_file import SlurmArray

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cluster")]
SLURM = {"slurm": {"cpus": 1, "parallel": 2}}
SMALL = """
patch_voxels: [24, 24, 24]
batch_size: 2
network:
  features: [8, 16]
  strides: [[1, 1, 1], [2, 2, 2]]
  kernels: [[3, 3, 3], [3, 3, 3]]
  blocks: [1, 1]
  decoder_blocks: [1]
training:
  momentum: 0.9
  learning_rate: 0.03
  iterations_per_epoch: 30
  validation_iterations: 1
inference:
  mirror_axes: []
"""
SAMPLE = Path(__file__).parents[2] / "data_samples" / "hippocampus"


@pytest.fixture
def trained(study, tmp_path):
    """Two plans that are trained for one epoch, on two folds of six real cases."""
    folder = tmp_path / "Six"
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
        for path in sorted((SAMPLE / part).iterdir())[:6]:
            (folder / part / path.name).symlink_to(path)
    cases = sorted(path.name.removesuffix(".nii.gz") for path in (folder / "labelsTr").iterdir())
    content = json.loads((SAMPLE / "dataset.json").read_text())
    entries = [{"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"} for case in cases]
    (folder / "dataset.json").write_text(json.dumps(content | {"training": entries, "test": [], "numTraining": 6}))
    splits = [{"train": cases[2:], "val": cases[:2]}, {"train": cases[:4], "val": cases[4:]}]
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "adamw.yaml").write_text("training: {optimizer: adamw, learning_rate: 0.01}")
    study.content |= {
        "datasets": [{"path": str(folder), "name": "six", "splits": "splits.json"}],
        "methods": [
            {"name": "sgd", "plan": "nnunet", "configuration": "3d_fullres", "with": ["small.yaml"]},
            {"name": "adamw", "plan": "nnunet", "configuration": "3d_fullres", "with": ["small.yaml", "adamw.yaml"]},
        ],
        "budget": {"epochs": 1},
    }
    return study


def test_the_same_study_gives_the_same_table_here_and_through_slurm(trained):
    trained.content |= {"output": "here", "run_on": {"local": {"workers": 2}}}
    here = trained.run().result
    trained.content |= {"output": "slurm", "run_on": SLURM}
    there = trained.run().result
    assert {run.status for run in (*here.runs, *there.runs)} == {"done"}
    assert len(there.rows) == 2 * 4 * 2
    assert len({row.values["dsc"] for row in there.rows}) > 4  # something was learnt, and differs
    assert there.rows == here.rows
    assert list((trained.folder / "slurm" / "slurm" / "submitit").glob("*_0_log.out"))


def test_a_job_that_is_cancelled_is_shown_as_failed_and_finishes_when_run_again(study, finished):
    wait = "[ -e ../../../../../../go ] || sleep 600"
    study.add(name="nn", nnunet={"python": pretender(study, finished, wait)})
    study.content |= {"budget": {"epochs": 1}, "folds": 1, "run_on": SLURM}
    states = []
    thread = threading.Thread(target=lambda: states.append(study.run()))
    thread.start()
    folder = study.folder / "out/runs/Boxes/nn/fold_0/seed_1"
    until((folder / "training").exists)
    subprocess.run(["scancel", live_jobs(study.folder / "out/slurm")["Boxes/nn/fold_0/seed_1"]], check=True)
    thread.join(120)
    assert statuses(states[0]) == {"good/0": "done", "bad/0": "done", "nn/0": "failed"}
    error = next(run.error for run in states[0].result.runs if run.method == "nn")
    assert "CANCELLED" in error or "SIGTERM" in error
    (study.folder / "go").touch()
    again = study.run()
    assert statuses(again)["nn/0"] == "done"
    assert next(run.attempts for run in again.result.runs if run.method == "nn") == 2


def test_a_command_that_is_interrupted_finds_its_jobs_again(study, finished):
    study.add(name="nn", nnunet={"python": pretender(study, finished, "sleep 8")})
    study.content |= {"budget": {"epochs": 1}, "folds": 1, "run_on": SLURM}
    folder = study.folder / "out/runs/Boxes/nn/fold_0/seed_1"
    command = subprocess.Popen(compare(study), stderr=subprocess.DEVNULL)
    until((folder / "training").exists)
    command.kill()
    command.wait()
    job = live_jobs(study.folder / "out/slurm")["Boxes/nn/fold_0/seed_1"]
    state = study.run()
    assert statuses(state)["nn/0"] == "done"
    assert ("Boxes/nn/fold_0/seed_1", "waiting", f"already with Slurm as {job}") in study.told
    assert JobRecord.of(folder).attempts == 1


def pretender(study: Study, finished: Path, training: str) -> str:
    """An interpreter that only waits while it trains, and copies predictions."""
    return study.script(
        f"""case $2 in
preprocess) d=nnUNet_preprocessed/Dataset001_Boxes; mkdir -p $d; touch $d/splits_final.json;;
train) touch training; {training}; echo '{{"parameters": 1}}' > facts.json;;
predict) mkdir -p predictions; cp {finished}/good/*/*.nii.gz predictions/;;
esac
"""
    )


def compare(study: Study) -> list[str]:
    return [sys.executable, "-c", "from medarch.cli import main; main()", "compare", str(study.file)]


def until(reached) -> None:
    limit = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < limit
        time.sleep(0.1)


@pytest.mark.parametrize(("limit", "asked"), [(None, None), (7200.0, "#SBATCH --time=120")])
def test_a_job_has_the_time_limit_of_the_study_and_else_none_of_its_own(limit, asked, tmp_path):
    executor = slurm_executor(SlurmArray(time=limit, cpus=2, memory_gb=1.5), tmp_path)
    lines = executor._make_submission_file_text("true", "1").splitlines()
    assert [line for line in lines if "--time" in line] == ([asked] if asked else [])
    assert {"#SBATCH --mem=1536M", "#SBATCH --cpus-per-task=2"} <= set(lines)
