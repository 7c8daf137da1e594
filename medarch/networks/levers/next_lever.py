"""What to pull when a run needs more memory than it was to need."""

from __future__ import annotations

from medarch.core.plan import Configuration
from medarch.networks.levers.is_same_step import is_same_step


def next_lever(configuration: Configuration, *, device: str) -> str | None:
    """The mildest lever not pulled yet that leaves the step what it is; None: no more.

    Args:
        configuration: with the levers pulled so far.
        device: its kind.
    """
    training = configuration.training
    after = {"none": "blocks", "selective": "blocks", "blocks": "stages", "stages": None}[training.checkpoint]
    if configuration.batch_size > 1 and is_same_step(configuration):
        return "accumulate"
    if after is not None:
        return after
    return "offload" if device == "cuda" and not training.offload_activations else None
