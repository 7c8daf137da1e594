"""Models whose probabilities are averaged, and what is done to their label map."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from medarch.core.errors import ModelError
from medarch.core.postprocessing import Postprocessing
from medarch.inference.load_model import Model


@dataclass(frozen=True)
class Ensemble:
    """One model, or several of the same labels and channels."""

    models: tuple[Model, ...]
    postprocessing: Postprocessing

    def __post_init__(self) -> None:
        first = self.models[0].plan
        for model in self.models[1:]:
            if model.plan.labels != first.labels or model.plan.channels != first.channels:
                raise ModelError(
                    "the members of an ensemble do not belong together",
                    expected=f"channels {', '.join(first.channels)} and labels {first.labels.labels}",
                    found=f"channels {', '.join(model.plan.channels)} and labels {model.plan.labels.labels}",
                    fix="average models of one dataset",
                )

    @property
    def sha256(self) -> str:
        """Hash of all weights and plans."""
        if len(self.models) == 1:
            return self.models[0].sha256
        return hashlib.sha256("".join(model.sha256 for model in self.models).encode()).hexdigest()
