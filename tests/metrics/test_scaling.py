"""Scales and shifts that were put into logits are found again."""

import numpy as np
import pytest

from personvlm.metrics.scaling import fit_scaling, losses

PEOPLE = 8000


def softmax(logits):
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    return exponents / exponents.sum(1, keepdims=True)


def one_of_four(seed, shift=0.0):
    """Logits, and one value drawn from them after ``shift`` was added."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (PEOPLE, 4))
    drawn = (softmax(logits + shift).cumsum(1) > rng.random((PEOPLE, 1))).argmax(1)
    return rng, logits, drawn


def fitted(logits, targets, known=None, weights=None, kind="exclusive", **options):
    known = np.ones(np.shape(targets)) if known is None else known
    weights = np.ones(len(targets)) if weights is None else weights
    return fit_scaling(logits, targets, known, weights, kind, **options)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_a_temperature_is_recovered_from_what_is_known(temperature):
    _, logits, drawn = one_of_four(2)
    targets = np.eye(4)[drawn]
    assert fitted(logits * temperature, targets).scale == pytest.approx(1 / temperature, rel=0.06)
    targets[4000:] = np.roll(targets[4000:], 1, axis=1)  # wrong labels, which nobody knows
    known = np.repeat(np.arange(PEOPLE) < 4000, 4).reshape(-1, 4)
    scaling = fitted(logits * temperature, targets, known)
    assert scaling.scale == pytest.approx(1 / temperature, rel=0.07)
    assert not scaling.shift.any()


def test_partial_labels_teach_too():
    rng, logits, drawn = one_of_four(3)
    pair = np.where((drawn < 2)[:, None], [1, 1, 0, 0], [0, 0, 1, 1])
    targets = np.where((rng.random(PEOPLE) < 0.5)[:, None], pair, np.eye(4)[drawn])
    targets[:500] = 1  # everything is admissible: says nothing
    assert fitted(logits * 2.0, targets).scale == pytest.approx(0.5, rel=0.07)
    assert fitted(logits[:500], targets[:500]).scale == 1.0


def test_shifts_are_recovered_where_they_are_allowed():
    shift = np.array([1.5, -1.0, 0.0, 0.0])
    _, logits, drawn = one_of_four(4, shift)
    targets = np.eye(4)[drawn]
    found = fitted(logits * 2.0, targets, shifted=[True, True, False, False], ridge=0.1)
    assert found.scale == pytest.approx(0.5, rel=0.07)
    np.testing.assert_allclose(found.shift, shift, atol=0.12)
    assert found.shift[2:].tolist() == [0.0, 0.0]
    pulled = fitted(logits * 2.0, targets, shifted=[True, True, False, False], ridge=1e5)
    assert np.abs(pulled.shift).max() < 0.1


def test_sets_have_a_sigmoid_each_and_the_minimum_is_one():
    rng = np.random.default_rng(4)
    logits, shift = rng.normal(0, 2, (4000, 3)), np.array([0.0, 1.0, -2.0])
    targets = rng.random(logits.shape) < 1 / (1 + np.exp(-(logits + shift)))
    known, weights = rng.random(logits.shape) < 0.7, rng.random(4000)
    labels = np.where(known, targets, ~targets)
    found = fitted(logits * 2.5, labels, known, weights, "set", shifted=[True] * 3, ridge=0.0)
    assert found.scale == pytest.approx(1 / 2.5, rel=0.1)
    np.testing.assert_allclose(found.shift, shift, atol=0.25)

    def loss(scale, shift):
        return losses(logits * 2.5 * scale + shift, labels, known, weights, "set").sum()

    best = loss(found.scale, found.shift)
    for change in (0.99, 1.01):
        assert best < loss(found.scale * change, found.shift)
    for column in range(3):
        for change in (-0.01, 0.01):
            assert best < loss(found.scale, found.shift + change * np.eye(3)[column])


def test_losses_by_hand():
    both = losses([[0.0, np.log(3.0)], [0.0, 0.0]], [[0, 1], [1, 0]], np.ones((2, 2)), [1.0, 2.0], "exclusive")
    np.testing.assert_allclose(both, [-np.log(0.75), -2 * np.log(0.5)])
    one = losses([[0.0, 5.0]], [[1, 0]], [[1, 0]], [3.0], "set")
    np.testing.assert_allclose(one, [-3 * np.log(0.5)])


def test_without_knowledge_nothing_is_changed():
    scaling = fitted([[1.0, 2.0]], [[1, 1]], shifted=[True, True])
    assert scaling([[1.0, 2.0]]).tolist() == [[1.0, 2.0]]
    assert fitted([[1.0, 2.0]], [[1, 0]], [[0, 0]], kind="set").scale == 1.0


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"\(1, 2\), \(1, 3\)"):
        fitted([[1.0, 2.0]], [[1, 0, 0]])
