"""What levers bought and cost, in words."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.core.plan import Configuration
from medarch.networks.levers.lever import LEVERS
from medarch.networks.levers.pull import pull
from medarch.planning.search_patch import PatchSearch


def told_levers(search: PatchSearch, plain: Configuration, levers: Sequence[str]) -> str:
    """Say of each lever, pulled after those before it, the bytes it saves and the time it costs on this patch."""
    told, present = [], plain
    work = search.predict(plain).work * plain.training.accumulate
    for lever in levers:
        then = pull(present, [lever])
        now, after = search.predict(present), search.predict(then)
        extra = (after.work * then.training.accumulate - now.work * present.training.accumulate) / work
        told.append(
            f"{lever} ({LEVERS[lever].does}) saves {(now.bytes - after.bytes) / 2**30:.2f} GiB for {extra:+.0%} time"
        )
        present = then
    size = f"{search.predict(present).bytes / 2**30:.2f} of {search.memory_bytes / 2**30:.1f} GiB predicted"
    return "; ".join([*told, size])
