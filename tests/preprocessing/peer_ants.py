"""What ANTs makes of our transforms, and transforms of its own. Run by a Python with antspyx: peer_ants.py FOLDER.

FOLDER holds fixed.nii.gz, moving.nii.gz, field.nii.gz, affine.mat, both.h5 and points.csv (LPS).
"""

import shutil
import sys
from pathlib import Path

import ants
import pandas

folder = Path(sys.argv[1])
fixed, moving = (ants.image_read(str(folder / f"{name}.nii.gz")) for name in ("fixed", "moving"))
field, affine, both = (str(folder / name) for name in ("field.nii.gz", "affine.mat", "both.h5"))


def apply(name, transforms, **options):
    warped = ants.apply_transforms(fixed=fixed, moving=moving, transformlist=transforms, **options)
    ants.image_write(warped, str(folder / f"{name}.nii.gz"))


apply("ants_field_affine", [field, affine])
apply("ants_h5", [both])
apply("ants_inverse_affine", [affine], whichtoinvert=[True])
points = pandas.read_csv(folder / "points.csv")
ants.apply_transforms_to_points(3, points, [field, affine]).to_csv(folder / "ants_points.csv", index=False)

found = ants.registration(
    fixed=fixed, moving=moving, type_of_transform="SyN", reg_iterations=(20, 10, 0), random_seed=1
)
warp, matrix = found["fwdtransforms"]
inverse_warp = next(name for name in found["invtransforms"] if name.endswith(".nii.gz"))
for source, name in ((warp, "syn_warp.nii.gz"), (matrix, "syn_affine.mat"), (inverse_warp, "syn_inverse.nii.gz")):
    shutil.copy(source, folder / name)
apply("ants_syn", [warp, matrix])
back = ants.apply_transforms(
    fixed=moving, moving=fixed, transformlist=[matrix, inverse_warp], whichtoinvert=[True, False]
)
ants.image_write(back, str(folder / "ants_back.nii.gz"))
composite = ants.registration(
    fixed=fixed,
    moving=moving,
    type_of_transform="Affine",
    write_composite_transform=True,
    outprefix=str(folder / "syn_"),
)
shutil.copy(composite["fwdtransforms"], folder / "composite.h5")
apply("ants_composite", [composite["fwdtransforms"]])
