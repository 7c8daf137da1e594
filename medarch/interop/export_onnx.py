"""A model's networks as one ONNX graph."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from medarch.core.errors import ModelError, PlanError, UsageError
from medarch.core.files import write_bytes
from medarch.inference.engines.onnx_graph import OPSET, onnx_graph
from medarch.interop.exported_network import ExportedNetwork, networks_of, random_tiles

TOLERANCE = 1e-4
"""Of the largest logit: so far ONNX Runtime may differ from torch."""
LARGEST = 2**31 - 1
"""Bytes of a protobuf message."""


def export_onnx(folder: Path, target: Path, *, folds: Sequence[str] | None = None) -> Path:
    """Write ``target``: input ``tiles`` ``(T, C, *patch)``, output ``logits``, the mean over folds; T is free.

    The graph's metadata hold the plan (``medarch.plan``, JSON), the configuration's name, folds and label names. What
    was written is run once in ONNX Runtime and compared with torch.

    Raises:
        UsageError: onnx, onnxscript or onnxruntime is not installed.
        PlanError: no segmentation model, a second stage, or larger than ONNX files can be.
        ModelError: the folder is incomplete, or ONNX Runtime gets other numbers than torch.
    """
    absent = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
    if absent:
        raise UsageError(
            "ONNX export needs packages that are not installed",
            expected="onnx, onnxscript and onnxruntime",
            found=f"no {', '.join(absent)}",
            fix="pip install -c constraints.txt '.[onnxruntime]'",
        )
    model, networks = networks_of(folder, folds)
    network = ExportedNetwork(networks).eval()
    tiles = random_tiles(model, 2)
    graph = onnx_graph(network, tiles, output="logits")
    if graph.ByteSize() > LARGEST:
        raise PlanError(
            "the graph is larger than an ONNX file can be",
            expected=f"at most {LARGEST} bytes",
            found=f"{graph.ByteSize()} bytes of {len(networks)} folds",
            fix="export fewer --folds, one file each",
        )
    for key, value in {
        "medarch.plan": model.plan.to_json(),
        "medarch.configuration": model.configuration.name,
        "medarch.folds": ",".join(model.folds),
        "medarch.labels": json.dumps(model.plan.labels.model_dump(mode="json")),
        "medarch.opset": str(OPSET),
    }.items():
        graph.metadata_props.add(key=key, value=value)
    content: bytes = graph.SerializeToString()
    _require_same(content, network, tiles)
    write_bytes(target, content)
    return target


def _require_same(content: bytes, network: ExportedNetwork, tiles: torch.Tensor) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = network(tiles[:1])
    [found] = session.run(["logits"], {"tiles": tiles[:1].numpy()})
    error = float((torch.from_numpy(found) - expected).abs().max() / expected.abs().max())
    if not error <= TOLERANCE:
        raise ModelError(
            "ONNX Runtime gets other logits than torch",
            expected=f"at most {TOLERANCE:g} of the largest",
            found=f"{error:.2g}",
            fix="please report this network",
        )
