"""What a study says, in sentences that claim no more than the numbers."""

from __future__ import annotations

from medarch.core.comparison import FEW_PATIENTS, HIGHER_IS_BETTER, Comparison, DatasetComparison, Pair
from medarch.reporting.study.write_statistics import write_estimate, write_p_value
from medarch.reporting.write_number import write_number


def findings(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Return for each dataset its name and sentences: each method against the reference, then the ranking."""
    return [(dataset.dataset, _sentences(dataset, comparison)) for dataset in comparison.datasets]


def _sentences(dataset: DatasetComparison, comparison: Comparison) -> list[str]:
    if dataset.unavailable:
        return [f"No statistics: {dataset.unavailable}."]
    primary = [pair for pair in dataset.pairs if pair.measure == comparison.primary_measure]
    told = [_pair(pair, comparison) for pair in primary if pair.baseline == comparison.reference]
    told += _ranking(dataset, comparison)
    if dataset.separation:
        ratio = write_number(dataset.separation.ratio, decimals=2)
        told.append(
            f"The methods’ means have an SD of {write_number(dataset.separation.between_sd, decimals=4)}, the folds of "
            f"one method {write_number(dataset.separation.within_sd, decimals=4)}: ratio {ratio}. The lower it is, the "
            "less this dataset can tell methods apart; folds share training cases, so it is a description, no test."
        )
    if dataset.few_patients:
        told.append(f"Only {dataset.patients} patients (fewer than {FEW_PATIENTS}): read the intervals with caution.")
    return told


def _pair(pair: Pair, comparison: Comparison) -> str:
    up = (pair.difference.mean or 0) > 0
    lead = "better" if up == HIGHER_IS_BETTER[pair.measure] else "worse"
    claim = {
        "better": f"{pair.method} is better than {pair.baseline}",
        "worse": f"{pair.method} is worse than {pair.baseline}",
        "no detectable difference": f"No detectable difference in the mean between {pair.method} and {pair.baseline}",
        "not confirmed": f"{pair.method} looks {lead} than {pair.baseline}, which Holm’s correction does not confirm",
        "too few patients": f"Too few patients to compare {pair.method} with {pair.baseline}",
    }[pair.verdict]
    difference = write_estimate(pair.difference, decimals=4, signed=True)
    return (
        f"{claim}: mean {comparison.primary_measure.upper()} difference {difference} over {pair.difference.patients} "
        f"patients, Holm’s p {write_p_value(pair.holm_p)}, {pair.wins} wins, {pair.ties} ties, {pair.losses} losses."
    )


def _ranking(dataset: DatasetComparison, comparison: Comparison) -> list[str]:
    found = [ranking for ranking in dataset.rankings if ranking.measure == comparison.primary_measure]
    if not found or len(found[0].ranks) < 2:
        return []
    order = ", ".join(entry.method for entry in sorted(found[0].ranks, key=lambda entry: entry.rank))
    if found[0].kendall_tau is None:
        return [f"All methods rank alike: {order}."]
    return [
        f"Ranking by mean {comparison.primary_measure.upper()}: {order}; stability (mean Kendall’s tau over bootstrap "
        f"samples, 1 = always the same) {write_number(found[0].kendall_tau, decimals=2)}."
    ]
