"""Models whose probabilities are averaged, and what is done to their label map."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from medarch.core.errors import ModelError
from medarch.core.postprocessing import Postprocessing
from medarch.inference.load_model import Model
from medarch.inference.predict_case import CaseResult, restore_case
from medarch.preprocessing.prepare_case import PreparedArrays
from medarch.tasks.decode_probabilities import decode_probabilities
from medarch.tasks.mean_probabilities import mean_probabilities


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

    def restore(self, logits: list[np.ndarray], prepared: list[PreparedArrays], *, probabilities: bool) -> CaseResult:
        """Bring each member's logits to the input grid and decide there; the lists are emptied on the way.

        Args:
            logits: one a model, see :func:`~medarch.inference.predict_case.predict_logits`.
            prepared: what each model saw.
            probabilities: return them, too.
        """
        if len(self.models) == 1:
            return restore_case(self.models[0], logits.pop(), prepared.pop(), probabilities=probabilities)
        shares = mean_probabilities(
            _known(restore_case(model, logits.pop(0), prepared.pop(0), probabilities=True)) for model in self.models
        )
        labels = decode_probabilities(shares, self.models[0].plan.labels)
        return CaseResult(labels, shares if probabilities else None)


def _known(result: CaseResult) -> np.ndarray:
    if result.probabilities is None:
        raise ValueError("probabilities were asked for")
    return result.probabilities
