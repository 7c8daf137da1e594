"""nnU-Net's stored JSON files as medarch records; only tests need this."""

import json
from pathlib import Path

from medarch.core.fingerprint import CaseFingerprint, Fingerprint, IntensityStatistics
from medarch.core.labels import LabelScheme


def read_nnunet_dataset(folder: Path) -> tuple[tuple[str, ...], LabelScheme, int]:
    """Channels, labels and numTraining of a dataset.json."""
    content = json.loads((folder / "dataset.json").read_text())
    return tuple(content["channel_names"].values()), LabelScheme(labels=content["labels"]), content["numTraining"]


def read_nnunet_fingerprint(folder: Path) -> Fingerprint:
    """A dataset_fingerprint.json (reader order z, y, x) as a fingerprint (file order i, j, k)."""
    content = json.loads((folder / "dataset_fingerprint.json").read_text())
    channels, _, num_training = read_nnunet_dataset(folder)
    statistics = content["foreground_intensity_properties_per_channel"]
    grids = zip(content["shapes_after_crop"], content["spacings"], strict=True)
    return Fingerprint(
        dataset=folder.name,
        dataset_sha256="",
        cases=tuple(
            CaseFingerprint(
                id=f"case_{number:04d}",
                shape=tuple(reversed(shape)),
                shape_after_crop=tuple(reversed(shape)),
                spacing_mm=tuple(reversed(spacing)),
                axcodes="RAS",
                label_voxels={},
                content_sha256="",
            )
            for number, (shape, spacing) in enumerate(grids)
        ),
        intensities=tuple(IntensityStatistics(**statistics[str(index)]) for index in range(len(channels))),
        median_relative_size_after_crop=content["median_relative_size_after_cropping"],
        num_training=num_training,
    )
