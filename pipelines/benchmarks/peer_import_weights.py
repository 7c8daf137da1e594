"""Runs inside nnU-Net's environment: put medarch's weights of the same network into an nnU-Net checkpoint.

python peer_import_weights.py CHECKPOINT WEIGHTS.safetensors
"""

import re
import sys

import torch
from safetensors.torch import load_file


def medarch_name(name: str) -> str:
    """nnU-Net's name of a tensor → medarch's. nnU-Net names most tensors two to four times."""
    name = name.removeprefix("decoder.") if name.startswith("decoder.encoder.") else name
    name = name.replace(".all_modules.0.", ".conv.").replace(".all_modules.1.", ".norm.")
    name = re.sub(r"encoder\.stages\.(\d+)\.0\.convs\.(\d+)\.", r"encoder.stages.\1.\2.", name)
    name = re.sub(r"decoder\.stages\.(\d+)\.convs\.(\d+)\.", r"decoder.\1.\2.", name)
    name = name.replace("decoder.transpconvs.", "ups.").replace("decoder.seg_layers.", "heads.")
    return name.replace(".conv.", ".0.").replace(".norm.", ".1.")


checkpoint = torch.load(sys.argv[1], map_location="cpu", weights_only=False)
weights = load_file(sys.argv[2])
theirs = checkpoint["network_weights"]
missing = set(weights) - {medarch_name(name) for name in theirs}
if missing:
    sys.exit(f"no place for {sorted(missing)[:5]}")
for name, tensor in theirs.items():
    theirs[name] = weights[medarch_name(name)].to(tensor.dtype).view(tensor.shape)
torch.save(checkpoint, sys.argv[1])
