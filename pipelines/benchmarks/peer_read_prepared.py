"""Run by the peer's Python: nnU-Net's prepared cases (.b2nd) as .npy files, one folder a configuration."""

import sys
from pathlib import Path

import blosc2
import numpy as np


def main(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in sorted(source.glob("*.b2nd")):
        np.save(target / (path.stem + ".npy"), blosc2.open(urlpath=str(path), mode="r")[:])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
