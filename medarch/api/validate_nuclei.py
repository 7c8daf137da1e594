"""A fold's validation images: constants calibrated on them, nuclei found and measured, the model written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medarch.api.plan_folder import PlanFolder
from medarch.core.labels import LabelScheme
from medarch.core.plan import Configuration
from medarch.core.separation import Separation

if TYPE_CHECKING:
    import numpy as np

    from medarch.core.nuclei_evaluation import NucleiEvaluation
    from medarch.core.nuclei_settings import NucleiSettings
    from medarch.evaluation.nuclei.evaluate_nuclei import Compared
    from medarch.preprocessing.nuclei.nuclei_images import NucleiImage

SEPARATION = "separation.json"
"""In a fold's folder: the constants as calibrated."""
VALIDATION = "validation"
"""Folder, in a fold's, of measures and of the nuclei found in each image."""
SMALLEST_WINDOW = 256
"""Of a finished model: small images are trained on in windows of down to 136, of whose pixels a tenth is output."""


def validate_nuclei(
    home: PlanFolder,
    chosen: Configuration,
    folder: Path,
    images: Mapping[str, NucleiImage],
    *,
    model: Path,
    device: str,
    validate: bool = True,
) -> NucleiEvaluation | None:
    """Choose the constants of separation on validation images, write the model with them, and measure.

    The scores are of the images that the constants were chosen on, so they are a little too good; a test set's are not.

    Args:
        home: the plan.
        chosen: a configuration of it.
        folder: of the trained fold.
        images: to validate on, at the plan's resolution.
        model: folder to write.
        device: ``cpu``, ``cuda`` or ``mps``.
        validate: False: write the model with the plan's constants, and measure nothing.
    """
    from medarch.core.nuclei_settings import NucleiSettings
    from medarch.evaluation.nuclei.calibrate_separation import calibrate_separation
    from medarch.evaluation.nuclei.evaluate_nuclei import evaluate_nuclei
    from medarch.evaluation.nuclei.nuclei_tables import write_nuclei_tables
    from medarch.inference.load_network import load_network
    from medarch.inference.nuclei.image_maps import image_maps
    from medarch.inference.nuclei.model_files import load_nuclei_model, save_nuclei_model
    from medarch.tasks.create_task import create_task
    from medarch.training.train_fold import WEIGHTS

    names = type_names(home.plan.labels) if chosen.network.heads > 1 else ()
    settings = NucleiSettings(
        network=chosen.network,
        **(_of_pictures(home, chosen) if home.plan.mpp else _of_volumes(home, chosen)),
        types=names,
        separation=chosen.separation or Separation(),
        source=f"medarch train {home.plan.dataset}, {folder.name}",
    )
    dim = chosen.network.dim
    network = load_network(folder / WEIGHTS, create_task(home.plan, chosen))
    save_nuclei_model(model, network, settings)
    if not validate:
        return None
    loaded = load_nuclei_model(model, device=device)
    maps = {case: image_maps(loaded.network, image.image) for case, image in images.items()}
    calibrated, _ = calibrate_separation(
        [(found[0], found[1 : 1 + dim], images[case].instances) for case, found in maps.items()], settings.separation
    )
    settings = settings.model_copy(update={"separation": calibrated})
    save_nuclei_model(model, network, settings)
    calibrated.save(folder / SEPARATION)
    evaluation = evaluate_nuclei(
        (
            _compared(
                case,
                images[case],
                found,
                settings,
                unknown=home.plan.labels.ignore_value,
                output=folder / VALIDATION / f"{case}.npz",
            )
            for case, found in maps.items()
        ),
        dataset=home.dataset.name,
        predictions=str(folder / VALIDATION),
        names=names,
        radius_mm=settings.detection_radius_mm,
    )
    write_nuclei_tables(evaluation, folder / VALIDATION)
    return evaluation


def _of_pictures(home: PlanFolder, chosen: Configuration) -> dict[str, Any]:
    side = chosen.patch_voxels[0]
    return {"window_pixels": max(side, SMALLEST_WINDOW + side % 8), "mpp": home.plan.mpp}


def _of_volumes(home: PlanFolder, chosen: Configuration) -> dict[str, Any]:
    from medarch.networks.nuclei.nuclei_geometry import nuclei_geometry

    geometry, nuclei = nuclei_geometry(chosen.network), home.fingerprint().nuclei
    # Twice what was trained on wastes less on margins; much more than a volume would be mirror images.
    window = tuple(
        geometry.window_from(max(side, min(2 * side, -(-3 * size // 2))), axis)
        for axis, (side, size) in enumerate(zip(chosen.patch_voxels, chosen.median_shape, strict=True))
    )
    radius = None if nuclei is None or nuclei.diameter_mm is None else nuclei.diameter_mm[1] / 2
    return {"window_pixels": window, "preprocessing": chosen.preprocessing, "detection_radius_mm": radius}


def type_names(labels: LabelScheme) -> tuple[str, ...]:
    """Return the types in the order of their values."""
    return tuple(sorted(labels.foreground_names, key=labels.members))


def _compared(
    case: str, image: NucleiImage, maps: np.ndarray, settings: NucleiSettings, *, unknown: int | None, output: Path
) -> Compared:
    """Find nuclei, write them as ``inst_map`` and ``type_map``, and measure."""
    import numpy as np

    from medarch.core.files import atomic_path
    from medarch.evaluation.nuclei.evaluate_nuclei import Nuclei, compare_nuclei, types_of
    from medarch.evaluation.nuclei.pair_centroids import RADIUS_PIXELS
    from medarch.tasks.nuclei.classify_nuclei import classify_nuclei
    from medarch.tasks.nuclei.separate_nuclei import separate_nuclei

    dim = image.instances.ndim
    nuclei = separate_nuclei(maps[0], maps[1 : 1 + dim], settings.separation)
    truth, found = Nuclei(image.instances), Nuclei(nuclei)
    planes = {"inst_map": nuclei}
    if settings.types:
        kinds, _ = classify_nuclei(nuclei, maps[1 + dim :])
        planes["type_map"] = np.concatenate([[0], kinds]).astype(np.uint8)[nuclei]
        if image.types is not None:
            found = Nuclei(nuclei, dict(enumerate(kinds.tolist(), start=1)))
            truth = Nuclei(image.instances, types_of(image.instances, image.types, unknown=unknown))
    with atomic_path(output) as temporary:
        np.savez_compressed(temporary, **planes)  # type: ignore[arg-type] # no plane is called allow_pickle
    radius, steps = settings.detection_radius_mm or RADIUS_PIXELS, None
    if settings.preprocessing is not None:
        steps = np.diag([length or 1.0 for length in settings.preprocessing.spacing_mm])
    return compare_nuclei(case, truth, found, types=len(settings.types), radius=radius, steps=steps)
