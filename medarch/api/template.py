"""Average a group of images in its mean shape."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.progress import Progress
from medarch.core.template_report import TemplateReport

if TYPE_CHECKING:
    from medarch.inference.registration.settings import Linear, Similarity

TEMPLATE = "template.nii.gz"
REPORT = "template.json"


def template(
    source: Path,
    output: Path,
    *,
    rounds: int = 4,
    linear: Linear = "affine",
    similarity: Similarity = "lncc",
    smoothness: float = 0.3,
    device: str = "auto",
    progress: Progress | None = None,
) -> TemplateReport:
    """Build an unbiased template; see :func:`medarch.inference.registration.build_template.build_template`.

    The output folder gets ``template.nii.gz`` (intensities from 0 to 1, on the first image's grid),
    ``transforms/MEMBER.h5`` (``medarch warp MEMBER OUT -r template.nii.gz -t transforms/MEMBER.h5``) and
    ``template.json``.

    Args:
        source: a folder of images, or a manifest.
        output: folder.
        rounds: of registering and averaging; 1 is an affine template.
        linear: ``affine``, ``similarity`` or ``rigid``: the first step of each registration.
        similarity: ``lncc``, ``mind``, ``nmi`` or ``mse``.
        smoothness: weight of the deformations' gradient.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        progress: called with registrations done and in all.

    Raises:
        DatasetError: there are no images.
        VolumeError: one cannot be read, is empty or holds NaN.
        GeometryError: they differ in dimension or channels.
        UsageError: fewer than two images, or a setting that does not fit.
    """
    from medarch.inference.registration.build_template import build_template
    from medarch.inference.registration.pair_image import PairImage
    from medarch.inference.registration.settings import RegistrationSettings
    from medarch.io.find_inputs import find_inputs
    from medarch.io.read_volume import read_volume
    from medarch.io.transforms.write_transform import write_transform
    from medarch.io.write_volume import write_volume
    from medarch.planning.detect_device import detect_device

    began = time.monotonic()
    settings = RegistrationSettings(linear=linear, similarity=similarity, smoothness=smoothness)
    cases = find_inputs(source, channels=1)
    volumes = [read_volume(case.images[0]) for case in cases]
    found = build_template(
        [PairImage(volume.array, volume.geometry) for volume in volumes],
        rounds=rounds,
        settings=settings,
        device=detect_device(device).kind,
        progress=progress,
    )
    files = {case.id: f"transforms/{case.id}.h5" for case in cases}
    for case, chain in zip(cases, found.chains, strict=True):
        write_transform(output / files[case.id], chain)
    write_volume(output / TEMPLATE, found.array, volumes[0].geometry)
    report = TemplateReport(
        template=TEMPLATE,
        transforms=files,
        rounds=rounds,
        settings=asdict(settings),
        drift_mm=found.drift_mm,
        seconds=round(time.monotonic() - began, 3),
    )
    report.save(output / REPORT)
    return report
