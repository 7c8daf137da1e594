"""What a model of nuclei wants to see of a volume."""

from __future__ import annotations

from medarch.core.errors import ModelError
from medarch.core.plan import PreprocessingPlan
from medarch.inference.nuclei.nuclei_model import NucleiModel


def volume_recipe(model: NucleiModel) -> PreprocessingPlan:
    """Return how volumes are prepared for a model.

    Raises:
        ModelError: the model is none of volumes.
    """
    recipe = model.settings.preprocessing
    if recipe is None:
        raise ModelError(
            f"{model.folder} is no model of volumes",
            expected="preprocessing in nuclei.json",
            found="none",
            fix="take a model that was trained on volumes",
        )
    return recipe
