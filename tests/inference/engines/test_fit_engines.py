"""Which engine a run gets: the output folder's, or a measured one."""

import json

from medarch import api
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
