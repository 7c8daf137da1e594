"""ONNX files against torch, run in ONNX Runtime."""

import json

import numpy as np
import pytest
import torch
from small_models import MODELS, REGIONS, cascade, plan_3d, write_model

from medarch import api
from medarch.core.errors import ModelError, PlanError, UsageError
from medarch.core.plan import Plan
from medarch.inference.load_model import load_model
from medarch.interop import export_onnx as module

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.mark.parametrize("name", MODELS)
def test_onnx_runtime_gets_torch_s_logits_for_any_number_of_tiles(name, tmp_path):
    folder = write_model(tmp_path / "model", MODELS[name], folds=("0", "1"))
    file = api.export(folder, tmp_path / "net.onnx", as_format="onnx")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    model = load_model(folder)
    for count in (1, 3):
        tiles = torch.randn(count, model.configuration.network.in_channels, *model.configuration.patch_voxels)
        with torch.inference_mode():
            expected = torch.stack([network(tiles) for network in model.networks]).mean(0)
        [found] = session.run(["logits"], {"tiles": tiles.numpy()})
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-4)


def test_the_plan_lies_in_the_file_and_no_path_of_this_machine(tmp_path):
    plan = plan_3d(REGIONS, regions_class_order=(1, 2))
    folder = write_model(tmp_path / "model", plan)
    file = api.export(folder, tmp_path / "net.onnx", as_format="onnx")
    graph = onnx.load(file)
    told = {entry.key: entry.value for entry in graph.metadata_props}
    assert Plan.parse(told["medarch.plan"]) == plan
    assert json.loads(told["medarch.labels"])["regions_class_order"] == [1, 2]
    assert told["medarch.opset"] == str(next(item.version for item in graph.opset_import if not item.domain))
    assert b"site-packages" not in file.read_bytes()
    onnx.checker.check_model(graph)


def test_folds_can_be_chosen_and_wrong_ones_are_named(tmp_path):
    folder = write_model(tmp_path / "model", plan_3d(), folds=("0", "1"))
    one = api.export(folder, tmp_path / "one.onnx", as_format="onnx", folds=["1"])
    both = api.export(folder, tmp_path / "both.onnx", as_format="onnx")
    assert one.stat().st_size < both.stat().st_size
    with pytest.raises(ModelError, match="no fold 7"):
        api.export(folder, tmp_path / "seven.onnx", as_format="onnx", folds=["7"])


def test_what_cannot_be_exported_is_refused_and_nothing_is_written(tmp_path, monkeypatch):
    folder = write_model(tmp_path / "model", plan_3d())
    there = tmp_path / "there.onnx"
    there.write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        api.export(folder, there, as_format="onnx")
    assert there.read_text() == "mine"
    cascade(tmp_path / "cascade")
    with pytest.raises(PlanError, match="cascade"):
        api.export(tmp_path / "cascade", tmp_path / "net.onnx", as_format="onnx")
    with pytest.raises(UsageError, match="--zip"):
        api.export(folder, tmp_path / "net.onnx", as_format="onnx", zipped=True)
    monkeypatch.setattr(module, "LARGEST", 1000)
    with pytest.raises(PlanError, match="--folds"):
        api.export(folder, tmp_path / "net.onnx", as_format="onnx")
    monkeypatch.undo()
    monkeypatch.setattr(module, "TOLERANCE", 0.0)
    with pytest.raises(ModelError, match="other logits"):
        api.export(folder, tmp_path / "net.onnx", as_format="onnx")
    assert not (tmp_path / "net.onnx").exists()
