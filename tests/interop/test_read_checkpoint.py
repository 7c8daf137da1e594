"""Checkpoints from outside: nothing pickled in them runs, damaged files are told from foreign ones."""

import contextlib
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from nnunet_model_folder import architecture, checkpoint, network, plans, write_folder

import medarch
from medarch.core.errors import ModelError
from medarch.interop.read_checkpoint import ALLOWED, read_checkpoint

CODE = "import pathlib; pathlib.Path({!r}).write_text('owned')"


class Exec:
    """Pickles as a call of ``exec``."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return exec, (CODE.format(str(self.target)),)


class Shell(Exec):
    """Pickles as a call of ``os.system``."""

    def __reduce__(self):
        return os.system, (f"echo owned > {self.target}",)


class Process(Exec):
    """Pickles as a new process."""

    def __reduce__(self):
        return subprocess.Popen, ([sys.executable, "-c", CODE.format(str(self.target))],)


class Method(Exec):
    """Pickles as a method of a path."""

    def __reduce__(self):
        return Path.write_text, (Path(self.target), "owned")


class State(Exec):
    """Pickles as an innocent object whose state is set by a call."""

    def __reduce__(self):
        return OrderedDict, (), Exec(self.target)


EVILS = {"exec": Exec, "system": Shell, "Popen": Process, "getattr": Method, "exec ": State}
PLACES = {
    "whole file": lambda evil, content: evil,
    "weights": lambda evil, content: content | {"network_weights": evil},
    "one tensor": lambda evil, content: content | {"network_weights": content["network_weights"] | {"x": evil}},
    "init_args": lambda evil, content: content | {"init_args": evil},
    "deep in init_args": lambda evil, content: content | {"init_args": {"plans": {"configurations": [{"a": (evil,)}]}}},
    "trainer_name": lambda evil, content: content | {"trainer_name": evil},
    "mirror axes": lambda evil, content: content | {"inference_allowed_mirroring_axes": evil},
    "optimizer_state": lambda evil, content: content | {"optimizer_state": {"state": {0: evil}}},
    "grad_scaler_state": lambda evil, content: content | {"grad_scaler_state": evil},
    "logging": lambda evil, content: content | {"logging": {"losses": [0.1, evil]}},
    "_best_ema": lambda evil, content: content | {"_best_ema": evil},
    "an unknown key": lambda evil, content: content | {"note": evil},
    "a dictionary key": lambda evil, content: content | {evil: 1},
    "last": lambda evil, content: OrderedDict([*content.items(), ("z", [evil])]),
}


@pytest.fixture(scope="module")
def stock():
    return checkpoint(network(architecture()).state_dict())


def save(content, path, form):
    if form == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
@pytest.mark.parametrize("place", PLACES)
def test_code_in_any_place_of_a_checkpoint_is_refused_by_name_and_does_not_run(tmp_path, stock, place, form):
    for number, (name, kind) in enumerate(EVILS.items()):
        victim, path = tmp_path / f"victim{number}", tmp_path / f"checkpoint{number}.pth"
        save(PLACES[place](kind(victim), stock), path, form)
        # A file that starts as a bare pickle is already no checkpoint of torch, whatever it goes on to say.
        told = "cannot be read|refused" if form == "pickle" else f"refused.*({name.strip()})"
        with pytest.raises(ModelError, match=told) as error:
            read_checkpoint(path)
        assert "nothing of it was executed" in error.value.fix
        assert not victim.exists()


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("kind", EVILS.values(), ids=[kind.__name__ for kind in EVILS.values()])
def test_these_files_would_have_written_had_they_been_unpickled(tmp_path, stock, kind, form):
    save(PLACES["logging"](kind(tmp_path / "victim"), stock), tmp_path / "checkpoint.pth", form)
    loaded = torch.load(tmp_path / "checkpoint.pth", weights_only=False)
    if kind is Process:
        loaded["logging"]["losses"][1].wait()
    assert (tmp_path / "victim").exists()


def test_the_environment_cannot_make_reading_unsafe(tmp_path, stock, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    save(PLACES["logging"](Exec(tmp_path / "victim"), stock), tmp_path / "checkpoint.pth", "zip")
    with pytest.raises(ModelError, match="refused"):
        read_checkpoint(tmp_path / "checkpoint.pth")
    assert not (tmp_path / "victim").exists()


def test_an_evil_second_fold_writes_neither_its_file_nor_a_model(tmp_path, stock):
    folder = tmp_path / "results" / "Dataset777_Test" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    write_folder(folder, plans(), folds=(0, 1))
    save(
        PLACES["optimizer_state"](Shell(tmp_path / "victim"), stock), folder / "fold_1" / "checkpoint_final.pth", "zip"
    )
    with pytest.raises(ModelError, match=r"system.*nothing of it was executed"):
        medarch.import_model(folder, tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_the_allowance_is_not_left_behind(tmp_path, stock):
    before = set(torch.serialization.get_safe_globals())  # torch keeps a set and lists it in any order
    save(stock, tmp_path / "checkpoint.pth", "zip")
    read_checkpoint(tmp_path / "checkpoint.pth")
    assert set(torch.serialization.get_safe_globals()) == before
    # By itself torch refuses the numpy numbers of a stock checkpoint.
    with pytest.raises(pickle.UnpicklingError, match="numpy"):
        torch.load(tmp_path / "checkpoint.pth", weights_only=True)


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("module", ["numpy._core.multiarray", "numpy.core.multiarray"])
def test_a_stock_checkpoint_is_read_whichever_numpy_wrote_it(tmp_path, stock, form, module):
    class Numpy1(pickle._Pickler):
        """Names numpy's module as numpy 1 does."""

        def save_global(self, obj, name=None):
            if obj is np._core.multiarray.scalar:
                self.write(pickle.GLOBAL + f"{module}\nscalar\n".encode())
                self.memoize(obj)
            else:
                super().save_global(obj, name)

        dispatch = pickle._Pickler.dispatch | {type(np._core.multiarray.scalar): save_global}

    class Module:
        Pickler = Numpy1
        dump = staticmethod(lambda content, file, protocol: Numpy1(file, protocol).dump(content))

    path = tmp_path / "checkpoint.pth"
    torch.save(stock, path, pickle_module=Module, _use_new_zipfile_serialization=form == "zip")
    assert module.encode() in path.read_bytes()
    found = read_checkpoint(path)
    assert (found.configuration, found.trainer, found.mirror_axes) == ("3d_fullres", "nnUNetTrainer", (0, 1, 2))
    assert found.weights.keys() == stock["network_weights"].keys()
    for name, tensor in found.weights.items():
        assert torch.equal(tensor, stock["network_weights"][name])


def test_numpy_itself_is_never_called_for_what_a_checkpoint_holds(tmp_path, stock):
    """numpy's scalar makes memory out of any type and bytes; here both are stand-ins that do nothing."""

    class Odd:
        def __reduce__(self):
            return np._core.multiarray.scalar, (np.dtype("V8"), b"too short")

    with pytest.raises(ValueError, match="too small"):
        np._core.multiarray.scalar(np.dtype("V8"), b"short")
    save(stock | {"_best_ema": Odd()}, tmp_path / "checkpoint.pth", "zip")
    assert read_checkpoint(tmp_path / "checkpoint.pth").trainer == "nnUNetTrainer"
    save(stock | {"trainer_name": np.str_("nnUNetTrainer")}, tmp_path / "checkpoint.pth", "zip")
    with pytest.raises(ModelError, match="trainer_name"):
        read_checkpoint(tmp_path / "checkpoint.pth")


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_checkpoint_that_is_cut_short_is_told(tmp_path, stock, form, share):
    path = tmp_path / "checkpoint.pth"
    save(stock, path, form)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError, match="cannot be read as a checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_damaged_bytes_never_raise_anything_but_a_model_error(tmp_path, stock, form):
    path = tmp_path / "checkpoint.pth"
    small = stock | {"network_weights": {"a.weight": torch.ones(3)}}
    save(small, path, form)
    content = path.read_bytes()
    rng = np.random.default_rng(8)
    for _ in range(300):
        damaged = bytearray(content)
        for position in rng.integers(0, len(content), 4):
            damaged[position] = rng.integers(0, 256)
        path.write_bytes(damaged)
        # Damage to the numbers of a tensor passes; any other error than a ModelError fails the test.
        with contextlib.suppress(ModelError):
            read_checkpoint(path)


FOREIGN = {
    "no network_weights": {"state_dict": {}},
    "no trainer_name": {"network_weights": {}, "init_args": {"configuration": "2d"}},
    "a pickled list": [1, 2, 3],
    "a pickled Tensor": torch.zeros(3),
    "no dictionary of tensors": {
        "network_weights": {"a": 1},
        "init_args": {"configuration": "2d"},
        "trainer_name": "n",
    },
    "name of the configuration": {"network_weights": {}, "init_args": {"fold": 0}, "trainer_name": "n"},
}


@pytest.mark.parametrize(("message", "content"), FOREIGN.items(), ids=FOREIGN)
def test_a_file_of_another_program_is_no_checkpoint(tmp_path, message, content):
    torch.save(content, tmp_path / "checkpoint.pth")
    with pytest.raises(ModelError, match=f"no checkpoint of nnU-Net.*{message}"):
        read_checkpoint(tmp_path / "checkpoint.pth")


def test_other_kinds_of_files_are_told(tmp_path):
    (tmp_path / "text.pth").write_text("hello " * 100)
    (tmp_path / "folder.pth").mkdir()
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(1, 1, 1)), tmp_path / "script.pth")
    for name, message in (
        ("text", "cannot be read as a checkpoint"),
        ("folder", "cannot read"),
        ("nothing", "cannot read"),
        ("script", "TorchScript"),
    ):
        with pytest.raises(ModelError, match=message):
            read_checkpoint(tmp_path / f"{name}.pth")


def test_the_allowance_is_as_short_as_stock_checkpoints_permit(tmp_path, stock):
    save(stock, tmp_path / "checkpoint.pth", "zip")
    needed = set(torch.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "checkpoint.pth"))
    assert needed == {"numpy._core.multiarray.scalar", "numpy.dtype"}
    assert set(ALLOWED) == needed | {"numpy.core.multiarray.scalar"}
