"""Slides from file to outputs: equal bytes whatever the chunks, the workers and the interruptions; a verdict each."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import shapely
import tifffile
from colour_network import nuclei_model

from medarch.core.errors import PredictionError, UsageError
from medarch.inference.nuclei.predict_slides import WORK, predict_slides
from medarch.inference.nuclei.slide_options import SlideOptions
from medarch.io.nuclei.slide_summary import SlideSummary
from medarch.io.slides.open_slide import open_slide

OUTPUTS = ("nuclei.geojson", "nuclei.csv", "nuclei.parquet", "labels.ome.tif", "overlay.png", "detail.png",
           "summary.json")  # fmt: skip


def predicted(slide, output, **options):
    prediction = predict_slides(nuclei_model(), {"slide": slide}, output, options=SlideOptions(**options))
    assert not prediction.failed, prediction.failed
    return content(output / "slide")


def content(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted(OUTPUTS)
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


@pytest.fixture(scope="module")
def reference(crop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    return folder, predicted(crop, folder, mpp=0.5, chunk=1024, workers=0)


@pytest.mark.parametrize(("chunk", "workers"), [(256, 0), (128, 2), (512, 1)])
def test_outputs_are_equal_byte_by_byte_whatever_the_chunks_and_workers(crop, reference, tmp_path, chunk, workers):
    assert predicted(crop, tmp_path, mpp=0.5, chunk=chunk, workers=workers) == reference[1]


def test_a_killed_run_goes_on_to_the_same_bytes(crop, reference, tmp_path):
    script = Path(__file__).with_name("run_slides.py")
    command = [sys.executable, str(script), str(crop), str(tmp_path), "128", "1", "0.5"]
    process = subprocess.Popen([*command, "0.3"], env=os.environ | {"OMP_NUM_THREADS": "1"})
    work = tmp_path / "slide" / WORK
    until = time.monotonic() + 60
    while len(list(work.rglob("tiles/[0-9]*"))) < 5:
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(list(work.rglob("tiles/[0-9]*"))) < 12  # it was killed on the way
    kept = {path.name: path.stat().st_mtime_ns for path in work.rglob("tiles/[0-9]*")}
    torn = next(iter(work.rglob("tiles/[0-9]*")))
    torn.write_bytes(torn.read_bytes()[:100])
    assert kept
    assert predicted(crop, tmp_path, mpp=0.5, chunk=128, workers=0) == reference[1]


def test_what_was_computed_is_kept_until_the_ledger_has_it(crop, reference, tmp_path, monkeypatch):
    from medarch.inference.ledger import Ledger

    def killed(self, row):
        raise KeyboardInterrupt

    def called(tiles):
        raise AssertionError("computed again")

    options = SlideOptions(mpp=0.5, workers=0)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            predict_slides(nuclei_model(), {"slide": crop}, tmp_path, options=options)
    assert (tmp_path / "slide" / WORK).exists()
    model = nuclei_model()
    model = replace(model, network=replace(model.network, networks=(called,)))
    assert not predict_slides(model, {"slide": crop}, tmp_path, options=options).failed
    assert content(tmp_path / "slide") == reference[1]


def test_the_label_image_the_geojson_and_the_table_say_the_same(crop, reference):
    folder = reference[0] / "slide"
    labels = tifffile.imread(folder / "labels.ome.tif")
    features = json.loads((folder / "nuclei.geojson").read_text())["features"]
    with (folder / "nuclei.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    summary = SlideSummary.load(folder / "summary.json")
    assert len(features) == len(rows) == summary.nuclei == labels.max() > 100
    assert sum(summary.classes.values()) == summary.nuclei
    painted = np.zeros(np.add(labels.shape, 2), labels.dtype)  # polygons end at the very edge
    for number, (feature, row) in enumerate(zip(features, rows, strict=True), start=1):
        rings = feature["geometry"]["coordinates"]
        polygon = shapely.Polygon(rings[0], rings[1:])
        assert polygon.is_valid
        left, top, right, bottom = (int(value) for value in polygon.bounds)
        y, x = np.mgrid[top : bottom + 1, left : right + 1]
        inside = shapely.contains_xy(polygon, x + 0.5, y + 0.5)
        painted[top : bottom + 1, left : right + 1][inside] = number
        assert (int(row["id"]), feature["properties"]["classification"]["name"]) == (number, row["class"])
        assert float(row["x_px"]) == pytest.approx(np.mean(x[inside] + 0.5), abs=1e-3)
        assert float(row["area_um2"]) == pytest.approx(inside.sum() * 0.25)
    assert np.array_equal(painted[:-2, :-2], labels)
    assert not painted[-2:].any()


def test_the_label_image_is_an_ome_tiff_in_micrometres_with_reduced_levels(field, tmp_path):
    predicted(field, tmp_path, mpp=0.5, workers=0)
    with tifffile.TiffFile(tmp_path / "slide" / "labels.ome.tif") as file:
        levels = [level.asarray() for level in file.series[0].levels]
        assert file.is_ome
        assert 'PhysicalSizeX="0.5"' in file.ome_metadata
    assert [level.shape for level in levels] == [(1500, 1500), (750, 750)]
    assert np.array_equal(levels[1], levels[0][::2, ::2])


def test_the_parquet_table_is_the_csv_table(reference):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(reference[0] / "slide" / "nuclei.parquet")
    with (reference[0] / "slide" / "nuclei.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert table.column_names == list(rows[0])
    for name in table.column_names:
        values = table[name].to_pylist()
        if isinstance(values[0], str):
            assert values == [row[name] for row in rows]
        else:
            assert np.allclose(values, [float(row[name]) for row in rows], atol=5e-5)


def test_pixels_of_another_size_are_resampled_and_places_stay(crop, reference, tmp_path):
    PIL.Image.open(crop).resize((1040, 860), PIL.Image.Resampling.BICUBIC).save(tmp_path / "fine.png")
    predicted(tmp_path / "fine.png", tmp_path / "out", mpp=0.25, workers=0)
    fine = SlideSummary.load(tmp_path / "out" / "slide" / "summary.json")
    coarse = SlideSummary.load(reference[0] / "slide" / "summary.json")
    assert fine.resampled
    assert fine.network_mpp == 0.5
    assert fine.nuclei == pytest.approx(coarse.nuclei, rel=0.05)
    places = []
    for folder, scale in ((reference[0], 1), (tmp_path / "out", 2)):
        with (folder / "slide" / "nuclei.csv").open() as stream:
            places.append(
                np.array([(float(row["x_px"]), float(row["y_px"])) for row in csv.DictReader(stream)]) / scale
            )
    nearest = np.sqrt(((places[0][:, None] - places[1]) ** 2).sum(axis=-1)).min(axis=1)
    assert np.median(nearest) < 0.3


def test_geojson_counts_from_the_scanned_area_as_qupath_does(crop, reference, tmp_path, monkeypatch):
    import medarch.inference.nuclei.predict_slides as module

    def opened(path, **options):
        slide = open_slide(path, **options)
        slide.origin = (100, 30)
        return slide

    monkeypatch.setattr(module, "open_slide", opened)
    predicted(crop, tmp_path, mpp=0.5, workers=0)
    features = [json.loads((folder / "slide" / "nuclei.geojson").read_text())["features"] for folder in
                (tmp_path, reference[0])]  # fmt: skip
    moved, still = (np.array(found[0]["geometry"]["coordinates"][0]) for found in features)
    assert np.allclose(moved + np.array((100, 30)), still)
    assert (tmp_path / "slide" / "nuclei.csv").read_bytes() == reference[1]["nuclei.csv"]


def test_each_bad_slide_has_its_verdict_and_costs_only_itself(crop, shared_data, tmp_path):
    cmu = shared_data / "wsi_samples" / "CMU-1-Small-Region.svs"
    (tmp_path / "cut.svs").write_bytes(cmu.read_bytes()[:-1_000_000])
    slides = {
        "no_mpp": crop,
        "cut": tmp_path / "cut.svs",
        "dicom": shared_data / "wsi_samples" / "tcga_tiled_wsi.dcm",
        "missing": tmp_path / "missing.svs",
    }
    prediction = predict_slides(nuclei_model(), slides, tmp_path / "out", options=SlideOptions(workers=0))
    errors = {row.case: row.error for row in prediction.cases}
    assert [row.status for row in prediction.cases] == ["failed"] * 4
    assert "does not state its pixel size" in errors["no_mpp"]
    assert "--mpp" in errors["no_mpp"]
    assert "is cut short" in errors["cut"]
    assert "does not say where its tiles lie" in errors["dicom"]
    assert "cannot read" in errors["missing"]


def test_a_slide_of_glass_has_no_nuclei_and_says_why(tmp_path):
    rng = np.random.default_rng(0)
    glass = (244 + rng.integers(-3, 4, (300, 400, 3))).astype(np.uint8)
    PIL.Image.fromarray(glass).save(tmp_path / "glass.png")
    options = SlideOptions(mpp=0.5, workers=0)
    prediction = predict_slides(nuclei_model(), {"slide": tmp_path / "glass.png"}, tmp_path / "out", options=options)
    assert prediction.cases[0].nuclei == {"kind 1": 0, "kind 2": 0}
    folder = tmp_path / "out" / "slide"
    assert json.loads((folder / "nuclei.geojson").read_text()) == {"type": "FeatureCollection", "features": []}
    assert (folder / "nuclei.csv").read_text().startswith("id,x_px,y_px")
    assert tifffile.imread(folder / "labels.ome.tif").max() == 0
    summary = SlideSummary.load(folder / "summary.json")
    assert summary.tissue_mm2 == 0
    assert "no tissue found" in summary.warnings[0]


def test_another_stain_is_warned_of(tmp_path):
    import skimage

    ihc = Path(skimage.__file__).parent / "data" / "ihc.png"
    options = SlideOptions(mpp=0.5, workers=0)
    predict_slides(nuclei_model(), {"slide": ihc}, tmp_path, options=options)
    warnings = SlideSummary.load(tmp_path / "slide" / "summary.json").warnings
    assert any("not stained like H&E" in warning for warning in warnings)


def test_real_fields_of_h_and_e_are_not_warned_of(reference, shared_data):
    assert SlideSummary.load(reference[0] / "slide" / "summary.json").warnings == ()


def test_finished_slides_are_passed_over_and_other_settings_refused(crop, reference, tmp_path):
    predicted(crop, tmp_path, mpp=0.5, workers=0)
    before = (tmp_path / "slide" / "summary.json").stat().st_mtime_ns
    again = predict_slides(
        nuclei_model(), {"slide": crop}, tmp_path, options=SlideOptions(mpp=0.5, chunk=99, workers=0)
    )
    assert again.cases[0].status == "skipped"
    assert (tmp_path / "slide" / "summary.json").stat().st_mtime_ns == before
    with pytest.raises(PredictionError, match="predictions made otherwise"):
        predict_slides(nuclei_model(), {"slide": crop}, tmp_path, options=SlideOptions(mpp=0.4))
    with pytest.raises(UsageError, match="chunks too small"):
        predict_slides(nuclei_model(), {"slide": crop}, tmp_path, options=SlideOptions(chunk=10))


def test_progress_counts_tiles(crop, tmp_path):
    calls = []
    predict_slides(nuclei_model(), {"slide": crop}, tmp_path, options=SlideOptions(mpp=0.5, workers=0),
                   progress=lambda done, total: calls.append((done, total)))  # fmt: skip
    assert calls[-1] == (12, 12)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_a_network_that_fails_ends_the_slide_and_not_the_program(crop, tmp_path):
    def broken(tiles):
        raise MemoryError("no memory left for tiles")

    model = nuclei_model()
    model = replace(model, network=replace(model.network, networks=(broken,)))
    prediction = predict_slides(model, {"slide": crop}, tmp_path, options=SlideOptions(mpp=0.5, workers=1))
    assert "no memory left" in prediction.failed[0].error
