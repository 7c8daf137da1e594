"""Predicted memory against the allocator's own count, its parts against what is known of them, and levers."""

import pytest
import torch
from allocated_bytes import allocated_bytes
from real_step import real_step
from small_plan import small_network, small_plan

from medarch.core.errors import UsageError
from medarch.core.plan import TrainingPlan
from medarch.networks.levers.is_same_step import is_same_step
from medarch.networks.levers.next_lever import next_lever
from medarch.networks.levers.pull import pull
from medarch.networks.levers.without_levers import without_levers
from medarch.planning.memory.device_memory import device_memory
from medarch.planning.memory.kernel_workspace import BACKWARD, FORWARD, workspace_of
from medarch.planning.memory.predict_memory import predict_memory
from medarch.planning.memory.sketch_plan import sketch_plan
from medarch.tasks.create_task import create_task


def unet(architecture="plain_unet", *, patch=(32, 48, 48), batch=2, levers=(), **training):
    """Three stages of 16, 32 and 64 features."""
    plan = small_plan()
    network = small_network(
        architecture,
        features=(16, 32, 64),
        strides=((1, 1, 1), (2, 2, 2), (2, 2, 2)),
        kernels=((3, 3, 3),) * 3,
        blocks=(2, 2, 2),
        decoder_blocks=(2, 2),
    )
    found = plan.configuration().model_copy(
        update={
            "network": network,
            "patch_voxels": patch,
            "batch_size": batch,
            "training": TrainingPlan(**training),
        }
    )
    return plan, pull(found, levers)


def predicted(*args, device="cpu", **kwargs):
    return predict_memory(*unet(*args, **kwargs), device=device)


@pytest.mark.parametrize(
    ("architecture", "levers"),
    [
        ("plain_unet", ()),
        ("plain_unet", ("blocks",)),
        ("plain_unet", ("stages", "adamw")),
        ("residual_unet", ("selective",)),
        ("reversible_unet", ()),
    ],
)
def test_the_prediction_is_what_the_allocator_counts(architecture, levers):
    plan, configuration = unet(architecture, levers=levers)
    found = predict_memory(plan, configuration, device="cpu")
    _, measured = allocated_bytes(lambda: real_step(plan, configuration))
    assert found.tensor_bytes == pytest.approx(measured, rel=0.05)
    assert found.tensor_bytes > 0.97 * measured


def test_parts_are_what_they_are_called():
    found = predicted(optimizer="adamw", weight_average_decay=0.9)
    weights = 4 * found.parameters
    assert found.parts["parameters"] == weights
    assert found.parts["optimiser"] == 3 * weights
    assert 0 < found.parts["gradients"] <= weights
    assert found.parts["saved"] > 0.3 * found.tensor_bytes
    assert found.tensor_bytes == sum(found.parts.values()) == sum(row.bytes for row in found.grouped(5))


def test_saved_activations_grow_with_batch_and_voxels_and_weights_do_not():
    small, large = predicted(batch=2), predicted(batch=2, patch=(64, 48, 48))
    assert large.parts["saved"] == pytest.approx(2 * small.parts["saved"], rel=0.03)
    assert predicted(batch=4).parts["saved"] == pytest.approx(2 * small.parts["saved"], rel=0.03)
    assert large.parts["parameters"] == small.parts["parameters"]


def test_layers_are_named_in_both_directions():
    found = {row.layer: row.parts for row in predicted().layers}
    assert found["encoder.stages.0.0.0"]["saved"] > 0
    assert all(
        name in ("", "(between)") or name.split(".")[0] in ("encoder", "decoder", "ups", "heads") for name in found
    ), "every layer is one of the network's"
    assert found["(between)"]["saved"] > 0, "concatenations"
    assert found["heads.1"]["gradients"] > 0, "the backward pass has begun where the step takes most"
    assert found["heads.1"]["temporary"] > 0, "and stands in the last layer"


def test_each_lever_saves_and_says_what_it_costs():
    plain = predicted()
    for lever in ("selective", "blocks", "stages"):
        found = predicted(levers=(lever,))
        assert found.tensor_bytes < 0.97 * plain.tensor_bytes
        assert found.work > plain.work
    assert predicted(levers=("bf16",)).tensor_bytes < 0.75 * plain.tensor_bytes
    assert predicted(levers=("stages",)).flop > predicted(levers=("selective",)).flop == plain.flop


def test_offloaded_activations_lie_with_the_host():
    plain, found = predicted(device="cuda"), predicted(device="cuda", levers=("offload",))
    assert found.host_bytes > 0.5 * plain.parts["saved"]
    assert found.tensor_bytes < plain.tensor_bytes


def test_inference_keeps_nothing():
    found = predict_memory(*unet(), device="cpu", inference=True)
    assert found.parts["saved"] == found.parts["gradients"] == found.parts["optimiser"] == 0
    assert found.tensor_bytes < 0.4 * predicted().tensor_bytes


CONVOLUTIONS = {
    "few channels, im2col": (1, 8, 8, (16, 24, 24), 3, 1, False),
    "a stage": (2, 32, 32, (16, 16, 16), 3, 1, False),
    "padded to blocks": (2, 24, 40, (16, 16, 16), 3, 1, False),
    "an image": (2, 1, 32, (24, 24, 24), 3, 1, False),
    "strided": (2, 32, 64, (16, 16, 16), 3, 2, False),
    "a plane": (2, 32, 32, (96, 96), 3, 1, False),
    "transposed": (2, 64, 32, (12, 12, 12), 2, 2, True),
    "large weights": (4, 384, 384, (4, 4, 4), 3, 1, False),
    "fewer planes than the kernel": (4, 192, 192, (2, 2, 2), 3, 1, False),
    "few planes, large ones": (2, 32, 48, (2, 48, 48), 3, 1, False),
}


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def convolution(name, dtype):
    """Image, weights and the arguments behind them."""
    rows, ins, outs, size, kernel, stride, transposed = CONVOLUTIONS[name]
    dim = len(size)
    image = torch.randn(rows, ins, *size).to(dtype)
    weights = torch.randn((ins, outs, *[kernel] * dim) if transposed else (outs, ins, *[kernel] * dim)).to(dtype)
    return image, weights, ([stride] * dim, [0 if transposed else 1] * dim, [1] * dim, transposed, [0] * dim, 1)


def said_and_measured(func, args):
    """Bytes of the results and the workspace."""
    made, measured = allocated_bytes(lambda: func(*args))
    results = [tensor for tensor in (made if isinstance(made, tuple) else [made]) if tensor is not None]
    said = workspace_of("cpu")(func, args, results[0]) + sum(tensor.nbytes for tensor in results)
    return said, measured


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_workspace_of_a_convolution_is_what_the_allocator_counts(name, dtype, threads):
    x, w, geometry = convolution(name, dtype)
    forward = (x, w, None, *geometry)
    backward = (torch.ones_like(FORWARD(*forward)), x, w, None, *geometry, [True, True, False])
    for func, args in ((FORWARD, forward), (BACKWARD, backward)):
        said, measured = said_and_measured(func, args)
        assert said > 0.97 * measured, func
        if dtype == torch.float32 or threads == 1:  # else a bound: whether threads share is oneDNN's choice
            assert said < 1.03 * measured, func


@pytest.mark.parametrize("voxels", [16, 8, 4, 2])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_workspace_of_a_depthwise_convolution(voxels, layout, threads):
    channels = 1536 // voxels
    x = torch.randn(4, channels, *[voxels] * 3).contiguous(memory_format=layout)
    w = torch.randn(channels, 1, 7, 7, 7)
    geometry = ([1] * 3, [3] * 3, [1] * 3, False, [0] * 3, channels)
    gradient = torch.ones_like(x).contiguous(memory_format=layout)
    said, measured = said_and_measured(BACKWARD, (gradient, x, w, None, *geometry, [True, True, False]))
    assert 0.97 * measured < said < 1.05 * measured


def test_half_the_channels_of_a_tensor_are_copied_before_they_are_convolved():
    x, w, geometry = convolution("a stage", torch.float32)
    half = torch.cat([x, x], dim=1).chunk(2, dim=1)[0]
    said, measured = said_and_measured(FORWARD, (half, w, None, *geometry))
    assert said == pytest.approx(measured, rel=0.01)
    assert said > said_and_measured(FORWARD, (x, w, None, *geometry))[0]


def test_devices_go_by_name_or_size():
    assert device_memory("RTX4090").memory_bytes == int(24 * 0.97 * 2**30)
    assert device_memory("11GiB").memory_bytes == 11 * 2**30
    assert device_memory("cpu:2gb").kind == "cpu"
    with pytest.raises(UsageError, match="rtx4090"):
        device_memory("voodoo2")


def test_accumulation_is_the_same_step_without_anything_over_the_batch():
    _, configuration = unet()
    assert is_same_step(configuration)
    assert not is_same_step(configuration.model_copy(update={"batch_dice": True}))
    assert not is_same_step(sketch_plan("resnet18", patch_voxels=(64, 64)).configuration())


def test_half_batches_added_up_give_the_gradient_of_the_whole_batch():
    plan, configuration = unet(patch=(8, 16, 16))
    task = create_task(plan, configuration)
    torch.manual_seed(0)
    network = task.build_network().double().train()
    image, label = torch.randn(2, 1, 8, 16, 16, dtype=torch.float64), torch.randint(0, 3, (2, 1, 8, 16, 16))
    found = []
    for parts in (1, 2):
        network.zero_grad()
        for x, y in zip(image.chunk(parts), label.chunk(parts), strict=True):
            (task.loss(network(x), task.target(y, x)) / parts).backward()
        found.append([parameter.grad.clone() for parameter in network.parameters()])
    for whole, halves in zip(*found, strict=True):
        # The loss is computed in float32.
        torch.testing.assert_close(whole, halves, rtol=1e-4, atol=1e-6)


def test_levers_are_pulled_one_after_another_until_none_is_left():
    _, configuration = unet(batch=4)
    names = []
    while (lever := next_lever(configuration, device="cuda")) is not None:
        names.append(lever)
        configuration = pull(configuration, [lever])
    assert names == ["accumulate", "accumulate", "blocks", "stages", "offload"]
    assert (configuration.batch_size, configuration.training.accumulate) == (1, 4)
    assert without_levers(configuration).batch_size == 4
    with pytest.raises(UsageError, match="selective"):
        pull(configuration, ["wish"])


@pytest.mark.parametrize("architecture", ["pyramid", "voxelmorph_diff", "unet_register"])
def test_the_prediction_for_registration_networks_is_what_the_allocator_counts(architecture):
    plan = sketch_plan(architecture, patch_voxels=(32, 40, 36), batch_size=1)
    configuration = plan.configuration()
    assert configuration.patch_voxels == (32, 40, 36)
    found = predict_memory(plan, configuration, device="cpu")
    _, measured = allocated_bytes(lambda: real_step(plan, configuration))
    assert found.tensor_bytes == pytest.approx(measured, rel=0.05)
