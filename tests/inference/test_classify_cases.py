"""Classifiers on many cases: what is written, what goes on after a kill, and what a bad case costs."""

import csv

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from small_plan import small_plan

from medarch.core.classes import ClassScheme
from medarch.core.dataset import Case
from medarch.core.errors import ModelError, PredictionError
from medarch.core.geometry import Geometry
from medarch.core.prediction import Prediction
from medarch.inference.classify_cases import classify_cases
from medarch.inference.load_case_model import load_case_model
from medarch.inference.model_folder import ModelInfo, weights_name
from medarch.io.read_volume import read_volume
from medarch.io.write_volume import write_volume
from medarch.tasks.classification import Classification
from medarch.tasks.create_task import create_task

NAMES = ("normal", "benign", "malignant")
SHAPE = (20, 22, 18)


def model_folder(folder, *, folds=("0",), multi_label=False, bias=0.0):
    plan = small_plan(task="classification", classes=ClassScheme(names=NAMES, multi_label=multi_label))
    task = create_task(plan, plan.configuration())
    folder.mkdir()
    for number, fold in enumerate(folds):
        torch.manual_seed(number)
        network = task.build_network()
        state = {name: value.contiguous() for name, value in network.state_dict().items()}
        state["head.linear.bias"] = state["head.linear.bias"] + bias
        save_file(state, folder / weights_name(fold))
    plan.save(folder / "plan.json")
    ModelInfo(configuration="small", folds=folds).save(folder / "model.json")
    return folder


@pytest.fixture
def cases(tmp_path):
    made = []
    for number in range(3):
        path = tmp_path / f"c{number}.nii.gz"
        image = np.random.default_rng(number).normal(100, 20, SHAPE).astype(np.float32)
        write_volume(path, image, Geometry.from_array(SHAPE, np.diag([1.5, 1.5, 2.0, 1.0])))
        made.append(Case(id=f"c{number}", images=(path,)))
    return made


def test_every_case_has_probabilities_a_decision_and_a_saliency_map_on_its_grid(tmp_path, cases):
    model = load_case_model(model_folder(tmp_path / "model"), Classification)
    found = classify_cases(model, cases, tmp_path / "out")
    assert [row.status for row in found.cases] == ["done"] * 3
    for row, case in zip(found.cases, cases, strict=True):
        shares = row.class_probabilities
        assert sum(shares.values()) == pytest.approx(1)
        assert row.classes == (max(shares, key=shares.get),)
        saliency, image = read_volume(row.saliency), read_volume(case.images[0])
        assert not saliency.geometry.differences(image.geometry)
        assert saliency.array.dtype == np.uint8
    assert Prediction.load(tmp_path / "out" / "predictions.json") == found
    with (tmp_path / "out" / "predictions.csv").open() as stream:
        table = list(csv.DictReader(stream))
    assert [row["case"] for row in table] == ["c0", "c1", "c2"]
    assert float(table[1]["benign"]) == pytest.approx(found.cases[1].class_probabilities["benign"], abs=1e-6)


def test_folds_and_mirrored_copies_are_averaged(tmp_path, cases):
    folder = model_folder(tmp_path / "model", folds=("0", "1"))

    def shares(folds, *, mirror=False):
        out = tmp_path / f"out_{folds}_{mirror}"
        rows = classify_cases(
            load_case_model(folder, Classification, folds=folds), cases[:1], out, mirror=mirror, saliency=False
        ).cases
        return np.array(list(rows[0].class_probabilities.values()))

    assert shares(("0", "1")) == pytest.approx((shares(("0",)) + shares(("1",))) / 2)
    assert not np.allclose(shares(("0",)), shares(("0",), mirror=True))


def test_a_bad_case_costs_only_itself(tmp_path, cases):
    cases[1].images[0].write_bytes(b"no image")
    found = classify_cases(load_case_model(model_folder(tmp_path / "model"), Classification), cases, tmp_path / "out")
    assert [row.status for row in found.cases] == ["done", "failed", "done"]
    assert found.cases[1].error


@pytest.mark.parametrize("saliency", [True, False])
def test_a_second_run_goes_on_where_the_first_stood(tmp_path, cases, saliency):
    model = load_case_model(model_folder(tmp_path / "model"), Classification)
    first = classify_cases(model, cases[:2], tmp_path / "out", saliency=saliency)
    second = classify_cases(model, cases, tmp_path / "out", saliency=saliency)
    assert [row.status for row in second.cases] == ["skipped", "skipped", "done"]
    assert [row.class_probabilities for row in second.cases[:2]] == [row.class_probabilities for row in first.cases]


def test_a_saliency_map_that_was_lost_is_made_again(tmp_path, cases):
    model = load_case_model(model_folder(tmp_path / "model"), Classification)
    first = classify_cases(model, cases, tmp_path / "out")
    first.cases[1].saliency.unlink()
    second = classify_cases(model, cases, tmp_path / "out")
    assert [row.status for row in second.cases] == ["skipped", "done", "skipped"]


def test_the_output_of_another_model_is_not_mixed_in(tmp_path, cases):
    classify_cases(load_case_model(model_folder(tmp_path / "model"), Classification), cases[:1], tmp_path / "out")
    other = load_case_model(model_folder(tmp_path / "other", bias=1.0), Classification)
    with pytest.raises(PredictionError, match="made otherwise"):
        classify_cases(other, cases[:1], tmp_path / "out")
    assert classify_cases(other, cases[:1], tmp_path / "out", restart=True).cases[0].status == "done"


def test_findings_need_not_add_up(tmp_path, cases):
    model = load_case_model(model_folder(tmp_path / "model", multi_label=True, bias=3.0), Classification)
    row = classify_cases(model, cases[:1], tmp_path / "out").cases[0]
    assert row.classes == NAMES
    assert sum(row.class_probabilities.values()) > 1.5


def test_a_segmentation_model_is_refused(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    small_plan().save(folder / "plan.json")
    ModelInfo(configuration="small", folds=("0",)).save(folder / "model.json")
    with pytest.raises(ModelError, match="of another task"):
        load_case_model(folder, Classification)
