"""Images or volumes of nuclei with instance maps: a folder of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medarch.core.check import Finding, make_finding
from medarch.core.dataset import Case, Dataset
from medarch.core.errors import DatasetError
from medarch.core.labels import BACKGROUND, LabelScheme
from medarch.io.dataset_json import channel_names, dataset_name, label_scheme, load_splits
from medarch.io.inventory import Inventory
from medarch.io.nuclei.read_nuclei import INSTANCE_SUFFIXES, PICTURE_SUFFIXES
from medarch.io.suffix import FORMATS, is_volume_file, split_suffix

NUCLEUS = "nucleus"
"""The one type of datasets without types."""
CHANNELS = ("red", "green", "blue")
VOLUME_CHANNELS = ("microscopy",)
VOLUME_SUFFIXES = tuple(suffix for suffix, form in FORMATS.items() if form != "picture")


def read_nuclei_layout(folder: Path, meta: Mapping[str, Any]) -> Inventory:
    """Read a dataset of nuclei: dataset.json with ``"task": "nuclei"`` and ``"mpp"``, micrometres a pixel.

    Images lie in ``images``, instance maps of the same names in ``labels``, see
    :func:`~medarch.io.nuclei.read_nuclei.read_nuclei`; type maps lie in the same files, or in ``types``. Test images
    lie in ``imagesTs``, with maps in ``labelsTs`` if they are known. ``"labels": {"background": 0, "tumour": 1, ...}``
    names the types; ``ignore`` is the type of nuclei whose type nobody knows. The keys ``images``, ``instances`` and
    ``types`` give other folders, absolute or from that of dataset.json.

    With ``"dim": 3`` images, instance maps and type maps are volumes (NIfTI, NRRD, MetaImage), whose files say how
    large a voxel is. ``channel_names`` names the channels, which lie in one file; default one.

    Raises:
        DatasetError: ``mpp`` is missing, or given for volumes; there is no image, or two images have one name.
    """
    path = folder / "dataset.json"
    dim = meta.get("dim", 2)
    if dim not in (2, 3):
        raise DatasetError(f"{path} gives no number of axes", expected='"dim": 2 or 3', found=repr(dim))
    if dim == 3 and "mpp" in meta:
        raise DatasetError(
            f"{path} gives a pixel size for volumes",
            expected="spacings in the headers of the files, in millimetres",
            found=f'"mpp": {meta["mpp"]!r}',
            fix="leave it away; `medarch check` says what the files state",
        )
    kinds = PICTURE_SUFFIXES if dim == 2 else VOLUME_SUFFIXES
    maps = INSTANCE_SUFFIXES if dim == 2 else VOLUME_SUFFIXES
    labels = label_scheme(meta, path) if "labels" in meta else LabelScheme(labels={BACKGROUND: 0, NUCLEUS: 1})
    findings: list[Finding] = []
    places = {
        name: folder / str(meta.get(name, default))
        for name, default in (("images", "images"), ("instances", "labels"), ("types", "types"))
    }
    cases = list(_cases(places["images"], places["instances"], places["types"], findings, (kinds, maps)))
    if not cases:
        raise DatasetError(
            f"no {'images' if dim == 2 else 'volumes'} in {places['images']}",
            expected=f"files {', '.join(kinds)}",
            found=_what_lies_in(places["images"]),
            fix='put them there, or name their folder under the key `images` of dataset.json; volumes need "dim": 3, '
            "and stacks of pictures have to be saved as NIfTI with their spacing",
        )
    tests = _cases(folder / "imagesTs", folder / "labelsTs", folder / "typesTs", findings, (kinds, maps))
    dataset = Dataset(
        name=dataset_name(meta, folder),
        task="nuclei",
        root=folder,
        layout="nuclei",
        channels=CHANNELS if dim == 2 else _channels(meta, path),
        labels=labels,
        mpp=_mpp(meta, path) if dim == 2 else None,
        cases=tuple(case if case.label else _expected(case, places["instances"], dim) for case in cases),
        test_cases=tuple(tests),
        splits=load_splits(folder / "splits_final.json", {case.id for case in cases}),
        licence=str(meta.get("licence", meta.get("license", ""))),
    )
    return Inventory(dataset, findings)


def _channels(meta: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    return channel_names(meta["channel_names"], path) if "channel_names" in meta else VOLUME_CHANNELS


def _what_lies_in(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder"
    return ", ".join(sorted({split_suffix(path)[1] or path.suffix for path in folder.iterdir()})) or "none"


def _cases(
    images: Path,
    instances: Path,
    types: Path,
    findings: list[Finding],
    suffixes: tuple[tuple[str, ...], tuple[str, ...]],
) -> Iterator[Case]:
    found = _by_name(images, suffixes[0])
    maps, kinds = _by_name(instances, suffixes[1]), _by_name(types, suffixes[1])
    for name, path in found.items():
        yield Case(id=name, images=(path,), label=maps.get(name), types=kinds.get(name))
    for name in sorted(maps.keys() - found.keys()):
        findings.append(make_finding("STRAY_FILE", file=maps[name], expected=f"an image {name}", found=maps[name].name))


def _by_name(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Files by their names without suffix, sorted.

    Raises:
        DatasetError: two differ in nothing but the suffix.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        stem, suffix = split_suffix(path)
        if not suffix:
            stem, suffix = path.stem, path.suffix.lower()
        if suffix not in suffixes or path.name.startswith(".") or (suffix in FORMATS and not is_volume_file(path)):
            continue
        if stem in found:
            raise DatasetError(
                f"two files of one name in {folder}",
                expected="one file a name",
                found=f"{found[stem].name}, {path.name}",
                fix="remove or rename one",
            )
        found[stem] = path
    return found


def _expected(case: Case, instances: Path, dim: int) -> Case:
    """A training case without a map names the file that should be there, so that it can be told."""
    return case.model_copy(update={"label": instances / f"{case.id}{'.png' if dim == 2 else '.nii.gz'}"})


def _mpp(meta: Mapping[str, Any], path: Path) -> float:
    stated = meta.get("mpp")
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not 0.01 <= stated <= 10:
        raise DatasetError(
            f"{path} does not say how large a pixel is",
            expected='"mpp": 0.25, in micrometres',
            found=repr(stated),
            fix="add it; a scan at 40× has about 0.25, at 20× about 0.5, but scanners differ, so look it up",
        )
    return float(stated)
