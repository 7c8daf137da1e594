"""A run that takes more memory than predicted, or runs out of it, goes on with a lever pulled, and says so."""

import logging

import pytest
import torch

from medarch.core.errors import OutOfMemoryError
from medarch.core.memory_record import MemoryRecord
from medarch.tasks.segmentation import Segmentation
from medarch.training import memory_guard


@pytest.fixture
def run(train_small, tmp_path):
    """``run(expected_bytes)`` trains a tiny network for two epochs and returns its summary and ``memory.json``."""

    def train(expected, **training):
        how = {"expected_bytes": expected}
        summary = train_small(how=how, changes={"batch_dice": False}, **{"epochs": 2, **training})
        return summary, MemoryRecord.load(tmp_path / "fold" / "memory.json")

    return train


def test_the_measured_peak_is_written_beside_the_prediction(run):
    summary, record = run(lambda _: 2**33)
    assert record.predicted_bytes == summary.predicted_memory_bytes == 2**33
    assert 0 < record.measured_bytes == summary.peak_memory_bytes
    assert record.levers == ()


def test_a_run_that_passes_the_prediction_goes_on_with_the_next_lever(run, monkeypatch, caplog):
    monkeypatch.setitem(memory_guard.FLOOR_BYTES, "cpu", 0)
    with caplog.at_level(logging.WARNING):
        summary, record = run(lambda found: 1 if found.batch_size == 2 else 2**40)
    assert record.levers == ("accumulate",)
    assert summary.iterations == 4
    assert "accumulate" in caplog.text


def test_a_run_without_a_lever_left_goes_on_as_it_is(run, monkeypatch):
    monkeypatch.setitem(memory_guard.FLOOR_BYTES, "cpu", 0)
    summary, record = run(lambda _: 1, checkpoint="stages")
    assert record.levers == ("accumulate",)
    assert summary.epochs == 2
    assert record.measured_bytes > record.predicted_bytes


def fail_above(rows, monkeypatch):
    plain = Segmentation.loss

    def loss(self, outputs, target):
        if len(target) > rows:
            torch.empty(2**60)
        return plain(self, outputs, target)

    monkeypatch.setattr(Segmentation, "loss", loss)


def test_a_run_that_is_out_of_memory_goes_on_with_the_next_lever(run, monkeypatch):
    fail_above(1, monkeypatch)
    _, record = run(lambda _: 2**40)
    assert record.levers == ("accumulate",)


def test_out_of_memory_names_the_lever_to_pull(run, monkeypatch):
    fail_above(0, monkeypatch)
    with pytest.raises(OutOfMemoryError, match=r"halve batch_size and set training\.accumulate to 2"):
        run(None)
    with pytest.raises(OutOfMemoryError, match="lower patch_voxels"):
        run(lambda _: 2**40)
