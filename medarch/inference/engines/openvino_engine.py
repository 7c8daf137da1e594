"""The network in OpenVINO, on the CPU."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from medarch.inference.engines.feature_network import FeatureNetwork

HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}


class OpenVinoEngine:
    """Converted at its first tile. Takes float32 and returns float32, whatever it computes in.

    Args:
        name: its name.
        network: stays as it is.
        compute: what it multiplies in.
    """

    dtype = torch.float32

    def __init__(self, name: str, network: nn.Module, device: torch.device, *, compute: torch.dtype) -> None:
        self.name = name
        self._network: nn.Module | None = FeatureNetwork(network)
        self._hint = HINTS[compute]
        self._request: Any = None

    @torch.inference_mode()
    def __call__(self, tiles: Tensor) -> Tensor:
        """``(T, C, *patch)`` → ``(T, F, *patch)``."""
        if self._request is None:
            self._request = self._converted(tiles[:1])
        return torch.from_numpy(self._request.infer([tiles.contiguous().numpy()])[0])

    def _converted(self, example: Tensor) -> Any:
        openvino = _import_openvino()
        with warnings.catch_warnings():
            # torch warns of branches that a trace does not follow. They hang on the shape, and the shape stays.
            warnings.simplefilter("ignore")
            model = openvino.convert_model(self._network, example_input=example)
        model.reshape(openvino.PartialShape([-1, *example.shape[1:]]))
        settings = {
            "INFERENCE_PRECISION_HINT": self._hint,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        self._network = None
        return openvino.Core().compile_model(model, "CPU", settings).create_infer_request()


def _import_openvino() -> Any:
    """Import OpenVINO without its telemetry.

    A conversion tells a server on the internet, from forked processes. No hospital has agreed to that; and a fork takes
    numpy's matrix products in other threads their workers away: they wait for ever, or return what is not finished.
    OpenVINO has a stub for where the package is missing.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino
