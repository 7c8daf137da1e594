"""The table of an evaluation of nuclei says why images could not be measured."""

from medarch.core.nuclei_evaluation import NucleiMeasures
from medarch.evaluation.nuclei.evaluate_nuclei import Compared, evaluate_nuclei
from medarch.evaluation.nuclei.nuclei_tables import LISTED, format_nuclei_table


def table(reasons):
    rows = [NucleiMeasures(case=case, status="failed", reason=reason) for case, reason in reasons]
    return format_nuclei_table(evaluate_nuclei(map(Compared, rows), dataset="cells", predictions="out"))


def test_one_reason_of_many_images_is_told_once_with_its_count():
    told = table([(f"t{number}", f"t{number} was not predicted") for number in range(9)])
    assert "9 of 9 images could not be measured:\n- 9, t0: t0 was not predicted\n" in told
    assert told.count("was not predicted") == 1


def test_the_most_frequent_reasons_are_told_and_the_others_counted():
    reasons = [(f"a{number}", f"fault {number}") for number in range(LISTED + 2)]
    reasons += [("b1", "two\nof a kind"), ("b2", "two\nof a kind")]
    lines = table(reasons).splitlines()
    first = lines.index(f"{len(reasons)} of {len(reasons)} images could not be measured:")
    assert lines[first + 1] == "- 2, b1: two of a kind"
    assert lines[first + LISTED + 1] == "- 3 for other reasons, see evaluation.csv"


def test_nothing_is_told_where_all_images_were_measured():
    assert "could not be measured" not in format_nuclei_table(evaluate_nuclei([], dataset="cells", predictions="out"))
