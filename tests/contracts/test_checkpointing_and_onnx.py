"""Every network of the registry: recomputed activations change nothing, and it leaves as an ONNX graph."""

import warnings

import pytest
import torch
from small_plan import small_network, small_window
from torch.utils.checkpoint import checkpoint

from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network
from medarch.networks.encoder import Encoder
from medarch.networks.registry import REGISTRY

SIZE = {2: (32, 32), 3: (8, 32, 32)}
FAMILIES = ("convnext_tiny", "densenet121", "googlenet", "lenet5", "plain_unet", "resnet18", "unetplusplus")
"""One network of each kind of graph; the others are exported by the slow tests."""


def network_of(name, dim):
    torch.manual_seed(0)
    entry, options = REGISTRY[name], dict(REGISTRY[name].tiny)
    if entry.task == "segmentation":
        return build_network(small_network(name, dim=dim, in_channels=2, options=options))
    return build_network(NetworkPlan(architecture=name, dim=dim, in_channels=2, heads=3, options=options))


def recompute(module):
    forward = module.forward
    module.forward = lambda *inputs: checkpoint(forward, *inputs, use_reentrant=False)


@pytest.mark.parametrize("name", sorted(name for name in REGISTRY if REGISTRY[name].encoder or "unet" in name))
@pytest.mark.parametrize("dim", [2, 3])
def test_recomputed_stages_give_the_same_outputs_and_gradients(name, dim):
    image = torch.randn(2, 2, *SIZE[dim], dtype=torch.float64)
    found = []
    for recomputed in (False, True):
        network = network_of(name, dim).double().train()
        if recomputed:
            stages = [stage for part in network.modules() if isinstance(part, Encoder) for stage in part.stages]
            assert stages
            for stage in stages:
                recompute(stage)
        torch.manual_seed(1)
        outputs = network(image)
        outputs = [outputs] if isinstance(outputs, torch.Tensor) else [part for part in outputs if part is not None]
        sum(output.square().sum() for output in outputs).backward()
        found.append([*outputs, *(parameter.grad for parameter in network.parameters())])
    torch.testing.assert_close(found[0], found[1])


def export_and_compare(name, dim):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    entry = REGISTRY[name]
    if dim not in entry.dims:
        pytest.skip(f"{name} is not made for {dim}D")
    network, image = network_of(name, dim).eval(), torch.randn(2, 2, *small_window(name, dim))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if entry.no_onnx:
            with pytest.raises(Exception):  # noqa: B017, PT011
                torch.onnx.export(network, (image,), dynamo=True, verbose=False)
            return
        program = torch.onnx.export(network, (image,), dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    [found] = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    with torch.no_grad():
        exact = network.double()(image.double())
    # Of the largest output: a deep network without training rounds its small ones away, in torch as well.
    scale = exact.abs().max()
    torch.testing.assert_close(torch.from_numpy(found).double() / scale, exact / scale, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_of_each_kind_leaves_as_an_onnx_graph(name):
    export_and_compare(name, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(REGISTRY))
@pytest.mark.parametrize("dim", [2, 3])
def test_every_network_leaves_as_an_onnx_graph_or_says_why_not(name, dim):
    export_and_compare(name, dim)
