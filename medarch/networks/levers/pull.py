"""Levers pulled on a configuration."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.core.errors import UsageError
from medarch.core.plan import Configuration
from medarch.networks.levers.lever import LEVERS


def pull(configuration: Configuration, names: Sequence[str]) -> Configuration:
    """Return the configuration with the levers pulled; a later one replaces an earlier one of its kind.

    Raises:
        UsageError: there is no such lever.
    """
    for name in names:
        if name not in LEVERS:
            raise UsageError(f"unknown lever {name!r}", expected=", ".join(LEVERS), found=name)
        training = dict(LEVERS[name].training)
        batch = configuration.batch_size
        if name == "accumulate" and batch > 1:
            batch = -(-batch // 2)
            training["accumulate"] = configuration.training.accumulate * 2
        configuration = configuration.model_copy(
            update={"batch_size": batch, "training": configuration.training.model_copy(update=training)}
        )
    return configuration
