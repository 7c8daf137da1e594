"""The plan: every decision that turns a dataset into a model, each with its reason, editable as JSON."""

from __future__ import annotations

import math
from typing import Any, Literal

from medarch.core.classes import ClassScheme
from medarch.core.dataset import TaskName
from medarch.core.errors import PlanError
from medarch.core.fingerprint import IntensityStatistics
from medarch.core.labels import LabelScheme
from medarch.core.record import Record
from medarch.core.separation import Separation

Precision = Literal["float32", "bf16", "fp16"]
Checkpoint = Literal["none", "selective", "blocks", "stages"]
Voxels = tuple[int, ...]


class Reason(Record):
    """Why one value of the plan is what it is."""

    decision: str
    value: str
    because: str


class Device(Record):
    """The device a plan is made for."""

    kind: Literal["cpu", "cuda", "mps"]
    name: str
    memory_bytes: int
    """What a training run may use."""


class ChannelNormalisation(Record):
    """How one channel is normalised (nnU-Net's schemes)."""

    scheme: Literal["ct", "zscore", "none", "rescale_to_0_1", "rgb_to_0_1"]
    statistics: IntensityStatistics | None = None
    """Dataset statistics, needed by ``ct``."""
    inside_mask: bool = False
    """Take the statistics from the nonzero voxels only and keep the outside 0."""


class PreprocessingPlan(Record):
    """From a file's grid to the network's grid. Two configurations with equal recipes share prepared cases."""

    orientation: str | None
    """Bring every case to these directions first (e.g. ``"RAS"``); None keeps the order stored in the file."""
    axes: tuple[int, int, int]
    """Network axis ``n`` is file axis ``axes[n]``; ``(2, 1, 0)`` is nnU-Net's reader order z, y, x."""
    spacing_mm: tuple[float | None, float | None, float | None]
    """Target spacing of each network axis; None leaves that axis as it is (the slices of a 2D configuration)."""
    normalisation: tuple[ChannelNormalisation, ...]
    crop: Literal["nonzero", "none"] = "nonzero"
    image_order: int = 3
    label_order: int = 1
    score_order: int = 1
    """Degree of the splines that bring logits back to the file's grid."""
    separate_plane_ratio: float = 3.0
    """Above this ratio of spacings the coarse axis is resampled on its own. 0: always; a huge number: never."""
    coarse_order: int = 0
    """Degree along a coarse axis that is resampled on its own; 0 takes the nearest plane."""


class NetworkPlan(Record):
    """Which network of the registry, and its topology. Tuples run from the finest stage to the coarsest."""

    architecture: str
    dim: Literal[2, 3]
    in_channels: int
    heads: int
    features: tuple[int, ...] = ()
    strides: tuple[Voxels, ...] = ()
    kernels: tuple[Voxels, ...] = ()
    blocks: tuple[int, ...] = ()
    """Convolutions (plain) or residual blocks (residual) of each encoder stage."""
    decoder_blocks: tuple[int, ...] = ()
    deep_supervision: bool = True
    options: dict[str, Any] = {}
    """What only some architectures know."""

    @property
    def divisor(self) -> Voxels:
        """Sides of a patch are multiples of this: the product of the strides along each axis."""
        return tuple(math.prod(axis) for axis in zip(*self.strides, strict=True)) or (1,) * self.dim


class AugmentationPlan(Record):
    """Probabilities and ranges; ``preset`` says where they come from."""

    preset: Literal["nnunet", "light", "none"] = "nnunet"
    rotation_degrees: tuple[float, ...] = (30.0, 30.0, 30.0)
    """Largest angle about each network axis; one entry in 2D."""
    dummy_2d: bool = False
    """Rotate and scale in the plane of the last two axes only (anisotropic patches)."""
    mirror_axes: tuple[int, ...] = (0, 1, 2)
    mask_outside: tuple[int, ...] = ()
    """Channels set to 0 outside the nonzero mask after augmentation."""
    torchio: tuple[dict[str, Any], ...] = ()
    """Extra TorchIO transforms, ``{"name": "RandomMotion", "p": 0.1, ...}``, applied on the CPU."""


class TrainingPlan(Record):
    """Optimisation and schedule."""

    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 1e-2
    momentum: float = 0.99
    weight_decay: float = 3e-5
    schedule: Literal["poly", "cosine"] = "poly"
    warmup_share: float = 0.0
    epochs: int = 1000
    iterations_per_epoch: int = 250
    validation_iterations: int = 50
    time_budget_s: float | None = None
    """Stop, with the schedule brought to its end, when so much wall-clock has been used; epochs are then a ceiling."""
    patience_epochs: int | None = None
    """Stop when the smoothed validation score has not risen for so many epochs."""
    precision: Precision = "float32"
    gradient_clip: float = 12.0
    weight_average_decay: float | None = None
    """Exponential moving average of the weights, used for validation and as the final model."""
    foreground_share: float = 0.33
    """Share of the patches of a batch that must hold foreground."""
    class_weights: tuple[float, ...] = ()
    """Classification: what each class counts in the loss and in the decision, so that rare classes are not passed
    over; empty: all alike."""
    frozen_stages: int = 0
    """So many stages of the encoder keep the weights they start from (``--pretrained``)."""
    layer_decay: float = 1.0
    """Learning rate of each stage of the encoder as a share of that of the stage behind it."""
    accumulate: int = 1
    """Batches whose gradients are added up before a step. The same step as one large batch where nothing is computed
    over a batch: no batch normalisation, and ``batch_dice`` off."""
    checkpoint: Checkpoint = "none"
    """Which activations are computed again in the backward pass instead of kept."""
    offload_activations: bool = False
    """Keep activations in the host's memory until the backward pass needs them (GPUs)."""
    seed: int = 20240
    augmentation: AugmentationPlan = AugmentationPlan()


class InferencePlan(Record):
    """Sliding window."""

    step: float = 0.5
    """Distance of tiles as a share of the patch."""
    mirror_axes: tuple[int, ...] = (0, 1, 2)


REFINE_ITERATIONS = 10
"""Measured: docs/registration_networks.md."""


class RegistrationPlan(Record):
    """What a registration is trained to do, and from where it starts."""

    alignment: Literal["world", "centres"] = "centres"
    """What lies on what before the network: points of one place in the world, or the centres of the images."""
    similarity: Literal["lncc", "mse", "nmi", "mind"] = "lncc"
    window: int = 5
    """Side of the local correlation's window, in voxels."""
    smoothness: Literal["diffusion", "bending"] = "diffusion"
    smoothness_weight: float = 1.0
    jacobian_weight: float = 0.0
    """Of folds, see ``tasks/registration/jacobian_penalty.py``."""
    inverse_consistency_weight: float = 0.0
    """Of round trips that miss, in mm²; for networks that give the way back."""
    bidirectional: bool = False
    """Compare the pair in both directions, for networks that give the way back."""
    label_weight: float = 0.0
    """Of the labels' Dice, for pairs that have labels."""
    label_stride: int = 1
    """Labels are compared at so many times the spacing."""
    landmark_weight: float = 0.0
    """Of the landmarks' mean distance in mm, for pairs that have landmarks of the same names."""
    refine_iterations: int | None = None
    """Of a prediction, from the network's field on, for this pair alone; None: some after training on images alone."""

    @property
    def refinement(self) -> int:
        """Iterations of a prediction: what labels and landmarks taught is not traded for likeness of the images."""
        if self.refine_iterations is not None:
            return self.refine_iterations
        return 0 if self.label_weight or self.landmark_weight else REFINE_ITERATIONS


class Estimate(Record):
    """What the planner expects of one training step."""

    training_bytes: int
    parameters: int
    gflop_per_step: float
    seconds_per_step: float | None = None
    method: str


class Configuration(Record):
    """One way to train: 2d, 3d_fullres, 3d_lowres or 3d_cascade_fullres."""

    name: str
    patch_voxels: Voxels
    batch_size: int
    batch_dice: bool
    median_shape: Voxels
    """Median shape of the prepared cases, network axes."""
    preprocessing: PreprocessingPlan
    network: NetworkPlan
    training: TrainingPlan = TrainingPlan()
    inference: InferencePlan = InferencePlan()
    registration: RegistrationPlan | None = None
    """None for other tasks."""
    separation: Separation | None = None
    """Of nuclei: the constants to start from; None for other tasks."""
    previous_stage: str | None = None
    next_stage: str | None = None
    estimate: Estimate | None = None


class Plan(Record):
    """The third record of the data flow."""

    schema_version: Literal[1] = 1
    name: str
    preset: str
    task: TaskName = "segmentation"
    dataset: str
    channels: tuple[str, ...]
    labels: LabelScheme
    classes: ClassScheme | None = None
    """What a classification tells apart; None for other tasks."""
    mpp: float | None = None
    """Micrometres a pixel that nuclei are found at; None for other tasks, and for nuclei in volumes."""
    fingerprint_sha256: str
    device: Device | None = None
    configurations: dict[str, Configuration]
    default: str
    """The configuration trained when none is named."""
    reasons: tuple[Reason, ...] = ()

    def configuration(self, name: str | None = None) -> Configuration:
        """Return a configuration by name, or the default one.

        Raises:
            PlanError: the plan has no such configuration.
        """
        name = name or self.default
        if name not in self.configurations:
            raise PlanError(
                f"plan {self.name} has no configuration {name!r}",
                expected=", ".join(self.configurations),
                found=name,
                fix="choose one of those, or plan again with another preset",
            )
        return self.configurations[name]
