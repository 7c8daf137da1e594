"""From a model and images to label maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.classify import classify
from medarch.api.find_model import find_model
from medarch.api.load_models import load_models
from medarch.api.progress import Progress
from medarch.api.register_with_model import register_with_model
from medarch.core.dataset import Case
from medarch.core.errors import UsageError
from medarch.core.plan import Plan

if TYPE_CHECKING:
    from medarch.core.prediction import Prediction


def predict(
    model: Path,
    source: Path,
    output: Path,
    *,
    folds: Sequence[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    mirror: bool | None = None,
    step: float | None = None,
    fast: bool = False,
    roi: Path | None = None,
    body: bool = False,
    probabilities: bool = False,
    postprocess: bool = True,
    previous_stage_predictions: Path | None = None,
    keep_previous_stage: bool = False,
    mpp: float | None = None,
    chunk: int | None = None,
    workers: int | None = None,
    tissue: bool = True,
    optimise: bool = False,
    inverse: bool = False,
    restart: bool = False,
    progress: Progress | None = None,
) -> Prediction:
    """Predict a file, a folder or a manifest; see :func:`medarch.inference.predict_cases.predict_cases`.

    With a model of nuclei: slides, see :func:`medarch.inference.nuclei.predict_slides.predict_slides`.

    Args:
        model: model folder, the plan folder it lies in, or a ``selection.json`` (one model or an ensemble).
        source: file, folder or manifest; of a registration a table of pairs, or a dataset, see
            :func:`medarch.io.find_pairs.find_pairs`.
        output: folder.
        folds: which to average; default all trained, or those of the selection.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``auto``, ``float32``, ``bf16`` or ``fp16``.
        engine: what computes the networks, one of :data:`~medarch.inference.engines.load_engine.ENGINES`; ``auto``
            goes on with the output folder's, or takes the fastest whose labels are those of float32, see
            :func:`~medarch.inference.choose_engine.choose_engine`.
        mirror: average over mirrored copies; default yes, with ``fast`` no.
        step: distance of tiles as a share of the patch; default the plan's, with ``fast`` 0.75.
        fast: one fold, no mirrored copies, wider steps, wherever those are not given.
        roi: a mask, or a folder of masks named like the cases: labels inside are those of the whole case, outside 0,
            and tiles without it are not computed.
        body: the same with the body instead of a mask, see :func:`medarch.preprocessing.body_mask.body_mask`.
        probabilities: also write class probabilities.
        postprocess: do what cross-validation found worth doing to the label maps.
        previous_stage_predictions: folder of finished label maps of a cascade's earlier stage, named like the cases;
            default: predict them with the model's own earlier stage.
        keep_previous_stage: write what the earlier stage says into ``output/previous_stage``.
        mpp: slides: micrometres a level-0 pixel, instead of what the files state.
        chunk: slides: side of a chunk of post-processing in pixels; no output depends on it.
        workers: slides: processes of post-processing; no output depends on them.
        tissue: slides: look only where there is tissue.
        optimise: of a registration, go on from the network's field for each pair alone.
        inverse: of a registration, also write the way back.
        restart: predict every case again.
        progress: called with cases done and all.
    """
    from medarch.inference.predict_cases import predict_cases
    from medarch.inference.prediction_options import PredictionOptions
    from medarch.inference.region import Region
    from medarch.io.find_inputs import find_inputs
    from medarch.io.find_label_maps import find_label_maps
    from medarch.planning.detect_device import detect_device

    if roi is not None and body:
        raise UsageError("roi and body together", expected="one of them", found="both", fix="leave one away")
    if probabilities and (roi is not None or body):
        raise UsageError(
            "probabilities of a part of a case",
            expected="label maps with --roi or --body, or probabilities of whole cases",
            found="both",
            fix="leave one away",
        )
    folder = find_model(model)
    if (folder / "nuclei.json").is_file():
        from medarch.api.predict_slides import predict_slides
        from medarch.api.predict_volumes import predict_volumes
        from medarch.core.nuclei_settings import NucleiSettings
        from medarch.inference.nuclei.slide_options import SlideOptions

        _refuse("a model of nuclei", folds=folds, mirror=mirror, step=step, fast=fast, roi=roi, body=body,
                probabilities=probabilities, previous_stage_predictions=previous_stage_predictions,
                optimise=optimise, inverse=inverse)  # fmt: skip
        if NucleiSettings.load(folder / "nuclei.json").network.dim == 3:
            _refuse("a model of volumes", mpp=mpp, chunk=chunk, workers=workers, tissue=not tissue)
            return predict_volumes(
                folder, source, output, device=device, precision=precision, restart=restart, progress=progress
            )
        slides = SlideOptions.chosen(mpp=mpp, chunk=chunk, workers=workers, tissue=tissue, restart=restart)
        return predict_slides(folder, source, output, options=slides, device=device, precision=precision,
                              progress=progress)  # fmt: skip
    _refuse("a model of volumes", mpp=mpp, chunk=chunk, workers=workers, tissue=not tissue)
    # Inputs first: a wrong path is told before torch has loaded the weights.
    plan = Plan.load(folder / "plan.json")
    if plan.task == "registration":
        from medarch.io.find_pairs import find_pairs

        pairs = find_pairs(source, channels=len(plan.channels))
        return register_with_model(
            folder,
            pairs,
            output,
            folds=folds,
            device=device,
            mirror=mirror is not False,
            optimise=optimise,
            inverse=inverse,
            restart=restart,
            progress=progress,
        )
    _refuse(f"a model of {plan.task}", optimise=optimise, inverse=inverse)
    cases = find_inputs(source, channels=len(plan.channels))
    if plan.classes is not None:
        return classify(folder, cases, output, folds=folds, device=device, mirror=mirror is not False, restart=restart,
                        progress=progress)  # fmt: skip
    previous = None if previous_stage_predictions is None else find_label_maps(previous_stage_predictions)
    region = Region(None if roi is None else _masks(roi, cases)) if body or roi is not None else None
    loaded = load_models(
        model,
        folds=folds,
        device=device,
        precision=precision,
        engine=engine,
        fast=fast,
        previous_stage=previous is None,
    )
    options = PredictionOptions.chosen(
        mirror=mirror,
        step=step,
        fast=fast,
        probabilities=probabilities,
        postprocess=postprocess,
        keep_previous_stage=keep_previous_stage,
        region=region,
        memory_bytes=detect_device("cpu").memory_bytes // 4,
        restart=restart,
    )
    if engine == "auto":
        from medarch.inference.fit_engines import fit_engines

        here = detect_device(device)
        loaded = fit_engines(loaded, cases, output, options=options, device=here, precision=precision)
    return predict_cases(loaded, cases, output, options=options, previous=previous, progress=progress)


def _refuse(model: str, **chosen: object) -> None:
    """Say no to options that would have no effect."""
    given = [name for name, value in chosen.items() if value not in (None, False)]
    if given:
        raise UsageError(
            f"{', '.join(given)} with {model}", expected="options that it knows", found=", ".join(given),
            fix="leave them away",
        )  # fmt: skip


def _masks(roi: Path, cases: Sequence[Case]) -> dict[str, Path]:
    """The masks in a folder by case, or one file for one case."""
    from medarch.io.find_label_maps import find_label_maps

    if roi.is_dir():
        return find_label_maps(roi)
    if not roi.exists() or len(cases) != 1:
        raise UsageError(
            f"{roi} is not the regions of interest of {len(cases)} case(s)",
            expected="a folder of masks named like the cases; one mask file for one case",
            found="a file" if roi.exists() else "no such file or folder",
            fix="put a mask for each case into a folder",
        )
    return {cases[0].id: roi}
