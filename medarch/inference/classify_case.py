"""One case: the probability of each class, and where the networks looked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from medarch.inference.grad_cam import grad_cam
from medarch.inference.load_case_model import CaseModel
from medarch.inference.window import mirrored_copies
from medarch.preprocessing.fit_to_input import fit_to_input, unfit_from_input
from medarch.preprocessing.prepare_case import PreparedArrays
from medarch.preprocessing.restore import restore_scores
from medarch.tasks.classification import Classification

BRIGHTEST = 255


def classify_case(model: CaseModel[Classification], prepared: PreparedArrays, *, mirror: bool) -> np.ndarray:
    """Return the mean probabilities ``(classes,)`` over folds and mirrored copies."""
    image = _input(model, prepared)
    axes = model.configuration.inference.mirror_axes if mirror else ()
    found = []
    with torch.inference_mode():
        for network in model.networks:
            for flip in mirrored_copies(axes):
                outputs = network(image.flip([axis + 2 for axis in flip]) if flip else image)
                logits = outputs if isinstance(outputs, Tensor) else outputs[0]
                found.append(model.task.probabilities(logits[0].float().cpu().numpy()))
    mean: np.ndarray = np.mean(found, axis=0)
    return mean


def explain_case(model: CaseModel[Classification], prepared: PreparedArrays, decided: np.ndarray) -> np.ndarray:
    """Return Grad-CAM of the decided classes, averaged over folds, on the file's grid.

    Args:
        model: the networks.
        prepared: the case.
        decided: ``(classes,)`` indicators; of findings, where none was decided, all are explained.

    Returns:
        ``(I, J, K)`` uint8, 0 to 255.
    """
    image = _input(model, prepared)
    channels: Sequence[int] = np.flatnonzero(decided).tolist() or range(len(decided))
    maps = [grad_cam(network, image, channels).cpu().numpy() for network in model.networks]
    whole = unfit_from_input(np.mean(maps, axis=0, keepdims=True), prepared.record.shape)
    restored = restore_scores(whole, prepared.record)[0]
    scaled: np.ndarray = np.rint(restored.clip(0, 1) * BRIGHTEST).astype(np.uint8)
    return scaled


def _input(model: CaseModel[Classification], prepared: PreparedArrays) -> Tensor:
    fitted = fit_to_input(prepared.image, model.configuration.patch_voxels)
    return torch.from_numpy(fitted)[None].to(model.device)
