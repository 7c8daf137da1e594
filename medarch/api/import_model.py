"""From another program's trained model to a medarch model folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from medarch.interop.import_nnunet import ImportedModel


def import_model(
    source: Path,
    output: Path | None = None,
    *,
    configuration: str | None = None,
    folds: Sequence[str] | None = None,
    checkpoint: Literal["final", "best"] | None = None,
    previous_stage: Path | None = None,
    trust_trainer: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> ImportedModel:
    """Import a trained nnU-Net v2 model; see :func:`medarch.interop.import_nnunet.import_nnunet`."""
    from medarch.interop.import_nnunet import import_nnunet

    return import_nnunet(
        source,
        output,
        configuration=configuration,
        folds=folds,
        checkpoint=checkpoint,
        previous_stage=previous_stage,
        trust_trainer=trust_trainer,
        overwrite=overwrite,
        dry_run=dry_run,
    )
