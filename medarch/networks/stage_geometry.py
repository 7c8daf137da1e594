"""How a plan's strides and kernels are laid on the stages of a network that has kernels of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan, Voxels


@dataclass(frozen=True)
class StageGeometry:
    """One stage: its stride, and the axes along which its kernels are flat."""

    stride: Voxels
    flat: tuple[bool, ...]

    def kernel(self, size: int) -> Voxels:
        """A kernel of this size, 1 along flat axes."""
        return tuple(1 if flat else size for flat in self.flat)

    @property
    def one(self) -> Voxels:
        """Stride or kernel of 1 along each axis."""
        return (1,) * len(self.stride)

    @property
    def within(self) -> StageGeometry:
        """The same stage behind its strided part."""
        return StageGeometry(self.one, self.flat)


def stage_geometry(plan: NetworkPlan, strides: Sequence[int]) -> list[StageGeometry]:
    """Return the geometry of each stage.

    A plan without strides gets the published ones. Fewer strides than stages make a network with fewer stages; strides
    beyond the last stage are not used. Where a plan's kernel is 1 along an axis, the stage's kernels are 1 along it,
    too (thick slices are not mixed before the planes have become as coarse); otherwise they keep their published size.

    Args:
        plan: with ``strides`` and ``kernels`` a stage, or without.
        strides: published stride of each stage, the same along each axis.

    Raises:
        PlanError: strides or kernels have not one entry an axis, or differ in number.
    """
    wrong = [entry for entry in (*plan.strides, *plan.kernels) if len(entry) != plan.dim]
    if wrong or (plan.kernels and len(plan.kernels) != len(plan.strides)):
        raise PlanError(
            "strides and kernels of the network do not fit together",
            expected=f"one of each a stage, {plan.dim} numbers each, or none at all",
            found=f"{len(plan.strides)} strides, {len(plan.kernels)} kernels"
            + (f", among them {wrong[0]}" if wrong else ""),
            fix="correct network in plan.json",
        )
    own = plan.strides or tuple((stride,) * plan.dim for stride in strides)
    kernels = plan.kernels or ((0,) * plan.dim,) * len(own)
    pairs = list(zip(own, kernels, strict=True))[: len(strides)]
    return [StageGeometry(stride, tuple(size == 1 for size in kernel)) for stride, kernel in pairs]
