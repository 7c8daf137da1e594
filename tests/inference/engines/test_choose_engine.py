"""The choice between engines: by labels and time, once a machine."""

import numpy as np
import pytest
import torch
from small_plan import small_plan
from untrained_model import smooth_noise, write_model

from medarch.core.plan import Device
from medarch.inference import choose_engine as module
from medarch.inference.choose_engine import agreement, choose_engine
from medarch.inference.engines.engine_choice import EngineTrial, load_choice
from medarch.inference.engines.load_engine import ENGINES, EngineEntry
from medarch.inference.engines.torch_engine import TorchEngine
from medarch.inference.load_model import load_model
from medarch.inference.window import Window

HERE = Device(kind="cpu", name="test", memory_bytes=2**30)
WINDOW = Window((8, 16, 16))


def sample():
    return smooth_noise((1, 12, 40, 40)) / 100


@pytest.fixture
def model(tmp_path, monkeypatch):
    """With a cache folder of its own, and few engines: which there are depends on the machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in set(ENGINES) - {"eager", "channels_last", "bf16"}:
        monkeypatch.delitem(ENGINES, name)
    return load_model(write_model(tmp_path / "model", small_plan()))


def engine_that(distorts):
    """An engine that is fast because it computes something else."""

    def make(name, network, device):
        exact = TorchEngine.of(name, network, device, dtype=torch.float32, channels_last=True)
        outputs = {}

        class Fast:
            dtype = torch.float32

            def __init__(self):
                self.name = name

            def __call__(self, tiles):
                key = tiles.numpy().tobytes()
                if key not in outputs:
                    outputs[key] = distorts(exact(tiles))
                return outputs[key]

        return Fast()

    return EngineEntry(make, torch.float32, lambda device: "", preparation_s=0.0)


def test_the_fastest_with_the_same_labels_is_chosen_and_kept(model, monkeypatch, tmp_path):
    monkeypatch.setitem(ENGINES, "cached", engine_that(lambda features: features))
    assert choose_engine(model, sample, WINDOW, passes=10**7, device=HERE) == "cached"
    [kept] = (tmp_path / "cache" / "medarch" / "engines").iterdir()
    assert '"engine": "cached"' in kept.read_text()
    monkeypatch.setattr(module, "_Trials", None)  # no second measurement
    assert choose_engine(model, sample, WINDOW, passes=10**7, device=HERE) == "cached"


def test_a_fast_engine_with_other_labels_is_not_chosen(model, monkeypatch):
    monkeypatch.setitem(ENGINES, "wrong", engine_that(lambda features: -features))
    assert choose_engine(model, sample, WINDOW, passes=10**7, device=HERE) in ("eager", "channels_last", "bf16")


def test_an_engine_that_fails_is_not_chosen_and_named(model, monkeypatch, caplog):
    def fails(features):
        raise RuntimeError("no such layer here")

    monkeypatch.setitem(ENGINES, "broken", engine_that(fails))
    assert choose_engine(model, sample, WINDOW, passes=10**7, device=HERE) != "broken"
    assert "broken" in caplog.text
    assert "no such layer here" in caplog.text


def test_a_short_run_measures_nothing(model, monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(module, "_Trials", None)
    with caplog.at_level("INFO"):
        assert choose_engine(model, sample, WINDOW, passes=10, device=HERE) == model.engine
    assert "not measured" in caplog.text
    assert not (tmp_path / "cache").exists()


def test_a_run_without_a_readable_case_measures_nothing(model, monkeypatch):
    monkeypatch.setattr(module, "_Trials", None)
    assert choose_engine(model, lambda: None, WINDOW, passes=10**7, device=HERE) == model.engine


def test_a_case_without_labels_chooses_nothing(model, tmp_path):
    model.head.bias[0] = 1e9
    model.networks[0].head.bias.data[0] = 1e9
    assert choose_engine(model, sample, WINDOW, passes=10**7, device=HERE) == model.engine
    assert not (tmp_path / "cache").exists()


def test_an_engine_that_takes_long_to_prepare_is_left_out_of_a_run_it_would_not_pay_in(model, monkeypatch, tmp_path):
    slow = engine_that(lambda features: features)
    monkeypatch.setitem(ENGINES, "slow start", EngineEntry(slow.make, slow.compute, slow.missing, preparation_s=1e9))
    assert choose_engine(model, sample, WINDOW, passes=10**7, device=HERE) != "slow start"
    assert not (tmp_path / "cache").exists()  # an incomplete choice is not kept


def test_only_the_precision_asked_for_is_tried(model, monkeypatch):
    monkeypatch.setitem(ENGINES, "cached", engine_that(lambda features: features))
    assert choose_engine(model, sample, WINDOW, passes=10**7, device=HERE, precision="bf16") in ("bf16", model.engine)


def test_another_model_patch_or_device_is_measured_anew(model, monkeypatch):
    choose_engine(model, sample, WINDOW, passes=10**7, device=HERE)
    asked = []
    monkeypatch.setattr(module, "load_choice", lambda made_for: asked.append(made_for) or load_choice(made_for))
    other = Device(kind="cpu", name="another", memory_bytes=2**30)
    choose_engine(model, sample, WINDOW, passes=10, device=HERE)
    choose_engine(model, sample, WINDOW, passes=10, device=other)
    choose_engine(model, sample, Window((8, 8, 16)), passes=10, device=HERE)
    assert [load_choice(made_for) is not None for made_for in asked] == [True, False, False]


def test_agreement_is_the_lowest_dice_of_labels_large_enough_to_tell():
    reference = np.zeros(10_000, dtype=np.uint8)
    reference[:2000], reference[2000:5000], reference[5000:5010] = 1, 2, 3
    found = reference.copy()
    found[:20] = 0
    assert agreement([found], [reference]) == pytest.approx(2 * 1980 / (1980 + 2000))
    found = reference.copy()
    found[5000:5010] = 0  # too small to tell alone, but not left out of the whole
    assert agreement([found], [reference]) == pytest.approx(2 * 5000 / (5000 + 5010))
    assert agreement([reference[5000:]], [reference[5000:]]) is None


def test_a_lower_precision_is_trusted_only_where_labels_could_be_compared():
    trial = EngineTrial(engine="bf16", seconds_per_tile=1, first_run_s=1, dice=None)
    assert not module._trusted(trial)
    assert module._trusted(trial.model_copy(update={"engine": "channels_last"}))
