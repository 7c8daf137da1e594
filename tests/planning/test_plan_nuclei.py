"""Plans for nuclei: what follows from what the images show, the memory and the time."""

import numpy as np
import pytest
from PIL import Image

from medarch.core.errors import DatasetError, PlanError
from medarch.core.plan import Device
from medarch.io.read_dataset import read_dataset
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
