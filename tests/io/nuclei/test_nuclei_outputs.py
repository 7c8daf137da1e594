"""Outputs of many nuclei."""

import itertools
import json
import resource
import time

import numpy as np
import pytest
import shapely
import tifffile
from random_nuclei import labelled_discs, write_parts
from skimage.measure import regionprops

from medarch.core.errors import PredictionError
from medarch.inference.nuclei.describe_nuclei import describe_nuclei
from medarch.io.nuclei.nuclei_columns import nuclei_columns
from medarch.io.nuclei.nuclei_part import NucleiPart
from medarch.io.nuclei.nuclei_scale import NucleiScale
from medarch.io.nuclei.numbered_parts import loaded_rows, number_parts
from medarch.io.nuclei.write_geojson import write_geojson
from medarch.io.nuclei.write_label_image import write_label_image
from medarch.io.nuclei.write_tables import GROUP_ROWS, write_tables

SCALE = NucleiScale(0.5, 0.25, (7, 3), ("tumour, invasive", 'so-called "other"', "lymphocyte"))
UUID = "01234567-89ab-4def-8123-0123456789ab"


def test_measures_are_those_of_scikit_image():
    labels = labelled_discs(208)
    rng = np.random.default_rng(0)
    probability, types = rng.random(labels.shape), rng.random((3, *labels.shape))
    part = describe_nuclei(labels, probability, types, corner=(1000, 400))
    order = np.argsort([props.coords[0] @ (208, 1) for props in regionprops(labels)])
    theirs = [regionprops(labels, probability)[index] for index in order]
    assert part.area.tolist() == [props.area for props in theirs]
    assert np.allclose(part.centroid - (400.5, 1000.5), [props.centroid[::-1] for props in theirs])
    assert np.allclose(part.axes, [(props.axis_major_length, props.axis_minor_length) for props in theirs])
    assert (part.box - (1000, 400, 1000, 400)).tolist() == [list(props.bbox) for props in theirs]
    assert np.allclose(part.probability, [props.intensity_mean for props in theirs])
    expected = [types[:, props.coords[:, 0], props.coords[:, 1]].mean(axis=1) for props in theirs]
    assert np.allclose(part.types, expected)
    assert np.allclose(part.shares.sum(axis=1), 1)
    assert part.kind.tolist() == [1 + int(np.argmax(values[1:])) for values in expected]
    # regionprops measures from the row axis, y downwards; here from the x axis.
    turned = [np.pi / 2 - props.orientation for props in theirs]
    clear = (part.axes[:, 0] > 1.05 * part.axes[:, 1]) & (np.abs(np.sin(2 * part.angle)) < 0.999)
    assert clear.sum() > 40
    assert np.allclose(np.sin(2 * part.angle)[clear], np.sin(2 * np.array(turned))[clear], atol=1e-6)
    assert np.allclose(np.cos(2 * part.angle)[clear], np.cos(2 * np.array(turned))[clear], atol=1e-6)


def test_parts_survive_the_disk_and_damage_is_seen(tmp_path):
    part = describe_nuclei(labelled_discs(104), np.ones((104, 104)), np.ones((0, 104, 104)), corner=(0, 0))
    part.save(tmp_path / "p.npz")
    again = NucleiPart.load(tmp_path / "p.npz")
    assert all(np.array_equal(value, vars(again)[name]) for name, value in vars(part).items())
    assert part.kind.tolist() == [0] * len(part)
    (tmp_path / "p.npz").write_bytes((tmp_path / "p.npz").read_bytes()[:-40])
    assert NucleiPart.load(tmp_path / "p.npz") is None
    with pytest.raises(PredictionError, match="is damaged"):
        number_parts({0: [tmp_path / "p.npz"]})


def test_numbers_go_with_the_raster_over_all_parts(tmp_path):
    numbered = number_parts(write_parts(tmp_path, 2, 3, side=208))
    rows = [(tuple(first), number) for parts in loaded_rows(numbered) for part, numbers in parts
            for first, number in zip(part.first.tolist(), numbers.tolist(), strict=True)]  # fmt: skip
    assert [number for _, number in sorted(rows)] == list(range(1, len(rows) + 1))
    assert len(rows) == 6 * 64


def test_geojson_is_read_by_others_and_drawn_again_gives_the_label_image(tmp_path):
    numbered = number_parts(write_parts(tmp_path, 2, 2, side=312))
    write_label_image(tmp_path / "l.ome.tif", numbered, size=(700, 640), mpp=0.25, identity=UUID)
    labels = tifffile.imread(tmp_path / "l.ome.tif")
    assert labels.shape == (640, 700)
    count = write_geojson(tmp_path / "n.geojson", loaded_rows(numbered), SCALE, slide="0123456789abcdef")
    features = json.loads((tmp_path / "n.geojson").read_text(encoding="utf-8"))["features"]
    assert count == len(features) == labels.max() == 4 * 144
    assert len({feature["id"] for feature in features}) == count
    rows, columns = np.indices(labels.shape)
    shapes = [shapely.from_geojson(json.dumps(feature["geometry"])) for feature in features]
    assert all(shape.is_valid for shape in shapes)
    x, y = (
        (places + 0.5) * SCALE.downsample - shift for places, shift in zip((columns, rows), SCALE.origin, strict=True)
    )
    for number in range(1, count + 1, 37):
        assert np.array_equal(shapely.contains_xy(shapes[number - 1], x, y), labels == number)
    properties = features[0]["properties"]
    assert properties["objectType"] == "detection"
    assert properties["classification"]["name"] in SCALE.names
    assert properties["measurements"]["Area µm^2"] == pytest.approx((labels == 1).sum() / 16, abs=1e-3)


def test_row_groups_do_not_depend_on_the_pieces(tmp_path):
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    columns = {
        "id": np.arange(150_000),
        "x": rng.random(150_000),
        "class": np.array(["a", "b,c"], object)[rng.integers(0, 2, 150_000)],
    }
    files = []
    for name, cuts in (("one", [0, 150_000]), ("many", [0, 10, 70_000, 70_001, 149_000, 150_000])):
        pieces = ({key: values[low:high] for key, values in columns.items()} for low, high in
                  itertools.pairwise(cuts))  # fmt: skip
        write_tables(tmp_path / f"{name}.csv", tmp_path / f"{name}.parquet", pieces)
        files.append([(tmp_path / f"{name}.{kind}").read_bytes() for kind in ("csv", "parquet")])
    assert files[0] == files[1]
    metadata = pyarrow.parquet.ParquetFile(tmp_path / "many.parquet").metadata
    assert [metadata.row_group(index).num_rows for index in range(3)] == [
        GROUP_ROWS,
        GROUP_ROWS,
        150_000 - 2 * GROUP_ROWS,
    ]
    assert (tmp_path / "one.csv").read_text().splitlines()[1].split(",", 1)[0] == "0"


def test_columns_are_in_level_0_pixels_and_micrometres(tmp_path):
    numbered = number_parts(write_parts(tmp_path, 1, 2, side=208))
    columns = next(iter(nuclei_columns(loaded_rows(numbered), SCALE)))
    assert columns["id"].tolist() == list(range(1, 129))
    part, numbers = numbered[0][1].load()
    own = numbers - 1
    assert np.allclose(columns["x_px"][own], part.centroid[:, 0] * 0.5)
    assert np.allclose(columns["y_um"][own], part.centroid[:, 1] * 0.25)
    assert np.allclose(columns["area_um2"][own], part.area / 16)
    assert (columns["circularity"] < 1.1).all()
    assert (columns["circularity"] > 0.7).all()
    assert set(columns["class"]) <= set(SCALE.names)


@pytest.mark.slow
def test_a_million_nuclei_in_thirty_seconds_of_one_core_and_200_mib(tmp_path):
    grid = write_parts(tmp_path, 25, 25)
    numbered = number_parts(grid)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    count = write_geojson(tmp_path / "n.geojson", loaded_rows(numbered), SCALE, slide="0123456789abcdef")
    seconds = time.process_time() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{count} nuclei, {seconds:.1f} s, {grown:.0f} MiB, {(tmp_path / 'n.geojson').stat().st_size / 1e6:.0f} MB")
    assert count == 1_000_000
    assert seconds < 30
    assert grown < 200
