import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from medarch.core.errors import ModelError
from medarch.training.read_weights import read_weights

WEIGHTS = {"layer.weight": torch.arange(6.0).view(2, 3), "layer.bias": torch.ones(2)}


def same(found):
    return found.keys() == WEIGHTS.keys() and all(torch.equal(found[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "module.backbone."])
def test_weights_are_found_under_the_wrappers_of_training_scripts(wrapper, prefix, tmp_path):
    content = {prefix + name: tensor for name, tensor in WEIGHTS.items()}
    torch.save({wrapper: content, "epoch": 3} if wrapper else content, tmp_path / "weights.pth")
    assert same(read_weights(tmp_path / "weights.pth"))


def test_a_model_folder_gives_its_first_fold(tmp_path):
    save_file(WEIGHTS, tmp_path / "weights_fold_0.safetensors")
    save_file({"other": torch.zeros(1)}, tmp_path / "weights_fold_1.safetensors")
    assert same(read_weights(tmp_path))


class _Opens:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path):
    trap = tmp_path / "trap"
    for name, write in (
        ("new.pth", torch.save),
        ("old.pth", lambda content, path: path.write_bytes(pickle.dumps(content))),
    ):
        write({"state_dict": _Opens(trap)}, tmp_path / name)
        with pytest.raises(ModelError, match="nothing of it was executed"):
            read_weights(tmp_path / name)
    assert not trap.exists()


@pytest.mark.parametrize(
    "name", ["absent.pth", "absent.safetensors", "empty", "text.pth", "text.safetensors", "list.pth"]
)
def test_what_holds_no_weights_is_said_to_hold_none(name, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "text.safetensors").write_text("hello")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelError, match=name.split(".")[0]):
        read_weights(tmp_path / name)
