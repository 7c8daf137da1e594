"""What a study says about its methods: every number of its tables, and all that is needed to defend them."""

from __future__ import annotations

from typing import Literal

from medarch.core.evaluation import EmptyPolicy, Status
from medarch.core.record import Record
from medarch.core.study import StudyRun

PRIMARY_MEASURE = "dsc"
"""The measure whose differences are tested; the others are described."""
HIGHER_IS_BETTER = {"dsc": True, "nsd": True, "hd95_mm": False}
"""The measures compared, in the order of tables."""
FEW_PATIENTS = 50
"""With fewer, bootstrap intervals of a mean tend to be too narrow, and every table says so."""

IntervalMethod = Literal["BCa", "percentile", "none"]
Verdict = Literal["better", "worse", "no detectable difference", "not confirmed", "too few patients"]
"""``not confirmed``: the interval excludes 0, but the test is not significant after Holm's correction."""


class Estimate(Record):
    """A mean over cases with its bootstrap interval over patients; all three None when nothing is defined."""

    mean: float | None
    low: float | None
    high: float | None
    interval: IntervalMethod
    """``none``: fewer than two patients."""
    cases_used: int
    cases_total: int
    patients: int
    """Patients with any case used."""


class MeasureScore(Record):
    """One measure of one class by one method."""

    estimate: Estimate
    median: float | None
    worst: float | None
    worst_case: str = ""
    sd_folds: float | None = None
    """SD of the folds' means, averaged over seeds; None with one fold.

    Folds share training cases: not a standard error.
    """
    sd_seeds: float | None = None
    """SD of the seeds' means; None with one seed."""


class Score(Record):
    """One class of one method, or ``foreground`` = mean over the defined classes within a case."""

    method: str
    label: str
    statuses: dict[Status, int]
    """Over all runs, so a case counts once a seed; for ``foreground`` classes of cases are counted."""
    measures: dict[str, MeasureScore]


class Pair(Record):
    """Two methods on the same cases, foreground. Every difference is ``method`` minus ``baseline``."""

    method: str
    baseline: str
    """The one that comes earlier in the study file."""
    measure: str
    difference: Estimate
    """Over cases that both define, with the same resamples of patients for both."""
    one_sided: int
    """Cases that only one of the two defines; they are in its mean, not in the difference."""
    wins: int
    """Patients on whom ``method`` is better."""
    ties: int
    losses: int
    rank_biserial: float | None
    """Matched-pairs rank-biserial correlation (Kerby 2014), -1..1, positive when ``method`` is better."""
    p_value: float | None = None
    """Wilcoxon signed-rank, two-sided; of the primary measure only."""
    holm_p: float | None = None
    verdict: Verdict


class MethodRank(Record):
    """Where a method stands; 1 is best, tied methods share the mean of their ranks."""

    method: str
    rank: float
    """Of the mean: aggregate, then rank."""
    low: float
    high: float
    shares: dict[float, float]
    """Rank → share of the bootstrap samples."""
    mean_case_rank: float | None
    """Rank, then aggregate: mean over cases of the rank within the case; cases that some method lacks are left out."""


class Ranking(Record):
    """The ranking by one measure and how far it holds when other patients are drawn (Wiesenfarth 2021)."""

    measure: str
    ranks: tuple[MethodRank, ...]
    kendall_tau: float | None
    """Mean tau-b between the rankings of bootstrap samples and the full ranking; None when all methods tie."""
    kendall_quantiles: dict[float, float]
    """Of tau over bootstrap samples, e.g. ``{0.025: 0.33, ...}``."""
    cases_ranked: int
    """Cases behind ``mean_case_rank``."""


class Separation(Record):
    """Whether the dataset can tell the methods apart (Isensee 2024): primary measure, foreground."""

    between_sd: float
    """SD of the methods' means."""
    within_sd: float
    """Mean over methods of the SD between folds."""
    ratio: float | None
    """None when there is no spread within."""


class MethodCost(Record):
    """What a method's runs on one dataset used."""

    method: str
    runs: int
    done: int
    failed_runs: int
    failed_cases: int
    """Cases without a usable prediction, once a run."""
    attempts: int
    train_hours: float | None
    """Wall-clock, mean over the runs that trained."""
    gpu_hours: float
    """Sum over runs."""
    cpu_hours: float
    """Sum over runs."""
    peak_memory_bytes: int | None
    peak_gpu_bytes: int | None
    seconds_per_case: float | None
    parameters: int | None
    """Largest over runs."""


class DatasetComparison(Record):
    """All methods on one dataset, or the reason why there is nothing to compare."""

    dataset: str
    unavailable: str = ""
    """A run failed or is not finished: then there are costs and runs, but no scores."""
    cases: int = 0
    patients: int = 0
    folds: tuple[int, ...] = ()
    seeds: tuple[int, ...] = ()
    few_patients: bool = False
    """Fewer than :data:`FEW_PATIENTS`."""
    scores: tuple[Score, ...] = ()
    pairs: tuple[Pair, ...] = ()
    rankings: tuple[Ranking, ...] = ()
    separation: Separation | None = None
    """None with one method or one fold."""
    costs: tuple[MethodCost, ...] = ()
    runs: tuple[StudyRun, ...] = ()
    """Of an unavailable dataset."""


class MeanRank(Record):
    """Rank of a method by the primary measure, averaged over the available datasets."""

    method: str
    mean_rank: float
    low: float
    high: float
    """The interval is over patients; it says nothing about other datasets."""


class Comparison(Record):
    """The statistics of a study."""

    schema_version: Literal[1] = 1
    study: str
    budget: str
    device: str
    empty_policy: EmptyPolicy
    nsd_tolerance_mm: float
    methods: tuple[str, ...]
    reference: str
    primary_measure: str
    confidence: float
    bootstrap_samples: int
    bootstrap_seed: int
    zero_method: str
    """How the Wilcoxon test treats patients without a difference."""
    comparisons: int
    """Tests that Holm's correction counted: pairs × available datasets."""
    datasets: tuple[DatasetComparison, ...]
    mean_ranks: tuple[MeanRank, ...]
    software: dict[str, str] = {}
