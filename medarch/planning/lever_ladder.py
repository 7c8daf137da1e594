"""In which order levers are pulled: cheapest byte first."""

from __future__ import annotations

from dataclasses import dataclass

from medarch.core.plan import Configuration
from medarch.networks.levers.is_same_step import is_same_step
from medarch.networks.levers.pull import pull
from medarch.planning.search_patch import PatchSearch

WORTH = 0.01
"""A lever that saves a smaller share of the step is not pulled."""
CHECKPOINTS = ("selective", "blocks", "stages")


@dataclass(frozen=True)
class Rung:
    """One lever, pulled after those before it."""

    lever: str
    saved_bytes: int
    extra_time: float
    """Share of the plain step's time that it costs, predicted."""


def lever_ladder(search: PatchSearch, plain: Configuration) -> list[Rung]:
    """Return the levers in the order of predicted time per byte saved, each measured after those before it.

    Precision is no rung: what suits the device has been chosen before. Accumulation is one where it leaves the step
    the same.
    """
    names = list(CHECKPOINTS)
    if plain.batch_size > 1 and is_same_step(plain):
        names.append("accumulate")
    if search.device == "cuda":
        names.append("offload")
    start = search.predict(plain)
    ladder: list[Rung] = []
    present, now, work = plain, start, start.work
    while True:
        found = []
        for name in names:
            candidate = pull(present, [name])
            after = search.predict(candidate)
            # The other half of the batch is the same work again.
            then = after.work * candidate.training.accumulate
            saved = now.bytes - after.bytes
            if saved > WORTH * start.bytes:
                found.append((max(0.0, then - work) / saved, name, saved, then, candidate, after))
        if not found:
            return ladder
        _, name, saved, then, candidate, after = min(found, key=lambda entry: entry[:2])
        ladder.append(Rung(name, saved, (then - work) / start.work))
        present, now, work = candidate, after, then
        gone = CHECKPOINTS[: CHECKPOINTS.index(name) + 1] if name in CHECKPOINTS else (name,)
        names = [other for other in names if other not in gone]


def needed(search: PatchSearch, plain: Configuration, ladder: list[Rung]) -> list[Rung]:
    """The fewest rungs with which the configuration fits; all of them if it never does."""
    for count in range(len(ladder)):
        if search.fits(pull(plain, [rung.lever for rung in ladder[:count]])):
            return ladder[:count]
    return ladder
