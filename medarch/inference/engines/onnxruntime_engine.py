"""The network in ONNX Runtime, on the CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from medarch.inference.engines.feature_network import FeatureNetwork


class OnnxRuntimeEngine:
    """Converted at its first tile; float32.

    Args:
        name: its name.
        network: stays as it is.
    """

    dtype = torch.float32

    def __init__(self, name: str, network: nn.Module, device: torch.device) -> None:
        self.name = name
        self._network: nn.Module | None = FeatureNetwork(network)
        self._session: Any = None

    def __call__(self, tiles: Tensor) -> Tensor:
        """``(T, C, *patch)`` → ``(T, F, *patch)``."""
        if self._session is None:
            self._session = self._converted(tiles[:1])
        [features] = self._session.run(None, {"tiles": tiles.contiguous().numpy()})
        return torch.from_numpy(features)

    def _converted(self, example: Tensor) -> Any:
        import onnxruntime

        from medarch.inference.engines.onnx_graph import onnx_graph

        if self._network is None:
            raise RuntimeError("converted already")
        # One tile twice: an axis of one would become fixed.
        graph = onnx_graph(self._network, torch.zeros(2, *example.shape[1:]), output="features")
        self._network = None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors
        return onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
