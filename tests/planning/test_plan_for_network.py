"""Plans for a network of the registry: topology, patch, memory and schedule suit it."""

import json
import math

import pytest
import torch
from test_plan_auto import LABELS, fingerprint
from test_plan_auto import plan as plan_auto_

from medarch.core.errors import PlanError
from medarch.core.plan import Device
from medarch.networks.build_network import build_network
from medarch.networks.registry import REGISTRY
from medarch.planning.apply_changes import apply_changes
from medarch.planning.asked_network import asked_network
from medarch.planning.check_changes import check_changes
from medarch.planning.choose_network import choose_network
from medarch.planning.fit_into_memory import fit_into_memory
from medarch.planning.memory.predict_memory import predict_memory
from medarch.planning.plan_nnunet import plan_nnunet

SEGMENTATION = sorted(name for name, entry in REGISTRY.items() if entry.task == "segmentation")
THIN = fingerprint((256, 256, 20), (0.8, 0.8, 5.0))


def changes(folder, text):
    path = folder / "changes.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("architecture", SEGMENTATION)
def test_every_architecture_fits_into_plans_of_thick_slices(architecture):
    made = choose_network(plan_nnunet(THIN, "made", ("MRI",), LABELS), {"architecture": architecture})
    for configuration in made.configurations.values():
        network = configuration.network
        assert network.architecture == architecture
        sides = zip(configuration.patch_voxels, network.divisor, strict=True)
        assert all(side % step == 0 for side, step in sides)
        with torch.device("meta"):
            built = build_network(network)
            size = tuple(2 * step for step in network.divisor)
            logits = built.eval()(torch.empty(1, 1, *size))
        assert getattr(built, "divisor", network.divisor) == network.divisor
        assert logits.shape == (1, 3, *size)
    reasons = [reason for reason in made.reasons if reason.decision.endswith(".network")]
    assert [architecture in reason.because for reason in reasons] == [True] * len(made.configurations)


def test_the_search_knows_what_the_network_costs(tmp_path):
    asked = asked_network([changes(tmp_path, "network:\n  architecture: unetplusplus\n")])
    found = fingerprint((64, 64, 64))
    plain = plan_auto_(found, gib=1.2).configuration()
    nested = plan_auto_(found, gib=1.2, network=asked).configuration()
    assert nested.network.architecture == "unetplusplus"
    assert nested.network.deep_supervision
    assert nested.estimate.training_bytes <= 1.2 * 2**30
    voxels = [math.prod(configuration.patch_voxels) for configuration in (plain, nested)]
    assert voxels[1] < voxels[0]


def test_a_paper_preset_brings_its_own_strides_and_a_patch_for_them():
    asked = {"architecture": "fcn8s", "options": {"preset": "paper"}}
    planned = plan_nnunet(fingerprint((40, 56, 40)), "made", ("MRI",), LABELS)
    made = choose_network(planned, asked)
    found = made.configuration("2d")
    assert found.network.divisor == (32, 32)
    assert found.network.features == (64, 128, 256, 512, 512, 4096)
    assert found.patch_voxels == (64, 64)
    assert any("multiples of the network's strides, 32×32" in reason.because for reason in made.reasons)


def test_options_of_several_files_are_taken_together(tmp_path):
    first = tmp_path / "first.yaml"
    first.write_text("network:\n  architecture: encoder_decoder\n  options: {encoder: resnet18}\n")
    second = tmp_path / "second.yaml"
    second.write_text("network:\n  options: {decoder: fcn}\ntraining:\n  epochs: 3\n")
    assert asked_network([first, second]) == {
        "architecture": "encoder_decoder",
        "options": {"encoder": "resnet18", "decoder": "fcn"},
    }


def test_an_unknown_architecture_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(PlanError, match="unetplusplus"):
        asked_network([changes(tmp_path, "network:\n  architecture: unetplusplu\n")])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("patch_voxels: [30, 64, 64]\n", r"multiples of 16×16×16.*patch_voxels: \[32, 64, 64\]"),
        ("network:\n  features: [8, 16]\n", "does not fit together"),
    ],
)
def test_a_change_that_leaves_no_network_is_refused_while_planning(tmp_path, text, told):
    planned = plan_auto_(fingerprint((64, 64, 64)))
    assert planned.configuration().network.divisor == (16, 16, 16)
    with pytest.raises(PlanError, match=told):
        check_changes(planned, apply_changes(planned, changes(tmp_path, text)))


def test_a_change_of_cost_brings_a_new_estimate_and_others_keep_it(tmp_path):
    planned = plan_auto_(fingerprint((64, 64, 64)))
    assert planned.device == Device(kind="cpu", name="a machine", memory_bytes=2**36)
    same = check_changes(planned, apply_changes(planned, changes(tmp_path, "training:\n  epochs: 3\n")))
    assert same.configuration().estimate == planned.configuration().estimate
    wide = check_changes(planned, apply_changes(planned, changes(tmp_path, "batch_size: 4\n")))
    found = wide.configuration()
    expected = predict_memory(wide, found, batch_size=4, device="cpu")
    assert found.estimate.training_bytes == expected.bytes > planned.configuration().estimate.training_bytes
    assert json.loads(wide.to_json())["configurations"]["3d_fullres"]["estimate"]["seconds_per_step"] is None


def test_what_is_asked_for_stays_within_the_memory_by_levers(tmp_path):
    planned = plan_auto_(fingerprint((64, 64, 64)))
    asked = check_changes(planned, apply_changes(planned, changes(tmp_path, "batch_size: 8\n")))
    needs = asked.configuration().estimate.training_bytes
    assert fit_into_memory(planned, asked, needs) == asked, "it fits as it is"
    fitting = fit_into_memory(planned, asked, needs // 2)
    found, before = fitting.configuration(), asked.configuration()
    assert found.patch_voxels == before.patch_voxels
    assert found.network == before.network
    assert found.batch_size * found.training.accumulate == 8
    assert found.estimate.training_bytes <= needs // 2
    assert found.estimate.training_bytes == predict_memory(fitting, found, device="cpu").bytes
    reason = fitting.reasons[-1]
    assert reason.decision == "3d_fullres.levers"
    assert all(f"{lever} (" in reason.because for lever in reason.value.split(", "))
    assert f"of {needs / 2 / 2**30:.1f} GiB predicted" in reason.because


def test_what_cannot_fit_is_refused(tmp_path):
    planned = plan_auto_(fingerprint((64, 64, 64)))
    asked = check_changes(planned, apply_changes(planned, changes(tmp_path, "batch_size: 8\n")))
    with pytest.raises(PlanError, match=r"with every lever pulled.*smaller patch"):
        fit_into_memory(planned, asked, 2**28)
