"""The story of nuclei on slides, end to end with an untrained checkpoint."""

import runpy
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import torch

from medarch.core.plan import NetworkPlan
from medarch.networks.build_network import build_network

PIPELINE = Path(__file__).parents[2] / "pipelines" / "nuclei.py"


def test_a_checkpoint_and_pictures_become_nuclei(tmp_path, monkeypatch, capsys):
    torch.manual_seed(0)
    network = build_network(NetworkPlan(architecture="hovernet", dim=2, in_channels=3, heads=3))
    torch.save({"desc": network.state_dict()}, tmp_path / "net.tar")
    (tmp_path / "slides").mkdir()
    pixels = np.random.default_rng(0).integers(90, 200, (120, 150, 3)).astype(np.uint8)
    pixels[..., 1] //= 2
    PIL.Image.fromarray(pixels).save(tmp_path / "slides" / "a.png")
    (tmp_path / "slides" / "b.svs").write_bytes(b"no slide")
    command = [str(tmp_path / "slides"), str(tmp_path / "out"), "--checkpoint", str(tmp_path / "net.tar"), "--types",
               "tumour", "immune", "--mpp", "0.25", "--device", "cpu"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", [str(PIPELINE), *command])
    runpy.run_path(str(PIPELINE), run_name="__main__")
    printed = capsys.readouterr().out
    assert "model: hovernet at 0.25 µm, types tumour, immune" in printed
    assert "a: " in printed
    assert "b: E320" in printed
    assert (tmp_path / "out" / "nuclei" / "a" / "nuclei.geojson").exists()
