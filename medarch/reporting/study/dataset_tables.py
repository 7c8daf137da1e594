"""The tables of one dataset, and the one over all datasets."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.core.comparison import HIGHER_IS_BETTER, Comparison, DatasetComparison, MeasureScore, Pair, Score
from medarch.reporting.study.study_table import StudyTable
from medarch.reporting.study.write_statistics import (
    study_measure_title,
    write_bytes_size,
    write_estimate,
    write_p_value,
)
from medarch.reporting.write_number import NONE, write_number

STATUSES = ("missed", "spurious", "empty_both", "failed")


def dataset_tables(dataset: DatasetComparison, comparison: Comparison) -> list[StudyTable]:
    """Return what there is to show: scores, pairs, ranks and costs, or costs and runs of an unavailable dataset."""
    if dataset.unavailable:
        return [_costs(dataset), _runs(dataset)]
    classes = list(dict.fromkeys(score.label for score in dataset.scores if score.label != "foreground"))
    tables = [_scores(dataset, ["foreground"], comparison)]
    if len(classes) > 1:
        tables.append(_scores(dataset, classes, comparison))
    tables.append(_spread(dataset, ["foreground", *classes] if len(classes) > 1 else ["foreground"]))
    if dataset.pairs:
        tables += [_pairs(dataset, comparison), _others(dataset, comparison)]
    if len(comparison.methods) > 1 and dataset.rankings:
        tables.append(_ranks(dataset, comparison))
    return [*tables, _costs(dataset)]


def mean_rank_table(comparison: Comparison) -> StudyTable | None:
    """Return the mean ranks over datasets; None with one dataset or method."""
    available = [dataset.dataset for dataset in comparison.datasets if not dataset.unavailable]
    if len(available) < 2 or len(comparison.mean_ranks) < 2:
        return None
    rows = [
        [rank.method, f"{rank.mean_rank:.2f} [{rank.low:.2f}, {rank.high:.2f}]"]
        for rank in sorted(comparison.mean_ranks, key=lambda rank: rank.mean_rank)
    ]
    note = (
        f"Mean over {', '.join(available)} of the rank by mean {comparison.primary_measure.upper()}. The interval is "
        "over patients of these datasets; it says nothing about others. Scores are not pooled over datasets."
    )
    return StudyTable("mean-ranks", "Mean rank over datasets", ["method", "mean rank"], rows, note=note)


def _scores(dataset: DatasetComparison, labels: Sequence[str], comparison: Comparison) -> StudyTable:
    by_class = labels != ["foreground"]
    titles = [study_measure_title(measure, comparison) for measure in HIGHER_IS_BETTER]
    headers = ["method", *titles, "cases", *(status.replace("_", " ") for status in STATUSES)]
    rows = [
        [*([label] if by_class else []), *_score_row(score)]
        for label in labels
        for score in dataset.scores
        if score.label == label
    ]
    what = "structures" if by_class else "structures of cases"
    note = (
        f"Mean with {_interval(comparison)} over {dataset.patients} patients ({dataset.cases} cases, "
        f"{len(dataset.folds)} folds, {len(dataset.seeds)} seeds). Cases: with a DSC, of all. "
        f"Missed to failed count {what}, once for each seed."
    )
    return StudyTable(
        "classes" if by_class else "scores",
        "Each class" if by_class else "Scores, foreground",
        (["class"] if by_class else []) + headers,
        rows,
        words=frozenset({0, 1}) if by_class else frozenset({0}),
        note=note,
    )


def _score_row(score: Score) -> list[str]:
    primary = score.measures["dsc"]
    used = primary.estimate.cases_used
    return [
        score.method,
        *(_mean(name, measure, used=used) for name, measure in score.measures.items()),
        f"{used}/{primary.estimate.cases_total}",
        *(str(score.statuses.get(status, 0)) for status in STATUSES),  # type: ignore[call-overload]
    ]


def _spread(dataset: DatasetComparison, labels: Sequence[str]) -> StudyTable:
    rows = [
        [
            label,
            score.method,
            write_number(primary.median),
            write_number(primary.worst),
            primary.worst_case or NONE,
            write_number(primary.sd_folds, decimals=4),
            write_number(primary.sd_seeds, decimals=4),
        ]
        for label in labels
        for score in dataset.scores
        if score.label == label
        for primary in [score.measures["dsc"]]
    ]
    headers = ["class", "method", "median DSC", "worst DSC", "worst case", "SD between folds", "SD between seeds"]
    note = (
        "Median and worst over cases, without an interval: bootstrap intervals of a median can fail. SD of the folds’ "
        "means (averaged over seeds) and of the seeds’ means; folds share training cases, so it is no standard error."
    )
    return StudyTable("spread", "Spread of the DSC", headers, rows, words=frozenset({0, 1, 4}), note=note)


def _mean(name: str, measure: MeasureScore, *, used: int) -> str:
    """Write a mean; a measure defined on other cases than the DSC says on how many."""
    text = write_estimate(measure.estimate, decimals=2 if name == "hd95_mm" else 3)
    other = measure.estimate.cases_used
    return text if other == used else f"{text} n={other}/{measure.estimate.cases_total}"


def _pairs(dataset: DatasetComparison, comparison: Comparison) -> StudyTable:
    pairs = [pair for pair in dataset.pairs if pair.measure == comparison.primary_measure]
    title = study_measure_title(comparison.primary_measure, comparison)
    headers = ["method", "minus", f"{title} difference", "p", "Holm’s p", "wins/ties/losses", "effect", "finding"]
    rows = [
        [
            pair.method,
            pair.baseline,
            _difference(pair),
            write_p_value(pair.p_value),
            write_p_value(pair.holm_p),
            f"{pair.wins}/{pair.ties}/{pair.losses}",
            write_number(pair.rank_biserial, decimals=2),
            pair.verdict,
        ]
        for pair in pairs
    ]
    note = (
        f"Mean paired difference with {_interval(comparison)}; Wilcoxon signed-rank over patients; Holm over "
        f"{comparison.comparisons} tests; effect: matched-pairs rank-biserial correlation."
    )
    alone = sum(pair.one_sided for pair in pairs)
    if alone:
        note += " n: cases that both methods define; what only one defines is in its mean, not in the difference."
    return StudyTable("pairs", "Paired differences", headers, rows, words=frozenset({0, 1, 7}), note=note)


def _interval(comparison: Comparison) -> str:
    return f"{comparison.confidence * 100:g} % BCa bootstrap interval († percentile)"


def _difference(pair: Pair) -> str:
    text = write_estimate(pair.difference, decimals=2 if pair.measure == "hd95_mm" else 4, signed=True)
    used, total = pair.difference.cases_used, pair.difference.cases_total
    return text if used == total else f"{text} n={used}/{total}"


def _others(dataset: DatasetComparison, comparison: Comparison) -> StudyTable:
    names = [measure for measure in HIGHER_IS_BETTER if measure != comparison.primary_measure]
    titles = [study_measure_title(measure, comparison) for measure in names]
    headers = ["method", "minus"] + [text for title in titles for text in (f"{title} difference", "finding")]
    found = {(pair.method, pair.baseline, pair.measure): pair for pair in dataset.pairs}
    rows = []
    for pair in dataset.pairs:
        if pair.measure == comparison.primary_measure:
            others = [found[pair.method, pair.baseline, measure] for measure in names]
            cells = [cell for other in others for cell in (_difference(other), other.verdict)]
            rows.append([pair.method, pair.baseline, *cells])
    note = "Described, not tested: these intervals are not corrected for their number. A larger HD95 is worse."
    return StudyTable("others", "Other measures", headers, rows, words=frozenset({0, 1, 3, 5}), note=note)


def _ranks(dataset: DatasetComparison, comparison: Comparison) -> StudyTable:
    found = {ranking.measure: {rank.method: rank for rank in ranking.ranks} for ranking in dataset.rankings}
    primary = next((r for r in dataset.rankings if r.measure == comparison.primary_measure), dataset.rankings[0])
    others = [measure for measure in found if measure != primary.measure]
    titles = [study_measure_title(measure, comparison) for measure in others]
    title = study_measure_title(primary.measure, comparison)
    headers = ["method", f"rank by mean {title}", "interval", "mean rank over cases", *(f"by {t}" for t in titles)]
    rows = [
        [
            rank.method,
            f"{rank.rank:g}",
            f"[{rank.low:g}, {rank.high:g}]",
            write_number(rank.mean_case_rank, decimals=2),
            *(f"{found[measure][rank.method].rank:g}" for measure in others),
        ]
        for rank in sorted(primary.ranks, key=lambda rank: rank.rank)
    ]
    note = "All methods tie; stability is not defined."
    if primary.kendall_tau is not None:
        taus = primary.kendall_quantiles.items()
        quantiles = ", ".join(f"{q * 100:g} % {write_number(tau, decimals=2)}" for q, tau in taus)
        note = (
            "Kendall’s tau between bootstrap rankings and this one: mean "
            f"{write_number(primary.kendall_tau, decimals=2)}; quantiles {quantiles}. "
            f"Mean rank over {primary.cases_ranked} cases that all methods define."
        )
    return StudyTable("ranks", "Ranking", headers, rows, note=note)


def _costs(dataset: DatasetComparison) -> StudyTable:
    headers = ["method", "train h/run", "GPU-h", "CPU-h", "peak memory GiB", "peak GPU GiB", "s/case", "parameters"]
    headers += ["runs done", "failed runs", "attempts", "failed cases"]
    rows = [
        [
            cost.method,
            write_number(cost.train_hours, decimals=2),
            write_number(cost.gpu_hours, decimals=2),
            write_number(cost.cpu_hours, decimals=2),
            write_bytes_size(cost.peak_memory_bytes),
            write_bytes_size(cost.peak_gpu_bytes),
            write_number(cost.seconds_per_case, decimals=2),
            NONE if cost.parameters is None else f"{cost.parameters / 1e6:.3g} M",
            f"{cost.done}/{cost.runs}",
            str(cost.failed_runs),
            str(cost.attempts),
            str(cost.failed_cases),
        ]
        for cost in dataset.costs
    ]
    note = "Hours of GPU and CPU are sums over the runs; memory is the largest of any run."
    return StudyTable("costs", "Costs", headers, rows, note=note)


def _runs(dataset: DatasetComparison) -> StudyTable:
    headers = ["method", "fold", "seed", "status", "attempts", "error"]
    rows = [
        [run.method, str(run.fold), str(run.seed), run.status, str(run.attempts), _short(run.error) or NONE]
        for run in dataset.runs
    ]
    return StudyTable("runs", "Runs", headers, rows, words=frozenset({0, 3, 5}))


def _short(error: str) -> str:
    """The end of a message says most."""
    text = " ".join(error.split())
    return text if len(text) <= 200 else "… " + text[-200:]
