"""Run by the peer's Python: checkpoints that nnU-Net's own trainer saves after one step, and their networks' logits.

python peer_make_models.py JOBS.json: a list of plans, dataset, configuration and fold.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from dynamic_network_architectures import architectures
from dynamic_network_architectures.architectures import unet
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels

# Old plans name a module that is gone. nnU-Net then searches all its modules for the class, and so imports torchvision,
# which a CPU build may lack; this spares it the search.
sys.modules["dynamic_network_architectures.architectures.residual_unet"] = architectures.residual_unet = unet


def main(jobs_file: str) -> None:
    torch.set_num_threads(1)
    for number, job in enumerate(json.loads(Path(jobs_file).read_text())):
        torch.manual_seed(number)
        plans = job["plans"] | {"continue_training": False}
        trainer = nnUNetTrainer(plans, job["configuration"], job["fold"], job["dataset"], device=torch.device("cpu"))
        configuration, labels = trainer.configuration_manager, trainer.label_manager
        channels = determine_num_input_channels(trainer.plans_manager, configuration, job["dataset"])
        trainer.network = trainer.build_network_architecture(
            trainer.plans_manager, configuration, channels, labels.num_segmentation_heads, True
        )
        trainer.optimizer, trainer.lr_scheduler = trainer.configure_optimizers()
        trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        x = torch.randn(1, channels, *configuration.patch_size)
        sum(y.square().mean() for y in trainer.network(x)).backward()
        trainer.optimizer.step()
        trainer.logger.log("mean_fg_dice", np.float64(0.5), 0)
        trainer.logger.log("val_losses", np.float32(0.5), 0)
        trainer.logger.log("lrs", 0.01, 0)
        # Norms and shortcuts start as the identity; no two tensors may stay exchangeable.
        for parameter in trainer.network.parameters():
            parameter.data += torch.randn_like(parameter) * 0.1
        folder = Path(trainer.output_folder)
        trainer.save_checkpoint(str(folder / "checkpoint_final.pth"))
        trainer.network.eval()
        trainer.network.decoder.deep_supervision = False
        with torch.no_grad():
            y = trainer.network.double()(x.double())
        np.savez(folder / "answer.npz", x=x.numpy(), y=y.numpy())


if __name__ == "__main__":
    main(sys.argv[1])
