"""Chains as ITK's transform objects and back. ITK counts in LPS, and applies the last of a composite first."""

from __future__ import annotations

from typing import Any

import numpy as np

from medarch.core.errors import GeometryError, TransformError
from medarch.core.geometry import Geometry
from medarch.core.spatial_transform import (
    AffineTransform,
    Dimension,
    DisplacementField,
    SpatialTransform,
    TransformChain,
)
from medarch.io.volume_header import LPS_TO_RAS

_LPS_SIGNS = np.array([-1.0, -1.0, 1.0])


def to_itk(chain: TransformChain) -> Any:
    """Return a ``SimpleITK.Transform``: the part itself if there is one, else a ``CompositeTransform``.

    Raises:
        TransformError: a part is the inverse of a field, which ITK's files cannot say.
        GeometryError: a field lies on a sheared grid.
    """
    import SimpleITK

    parts = [_part_to_itk(part) for part in chain.parts]
    if len(parts) == 1:
        return parts[0]
    composite = SimpleITK.CompositeTransform(int(chain.dimension))
    for part in reversed(parts):
        composite.AddTransform(part)
    return composite


def from_itk(transform: Any) -> TransformChain:
    """Return the chain that a ``SimpleITK.Transform`` stands for.

    Raises:
        TransformError: it is not made of linear transforms, displacement fields and cubic B-splines.
    """
    return TransformChain(_parts_from_itk(transform.Downcast()))


def _part_to_itk(part: SpatialTransform) -> Any:
    import SimpleITK

    size = part.dimension
    if isinstance(part, AffineTransform):
        matrix = LPS_TO_RAS @ part.matrix @ LPS_TO_RAS
        return SimpleITK.AffineTransform(
            matrix[:size, :size].ravel().tolist(), matrix[:size, 3].tolist(), [0.0] * int(size)
        )
    if part.inverted:
        raise TransformError(
            "the inverse of a displacement field cannot be written as it is",
            expected="a field that says where each point goes",
            found="a field with the order to invert it",
            fix="sample it on a grid first, with compose_field()",
        )
    if part.interpolation == "bspline":
        return SimpleITK.BSplineTransform([field_image(part, axis) for axis in range(size)], 3)
    return SimpleITK.DisplacementFieldTransform(field_image(part))


def field_image(field: DisplacementField, component: int | None = None) -> Any:
    """Return the vectors as a float64 ``SimpleITK.Image``, all their components or one."""
    import SimpleITK

    size = field.dimension
    shape = field.geometry.shape[:size]
    _require_rectangular(field.geometry)
    planes = field.vectors[:size].reshape(size, *shape).T.astype(np.float64) * _LPS_SIGNS[:size]
    if component is None:
        image = SimpleITK.GetImageFromArray(planes, isVector=True)
    else:
        image = SimpleITK.GetImageFromArray(np.ascontiguousarray(planes[..., component]))
    affine = LPS_TO_RAS @ field.geometry.matrix
    spacing = field.geometry.spacing_mm[:size]
    image.SetSpacing(spacing)
    image.SetOrigin(affine[:size, 3].tolist())
    image.SetDirection((affine[:size, :size] / spacing).ravel().tolist())
    return image


def _require_rectangular(geometry: Geometry) -> None:
    if not geometry.is_orthogonal:
        raise GeometryError(
            "the displacement field lies on a sheared grid",
            expected="axes at right angles: ITK, ANTs and 3D Slicer know no other",
            found=f"affine {geometry.matrix[:3].round(4).tolist()}",
            fix="sample it on a rectangular grid first, with compose_field(), or write .nii.gz for medarch alone",
        )


def _parts_from_itk(transform: Any) -> tuple[SpatialTransform, ...]:
    name = transform.GetName()
    size = transform.GetDimension()
    if name == "CompositeTransform":
        nested = [transform.GetNthTransform(number) for number in range(transform.GetNumberOfTransforms())]
        return tuple(part for each in reversed(nested) for part in _parts_from_itk(each.Downcast()))
    if size not in (2, 3):
        raise TransformError("the transform is of neither 2D nor 3D images", expected="2 or 3", found=f"{size}D")
    if name == "DisplacementFieldTransform":
        return (_field_from_itk(transform.GetDisplacementField(), size),)
    if name == "BSplineTransform" and transform.GetOrder() == 3:
        return (_spline_from_itk(transform.GetCoefficientImages(), size),)
    if not transform.IsLinear():
        raise TransformError(
            f"a {name} cannot be applied",
            expected="linear transforms, displacement fields and cubic B-splines",
            found=name,
            fix="convert it to a displacement field, e.g. with SimpleITK's TransformToDisplacementField",
        )
    return (_affine_from_itk(transform, size),)


def _affine_from_itk(transform: Any, size: int) -> AffineTransform:
    origin = np.array(transform.TransformPoint([0.0] * size))
    matrix = np.eye(size + 1)
    matrix[:size, size] = origin
    for axis, unit in enumerate(np.eye(size)):
        matrix[:size, axis] = np.array(transform.TransformPoint(unit.tolist())) - origin
    flip = LPS_TO_RAS if size == 3 else np.diag([-1.0, -1.0, 1.0])
    return AffineTransform.from_matrix(flip @ matrix @ flip)


def _field_from_itk(image: Any, size: Dimension) -> DisplacementField:
    import SimpleITK

    planes = SimpleITK.GetArrayViewFromImage(image)
    return _from_planes(planes, image, size, spline=False)


def _spline_from_itk(images: Any, size: Dimension) -> DisplacementField:
    import SimpleITK

    planes = np.stack([SimpleITK.GetArrayViewFromImage(image) for image in images], axis=-1)
    return _from_planes(planes, images[0], size, spline=True)


def _from_planes(planes: np.ndarray, image: Any, size: Dimension, *, spline: bool) -> DisplacementField:
    shape = (*image.GetSize(), 1)[:3]
    vectors = np.zeros((3, *shape))
    vectors[:size] = (planes.T * _LPS_SIGNS[:size].reshape(size, *[1] * size)).reshape(size, *shape)
    affine = np.eye(4)
    affine[:size, :size] = np.reshape(image.GetDirection(), (size, size)) * image.GetSpacing()
    affine[:size, 3] = image.GetOrigin()
    return DisplacementField.from_vectors(
        vectors,
        Geometry.from_array(shape, LPS_TO_RAS @ affine),
        dimension=size,
        interpolation="bspline" if spline else "linear",
    )
