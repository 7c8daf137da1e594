"""The pairs that every registration is measured on; fixed by a seed, so that methods and sessions can be compared.

    python pipelines/benchmarks/registration_pairs.py           # prints them

Hippocampus (Task04): 52 of the 260 cases are for testing, and 20 ordered pairs of them; settings are chosen on 20 pairs
of the other cases. Brain (OASIS, affine to MNI at 2 mm): the 20 ordered pairs of five unseen people, first scans; the
15 people of the official training split for training, and 10 pairs of them for settings.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.geometry import Geometry
from medarch.io.read_volume import read_volume

SHARED = Path(__file__).resolve().parents[3] / "shared/data"
SEED = 7
HIPPOCAMPUS_TEST_CASES = 52
PAIRS = 20
FURTHER_PAIRS = 80
HIPPOCAMPUS_LABELS = (1, 2)
BRAIN_TEST = ("1003", "1004", "1005", "1018", "1019")
BRAIN_TRAIN = (
    "1000", "1001", "1002", "1006", "1007", "1008", "1009", "1010", "1011", "1012", "1013", "1014", "1015", "1017",
    "1036",
)  # fmt: skip
BRAIN_LABELS = (
    4, 11, 23, 30, 31, 32, 35, 36, 37, 38, 39, 40, 41, 44, 45, 47, 48, 51, 52, 55, 56, 57, 58, 59, 60, 61, 62,
)  # fmt: skip
BRAIN_TUNING_PAIRS = 10

Pair = tuple[str, str]


@dataclass(frozen=True)
class PairData:
    """Two images and their label maps on the fixed image's grid, each ``(I, J, K)``."""

    fixed: np.ndarray
    moving: np.ndarray
    fixed_labels: np.ndarray
    moving_labels: np.ndarray
    geometry: Geometry


@dataclass(frozen=True)
class PairSet:
    """A dataset's cases and pairs ``(fixed, moving)``."""

    folder: Path
    train: tuple[str, ...]
    test: tuple[str, ...]
    tuning_pairs: tuple[Pair, ...]
    """Of training cases: for choosing settings."""
    test_pairs: tuple[Pair, ...]
    further_pairs: tuple[Pair, ...]
    """Of test cases, too: 20 pairs of 52 people are few, and one person may be in many of them."""
    labels: tuple[int, ...]
    image_name: str
    label_name: str

    def image(self, case: str) -> Path:
        """File of an image."""
        return self.folder / self.image_name.format(case)

    def label_map(self, case: str) -> Path:
        """File of a label map."""
        return self.folder / self.label_name.format(case)

    def load(self, pair: Pair) -> PairData:
        """Read a pair; the moving image is padded and cropped about its centre to the fixed image's shape."""
        fixed, moving = pair
        volume = read_volume(self.image(fixed))
        shape = volume.geometry.shape

        def read(path: Path) -> np.ndarray:
            return centred(read_volume(path).array[0], shape)

        return PairData(
            np.ascontiguousarray(volume.array[0]).astype(np.float32),
            read(self.image(moving)).astype(np.float32),
            read(self.label_map(fixed)),
            read(self.label_map(moving)),
            volume.geometry,
        )


def pair_set(name: str) -> PairSet:
    """``hippocampus`` or ``brain``."""
    return {"hippocampus": _hippocampus, "brain": _brain}[name]()


def _hippocampus() -> PairSet:
    folder = SHARED / "Task04_Hippocampus"
    cases = sorted(path.name.removesuffix(".nii.gz") for path in (folder / "imagesTr").glob("hippocampus_*.nii.gz"))
    generator = random.Random(SEED)
    generator.shuffle(cases)
    train, test = cases[:-HIPPOCAMPUS_TEST_CASES], cases[-HIPPOCAMPUS_TEST_CASES:]
    test_pairs = generator.sample(ordered_pairs(test), PAIRS)
    tuning_pairs = generator.sample(ordered_pairs(train), PAIRS)
    others = [pair for pair in ordered_pairs(test) if pair not in test_pairs]
    further = random.Random(SEED).sample(others, FURTHER_PAIRS)
    return PairSet(
        folder, tuple(train), tuple(test), tuple(tuning_pairs), tuple(test_pairs), tuple(further), HIPPOCAMPUS_LABELS,
        "imagesTr/{}.nii.gz", "labelsTr/{}.nii.gz",
    )  # fmt: skip


def _brain() -> PairSet:
    tuning_pairs = random.Random(SEED).sample(ordered_pairs(BRAIN_TRAIN), BRAIN_TUNING_PAIRS)
    return PairSet(
        SHARED / "brain_oasis25/affine_2mm", BRAIN_TRAIN, BRAIN_TEST, tuple(tuning_pairs),
        tuple(ordered_pairs(BRAIN_TEST)), (), BRAIN_LABELS, "{}_t1.nii.gz", "{}_seg.nii.gz",
    )  # fmt: skip


def ordered_pairs(cases: tuple[str, ...] | list[str]) -> list[Pair]:
    """Every (fixed, moving) of different cases."""
    return [(fixed, moving) for fixed in cases for moving in cases if fixed != moving]


def centred(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pad with zeros or crop about the centre to ``shape``; the odd voxel lies at the high end."""
    out = np.zeros(shape, array.dtype)
    source, target = [], []
    for have, want in zip(array.shape, shape, strict=True):
        size = min(have, want)
        source.append(slice((have - size) // 2, (have - size) // 2 + size))
        target.append(slice((want - size) // 2, (want - size) // 2 + size))
    out[tuple(target)] = array[tuple(source)]
    return out


def main() -> None:
    for name in ("hippocampus", "brain"):
        found = pair_set(name)
        print(f"{name}: {len(found.train)} training cases, {len(found.test)} test cases")
        for kind, pairs in (("test", found.test_pairs), ("tuning", found.tuning_pairs)):
            print(f"  {kind} pairs:", *(f"{fixed}<-{moving}" for fixed, moving in pairs))


if __name__ == "__main__":
    main()
