"""From label maps to better ones, and to the rules that make them better."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.find_labels import find_labels
from medarch.api.progress import Progress
from medarch.core.errors import UsageError
from medarch.core.postprocessing import Postprocessing

if TYPE_CHECKING:
    from medarch.inference.postprocess_folder import Postprocessed

RULES = "postprocessing.json"


def postprocess(
    predictions: Path,
    output: Path | None = None,
    *,
    rules: Path | None = None,
    references: Path | None = None,
    dataset: Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[Postprocessing, Postprocessed | None]:
    """Find the rules (``references``), apply them (``output``), or both.

    Args:
        predictions: folder of label maps.
        output: folder for the postprocessed ones.
        rules: ``postprocessing.json``; default the one in ``predictions``.
        references: folder of label maps of the same names, by which to choose the rules; they are written to
            ``predictions/postprocessing.json``.
        dataset: names the labels; default what lies beside the predictions.
        workers: processes.
        progress: called with cases done and all.

    Returns:
        The rules, and what became of the cases if there is an output.

    Raises:
        UsageError: there is nothing to do, or rules and references are both given.
    """
    if references is not None and rules is not None:
        raise UsageError(
            "rules are given and to be found at once",
            expected="--rules or --references",
            found="both",
            fix="leave one away",
        )
    if references is None and output is None:
        raise UsageError(
            "nothing to do",
            expected="an output folder, or --references to find rules by",
            found="neither",
            fix="give one of them",
        )
    if references is not None:
        from medarch.evaluation.determine_postprocessing import determine_postprocessing

        labels = find_labels(predictions, dataset)[1]
        found = determine_postprocessing(predictions, references, labels=labels, workers=workers, progress=progress)
        found.save(predictions / RULES)
    else:
        found = Postprocessing.load(rules or predictions / RULES)
    if output is None:
        return found, None
    from medarch.inference.postprocess_folder import postprocess_folder

    return found, postprocess_folder(predictions, output, found, workers=workers, progress=progress)
