"""The page as a reader and a browser meet it."""

import base64
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from medarch.core.errors import PlanError, TrainingError
from medarch.reporting.write_report import write_report

VOID = {"meta", "img", "input", "br"}


class Page(HTMLParser):
    """Collects what the tests ask for and refuses unbalanced tags."""

    def __init__(self, text):
        super().__init__()
        self.open, self.references, self.tags, self.headings, self.text = [], [], [], [], []
        self.rows = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [value for name, value in attrs if name in ("src", "href", "xlink:href", "action", "srcset")]
        if tag == "tr":
            self.rows.append([])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings.append(data)
        if self.open and self.open[-1] in ("td", "th", "small", "button") and self.rows:
            self.rows[-1].append(data)
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text.append(data)

    @property
    def words(self):
        return " ".join(self.text)


@pytest.fixture(scope="module")
def full(study, tmp_path_factory):
    target = tmp_path_factory.mktemp("report") / "report.html"
    assert write_report(target, **study.everything()) == target
    return target.read_text(encoding="utf-8")


def test_every_tag_is_closed_and_every_section_is_there(full):
    page = Page(full)
    for title in ("Results", "Example slices", "Training", "Cases", "Plan", "Dataset", "Environment"):
        assert title in page.headings
    assert "Not in this report" not in page.headings


def test_page_loads_nothing_from_anywhere(full):
    references = Page(full).references
    assert references
    assert all(reference.startswith(("#", "data:image/")) for reference in references)
    assert not re.search(r"https?://|@import|url\(|<link|<iframe|fetch\(|XMLHttpRequest", full)
    drawings = [part for part in references if part.startswith("data:image/svg+xml;base64,")]
    assert len(drawings) == 3  # loss, score, learning rate
    for drawing in drawings:
        inner = base64.b64decode(drawing.split(",")[1]).decode()
        assert not re.search(r"(href|src)=\"(?!#)|@import", inner)
        assert "currentColor" in inner


def test_headline_shows_mean_interval_worst_case_and_count(full):
    words = Page(full).words
    assert "0.650" in words
    assert "0.111 to 0.999" in words
    assert "8 of 8 cases" in words
    assert re.search(r"Worst case\s+0\.300\s+case_7", words)


def test_worst_cases_come_first_then_median_then_best(full):
    headings = [text for text in Page(full).headings if re.search(r"case_\d", text)]
    order = [int(re.search(r"case_(\d)", text)[1]) for text in headings]
    assert order == [7, 6, 5, 3, 2, 1, 0]


def test_table_of_cases_is_sorted_worst_first(full):
    rows = [row for row in Page(full).rows if row and re.fullmatch(r"case_\d", row[0]) and len(row) == 3]
    assert [row[0] for row in rows] == [f"case_{number}" for number in range(7, -1, -1)]
    assert rows[0][1] == "0.300"


def test_each_example_has_three_planes_with_outlines_and_letters(full):
    examples = re.findall(r'alt="(case_\d, (?:axial|coronal|sagittal)[^"]+)"', full)
    assert len(examples) == 7 * 3
    assert full.count('class="outline"') == 7 * 3
    for told in examples:
        left = "A" if "sagittal" in told else "R"
        assert f"{left} on the left" in told
        assert f"{'A' if 'axial' in told else 'S'} at the top" in told


def test_reasons_of_the_plan_are_told(full):
    assert ["patch size", "8 × 32 × 32", "it fits"] in Page(full).rows


def test_volume_of_a_class_is_voxels_times_spacing(full):
    assert ["box", "1 of 1", "3.2", "3.2", "3.2"] in Page(full).rows  # 800 voxels of 4 mm³


def test_missing_inputs_leave_sections_out_with_a_sentence(study, tmp_path):
    page = Page(write_report(tmp_path / "bare.html", plan=study.plan).read_text(encoding="utf-8"))
    assert set(page.headings) & {"Results", "Example slices", "Training", "Cases", "Dataset", "Environment"} == set()
    for sentence in (
        "no evaluation was given.",
        "no image with a reference or a prediction was given.",
        "no training log was given.",
        "no fingerprint was given.",
        "no versions were given.",
    ):
        assert sentence in page.words
    assert "says nothing about accuracy" in page.words


def test_slices_are_shown_without_an_evaluation_and_without_predictions(study, tmp_path):
    images = {case: study.images[case] for case in ("case_5", "case_2")}
    target = write_report(tmp_path / "r.html", plan=study.plan, images=images, references=study.references)
    page = Page(target.read_text(encoding="utf-8"))
    assert [text for text in page.headings if "case_" in text] == ["case_2", "case_5"]
    assert "There is no prediction." in page.words


def test_hostile_names_are_text_not_markup(study, plan_of, evaluation_of, tmp_path):
    evil = "<script>alert('x')</script>\"><img src=http://evil.example/x onerror=alert(1)>&amp;"
    plan = plan_of(dataset=evil, labels={"background": 0, evil: 1}, because=evil)
    target = write_report(
        tmp_path / "evil.html",
        plan=plan,
        evaluation=evaluation_of({evil: 0.0, "b": 0.5}, label=evil, dataset=evil),
        images={evil: study.images["case_0"]},
        references={evil: study.references["case_0"]},
        environment={evil: evil},
    )
    page = Page(target.read_text(encoding="utf-8"))
    assert page.tags.count("script") == 1  # ours
    assert page.tags.count("img") == 6  # three planes, image and outlines
    assert all(reference.startswith(("#", "data:image/")) for reference in page.references)
    assert evil in page.headings  # read back by a parser, the name is what it was


def test_a_damaged_image_costs_only_its_own_place(study, tmp_path):
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(study.images["case_7"].read_bytes()[:200])
    given = {**study.everything(), "images": {"case_0": study.images["case_0"], "case_7": broken}}
    page = Page(write_report(tmp_path / "r.html", **given).read_text(encoding="utf-8"))
    assert page.words.count("Not shown: E3") == 1
    assert page.tags.count("figure") == 3


def test_a_reference_on_another_grid_is_not_drawn_but_told(study, tmp_path):
    import nibabel as nib
    import numpy as np

    other = tmp_path / "other.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((40, 36, 10), np.uint8), np.diag((1.0, 1.0, 2.0, 1.0))), other)
    target = write_report(
        tmp_path / "r.html", plan=study.plan, images={"a": study.images["case_0"]}, references={"a": other}
    )
    page = Page(target.read_text(encoding="utf-8"))
    assert "spacing 1×1×4 mm against 1×1×2 mm" in page.words
    assert "figure" not in page.tags


def test_a_case_with_nothing_to_score_is_neither_worst_nor_best(study, evaluation_of, tmp_path):
    scores = {case: 0.5 for case in study.images} | {"case_7": None}
    images = {case: study.images[case] for case in ("case_0", "case_7")}
    given = {**study.everything(), "evaluation": evaluation_of(scores), "images": images}
    page = Page(write_report(tmp_path / "r.html", **given).read_text(encoding="utf-8"))
    assert [text for text in page.headings if "case_" in text] == ["1 of 1, worst first: case_0"]


def test_unknown_configuration_is_refused(study, tmp_path):
    with pytest.raises(PlanError, match="3d_fullres"):
        write_report(tmp_path / "r.html", plan=study.plan, configuration="4d")


def test_an_older_report_survives_a_failed_one(study, tmp_path):
    target = tmp_path / "r.html"
    target.write_text("older")
    with pytest.raises(TrainingError):
        write_report(target, plan=study.plan, training_log=tmp_path / "none.csv")
    assert target.read_text() == "older"
    assert list(tmp_path.iterdir()) == [target]


def test_the_room_starts_without_torch_and_matplotlib():
    code = "import sys, medarch.reporting.write_report, medarch.reporting.draw_curves;"
    code += "sys.exit(str({'torch', 'monai', 'matplotlib', 'nibabel', 'scipy'} & set(sys.modules) or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
