import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from medarch.core.errors import TrainingError
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.prepare_case import PreparedArrays
from medarch.training.train_fold import WEIGHTS


@pytest.fixture
def run(train_small):
    """``run(epochs=3)`` trains a tiny network in the same folder each time."""
    return lambda *, resume=True, **training: train_small(how={"resume": resume}, **training)


def log(folder):
    with (folder / "fold" / "log.csv").open(newline="") as stream:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(stream)]


def test_a_run_leaves_weights_log_checkpoints_and_a_summary(run, tmp_path):
    summary = run(weight_average_decay=0.9)
    assert (summary.epochs, summary.iterations) == (3, 6)
    assert 0 <= summary.final_score <= 1
    assert [row["epoch"] for row in log(tmp_path)] == ["0", "1", "2"]
    assert all(float(row["train_loss"]) < 2 for row in log(tmp_path))
    assert len(load_file(tmp_path / "fold" / WEIGHTS)) > 10
    assert {path.name for path in (tmp_path / "fold" / "checkpoints").iterdir()} >= {"best.ckpt", "last.ckpt"}


def test_a_finished_run_is_not_trained_again_but_a_restarted_one_is(run, tmp_path):
    first = run()
    weights = tmp_path / "fold" / WEIGHTS
    written = weights.stat().st_mtime_ns
    assert run() == first
    assert weights.stat().st_mtime_ns == written
    content, rows = weights.read_bytes(), log(tmp_path)
    run(resume=False)
    assert weights.stat().st_mtime_ns != written
    assert weights.read_bytes() == content
    assert log(tmp_path) == rows


def test_another_plan_in_the_same_folder_is_refused_until_restarted(run, tmp_path):
    run()
    with pytest.raises(TrainingError, match="--restart"):
        run(learning_rate=0.5)
    (tmp_path / "fold" / "training.json").unlink()
    with pytest.raises(TrainingError, match="another plan"):
        run(learning_rate=0.5)
    assert run(learning_rate=0.5, resume=False).epochs == 3


def test_a_changed_label_is_not_mixed_into_a_run_before_it_is_restarted(train_small, sample_store, tmp_path):
    train_small(epochs=1)
    copy = CaseStore(Path(shutil.copytree(sample_store.folder, tmp_path / "store")))
    assert train_small(epochs=1, how={"store": copy}).epochs == 1
    case = copy.ids()[0]
    record = copy.record(case).model_copy(update={"source_sha256": "of a corrected label map"})
    label = np.array(copy.read_label(case))
    label[label == 2] = 1
    copy.write(PreparedArrays(copy.read_image(case), label, record), copy.locations(case))
    for finished in (True, False):
        with pytest.raises(TrainingError, match="other images, labels or landmarks"):
            train_small(epochs=1, how={"store": copy})
        if finished:
            (tmp_path / "fold" / "training.json").unlink()
    assert train_small(epochs=1, how={"store": copy, "resume": False}).epochs == 1


def test_a_run_of_a_version_without_a_data_hash_goes_on(run, tmp_path):
    run(epochs=1)
    for name in ("training.json", "data.sha256"):
        (tmp_path / "fold" / name).unlink()
    assert run(epochs=1).epochs == 1


def test_a_plateau_stops_the_run_and_it_stays_stopped_after_a_kill_before_the_weights(run, tmp_path):
    still = {"epochs": 9, "patience_epochs": 2, "learning_rate": 1e-12}
    first = run(**still)
    assert first.iterations == 2 * 3
    weights, rows = (tmp_path / "fold" / WEIGHTS).read_bytes(), log(tmp_path)
    for name in ("training.json", WEIGHTS):
        (tmp_path / "fold" / name).unlink()
    again = run(**still)
    assert (again.iterations, again.final_score) == (first.iterations, first.final_score)
    assert log(tmp_path) == rows
    assert (tmp_path / "fold" / WEIGHTS).read_bytes() == weights


def test_a_time_budget_ends_the_run_with_the_schedule_at_its_end(run, tmp_path):
    summary = run(epochs=10_000, time_budget_s=3.0)
    assert summary.seconds >= 3.0
    assert summary.epochs < 10_000
    assert float(log(tmp_path)[-1]["learning_rate"]) == 0.0


def test_a_broken_loss_stops_before_it_replaces_a_checkpoint(run, tmp_path):
    with pytest.raises(TrainingError, match="infinite or NaN"):
        run(learning_rate=1e30, gradient_clip=0.0)
    assert not (tmp_path / "fold" / WEIGHTS).exists()
    assert not (tmp_path / "fold" / "checkpoints" / "last.ckpt").exists()


def test_epochs_train_on_other_batches_and_validate_on_the_same(run, tmp_path):
    run(learning_rate=1e-12)
    rows = log(tmp_path)
    assert len({row["train_loss"] for row in rows}) == 3
    validation = [float(row["validation_loss"]) for row in rows]
    assert validation == pytest.approx([validation[0]] * 3, abs=1e-5)
