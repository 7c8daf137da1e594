"""A trained nnU-Net model as it lies on disk, without nnU-Net: its networks rebuilt from part 2.4 of the reference,
under the names their state dict has, and the files a trainer writes beside them."""

import json

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from medarch.core.plan import Plan
from medarch.networks.build_network import build_network

DATASET = {
    "channel_names": {"0": "MRI"},
    "labels": {"background": 0, "organ": 1, "lesion": 2},
    "numTraining": 7,
    "file_ending": ".nii.gz",
}
STATISTICS = {
    "max": 400.0,
    "mean": 99.0,
    "median": 101.0,
    "min": -20.0,
    "percentile_00_5": 10.0,
    "percentile_99_5": 180.0,
    "std": 40.0,
}


class Block(nn.Module):
    def __init__(self, conv, norm, n_in, n_out, kernel, stride, *, bias=True, act=True, dropout=None):
        super().__init__()
        self.conv = conv(n_in, n_out, kernel, stride, [(k - 1) // 2 for k in kernel], bias=bias)
        layers = [self.conv]
        if dropout:
            self.dropout = dropout(p=0.3)
            layers.append(self.dropout)
        self.norm = norm(n_out, eps=1e-5, affine=True)
        layers.append(self.norm)
        if act:
            self.nonlin = nn.LeakyReLU(0.01)
            layers.append(self.nonlin)
        self.all_modules = nn.Sequential(*layers)

    def forward(self, x):
        return self.all_modules(x)


class Convs(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.convs = nn.Sequential(*blocks)

    def forward(self, x):
        return self.convs(x)


class Residual(nn.Module):
    def __init__(self, conv, norm, pool, n_in, n_out, kernel, stride, **options):
        super().__init__()
        one = [1] * len(kernel)
        self.conv1 = Block(conv, norm, n_in, n_out, kernel, stride, **options)
        self.conv2 = Block(conv, norm, n_out, n_out, kernel, one, bias=options["bias"], act=False)
        skip = [pool(stride, stride)] if max(stride) > 1 else []
        skip += [Block(conv, norm, n_in, n_out, one, one, bias=False, act=False)] if n_in != n_out else []
        if skip:
            self.skip = nn.Sequential(*skip)

    def forward(self, x):
        rest = self.skip(x) if hasattr(self, "skip") else x
        return nn.functional.leaky_relu(self.conv2(self.conv1(x)) + rest, 0.01)


class Blocks(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x):
        return self.blocks(x)


class Encoder(nn.Module):
    def __init__(self, net, n_in, *, residual):
        super().__init__()
        conv, norm, pool, options = net["conv"], net["norm"], net["pool"], net["options"]
        one = [1] * net["dim"]
        if residual:
            self.stem = Convs([Block(conv, norm, n_in, net["features"][0], net["kernels"][0], one, **options)])
            n_in = net["features"][0]
        stages = []
        rows = zip(net["features"], net["kernels"], net["strides"], net["blocks"], strict=True)
        for n_out, kernel, stride, count in rows:
            widths = [(n_in, stride)] + [(n_out, one)] * (count - 1)
            if residual:
                stages.append(Blocks([Residual(conv, norm, pool, w, n_out, kernel, s, **options) for w, s in widths]))
            else:
                convs = Convs([Block(conv, norm, w, n_out, kernel, s, **options) for w, s in widths])
                stages.append(nn.Sequential(convs))
            n_in = n_out
        self.stages = nn.Sequential(*stages)

    def forward(self, x):
        x = self.stem(x) if hasattr(self, "stem") else x
        maps = []
        for stage in self.stages:
            maps.append(stage(x))
            x = maps[-1]
        return maps


class Decoder(nn.Module):
    def __init__(self, net, encoder, heads):
        super().__init__()
        self.encoder = encoder
        one = [1] * net["dim"]
        stages, ups, seg = [], [], []
        for deep in range(len(net["features"]) - 1, 0, -1):
            width, below = net["features"][deep - 1], net["features"][deep]
            up = nn.ConvTranspose3d if net["dim"] == 3 else nn.ConvTranspose2d
            ups.append(up(below, width, net["strides"][deep], net["strides"][deep], bias=net["options"]["bias"]))
            count = net["decoder"][len(net["features"]) - 1 - deep]
            widths = [2 * width] + [width] * (count - 1)
            kernel = net["kernels"][deep - 1]
            blocks = [Block(net["conv"], net["norm"], w, width, kernel, one, **net["options"]) for w in widths]
            stages.append(Convs(blocks))
            seg.append(net["conv"](width, heads, 1))
        self.stages, self.transpconvs, self.seg_layers = map(nn.ModuleList, (stages, ups, seg))

    def forward(self, maps):
        x = maps[-1]
        for number, (stage, up) in enumerate(zip(self.stages, self.transpconvs, strict=True)):
            x = stage(torch.cat([up(x), maps[-2 - number]], 1))
        return self.seg_layers[-1](x)


class UNet(nn.Module):
    """PlainConvUNet or ResidualEncoderUNet of ``arch_kwargs``."""

    def __init__(self, architecture, n_in, heads):
        super().__init__()
        settings = architecture["arch_kwargs"]
        dim = 3 if settings["conv_op"].endswith("3d") else 2
        residual = architecture["network_class_name"].endswith("ResidualEncoderUNet")
        stages = settings["n_stages"]
        blocks = settings["n_blocks_per_stage" if residual else "n_conv_per_stage"]
        decoder = settings["n_conv_per_stage_decoder"]
        dropout = settings.get("dropout_op")
        net = {
            "dim": dim,
            "conv": nn.Conv3d if dim == 3 else nn.Conv2d,
            "norm": nn.InstanceNorm3d if dim == 3 else nn.InstanceNorm2d,
            "pool": nn.AvgPool3d if dim == 3 else nn.AvgPool2d,
            "features": settings["features_per_stage"],
            "kernels": settings["kernel_sizes"],
            "strides": settings["strides"],
            "blocks": [blocks] * stages if isinstance(blocks, int) else blocks,
            "decoder": [decoder] * (stages - 1) if isinstance(decoder, int) else decoder,
            "options": {
                "bias": settings["conv_bias"],
                "dropout": getattr(nn, dropout.split(".")[-1]) if dropout else None,
            },
        }
        self.encoder = Encoder(net, n_in, residual=residual)
        self.decoder = Decoder(net, self.encoder, heads)

    def forward(self, x):
        return self.decoder(self.encoder(x))


def architecture(kind="PlainConvUNet", *, dim=3, **changes):
    """Three stages, anisotropic, each with another number of blocks."""
    count = "n_blocks_per_stage" if kind == "ResidualEncoderUNet" else "n_conv_per_stage"
    return {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{kind}",
        "arch_kwargs": {
            "n_stages": 3,
            "features_per_stage": [4, 6, 6],
            "conv_op": f"torch.nn.modules.conv.Conv{dim}d",
            "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]] if dim == 3 else [[3, 3]] * 3,
            "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]] if dim == 3 else [[1, 1], [2, 2], [1, 2]],
            count: [1, 3, 2],
            "n_conv_per_stage_decoder": [2, 1],
            "conv_bias": True,
            "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dim}d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
            **changes,
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def configuration(net=None, **changes):
    """An entry of ``configurations`` in plans.json."""
    net = net or architecture()
    flat = net["arch_kwargs"]["conv_op"].endswith("2d")
    values = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [16, 16] if flat else [8, 16, 16],
        "median_image_size_in_voxels": [20.0, 24.0] if flat else [12.0, 20.0, 24.0],
        "spacing": [1.5, 1.25] if flat else [2.0, 1.5, 1.25],
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        "architecture": net,
        "batch_dice": False,
    }
    for stage, is_seg, order in (("data", False, 3), ("seg", True, 1), ("probabilities", False, 1)):
        values[f"resampling_fn_{stage}"] = "resample_data_or_seg_to_shape"
        values[f"resampling_fn_{stage}_kwargs"] = {
            "is_seg": is_seg,
            "order": order,
            "order_z": 0,
            "force_separate_z": None,
        }
    return values | changes


def plans(configurations=None, **changes):
    """plans.json as nnU-Net 2.8.1 writes it."""
    return {
        "dataset_name": "Dataset777_Test",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [2.0, 1.5, 1.25],
        "original_median_shape_after_transp": [12, 20, 24],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": configurations or {"3d_fullres": configuration()},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": STATISTICS},
    } | changes


def network(net, n_in=1, heads=3, *, seed=0):
    """A network whose every tensor is random, its logits around 1, in evaluation mode."""
    torch.manual_seed(seed)
    built = UNet(net, n_in, heads)
    for parameter in built.parameters():
        noise = torch.randn_like(parameter)
        # Kernels by their fan-in; scales of norms around 1 and biases around 0 are not told apart.
        parameter.data = noise / noise[0].numel() ** 0.5 if noise.dim() > 1 else 0.5 + 0.2 * noise
    return built.eval()


def checkpoint(weights, *, name="3d_fullres", trainer="nnUNetTrainer", mirror=(0, 1, 2), **changes):
    """The dictionary of ``nnUNetTrainer.save_checkpoint``, with numpy numbers in its log."""
    return {
        "network_weights": weights,
        "optimizer_state": {"state": {0: {"momentum_buffer": torch.zeros(2)}}, "param_groups": [{"lr": 0.01}]},
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": [np.float64(0.5)], "val_losses": [np.float32(0.1)], "lrs": [0.01]},
        "_best_ema": np.float64(0.5),
        "current_epoch": 3,
        "init_args": {"configuration": name, "fold": 0, "plans": {}, "device": torch.device("cuda")},
        "trainer_name": trainer,
        "inference_allowed_mirroring_axes": mirror,
    } | changes


def write_folder(
    folder, content, *, dataset=None, folds=(0,), name="3d_fullres", files=("final",), n_in=1, heads=3, **c
):
    """Write ``folder`` with plans, dataset and a checkpoint a fold; return the networks by fold."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(json.dumps(content))
    (folder / "dataset.json").write_text(json.dumps(dataset or DATASET))
    networks = {}
    for number, fold in enumerate(folds):
        net = next(e["architecture"] for e in (content["configurations"][name],) if "architecture" in e)
        networks[str(fold)] = network(net, n_in, heads, seed=number)
        (folder / f"fold_{fold}").mkdir(exist_ok=True)
        for file in files:
            saved = checkpoint(networks[str(fold)].state_dict(), name=name, **c)
            torch.save(saved, folder / f"fold_{fold}" / f"checkpoint_{file}.pth")
    return networks


def double_networks(model_folder):
    """The imported networks of a medarch model folder, one a fold, in double precision."""
    plan = Plan.load(model_folder / "plan.json")
    networks = []
    for path in sorted(model_folder.glob("weights_fold_*.safetensors")):
        networks.append(build_network(plan.configuration().network).double().eval())
        networks[-1].load_state_dict(load_file(path))
    return networks
