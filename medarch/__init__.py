"""medarch: self-configuring deep learning for 3D medical images.

The verbs of the command line as functions: ``check``, ``plan``, ``preprocess``, ``train``, ``predict``, ``evaluate``,
``report``, ``export``, ``import_model``, ``compare``, ``select``, ``ensemble``, ``postprocess``, ``register``,
``template``, ``warp``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medarch.api import (
        check,
        compare,
        ensemble,
        evaluate,
        export,
        import_model,
        plan,
        postprocess,
        predict,
        preprocess,
        register,
        report,
        select,
        template,
        train,
        warp,
    )
    from medarch.core.errors import MedarchError

__version__ = "0.1.0"
__all__ = [
    "MedarchError",
    "__version__",
    "check",
    "compare",
    "ensemble",
    "evaluate",
    "export",
    "import_model",
    "plan",
    "postprocess",
    "predict",
    "preprocess",
    "register",
    "report",
    "select",
    "template",
    "train",
    "warp",
]


def __getattr__(name: str) -> Any:
    # Late, so that `medarch --help` imports neither numpy nor torch.
    if name == "MedarchError":
        from medarch.core.errors import MedarchError

        return MedarchError
    if name in __all__:
        from medarch import api

        return getattr(api, name)
    raise AttributeError(f"module 'medarch' has no attribute {name!r}")
