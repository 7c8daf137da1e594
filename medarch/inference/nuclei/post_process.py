"""One chunk from tiles on disk to nuclei on disk; runs in worker processes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from medarch.inference.nuclei.separate_chunk import ChunkTask, separate_chunk


@dataclass(frozen=True)
class ChunkJob:
    """A task and where its result goes."""

    task: ChunkTask
    path: Path

    @property
    def note(self) -> Path:
        """Counts, written last: a chunk with a note is done."""
        return self.path.with_suffix(".json")


def post_process(job: ChunkJob) -> tuple[int, int]:
    """Separate a chunk and write its nuclei; return how many there are and how many the lattice cut."""
    part, cut = separate_chunk(job.task)
    part.save(job.path)
    temporary = job.note.with_name(f".tmp-{job.note.name}")
    temporary.write_text(json.dumps({"nuclei": len(part), "cut": cut}), encoding="utf-8")
    temporary.replace(job.note)
    return len(part), cut


def finished(job: ChunkJob) -> tuple[int, int] | None:
    """What :func:`post_process` returned in an earlier run; None if it did not come to its end."""
    try:
        counts = json.loads(job.note.read_text(encoding="utf-8"))
        return (int(counts["nuclei"]), int(counts["cut"])) if job.path.stat().st_size else None
    except (OSError, ValueError, KeyError):
        return None
