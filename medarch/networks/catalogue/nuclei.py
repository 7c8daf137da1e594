"""Networks that tell one nucleus from the next."""

from __future__ import annotations

from medarch.networks.architecture import Architecture, Oracle, Paper

_AUTHORS = "hover_net, its authors' code"
_TINY = {"width": 0.125, "depths": (1, 1, 1, 1), "padded": True}

_PAPER = Paper("Graham, Vu, Raza, Azam, Tsang, Kwak, Rajpoot", 2019, "arXiv:1812.06499")

_OURS = tuple(
    Architecture(
        name=name,
        task="nuclei",
        builder="medarch.networks.nuclei.hovernet:hovernet",
        settings={"mode": mode},
        paper=_PAPER,
        oracle=Oracle(parameters, "run", f"{_AUTHORS}, 5 types", heads=5),
        checked_against=_AUTHORS,
        changed_for_3d="three distance maps; decoders keep the size of the window",
        tiny=_TINY,
    )
    for name, mode, parameters in (("hovernet", "fast", 37_639_561), ("hovernet_original", "original", 54_744_457))
)

_MONAI = Architecture(
    name="monai_hovernet",
    task="nuclei",
    builder="medarch.networks.nuclei.monai_hovernet:monai_hovernet",
    paper=_PAPER,
    dims=(2,),
    origin="MONAI",
    changed_for_3d="",
    caution="stages 2, 3, 4 look 1.5, 4.5, 10.5 pixels to the upper left of where the decoder puts them, "
    "which the paper's network does not; windows of 256 pixels (mode original: 270) only",
    oracle=Oracle(37_639_561, "run", "MONAI 1.6, fast, 5 types", heads=5),
)

NUCLEI = (*_OURS, _MONAI)
