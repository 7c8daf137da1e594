"""A study's files as people and other programs read them."""

import csv
import io
import itertools
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from small_study import join_results, make_result

from medarch.core.comparison import Comparison
from medarch.evaluation.compare_methods import compare_methods
from medarch.reporting.write_study import write_study

FILES = {"study.md", "study.html", "study.tex", "per_case.csv", "challenger.csv", "comparison.json"}
HOSTILE = '<b>50% & 2_x #1 | $y~z^\\"</b>'


def study(*, names=("plain", "resenc", "auto"), datasets=("Hearts", "Livers")):
    generator = np.random.default_rng(0)
    results = []
    for dataset in datasets:
        base = generator.beta(14, 2, 24)
        scores = {name: base + generator.normal(0.01 * index, 0.02, 24) for index, name in enumerate(names)}
        scores = {name: np.clip(values, 0, 1) for name, values in scores.items()}
        scores[names[0]][3] = 0.0
        scores[names[1]][4] = np.nan
        results.append(make_result(scores, dataset=dataset, folds=2, seeds=2, labels=("left", "right")))
    return join_results(results)


def lose_a_run(result, *, dataset):
    runs = [
        run.model_copy(update={"status": "failed", "error": "Traceback:\n  RuntimeError: out of memory", "attempts": 3})
        if (run.dataset, run.method, run.fold, run.seed) == (dataset, "resenc", 1, 0)
        else run
        for run in result.runs
    ]
    rows = [r for r in result.rows if (r.dataset, r.method, r.fold, r.seed) != (dataset, "resenc", 1, 0)]
    return result.model_copy(update={"runs": tuple(runs), "rows": tuple(rows)})


def write(result, folder):
    comparison = compare_methods(result, bootstrap_samples=300)
    write_study(result, comparison, folder)
    return comparison


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    result = lose_a_run(study(), dataset="Livers")
    return result, write(result, folder), folder


class Page(HTMLParser):
    """Refuses unbalanced tags."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.tags, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def markdown_rows(text, heading):
    """Rows of the table below a heading."""
    part = text.split(f"### {heading}\n", 1)[1].split("###", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in (lines[0], *lines[2:])]


def test_all_files_are_there_and_nothing_else(written):
    assert {path.name for path in written[2].iterdir()} == FILES


def test_the_record_is_read_back_as_it_was(written):
    assert Comparison.load(written[2] / "comparison.json") == written[1]


def test_markdown_columns_line_up(written):
    lines = (written[2] / "study.md").read_text().splitlines()
    for first, second in itertools.pairwise(lines):
        if first.startswith("|") and second.startswith("|"):
            assert len(first) == len(second)


def test_the_markdown_tables_hold_the_numbers_of_the_comparison(written):
    _, comparison, folder = written
    text = (folder / "study.md").read_text()
    hearts = comparison.datasets[0]
    rows = markdown_rows(text, "Scores, foreground")
    for row, score in zip(rows[1:], [s for s in hearts.scores if s.label == "foreground"], strict=True):
        cells = dict(zip(rows[0], row, strict=True))
        estimate = score.measures["dsc"].estimate
        assert cells["method"] == score.method
        assert cells["DSC"].startswith(f"{estimate.mean:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]")
        assert cells["cases"] == f"{estimate.cases_used}/24"
        assert (cells["missed"], cells["empty both"]) == (
            str(score.statuses.get("missed", 0)),
            str(score.statuses.get("empty_both", 0)),
        )
    assert [row[4] for row in rows[1:]] == ["24/24", "23/24", "24/24"]
    pairs = [pair for pair in hearts.pairs if pair.measure == "dsc"]
    found = markdown_rows(text, "Paired differences")[1:]
    assert [row[:2] for row in found] == [[pair.method, pair.baseline] for pair in pairs]
    assert [row[5] for row in found] == [f"{pair.wins}/{pair.ties}/{pair.losses}" for pair in pairs]
    assert [row[7] for row in found] == [pair.verdict for pair in pairs]
    assert "n=23/24" in found[0][2]


@pytest.mark.parametrize("name", ["study.md", "study.html", "study.tex"])
def test_every_text_carries_its_conditions(written, name):
    text = (written[2] / name).read_text()
    for words in (
        "3 min wall-clock",
        "a CPU of the test machine",
        "policy medarch",
        "1 mm",
        "300 samples",
        "seed 20240917",
        "medarch 0.1.0",
        "BCa",
        "pratt",
    ):
        assert words in text


@pytest.mark.parametrize("name", ["study.md", "study.html", "study.tex"])
def test_a_dataset_with_a_failed_run_tells_why_and_claims_nothing(written, name):
    text = (written[2] / name).read_text()
    assert "RuntimeError: out of memory" in text
    if name != "study.tex":
        assert "No statistics: 1 of 12 runs failed: resenc fold 1 seed 0" in text
    last = text.rindex("Livers")
    assert "Holm’s p" not in text[last : text.index("onditions", last)]


def test_no_text_calls_methods_equal(tmp_path):
    base = np.random.default_rng(1).beta(9, 2, 30)
    write(make_result({"one": base, "same": base}), tmp_path)
    for name in ("study.md", "study.html", "study.tex"):
        text = (tmp_path / name).read_text()
        assert "no detectable difference" in text.lower()
        assert not re.search(r"\b(equal|equivalent|identical) (to|methods)\b", text)


def test_the_page_is_whole_and_loads_nothing(written):
    text = (written[2] / "study.html").read_text()
    page = Page(text)
    assert page.links
    assert all(link.startswith("#") for link in page.links)
    assert not re.search(r"https?://|@import|url\(|<link|<iframe|fetch\(", text)
    assert page.tags.count("svg") == 3  # cases, differences, ranks of the one available dataset


def test_figures_show_every_case_and_every_pair(written):
    _, comparison, folder = written
    text = (folder / "study.html").read_text()
    cases = re.search(r'aria-label="DSC of each case.*?</svg>', text, re.DOTALL)[0]
    assert cases.count("<circle") == 3 * 24 - 1  # one case of one method is empty in both
    assert cases.count("dot bad") == 1
    differences = re.search(r'aria-label="Mean paired.*?</svg>', text, re.DOTALL)[0]
    means = [float(x) for x in re.findall(r'<circle cx="([\d.]+)%"', differences)]
    zero = float(re.search(r'<line x1="([\d.]+)%"[^>]*class="zero"', differences)[1])
    pairs = [pair for pair in comparison.datasets[0].pairs if pair.measure == "dsc"]
    assert np.sign(np.array(means) - zero).tolist() == [np.sign(pair.difference.mean) for pair in pairs]
    assert all(0 <= float(x) <= 100 for x in re.findall(r'(?:cx|x1|x2)="([\d.]+)%"', text))


def test_the_matrix_is_antisymmetric(written):
    text = (written[2] / "study.html").read_text()
    body = re.search(r'class="matrix">.*?<tbody>(.*?)</tbody>', text, re.DOTALL)[1]
    rows = [re.findall(r"<td[^>]*>(?:[▲▼] )?([^<]+)<?", row) for row in body.split("</tr>")[:-1]]
    values = [[0.0 if cell == "–" else float(cell.replace("−", "-")) for cell in row] for row in rows]
    np.testing.assert_allclose(np.array(values), -np.array(values).T)


def test_challenger_has_every_combination_once_and_na_for_what_is_missing(written):
    result, _, folder = written
    rows = list(csv.DictReader(io.StringIO((folder / "challenger.csv").read_text())))
    assert list(rows[0]) == ["task", "algorithm", "case", "value"]
    assert len({(row["task"], row["algorithm"], row["case"]) for row in rows}) == len(rows) == 2 * 3 * 24
    missing = {(row["task"], row["algorithm"], row["case"]) for row in rows if row["value"] == "NA"}
    lost = {("Livers", "resenc", f"case_{index:03d}") for index in range(1, 24, 2)}
    assert missing == {(task, "resenc", "case_004") for task in ("Hearts", "Livers")} | lost
    assert {row["value"] for row in rows} & {"", "nan", "NaN"} == set()
    values = {
        row["case"]: float(row["value"]) for row in rows if row["task"] == "Hearts" and row["algorithm"] == "auto"
    }
    expected = [row.values["dsc"] for row in result.rows if row.dataset == "Hearts" and row.method == "auto"]
    assert np.mean(list(values.values())) == pytest.approx(np.mean(expected))


def test_per_case_csv_holds_every_row_with_its_status(written):
    result, _, folder = written
    rows = list(csv.DictReader(io.StringIO((folder / "per_case.csv").read_text())))
    assert len(rows) == len(result.rows)
    for line, row in zip(rows, result.rows, strict=True):
        assert (line["case"], line["patient"], line["label"], line["status"]) == (
            row.case,
            row.patient,
            row.label,
            row.status,
        )
        assert (float(line["dsc"]) if line["dsc"] else None) == row.values["dsc"]


def test_hostile_names_stay_text(tmp_path):
    result = study(names=(HOSTILE, "b_c", "d"), datasets=(HOSTILE, "50%_x"))
    write(result, tmp_path)
    page = Page((tmp_path / "study.html").read_text())
    assert "b" not in page.tags
    assert HOSTILE in " ".join(page.text)
    table = markdown_rows((tmp_path / "study.md").read_text(), "Paired differences")
    assert {len(row) for row in table} == {8}
    text = (tmp_path / "study.tex").read_text()
    for line in text.splitlines():
        if not line.startswith("%"):
            assert not re.search(r"(?<!\\)[_#]", line.replace(r"\label", "")), line
            assert not re.search(r"(?<!\\)%(?!$)", line), line
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in rows} <= {1, 5, 6, 7, 8, 9, 11}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("names", [("plain_unet", "resenc", "auto"), (HOSTILE, "b_c", "d")])
def test_the_latex_compiles(tmp_path, names):
    result = study(names=names)
    write(lose_a_run(result, dataset="Livers"), tmp_path)
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs}\usepackage{graphicx}\begin{document}\input{study}\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in done.stdout


def test_one_method_on_one_fold_still_has_its_scores(tmp_path):
    write(make_result({"only": np.random.default_rng(2).beta(9, 2, 12)}), tmp_path)
    text = (tmp_path / "study.md").read_text()
    assert "Scores, foreground" in text
    assert "Paired differences" not in text
    Page((tmp_path / "study.html").read_text())


def test_an_older_study_survives_a_failed_one(tmp_path):
    result = study()
    comparison = write(result, tmp_path)
    older = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(KeyError):
        write_study(result, _broken(comparison), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == older


def _broken(comparison):
    """A measure that no table knows."""
    pairs = tuple(pair.model_copy(update={"measure": "unknown"}) for pair in comparison.datasets[0].pairs)
    datasets = (comparison.datasets[0].model_copy(update={"pairs": pairs}), *comparison.datasets[1:])
    return comparison.model_copy(update={"datasets": datasets, "primary_measure": "unknown"})


def test_the_writers_start_without_torch_and_matplotlib():
    code = "import sys, medarch.reporting.write_study;"
    code += "sys.exit(str({'torch', 'monai', 'matplotlib', 'nibabel', 'scipy'} & set(sys.modules) or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
