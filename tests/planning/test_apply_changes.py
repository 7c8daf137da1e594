from pathlib import Path

import pytest
from test_plan_auto import fingerprint

from medarch.core.errors import PlanError
from medarch.core.labels import LabelScheme
from medarch.planning.apply_changes import apply_changes
from medarch.planning.plan_nnunet import plan_nnunet

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.fixture(scope="module")
def plan():
    labels = LabelScheme(labels={"background": 0, "left": 1, "right": 2})
    return plan_nnunet(fingerprint(), "made", ("MRI",), labels)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_applies_and_differs_from_the_defaults(plan, path):
    changed = apply_changes(plan, path)
    assert changed.configurations != plan.configurations
    assert any(path.name in reason.because for reason in changed.reasons)


def test_a_change_reaches_every_configuration_and_leaves_the_rest(plan, tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text("training:\n  epochs: 50\n")
    changed = apply_changes(plan, path)
    assert {configuration.training.epochs for configuration in changed.configurations.values()} == {50}
    assert changed.configuration().training.momentum == plan.configuration().training.momentum


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("training:\n  epoch: 50\n", "training.epochs"),
        ("training:\n  epochs: many\n", "training.epochs"),
        ("- a list\n", "names and values"),
        ("{", "a YAML file"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(plan, tmp_path, text, told):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(PlanError, match=told.replace(".", r"\.")):
        apply_changes(plan, path)
