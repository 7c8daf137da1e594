"""Folders, results folders and zips as the source of a model; zips that would do harm."""

import json
import stat
import zipfile

import numpy as np
import pytest
from nnunet_model_folder import configuration, plans, write_folder
from typer.testing import CliRunner

import medarch
from medarch.cli.app import app
from medarch.core.errors import DatasetError, ModelError
from medarch.interop import open_model_source as module
from medarch.interop.open_model_source import open_model_source

NAME = "nnUNetTrainer__nnUNetPlans__3d_fullres"


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "nnUNet_results" / "Dataset777_Test"
    write_folder(folder / NAME, plans(), folds=(0, 1))
    return folder


def pack(folder, target, *, root=None):
    """As nnUNetv2_export_model_to_zip does: deflated, paths relative to nnUNet_results."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(root or folder.parent))
    return target


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("level", ["results folder", "nnUNet_results", "dataset zip", "model zip", "bare zip"])
def test_a_model_is_found_however_it_is_wrapped(results, tmp_path, level):
    medarch.import_model(results / NAME, tmp_path / "expected")
    source = {
        "results folder": lambda: results,
        "nnUNet_results": lambda: results.parent,
        "dataset zip": lambda: pack(results, tmp_path / "m.zip"),
        "model zip": lambda: pack(results / NAME, tmp_path / "m.zip"),
        "bare zip": lambda: pack(results / NAME, tmp_path / "m.zip", root=results / NAME),
    }[level]()
    medarch.import_model(source, tmp_path / "model")
    expected, found = files(tmp_path / "expected"), files(tmp_path / "model")
    cards = [
        content.pop(next(path for path in content if path.name == "MODEL_CARD.md")) for content in (expected, found)
    ]
    assert found == expected
    assert level == "bare zip" or cards[0] == cards[1]


def test_one_of_several_is_chosen_by_name_and_a_cascade_finds_its_first_stage_in_the_zip(results, tmp_path):
    content = plans(
        {
            "3d_lowres": configuration(next_stage="3d_cascade_fullres"),
            "3d_fullres": configuration(),
            "3d_cascade_fullres": configuration(previous_stage="3d_lowres"),
        }
    )
    for name in ("3d_lowres", "3d_cascade_fullres"):
        write_folder(results / NAME.replace("3d_fullres", name), content, name=name, n_in=1 + 2 * ("cascade" in name))
    archive = pack(results, tmp_path / "m.zip")
    for source in (results, archive):
        with pytest.raises(ModelError, match=r"holds 3 models.*--configuration"):
            medarch.import_model(source, tmp_path / "model")
        with pytest.raises(ModelError, match="no configuration '2d'"):
            medarch.import_model(source, tmp_path / "model", configuration="2d")
        output = tmp_path / f"model of {source.name}"
        result = medarch.import_model(source, output, configuration="3d_cascade_fullres")
        assert result.previous_stage.configuration == "3d_lowres"
        assert (output / "previous_stage" / "weights_fold_0.safetensors").exists()
    with open_model_source(archive, configuration="3d_cascade_fullres") as folder:
        unpacked = {path.parents[1].name.rpartition("__")[2] for path in folder.parent.rglob("checkpoint_*.pth")}
        root = folder.parent
    assert unpacked == {"3d_lowres", "3d_cascade_fullres"}
    assert not root.exists()


@pytest.mark.parametrize("name", ["../../evil/plans.json", "/tmp/evil.json", "a/../../evil.pth", "..\\evil", "C:evil"])
def test_a_path_that_leads_outside_makes_the_zip_suspect(results, tmp_path, name):
    archive = pack(results, tmp_path / "m.zip")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(name, "{}")
    with pytest.raises(ModelError, match="leads outside"):
        medarch.import_model(archive, tmp_path / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.zip", "nnUNet_results"]


def test_links_and_doubles_make_the_zip_suspect(results, tmp_path):
    link = zipfile.ZipInfo(f"Dataset777_Test/{NAME}/fold_2/checkpoint_final.pth")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = pack(results, tmp_path / "link.zip")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(link, "/etc/passwd")
    with pytest.raises(ModelError, match="a link"):
        medarch.import_model(archive, tmp_path / "model")
    archive = pack(results, tmp_path / "double.zip")
    with zipfile.ZipFile(archive, "a") as opened, pytest.warns(UserWarning, match="Duplicate"):
        opened.writestr(f"Dataset777_Test/{NAME}/plans.json", "{}")
    with pytest.raises(ModelError, match="same name twice"):
        medarch.import_model(archive, tmp_path / "model")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(results, tmp_path, monkeypatch):
    archive = pack(results, tmp_path / "m.zip")
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(f"Dataset777_Test/{NAME}/fold_2/checkpoint_final.pth", bytes(50 * 2**20))
    assert archive.stat().st_size < 2**20
    for limit in ("LARGEST_CHECKPOINT_BYTES", "LARGEST_ARCHIVE_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(module, limit, 40 * 2**20)
            with pytest.raises(ModelError, match="refused because of"):
                medarch.import_model(archive, tmp_path / "model")
    monkeypatch.setattr(module, "MOST_MEMBERS", 3)
    with pytest.raises(ModelError, match="at most 3 members"):
        medarch.import_model(archive, tmp_path / "model")


def test_a_size_that_the_zip_lies_about_is_not_unpacked(results, tmp_path):
    """zipfile stops at the stated size, then finds the checksum wrong."""
    name = f"Dataset777_Test/{NAME}/fold_0/checkpoint_final.pth"
    archive = pack(results, tmp_path / "m.zip")
    content = bytearray(archive.read_bytes())
    entry = content.rfind(name.encode()) - 46
    content[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    archive.write_bytes(content)
    with pytest.raises(ModelError, match="damaged zip"):
        medarch.import_model(archive, tmp_path / "model")


def test_damage_inside_a_zip_never_raises_anything_but_a_model_error(results, tmp_path):
    archive = pack(results, tmp_path / "m.zip")
    content = archive.read_bytes()
    rng = np.random.default_rng(3)
    told = 0
    for _ in range(12):
        damaged = bytearray(content)
        for position in rng.integers(0, len(content), 3):
            damaged[position] ^= 0xFF
        archive.write_bytes(damaged)
        try:
            medarch.import_model(archive, tmp_path / "model", dry_run=True)
        except (ModelError, DatasetError):
            told += 1
    assert told > 6


def test_a_file_that_is_also_a_folder_is_told(results, tmp_path):
    archive = pack(results, tmp_path / "m.zip")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(f"Dataset777_Test/{NAME}/plans.json/plans.json", "{}")
    with pytest.raises(ModelError, match="cannot be unpacked"):
        medarch.import_model(archive, tmp_path / "model")


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_zip_that_is_cut_short_is_told(results, tmp_path, share):
    archive = pack(results, tmp_path / "m.zip")
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * share)])
    with pytest.raises(ModelError, match="no zip"):
        medarch.import_model(archive, tmp_path / "model")


def test_folders_without_a_model_are_told(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        medarch.import_model(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="no trained nnU-Net model"):
        medarch.import_model(tmp_path)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ModelError, match="no trained nnU-Net model"):
        medarch.import_model(tmp_path / "other.zip")


class TestCommandLine:
    def run(self, *arguments):
        return CliRunner().invoke(app, ["import", *map(str, arguments)])

    def test_it_says_what_it_imports(self, results, tmp_path):
        result = self.run(results, tmp_path / "model", "--folds", "1")
        assert result.exit_code == 0, result.output
        for word in ("plain_unet", "8×16×16", "SimpleITKIO", "checkpoint_final", "mirror axes", "imported; in"):
            assert word in result.stdout
        assert (tmp_path / "model" / "weights_fold_1.safetensors").exists()

    def test_a_dry_run_as_json_has_everything_and_writes_nothing(self, results, tmp_path):
        result = self.run(results, tmp_path / "model", "--dry-run", "--json")
        assert result.exit_code == 0
        content = json.loads(result.stdout.splitlines()[-1])
        assert content["output"] is None
        assert content["folds"] == ["0", "1"]
        assert content["spacing_mm"] == [2.0, 1.5, 1.25]
        assert not (tmp_path / "model").exists()

    def test_a_refusal_is_exit_code_2_with_the_name(self, results, tmp_path):
        write_folder(results / NAME, plans(), folds=(0, 1), trainer="nnUNetTrainer_ofMine")
        result = self.run(results, tmp_path / "model", "--json")
        assert result.exit_code == 2
        assert "nnUNetTrainer_ofMine" in json.loads(result.stdout.splitlines()[-1])["error"]
        assert self.run(results, tmp_path / "model", "--trust-trainer", "nnUNetTrainer_ofMine").exit_code == 0
