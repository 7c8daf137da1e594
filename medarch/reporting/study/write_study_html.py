"""A study as one HTML file that needs nothing else."""

from __future__ import annotations

from math import isfinite

from medarch.core.comparison import Comparison, DatasetComparison
from medarch.core.study import StudyResult
from medarch.evaluation.score_cases import score_cases
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.page import page
from medarch.reporting.section import Section
from medarch.reporting.strip import strip
from medarch.reporting.study.conditions import conditions
from medarch.reporting.study.dataset_tables import dataset_tables, mean_rank_table
from medarch.reporting.study.difference_plot import difference_plot
from medarch.reporting.study.findings import findings
from medarch.reporting.study.rank_plot import rank_plot
from medarch.reporting.study.significance_matrix import significance_matrix
from medarch.reporting.study.study_table import StudyTable
from medarch.reporting.table import number_cell, table

FOOTER = "Made by medarch. A comparison of research models; not for diagnosis."


def write_study_html(result: StudyResult, comparison: Comparison) -> str:
    """Return the page: what the study says, each dataset with its figures and tables, and the conditions."""
    over_all = mean_rank_table(comparison)
    sections = [_findings(comparison)]
    if over_all:
        sections.append(Section("all", "All datasets", join(*_table(over_all))))
    sections += [
        Section(f"dataset-{index}", dataset.dataset, _dataset(dataset, result, comparison))
        for index, dataset in enumerate(comparison.datasets)
    ]
    facts = table(["What", "Which"], [list(item) for item in conditions(comparison).items()])
    sections.append(Section("conditions", "Conditions", facts))
    return page(
        f"{comparison.study}: medarch comparison", headline=_headline(comparison), sections=sections, footer=FOOTER
    )


def _headline(comparison: Comparison) -> Html:
    costs = [cost for dataset in comparison.datasets for cost in dataset.costs]
    runs, done, failed = (sum(getattr(cost, name) for cost in costs) for name in ("runs", "done", "failed_runs"))
    cases = sum(cost.failed_cases for cost in costs)
    names = [dataset.dataset for dataset in comparison.datasets]
    return join(
        paragraph("medarch report · comparison of methods", class_="kind"),
        tag("h1", comparison.study),
        tag(
            "dl",
            _fact("Methods", ", ".join(comparison.methods), f"on {', '.join(names)}"),
            _fact("Budget of a run", comparison.budget, comparison.device),
            _fact("Runs done", f"{done} of {runs}", f"{failed} failed; {cases} cases without a prediction"),
            class_="facts even",
        ),
    )


def _fact(name: str, value: str, note: str) -> Html:
    return tag("div", tag("dt", name), tag("dd", value, paragraph(note)))


def _findings(comparison: Comparison) -> Section:
    parts = [
        join(tag("h3", dataset), tag("ul", *(tag("li", sentence) for sentence in sentences)))
        for dataset, sentences in findings(comparison)
    ]
    return Section("findings", "What it says", join(*parts))


def _dataset(dataset: DatasetComparison, result: StudyResult, comparison: Comparison) -> Html:
    figures = _figures(dataset, result, comparison)
    parts: list[Html] = []
    if dataset.unavailable:
        parts.append(paragraph(f"No statistics: {dataset.unavailable}.", class_="alarm"))
    for each in dataset_tables(dataset, comparison):
        shown = join(*_table(each), figures.get(each.key, Html()))
        if each.key in ("classes", "spread", "others"):
            shown = tag("details", tag("summary", each.title), shown)
        else:
            shown = join(tag("h3", each.title), shown)
        parts.append(shown)
    return join(*parts)


def _figures(dataset: DatasetComparison, result: StudyResult, comparison: Comparison) -> dict[str, Html]:
    """Return the figure below each table that has one."""
    if dataset.unavailable:
        return {}
    cases = score_cases([row for row in result.rows if row.dataset == dataset.dataset], methods=result.methods)
    values = cases.foreground(comparison.primary_measure)
    dots = [
        (
            method,
            [(case, score) for case, score in zip(cases.cases, values[m].tolist(), strict=True) if isfinite(score)],
        )
        for m, method in enumerate(cases.methods)
    ]
    pairs = [pair for pair in dataset.pairs if pair.measure == comparison.primary_measure]
    rankings = [ranking for ranking in dataset.rankings if ranking.measure == comparison.primary_measure]
    figures = {
        "scores": join(
            tag("h3", "DSC of each case"),
            strip(dots, title="DSC of each case, one row a method"),
            paragraph(
                "A dot is a case (mean over classes and seeds), red at DSC 0; the box spans the quartiles.",
                class_="note",
            ),
        ),
        "pairs": join(
            difference_plot(pairs),
            paragraph("Mean DSC difference with its interval; filled where the finding is confirmed.", class_="note"),
            significance_matrix(comparison.methods, pairs),
            paragraph(
                "▲ the row is better, ▼ worse, by interval and by Holm’s p (below each difference).", class_="note"
            ),
        ),
    }
    if rankings:
        note = "The area of a circle is the share of bootstrap samples in which the method has that rank."
        figures["ranks"] = join(rank_plot(rankings[0]), paragraph(note, class_="note"))
    return figures


def _table(each: StudyTable) -> list[Html]:
    numbers = [column for column in range(len(each.headers)) if column not in each.words]
    rows = [[text if column in each.words else _number(text) for column, text in enumerate(row)] for row in each.rows]
    # Names and findings stay on one line, but not the error messages of runs.
    shown = [tag("div", table(each.headers, rows, numbers=numbers), class_=None if each.key == "runs" else "lines")]
    return [*shown, paragraph(each.note, class_="note")] if each.note else shown


def _number(text: str) -> Html:
    """Put the interval below its mean, so that a table fits the page."""
    mean, bracket, rest = text.partition(" [")
    return number_cell(mean, notes=[f"[{rest}"] if bracket else [])
