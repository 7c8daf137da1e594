"""The training log and its picture."""

import numpy as np
import pytest
from PIL import Image

from medarch.core.errors import TrainingError
from medarch.reporting.draw_curves import draw_curves
from medarch.reporting.training_log import read_training_log

HEADING = "epoch,iteration,train_loss,validation_loss,validation_score,smoothed_score,learning_rate,seconds\n"


def test_columns_are_numbers_and_empty_cells_are_nan(study):
    log = read_training_log(study.training_log)
    np.testing.assert_array_equal(log["epoch"], [0, 1, 2, 3])
    np.testing.assert_array_equal(log["validation_loss"], [np.nan, 0.2, np.nan, -0.4])


def test_picture_shows_the_curves_in_their_colours(study, tmp_path):
    target = tmp_path / "curves.png"
    draw_curves(study.training_log, target)
    with Image.open(target) as image:
        assert image.size == (1500, 450)
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    for colour in ((0x3F, 0x8F, 0xC9), (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73), (0xB0, 0x69, 0x9A)):
        assert (pixels == colour).all(axis=1).sum() > 100
    assert list(tmp_path.iterdir()) == [target]


def test_log_of_one_epoch_without_validation_is_drawn(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text(HEADING + "0,10,0.5,,,,0.01,3.5\n")
    draw_curves(log, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert (pixels == (0x3F, 0x8F, 0xC9)).all(axis=1).any()


def test_a_row_cut_off_by_a_kill_is_read_as_far_as_it_goes(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text(HEADING + "0,10,0.5,0.4,0.1,0.1,0.01,3.5\n1,20,0.3")
    assert np.isnan(read_training_log(log)["seconds"][1])
    assert read_training_log(log)["train_loss"][1] == 0.3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no rows"),
        (HEADING, "no rows"),
        ("epoch,loss\n1,2\n", "train_loss"),
        (HEADING + "0,10,abc,,,,,\n", "'abc'"),
    ],
)
def test_something_else_is_refused_and_nothing_is_written(tmp_path, content, message):
    log = tmp_path / "log.csv"
    log.write_text(content)
    with pytest.raises(TrainingError, match=message):
        draw_curves(log, tmp_path / "curves.png")
    assert list(tmp_path.iterdir()) == [log]


def test_missing_log_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"none\.csv"):
        draw_curves(tmp_path / "none.csv", tmp_path / "curves.png")
