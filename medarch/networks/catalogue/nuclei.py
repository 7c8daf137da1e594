"""Networks that tell one nucleus from the next."""

from __future__ import annotations

from medarch.networks.architecture import Architecture, Oracle, Paper

_AUTHORS = "hover_net, its authors' code"
_TINY = {"width": 0.125, "depths": (1, 1, 1, 1), "padded": True}

NUCLEI = tuple(
    Architecture(
        name=name,
        task="nuclei",
        builder="medarch.networks.nuclei.hovernet:hovernet",
        settings={"mode": mode},
        paper=Paper("Graham, Vu, Raza, Azam, Tsang, Kwak, Rajpoot", 2019, "arXiv:1812.06499"),
        oracle=Oracle(parameters, "run", f"{_AUTHORS}, 5 types", heads=5),
        checked_against=_AUTHORS,
        changed_for_3d="three distance maps; decoders keep the size of the window",
        tiny=_TINY,
    )
    for name, mode, parameters in (("hovernet", "fast", 37_639_561), ("hovernet_original", "original", 54_744_457))
)
