"""Run in an environment with torchvision and timm: random networks, an input each, and what comes out.

    python oracle_outputs.py FOLDER LIBRARY:NAME ...

writes ``FOLDER/LIBRARY_NAME.safetensors`` with the weights, ``.input`` and ``.output``.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
"""torchvision's compiled operators may not load beside another torch; importing its networks needs only these names."""


def build(library, name):
    if library == "torchvision":
        import torchvision

        options = {"aux_logits": True, "transform_input": False} if name == "googlenet" else {}
        return getattr(torchvision.models, name)(weights=None, **options)
    import timm

    return timm.create_model(name, pretrained=False)


@torch.no_grad()
def away_from_start(network):
    """Where weights are 0, 1 or 1e-6 at the start, a part left out would not show."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.LayerNorm):
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(std=0.1)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    for name, parameter in network.named_parameters():
        if name.endswith(("layer_scale", "gamma")):
            parameter.uniform_(0.1, 0.5)
    # Running statistics as trained networks have them: with others, activations grow and rounding errors with them.
    network.train()(torch.randn(8, 3, 96, 96))


def main(folder, names):
    import importlib.util

    library = torch.library.Library("torchvision", "DEF") if importlib.util.find_spec("torchvision") else None
    for schema in SCHEMAS if library else ():
        library.define(schema)
    for entry in names:
        package, name = entry.split(":")
        torch.manual_seed(0)
        network = build(package, name)
        away_from_start(network)
        image = torch.randn(2, 3, 96, 96)
        output = network.eval()(image).detach()
        tensors = {key: value.contiguous() for key, value in network.state_dict().items()}
        save_file({**tensors, ".input": image, ".output": output}, Path(folder) / f"{package}_{name}.safetensors")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
