"""How `medarch register` tells images of one kind from images of two, and what that is worth. Training pairs only.

    python pipelines/benchmarks/register_two_kinds.py [--pairs 10] [--dataset hippocampus]

The moving image as it is, inverted, and folded at 0.6 of its range, where dark and bright become one. Printed: the
smallest and the largest number that the rule looks at, what it chose, and the mean DSC by each similarity; a pair that
cannot be registered counts as 0.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import torch
from registration_pairs import PairData, pair_set

from medarch.core.errors import MedarchError
from medarch.inference.registration.pair_image import PairImage
from medarch.inference.registration.register_pair import PairRegistration, register_pair
from medarch.inference.registration.settings import RegistrationSettings, Similarity
from medarch.preprocessing.transforms.warp_volume import warp_volume

SIMILARITIES: tuple[Similarity, ...] = ("auto", "lncc", "mind", "nmi")
LOOKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "one kind": lambda array: array,
    "inverted": lambda array: (array.max() - array) * background(array),
    "folded": lambda array: np.abs(array / np.percentile(array[array > 0], 99) - 0.6) * (array > 0),
}


def background(array: np.ndarray) -> np.ndarray:
    """0 outside of a stripped brain, 1 where there is no such background."""
    return array > 0 if (array == 0).mean() > 0.2 else np.ones(array.shape, bool)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--dataset", choices=("hippocampus", "brain"), action="append")
    chosen = parser.parse_args()
    for name in chosen.dataset or ("hippocampus", "brain"):
        found = pair_set(name)
        for look, change in LOOKS.items():
            scores, choices = defaultdict(list), []
            for pair in found.tuning_pairs[: chosen.pairs]:
                data = found.load(pair)
                for similarity in SIMILARITIES:
                    registered = attempt(data, change, similarity)
                    scores[similarity].append(0.0 if registered is None else overlap(data, registered, found.labels))
                    if similarity == "auto" and registered is not None:
                        choices.append(registered.because)
            means = ", ".join(f"{similarity} {np.mean(values):.3f}" for similarity, values in scores.items())
            print(f"{name}, {look}, {len(scores['auto'])} pairs: DSC {means}", flush=True)
            for because in sorted(set(choices)):
                print(f"    {because}", flush=True)


def attempt(
    data: PairData, change: Callable[[np.ndarray], np.ndarray], similarity: Similarity
) -> PairRegistration | None:
    images = [
        PairImage(array[np.newaxis].astype(np.float32), data.geometry) for array in (data.fixed, change(data.moving))
    ]
    try:
        return register_pair(*images, RegistrationSettings(similarity=similarity))
    except MedarchError:
        return None


def overlap(data: PairData, found: PairRegistration, labels: tuple[int, ...]) -> float:
    """Mean Dice of the labels."""
    moving = data.moving_labels[np.newaxis].astype(np.int16)
    warped = warp_volume(moving, data.geometry, data.geometry, found.chain, interpolation="nearest").array[0]
    fixed = data.fixed_labels
    return float(
        np.mean(
            [
                2 * ((warped == label) & (fixed == label)).sum() / ((warped == label).sum() + (fixed == label).sum())
                for label in labels
            ]
        )
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
