import pickle

import numpy as np
import pytest
from safetensors.numpy import load_file

from medarch.core.errors import PreprocessingError
from medarch.core.geometry import Geometry
from medarch.core.plan import ChannelNormalisation, PreprocessingPlan
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.prepare_case import PreparedArrays, prepare_case

RECIPE = PreprocessingPlan(
    orientation=None,
    axes=(2, 1, 0),
    spacing_mm=(None, None, None),
    normalisation=(ChannelNormalisation(scheme="none"),) * 2,
)
SHAPE = (12, 15, 18)


def arrays(case: str, seed: int = 0, labelled: bool = True) -> PreparedArrays:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, size=SHAPE).astype(np.int16) if labelled else None
    return prepare_case(
        rng.normal(size=(2, *SHAPE)), Geometry.from_array(SHAPE, np.eye(4)), case=case, recipe=RECIPE, label=label
    )


@pytest.fixture
def store(tmp_path) -> CaseStore:
    store = CaseStore(tmp_path / "store")
    for seed, case in enumerate(("b.1", "a")):
        store.write(arrays(case, seed), {1: np.argwhere(arrays(case, seed).label == 1)})
    return store


def test_parts_are_equal_to_the_whole(store):
    expected = arrays("a", 1)
    np.testing.assert_array_equal(store.read_image("a"), expected.image)
    np.testing.assert_array_equal(store.read_label("a"), expected.label)
    rng = np.random.default_rng(0)
    for _ in range(20):
        box = tuple(tuple(sorted(rng.integers(0, size + 1, 2))) for size in expected.label.shape)
        inner = tuple(slice(*ends) for ends in box)
        np.testing.assert_array_equal(store.read_image("a", box), expected.image[(slice(None), *inner)])
        np.testing.assert_array_equal(store.read_label("a", box), expected.label[inner])
    np.testing.assert_array_equal(store.locations("a")[1], np.argwhere(expected.label == 1))
    assert store.record("a") == expected.record
    assert store.shape("a") == (18, 15, 12)
    assert store.ids() == ("a", "b.1")


def test_the_safetensors_package_reads_a_case(store):
    content = load_file(store.path("a"))
    assert sorted(content) == ["image", "label", "locations.1"]
    np.testing.assert_array_equal(content["image"], arrays("a", 1).image)
    np.testing.assert_array_equal(content["label"], arrays("a", 1).label)


def test_patches_are_views_of_the_file_and_cannot_be_written(store):
    patch = store.read_image("a", ((1, 3), (2, 5), (0, 4)))
    assert patch.base is not None
    with pytest.raises(ValueError, match="read-only"):
        patch[...] = 0


def test_a_copy_in_another_process_reads_the_same(store):
    store.read_image("a")
    copy = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(copy.read_image("a"), store.read_image("a"))


def test_a_case_written_again_is_read_anew(store):
    store.read_image("a")
    store.write(arrays("a", 5), {})
    np.testing.assert_array_equal(store.read_image("a"), arrays("a", 5).image)
    assert store.locations("a") == {}


def test_a_write_that_fails_leaves_no_half_file(store):
    store.path("in_the_way").mkdir()
    before = sorted(path.name for path in store.folder.iterdir())
    with pytest.raises(OSError, match="directory"):
        store.write(arrays("in_the_way"), {})
    assert sorted(path.name for path in store.folder.iterdir()) == before


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff" * 40, b"\x02\0\0\0\0\0\0\0{}", b"\x02\0\0\0\0\0\0\0[]"])
def test_a_file_that_is_no_case_is_called_damaged(store, content):
    store.path("a").write_bytes(content)
    with pytest.raises(PreprocessingError, match="damaged"):
        store.read_image("a")


def test_a_truncated_case_is_noticed_when_it_is_opened(store):
    path = store.path("a")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(PreprocessingError, match="damaged"):
        store.shape("a")


def test_verify_notices_one_flipped_bit(store):
    store.verify("a")
    content = bytearray(store.path("a").read_bytes())
    content[-100] ^= 1
    store.path("a").write_bytes(content)
    with pytest.raises(PreprocessingError, match="SHA-256"):
        store.verify("a")


def test_boxes_missing_cases_and_missing_labels_are_errors_with_a_fix(store):
    with pytest.raises(PreprocessingError, match="leaves case a"):
        store.read_image("a", ((-1, 3), (0, 2), (0, 2)))
    with pytest.raises(PreprocessingError, match="leaves case a"):
        store.read_label("a", ((0, 3), (0, 2), (0, 99)))
    with pytest.raises(PreprocessingError, match="no prepared case 'c'"):
        store.record("c")
    store.write(arrays("c", 0, labelled=False), {})
    with pytest.raises(PreprocessingError, match="without a label"):
        store.read_label("c")
