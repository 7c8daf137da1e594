"""The cost of what the runs of a method share."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from medarch.core.files import write_text
from medarch.studies.job import JobRecord
from medarch.studies.open_datasets import StudyDataset
from medarch.studies.study_file import StudyFile
from medarch.studies.study_folder import StudyFolder


def write_preparations(home: StudyFolder, study: StudyFile, datasets: Sequence[StudyDataset]) -> None:
    """Write ``preparations.csv``: what all runs of a method share is paid once, so it stands in a table of its own."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["dataset", "method", "status", "wall_s", "cpu_s", "peak_memory_bytes"])
    for dataset in datasets:
        for method in study.methods:
            record = JobRecord.of(home.preparation(dataset.name, method.name))
            if record is not None:
                walls, cpus = (sum(getattr(one, name) for one in record.spent) for name in ("wall_s", "cpu_s"))
                peak = max((one.peak_bytes for one in record.spent), default=0)
                writer.writerow([dataset.name, method.name, record.status, round(walls, 2), round(cpus, 2), peak])
    write_text(home.root / "preparations.csv", text.getvalue())
