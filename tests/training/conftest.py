"""A small prepared dataset: the hippocampus sample, as the plan prepares it."""

from pathlib import Path

import pytest

from medarch import api

SAMPLE = Path(__file__).parents[2] / "data_samples" / "hippocampus"


@pytest.fixture(scope="session")
def nnunet_plan_folder(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("workspace")
    plan = api.plan(SAMPLE, workspace, preset="nnunet", workers=0)
    return workspace / plan.dataset / plan.name


@pytest.fixture(scope="session")
def sample_store(nnunet_plan_folder):
    return api.preprocess(nnunet_plan_folder, configuration="3d_fullres", workers=0)
