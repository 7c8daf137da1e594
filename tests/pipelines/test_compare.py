"""``medarch compare`` as it is called."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from medarch.cli.app import app
from medarch.studies.read_study import read_study

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "data_samples" / "hippocampus"


@pytest.fixture
def study(tmp_path):
    """Finished predictions for two folds of the sample: the references, and a copy with some cases emptied."""
    import nibabel
    import numpy as np

    cases = sorted(path.name for path in (SAMPLE / "labelsTr").glob("*.nii.gz"))[:6]
    names = [name.removesuffix(".nii.gz") for name in cases]
    splits = [{"train": names[3:], "val": names[:3]}, {"train": names[:3], "val": names[3:]}]
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    for method in ("perfect", "lazy"):
        (tmp_path / method).mkdir()
        for name in cases:
            image = nibabel.load(SAMPLE / "labelsTr" / name)
            empty = method == "lazy" and name in cases[::2]
            array = np.zeros(image.shape, np.uint8) if empty else np.asarray(image.dataobj).astype(np.uint8)
            nibabel.save(nibabel.Nifti1Image(array, image.affine), tmp_path / method / name)
    content = {
        "name": "finished",
        "datasets": [{"path": str(SAMPLE), "name": "sample", "splits": "splits.json"}],
        "methods": [{"name": name, "predictions": name} for name in ("perfect", "lazy")],
        "device": "cpu",
    }
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def run(*arguments):
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def test_finished_predictions_become_tables(study):
    listed = run(study, "--dry-run", "--json")
    assert listed.exit_code == 0, listed.output
    assert {run["status"] for run in json.loads(listed.stdout.splitlines()[-1])["runs"]} == {"waiting"}
    assert not (study.parent / "finished").exists()
    result = run(study)
    assert result.exit_code == 0, result.output
    assert "4 done" in result.stdout
    written = {path.suffix for path in (study.parent / "finished").iterdir()}
    assert {".md", ".html", ".tex", ".csv"} <= written
    text = next((study.parent / "finished").glob("*.md")).read_text()
    assert "perfect" in text
    assert "lazy" in text


def test_a_crashing_method_exits_with_1_and_the_others_are_there(study):
    content = yaml.safe_load(study.read_text())
    (study.parent / "python").write_text("#!/bin/sh\necho boom; exit 3\n")
    (study.parent / "python").chmod(0o755)
    content["methods"].append({"name": "nn", "nnunet": {"python": "python"}})
    content["budget"] = {"epochs": 1}
    study.write_text(yaml.safe_dump(content))
    result = run(study, "--json")
    assert result.exit_code == 1
    runs = json.loads(result.stdout.splitlines()[-1])["runs"]
    assert {(run["method"], run["status"]) for run in runs} == {("perfect", "done"), ("lazy", "done"), ("nn", "failed")}
    assert "boom" in next(run["error"] for run in runs if run["method"] == "nn")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"methods": [{"name": "a", "plan": "autoo"}]}, "methods[0].plan: unknown 'autoo'"),
        ({"methods": [{"name": "a", "plan": "auto", "architecture": "vit"}]}, "methods[0].architecture: unknown 'vit'"),
        ({"methods": [{"name": "a", "predictions": "nowhere"}]}, "predictions are not of the cases"),
        ({"folds": [7]}, "has no fold 7"),
    ],
)
def test_what_cannot_be_compared_exits_with_2(study, change, says):
    study.write_text(yaml.safe_dump(yaml.safe_load(study.read_text()) | {"budget": {"epochs": 1}} | change))
    result = run(study)
    assert result.exit_code == 2
    assert says in result.stderr
    assert not (study.parent / "finished" / "runs").exists()


def test_the_study_in_the_repository_can_be_read(tmp_path):
    study = yaml.safe_load((REPOSITORY / "configs/studies/hippocampus.yaml").read_text())
    for method in study["methods"]:
        if "nnunet" in method:
            method["nnunet"]["python"] = sys.executable
    study["datasets"][0]["path"] = str(SAMPLE)
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(study))
    assert [method.name for method in read_study(tmp_path / "s.yaml").methods] == [
        "nnunet", "medarch-auto", "residual-unet",
    ]  # fmt: skip


def test_the_example_in_the_documentation_is_a_study(tmp_path):
    text = (REPOSITORY / "docs/studies.md").read_text()
    example = yaml.safe_load(text.split("```yaml")[1].split("```")[0])
    for place in (
        "../data/Task04_Hippocampus",
        "../data/Dataset027_ACDC",
        "splits_final.json",
        "adamw.yaml",
        "envs/bin",
    ):
        path = tmp_path / "study" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    example["methods"][0]["nnunet"]["python"] = "envs"
    file = tmp_path / "study" / "study.yaml"
    file.write_text(yaml.safe_dump(example))
    read = read_study(file)
    assert [method.name for method in read.methods] == ["nnunet", "auto", "residual", "theirs"]
    assert read.timeout == 6 * 3600


@pytest.mark.slow
@pytest.mark.peer
def test_the_story_runs_with_nnunet(tmp_path):
    """A few seconds a run: everything happens, nothing is learnt."""
    python = Path(os.environ.get("MEDARCH_PEER_PYTHON", REPOSITORY.parent / "envs/peer/bin/python"))
    if not python.exists():
        pytest.skip(f"no nnU-Net at {python}")
    script = REPOSITORY / "pipelines/compare_with_nnunet.py"
    options = ["--dataset", SAMPLE, "--peer-python", python, "--budget", "5s", "--folds", "1", "--output", tmp_path]
    done = subprocess.run([sys.executable, script, *map(str, options)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 runs" in done.stdout
