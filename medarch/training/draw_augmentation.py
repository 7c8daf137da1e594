"""The dice of augmentation, split from the deed: all random parameters of one batch, drawn from counted seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medarch.core.plan import AugmentationPlan

P_ROTATE, P_SCALE = 0.2, 0.2
SCALE_RANGE = (0.7, 1.4)
P_NOISE, NOISE_STD = 0.1, (0.0, 0.1)
P_BLUR, BLUR_SIGMA, P_BLUR_CHANNEL = 0.2, (0.5, 1.0), 0.5
P_BRIGHTNESS, P_CONTRAST, FACTOR_RANGE = 0.15, 0.15, (0.75, 1.25)
P_LOW_RESOLUTION, ZOOM_RANGE, P_LOW_RESOLUTION_CHANNEL = 0.25, (0.5, 1.0), 0.5
P_GAMMA_INVERTED, P_GAMMA, GAMMA_RANGE = 0.1, 0.3, (0.7, 1.5)
P_MIRROR = 0.5


@dataclass(frozen=True)
class Draw:
    """Parameters of one sample; the neutral value of each means "leave as it is"."""

    rotation: np.ndarray
    """``(3,)`` radians about the network axes."""
    scale: float
    """Size of the sampled region relative to the patch."""
    noise_std: float
    noise_seed: int
    blur_sigma: np.ndarray
    """``(C, 3)`` voxels, 0 = none."""
    brightness: np.ndarray
    """``(C,)`` factors."""
    contrast: np.ndarray
    zoom: np.ndarray
    """``(C, 3)`` share of the resolution kept, 1 = all."""
    gamma_inverted: np.ndarray
    gamma: np.ndarray
    mirror: np.ndarray
    """``(3,)`` whether each axis is flipped."""

    @property
    def moves(self) -> bool:
        """Whether the patch must be resampled."""
        return self.scale != 1.0 or bool(self.rotation.any())


def draw_augmentation(plan: AugmentationPlan, channels: int, *, dim: int, rng: np.random.Generator) -> Draw:
    """Draw the parameters of one sample with nnU-Net's probabilities and ranges (section 1.14 of its rules).

    ``light`` keeps mirroring and brightness alone; ``none`` changes nothing.
    """
    full = plan.preset == "nnunet"
    rotation = np.zeros(3)
    rotate, rescale = rng.random(2)
    limits = np.radians(np.resize(plan.rotation_degrees, 3) if len(plan.rotation_degrees) == 3 else _in_plane(plan))
    angles = rng.uniform(-limits, limits)
    scale = _around_one(rng, SCALE_RANGE)
    if full and rotate < P_ROTATE:
        rotation = angles
    mirror = np.zeros(3, bool)
    for axis in plan.mirror_axes:
        mirror[axis + 3 - dim] = rng.random() < P_MIRROR
    return Draw(
        rotation=rotation,
        scale=scale if full and rescale < P_SCALE else 1.0,
        noise_std=float(rng.uniform(*NOISE_STD)) if full and rng.random() < P_NOISE else 0.0,
        noise_seed=int(rng.integers(2**62)),
        blur_sigma=_blur(rng, channels, p=P_BLUR if full else 0.0),
        brightness=_factors(rng, channels, FACTOR_RANGE, p=P_BRIGHTNESS if plan.preset != "none" else 0.0),
        contrast=_factors(rng, channels, FACTOR_RANGE, p=P_CONTRAST if full else 0.0),
        zoom=_zoom(rng, channels, p=P_LOW_RESOLUTION if full else 0.0, in_plane=plan.dummy_2d),
        gamma_inverted=_factors(rng, channels, GAMMA_RANGE, p=P_GAMMA_INVERTED if full else 0.0),
        gamma=_factors(rng, channels, GAMMA_RANGE, p=P_GAMMA if full else 0.0),
        mirror=mirror if plan.preset != "none" else np.zeros(3, bool),
    )


def _in_plane(plan: AugmentationPlan) -> np.ndarray:
    """One angle: rotation within the plane of the last two axes, which is about axis 0."""
    return np.array([plan.rotation_degrees[0], 0.0, 0.0])


def _around_one(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """Below 1 in half of the draws, above 1 in the other half, uniform within each."""
    low, high = limits
    return float(rng.uniform(low, 1.0) if rng.random() < 0.5 else rng.uniform(1.0, high))


def _factors(rng: np.random.Generator, channels: int, limits: tuple[float, float], *, p: float) -> np.ndarray:
    act = rng.random() < p
    values = np.array([_around_one(rng, limits) for _ in range(channels)])
    return values if act else np.ones(channels)


def _blur(rng: np.random.Generator, channels: int, *, p: float) -> np.ndarray:
    act = rng.random() < p
    sigma = rng.uniform(*BLUR_SIGMA, size=(channels, 3))
    chosen = rng.random((channels, 1)) < P_BLUR_CHANNEL
    return sigma * chosen if act else np.zeros((channels, 3))


def _zoom(rng: np.random.Generator, channels: int, *, p: float, in_plane: bool) -> np.ndarray:
    act = rng.random() < p
    zoom = np.where(rng.random(channels) < P_LOW_RESOLUTION_CHANNEL, rng.uniform(*ZOOM_RANGE, size=channels), 1.0)
    axes = np.repeat(zoom[:, None] if act else np.ones((channels, 1)), 3, axis=1)
    if in_plane:
        axes[:, 0] = 1.0
    return axes
