"""What was decided, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from medarch.core.plan import ChannelNormalisation, Configuration, Plan
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.section import Section
from medarch.reporting.table import table
from medarch.reporting.write_number import NONE, write_size

GIB = 2**30


def plan_section(plan: Plan, configuration: Configuration) -> Section:
    """Return the configurations side by side, the settings of the chosen one, and every reason."""
    configurations = list(plan.configurations.values())
    headers = ["", *(c.name + (" (this run)" if c.name == configuration.name else "") for c in configurations)]
    rows = [[name, *(write(c) for c in configurations)] for name, write in CONFIGURATION_ROWS]
    body = join(
        _made_for(plan),
        table(headers, rows),
        tag("h3", f"Settings of {configuration.name}"),
        table(["Setting", "Value"], _settings(plan, configuration)),
        tag("h3", "Reasons"),
        _reasons(plan),
    )
    return Section("plan", "Plan", body)


def _made_for(plan: Plan) -> Html:
    if plan.device is None:
        return paragraph("Made for no device in particular. Sizes and spacings are along network axes.")
    memory = f"{plan.device.memory_bytes / GIB:.3g} GiB"
    return paragraph(
        f"Made for {plan.device.name} ({plan.device.kind}) with {memory}. Sizes and spacings are along network axes."
    )


def _reasons(plan: Plan) -> Html:
    if not plan.reasons:
        return paragraph("The plan carries no reasons.", class_="note")
    rows = [[reason.decision, reason.value, tag("td", reason.because, class_="wide")] for reason in plan.reasons]
    return table(["Decision", "Value", "Because"], rows)


def _estimate(field: str, write: Callable[[float], str]) -> Callable[[Configuration], str]:
    def cell(configuration: Configuration) -> str:
        value = None if configuration.estimate is None else getattr(configuration.estimate, field)
        return NONE if value is None else write(value)

    return cell


def _sizes(values: Sequence[Sequence[int]]) -> str:
    return ", ".join("×".join(map(str, value)) for value in values) or NONE


CONFIGURATION_ROWS: tuple[tuple[str, Callable[[Configuration], str]], ...] = (
    ("Patch, voxels", lambda c: write_size(c.patch_voxels)),
    ("Batch size", lambda c: str(c.batch_size)),
    ("Spacing, mm", lambda c: write_size(c.preprocessing.spacing_mm)),
    ("Median shape, voxels", lambda c: write_size(c.median_shape)),
    ("Network", lambda c: f"{c.network.architecture}, {c.network.dim}D"),
    ("Features", lambda c: ", ".join(map(str, c.network.features)) or NONE),
    ("Strides", lambda c: _sizes(c.network.strides)),
    ("Kernels", lambda c: _sizes(c.network.kernels)),
    ("Parameters", _estimate("parameters", lambda value: f"{value:,.0f}")),
    ("Training memory", _estimate("training_bytes", lambda value: f"{value / GIB:.2f} GiB")),
    ("Seconds a step", _estimate("seconds_per_step", lambda value: f"{value:.3g}")),
)


def _normalisation(channel: ChannelNormalisation) -> str:
    return channel.scheme + (" inside the nonzero mask" if channel.inside_mask else "")


def _settings(plan: Plan, configuration: Configuration) -> list[list[str]]:
    preprocessing, training = configuration.preprocessing, configuration.training
    channels = zip(plan.channels, preprocessing.normalisation, strict=False)
    rates = f"{training.optimizer}, learning rate {training.learning_rate:g}, {training.schedule} schedule"
    augmentation = training.augmentation
    settings = [
        ("Orientation", preprocessing.orientation or "as stored in the file"),
        ("Crop", preprocessing.crop),
        ("Normalisation", "; ".join(f"{name}: {_normalisation(channel)}" for name, channel in channels)),
        ("Optimiser", rates),
        ("Length", _length(configuration)),
        ("Precision", training.precision),
        ("Foreground patches", f"{training.foreground_share * 100:.0f} %"),
        ("Batch Dice", "yes" if configuration.batch_dice else "no"),
        ("Augmentation", augmentation.preset + (", in slices only" if augmentation.dummy_2d else "")),
        *_classes(plan, configuration),
        ("Seed", str(training.seed)),
        ("Inference step", f"{configuration.inference.step:g} of the patch"),
        ("Mirroring at inference", _axes(configuration.inference.mirror_axes)),
    ]
    return [list(setting) for setting in settings]


def _classes(plan: Plan, configuration: Configuration) -> list[tuple[str, str]]:
    weights = configuration.training.class_weights
    if plan.classes is None or not weights:
        return []
    return [("Class weights", ", ".join(f"{n} {w:g}" for n, w in zip(plan.classes.names, weights, strict=True)))]


def _axes(axes: Sequence[int]) -> str:
    return "network axes " + ", ".join(map(str, axes)) if axes else "none"


def _length(configuration: Configuration) -> str:
    training = configuration.training
    text = f"{training.epochs} epochs of {training.iterations_per_epoch} steps"
    if training.time_budget_s is not None:
        text = f"at most {text}, within {training.time_budget_s / 60:.4g} min"
    if training.patience_epochs is not None:
        text += f", stops after {training.patience_epochs} epochs without progress"
    return text
