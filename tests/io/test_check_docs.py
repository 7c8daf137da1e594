"""docs/check.md says what the code does, and what it says about real files is so."""

import re
import runpy
from pathlib import Path

import pytest

from medarch.core.check import CODES, codes_table
from medarch.core.dataset import Case
from medarch.core.errors import MedarchError
from medarch.core.labels import LabelScheme
from medarch.io.examine_case import CaseToExamine, examine_case
from medarch.io.read_geometry import read_geometry

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
ODDITIES = dict(re.findall(r"^\| ([\w.-]+/\S+) \| (.+) \|$", TEXT, flags=re.MULTILINE))


def test_the_table_of_codes_is_the_one_in_the_program() -> None:
    documented = TEXT.split("<!-- codes: begin -->\n")[1].split("\n<!-- codes: end -->")[0]
    assert documented == codes_table(), "paste the output of medarch.core.check.codes_table() into docs/check.md"


def test_every_code_is_used_somewhere_and_every_used_code_exists() -> None:
    source = "".join(path.read_text() for path in (ROOT / "medarch" / "io").glob("*.py"))
    quoted = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+|TRUNCATED)"', source))
    assert {name for name in quoted if not name.startswith("MET_")} == set(CODES)


def test_documented_verdicts_on_derived_faults_are_the_tested_ones() -> None:
    tested = runpy.run_path(str(ROOT / "tests" / "io" / "test_check_dataset.py"))["DERIVED_FAULTS"]
    section = TEXT.split("### derived_faults")[1].split("### The other folders")[0]
    documented = {}
    for name, verdict in re.findall(r"^\| ([\w.]+\.nii\S*) \| .+ \| (.+) \|$", section, flags=re.MULTILINE):
        warnings = tuple(re.findall(r"`(\w+)` \(warning\)", verdict))
        codes = tuple(code for code in re.findall(r"`(\w+)`", verdict) if code not in warnings)
        documented[name] = (codes, warnings)
        assert codes or verdict.startswith("valid")
    assert documented == {name: tuple(map(tuple, verdict)) for name, verdict in tested.items()}


def test_every_real_oddity_has_a_documented_verdict(shared_data: Path) -> None:
    folder = shared_data / "nifti_oddities"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    files = {name for name in files if not name.startswith("derived_faults") and "README" not in name}
    assert files == set(ODDITIES)


@pytest.mark.parametrize("name", ODDITIES)
def test_documented_verdicts_on_oddities_hold(shared_data: Path, name: str) -> None:
    path = shared_data / "nifti_oddities" / name
    try:
        channels = read_geometry(path)[1]
    except MedarchError:
        channels = 1
    case = Case(id="x", images=(path,))
    labels = LabelScheme(labels={"background": 0})
    findings = examine_case(CaseToExamine(case, channels, labels, needs_label=False)).findings
    assert [finding.code for finding in findings] == re.findall(r"`(\w+)`", ODDITIES[name])
    assert bool(findings) != (ODDITIES[name] == "valid")
