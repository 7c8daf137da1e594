"""Which engine a run gets: the output folder's, or a measured one."""

import json

from medarch import api
from medarch.inference import fit_engines as module
from medarch.inference.ledger import LEDGER


def settings(output):
    return json.loads((output / LEDGER).read_text().splitlines()[0])


def test_an_output_folder_is_gone_on_with_on_its_own_engine(model_folder, images, tmp_path):
    output = tmp_path / "out"
    first = sorted(images.iterdir())[0]
    api.predict(model_folder, first, output, device="cpu", engine="bf16", mirror=False)
    assert settings(output)["engine"] == "bf16"
    result = api.predict(model_folder, images, output, device="cpu", mirror=False)
    assert [row.status for row in result.cases] == ["skipped", "done", "done", "done"]
    assert settings(output)["engine"] == "bf16"


def test_a_restart_chooses_anew(model_folder, images, tmp_path):
    output = tmp_path / "out"
    api.predict(model_folder, images, output, device="cpu", engine="bf16", mirror=False)
    api.predict(model_folder, images, output, device="cpu", mirror=False, restart=True)
    assert settings(output)["engine"] == "channels_last"


def test_passes_are_counted_from_headers_and_a_short_run_prepares_nothing(model_folder, images, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "choose_engine", lambda model, sample, window, **given: seen.append(given) or "eager")
    (images / "case_0.nii.gz").write_bytes(b"no image")
    api.predict(model_folder, images, tmp_path / "out", device="cpu")
    # Network grids of 11 to 12 x 19 x 19 voxels: 3 x 2 x 2 tiles a case; eight mirrored copies; the damaged case none.
    assert seen[0]["passes"] == 3 * 12 * 8
    assert settings(tmp_path / "out")["engine"] == "eager"


def test_the_first_readable_case_is_the_sample(model_folder, images, tmp_path, monkeypatch):
    shapes = []

    def choose(model, sample, window, **given):
        shapes.append(sample().shape)
        return "eager"

    monkeypatch.setattr(module, "choose_engine", choose)
    (images / "case_0.nii.gz").write_bytes(b"no image")
    result = api.predict(model_folder, images, tmp_path / "out", device="cpu", mirror=False)
    assert len(shapes) == 1
    assert shapes[0][0] == 1
    assert [row.status for row in result.cases] == ["failed", "done", "done", "done"]
