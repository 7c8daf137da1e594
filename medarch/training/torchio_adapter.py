"""The only file that knows TorchIO: optional extra transforms, applied to one sample on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medarch.core.errors import PlanError


def apply_torchio(
    transforms: Sequence[Mapping[str, Any]], image: np.ndarray, label: np.ndarray, *, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Apply TorchIO transforms named in a plan.

    Args:
        transforms: each ``{"name": "RandomMotion", ...keyword arguments}``.
        image: ``(C, N0, N1, N2)``.
        label: ``(L, N0, N1, N2)``.
        rng: seeds TorchIO's global generator, so that a batch stays a function of its number.

    Raises:
        PlanError: TorchIO is not installed, or has no such transform.
    """
    import torch

    try:
        import torchio
    except ImportError as error:
        raise PlanError(
            "the plan asks for TorchIO transforms",
            expected="torchio installed",
            found="no module torchio",
            fix="pip install 'medarch[torchio]', or empty augmentation.torchio in plan.json",
        ) from error
    subject = torchio.Subject(
        image=torchio.ScalarImage(tensor=torch.from_numpy(np.array(image))),
        label=torchio.LabelMap(tensor=torch.from_numpy(np.array(label))),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**62)))
        for entry in transforms:
            options = dict(entry)
            name = options.pop("name", "")
            if not hasattr(torchio, name):
                raise PlanError(
                    f"TorchIO has no transform {name!r}",
                    expected="a class of torchio.transforms",
                    found=str(name),
                    fix="correct augmentation.torchio in plan.json",
                )
            subject = getattr(torchio, name)(**options)(subject)
    moved_image, moved_label = subject["image"].numpy(), subject["label"].numpy()
    if moved_image.shape != image.shape:
        raise PlanError(
            f"TorchIO's {name} changed the shape of a patch",
            expected=str(image.shape),
            found=str(moved_image.shape),
            fix="use transforms that keep the shape",
        )
    return moved_image.astype(np.float32), moved_label.astype(label.dtype)
