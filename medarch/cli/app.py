"""The program ``medarch``."""

from __future__ import annotations

import typer

from medarch.cli.check import check
from medarch.cli.compare import compare
from medarch.cli.ensemble import ensemble
from medarch.cli.evaluate import evaluate
from medarch.cli.export import export
from medarch.cli.import_model import import_model
from medarch.cli.info import info
from medarch.cli.memory import memory
from medarch.cli.networks import networks
from medarch.cli.plan import plan
from medarch.cli.postprocess import postprocess
from medarch.cli.predict import predict
from medarch.cli.preprocess import preprocess
from medarch.cli.register import register
from medarch.cli.report import report
from medarch.cli.select import select
from medarch.cli.template import template
from medarch.cli.train import train
from medarch.cli.wait_briefly import wait_briefly
from medarch.cli.warp import warp

app = typer.Typer(
    help="Self-configuring deep learning for 3D medical images.\n\n"
    "medarch check DATASET · medarch plan DATASET · medarch train PLAN · medarch predict MODEL INPUT OUTPUT · "
    "medarch evaluate PREDICTIONS REFERENCES · medarch report PLAN",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (
    check,
    plan,
    preprocess,
    train,
    select,
    predict,
    ensemble,
    postprocess,
    evaluate,
    report,
    compare,
    register,
    template,
    export,
    warp,
    info,
    memory,
):
    app.command()(verb)
app.command("import")(import_model)
app.add_typer(networks, name="networks")


def main() -> None:
    """Entry point of the console script."""
    wait_briefly()
    app()
