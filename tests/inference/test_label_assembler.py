"""Labels decided slab by slab against those of logits that were resampled whole."""

import numpy as np
import pytest
import torch
from streamed_logits import streamed_logits

from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.core.plan import NetworkPlan
from medarch.core.prepared import PreparedCase
from medarch.inference import footing
from medarch.inference import stream_features as module
from medarch.inference.engines.load_engine import load_engine
from medarch.inference.label_assembler import LabelAssembler
from medarch.inference.linear_head import LinearHead
from medarch.inference.stream_features import stream_features
from medarch.inference.window import Window
from medarch.networks.build_network import build_network
from medarch.preprocessing.restore import resample_to_crop

LABELS = LabelScheme(labels={"background": 0, **{f"class{value}": value for value in range(1, 7)}})
REGIONS = LabelScheme(labels={"background": 0, "whole": (1, 2), "core": 2}, regions_class_order=(1, 2))


def network(dim, heads, seed):
    torch.manual_seed(seed)
    ones, twos = (1,) * dim, (2,) * dim
    plan = NetworkPlan(
        architecture="plain_unet", dim=dim, in_channels=1, heads=heads, features=(4, 8), strides=(ones, twos),
        kernels=((3,) * dim,) * 2, blocks=(1, 1), decoder_blocks=(1,),
    )  # fmt: skip
    return build_network(plan).eval()


def engines(networks):
    return [load_engine("channels_last", network, torch.device("cpu")) for network in networks]


class Counting:
    """An engine that counts its calls."""

    dtype, name = torch.float32, "counting"

    def __init__(self, network):
        self.engine, self.calls = engines([network])[0], 0

    def __call__(self, tiles):
        self.calls += 1
        return self.engine(tiles)


def record(shape, crop, spacing_mm, **fields):
    cropped_mm = tuple(old * size / new for old, size, new in zip(spacing_mm, shape, crop, strict=True))
    return PreparedCase(
        id="case", geometry=Geometry.from_array(crop, np.eye(4)), permutation=(0, 1, 2), flips=(False,) * 3,
        full_shape=crop, crop=tuple((0, size) for size in crop), cropped_shape=crop, cropped_spacing_mm=cropped_mm,
        shape=shape, spacing_mm=spacing_mm, **fields,
    )  # fmt: skip


@pytest.fixture
def small_passes(monkeypatch):
    """One tile a pass, so that even small cases come in several slabs."""
    monkeypatch.setitem(footing.VOXELS_PER_PASS, "cpu", 1)


CASES = {
    "finer file grid": ((16, 16, 16), (33, 40, 21), (50, 61, 37), (2.0, 2.0, 2.0)),
    "coarser file grid": ((16, 16, 16), (33, 40, 21), (20, 31, 15), (2.0, 2.0, 2.0)),
    "same grid": ((16, 16, 16), (33, 20, 21), (33, 20, 21), (2.0, 2.0, 2.0)),
    "smaller than the patch": ((16, 16, 16), (12, 40, 9), (20, 61, 12), (2.0, 2.0, 2.0)),
    "thick slices, resampled apart": ((8, 16, 16), (17, 30, 33), (17, 44, 50), (9.0, 1.5, 1.5)),
    "2D slices": ((16, 16), (9, 30, 20), (9, 47, 33), (9.0, 1.5, 1.5)),
}


@pytest.mark.parametrize("labels", [LABELS, REGIONS], ids=["labels", "regions"])
@pytest.mark.parametrize("folds", [1, 2])
@pytest.mark.parametrize("name", CASES)
@torch.inference_mode()
def test_streamed_labels_are_those_of_the_whole_computation(name, folds, labels, small_passes):
    patch, shape, crop, spacing_mm = CASES[name]
    networks = [network(len(patch), labels.heads, seed) for seed in range(folds)]
    window = Window(patch, 0.5, (0, 1))
    image = torch.randn(1, *shape, generator=torch.Generator().manual_seed(5))
    way = record(shape, crop, spacing_mm)
    whole = resample_to_crop(streamed_logits(networks, image, heads=labels.heads, window=window).numpy(), way)
    if labels.has_regions:
        expected = np.zeros(crop, np.uint8)
        for channel, value in zip(whole, labels.regions_class_order, strict=True):
            expected[channel > 0] = value
        decided = np.abs(whole).min(axis=0) > 1e-5
    else:
        expected = whole.argmax(axis=0)
        decided = np.diff(np.sort(whole, axis=0)[-2:], axis=0)[0] > 1e-5
    assert len(np.unique(expected)) > 1
    for axis in (0,) if len(patch) == 2 else (None, 0, 1, 2):
        head = LinearHead.of(networks, classes=labels.heads)
        assembler = LabelAssembler(head, labels, way)
        slabs = 0
        for slab in stream_features(engines(networks), head, image, window=window, axis=axis):
            slabs += 1
            assembler.add(slab)
        assert slabs > 1 or max(shape) <= max(patch) or axis is not None
        # Where two classes are closer than rounding, either may win.
        np.testing.assert_array_equal(assembler.result[decided], expected[decided])
        assert decided.mean() > 0.999


@torch.inference_mode()
def test_only_a_patch_of_planes_is_held(small_passes, monkeypatch):
    held = []
    zeros = torch.zeros
    monkeypatch.setattr(module.torch, "zeros", lambda shape, **given: held.append(shape) or zeros(shape, **given))
    networks = [network(3, 7, 0)]
    head = LinearHead.of(networks, classes=7)
    for _ in stream_features(engines(networks), head, torch.randn(1, 90, 16, 16), window=Window((16, 16, 16))):
        pass
    assert [shape for shape in held if isinstance(shape, tuple)] == [(16, 16, 16, 4)]


@torch.inference_mode()
def test_a_network_without_a_pointwise_head_streams_its_logits():
    class Opaque(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x)

    inner = network(3, 7, 0)
    image = torch.randn(1, 33, 20, 18)
    window = Window((16, 16, 16))
    found = []
    for networks in ([inner], [Opaque(inner)]):
        head = LinearHead.of(networks, classes=7)
        slabs = stream_features(engines(networks), head, image, window=window, axis=0)
        found.append(torch.cat([head.logits(slab.features.movedim(0, -1)) for slab in slabs]))
    assert LinearHead.of([Opaque(inner)], classes=7).features == 7
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dim", [2, 3])
def test_needed_voxels_get_the_same_features_from_fewer_tiles(dim, small_passes):
    engine = Counting(network(dim, 7, 0))
    head = LinearHead.of([engine.engine.network.network], classes=7)
    image = torch.randn(1, 50, 40, 33)
    needed = np.zeros(image.shape[1:], bool)
    needed[20:23, 30:35, 3:9] = True

    def run(needed):
        engine.calls = 0
        slabs = stream_features([engine], head, image, window=Window((16,) * dim), axis=0, needed=needed)
        found = torch.zeros(4, *image.shape[1:])
        for slab in slabs:
            found[:, slab.start : slab.start + slab.features.shape[1]] = slab.features
        return found, engine.calls

    (whole, all_tiles), (part, some_tiles) = run(None), run(needed)
    assert some_tiles < all_tiles / 4
    assert torch.equal(whole[:, needed], part[:, needed])


def test_a_tile_of_air_is_computed_once(small_passes):
    engine = Counting(network(3, 7, 0))
    head = LinearHead.of([engine.engine.network.network], classes=7)
    image = torch.full((1, 48, 48, 48), -1.5)
    image[0, :16, :16, :16] = torch.randn(16, 16, 16)
    noisy = image + 1e-6 * torch.randn(image.shape)

    def run(image):
        engine.calls = 0
        slabs = stream_features([engine], head, image, window=Window((16, 16, 16)), axis=0)
        return torch.cat([slab.features.clone() for slab in slabs], dim=1), engine.calls

    found, count = run(image)
    _, all_tiles = run(noisy)
    assert (count, all_tiles) == (9, 125)  # eight tiles touch the corner, one stands for all others
    alone = torch.full((1, 16, 16, 16), -1.5)
    slabs = stream_features([engine], head, alone, window=Window((16, 16, 16)))
    (features,) = (slab.features.clone() for slab in slabs)
    corner = found[:, -8:, -8:, -8:]  # of the last tile alone
    torch.testing.assert_close(corner, features[:, -8:, -8:, -8:], rtol=1e-5, atol=1e-5)
