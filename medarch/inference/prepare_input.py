"""What a network sees of a case: from its files, or from the store of prepared cases."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from medarch.core.dataset import Case
from medarch.inference.load_case_model import CaseModel
from medarch.inference.load_model import Model
from medarch.inference.previous_stage import PreviousStage
from medarch.inference.region import Region
from medarch.inference.resample_on import resample_on
from medarch.io.read_case import read_case
from medarch.io.suffix import is_volume_file
from medarch.preprocessing.append_one_hot import append_one_hot
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.prepare_case import PreparedArrays, prepare_case
from medarch.preprocessing.prepare_label import prepare_label
from medarch.preprocessing.recipe_sha256 import recipe_sha256
from medarch.tasks.task import Task


@dataclass(frozen=True)
class NetworkInput:
    """A case, ready for a network."""

    arrays: PreparedArrays
    region: np.ndarray | None = None
    """``(I, J, K)`` bool: where labels are wanted; None for everywhere."""


def prepare_input(
    model: Model | CaseModel[Task],
    case: Case,
    *,
    store: CaseStore | None = None,
    previous: PreviousStage | None = None,
    region: Region | None = None,
) -> NetworkInput:
    """Prepare a case; for a cascade the earlier stage's labels follow the image channels, one channel a label.

    Args:
        model: whose network will see it.
        case: its image files.
        store: prepared cases, just checked against their files; a case in it is not read and prepared again. With a
            cascade only finished label maps of the earlier stage go with it.
        previous: the earlier stage of a cascade.
        region: which part is wanted; cases are then read from their files.
    """
    wanted = None
    prepared = None if store is None or region is not None else _stored(model, case, store, previous)
    if prepared is None:
        images = Case(id=case.id, images=case.images)
        volumes = read_case(images, channels=len(model.plan.channels), waived=model.waived)
        wanted = None if region is None else region.of(case.id, volumes)
        # As in nnU-Net the label map goes the way of a training label: it is seen by masked normalisation, too.
        labels = None if previous is None else previous.predict(case, volumes)
        recipe = model.configuration.preprocessing
        prepared = prepare_case(
            volumes.images,
            volumes.geometry,
            case=case.id,
            recipe=recipe,
            label=labels,
            resampler=resample_on(model.device),
        )
    if prepared.label is None:
        return NetworkInput(prepared, wanted)
    image = append_one_hot(prepared.image, prepared.label, model.plan.labels.foreground_values)
    return NetworkInput(replace(prepared, image=image, label=None), wanted)


def _stored(
    model: Model | CaseModel[Task], case: Case, store: CaseStore, previous: PreviousStage | None
) -> PreparedArrays | None:
    """Return a case as it lies in the store, or None if the network would see something else there.

    Statistics from inside the mask have seen the label in a training case (labelled voxels count as inside), which a
    new case cannot offer; such cases are prepared again wherever their images exist.
    """
    recipe = model.configuration.preprocessing
    masked = any(channel.inside_mask for channel in recipe.normalisation)
    if not store.path(case.id).exists() or (masked and is_volume_file(case.images[0])):
        return None
    if previous is not None and previous.finished is None:
        return None
    record = store.record(case.id)
    if record.recipe_sha256 != recipe_sha256(recipe, model.plan.labels):
        return None
    image = np.array(store.read_image(case.id))
    labels = None if previous is None else prepare_label(previous.read(case.id, record.geometry), record, recipe=recipe)
    return PreparedArrays(image=image, label=labels, record=record)
