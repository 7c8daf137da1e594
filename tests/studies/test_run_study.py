"""Studies of finished predictions and of methods that crash: everything but training is real and quick."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
from box_study import statuses, write_map

from medarch.core.errors import DatasetError, EvaluationError, UsageError
from medarch.studies.job import JobRecord
from medarch.studies.measure_command import measure_command


def test_datasets_methods_folds_and_seeds_become_runs(study, finished, tmp_path):
    study.content["seeds"] = [1, 2]
    for seed in (1, 2):
        shutil.copytree(finished, tmp_path / f"seed_{seed}")
    for method in study.content["methods"]:
        method["predictions"] = f"seed_{{seed}}/{method['name']}/fold_{{fold}}"
    state = study.run(dry_run=True)
    names = [(run.method, run.fold, run.seed) for run in state.result.runs]
    assert names == [(method, fold, seed) for fold in (0, 1) for seed in (1, 2) for method in ("good", "bad")]
    assert {run.status for run in state.result.runs} == {"waiting"}
    assert not (study.folder / "out").exists()


def test_finished_predictions_are_measured_by_one_ruler(study):
    state = study.run()
    assert set(statuses(state).values()) == {"done"}
    rows = state.result.rows
    assert len(rows) == 2 * 8 * 2  # methods, cases, classes
    dsc = {(row.method, row.case, row.label): row.values["dsc"] for row in rows}
    # A box of 5 voxels length, shifted by one: 4 in common; the box of 4: 3.
    assert dsc["good", "patient0_frame1", "a"] == pytest.approx(0.8)
    assert dsc["good", "patient0_frame1", "b"] == pytest.approx(0.75)
    assert dsc["bad", "patient0_frame1", "a"] == pytest.approx(0.6)
    assert dsc["bad", "patient0_frame0", "a"] == 1.0
    assert {row.patient for row in rows if row.case.startswith("patient2")} == {"patient2"}


def test_the_same_command_again_does_nothing_that_is_done(study):
    first = study.run()
    again = study.run()
    assert study.told == []
    assert again.result.rows == first.result.rows
    assert {run.attempts for run in again.result.runs} == {1}


def test_a_changed_or_lost_prediction_is_not_done_any_more(study, own_finished):
    for method in study.content["methods"]:
        method["predictions"] = f"{own_finished}/{method['name']}/fold_{{fold}}"
    study.run()
    source = own_finished / "good" / "fold_0" / "patient0_frame1.nii.gz"
    write_map(source, 0 * _read(source))
    assert statuses(study.run(dry_run=True)) == {
        "good/0": "waiting",
        "good/1": "done",
        "bad/0": "done",
        "bad/1": "done",
    }
    state = study.run()
    assert [key for key, *_ in study.told] == ["Boxes/good/fold_0/seed_1"] * 2
    missed = [row for row in state.result.rows if row.method == "good" and row.case == "patient0_frame1"]
    assert {row.status for row in missed} == {"missed"}


def _read(path):
    import nibabel
    import numpy as np

    return np.asarray(nibabel.load(path).dataobj)


def test_a_missing_and_an_extra_case_are_named_before_anything_runs(study, own_finished):
    study.content["methods"][1]["predictions"] = f"{own_finished}/bad/fold_{{fold}}"
    folder = own_finished / "bad" / "fold_1"
    (folder / "patient3_frame0.nii.gz").rename(folder / "patient9_frame0.nii.gz")
    with pytest.raises(EvaluationError) as caught:
        study.run()
    assert "1 missing: patient3_frame0" in str(caught.value)
    assert "1 that nobody asked for: patient9_frame0" in str(caught.value)
    assert not (study.folder / "out" / "runs").exists()


def test_a_folder_of_all_folds_may_hold_the_other_folds(study, own_finished):
    for path in (own_finished / "bad" / "fold_1").iterdir():
        path.rename(own_finished / "bad" / "fold_0" / path.name)
    study.content["methods"][1]["predictions"] = f"{own_finished}/bad/fold_0"
    study.content["folds"] = [1]
    assert statuses(study.run()) == {"good/1": "done", "bad/1": "done"}


def test_seeds_need_predictions_of_each_seed(study):
    study.content["seeds"] = [1, 2]
    with pytest.raises(UsageError, match="same predictions to every seed"):
        study.run()


def test_a_crash_costs_only_its_runs_and_its_last_words_are_kept(study):
    study.add(name="nn", nnunet={"python": study.script("echo 'epoch 3'; echo 'RuntimeError: no luck' >&2; exit 3\n")})
    study.content["budget"] = {"epochs": 1}
    state = study.run()
    assert statuses(state) == {"good/0": "done", "bad/0": "done", "nn/0": "failed",
                               "good/1": "done", "bad/1": "done", "nn/1": "failed"}  # fmt: skip
    error = next(run.error for run in state.result.runs if run.method == "nn")
    assert error == "preparation: preprocess: exit status 3\nepoch 3\nRuntimeError: no luck"
    assert "nn,failed" in (study.folder / "out" / "preparations.csv").read_text()


# Does what nnU-Net's worker would do for nnU-Net: an interpreter that prepares, trains and copies references.
PRETENDS = """
case $2 in
preprocess) d=nnUNet_preprocessed/Dataset001_Boxes; mkdir -p $d; touch $d/splits_final.json;;
train) {train}
  echo '{{"parameters": 7, "software": {{"nnunetv2": "0"}}}}' > facts.json;;
predict) mkdir -p predictions; cp {finished}/good/*/*.nii.gz predictions/; {predict};;
esac
"""


def pretend(study, finished, train="true", predict="true"):
    return study.script(PRETENDS.format(train=train, predict=predict, finished=finished))


def test_failed_runs_are_tried_again_and_finished_steps_are_not(study, finished):
    study.add(name="nn", nnunet={"python": pretend(study, finished, train="echo x >> trained", predict="exit 4")})
    study.content["budget"] = {"epochs": 1}
    assert statuses(study.run())["nn/0"] == "failed"
    pretend(study, finished, train="echo x >> trained")
    state = study.run()
    assert statuses(state)["nn/0"] == "done"
    run = next(run for run in state.result.runs if run.method == "nn")
    assert (run.attempts, run.cost.parameters, state.result.software["nnunetv2"]) == (2, 7, "0")
    assert (study.folder / "out/runs/Boxes/nn/fold_0/seed_1/trained").read_text() == "x\n"
    assert run.cost.train_s is not None


def test_the_cost_is_that_of_all_processes_of_the_run(study, finished):
    # A child of a child burns the time and holds the memory.
    burn = (
        "python3 -c \"import subprocess; subprocess.run(['python3', '-c', "
        "'import time; a = bytearray(150000000); t = time.process_time()\\nwhile time.process_time() - t < 1: pass'])\""
    )
    study.add(name="nn", nnunet={"python": pretend(study, finished, train=burn)})
    study.content |= {"budget": {"epochs": 1}, "folds": 1}
    cost = next(run.cost for run in study.run().result.runs if run.method == "nn")
    assert 1.0 <= cost.cpu_hours * 3600 < 10
    assert 150e6 <= cost.peak_memory_bytes < 400e6
    assert cost.train_s >= 1.0
    assert cost.gpu_hours == 0


def test_a_run_that_hangs_is_ended_with_all_its_children(study, finished):
    study.add(name="nn", nnunet={"python": pretend(study, finished, train="sleep 1234 & echo $! > child; wait")})
    study.content |= {"budget": {"epochs": 1}, "timeout": 1, "folds": 1}
    run = next(run for run in study.run().result.runs if run.method == "nn")
    assert (run.status, run.error) == ("failed", "train: took longer than the timeout")
    child = (study.folder / "out/runs/Boxes/nn/fold_0/seed_1/child").read_text().strip()
    assert not _alive(int(child))


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stream:  # noqa: PTH123
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"budget": {"epochs": 2}}, "budget"),
        ({"device": "auto"}, "device"),
        ({"methods": [{"name": "good", "predictions": "elsewhere"}]}, None),
    ],
)
def test_a_change_that_would_mix_results_is_refused(study, change, named):
    study.content["budget"] = {"epochs": 1}
    study.run()
    study.content |= change
    with pytest.raises((UsageError, EvaluationError)) as caught:
        study.run()
    if named:
        assert caught.value.summary.startswith(f"{named}: not what earlier runs")
        assert statuses(study.run(restart=True))["good/0"] == "done"


def test_other_folds_are_refused_and_more_methods_are_welcome(study, dataset, tmp_path):
    study.content["methods"], rest = study.content["methods"][:1], study.content["methods"][1:]
    study.run()
    study.content["methods"] += rest
    study.content["evaluation"] = {"nsd_tolerance_mm": 2.0}
    assert len({row.method for row in study.run().result.rows}) == 2
    splits = json.loads((dataset / "splits_final.json").read_text())
    (tmp_path / "splits.json").write_text(json.dumps([*splits, splits[0]]))
    study.content["datasets"][0]["splits"] = "splits.json"
    study.content["folds"] = [0, 1]
    with pytest.raises(UsageError, match="dataset Boxes: not what earlier runs"):
        study.run()


def test_only_runs_the_methods_named(study):
    state = study.run(only=["bad"])
    assert statuses(state) == {"good/0": "waiting", "bad/0": "done", "good/1": "waiting", "bad/1": "done"}
    with pytest.raises(UsageError, match="no method ugly"):
        study.run(only=["ugly"])


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"patient": "patient[0-9]+"}, "must have one group"),
        ({"patient": "(subject[0-9]+)"}, "finds no patient in 8 case"),
        ({"patient": "("}, "no regular expression"),
    ],
)
def test_patients_must_be_found_in_every_case(study, entry, says):
    study.content["datasets"][0] |= entry
    with pytest.raises(UsageError, match=says):
        study.run()


def test_a_fold_that_does_not_exist_is_refused(study):
    study.content["folds"] = [0, 2]
    with pytest.raises(UsageError, match="has no fold 2"):
        study.run()


def test_unusable_splits_are_refused(study, tmp_path):
    (tmp_path / "s.json").write_text('[{"train": ["patient0_frame0"], "val": ["nobody"]}]')
    study.content["datasets"][0]["splits"] = "s.json"
    with pytest.raises(DatasetError, match="not usable"):
        study.run()


def test_two_commands_on_one_study_are_refused(study):
    import fcntl

    study.run()
    with (study.folder / "out" / ".lock").open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another command works"):
            study.run()


def test_what_a_killed_command_left_running_is_ended_first(study, finished):
    from medarch.studies.leftover import Leftover

    study.add(name="nn", nnunet={"python": pretend(study, finished)})
    study.content |= {"budget": {"epochs": 1}, "folds": 1}
    folder = study.folder / "out/runs/Boxes/nn/fold_0/seed_1"
    orphan = subprocess.Popen(["sleep", "1234"], start_new_session=True)
    try:
        kept = Leftover.marked(folder, orphan.pid)
        kept.__enter__()  # and no exit: the command was killed
        assert statuses(study.run())["nn/0"] == "done"
        assert orphan.wait(10) == -9
        assert JobRecord.of(folder).attempts == 1
    finally:
        orphan.kill()


@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_an_interrupted_command_leaves_nothing_behind_that_disturbs_the_next(study, finished, name):
    waits = "[ -e ../../../../../../go ] || { sleep 1234 & echo $! > child; wait; }"
    study.add(name="nn", nnunet={"python": pretend(study, finished, train=waits)})
    study.content |= {"budget": {"epochs": 1}, "folds": 1}
    child = study.folder / "out/runs/Boxes/nn/fold_0/seed_1/child"
    # Tests that a shell runs in the background ignore SIGINT, and so would this command.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = [sys.executable, "-c", f"{heed}; from medarch.cli import main; main()", "compare", str(study.file)]
    command = subprocess.Popen(program, stderr=subprocess.PIPE, text=True)
    while not child.exists() or not child.read_text():
        assert command.poll() is None
        time.sleep(0.05)
    command.send_signal(getattr(signal, name))
    _, said = command.communicate(timeout=60)
    assert command.returncode == (130 if name == "SIGINT" else -9)
    if name == "SIGINT":
        assert "the same command goes on from here" in said
        assert not _alive(int(child.read_text()))
    states = statuses(study.run(dry_run=True))
    assert states["nn/0"] == "waiting"
    (study.folder / "go").touch()
    assert statuses(study.run())["nn/0"] == "done"
    assert not _alive(int(child.read_text()))


def test_a_command_that_was_killed_before_it_left_its_mark_starts_nothing(tmp_path):
    """Between the start of a session and its mark there is a moment; what begins then would never be found again."""
    program = (
        "import os, signal, sys; from pathlib import Path; from medarch.studies import measure_command as module\n"
        "module.Leftover.marked = lambda folder, session: os.kill(os.getpid(), signal.SIGKILL)\n"
        "here = Path(sys.argv[1])\n"
        "module.measure_command(['touch', 'begun'], folder=here, log=here / 'log', environment={})"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == -signal.SIGKILL
    time.sleep(1)
    assert not (tmp_path / "begun").exists()
    assert measure_command(["touch", "begun"], folder=tmp_path, log=tmp_path / "log", environment={}).status == 0
    assert (tmp_path / "begun").exists()


def test_a_4d_file_becomes_one_file_a_channel_for_nnunet(tmp_path):
    import nibabel
    import numpy as np

    from medarch.studies.nnunet_worker import link_raw

    volumes = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5, 2)
    nibabel.save(nibabel.Nifti1Image(volumes, np.diag([1.0, 2.0, 3.0, 1.0])), tmp_path / "a.nii.gz")
    write_map(tmp_path / "label.nii.gz", np.zeros((3, 4, 5)))
    spec = {
        "channels": ["T1", "T2"],
        "labels": {"labels": {"background": 0, "a": 1}, "regions_class_order": None},
        "cases": {"a": {"images": [str(tmp_path / "a.nii.gz")], "label": str(tmp_path / "label.nii.gz")}},
    }
    link_raw(spec, tmp_path / "raw")
    for channel in (0, 1):
        written = nibabel.load(tmp_path / "raw" / "imagesTr" / f"a_000{channel}.nii.gz")
        assert np.array_equal(written.get_fdata(), volumes[..., channel])
        assert np.allclose(written.header.get_zooms(), (1, 2, 3))
    assert json.loads((tmp_path / "raw" / "dataset.json").read_text()) == {
        "channel_names": {"0": "T1", "1": "T2"},
        "labels": {"background": 0, "a": 1},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
