"""A model folder as `medarch train` writes it, with untrained weights."""

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter

from medarch.inference.model_folder import ModelInfo
from medarch.networks.build_network import build_network

AFFINE = np.array([[1.5, 0, 0, -20], [0, 1.4, 0, 7], [0, 0, 2.5, -30], [0, 0, 0, 1.0]])


def write_model(folder, plan):
    torch.manual_seed(3)
    folder.mkdir(parents=True)
    plan.save(folder / "plan.json")
    configuration = plan.configuration()
    network = build_network(configuration.network)
    save_file(network.state_dict(), folder / "weights_fold_0.safetensors")
    ModelInfo(configuration=configuration.name, folds=("0",)).save(folder / "model.json")
    return folder


def smooth_noise(shape, *, seed=0):
    return gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5).astype(np.float32) * 100
