"""From a plan's network section to a torch module."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.architecture import Architecture
from medarch.networks.encoder import Encoder
from medarch.networks.registry import find_architecture


def build_network(plan: NetworkPlan) -> nn.Module:
    """Return the untrained network a plan describes.

    The preset of the registry gives widths, depths and whatever else a family knows; ``options`` of the plan replace
    single values of it; ``strides`` and ``kernels`` of the plan replace those of the stages.

    Raises:
        PlanError: the architecture is unknown, is not made for these dimensions, has no such option, or its topology
            does not fit together.
    """
    entry = find_architecture(plan.architecture)
    _require_dim(entry, plan.dim)
    settings = _settings(entry, plan.options)
    if not plan.strides:
        plan = fit_topology(plan)
    build = _resolve(entry.builder)
    if not entry.encoder:
        network: nn.Module = build(plan, **_for(build, settings))
        return network
    staged: nn.Module = build(plan, _encoder(entry, plan, settings), **_for(build, settings))
    return staged


def fit_topology(plan: NetworkPlan) -> NetworkPlan:
    """Return the plan with features, strides, kernels and blocks as its architecture wants them.

    A planner, or a change of architecture, gives those of a U-Net: pooled as the data allow. An architecture may have
    fewer stages, depths of its own, or follow its paper (``options: {preset: paper}``). Afterwards the plan says what
    the network is.

    Raises:
        PlanError: the architecture is unknown, is not made for these dimensions, or has no such option.
    """
    entry = find_architecture(plan.architecture)
    _require_dim(entry, plan.dim)
    settings = _settings(entry, plan.options)
    if not entry.topology:
        return plan
    fit = _resolve(entry.topology)
    fitted: NetworkPlan = fit(plan, **_for(fit, settings))
    return fitted


def build_encoder(name: str, plan: NetworkPlan, options: Mapping[str, Any] | None = None) -> Encoder:
    """Return the encoder of a classifier of the registry, for a decoder to be put on.

    Args:
        name: of the classifier, e.g. ``resnet18``.
        plan: for ``dim``, ``in_channels``, ``strides`` and ``kernels``, which run over the encoder's own stages: fewer
            strides make an encoder with fewer stages, strides beyond its last stage are not used.
        options: in place of single values of the preset.

    Raises:
        PlanError: the network is unknown, has no stages, is not made for these dimensions, or has no such option.
    """
    entry = find_architecture(name)
    _require_dim(entry, plan.dim)
    if not entry.encoder:
        raise PlanError(f"{name} has no stages that a decoder could use", fix="choose another encoder")
    return _encoder(entry, plan, _settings(entry, options or {}))


def _encoder(entry: Architecture, plan: NetworkPlan, settings: Mapping[str, Any]) -> Encoder:
    build = _resolve(entry.encoder)
    encoder: Encoder = build(plan, **_for(build, settings))
    return encoder


def _require_dim(entry: Architecture, dim: int) -> None:
    if dim not in entry.dims:
        raise PlanError(
            f"{entry.name} is not made for {dim}D",
            expected=" or ".join(f"{known}D" for known in entry.dims),
            found=f"{dim}D",
            fix="choose another architecture",
        )


def _settings(entry: Architecture, options: Mapping[str, Any]) -> dict[str, Any]:
    callables = (entry.builder, entry.encoder, entry.topology)
    known = set().union(*(_keywords(_resolve(reference)) for reference in callables if reference))
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise PlanError(
                f"{entry.name} has no option {name!r}",
                expected=", ".join(sorted(known)) or "no options",
                found=name,
                fix=f"did you mean {near[0]!r}?" if near else "correct network.options in plan.json",
            )
    return {**entry.settings, **options}


def _for(build: Callable[..., Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    keywords = _keywords(build)
    return {name: value for name, value in settings.items() if name in keywords}


def _keywords(build: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(build).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY}


def _resolve(reference: str) -> Callable[..., Any]:
    module, _, name = reference.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found
