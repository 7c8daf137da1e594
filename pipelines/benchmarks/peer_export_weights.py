"""Runs inside nnU-Net's environment: a checkpoint's network weights as a safetensors file."""

import sys

import torch
from safetensors.torch import save_file

checkpoint = torch.load(sys.argv[1], map_location="cpu", weights_only=False)
weights = {name: tensor.clone().contiguous() for name, tensor in checkpoint["network_weights"].items()}
save_file(weights, sys.argv[2])
