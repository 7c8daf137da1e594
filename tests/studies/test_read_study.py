import pytest

from medarch.core.errors import UsageError
from medarch.studies.read_study import read_study

GOOD = {"budget": {"wall_clock": "3m"}, "methods": [{"name": "auto", "plan": "auto"}]}


def test_a_study_says_what_it_says(study):
    read = study.read(**GOOD, folds=[1], seeds=[4, 5], run_on={"slurm": {"cpus": 2, "time": "2h"}})
    assert (read.budget.seconds, read.budget.text) == (180.0, "3 min wall-clock")
    assert (read.folds, read.seeds) == ((1,), (4, 5))
    assert (read.run_on.slurm.cpus, read.run_on.slurm.time, read.run_on.local) == (2, 7200.0, None)
    assert read.output == study.folder / "out"


def test_paths_start_at_the_file_and_links_are_not_followed(study):
    (study.folder / "python").symlink_to("/bin/sh")
    study.add(name="nn", nnunet={"python": "python"})
    read = study.read(budget={"epochs": 2})
    assert read.methods[-1].nnunet.python == study.folder / "python"


@pytest.mark.parametrize(
    ("changes", "place", "says"),
    [
        ({"budget": None}, "the whole", "budget is missing, and auto must be trained"),
        ({"budget": {"epochs": 3, "wall_clock": "1m"}}, "budget", "exactly one of epochs, wall_clock and gpu_hours"),
        ({"budget": {"epochs": 0}}, "budget.epochs", "greater than or equal to 1"),
        ({"budget": {"wall_clock": "soon"}}, "budget.wall_clock", "'soon' is not a time"),
        ({"budget": {"gpu_hours": 2}}, "the whole", "gpu_hours needs device: cuda"),
        ({"folds": "some"}, "folds", "how many folds (2), or their numbers ([0, 1])"),
        ({"folds": []}, "folds", "how many folds"),
        ({"folds": [0, 0]}, "the whole", "folds names 0 twice"),
        ({"seeds": []}, "seeds", "at least 1 item"),
        ({"device": "tpu"}, "device", "'cpu'"),
        ({"nmae": "x"}, "nmae", "Extra inputs"),
        ({"name": "../up"}, "name", "pattern"),
        ({"datasets": ["/no/such"]}, "datasets[0].path", "there is no /no/such"),
        ({"datasets": []}, "datasets", "at least 1 item"),
        ({"methods": [{"name": "a"}]}, "methods[0]", "exactly one of plan, nnunet and predictions"),
        ({"methods": [{"name": "a", "plan": "auto", "predictions": "x"}]}, "methods[0]", "exactly one"),
        ({"methods": [{"name": "a", "predictions": "x", "with": ["/etc"]}]}, "methods[0]", "with belongs to a plan"),
        ({"methods": [{"name": "a", "predictions": "x", "memory_gb": 1}]}, "methods[0]", "memory_gb belongs to a plan"),
        ({"methods": [GOOD["methods"][0] | {"memory_gb": 0}]}, "methods[0].memory_gb", "greater than 0"),
        ({"methods": [GOOD["methods"][0], {"name": "n", "nnunet": {"python": "/none"}}]}, "methods[1].nnunet.python",
         "there is no /none"),
        ({"methods": [{"name": "n", "nnunet": {"python": "/bin/sh", "configuration": "3d_cascade_fullres"}}]},
         "methods[0].nnunet.configuration", "'3d_fullres'"),
        ({"methods": [GOOD["methods"][0]] * 2}, "the whole", "methods names auto twice"),
        ({"run_on": "pbs"}, "run_on.pbs", "Extra inputs"),
        ({"run_on": {"slurm": {"cpus": 0}}}, "run_on.slurm.cpus", "greater than or equal to 1"),
        ({"run_on": {"local": {}, "slurm": {}}}, "run_on", "give local or slurm"),
        ({"evaluation": {"empty_policy": "kind"}}, "evaluation.empty_policy", "'medarch' or 'nnunet'"),
    ],
)  # fmt: skip
def test_every_mistake_is_one_error_with_the_place_of_the_field(study, changes, place, says):
    with pytest.raises(UsageError) as caught:
        study.read(**(GOOD | changes))
    assert caught.value.summary.startswith(f"study.yaml, {place}: ")
    assert says in caught.value.summary


@pytest.mark.parametrize("text", ["- a\n- b", "a: [", "\x00"])
def test_what_is_no_yaml_mapping_is_refused(tmp_path, text):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        read_study(path)
