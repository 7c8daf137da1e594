"""Sizes that others published or counted, from ``shared/reference/architectures.md`` section 1b."""

import json
from pathlib import Path

import pytest
import torch

from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network
from medarch.networks.registry import REGISTRY

ROWS = json.loads(Path(__file__).with_name("param_counts.json").read_text())


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(map(str, row.values())))
def test_parameter_count_equals_the_published(row):
    fields = {key: value for key, value in row.items() if key not in ("how", "name", "parameters")}
    with torch.device("meta"):
        plan = NetworkPlan(architecture=row["name"], **({"dim": 2, "in_channels": 3, "heads": 1000} | fields))
        assert count(build_network(plan)) == row["parameters"]


@pytest.mark.parametrize("name", [name for name, entry in REGISTRY.items() if entry.oracle])
def test_the_registry_says_the_size_its_network_has(name):
    oracle = REGISTRY[name].oracle
    fields = {"dim": 2, "in_channels": oracle.in_channels, "heads": oracle.heads, "options": dict(oracle.options)}
    with torch.device("meta"):
        network = build_network(NetworkPlan(architecture=name, **(fields | dict(oracle.topology))))
    assert count(network) == oracle.parameters


def test_every_classifier_has_an_oracle():
    assert [name for name, entry in REGISTRY.items() if entry.task == "classification" and not entry.oracle] == []
