"""What a classification makes of logits, weights and counts."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from small_plan import small_plan

from medarch.core.classes import ClassScheme
from medarch.core.errors import PlanError
from medarch.tasks.create_task import create_task

NAMES = ("normal", "benign", "malignant")


def task(*, weights=(), multi_label=False):
    plan = small_plan(task="classification", classes=ClassScheme(names=NAMES, multi_label=multi_label))
    configuration = plan.configuration()
    training = configuration.training.model_copy(update={"class_weights": weights})
    return create_task(plan, configuration.model_copy(update={"training": training}))


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_online_score_is_the_area_under_the_roc_curve(multi_label):
    made = task(multi_label=multi_label)
    rng = np.random.default_rng(0)
    truth = rng.random((200, 3)) < 0.3 if multi_label else np.eye(3, dtype=bool)[rng.choice(3, 200, p=(0.7, 0.2, 0.1))]
    logits = rng.normal(size=(200, 3)) + truth
    label = torch.from_numpy(truth.astype(np.int16))
    scores = made.score(made.tally(torch.from_numpy(logits), made.target(label)))
    probabilities = made.probabilities(logits.T).T
    expected = [roc_auc_score(truth[:, index], probabilities[:, index]) for index in range(3)]
    assert [scores[name] for name in NAMES] == pytest.approx(expected, abs=2e-3)  # bins make ties
    assert scores["mean"] == pytest.approx(np.mean(expected), abs=2e-3)


def test_a_class_that_does_not_occur_has_no_score_and_does_not_count():
    made = task()
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    scores = made.score(made.tally(logits, torch.tensor([0, 1])))
    assert np.isnan(scores["malignant"])
    assert scores["mean"] == 1.0


def test_probabilities_state_frequencies_although_the_loss_is_weighted():
    """The best constant answer under the weighted loss, corrected, is how often each class occurs."""
    made = task(weights=(0.5, 2.0, 5.0))
    target = torch.tensor([0] * 70 + [1] * 20 + [2] * 10)
    logits = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=100)

    def closure():
        optimizer.zero_grad()
        loss = made.loss(logits.expand(100, 3), target)
        loss.backward()
        return loss

    optimizer.step(closure)
    shares = made.probabilities(logits.detach().numpy())
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=1e-3)


def test_findings_are_corrected_one_by_one():
    made = task(weights=(4.0, 1.0, 0.25), multi_label=True)
    target = torch.zeros(100, 3)
    target[:20, 0] = target[:50, 1] = target[:80, 2] = 1
    # Balanced by their weights, all three are even.
    loss = made.loss(torch.zeros(100, 3, requires_grad=True), target)
    logits = torch.zeros(3, requires_grad=True)
    gradient = torch.autograd.grad(made.loss(logits.expand(100, 3), target), logits)[0]
    assert torch.isfinite(loss)
    assert gradient.abs().max() < 1e-6
    assert made.probabilities(np.zeros(3)) == pytest.approx([0.2, 0.5, 0.8])


def test_the_decision_counts_a_class_by_its_weight():
    plain, weighted = task(), task(weights=(1.0, 1.0, 8.0))
    shares = np.array([0.7, 0.1, 0.2])
    assert plain.decide(shares).tolist() == [1, 0, 0]
    assert weighted.decide(shares).tolist() == [0, 0, 1]
    logits = np.array([1.0, 0.0, 0.9])
    # With or without weights the likeliest output of the network wins: what the loss was told to make even.
    assert plain.decode(logits).tolist() == weighted.decode(logits).tolist() == [1, 0, 0]


def test_any_number_of_findings_may_be_decided():
    made = task(weights=(3.0, 1.0, 1.0), multi_label=True)
    assert made.decide(np.array([0.3, 0.4, 0.6])).tolist() == [1, 0, 1]
    assert made.decide(np.array([0.2, 0.4, 0.4])).tolist() == [0, 0, 0]


def test_auxiliary_heads_weigh_less():
    made = task()
    main, auxiliary = torch.randn(4, 3), torch.randn(4, 3)
    target = torch.tensor([0, 1, 2, 0])
    both = made.loss([main, auxiliary, auxiliary], target)
    assert both == pytest.approx((made.loss(main, target) + 0.6 * made.loss(auxiliary, target)).item())


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(PlanError, match="weights"):
        task(weights=(1.0, 2.0))
    with pytest.raises(PlanError, match="names no classes"):
        create_task(small_plan(task="classification"), small_plan().configuration())
