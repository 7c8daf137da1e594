"""Images from the worst to the best."""

from __future__ import annotations

from medarch.core.nuclei_evaluation import NucleiEvaluation, NucleiMeasures


def rank_images(evaluation: NucleiEvaluation) -> list[NucleiMeasures]:
    """Return failed images first, then by PQ; those without nuclei in either reading come last."""

    def badness(row: NucleiMeasures) -> tuple[bool, bool, float, str]:
        quality = row.values.get("pq")
        return row.status == "ok", quality is None, quality or 0.0, row.case

    return sorted(evaluation.rows, key=badness)
