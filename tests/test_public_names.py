"""Names that others build on. Adding one means adding it to public_names.json; removing one breaks them."""

import json
from pathlib import Path

import pytest
import typer

import medarch
from medarch import api
from medarch.cli.app import app

FROZEN = json.loads((Path(__file__).parent / "public_names.json").read_text())


@pytest.mark.parametrize("module", [medarch, api], ids=["medarch", "medarch.api"])
def test_the_public_names_are_the_frozen_ones_and_all_exist(module):
    assert sorted(module.__all__) == FROZEN[module.__name__]
    assert [name for name in module.__all__ if getattr(module, name, None) is None] == []


def test_the_verbs_of_the_command_line_are_the_frozen_ones():
    assert sorted(typer.main.get_command(app).commands) == FROZEN["cli"]


def test_every_verb_of_the_package_is_the_one_of_the_api():
    for name in set(medarch.__all__) & set(api.__all__):
        assert getattr(medarch, name) is getattr(api, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="segment"):
        medarch.segment  # noqa: B018
