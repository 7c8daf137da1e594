"""Run by register_pairs.py with antspyx: FOLDER/{fixed,moving}.nii.gz → transforms and CPU seconds."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import ants

KINDS = {
    "SyN": {"type_of_transform": "SyN"},
    "SyNCC": {
        "type_of_transform": "SyN",
        "syn_metric": "CC",
        "syn_sampling": 2,
        "reg_iterations": (60, 60, 20),
    },
}
"""Its default (mutual information), and cross-correlation with radius 2."""


def main() -> None:
    folder, kind = Path(sys.argv[1]), sys.argv[2]
    fixed, moving = (ants.image_read(str(folder / f"{name}.nii.gz")) for name in ("fixed", "moving"))
    began = time.process_time()
    found = ants.registration(fixed, moving, outprefix=str(folder / "ants_"), **KINDS[kind])
    seconds = time.process_time() - began
    print(json.dumps({"transforms": found["fwdtransforms"], "seconds": seconds}))


if __name__ == "__main__":
    main()
