"""The promise "the same command goes on from here", with real processes and SIGKILL at different moments."""

import csv
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from oblique_grid import oblique_grid
from small_plan import small_hovernet
from volume_of_nuclei import nuclei_volume

from medarch import api
from medarch.core.plan import Configuration, Plan
from medarch.io.write_volume import write_volume

SAMPLE = Path(__file__).parents[2] / "data_samples" / "hippocampus"
POLL_S = 0.002
PATIENCE_S = 100.0
Process = multiprocessing.process.BaseProcess | subprocess.Popen[bytes]
# The server has imported torch once; every command is a process of its own, forked from it within milliseconds.
SERVER = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module", autouse=True)
def server():
    kept = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    os.environ.update(dict.fromkeys(kept, "1"))
    SERVER.set_forkserver_preload(["medarch.training.train_fold", "medarch.inference.predict_cases"])
    yield
    for name, value in kept.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def shell(arguments: Sequence[str], log: str) -> None:
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    sys.argv = ["medarch", *arguments]
    from medarch.cli import main

    main()


def start(arguments: Sequence[object], log: Path) -> Process:
    words = [str(argument) for argument in arguments]
    if words[0] == "preprocess":
        # From nothing, as a user starts it: its workers are forked only where torch is not loaded.
        with log.open("a") as stream:
            program = [sys.executable, "-c", "from medarch.cli import main; main()"]
            return subprocess.Popen([*program, *words], stdout=stream, stderr=stream)
    process = SERVER.Process(target=shell, args=(words, str(log)))
    process.start()
    return process


def exit_status(process: Process) -> int | None:
    return process.poll() if isinstance(process, subprocess.Popen) else process.exitcode


def wait(process: Process) -> int | None:
    if isinstance(process, subprocess.Popen):
        return process.wait(PATIENCE_S)
    process.join(PATIENCE_S)
    return process.exitcode


def run_to_the_end(arguments: Sequence[object], log: Path) -> None:
    assert wait(start(arguments, log)) == 0, log.read_text()[-2000:]


def kill_when(arguments: Sequence[object], log: Path, *, reached: Callable[[], bool], delay_s: float) -> None:
    process = start(arguments, log)
    limit = time.monotonic() + PATIENCE_S
    while not reached():
        assert exit_status(process) is None, f"ended before it could be killed: {log.read_text()[-2000:]}"
        assert time.monotonic() < limit
        time.sleep(POLL_S)
    time.sleep(delay_s)
    process.kill()
    assert wait(process) == -signal.SIGKILL, "ended before it could be killed"


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with two small plans that differ in their names only."""
    root = tmp_path_factory.mktemp("workspace")
    plan = api.plan(SAMPLE, root, preset="nnunet", workers=0)
    whole = plan.configuration("3d_fullres")
    network = whole.network.model_copy(
        update={
            "features": (4, 8, 8),
            "strides": ((1, 1, 1), (2, 2, 2), (2, 2, 2)),
            "kernels": ((3, 3, 3),) * 3,
            "blocks": (2, 2, 2),
            "decoder_blocks": (2, 2),
        }
    )
    training = whole.training.model_copy(
        update={"epochs": 6, "iterations_per_epoch": 4, "validation_iterations": 1, "weight_average_decay": 0.9}
    )
    small = whole.model_copy(
        update={"patch_voxels": (24, 24, 24), "batch_size": 2, "network": network, "training": training}
    )
    return save_twice(plan, small, root)


def save_twice(plan: Plan, small: Configuration, root: Path) -> Path:
    """The plan under two names, of which one will be killed; their folder."""
    changes = {"configurations": {small.name: small}, "default": small.name}
    for name in ("steady", "killed"):
        plan.model_copy(update={"name": name, **changes}).save(root / plan.dataset / name / "plan.json")
    return root / plan.dataset


@pytest.fixture(scope="module")
def prepared(workspace, tmp_path_factory):
    """The cases, prepared without disturbance."""
    run_to_the_end(["preprocess", workspace / "steady", "-j", "2"], tmp_path_factory.mktemp("log") / "log")
    return workspace / "prepared"


@pytest.fixture(scope="module")
def trained(workspace, prepared, tmp_path_factory):
    """The fold, trained without disturbance."""
    run_to_the_end(
        ["train", workspace / "steady", "--device", "cpu", "--no-validate"], tmp_path_factory.mktemp("log") / "log"
    )
    return workspace / "steady" / "3d_fullres"


def test_preparing_killed_five_times_ends_with_the_same_files(workspace, prepared, tmp_path):
    shutil.copytree(workspace, tmp_path / "copy" / workspace.name, ignore=shutil.ignore_patterns("prepared"))
    again = tmp_path / "copy" / workspace.name / "prepared"
    command = ["preprocess", again.parent / "killed", "-j", "2"]

    def count() -> int:
        return sum(path.is_file() and not path.name.startswith(".") for path in again.rglob("*"))

    total = len(contents(prepared))
    for kill in range(5):
        kill_when(command, tmp_path / "log", reached=lambda kill=kill: count() > total * kill / 6, delay_s=0.003 * kill)
    run_to_the_end(command, tmp_path / "log")
    assert contents(again) == contents(prepared)


def test_training_killed_five_times_ends_with_the_same_weights(workspace, trained, tmp_path):
    command = ["train", workspace / "killed", "--device", "cpu", "--no-validate"]
    train_with_kills(command, workspace / "killed" / "3d_fullres" / "fold_0", tmp_path / "log", kills=5)
    assert_same_run(workspace / "killed" / "3d_fullres" / "fold_0", trained / "fold_0", epochs=6)


def test_training_a_registration_killed_three_times_ends_with_the_same_weights_and_fields(tmp_path):
    """Pairs, their augmentation and the field that a validation pair gets are the same, too."""
    plan = api.plan(SAMPLE, tmp_path, task="registration", workers=0)
    whole = plan.configuration()
    changes = {"epochs": 4, "iterations_per_epoch": 6, "validation_iterations": 2, "patience_epochs": None}
    small = whole.model_copy(
        update={
            "network": whole.network.model_copy(update={"features": (4,) * len(whole.network.features)}),
            "training": whole.training.model_copy(update=changes),
        }
    )
    folder = save_twice(plan, small, tmp_path)
    steady, killed = (folder / name / small.name / "fold_0" for name in ("steady", "killed"))
    commands = [["train", folder / name, "--device", "cpu", "-j", 0] for name in ("steady", "killed")]
    run_to_the_end(commands[0], tmp_path / "log")
    train_with_kills(commands[1], killed, tmp_path / "log", kills=3)
    assert_same_run(killed, steady, epochs=4)
    fields = [contents(fold / "validation" / "fields") for fold in (killed, steady)]
    assert fields[0] == fields[1]
    assert fields[0]


def train_with_kills(command: Sequence[object], fold: Path, log: Path, *, kills: int) -> None:
    """Kill a training before its first epoch has ended and in later ones; then let it end."""

    def rows() -> int:
        return len((fold / "log.csv").read_text().splitlines()) - 1 if (fold / "log.csv").exists() else 0

    kill_when(command, log, reached=(fold / "plan.sha256").exists, delay_s=0.05)
    for kill in range(1, kills):
        kill_when(command, log, reached=lambda kill=kill: rows() >= kill, delay_s=0.015 * (kill - 1))
    run_to_the_end(command, log)


def assert_same_run(killed: Path, steady: Path, *, epochs: int) -> None:
    assert (killed / "weights.safetensors").read_bytes() == (steady / "weights.safetensors").read_bytes()
    logs = [_log(fold / "log.csv") for fold in (killed, steady)]
    assert len(logs[1]) == epochs
    assert logs[0] == logs[1]


def _log(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(stream)]


def test_predicting_killed_five_times_ends_with_the_same_files(trained, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for path in (*SAMPLE.glob("imagesTr/*.nii.gz"), *SAMPLE.glob("imagesTs/*.nii.gz")):
        shutil.copy(path, images)
    total = len(list(images.iterdir()))
    assert total == 24
    steady, killed = (
        ["predict", trained / "model", images, tmp_path / name, "--device", "cpu", "--no-mirror"] for name in "ab"
    )
    run_to_the_end(steady, tmp_path / "log")
    ledger = tmp_path / "b" / "ledger.jsonl"

    def lines() -> int:
        return ledger.read_bytes().count(b"\n") if ledger.exists() else 0

    for kill in range(5):
        kill_when(killed, tmp_path / "log", reached=lambda kill=kill: lines() > 4 * kill, delay_s=0.003 * kill)
    before = lines()
    run_to_the_end(killed, tmp_path / "log")
    # Only what was missing was predicted.
    assert lines() == total + 1
    assert before > 1
    first, second = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / name).iterdir()) if path.name.endswith(".nii.gz")}
        for name in "ab"
    )
    assert len(first) == total
    assert second == first


def test_finding_nuclei_in_volumes_killed_five_times_ends_with_the_same_files(tmp_path):
    """Killed in the network, and while a volume's files are written."""
    images, total = tmp_path / "images", 6
    model = untrained_model_of_nuclei(tmp_path / "model")
    grid = oblique_grid("RAS", shape=(40, 40, 20), spacing_mm=(1e-3, 1e-3, 2e-3))
    for number in range(total):
        _, image = nuclei_volume(number, shape=(20, 40, 40), count=25)
        write_volume(images / f"v{number}.nii.gz", image.transpose(2, 1, 0), grid)
    steady, killed = (["predict", model, images, tmp_path / name, "--device", "cpu"] for name in "ab")
    run_to_the_end(steady, tmp_path / "log")
    ledger = tmp_path / "b" / "ledger.jsonl"

    def lines() -> int:
        return ledger.read_bytes().count(b"\n") if ledger.exists() else 0

    for kill in range(3):
        kill_when(killed, tmp_path / "log", reached=lambda kill=kill: lines() > kill, delay_s=0.01 * kill)
    for case in ("v3", "v4"):
        kill_when(
            killed, tmp_path / "log", reached=lambda case=case: any((tmp_path / "b").glob(f"{case}/*")), delay_s=0
        )
        assert f'"{case}"' not in ledger.read_text()
    before = lines()
    run_to_the_end(killed, tmp_path / "log")
    assert 1 < before < total
    # Only what was missing was predicted.
    assert lines() == total + 1
    first, second = (
        {name: content for name, content in contents(tmp_path / out).items() if "/" in name} for out in "ab"
    )
    assert second == first
    assert len(first) >= 3 * total
    assert all(first[f"v{number}/nuclei.csv"].count(b"\n") > 1 for number in range(total))


def untrained_model_of_nuclei(folder: Path) -> Path:
    """A small network as it begins, which takes noise for nuclei."""
    import torch

    from medarch.core.nuclei_settings import NucleiSettings
    from medarch.core.plan import ChannelNormalisation, PreprocessingPlan
    from medarch.core.separation import Separation
    from medarch.inference.nuclei.model_files import save_nuclei_model
    from medarch.networks.build_network import build_network

    torch.manual_seed(0)
    network = small_hovernet(dim=3, heads=3)
    recipe = PreprocessingPlan(
        orientation="RAS",
        axes=(2, 1, 0),
        spacing_mm=(2e-3, 1e-3, 1e-3),
        normalisation=(ChannelNormalisation(scheme="zscore"),),
    )
    settings = NucleiSettings(
        network=network,
        window_pixels=(16, 32, 32),
        preprocessing=recipe,
        types=("dark", "bright"),
        separation=Separation(spacing=(2.0, 1.0, 1.0), slope_pixels=3, marker_pixels=2, nucleus_pixels=5),
    )
    save_nuclei_model(folder, build_network(network).eval(), settings)
    return folder
