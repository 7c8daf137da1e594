"""Run by the peer's Python: nnU-Net's preprocessing of each job of a JSON file, and its way back for scores."""

import json
import sys
from pathlib import Path

import numpy as np
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager


def main(jobs_file: str) -> None:
    for job in json.loads(Path(jobs_file).read_text()):
        manager = PlansManager(job["plans"])
        configuration = manager.get_configuration("3d")
        data, seg, properties = DefaultPreprocessor(verbose=False).run_case(
            job["images"], job["label"], manager, configuration, job["dataset"]
        )
        rng = np.random.default_rng(0)
        scores = rng.normal(size=(2, *data.shape[1:])).astype(np.float32)
        spacing = [properties["spacing"][axis] for axis in manager.transpose_forward]
        current = configuration.spacing if len(configuration.spacing) == 3 else [spacing[0], *configuration.spacing]
        restored = configuration.resampling_fn_probabilities(
            scores, properties["shape_after_cropping_and_before_resampling"], current, spacing
        )
        np.savez(job["output"], image=data, label=seg[0], scores=scores, restored=restored)


if __name__ == "__main__":
    main(sys.argv[1])
