"""The verbs as functions: the wiring between the rooms, one screen a verb. The command line calls nothing else."""

from __future__ import annotations

from medarch.api.check import check
from medarch.api.compare import StudyOutcome, compare
from medarch.api.ensemble import ensemble
from medarch.api.environment import environment
from medarch.api.estimate_prediction import estimate_prediction
from medarch.api.estimate_registration import estimate_registration
from medarch.api.evaluate import evaluate
from medarch.api.export import export
from medarch.api.find_model import find_model
from medarch.api.import_hovernet import import_hovernet
from medarch.api.import_model import import_model
from medarch.api.import_preprocessed import import_preprocessed
from medarch.api.list_networks import list_networks
from medarch.api.memory import MemoryReport, memory
from medarch.api.plan import plan
from medarch.api.plan_alternatives import plan_alternatives
from medarch.api.plan_folder import PlanFolder
from medarch.api.postprocess import postprocess
from medarch.api.predict import predict
from medarch.api.preprocess import preprocess
from medarch.api.register import register
from medarch.api.report import report
from medarch.api.select import select
from medarch.api.show_network import NetworkFacts, show_network
from medarch.api.template import template
from medarch.api.train import TrainingResult, train
from medarch.api.warp import warp

__all__ = [
    "MemoryReport",
    "NetworkFacts",
    "PlanFolder",
    "StudyOutcome",
    "TrainingResult",
    "check",
    "compare",
    "ensemble",
    "environment",
    "estimate_prediction",
    "estimate_registration",
    "evaluate",
    "export",
    "find_model",
    "import_hovernet",
    "import_model",
    "import_preprocessed",
    "list_networks",
    "memory",
    "plan",
    "plan_alternatives",
    "postprocess",
    "predict",
    "preprocess",
    "register",
    "report",
    "select",
    "show_network",
    "template",
    "train",
    "warp",
]
