"""Every problem of every case at once, before any of them costs a night of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from medarch.core.check import CODES, CheckReport, Finding, make_finding
from medarch.core.errors import MedarchError
from medarch.core.parallel import run_parallel
from medarch.io.dataset_findings import dataset_findings
from medarch.io.examine_case import CaseFacts, CaseToExamine, examine_case
from medarch.io.nuclei.examine_nuclei import examine_nuclei, examine_volume
from medarch.io.require_waivable import require_waivable
from medarch.io.take_inventory import take_inventory


def check_dataset(
    source: Path,
    *,
    waive: Sequence[str] = (),
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Read all files of a dataset and list what is wrong with each, and with all of them together.

    Args:
        source: see :func:`medarch.io.read_dataset.read_dataset`.
        waive: codes to report as warnings; only those that the table of codes calls waivable.
        workers: processes; default one a core, 0 for none.
        progress: called with cases done and cases in all.

    Raises:
        DatasetError: the structure cannot be understood at all.
        UsageError: a code cannot be waived.
    """
    require_waivable(waive)
    inventory = take_inventory(source)
    dataset = inventory.dataset
    cases = dataset.cases + dataset.test_cases
    needs_none = dataset.task == "registration"
    training = {case.id for case in dataset.cases if case.classes is None and not needs_none}
    items = [CaseToExamine(case, len(dataset.channels), dataset.labels, case.id in training) for case in cases]
    facts: dict[str, CaseFacts] = {}
    examine = examine_case
    if dataset.task == "nuclei":
        examine = examine_volume if dataset.mpp is None else examine_nuclei
    for done, outcome in enumerate(run_parallel(examine, items, workers=workers), start=1):
        case_id = outcome.item.case.id
        facts[case_id] = outcome.value or CaseFacts(case_id, [_died(case_id, outcome.error)])
        if progress:
            progress(done, len(items))
    ordered = [facts[case.id] for case in cases]
    findings = [*inventory.findings, *(finding for case in ordered for finding in case.findings)]
    findings += dataset_findings(dataset, ordered)
    findings = [_waived(finding) if finding.code in waive else finding for finding in findings]
    order = list(CODES)
    findings.sort(key=lambda finding: (finding.severity, order.index(finding.code), finding.case))
    return CheckReport(dataset=dataset.name, cases=len(cases), findings=tuple(findings))


def _died(case: str, error: MedarchError | None) -> Finding:
    return make_finding("READER_DIED", case=case, expected="an outcome", found=str(error))


def _waived(finding: Finding) -> Finding:
    return finding.model_copy(update={"severity": "warning", "found": f"{finding.found} (waived)"})
