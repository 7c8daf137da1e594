"""A network as an ONNX graph."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 20
"""ONNX operator set: of ONNX 1.15 (2023); known to ONNX Runtime 1.17 and OpenVINO 2024 and later."""


def onnx_graph(network: nn.Module, example: Tensor, *, output: str, spatial: Sequence[str] | None = None) -> ModelProto:
    """Return the graph of ``network``: input ``tiles``, the number of tiles free.

    Args:
        network: in evaluation mode, on the CPU; contiguous.
        example: ``(T, C, *patch)``, T at least 2.
        output: name of the output.
        spatial: names of spatial axes that are to be free, too; default: all fixed.
    """
    free = {0: "tiles_count", **{number + 2: name for number, name in enumerate(spatial or ())}}
    with _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["tiles"],
            output_names=[output],
            dynamic_shapes=(free,),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch's ONNX exporter returned no program")
    graph: ModelProto = program.model_proto
    for part in (*graph.graph.node, *graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        del part.metadata_props[:]  # the exporter's notes, with paths of this machine
    return graph


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what torch's exporter tells its own developers: each optional package that is absent, every pass."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnx_ir", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
