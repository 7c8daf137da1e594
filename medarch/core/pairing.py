"""Which pairs a side of a split holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medarch.core.dataset import Dataset, Pair
from medarch.core.errors import DatasetError


class Pairing(Sequence[Pair]):
    """The pairs of some cases of a registration dataset, numbered; never listed, as all pairs of 1000 cases would be.

    The dataset's own pairs, where both cases are among these; with an atlas, the atlas and each other case; else any
    two different cases, in both orders.

    Args:
        dataset: for its pairs or atlas.
        cases: one side of a split.

    Raises:
        DatasetError: there is no pair.
    """

    def __init__(self, dataset: Dataset, cases: Sequence[str]) -> None:
        self.cases = tuple(cases)
        self.listed: tuple[Pair, ...] | None = None
        known = {*cases, *((dataset.atlas,) if dataset.atlas is not None else ())}
        if dataset.pairs is not None:
            self.listed = tuple(pair for pair in dataset.pairs if {pair.fixed, pair.moving} <= known)
        elif dataset.atlas is not None:
            others = (case for case in cases if case != dataset.atlas)
            self.listed = tuple(Pair(fixed=dataset.atlas, moving=case) for case in others)
        if not len(self):
            raise DatasetError(
                f"no pair to register among {len(self.cases)} case(s) of {dataset.name}",
                expected="two cases on each side of a split, or a listed pair",
                found=", ".join(self.cases[:5]),
                fix="add cases, or correct pairs.csv or the splits",
            )

    def __len__(self) -> int:
        return len(self.cases) * (len(self.cases) - 1) if self.listed is None else len(self.listed)

    def __getitem__(self, number: int) -> Pair:  # type: ignore[override]
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        number %= len(self)
        if self.listed is not None:
            return self.listed[number]
        first, second = divmod(number, len(self.cases) - 1)
        return Pair(fixed=self.cases[first], moving=self.cases[second + (second >= first)])

    def __iter__(self) -> Iterator[Pair]:
        return (self[number] for number in range(len(self)))

    def spread(self, count: int) -> list[Pair]:
        """Return up to ``count`` different pairs, evenly spread, always the same."""
        count = min(count, len(self))
        # An odd step that shares no factor with the length visits every pair once, and mixes the cases.
        step = _coprime(len(self))
        return [self[number * step % len(self)] for number in range(count)]


def _coprime(length: int) -> int:
    from math import gcd

    step = max(1, round(length * 0.618))
    while gcd(step, length) > 1:
        step += 1
    return step
