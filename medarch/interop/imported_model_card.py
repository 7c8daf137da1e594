"""The page of a model that was not trained here."""

from __future__ import annotations

from importlib.metadata import version

from medarch.core.plan import ChannelNormalisation
from medarch.interop.nnunet_model import NnunetModel


def imported_model_card(model: NnunetModel) -> str:
    """Return ``MODEL_CARD.md``: where the model comes from and how nnU-Net's settings were translated."""
    configuration, recipe, network = (
        model.configuration,
        model.configuration.preprocessing,
        model.configuration.network,
    )
    spacing = "×".join("as it is" if size is None else f"{size:.4g}" for size in recipe.spacing_mm)
    steps = model.postprocessing.steps if model.postprocessing is not None else ()
    kept = "; ".join(f"largest component of {', '.join(map(str, step.values))}" for step in steps)
    checkpoint = next(iter(model.checkpoints.values())).name
    lines = [
        f"# {model.dataset.name}: {model.plan.name}, {configuration.name} (imported from nnU-Net v2)",
        "",
        "A research model. Not a medical device; not for diagnosis. Imported, not trained, by medarch "
        f"{version('medarch')}: who made it answers for its training data, licence and figures.",
        "",
        f"- Source: `{model.folder.name}`, {checkpoint} of fold {', '.join(model.checkpoints)}",
        f"- Trainer: {model.trainer}",
        f"- Task: segmentation of {', '.join(model.plan.labels.foreground_names)}",
        f"- Licence of the training data: {model.dataset.licence or 'not stated'}",
        "",
        "## How it was translated",
        "",
        "| nnU-Net | medarch |",
        "|---|---|",
        f"| reader {model.reader} | orientation {recipe.orientation or 'as stored'}, file axes {recipe.axes} |",
        f"| spacing | {spacing} mm along network axes |",
        f"| normalisation | {'; '.join(map(_normalisation, recipe.normalisation))} |",
        f"| resampling | image order {recipe.image_order}, labels {recipe.label_order}, scores {recipe.score_order}; "
        f"coarse axis apart above a ratio of {recipe.separate_plane_ratio:g}, order {recipe.coarse_order} |",
        f"| network | {network.architecture}, features {'-'.join(map(str, network.features))}, "
        f"patch {'×'.join(map(str, configuration.patch_voxels))} |",
        f"| mirroring | along axes {configuration.inference.mirror_axes or 'none'} |",
        f"| postprocessing | {kept or 'none'} |",
        f"| previous stage | {configuration.previous_stage or 'none'} |",
        "",
        "On a CPU it predicts in float32, as nnU-Net does.",
        "",
    ]
    return "\n".join(lines)


def _normalisation(channel: ChannelNormalisation) -> str:
    return channel.scheme + (" inside the nonzero mask" if channel.inside_mask else "")
