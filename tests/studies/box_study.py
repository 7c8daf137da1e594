"""A study of small boxes: its file, and what became of its runs."""

import numpy as np
import yaml

from medarch.studies.read_study import read_study
from medarch.studies.run_study import run_study


def write_map(path, array):
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array.astype(np.uint8), np.diag([1.0, 1.0, 2.0, 1.0])), path)


def boxes(shift=0):
    array = np.zeros((16, 14, 12))
    array[3 + shift : 8 + shift, 3:9, 3:9] = 1
    array[9 + shift : 13 + shift, 3:9, 3:9] = 2
    return array


class Study:
    def __init__(self, dataset, finished, folder):
        self.folder = folder
        self.content = {
            "name": "boxes",
            "output": "out",
            "datasets": [{"path": str(dataset), "patient": "(patient[0-9]+)_"}],
            "device": "cpu",
            "methods": [{"name": name, "predictions": f"{finished}/{name}/fold_{{fold}}"} for name in ("good", "bad")],
        }
        self.told = []

    @property
    def file(self):
        path = self.folder / "study.yaml"
        path.write_text(yaml.safe_dump(self.content))
        return path

    def read(self, **changes):
        self.content |= changes
        return read_study(self.file)

    def run(self, **options):
        self.told = []
        return run_study(self.read(), tell=lambda *what: self.told.append(what), **options)

    def add(self, **method):
        self.content["methods"] = [*self.content["methods"], method]

    def script(self, text):
        """An interpreter of nnU-Net's environment that is none."""
        path = self.folder / "python"
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return str(path)


def statuses(state):
    return {f"{run.method}/{run.fold}": run.status for run in state.result.runs}
