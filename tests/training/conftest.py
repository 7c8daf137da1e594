"""A small prepared dataset: the hippocampus sample, as the plan prepares it."""

from pathlib import Path

import pytest
from small_plan import small_network

from medarch import api
from medarch.training.train_fold import Fold, train_fold

SAMPLE = Path(__file__).parents[2] / "data_samples" / "hippocampus"


@pytest.fixture(scope="session")
def nnunet_plan_folder(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("workspace")
    plan = api.plan(SAMPLE, workspace, preset="nnunet", workers=0)
    return workspace / plan.dataset / plan.name


@pytest.fixture(scope="session")
def sample_store(nnunet_plan_folder):
    return api.preprocess(nnunet_plan_folder, configuration="3d_fullres", workers=0)


@pytest.fixture
def train_small(nnunet_plan_folder, sample_store, tmp_path):
    """``train_small(epochs=3)`` trains a tiny network in the same folder each time; ``how`` is for ``train_fold``."""
    home = api.PlanFolder.load(nnunet_plan_folder)
    split = home.split(0)

    def train(*, how=None, changes=None, **training):
        whole = home.plan.configuration("3d_fullres")
        values = {"epochs": 3, "iterations_per_epoch": 2, "validation_iterations": 1, **training}
        small = whole.model_copy(
            update={
                "patch_voxels": (16, 16, 16),
                "batch_size": 2,
                "network": small_network(),
                "training": whole.training.model_copy(update=values),
                **(changes or {}),
            }
        )
        plan = home.plan.model_copy(update={"configurations": {small.name: small}, "default": small.name})
        fold = Fold(tmp_path / "fold", split.train, split.val)
        return train_fold(plan, small, fold=fold, device="cpu", **{"store": sample_store, **(how or {})})

    return train
