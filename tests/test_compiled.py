"""`compiled.train` against `descent.train`: the same networks, losses, errors and random draws."""
import sys

import numpy as np
import pytest
from conftest import OUT_OF_RANGE, PAIR, case

from backprop_book import descent, written_out
from backprop_book.compiled import _written_loops, train
from backprop_book.descent import TrainingDiverged, TrainingInterrupted, adam, momentum, nesterov, rmsprop
from backprop_book.loss import logistic_loss, softmax_cross_entropy, squared_error
from backprop_book.network import Layer, parameters
from backprop_book.transfer import fold, identity, leaky_relu, relu, sigmoid, softplus, tanh

needs_numba = pytest.mark.needs('numba and SciPy')


@needs_numba
@pytest.mark.parametrize('widths, transfers, loss, n, batch_size, optimizer, dtype', [
    ([2, 20, 3], [relu, identity], softmax_cross_entropy, 50, 16, adam(0.01), float),
    pytest.param([3, 5, 4, 1], [softplus, tanh, sigmoid], squared_error, 9, None, nesterov(0.05), float,
                 marks=pytest.mark.slow),
    ([2, 2, 2], [sigmoid, identity], PAIR, 3, 1, rmsprop(0.01), float),
    ([4, 9, 9, 2], [fold(0.2), leaky_relu(0.1), identity], logistic_loss, 20, 7, momentum(0.05), np.float32)],
    ids=['batches', 'all', 'single', 'float32'])
def test_the_same_run(widths, transfers, loss, n, batch_size, optimizer, dtype):
    net, X, Y, loss = case(widths, transfers, loss, n, dtype=dtype)
    rngs = [np.random.default_rng(1), np.random.default_rng(1)]
    (theirs, history), (ours, our_history) = [f(net, X, Y, loss, optimizer, 10, batch_size, rng, progress=False)
                                              for f, rng in zip((descent.train, train), rngs)]
    assert rngs[0].random() == rngs[1].random()
    assert [(l.W.dtype, l.transfer) for l in ours] == [(l.W.dtype, l.transfer) for l in theirs]
    tolerance = 1e-12 if dtype is float else 1e-5    # some eps a step, of at most 40
    scale = max(1, np.abs(parameters(theirs)).max())
    np.testing.assert_allclose(parameters(ours), parameters(theirs), rtol=0, atol=tolerance*scale)
    np.testing.assert_allclose(our_history, history, rtol=tolerance)
    assert np.abs(parameters(ours) - parameters(net)).max() > 1e-2


@needs_numba
@pytest.mark.parametrize('case_of', ['too large for a few steps only', 'for good', 'at once'])
def test_a_run_that_diverges(case_of):
    "One row drives the weight to 1e82, the others bring it back: `descent` finds a loss in between that overflows"
    x, y, lr, start = {'too large for a few steps only': ([1e43, *[1., -1.]*5], [1e40, *[0.]*10], 0.5, 0.),
                       'for good': ([3., 2.], [1., 0.], 3., 1.),
                       'at once': ([1., 2.], [1., 0.], 3., 1e200)}[case_of]
    args = [Layer([[start]], [0.], identity)], np.c_[x], np.c_[y], squared_error, lr, 500, 1
    errors = []
    for f in (descent.train, train):
        with pytest.raises(TrainingDiverged) as caught:
            f(*args, np.random.default_rng(0), shuffle=False, progress=False)
        errors.append(caught.value)
    theirs, ours = errors
    assert str(ours) == str(theirs) and (ours.epoch, ours.batch) == (theirs.epoch, theirs.batch)
    np.testing.assert_allclose(parameters(ours.net), parameters(theirs.net), rtol=1e-12)
    np.testing.assert_allclose(ours.history, theirs.history, rtol=1e-12)


@needs_numba
def test_an_own_loss_that_is_nan_behind_a_finite_slope():
    errors = []
    for f in (descent.train, train):
        with pytest.raises(TrainingDiverged) as caught: f(*OUT_OF_RANGE, 1, 1, shuffle=False, progress=False)
        errors.append(caught.value)
    theirs, ours = errors
    assert str(ours) == str(theirs) and 'batch 1' in str(ours) and ours.history == theirs.history


@needs_numba
def test_an_interruption_leaves_a_network_that_can_be_used(monkeypatch):
    net, X, Y, loss = case([2, 9, 9, 1], [tanh, tanh, identity], squared_error, 12)
    show, calls = written_out._show, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 5: raise KeyboardInterrupt
        show(*args)
    monkeypatch.setattr(written_out, '_show', interrupted)
    with pytest.raises(TrainingInterrupted) as caught:
        train(net, X, Y, loss, 0.01, 10**6, 4, shuffle=False, progress=False)
    monkeypatch.undo()
    error = caught.value
    short, history = train(net, X, Y, loss, 0.01, error.epoch, 4, shuffle=False, progress=False)
    assert len(error.history) == error.epoch + 1 > 5
    np.testing.assert_allclose(parameters(error.net), parameters(short), rtol=1e-12)
    np.testing.assert_allclose(error.history, history, rtol=1e-9)


@pytest.mark.parametrize('change, error', [(dict(loss='square'), 'loss must be a Loss'), (dict(net=[]), 'net'),
                                           (dict(epochs=-1), 'epochs'), (dict(batch_size=99), 'batch_size')], ids=str)
@needs_numba
def test_bad_input_is_refused_in_chapter_9s_words(change, error):
    net, X, Y, loss = case([2, 2, 1], [tanh, identity], squared_error, 5)
    given = dict(net=net, X=X, Y=Y, loss=loss, optimizer=0.1, epochs=2) | change
    with pytest.raises((TypeError, ValueError), match=error) as ours: train(**given)
    with pytest.raises((TypeError, ValueError)) as theirs: descent.train(**given)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize('missing', ['numba', 'scipy', 'scipy.linalg.cython_blas'])
def test_the_error_says_what_to_install(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    net, X, Y, loss = case([2, 2, 1], [tanh, identity], squared_error, 5)
    with pytest.raises(ImportError, match=r'pip install "backprop_book\[fast\]"'): train(net, X, Y, loss, 0.1, 1)


def test_arrays_are_made_only_where_the_number_of_rows_changes():
    layers, settings = ((2, 20, tanh), (20, 3, identity)), ('lr', 'beta1', 'beta2', 'eps')
    source = _written_loops(layers, softmax_cross_entropy, False, 'adam', settings, False)
    before, loop = source.split('for epoch in range(epochs):')
    made, step = loop.split('for r in range(rows):', 1)
    assert before.count('np.empty(') == 1 and 'if rows != ' in made
    assert 'np.empty' not in step and 'np.ones' not in step and 'reshape' not in step
