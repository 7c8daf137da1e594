import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medarch.core.dataset import Case, Dataset
from medarch.core.errors import PreprocessingError
from medarch.core.labels import LabelScheme
from medarch.core.plan import ChannelNormalisation, PreprocessingPlan
from medarch.preprocessing import prepare_dataset as room
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.prepare_dataset import prepare_dataset

RECIPE = PreprocessingPlan(
    orientation=None, axes=(2, 1, 0), spacing_mm=(1.5, 1.0, 1.0), normalisation=(ChannelNormalisation(scheme="zscore"),)
)
LABELS = LabelScheme(labels={"background": 0, "a": 1, "b": 2})


def make_dataset(folder: Path, count: int) -> Dataset:
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for number in range(count):
        rng = np.random.default_rng(number)
        image, label = folder / f"c{number:02}_image.nii.gz", folder / f"c{number:02}_label.nii.gz"
        nib.save(nib.Nifti1Image(rng.normal(100, 20, (24, 26, 28)).astype(np.float32), np.eye(4)), image)
        nib.save(nib.Nifti1Image(rng.integers(0, 3, (24, 26, 28)).astype(np.uint8), np.eye(4)), label)
        cases.append(Case(id=f"c{number:02}", images=(image,), label=label))
    return Dataset(name="d", root=folder, layout="manifest", channels=("MRI",), labels=LABELS, cases=tuple(cases))


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    return make_dataset(tmp_path / "raw", 5)


def contents(store: CaseStore) -> dict[str, bytes]:
    return {case: store.path(case).read_bytes() for case in store.ids()}


def inodes(store: CaseStore) -> dict[str, int]:
    """A case written again gets a new file."""
    return {case: store.path(case).stat().st_ino for case in store.ids()}


def test_every_case_is_prepared_and_workers_change_nothing(dataset, tmp_path):
    seen: list[tuple[int, int]] = []
    alone = prepare_dataset(dataset, RECIPE, tmp_path / "alone", workers=0)
    crew = prepare_dataset(dataset, RECIPE, tmp_path / "crew", workers=2, progress=lambda *state: seen.append(state))
    assert alone.ids() == tuple(case.id for case in dataset.cases)
    assert contents(alone) == contents(crew)
    assert seen == [(done, 5) for done in range(6)]
    assert alone.shape("c00") == (19, 26, 24)
    assert sorted(alone.locations("c00")) == [1, 2]
    for case in alone.ids():
        alone.verify(case)


def test_a_second_run_touches_nothing(dataset, tmp_path):
    before = inodes(prepare_dataset(dataset, RECIPE, tmp_path / "p", workers=0))
    assert inodes(prepare_dataset(dataset, RECIPE, tmp_path / "p", workers=0)) == before


def test_recipes_and_labels_decide_the_folder(dataset, tmp_path):
    stores = [
        prepare_dataset(given, recipe, tmp_path / "p", workers=0).folder
        for given, recipe in (
            (dataset, RECIPE),
            (dataset, RECIPE.model_copy(update={"spacing_mm": (None, 1.0, 1.0)})),
            (dataset.model_copy(update={"labels": LabelScheme(labels={"background": 0, "x": 1, "ignore": 2})}), RECIPE),
            (dataset.model_copy(update={"name": "other"}), RECIPE),
        )
    ]
    assert len(set(stores)) == 3
    assert stores[0] == stores[3]


def test_only_a_case_with_changed_content_is_prepared_again(dataset, tmp_path):
    store = prepare_dataset(dataset, RECIPE, tmp_path / "p", workers=0)
    before, old = inodes(store), contents(store)
    shutil.copy(dataset.cases[1].images[0], dataset.cases[0].images[0])
    store = prepare_dataset(dataset, RECIPE, tmp_path / "p", workers=0)
    assert {case for case in before if inodes(store)[case] != before[case]} == {"c00"}
    assert contents(store)["c00"] != old["c00"]
    np.testing.assert_array_equal(store.read_image("c00"), store.read_image("c01"))


def test_a_touched_file_with_the_same_content_is_read_but_not_prepared(dataset, tmp_path, monkeypatch):
    store = prepare_dataset(dataset, RECIPE, tmp_path / "p", workers=0)
    image = np.array(store.read_image("c00"))
    os.utime(dataset.cases[0].images[0], (1, 1))
    with monkeypatch.context() as patch:
        patch.setattr(room, "prepare_case", None)
        prepare_dataset(dataset, RECIPE, tmp_path / "p", workers=0)
        patch.setattr(room, "read_case", None)  # its new time is known now
        store = prepare_dataset(dataset, RECIPE, tmp_path / "p", workers=0)
    np.testing.assert_array_equal(store.read_image("c00"), image)


def test_a_damaged_case_is_prepared_again(dataset, tmp_path):
    store = prepare_dataset(dataset, RECIPE, tmp_path / "p", workers=0)
    before = contents(store)
    store.path("c02").write_bytes(before["c02"][:1000])
    assert contents(prepare_dataset(dataset, RECIPE, tmp_path / "p", workers=0)) == before


def test_chosen_cases_only(dataset, tmp_path):
    assert prepare_dataset(dataset, RECIPE, tmp_path / "p", cases=["c03", "c01"], workers=0).ids() == ("c01", "c03")


def test_failures_are_listed_with_their_causes_after_all_others_are_prepared(dataset, tmp_path):
    dataset.cases[0].images[0].write_bytes(dataset.cases[0].images[0].read_bytes()[:3000])
    dataset.cases[2].images[0].unlink()
    with pytest.raises(PreprocessingError, match="2 of 5 cases") as caught:
        prepare_dataset(dataset, RECIPE, tmp_path / "p", workers=2)
    text = str(caught.value)
    assert "c00_image.nii.gz" in text
    assert "c02_image.nii.gz" in text
    assert "No such file" in text
    (folder,) = (tmp_path / "p").iterdir()
    assert CaseStore(folder).ids() == ("c01", "c03", "c04")


@pytest.fixture
def forked(monkeypatch):
    """Workers inherit what a test changed, also in a session that has loaded torch (which would have them spawned)."""
    monkeypatch.setattr("medarch.core.parallel._start_method", lambda: "fork")


def _die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_worker_that_is_killed_costs_its_case_only_and_names_the_signal(dataset, tmp_path, monkeypatch, forked):
    real = room.prepare_case
    monkeypatch.setattr(
        room, "prepare_case", lambda *args, case, **more: (_die if case == "c03" else real)(*args, case=case, **more)
    )
    with pytest.raises(PreprocessingError, match="SIGTERM") as caught:
        prepare_dataset(dataset, RECIPE, tmp_path / "p", workers=2)
    assert "1 of 5" in str(caught.value)
    (folder,) = (tmp_path / "p").iterdir()
    assert CaseStore(folder).ids() == ("c00", "c01", "c02", "c04")


def test_a_case_killed_for_memory_is_tried_once_more_alone(dataset, tmp_path, monkeypatch, forked):
    real = room.prepare_case
    first = tmp_path / "first"

    def starve_once(*args, case, **more):
        if case == "c01" and not first.exists():
            first.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, case=case, **more)

    monkeypatch.setattr(room, "prepare_case", starve_once)
    assert len(prepare_dataset(dataset, RECIPE, tmp_path / "p", workers=2).ids()) == 5
    assert first.exists()


def test_kill_9_loses_only_the_cases_in_work_and_leaves_no_half_file(tmp_path):
    dataset = make_dataset(tmp_path / "raw", 70)
    dataset.save(tmp_path / "dataset.json")
    RECIPE.save(tmp_path / "recipe.json")
    undisturbed = contents(prepare_dataset(dataset, RECIPE, tmp_path / "whole"))
    script = (
        "from pathlib import Path; from medarch.core.dataset import Dataset; from medarch.core.plan import *;"
        "from medarch.preprocessing.prepare_dataset import prepare_dataset;"
        f"root = Path({str(tmp_path)!r});"
        "prepare_dataset(Dataset.load(root / 'dataset.json'), PreprocessingPlan.load(root / 'recipe.json'),"
        " root / 'p', workers=2)"
    )
    kept: dict[str, int] = {}
    for goal in (3, 12, 25):
        process = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2])
        deadline = time.monotonic() + 60
        while len(list((tmp_path / "p").glob("*/c*.safetensors"))) < goal and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        (folder,) = (tmp_path / "p").iterdir()
        store = CaseStore(folder)
        assert goal <= len(store.ids()) < 70
        for case in store.ids():
            store.verify(case)
        assert {case: inodes(store)[case] for case in kept} == kept
        kept = inodes(store)
    (folder / ".tmp-abc-c99.safetensors").write_bytes(b"half")
    store = prepare_dataset(dataset, RECIPE, tmp_path / "p")
    assert contents(store) == undisturbed
    assert {case: inodes(store)[case] for case in kept} == kept
    assert not list(folder.glob(".tmp-*"))


def test_two_runs_at_once_share_the_work(dataset, tmp_path):
    dataset.save(tmp_path / "dataset.json")
    RECIPE.save(tmp_path / "recipe.json")
    script = (
        "from pathlib import Path; from medarch.core.dataset import Dataset; from medarch.core.plan import *;"
        "from medarch.preprocessing.prepare_dataset import prepare_dataset;"
        f"root = Path({str(tmp_path)!r});"
        "prepare_dataset(Dataset.load(root / 'dataset.json'), PreprocessingPlan.load(root / 'recipe.json'),"
        " root / 'p', workers=1)"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2], stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for run in runs:
        _, errors = run.communicate(timeout=60)
        assert run.returncode == 0, errors.decode()
    (folder,) = (tmp_path / "p").iterdir()
    assert len(CaseStore(folder).ids()) == 5
