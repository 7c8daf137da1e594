"""Run with `pytest -m gpu` on a machine with a CUDA device."""

from pathlib import Path

import pytest
import torch

from medarch import api
from medarch.planning.memory.predict_memory import predict_memory
from medarch.tasks.create_task import create_task

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
SAMPLE = Path(__file__).parents[2] / "data_samples" / "hippocampus"


def test_the_story_runs_on_the_gpu_and_learns(tmp_path):
    plan = api.plan(SAMPLE, tmp_path, device="cuda", time_budget_s=60)
    result = api.train(tmp_path / plan.dataset / plan.name, device="cuda")
    assert result.evaluation.mean() > 0.8


def test_predicted_bytes_are_within_ten_percent_of_the_peak(tmp_path):
    plan = api.plan(SAMPLE, tmp_path, preset="nnunet")
    configuration = plan.configuration("3d_fullres")
    predicted = predict_memory(plan, configuration, batch_size=8, device="cuda")
    task = create_task(plan, configuration)
    torch.cuda.reset_peak_memory_stats()
    network = task.build_network().cuda().train()
    image = torch.randn(8, 1, *configuration.patch_voxels, device="cuda")
    label = torch.zeros(8, 1, *configuration.patch_voxels, dtype=torch.int16, device="cuda")
    task.loss(network(image), task.target(label, image)).backward()
    measured = torch.cuda.max_memory_allocated() + predicted.parts["optimiser"]
    assert abs(predicted.tensor_bytes / measured - 1) < 0.1
