"""``medarch memory``: the table, the picture, exit codes."""

import json

import pytest
from small_plan import small_plan
from typer.testing import CliRunner

from medarch.cli.app import app


def run(*arguments):
    return CliRunner().invoke(app, ["memory", *arguments])


def test_a_network_is_broken_down_by_layer_and_drawn(tmp_path):
    picture = tmp_path / "memory.png"
    result = run("plain_unet", "--patch", "32,32,32", "--device", "t4", "--picture", str(picture))
    assert result.exit_code == 0, result.output
    assert "encoder" in result.stdout
    assert "fits" in result.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_json_holds_what_the_table_holds():
    result = run("resnet18", "--patch", "64,64", "--device", "cpu:4GiB", "--levers", "bf16", "--json")
    record = json.loads(result.stdout.splitlines()[-1])
    assert record["fits"] is True
    assert record["tensor_bytes"] == sum(record["parts"].values())
    assert record["tensor_bytes"] + record["context_bytes"] + record["slack_bytes"] == record["bytes"]


def test_a_step_that_is_too_large_for_the_device_ends_with_1():
    assert run("plain_unet", "--patch", "64,64,64", "--device", "cpu:300MiB").exit_code == 1


def test_a_plan_is_taken_with_its_own_patch_and_batch(tmp_path):
    small_plan().save(tmp_path / "plan.json")
    found = json.loads(run(str(tmp_path), "--device", "1GiB", "--json").stdout.splitlines()[-1])
    more = json.loads(run(str(tmp_path), "--device", "1GiB", "--batch", "4", "--json").stdout.splitlines()[-1])
    assert found["parts"]["saved"] < more["parts"]["saved"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["no_such_network"], "unknown architecture"),
        (["plain_unet", "--device", "voodoo"], "unknown device"),
        (["plain_unet", "--levers", "magic"], "unknown lever"),
    ],
)
def test_what_does_not_exist_is_refused(arguments, word):
    result = run(*arguments)
    assert result.exit_code == 2
    assert word in result.output
