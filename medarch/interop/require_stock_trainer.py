"""Which of nnU-Net's trainers keep the stock network, so that the plans alone say what was trained."""

from __future__ import annotations

from medarch.core.errors import ModelError

# Every trainer class of the seventeen releases v2.0 to v2.8.1 that changes only how is trained.
_STOCK = {
    "nnUNetTrainer",
    "nnUNet_Trainer_BS8",
    "nnUNetTrainerNoDeepSupervision",
    # length
    *(f"nnUNetTrainer_{n}epochs" for n in (5, 10, 20, 50, 100, 250, 500, 750, 2000, 4000, 8000)),
    *(f"nnUNetTrainer_{n}epochs_NoMirroring" for n in (250, 2000, 4000, 8000)),
    "nnUNetTrainer_1epoch",
    "nnUNetTrainerBenchmark_5epochs",
    "nnUNetTrainerBenchmark_5epochs_noDataLoading",
    # augmentation and sampling
    *(f"nnUNetTrainerDA5{rest}" for rest in ("", "ord0", "Segord0", "_10epochs")),
    "nnUNetTrainerDAOrd0",
    "nnUNetTrainer_DASegOrd0",
    "nnUNetTrainer_DASegOrd0_NoMirroring",
    "nnUNetTrainerNoDA",
    "nnUNetTrainerNoMirroring",
    *(f"nnUNetTrainer_onlyMirror01{rest}" for rest in ("", "_1500ep", "_DASegOrd0", "_DA5")),
    "nnUNetTrainer_noDummy2DDA",
    *(f"nnUNetTrainer_probabilisticOversampling{rest}" for rest in ("", "_010", "_033")),
    # loss
    "nnUNetTrainerCELoss",
    "nnUNetTrainerCELoss_5epochs",
    "nnUNetTrainerDiceLoss",
    "nnUNetTrainerDiceCELoss_noSmooth",
    "nnUNetTrainerDiceTopK10Loss",
    "nnUNetTrainerTopk10Loss",
    "nnUNetTrainerTopk10LossLS01",
    # optimiser and schedule
    "nnUNetTrainerCosAnneal",
    "nnUNetTrainer_warmup",
    "nnUNetTrainerAdam",
    "nnUNetTrainerAdam1en3",
    "nnUNetTrainerAdam3en4",
    "nnUNetTrainerVanillaAdam",
    "nnUNetTrainerVanillaAdam1en3",
    "nnUNetTrainerVanillaAdam3en4",
    *(f"nnUNetTrainerAdan{rest}" for rest in ("", "1en1", "1en3", "3en4", "CosAnneal")),
}


def require_stock_trainer(trainer: str, *, trusted: str | None = None) -> None:
    """Accept a trainer whose network is the one of the plans.

    Args:
        trainer: class name, as the checkpoint states it.
        trusted: a further class whose network the user knows to be the stock one.

    Raises:
        ModelError: the trainer has another network, or is unknown and not trusted.
    """
    if trainer == "nnUNetTrainerBN" or "Primus" in trainer:
        raise ModelError(
            f"trainer {trainer} cannot be imported: it trains another network than the one of the plans",
            expected="a trainer that trains the network of the plans",
            found=trainer,
            fix="predict with nnU-Net itself",
        )
    if trainer not in _STOCK and trainer != trusted:
        raise ModelError(
            f"trainer {trainer} is unknown, and so is its network",
            expected="a trainer of nnU-Net v2.0 to v2.8 that keeps the stock network",
            found=trainer,
            fix=f"if you know that it trains the network of the plans: --trust-trainer {trainer}",
        )
