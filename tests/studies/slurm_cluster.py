"""The Slurm cluster of pipelines/slurm_here.py as a fixture; a skip with the reason where it cannot run."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "pipelines"))

from slurm_here import missing_programs, slurm_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A node that is idle; its commands are on the PATH of this process while the fixture lives."""
    if missing := missing_programs():
        pytest.skip(f"Slurm is not installed: no {', '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("slurmd needs root")
    kept = {name: os.environ.get(name) for name in ("SLURM_CONF", "PATH")}
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as environment:
        os.environ.update({name: environment[name] for name in kept})
        yield environment
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
