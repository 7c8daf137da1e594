"""Runs in the oracle environment: networks of segmentation_models_pytorch with random weights, and what they say.

python smp_outputs.py FOLDER
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

# torchvision's compiled operators need not fit this torch: its Python part needs to know only that they exist.
OPERATORS = torch.library.Library("torchvision", "DEF")
for schema in (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
):
    OPERATORS.define(schema)

MODELS = {
    "unet_resnet34": ("Unet", "resnet34"),
    "unetplusplus_resnet34": ("UnetPlusPlus", "resnet34"),
    "unet_efficientnet_b0": ("Unet", "timm-efficientnet-b0"),
}


@torch.no_grad()
def main(folder):
    import segmentation_models_pytorch as smp

    for name, (decoder, encoder) in MODELS.items():
        torch.manual_seed(0)
        network = getattr(smp, decoder)(encoder, encoder_weights=None, classes=3)
        network.train()(torch.randn(8, 3, 64, 64))  # moves the running statistics
        network.eval()
        x = torch.randn(2, 3, 96, 64)
        # A fresh network would also agree with one that ignores some of its shifts.
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
        # A file does not keep the order of its names; the comparison needs it.
        state = enumerate(network.state_dict().items())
        saved = {f"{number:04d} {key}": value.contiguous() for number, (key, value) in state}
        save_file(saved | {"input": x, "output": network(x)}, folder / f"{name}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
