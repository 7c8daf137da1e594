"""Plans for nuclei: what follows from what the images show, the memory and the time."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from volume_of_nuclei import nuclei_volume

from medarch.core.errors import DatasetError, PlanError
from medarch.core.geometry import Geometry
from medarch.core.plan import Device
from medarch.io.read_dataset import read_dataset
from medarch.io.write_volume import write_volume
from medarch.planning.extract_fingerprint import extract_fingerprint
from medarch.planning.plan_nuclei import plan_nuclei
from medarch.planning.search_configuration import Budget

GIB = 2**30


def write(folder, *, radius=9, cases=3, size=(260, 300), mpp=0.25):
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    rows, columns = np.indices(size)
    for number in range(cases):
        instances = np.zeros(size, np.uint16)
        step = int(2.5 * radius)
        for index, (y, x) in enumerate(
            (y, x) for y in range(radius + 2, size[0] - radius, step) for x in range(radius + 2, size[1] - radius, step)
        ):
            instances[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = index + 1
        if number == 0:
            instances[2 + radius, :] = np.where(instances[2 + radius, :] == 0, 60_000, instances[2 + radius, :])
        image = np.where(instances[..., None] > 0, (90, 60, 140), (235, 200, 225)).astype(np.uint8)
        image[0, : number + 1] = 0
        Image.fromarray(image).save(folder / "images" / f"t{number}.png")
        Image.fromarray(instances).save(folder / "labels" / f"t{number}.png")
    (folder / "dataset.json").write_text(f'{{"task": "nuclei", "mpp": {mpp}}}')
    return read_dataset(folder)


def budget(*, memory=8 * GIB, time_s=None):
    return Budget(Device(kind="cpu", name="test", memory_bytes=memory), "float32", memory, time_s)


def quick(plan, configuration, *, batch_size, device):
    """Seconds that grow with the network's width."""
    return 0.4 * batch_size * configuration.network.options.get("width", 1.0) ** 2


def test_the_fingerprint_measures_nuclei(tmp_path):
    dataset = write(tmp_path / "d")
    found = extract_fingerprint(dataset, workers=0).nuclei
    assert found.diameter_pixels[1] == pytest.approx(18, abs=0.7)
    assert found.mpp == 0.25
    count = sum(
        len(np.unique(np.array(Image.open(path)))) - 1 for path in sorted((tmp_path / "d" / "labels").iterdir())
    )
    assert found.nuclei == count
    assert found.per_mm2 == pytest.approx(count / (3 * 260 * 300 * 0.25e-3**2))
    # A line runs through the first row of the first image.
    assert 0 < found.touching_share < 0.2
    assert found.type_counts == {}


def test_the_plan_follows_the_size_of_nuclei_the_images_and_the_time(tmp_path):
    dataset = write(tmp_path / "d")
    fingerprint = extract_fingerprint(dataset, workers=0)
    plan = plan_nuclei(fingerprint, dataset, budget=budget(), measure=quick)
    chosen = plan.configuration()
    assert plan.mpp == 0.25
    assert chosen.patch_voxels == (256, 256)
    assert chosen.network.options == {"width": 1.0, "depths": (3, 4, 6, 3)}
    assert chosen.separation.slope_pixels == 5
    hurried = plan_nuclei(fingerprint, dataset, budget=budget(time_s=60), measure=quick).configuration()
    assert hurried.network.options["width"] < 1
    assert hurried.training.time_budget_s == 60
    small = plan_nuclei(fingerprint, dataset, budget=budget(memory=4 * GIB), measure=quick).configuration()
    assert small.estimate.training_bytes <= 4 * GIB
    with pytest.raises(PlanError, match="--memory"):
        plan_nuclei(fingerprint, dataset, budget=budget(memory=GIB // 8), measure=quick)


@pytest.mark.parametrize(
    ("network", "window"),
    [
        ({"architecture": "monai_hovernet"}, 256),
        ({"architecture": "monai_hovernet", "options": {"mode": "original"}}, 270),
        ({"architecture": "hovernet_original"}, 262),
    ],
)
def test_another_network_brings_its_own_windows(tmp_path, network, window):
    dataset = write(tmp_path / "d")
    fingerprint = extract_fingerprint(dataset, workers=0)
    plan = plan_nuclei(fingerprint, dataset, budget=budget(memory=32 * GIB), network=network, measure=quick)
    assert plan.configuration().patch_voxels == (window, window)
    [reason] = [reason for reason in plan.reasons if reason.decision == "network"]
    assert ("10.5 pixels" in reason.because) == (network["architecture"] == "monai_hovernet")


def test_a_network_without_distances_is_refused(tmp_path):
    dataset = write(tmp_path / "d")
    fingerprint = extract_fingerprint(dataset, workers=0)
    with pytest.raises(PlanError, match="gives no distances"):
        plan_nuclei(fingerprint, dataset, budget=budget(), network={"architecture": "resnet18"}, measure=quick)


@pytest.mark.parametrize(("radius", "mpp", "planned", "kernel"), [(4, 0.5, 0.25, 5), (34, 0.1, 0.2, 7)])
def test_nuclei_too_small_or_too_large_change_the_resolution(tmp_path, radius, mpp, planned, kernel):
    dataset = write(tmp_path / "d", radius=radius, mpp=mpp, cases=1)
    plan = plan_nuclei(extract_fingerprint(dataset, workers=0), dataset, budget=budget(), measure=quick)
    assert plan.mpp == pytest.approx(planned)
    assert plan.configuration().separation.slope_pixels == kernel
    assert "pixels across" in next(reason.because for reason in plan.reasons if reason.decision == "mpp")


def test_images_without_nuclei_and_unreadable_ones_are_told(tmp_path):
    dataset = write(tmp_path / "d", cases=2)
    Image.fromarray(np.zeros((10, 10), np.uint16)).save(tmp_path / "d" / "labels" / "t1.png")
    with pytest.raises(DatasetError, match="t1"):
        extract_fingerprint(dataset, workers=0)
    for number in range(2):
        Image.fromarray(np.zeros((260, 300), np.uint16)).save(tmp_path / "d" / "labels" / f"t{number}.png")
    with pytest.raises(DatasetError, match="has a nucleus"):
        extract_fingerprint(dataset, workers=0)


def write_volumes(folder, *, spacing_um, shape, radii_um=(6.0, 10.0), cases=2):
    """Files whose axes i, j, k are the array's in reverse."""
    for number in range(cases):
        labels, image = nuclei_volume(number, shape=shape, spacing_um=spacing_um, count=40, radii_um=radii_um)
        grid = Geometry.from_array(shape[::-1], np.diag([*(1e-3 * um for um in spacing_um[::-1]), 1.0]))
        write_volume(folder / "images" / f"v{number}.nii.gz", image.transpose(2, 1, 0), grid)
        write_volume(folder / "labels" / f"v{number}.nii.gz", labels.transpose(2, 1, 0), grid)
    (folder / "dataset.json").write_text('{"task": "nuclei", "dim": 3, "channel_names": {"0": "DAPI"}}')
    return read_dataset(folder)


def test_the_fingerprint_measures_nuclei_of_volumes_along_each_axis(tmp_path):
    spacing, shape = (2.0, 0.5, 1.0), (20, 100, 60)
    for name in ("images", "labels"):
        (tmp_path / "d" / name).mkdir(parents=True)
    dataset = write_volumes(tmp_path / "d", spacing_um=spacing, shape=shape, radii_um=(7.99, 8.0), cases=1)
    found = extract_fingerprint(dataset, workers=0).nuclei
    labels, _ = nuclei_volume(0, shape=shape, spacing_um=spacing, count=40, radii_um=(7.99, 8.0))
    count = len(np.unique(labels)) - 1
    assert (found.nuclei, found.mpp, found.per_mm2) == (count, None, None)
    assert found.per_mm3 == pytest.approx(count / (np.prod(shape) * np.prod(spacing) * 1e-9))
    for measured, length, axis in zip(found.extents_mm, spacing[::-1], (2, 1, 0), strict=True):
        boxes = [box[axis] for box in ndimage.find_objects(labels) if box is not None]
        sides = [(box.stop - box.start) * length * 1e-3 for box in boxes]
        assert measured[1] == pytest.approx(np.median(sides), rel=1e-5)
    assert found.diameter_mm[2] <= 16.5e-3  # spheres of 8 µm, some cut
    assert found.touching_share > 0.2


def test_the_plan_of_volumes_follows_each_axis_the_time_and_the_memory(tmp_path):
    for name in ("images", "labels"):
        (tmp_path / "d" / name).mkdir(parents=True)
    # Nuclei of 8 planes, but 40 pixels across in the plane.
    dataset = write_volumes(tmp_path / "d", spacing_um=(2.0, 0.4, 0.4), shape=(20, 110, 120))
    fingerprint = extract_fingerprint(dataset, workers=0)
    plan = plan_nuclei(fingerprint, dataset, budget=budget(memory=64 * GIB, time_s=3600), measure=quick)
    chosen = plan.configuration()
    assert (plan.mpp, plan.channels, chosen.network.dim, chosen.network.in_channels) == (None, ("DAPI",), 3, 1)
    np.testing.assert_allclose(chosen.preprocessing.spacing_mm, (0.002, 0.0008, 0.0008), rtol=1e-5)
    np.testing.assert_allclose(chosen.separation.spacing, (2.5, 1, 1), rtol=1e-4)
    assert chosen.network.strides == ((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2))
    assert all(side % step == 0 for side, step in zip(chosen.patch_voxels, (4, 8, 8), strict=True))
    assert chosen.patch_voxels[0] <= 20
    assert chosen.training.time_budget_s == 3600
    with pytest.raises(PlanError, match="--memory"):
        plan_nuclei(fingerprint, dataset, budget=budget(memory=GIB // 8), measure=quick)
