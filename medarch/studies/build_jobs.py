"""From a method to the commands that prepare it and run it: one entry a kind of method."""

from __future__ import annotations

from dataclasses import dataclass

from medarch.core.parallel import cpu_count
from medarch.studies import finished_predictions, medarch_jobs, nnunet_jobs
from medarch.studies.job import Job
from medarch.studies.list_runs import PlannedRun
from medarch.studies.study_file import StudyFile
from medarch.studies.study_folder import StudyFolder


@dataclass(frozen=True)
class JobBuilder:
    """Writes the jobs of a study. Building one touches its own folder only."""

    study: StudyFile

    @property
    def cpus(self) -> int:
        """Cores of one run."""
        if self.study.run_on.slurm is not None:
            return self.study.run_on.slurm.cpus
        assert self.study.run_on.local is not None
        return max(1, cpu_count() // self.study.run_on.local.workers)

    def preparation(self, run: PlannedRun) -> Job | None:
        """What the runs of this method on this dataset share, or None."""
        folder = StudyFolder(self.study.output).preparation(run.dataset.name, run.method.name)
        key = f"{run.dataset.name}/{run.method.name}"
        if run.method.plan is not None:
            steps = medarch_jobs.preparation_steps(run, self.study, folder, self.cpus)
        elif run.method.nnunet is not None:
            steps = nnunet_jobs.preparation_steps(run, folder)
        else:
            return None
        return Job(key=key, steps=steps, environment=self._environment(), device=self.study.device)

    def run(self, run: PlannedRun) -> Job:
        """One run; its method must be prepared."""
        shared = StudyFolder(self.study.output).preparation(run.dataset.name, run.method.name)
        common = {
            "key": run.key,
            "environment": self._environment(),
            "device": self.study.device,
            "limit_s": self.study.timeout,
            "cases": run.cases,
        }
        if run.method.plan is not None:
            return Job(steps=medarch_jobs.run_steps(run, self.study, shared, self.cpus), **common)
        if run.method.nnunet is not None:
            return Job(steps=nnunet_jobs.run_steps(run, self.study, shared), **common)
        return Job(finished_predictions=finished_predictions.find(run), **common)

    def _environment(self) -> dict[str, str]:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(self.cpus))
        # Without them nnU-Net starts 8 to 12 workers whatever there is.
        return threads | dict.fromkeys(("nnUNet_n_proc_DA", "nnUNet_def_n_proc"), str(self.cpus))
