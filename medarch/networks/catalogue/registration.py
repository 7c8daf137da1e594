"""Networks that give a displacement for two images."""

from __future__ import annotations

from medarch.networks.architecture import Architecture, Oracle, Paper

_REGISTER = "medarch.networks.register"
_VOXELMORPH = f"{_REGISTER}.voxelmorph:VoxelMorph"
_VOXELMORPH_TOPOLOGY = f"{_REGISTER}.voxelmorph:voxelmorph_topology"
_BALAKRISHNAN = Paper("Balakrishnan, Zhao, Sabuncu, Guttag, Dalca", 2019, "arXiv:1809.05231")
_BOTH = "nothing: published in 3D"

REGISTRATION = (
    Architecture(
        name="voxelmorph1",
        task="registration",
        builder=_VOXELMORPH,
        topology=_VOXELMORPH_TOPOLOGY,
        settings={"last": (8, 8)},
        paper=Paper("Balakrishnan, Zhao, Sabuncu, Guttag, Dalca", 2018, "arXiv:1802.02604"),
        changed_for_3d=_BOTH,
        tiny={"last": (4, 4)},
    ),
    Architecture(
        name="voxelmorph2",
        task="registration",
        builder=_VOXELMORPH,
        topology=_VOXELMORPH_TOPOLOGY,
        settings={"last": (32, 16, 16)},
        paper=_BALAKRISHNAN,
        oracle=Oracle(301_411, "computed", "voxelmorph's layer list", 2, 3, topology={"dim": 3}),
        changed_for_3d=_BOTH,
        tiny={"last": (4, 4)},
    ),
    Architecture(
        name="voxelmorph_diff",
        task="registration",
        builder=_VOXELMORPH,
        topology=_VOXELMORPH_TOPOLOGY,
        settings={"last": (32, 16, 16), "diffeomorphic": True},
        paper=Paper("Dalca, Balakrishnan, Guttag, Sabuncu", 2019, "arXiv:1903.03545"),
        oracle=Oracle(301_411, "computed", "voxelmorph's layer list", 2, 3, topology={"dim": 3}),
        changed_for_3d=_BOTH,
        tiny={"last": (4, 4)},
    ),
    Architecture(
        name="pyramid",
        task="registration",
        builder=f"{_REGISTER}.pyramid:Pyramid",
        topology=f"{_REGISTER}.pyramid:pyramid_topology",
        paper=Paper("Mok, Chung", 2020, "arXiv:2006.16148"),
        changed_for_3d=_BOTH,
    ),
    Architecture(
        name="affine_register",
        task="registration",
        builder=f"{_REGISTER}.affine_register:AffineRegister",
        topology=f"{_REGISTER}.affine_register:affine_topology",
        paper=Paper("de Vos, Berendsen, Viergever, Sokooti, Staring, Išgum", 2019, "arXiv:1809.06130"),
        changed_for_3d=_BOTH,
        no_onnx="ONNX has no exponential of a matrix",
        tiny={"hidden": 8},
    ),
    Architecture(
        name="unet_register",
        task="registration",
        builder=f"{_REGISTER}.backbone_register:BackboneRegister",
        topology=f"{_REGISTER}.backbone_register:backbone_topology",
        paper=Paper("Dalca, Balakrishnan, Guttag, Sabuncu", 2019, "arXiv:1903.03545"),
        changed_for_3d="nothing beyond what the backbone changes",
        tiny={"width": 4},
    ),
)
