"""Datasets of nuclei: images, instance maps in many formats, types, and what can be wrong with them."""

import json

import numpy as np
import pytest
from PIL import Image

from medarch.core.errors import DatasetError
from medarch.io.check_dataset import check_dataset
from medarch.io.nuclei.read_nuclei import read_nuclei, read_rgb
from medarch.io.read_dataset import read_dataset


def maps(size=(40, 50)):
    instances = np.zeros(size, np.int32)
    instances[4:12, 5:15] = 1
    instances[20:30, 30:40] = 700
    return instances, np.where(instances == 1, 1, np.where(instances == 700, 2, 0)).astype(np.uint8)


def write_dataset(folder, *, cases=4, **meta):
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    instances, types = maps()
    for number in range(cases):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 50, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"tile{number}.png")
        np.savez(folder / "labels" / f"tile{number}.npz", inst_map=instances + number * (instances > 0), type_map=types)
    labels = {"background": 0, "tumour": 1, "lymphocyte": 2}
    (folder / "dataset.json").write_text(json.dumps({"task": "nuclei", "mpp": 0.25, "labels": labels} | meta))
    return folder


def test_a_dataset_is_read_with_its_types_and_pixel_size(tmp_path):
    dataset = read_dataset(write_dataset(tmp_path / "tiles"))
    assert (dataset.task, dataset.mpp, dataset.labels.heads) == ("nuclei", 0.25, 3)
    assert [case.id for case in dataset.cases] == ["tile0", "tile1", "tile2", "tile3"]
    instances, types = read_nuclei(dataset.cases[2].label)
    assert (set(np.unique(instances)), set(np.unique(types))) == ({0, 3, 702}, {0, 1, 2})
    assert read_rgb(dataset.cases[0].images[0]).shape == (40, 50, 3)
    assert type(dataset).parse(dataset.to_json()) == dataset
    assert check_dataset(tmp_path / "tiles", workers=0).findings == ()


def test_folders_can_lie_elsewhere_and_types_in_files_of_their_own(tmp_path):
    write_dataset(tmp_path / "there")
    (tmp_path / "there" / "kinds").mkdir()
    for number in range(4):
        Image.fromarray(maps()[1]).save(tmp_path / "there" / "kinds" / f"tile{number}.png")
    (tmp_path / "here").mkdir()
    meta = {"task": "nuclei", "mpp": 0.5, "images": "../there/images", "instances": str(tmp_path / "there" / "labels")}
    (tmp_path / "here" / "dataset.json").write_text(json.dumps(meta | {"types": "../there/kinds"}))
    case = read_dataset(tmp_path / "here").cases[0]
    assert np.array_equal(read_nuclei(case.label, case.types)[1], maps()[1])


def test_every_format_gives_the_same_maps(tmp_path):
    from scipy.io import savemat

    instances, types = maps()
    Image.fromarray(instances.astype(np.uint16)).save(tmp_path / "a.png")
    Image.fromarray(instances.astype(np.uint16)).save(tmp_path / "a.tif")
    np.save(tmp_path / "plain.npy", instances)
    np.save(tmp_path / "both.npy", np.stack([instances, types], axis=-1))
    np.savez(tmp_path / "a.npz", inst_map=instances, type_map=types)
    savemat(tmp_path / "a.mat", {"inst_map": instances.astype(float), "type_map": types, "inst_centroid": np.eye(2)})
    for name in ("a.png", "a.tif", "plain.npy", "both.npy", "a.npz", "a.mat"):
        found, kinds = read_nuclei(tmp_path / name)
        assert np.array_equal(found, instances), name
        assert kinds is None or np.array_equal(kinds, types), name
    assert [read_nuclei(tmp_path / name)[1] is not None for name in ("both.npy", "a.npz", "a.mat", "a.png")] == [
        True,
        True,
        True,
        False,
    ]


def test_a_missing_pixel_size_is_an_error_that_says_how_to_give_it(tmp_path):
    with pytest.raises(DatasetError, match=r'"mpp": 0\.25'):
        read_dataset(write_dataset(tmp_path / "a", mpp=None))
    with pytest.raises(DatasetError, match="mpp"):
        read_dataset(write_dataset(tmp_path / "b", mpp=250))


def test_wrong_maps_are_told(tmp_path):
    instances, _ = maps()
    colours = np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    Image.fromarray(colours).save(tmp_path / "colours.png")
    np.save(tmp_path / "halves.npy", instances + 0.5)
    np.save(tmp_path / "negative.npy", -instances)
    np.savez(tmp_path / "other.npz", image=instances, mask=instances)
    np.savez(tmp_path / "sizes.npz", inst_map=instances, type_map=instances[:10])
    np.save(tmp_path / "pickled.npy", np.array([{"inst_map": instances}], dtype=object), allow_pickle=True)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "sizes.npz").read_bytes()[:200])
    for name in ("colours.png", "halves.npy", "negative.npy", "other.npz", "sizes.npz", "pickled.npy", "cut.npz"):
        with pytest.raises(DatasetError):
            read_nuclei(tmp_path / name)


def test_check_lists_what_is_wrong_with_each_case(tmp_path):
    folder = write_dataset(tmp_path / "tiles", cases=6)
    (folder / "labels" / "tile0.npz").unlink()
    np.savez(folder / "labels" / "tile1.npz", inst_map=maps((30, 50))[0])
    np.savez(folder / "labels" / "tile2.npz", inst_map=np.zeros((40, 50), int))
    np.savez(folder / "labels" / "tile3.npz", inst_map=maps()[0], type_map=7 * maps()[1])
    content = (folder / "images" / "tile4.png").read_bytes()
    (folder / "images" / "tile4.png").write_bytes(content[: len(content) // 2])
    np.save(folder / "labels" / "nobody.npy", maps()[0])
    found = {(finding.case, finding.code) for finding in check_dataset(folder, workers=0).findings}
    assert found >= {
        ("tile0", "LABEL_MISSING"),
        ("tile1", "SHAPE_MISMATCH"),
        ("tile2", "LABEL_EMPTY"),
        ("tile3", "LABEL_UNDECLARED"),
        ("tile4", "TRUNCATED"),
        ("", "STRAY_FILE"),
    }
    assert not [case for case, _ in found if case == "tile5"]


def test_real_tiles_have_nothing_wrong(shared_data, tmp_path):
    tiles = shared_data / "nucls_classes" / "train"
    labels = {"background": 0, "tumour": 1, "stroma": 2, "lymphocyte": 3, "other": 4, "ignore": 5}
    meta = {"task": "nuclei", "mpp": 0.25, "images": str(tiles / "images"), "instances": str(tiles / "labels")}
    (tmp_path / "dataset.json").write_text(json.dumps(meta | {"labels": labels}))
    report = check_dataset(tmp_path, workers=0)
    assert (report.cases, [finding for finding in report.findings if finding.severity == "error"]) == (10, [])
