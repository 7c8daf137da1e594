"""The fingerprint against nnU-Net's, and what happens when a run is killed, a case changes, or a case is damaged."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from datasets import LABELS, dataset_at, hippocampus, write_case

from medarch.core.dataset import Dataset
from medarch.core.errors import DatasetError
from medarch.core.labels import LabelScheme
from medarch.planning import extract_fingerprint as extraction
from medarch.planning.case_entry import read_entry
from medarch.planning.extract_fingerprint import extract_fingerprint
from medarch.planning.foreground_draws import TOTAL_DRAWS
from medarch.planning.measure_case import CaseTask, measure_case

REPOSITORY = Path(__file__).parents[2]
# What nnU-Net 2.8.1 computes from the 260 files, its float32 samples averaged in float64.
HIPPOCAMPUS_MEAN, HIPPOCAMPUS_STD = 22360.458710366605, 60654.61836844343


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Four random cases, with fewer draws than nnU-Net's hundred million to save time."""
    monkeypatch.setattr(extraction, "TOTAL_DRAWS", 100_000)
    random = np.random.default_rng(0)
    for index in range(4):
        image = random.normal(100, 20, size=(1, 12 + index, 10, 8)).astype(np.float32)
        write_case(tmp_path, f"case_{index}", image, random.integers(0, 3, size=image.shape[1:]))
    return dataset_at(tmp_path, [f"case_{index}" for index in range(4)])


def spoil(path: Path) -> None:
    """Replace the content by zeros, but keep size and modification time: only reading the file would tell."""
    stat = path.stat()
    path.write_bytes(bytes(stat.st_size))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def without_files(fingerprint):
    """The hash of the dataset holds modification times."""
    return fingerprint.model_copy(update={"dataset_sha256": ""})


def test_fingerprint_of_260_real_cases_equals_the_one_nnunet_stored(shared_data: Path) -> None:
    ours = extract_fingerprint(hippocampus(shared_data / "Task04_Hippocampus"), workers=0)
    stored = json.loads(
        (shared_data / "nnunet_golden_plans" / "Dataset004_Hippocampus" / "dataset_fingerprint.json").read_text()
    )
    assert [list(case.shape_after_crop[::-1]) for case in ours.cases] == stored["shapes_after_crop"]
    assert [list(case.spacing_mm[::-1]) for case in ours.cases] == stored["spacings"]
    assert ours.median_relative_size_after_crop == stored["median_relative_size_after_cropping"]
    found = ours.intensities[0].model_dump()
    expected = stored["foreground_intensity_properties_per_channel"]["0"]
    # The stored run's deviation differs by 2.5e-5 from what nnU-Net computes from these very files.
    assert found.pop("std") == pytest.approx(expected.pop("std"), rel=3e-5)
    assert found == pytest.approx(expected, rel=1e-5)
    assert ours.intensities[0].mean == pytest.approx(HIPPOCAMPUS_MEAN, rel=1e-12)
    assert ours.intensities[0].std == pytest.approx(HIPPOCAMPUS_STD, rel=1e-12)


def test_crop_channels_and_ignore_label_follow_nnunets_rule(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    images = np.zeros((2, 14, 12, 9), dtype=np.float32)
    images[:, 2:13, 1:12, 3:8] = random.normal(size=(2, 11, 11, 5))
    label = random.integers(0, 3, size=images.shape[1:])  # 2 is the ignore label; foreground reaches beyond the crop
    write_case(tmp_path, "a", images, label, spacing=(0.5, 0.75, 3.0))
    scheme = LabelScheme(labels={"background": 0, "organ": 1, "ignore": 2})
    dataset = dataset_at(tmp_path, ["a"], channels=("T1", "T2"), labels=scheme)
    draws = 3000
    measured = measure_case(CaseTask(dataset.cases[0], 2, scheme, (), draws, None))

    cropped, cropped_label = images[:, 2:13, 1:12, 3:8], label[2:13, 1:12, 3:8]
    stream = np.random.RandomState(1234)
    for (values, weights), image in zip(measured.intensities, cropped, strict=True):
        in_reader_order = image.T[cropped_label.T > 0]
        expected = np.sort(stream.choice(in_reader_order, draws, replace=True))
        np.testing.assert_array_equal(np.repeat(values, weights), expected)
    case = measured.fingerprint
    assert (case.shape, case.shape_after_crop) == ((14, 12, 9), (11, 11, 5))
    assert case.spacing_mm == pytest.approx((0.5, 0.75, 3.0))
    assert case.label_voxels == {value: int((cropped_label == value).sum()) for value in (0, 1, 2)}
    assert measured.relative_size == pytest.approx(11 * 11 * 5 / (14 * 12 * 9))


def test_worker_processes_find_the_same_as_none(small: Dataset, tmp_path: Path) -> None:
    script = """
        import sys
        from medarch.core.dataset import Dataset
        from medarch.planning.extract_fingerprint import extract_fingerprint
        dataset = Dataset.load(sys.argv[1])
        assert extract_fingerprint(dataset, workers=2) == extract_fingerprint(dataset, workers=0)
        print("equal")
    """
    small.save(tmp_path / "dataset.json")
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), tmp_path / "dataset.json"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=REPOSITORY,
        check=True,
    )
    assert run.stdout.strip() == "equal"


def test_an_unchanged_case_is_not_read_again(small: Dataset, tmp_path: Path) -> None:
    first = extract_fingerprint(small, cache=tmp_path / "cache", workers=0)
    for case in small.cases:
        for path in case.files():
            spoil(path)
    assert extract_fingerprint(small, cache=tmp_path / "cache", workers=0) == first


def test_a_touched_case_with_the_same_bytes_is_taken_as_it_was(small: Dataset, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = extract_fingerprint(small, cache=cache, workers=0)
    image = small.cases[0].images[0]
    os.utime(image, ns=(1, 1))
    assert without_files(extract_fingerprint(small, cache=cache, workers=0)) == without_files(first)
    spoil(image)  # the new time is known by now, so nothing is read
    assert without_files(extract_fingerprint(small, cache=cache, workers=0)) == without_files(first)


def test_a_changed_case_costs_only_itself(small: Dataset, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    extract_fingerprint(small, cache=cache, workers=0)
    image = np.linspace(1.0, 7.0, 960, dtype=np.float32).reshape(1, 12, 10, 8)
    write_case(small.root, "case_0", image, np.ones((12, 10, 8)))
    fresh = extract_fingerprint(small, workers=0)
    for case in small.cases[1:]:
        for path in case.files():
            spoil(path)
    assert extract_fingerprint(small, cache=cache, workers=0) == fresh
    assert fresh.cases[0].label_voxels == {1: 12 * 10 * 8}


def test_an_added_case_costs_only_itself_though_all_shares_of_the_draws_change(small: Dataset, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    three = small.model_copy(update={"cases": small.cases[:3]})
    extract_fingerprint(three, cache=cache, workers=0)
    fresh = extract_fingerprint(small, workers=0)
    for case in three.cases:
        for path in case.files():
            spoil(path)
    assert extract_fingerprint(small, cache=cache, workers=0) == fresh


def test_a_case_larger_than_its_draws_keeps_only_what_draws_reach(small: Dataset, tmp_path: Path) -> None:
    case = small.cases[0]
    cached = CaseTask(case, 1, LABELS, (), 200, tmp_path)
    measure_case(cached)
    entry = read_entry(next(tmp_path.glob("case_0-*.npz")))
    assert entry is not None
    assert entry.intensities.shape[1] < 200 < entry.record.foreground
    for draws in (150, 200, 300):  # fewer draws are a prefix of the stream; more need the case again
        reused = measure_case(CaseTask(case, 1, LABELS, (), draws, tmp_path))
        fresh = measure_case(CaseTask(case, 1, LABELS, (), draws, None))
        for ours, theirs in zip(reused.intensities[0], fresh.intensities[0], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_another_label_scheme_makes_kept_cases_void(small: Dataset, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    extract_fingerprint(small, cache=cache, workers=0)
    only_one = small.model_copy(update={"labels": LabelScheme(labels={"background": 0, "organ": 1})})
    with pytest.raises(DatasetError, match="4 of 4 cases"):
        extract_fingerprint(only_one, cache=cache, workers=0)


def test_a_damaged_entry_is_written_anew(small: Dataset, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = extract_fingerprint(small, cache=cache, workers=0)
    for number, entry in enumerate(sorted(cache.glob("*.npz"))):
        entry.write_bytes(entry.read_bytes()[: 40 * number])
    assert extract_fingerprint(small, cache=cache, workers=0) == first


def test_a_run_killed_half_way_goes_on_where_it_stopped(shared_data: Path, tmp_path: Path) -> None:
    source = hippocampus(shared_data / "Task04_Hippocampus")
    for case in source.cases[:40]:
        for path in case.files():
            target = tmp_path / path.relative_to(source.root)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
    dataset, cache = hippocampus(tmp_path), tmp_path / "cache"
    fresh = extract_fingerprint(dataset, workers=0)
    dataset.save(tmp_path / "record.json")
    script = """
        import sys, time
        from pathlib import Path
        from medarch.core.dataset import Dataset
        from medarch.planning.extract_fingerprint import extract_fingerprint

        def report(done, total):
            print(done, flush=True)
            time.sleep(0.02)

        extract_fingerprint(Dataset.load(sys.argv[1]), cache=Path(sys.argv[2]), workers=0, progress=report)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), tmp_path / "record.json", cache]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as run:
        assert run.stdout is not None
        while run.stdout.readline().strip() != "10":
            assert run.poll() is None
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    kept = [case for case in dataset.cases if any(cache.glob(f"{case.id}-*.npz"))]
    assert 10 <= len(kept) < 40
    for case in kept:
        for path in case.files():
            spoil(path)
    assert extract_fingerprint(dataset, cache=cache, workers=0) == fresh


def test_all_bad_cases_are_named_in_one_error(small: Dataset) -> None:
    small.cases[0].images[0].write_bytes(b"not an image")
    assert small.cases[2].label is not None
    small.cases[2].label.unlink()
    seen = []
    with pytest.raises(DatasetError, match="2 of 4 cases") as caught:
        extract_fingerprint(small, workers=0, progress=lambda done, total: seen.append((done, total)))
    message = str(caught.value)
    assert "case_0" in message
    assert "case_2" in message
    assert "case_1" not in message
    assert "medarch check" in message
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_cases_without_foreground_count_for_grids_but_not_for_intensities(small: Dataset) -> None:
    before = extract_fingerprint(small.model_copy(update={"cases": small.cases[:1]}), workers=0)
    bright = np.linspace(8000.0, 9000.0, 125, dtype=np.float32).reshape(1, 5, 5, 5)
    write_case(small.root, "case_1", bright, np.zeros((5, 5, 5)))
    after = extract_fingerprint(small.model_copy(update={"cases": small.cases[:2]}), workers=0)
    assert after.cases[1].shape == (5, 5, 5)
    assert after.intensities[0].max == before.intensities[0].max
    only_empty = small.model_copy(update={"cases": small.cases[1:2]})
    with pytest.raises(DatasetError, match="no foreground"):
        extract_fingerprint(only_empty, workers=0)


def test_a_dataset_without_cases_says_so(small: Dataset) -> None:
    with pytest.raises(DatasetError, match="no training case"):
        extract_fingerprint(small.model_copy(update={"cases": ()}), workers=0)


def test_num_training_is_what_dataset_json_says_else_the_count(small: Dataset) -> None:
    assert extract_fingerprint(small, workers=0).num_training == 4
    assert extract_fingerprint(small.model_copy(update={"num_training": 260}), workers=0).num_training == 260


PEER = """
import json, sys
import numpy as np
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
draws, *labels = sys.argv[1:]
pooled = np.concatenate([
    DatasetFingerprintExtractor.analyze_case(
        [label.replace("labelsTr", "imagesTr")], label, SimpleITKIO, int(draws))[2][0]
    for label in labels
]).astype(np.float64)
low, median, high = np.percentile(pooled, [0.5, 50, 99.5])
print(json.dumps(dict(mean=pooled.mean(), median=median, std=pooled.std(), min=pooled.min(), max=pooled.max(),
                      percentile_00_5=low, percentile_99_5=high)))
"""


@pytest.mark.peer
def test_statistics_equal_nnunets_own_code_run_now(shared_data: Path) -> None:
    dataset = hippocampus(shared_data / "Task04_Hippocampus")
    few = dataset.model_copy(update={"cases": dataset.cases[:20]})
    labels = [str(case.label) for case in few.cases]
    run = subprocess.run(
        [os.environ["MEDARCH_PEER_PYTHON"], "-c", PEER, str(TOTAL_DRAWS // 20), *labels],
        capture_output=True,
        text=True,
        check=True,
    )
    expected = json.loads(run.stdout.splitlines()[-1])
    ours = extract_fingerprint(few, workers=0).intensities[0].model_dump()
    assert ours == pytest.approx(expected, rel=1e-9)
