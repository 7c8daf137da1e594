"""Which checkpoint of which fold."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from medarch.core.errors import ModelError

CheckpointName = Literal["final", "best"]
log = logging.getLogger(__name__)


def find_checkpoints(
    folder: Path, *, folds: Sequence[str] | None = None, checkpoint: CheckpointName | None = None
) -> dict[str, Path]:
    """Return fold → checkpoint file of a model folder ``TRAINER__PLANS__CONFIGURATION``.

    Args:
        folder: the model folder.
        folds: which; default every numbered fold that has the checkpoint, as nnU-Net's own prediction takes them, or
            ``all`` where only that was trained.
        checkpoint: ``final`` or ``best``; default final, or best, with a warning, where no fold has a final one.

    Raises:
        ModelError: a fold or its checkpoint is missing.
    """
    for name in ("final", "best") if checkpoint is None else (checkpoint,):
        found = {path.parent.name.removeprefix("fold_"): path for path in folder.glob(f"fold_*/checkpoint_{name}.pth")}
        chosen = _chosen(found, folds)
        if chosen and (folds is None or set(folds) <= set(found)):
            if checkpoint is None and name == "best":
                log.warning("%s has no checkpoint_final.pth: checkpoint_best.pth is imported", folder.name)
            left = sorted(set(found) - set(chosen))
            if folds is None and left:
                log.info("fold %s is left out, as nnU-Net does; name it with --folds to import it", ", ".join(left))
            return chosen
        if found and folds is not None:
            break
    every = sorted(f"{path.parent.name}/{path.name}" for path in folder.glob("fold_*/checkpoint_*.pth"))
    wanted = f"checkpoint_{checkpoint or 'final'}.pth"
    raise ModelError(
        f"{folder.name} lacks checkpoints",
        expected=f"{wanted} of fold {', '.join(folds)}" if folds else f"{wanted} of at least one fold",
        found=", ".join(every) or "none",
        fix="choose with --folds and --checkpoint, or finish the training",
    )


def _chosen(found: dict[str, Path], folds: Sequence[str] | None) -> dict[str, Path]:
    if folds is not None:
        return {fold: found[fold] for fold in folds if fold in found}
    numbered = {fold: found[fold] for fold in sorted(found, key=lambda fold: (len(fold), fold)) if fold.isdigit()}
    return numbered or {fold: path for fold, path in found.items() if fold == "all"}
