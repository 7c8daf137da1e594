"""Cases that are prepared already are predicted from the store."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_plan import small_plan
from untrained_model import write_model

from medarch.core.dataset import Case
from medarch.core.plan import ChannelNormalisation
from medarch.inference.load_model import load_model
from medarch.inference.predict_cases import predict_cases
from medarch.inference.prediction_options import PredictionOptions
from medarch.io.find_inputs import find_inputs
from medarch.io.read_case import read_case
from medarch.io.read_volume import read_volume
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.prepare_case import prepare_case
from medarch.preprocessing.recipe_sha256 import recipe_sha256

OPTIONS = PredictionOptions(mirror=False)


@pytest.fixture
def model(model_folder):
    return load_model(model_folder, precision="float32")


@pytest.fixture
def cases(images):
    return find_inputs(images, channels=1)[:2]


def stored(model, cases, folder, *, recipe_hash=None):
    store, recipe = CaseStore(folder), model.configuration.preprocessing
    for case in cases:
        volumes = read_case(case, channels=1)
        arrays = prepare_case(volumes.images, volumes.geometry, case=case.id, recipe=recipe)
        made_by = recipe_hash or recipe_sha256(recipe, model.plan.labels)
        record = arrays.record.model_copy(update={"recipe_sha256": made_by})
        store.write(replace(arrays, record=record), {})
    return store


def labels(prediction):
    assert [row.error for row in prediction.cases] == [None] * len(prediction.cases)
    return [read_volume(row.output).array for row in prediction.cases]


def test_the_store_gives_what_the_files_give_and_the_files_are_not_needed(model, cases, tmp_path):
    from_files = labels(predict_cases(model, cases, tmp_path / "files", options=OPTIONS))
    store = stored(model, cases, tmp_path / "store")
    gone = [Case(id=case.id, images=(Path(f"/nowhere/{case.id}.b2nd"),)) for case in cases]
    from_store = labels(predict_cases(model, gone, tmp_path / "out", options=OPTIONS, store=store))
    assert all(np.array_equal(one, other) for one, other in zip(from_files, from_store, strict=True))


def test_a_case_prepared_by_another_recipe_is_read_again(model, cases, tmp_path):
    store = stored(model, cases, tmp_path / "store", recipe_hash="another")
    gone = [Case(id=cases[0].id, images=(Path("/nowhere/image.b2nd"),))]
    (row,) = predict_cases(model, gone, tmp_path / "out", options=OPTIONS, store=store).cases
    assert row.status == "failed"


def test_statistics_that_have_seen_the_label_are_not_taken_while_the_image_is_there(cases, tmp_path):
    plan = small_plan()
    recipe = plan.configuration().preprocessing.model_copy(
        update={"normalisation": (ChannelNormalisation(scheme="zscore", inside_mask=True),)}
    )
    masked = plan.configuration().model_copy(update={"preprocessing": recipe})
    folder = write_model(tmp_path / "model", plan.model_copy(update={"configurations": {"small": masked}}))
    model = load_model(folder, precision="float32")
    store = stored(model, cases, tmp_path / "store")
    for path in (store.path(case.id) for case in cases):
        path.write_bytes(b"not to be opened")
    assert len(labels(predict_cases(model, cases, tmp_path / "out", options=OPTIONS, store=store))) == 2
