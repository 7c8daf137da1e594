"""Changes to a plan from a YAML file: what nnU-Net needs a trainer subclass for is a few lines here."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from medarch.core.errors import PlanError
from medarch.core.plan import Configuration, Plan, Reason
from medarch.planning.read_changes import read_changes

OPEN = "network.options."
"""Names here are the architecture's own; it says which it has not."""


def apply_changes(plan: Plan, path: Path) -> Plan:
    """Return the plan with every configuration changed as the file says, and a reason that names the file.

    The file lists only what differs, nested as in ``plan.json``::

        training:
          optimizer: adamw
          learning_rate: 0.001

    Raises:
        PlanError: the file cannot be read, names something a configuration does not have, or gives a wrong value.
    """
    changes = read_changes(path)
    configurations = {}
    for name, configuration in plan.configurations.items():
        merged = _merge(configuration.model_dump(mode="json"), changes, where=str(path), key="")
        try:
            configurations[name] = Configuration.model_validate(merged)
        except ValidationError as error:
            first = error.errors()[0]
            raise PlanError(
                f"{path} gives a wrong value",
                expected=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
                found=repr(first.get("input")),
                fix="correct the file",
            ) from error
    reasons = [
        Reason(decision=key, value=str(value), because=f"asked for by {path.name}")
        for key, value in _leaves(changes, "")
    ]
    return plan.model_copy(update={"configurations": configurations, "reasons": (*plan.reasons, *reasons)})


def _merge(values: dict[str, Any], changes: dict[str, Any], *, where: str, key: str) -> dict[str, Any]:
    merged = dict(values)
    for name, value in changes.items():
        if name not in values and key != OPEN:
            near = difflib.get_close_matches(str(name), values, n=1)
            raise PlanError(
                f"{where}: a configuration has no {key}{name}",
                expected=", ".join(values),
                found=str(name),
                fix=f"did you mean {key}{near[0]}?" if near else "use one of those",
            )
        nested = isinstance(value, dict) and isinstance(values.get(name), dict)
        merged[name] = _merge(values[name], value, where=where, key=f"{key}{name}.") if nested else value
    return merged


def _leaves(changes: dict[str, Any], key: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in changes.items():
        found += _leaves(value, f"{key}{name}.") if isinstance(value, dict) else [(f"{key}{name}", value)]
    return found
