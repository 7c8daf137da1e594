"""Every pair, worst first."""

from __future__ import annotations

from medarch.core.registration_evaluation import PAIR_MEASURES, PairMeasures, RegistrationEvaluation
from medarch.reporting.markup import Html, paragraph, tag
from medarch.reporting.registration.pair_results import PAIR_TITLES
from medarch.reporting.registration.rank_pairs import pair_dsc, rank_pairs
from medarch.reporting.section import Section
from medarch.reporting.table import number_cell, table
from medarch.reporting.write_number import write_number


def pair_table(evaluation: RegistrationEvaluation | None) -> Section:
    """Return the sortable table."""
    if evaluation is None:
        return Section("pairs", "Pairs", absent="no evaluation was given.")
    names = [name for name in PAIR_MEASURES if name in evaluation.pair_summaries]
    scores = [("DSC before", pair_dsc(evaluation.before)), ("DSC", pair_dsc(evaluation.rows))]
    scores = scores if evaluation.rows else []
    headers = ["Pair", "Fixed", "Moving", *(title for title, _ in scores), *(PAIR_TITLES[name][0] for name in names)]

    def row(pair: PairMeasures) -> list[str]:
        values = [_number(found.get(pair.pair), 3) for _, found in scores]
        values += [_number(pair.values.get(name), PAIR_TITLES[name][1]) for name in names]
        remark = tag("td", tag("span", pair.reason, class_="alarm") if pair.reason else "")
        return [pair.pair, pair.fixed, pair.moving, *values, remark]

    rows = [row(pair) for pair in rank_pairs(evaluation)]
    note = paragraph(f"{len(rows)} pairs, worst first; a click on a heading sorts.", class_="note")
    numbers = range(3, len(headers))
    body = tag("div", table([*headers, "Remarks"], rows, numbers=numbers, sortable=True), class_="tall")
    return Section("pairs", "Pairs", tag("div", note, body))


def _number(value: float | None, decimals: int) -> Html:
    return number_cell(write_number(value, decimals=decimals), value)
