"""A transform out, in the format of the suffix."""

from __future__ import annotations

from pathlib import Path

from medarch.core.errors import TransformError
from medarch.core.files import atomic_path
from medarch.core.spatial_transform import AffineTransform, DisplacementField, SpatialTransform, TransformChain
from medarch.io.transforms.itk_transform import to_itk
from medarch.io.transforms.transform_suffix import transform_format_of
from medarch.io.transforms.write_field import write_field


def write_transform(path: Path, transform: SpatialTransform | TransformChain) -> None:
    """Write what SimpleITK, ANTs and 3D Slicer read.

    .h5 and .tfm hold any chain (as ITK's ``CompositeTransform``, ``AffineTransform``, ``DisplacementFieldTransform``);
    .nii.gz, .nii, .nrrd and .mha hold one displacement field; .mat holds one affine transform.

    Raises:
        TransformError: the format is unknown or cannot hold this transform.
        GeometryError: a field lies on a sheared grid, which ITK does not know.
    """
    path = Path(path)
    chain = transform if isinstance(transform, TransformChain) else TransformChain((transform,))
    kind = transform_format_of(path)
    only = chain.parts[0] if len(chain.parts) == 1 else None
    if kind == "field" and isinstance(only, DisplacementField):
        write_field(path, only)
        return
    if kind == "field" or (kind == "affine" and not isinstance(only, AffineTransform)):
        raise TransformError(
            f"{path} cannot hold this transform",
            expected="one displacement field" if kind == "field" else "one affine transform",
            found=" then ".join(type(part).__name__ for part in chain.parts) or "an empty chain",
            fix="write .h5 or .tfm, which hold any chain, or sample it on a grid first, with compose_field()",
        )
    import SimpleITK

    written = to_itk(chain)
    with atomic_path(path) as temporary:
        SimpleITK.WriteTransform(written, str(temporary))
