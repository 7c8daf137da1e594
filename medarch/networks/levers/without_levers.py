"""Levers let go."""

from __future__ import annotations

from medarch.core.plan import Configuration


def without_levers(configuration: Configuration) -> Configuration:
    """The same step in one piece: nothing computed again, nothing moved, the whole batch at once."""
    training = configuration.training
    return configuration.model_copy(
        update={
            "batch_size": configuration.batch_size * training.accumulate,
            "training": training.model_copy(
                update={"accumulate": 1, "checkpoint": "none", "offload_activations": False}
            ),
        }
    )
