import pytest
import torch

from medarch.core.errors import ModelError
from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network
from medarch.networks.registry import REGISTRY
from medarch.networks.weights.adapt_channels import adapt_channels
from medarch.networks.weights.fit_weights import fit_weights
from medarch.networks.weights.inflate import inflate

INFLATABLE = ["resnet18", "vgg11_bn", "googlenet", "densenet121", "mobilenet_v1", "mobilenet_v2", "efficientnet_b0"]
INFLATABLE += ["efficientnet_v2_s", "convnext_tiny", "se_resnet50"]


def network(name="resnet18", *, dim=2, in_channels=3, heads=5, options=None, **changes):
    torch.manual_seed(0)
    chosen = dict(REGISTRY[name].tiny) if options is None else options
    plan = NetworkPlan(
        architecture=name,
        dim=dim,
        in_channels=in_channels,
        heads=heads,
        options=chosen,
        deep_supervision=False,
        **changes,
    )
    built = build_network(plan)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return built.eval()


@pytest.mark.parametrize("name", INFLATABLE)
@pytest.mark.parametrize("depth", [1, 5, 8])
@torch.no_grad()
def test_an_inflated_network_gives_on_a_constant_volume_what_the_2d_one_gives_on_a_slice(name, depth):
    flat, deep = network(name).double(), network(name, dim=3).double()
    report = fit_weights(deep, flat.state_dict())
    assert report.inflated
    image = torch.randn(2, 3, 33, 40, dtype=torch.float64)
    volume = image.unsqueeze(2).expand(-1, -1, depth, -1, -1)
    maps, expected = deep.encoder(volume)[-1], flat.encoder(image)[-1]
    for plane in range(maps.shape[2]):
        torch.testing.assert_close(maps[:, :, plane], expected, rtol=1e-9, atol=1e-9)
    if not name.startswith("vgg"):
        assert report.share == 1
        torch.testing.assert_close(deep(volume), flat(image), rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_resnet18_of_full_size_inflated_is_exact_in_single_precision():
    flat, deep = network(options={}), network(dim=3, options={})
    assert fit_weights(deep, flat.state_dict()).share == 1
    image = torch.randn(2, 3, 64, 64)
    expected = flat(image)
    found = deep(image.unsqueeze(2).expand(-1, -1, 8, -1, -1))
    assert (found - expected).abs().max() / expected.abs().max() < 1e-5


def test_inflating_by_the_mean_adds_up_to_the_kernel():
    kernel = torch.randn(4, 3, 3, 3)
    torch.testing.assert_close(inflate(kernel, 5, "mean").sum(2), kernel)
    assert torch.equal(inflate(kernel, 5).sum(2), kernel)


@torch.no_grad()
def test_a_grey_image_gives_what_it_gave_as_rgb():
    rgb, grey = network(), network(in_channels=1)
    assert fit_weights(grey, rgb.state_dict()).adapted == ("encoder.stages.0.conv.weight",)
    image = torch.randn(2, 1, 32, 32)
    torch.testing.assert_close(grey(image), rgb(image.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [2, 4, 7])
def test_more_channels_keep_the_size_of_the_output(channels):
    weight = torch.rand(8, 3, 3, 3)
    adapted = adapt_channels(weight, channels)
    assert adapted.shape == (8, channels, 3, 3)
    assert adapted.sum() == pytest.approx(weight.sum().item(), rel=0.2)


def test_another_number_of_classes_keeps_the_new_head_and_says_so():
    report = fit_weights(network(heads=2), network(heads=5).state_dict())
    assert report.share == 1
    assert report.resized == ("head.linear.weight", "head.linear.bias")


def test_weights_of_another_network_are_refused_and_nothing_is_changed():
    target = network("densenet121")
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    with pytest.raises(ModelError, match="90%"):
        fit_weights(target, network("resnet18").state_dict())
    assert all(torch.equal(before[name], tensor) for name, tensor in target.state_dict().items())
    assert fit_weights(target, network("resnet18").state_dict(), allow_partial=True).share < 0.9


def test_a_part_of_a_network_is_refused_unless_asked_for():
    weights = {name: tensor for name, tensor in network().state_dict().items() if ".stages.4." not in name}
    with pytest.raises(ModelError, match="90%"):
        fit_weights(network(), weights)
    assert 0 < fit_weights(network(), weights, allow_partial=True).share < 0.9


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0", "convnext_tiny"])
def test_an_encoder_finds_its_classifiers_weights_inside_a_segmentation_network(name):
    plan = NetworkPlan(
        architecture="eff_unet",
        dim=3,
        in_channels=1,
        heads=2,
        options={"encoder": name, "encoder_options": dict(REGISTRY[name].tiny)},
    )
    segmenter = build_network(plan)
    classifier = network(name)
    report = fit_weights(segmenter, classifier.state_dict())
    assert report.share == 1
    assert any(name.startswith("decoder.") for name in report.missing)
    assert all(name.startswith("encoder.encoder.") for name in report.matched)


def test_a_network_for_small_patches_takes_the_stages_it_has():
    strides = ((2, 2),) * 3
    short = network(strides=strides)
    report = fit_weights(short, network().state_dict())
    assert report.share == 1
    assert all(name.startswith(("encoder.stages.3.", "encoder.stages.4.")) for name in report.unused)
    assert report.unused
