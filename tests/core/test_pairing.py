import pytest

from medarch.core.dataset import Case, Dataset, Pair
from medarch.core.errors import DatasetError
from medarch.core.labels import LabelScheme
from medarch.core.pairing import Pairing


def dataset(tmp_path, **changes):
    values = {
        "name": "T",
        "task": "registration",
        "root": tmp_path,
        "layout": "nnunet",
        "channels": ("MRI",),
        "labels": LabelScheme(labels={"background": 0}),
        "cases": tuple(Case(id=name, images=(tmp_path / name,)) for name in "abcdef"),
    }
    return Dataset(**(values | changes))


def test_any_two_cases_are_a_pair_both_ways_round(tmp_path):
    pairing = Pairing(dataset(tmp_path), "abcd")
    found = [(pair.fixed, pair.moving) for pair in pairing]
    assert len(pairing) == len(set(found)) == 12
    assert all(fixed != moving for fixed, moving in found)
    with pytest.raises(IndexError):
        pairing[12]


def test_listed_pairs_are_those_with_both_cases_on_this_side(tmp_path):
    pairs = (Pair(fixed="a", moving="b"), Pair(fixed="a", moving="c"), Pair(fixed="d", moving="e"))
    assert list(Pairing(dataset(tmp_path, pairs=pairs), "abde")) == [pairs[0], pairs[2]]


def test_an_atlas_is_the_fixed_image_of_every_pair_on_either_side(tmp_path):
    made = dataset(tmp_path, atlas="c")
    assert list(Pairing(made, "cd")) == [Pair(fixed="c", moving="d")]
    assert list(Pairing(made, "ab")) == [Pair(fixed="c", moving=name) for name in "ab"]


def test_a_spread_is_always_the_same_different_pairs_of_many_cases(tmp_path):
    pairing = Pairing(dataset(tmp_path), "abcdef")
    chosen = pairing.spread(10)
    assert chosen == pairing.spread(10)
    assert len({(pair.fixed, pair.moving) for pair in chosen}) == 10
    assert {pair.fixed for pair in chosen} == set("abcdef")
    assert len({(pair.fixed, pair.moving) for pair in pairing.spread(1000)}) == 30


@pytest.mark.parametrize("cases", ["", "a"])
def test_one_case_is_no_pair(tmp_path, cases):
    with pytest.raises(DatasetError, match="no pair"):
        Pairing(dataset(tmp_path), cases)
