import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from medarch.cli.app import app
from medarch.cli.durations import seconds, spoken
from medarch.cli.wait_briefly import SPINS

SAMPLE = Path(__file__).parents[2] / "data_samples" / "hippocampus"
HEAVY = ("torch", "numpy", "monai", "lightning", "scipy", "nibabel", "SimpleITK", "matplotlib")
REPORT = """
import atexit, sys
atexit.register(lambda: sys.stderr.write("loaded:" + ",".join(name for name in {heavy!r} if name in sys.modules)))
sys.argv = ["medarch", *{arguments!r}]
from medarch.cli import main
main()
"""


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("arguments", [["--help"], ["info"], ["info", "--json"], ["train", "--help"]])
def test_help_and_info_start_without_heavy_libraries(arguments):
    script = REPORT.format(heavy=HEAVY, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stdout
    assert done.stderr.endswith("loaded:")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, str(SPINS)),
        ({"GOMP_SPINCOUNT": "77"}, "77"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, None),
    ],
)
def test_threads_of_torch_wait_briefly_unless_told_otherwise(given, expected):
    script = REPORT.format(heavy=(), arguments=["networks", "show", "unet"])
    own = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    surroundings = {**own, "OMP_DISPLAY_ENV": "VERBOSE", **given}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=surroundings, check=False)
    told = re.findall(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)  # by each OpenMP that was loaded
    if not told:
        pytest.skip("torch's OpenMP is not GNU's")
    assert all(count == expected if expected else int(count) > 1000 * SPINS for count in told)


def test_info_as_json_names_packages_and_presets():
    result = run("info", "--json")
    content = json.loads(result.stdout)
    assert result.exit_code == 0
    assert content["packages"]["medarch"] != "not installed"
    assert "auto" in content["presets"]


def test_info_knows_every_preset_and_task():
    from medarch.api.plan import PRESETS as presets
    from medarch.cli.info import PRESETS, TASKS
    from medarch.tasks.create_task import TASKS as REGISTERED

    assert set(PRESETS) == set(presets)
    assert set(TASKS) == set(REGISTERED)


def test_a_wrong_preset_exits_with_2_a_code_and_a_way_out(tmp_path):
    result = run("plan", SAMPLE, "-w", tmp_path, "--preset", "nnunett")
    assert result.exit_code == 2
    assert "E900 unknown preset 'nnunett'" in result.stderr
    assert "resenc-l" in result.stderr
    assert "fix:" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_error_as_json_has_its_parts(tmp_path):
    result = run("train", tmp_path / "nowhere", "--json")
    assert result.exit_code == 2
    content = json.loads(result.stdout.splitlines()[-1])
    assert content["code"] == "E100"
    assert content["fix"]


def test_a_dry_run_prints_the_plan_and_writes_none(tmp_path):
    result = run("plan", SAMPLE, "-w", tmp_path, "--preset", "nnunet", "--dry-run", "-j", 0)
    assert result.exit_code == 0, result.output
    assert "3d_fullres" in result.stdout
    assert "dry run: nothing written" in result.stdout
    assert list(tmp_path.rglob("plan.json")) == []
    written = run("plan", SAMPLE, "-w", tmp_path, "--preset", "nnunet", "-j", 0, "--json")
    content = json.loads(written.stdout.splitlines()[-1])
    assert (Path(content["folder"]) / "plan.json").exists()
    assert set(content["plan"]["configurations"]) >= {"2d", "3d_fullres"}


@pytest.mark.parametrize("spacing", ["1,1", "a,b,c", "1 1 1"])
def test_a_spacing_that_is_not_three_numbers_is_refused(tmp_path, spacing):
    result = run("plan", SAMPLE, "-w", tmp_path, "--preset", "nnunet", "--spacing", spacing)
    assert result.exit_code == 2
    assert "three numbers" in result.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("15min", 900),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1.5H", 5400),
        ("1 h 30 min", 5400),
        ("1d", 86400),
    ],
)
def test_times_are_read_as_people_write_them(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "15x", "1h-30m", "m"])
def test_what_is_not_a_time_is_refused(text):
    with pytest.raises(typer.BadParameter, match="15m"):
        seconds(text)


@pytest.mark.parametrize(
    ("duration", "expected"), [(0.25, "0.25 s"), (90, "90 s"), (900, "15 min"), (9000, "2 h 30 min")]
)
def test_times_are_written_as_people_read_them(duration, expected):
    assert spoken(duration) == expected
