"""Images of nuclei with instance maps: a folder of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medarch.core.check import Finding, make_finding
from medarch.core.dataset import Case, Dataset
from medarch.core.errors import DatasetError
from medarch.core.labels import BACKGROUND, LabelScheme
from medarch.io.dataset_json import dataset_name, label_scheme, load_splits
from medarch.io.inventory import Inventory
from medarch.io.nuclei.read_nuclei import INSTANCE_SUFFIXES, PICTURE_SUFFIXES

NUCLEUS = "nucleus"
"""The one type of datasets without types."""
CHANNELS = ("red", "green", "blue")


def read_nuclei_layout(folder: Path, meta: Mapping[str, Any]) -> Inventory:
    """Read a dataset of nuclei: dataset.json with ``"task": "nuclei"`` and ``"mpp"``, micrometres a pixel.

    Images lie in ``images``, instance maps of the same names in ``labels``, see
    :func:`~medarch.io.nuclei.read_nuclei.read_nuclei`; type maps lie in the same files, or in ``types``. Test images
    lie in ``imagesTs``, with maps in ``labelsTs`` if they are known. ``"labels": {"background": 0, "tumour": 1, ...}``
    names the types; ``ignore`` is the type of nuclei whose type nobody knows. The keys ``images``, ``instances`` and
    ``types`` give other folders, absolute or from that of dataset.json.

    Raises:
        DatasetError: ``mpp`` is missing, there is no image, or two images have one name.
    """
    path = folder / "dataset.json"
    labels = label_scheme(meta, path) if "labels" in meta else LabelScheme(labels={BACKGROUND: 0, NUCLEUS: 1})
    findings: list[Finding] = []
    places = {
        name: folder / str(meta.get(name, default))
        for name, default in (("images", "images"), ("instances", "labels"), ("types", "types"))
    }
    cases = list(_cases(places["images"], places["instances"], places["types"], findings))
    if not cases:
        raise DatasetError(
            f"no images in {places['images']}",
            expected=f"files {', '.join(PICTURE_SUFFIXES)}",
            found="none" if places["images"].is_dir() else "no such folder",
            fix="put them there, or name their folder under the key `images` of dataset.json",
        )
    tests = _cases(folder / "imagesTs", folder / "labelsTs", folder / "typesTs", findings)
    dataset = Dataset(
        name=dataset_name(meta, folder),
        task="nuclei",
        root=folder,
        layout="nuclei",
        channels=CHANNELS,
        labels=labels,
        mpp=_mpp(meta, path),
        cases=tuple(case if case.label else _expected(case, places["instances"]) for case in cases),
        test_cases=tuple(tests),
        splits=load_splits(folder / "splits_final.json", {case.id for case in cases}),
        licence=str(meta.get("licence", meta.get("license", ""))),
    )
    return Inventory(dataset, findings)


def _cases(images: Path, instances: Path, types: Path, findings: list[Finding]) -> Iterator[Case]:
    found = _by_name(images, PICTURE_SUFFIXES)
    maps, kinds = _by_name(instances, INSTANCE_SUFFIXES), _by_name(types, INSTANCE_SUFFIXES)
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
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        if path.stem in found:
            raise DatasetError(
                f"two files of one name in {folder}",
                expected="one file a name",
                found=f"{found[path.stem].name}, {path.name}",
                fix="remove or rename one",
            )
        found[path.stem] = path
    return found


def _expected(case: Case, instances: Path) -> Case:
    """A training case without a map names the file that should be there, so that it can be told."""
    return case.model_copy(update={"label": instances / f"{case.id}.png"})


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
