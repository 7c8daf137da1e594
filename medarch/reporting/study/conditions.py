"""Under which conditions a study was made: what a reader must know to trust or repeat it."""

from __future__ import annotations

from medarch.core.comparison import FEW_PATIENTS, Comparison
from medarch.reporting.sections.results import POLICIES


def conditions(comparison: Comparison) -> dict[str, str]:
    """Return name → text, in the order of every report."""
    level = f"{comparison.confidence * 100:g} %"
    software = ", ".join(f"{name} {version}" for name, version in comparison.software.items())
    return {
        "Budget": f"{comparison.budget}, the same for every run",
        "Device": comparison.device,
        "Methods": f"{', '.join(comparison.methods)}; reference: {comparison.reference}",
        "Score of a case": "mean over its defined classes (foreground), averaged over the seeds that predicted it",
        "Empty structures": f"policy {comparison.empty_policy}: {POLICIES[comparison.empty_policy]}",
        "Surface tolerance": f"{comparison.nsd_tolerance_mm:g} mm",
        "Intervals": f"{level} bootstrap over patients, all cases of a patient together; "
        f"{comparison.bootstrap_samples} samples, seed {comparison.bootstrap_seed}, the same samples for all methods; "
        f"BCa, or percentile where BCa does not exist (†). Below {FEW_PATIENTS} patients they tend to be too narrow",
        "Test": f"Wilcoxon signed-rank, two-sided, one mean difference a patient, zeros by {comparison.zero_method}; "
        f"Holm over {comparison.comparisons} tests (pairs × datasets) of foreground "
        f"{comparison.primary_measure.upper()}",
        "Effect": "matched-pairs rank-biserial correlation (Kerby 2014), positive when the first method is better",
        "Finding": f"“no detectable difference” when the interval contains 0; “not confirmed” when it does not but "
        f"Holm’s p is at least {1 - comparison.confidence:.2g}",
        "Ranking": "of the means; stability is Kendall’s tau-b between bootstrap rankings and the full one",
        "Software": software or "not stated",
    }
