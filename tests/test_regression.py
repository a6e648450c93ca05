"""The figures and claims of chapter 11, computed again by other code."""
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from backprop_book.descent import TrainingDiverged, adam, minibatches, sgd_step, train
from backprop_book.loss import Loss, logistic_loss, logistic_loss_pm1, squared_error
from backprop_book.network import Layer, backward, forward, loss_and_grads, parameters, random_network
from backprop_book.transfer import Transfer, certify, identity, relu, sigmoid, tanh

PRINTED = {0: 6.974657149304077, 20: 0.44559598953795493}  # by the notebook, epoch: "MSE"
ROWS = np.array([[2.7810836, 2.550537003], [1.465489372, 2.362125076], [3.396561688, 4.400293529],
                 [1.38807019, 1.850220317], [3.06407232, 3.005305973], [7.627531214, 2.759262235],
                 [5.332441248, 2.088626775], [6.922596716, 1.77106367], [8.675418651, -0.242068655],
                 [7.673756466, 3.508563011]])
LABELS = np.repeat([[0.], [1.]], 5, axis=0)
ONE_HOT = np.hstack([1 - LABELS, LABELS])
RECIPROCAL = Loss('reciprocal_loss', '(y*a - 1)**2/2', 'y*(y*a - 1)',
                  lambda A, Y: (Y*A - 1)**2/2, lambda A, Y: Y*(Y*A - 1))


@pytest.fixture(scope='module')
def the_sum():
    "The network and the data of the sum of two numbers, in the order in which its notebook draws them"
    draw = np.random.RandomState(222)
    weights = [draw.normal(0, 1, shape) for shape in [(2, 32), (32, 16), (16, 1)]]
    biases = [draw.normal(0, 1, (1, n)).ravel() for n in (32, 16, 1)]
    X, order = draw.normal(0, 1, (1000, 2)), np.arange(1000)
    draw.shuffle(order)
    net = [Layer(W, b, t) for W, b, t in zip(weights, biases, [relu, relu, identity])]
    return net, X[order], X[order].sum(1, keepdims=True)


@pytest.fixture(scope='module')
def the_line():
    draw, line = np.random.RandomState(42), np.linspace(0, 1, 1000)
    X = np.column_stack([line + draw.uniform(-.05, .05, 1000) for _ in range(2)])
    return X, X.mean(1, keepdims=True)


def deep(transfer):
    tables = [[[.01, .2], [.15, .08]], [[.01, .5], [.7, .1]], [[.24, .55], [.35, .6]]]
    return [Layer(np.transpose(W), [0, 0], transfer) for W in tables]


def running_figures(net, X, Y, epochs, divisor=lambda B: B, hidden_biases=0):
    "What the notebook prints after each epoch"
    figures = []
    for _ in range(epochs):
        total = 0.
        for i in range(0, 1000, 64):
            trace = forward(net, X[i:i+64])
            error = trace.A[-1] - Y[i:i+64]
            total += float((error**2).sum())
            grads = backward(net, trace, error/divisor(len(error)))
            net = sgd_step(net, [replace(g, b=hidden_biases*g.b) for g in grads[:-1]] + grads[-1:], 1e-3)
        figures.append(total/2000)
    return figures


def test_the_printed_curve(the_sum):
    figures = running_figures(*the_sum, 21)
    for epoch, printed in PRINTED.items():
        assert figures[epoch] == pytest.approx(printed, rel=3e-14)  # BLAS may add in any order: a few 1e-15 seen


@pytest.mark.parametrize('wrong', [dict(divisor=lambda B: B/2), dict(divisor=lambda B: 64), dict(hidden_biases=1)],
                         ids=['twice the gradient', 'short batch divided by 64', 'hidden biases trained'])
def test_no_other_step_gives_the_printed_curve(the_sum, wrong):
    assert abs(running_figures(*the_sum, 21, **wrong)[20]/PRINTED[20] - 1) > .01


def test_train_is_the_printed_step_with_all_biases(the_sum):
    net, X, Y = the_sum
    with_biases = running_figures(net, X, Y, 3, hidden_biases=1)
    _, history = train(net, X, Y, squared_error, 1e-3, 3, 64, shuffle=False)
    assert all(after < running < before for before, running, after in zip(history, with_biases, history[1:]))
    by_hand = net
    for rows in minibatches(1000, 64):
        by_hand = sgd_step(by_hand, loss_and_grads(by_hand, X[rows], Y[rows], squared_error)[1], 1e-3)
    # a fixed order of sums, 16 steps
    assert squared_error(forward(by_hand, X).A[-1], Y) == pytest.approx(history[1], rel=1e-12)


def test_training_the_hidden_biases_pays(the_sum):
    net, X, Y = the_sum
    figures = running_figures(net, X, Y, 60)
    _, history = train(net, X, Y, squared_error, 1e-3, 60, 64, shuffle=False)
    assert history[60] < figures[59]/1.2


def test_the_short_batch_weighs_more(the_sum):
    net, X, Y = the_sum
    steps = [parameters(loss_and_grads(net, X[r], Y[r], squared_error)[1]) for r in minibatches(1000, 64)]
    applied = np.mean(steps, axis=0)
    trace = forward(net, X)
    error = trace.A[-1] - Y
    def summed(last): return parameters(backward(net, trace, error*np.repeat([1, last], [960, 40])[:, None]/1024))
    scale = np.abs(applied).max()
    np.testing.assert_allclose(applied, summed(1.6), rtol=0, atol=1e-12*scale)  # sums of 1000 terms
    assert np.abs(applied - summed(1.)).max() > 1e-3*scale


def test_a_wrong_slope_still_learns_and_is_refused(the_sum):
    net, X, Y = the_sum
    bad = Transfer('bad_tanh', 'tanh(z)', 'tanh(z)*(1 - tanh(z))', np.tanh, lambda z: np.tanh(z)*(1 - np.tanh(z)))
    ends = {}
    for t in (bad, tanh):
        layers = [Layer(l.W, l.b, f) for l, f in zip(net, [t, t, identity])]
        _, history = train(layers, X, Y, squared_error, 1e-3, 30, 64, shuffle=False)
        assert history[30] < history[10] < history[0]/2
        ends[t] = history[-1]
    assert ends[bad] > 2*ends[tanh]
    with pytest.raises(AssertionError, match='slope'): certify(bad)


@pytest.mark.parametrize('noise', [0., .5])
def test_a_linear_network_descends_to_the_normal_equations(the_sum, noise):
    _, X, Y = the_sum
    Y = Y + np.random.default_rng(11).normal(0, noise, Y.shape)
    A = np.hstack([X, np.ones((1000, 1))])
    exact = np.linalg.solve(A.T @ A, A.T @ Y)
    net, _ = train(random_network([2, 1], identity, np.random.default_rng(3)), X, Y, squared_error, .5, 80)
    np.testing.assert_allclose(np.vstack([net[0].W, net[0].b]), exact, rtol=0, atol=1e-13)  # sums of 1000 terms
    assert (np.abs(exact[:2] - 1).max() > 1e-3) == (noise > 0)


def test_one_step_in_columns():
    draw, again = np.random.RandomState(2023), np.random.RandomState(2023)
    biases = [draw.randn(2, 1), draw.randn(2, 1)]
    weights = [draw.randn(3, 2), draw.randn(2, 2)]
    pairs = list(zip([*again.uniform(size=(64, 3, 1))], [*again.uniform(size=(64, 2, 1))]))
    def s(z): return 1/(1 + np.exp(-z))
    sums = [0, 0, 0, 0]
    for x, y in pairs:  # one column at a time, as the notebook does, with the right input
        h = s(weights[0].T @ x + biases[0])
        a = s(weights[1].T @ h + biases[1])
        d1 = (a - y)*a*(1 - a)
        d0 = (weights[1] @ d1)*h*(1 - h)
        sums = [old + new for old, new in zip(sums, [x @ d0.T, d0, h @ d1.T, d1])]
    W0, b0, W1, b1 = [p - 3*g/64 for p, g in zip([weights[0], biases[0], weights[1], biases[1]], sums)]
    net = [Layer(W, b[:, 0], sigmoid) for W, b in zip(weights, biases)]
    X, Y = (np.array(columns)[:, :, 0] for columns in zip(*pairs))
    before, grads = loss_and_grads(net, X, Y, squared_error)
    stepped = sgd_step(net, grads, 3)
    for ours, theirs in zip(stepped, [(W0, b0), (W1, b1)]):
        np.testing.assert_allclose(ours.W, theirs[0], rtol=1e-12)  # 64 terms, rounded by 1e-16 each
        np.testing.assert_allclose(ours.b, theirs[1][:, 0], rtol=1e-12)
    assert squared_error(forward(stepped, X).A[-1], Y) < before


@pytest.mark.parametrize('lr', [.5, .1, .01])
def test_a_lost_decimal_point_overflows_the_linear_network(lr):
    broken = ROWS.copy()
    broken[2, 0] = 396561688
    with pytest.raises(TrainingDiverged) as caught:
        train(deep(identity), broken, ONE_HOT, squared_error, lr, 1, 1, shuffle=False)
    assert (caught.value.epoch, caught.value.batch) == (0, 4)
    assert np.isfinite(parameters(caught.value.net)).all()


def test_the_good_rows_do_not_overflow():
    _, history = train(deep(identity), ROWS, ONE_HOT, squared_error, .1, 20, 1, shuffle=False)
    assert history[-1] < history[0]


def test_a_saturated_first_layer_never_moves():
    net = deep(sigmoid)
    pushed, _ = train(net, [[396561688., 4.400293529]], [[1., 0.]], squared_error, .5, 100)
    assert np.array_equal(pushed[0].W, net[0].W) and np.array_equal(pushed[0].b, net[0].b)
    assert not np.array_equal(pushed[2].W, net[2].W)
    mended, _ = train(net, ROWS[2:3], [[1., 0.]], squared_error, .5, 1)
    assert not np.array_equal(mended[0].W, net[0].W)


def test_the_ten_rows_are_learnt_scaled_or_not_but_not_scaled_with_the_bad_one():
    broken = ROWS.copy()
    broken[2, 0] = 396561688
    right = []
    for X in (ROWS, *((D - D.mean(0))/D.std(0) for D in (ROWS, broken))):
        net = random_network([2, 2, 1], [tanh, identity], np.random.default_rng(0))
        net, _ = train(net, X, LABELS, logistic_loss, .5, 300)
        right.append(int(((forward(net, X).A[-1] > 0) == LABELS).sum()))
    assert right[:2] == [10, 10] and right[2] < 10


def test_the_gradient_without_the_sigmoid_is_that_of_the_reciprocal():
    y, w = sp.symbols('y w', real=True)
    f, P = sp.Function('f')(w), sp.Symbol('P')
    stated = -sp.log(1/(1 + sp.exp(-y*f)))
    form = (P - 1)*y*f.diff(w)
    assert sp.simplify(stated.diff(w) - form.subs(P, 1/(1 + sp.exp(-y*f)))) == 0
    assert sp.expand(((y*f - 1)**2/2).diff(w) - form.subs(P, y*f)) == 0
    assert sp.solve(y*(y*sp.Symbol('a') - 1), sp.Symbol('a')) == [1/y]


def test_the_same_in_numbers(the_line):
    X, y = the_line
    net = random_network([2, 3, 1], [sigmoid, identity], np.random.default_rng(5))
    trace = forward(net, X)
    by_hand = parameters(backward(net, trace, (y*trace.A[-1] - 1)*y/len(y)))
    certify(RECIPROCAL)
    ours = parameters(loss_and_grads(net, X, y, RECIPROCAL)[1])
    np.testing.assert_allclose(ours, by_hand, rtol=0, atol=1e-13*np.abs(by_hand).max())  # sums of 1000 terms


def test_the_stated_loss_falls_while_the_reciprocal_is_learnt(the_line):
    X, y = the_line
    def stated(f): return np.logaddexp(0, -y*f).sum()
    assert f'{stated(y):.2f}' == '550.95' and f'{stated(10.):.1f}' == '83.1' and stated(20.) < stated(10.)
    net = random_network([2, 3, 1], [sigmoid, identity], np.random.default_rng(0))
    looks = [stated(forward(net, X).A[-1])]
    for _ in range(10):
        net, _ = train(net, X, y, RECIPROCAL, 1., 100)
        looks.append(stated(forward(net, X).A[-1]))
    out = forward(net, X).A[-1]
    assert (np.diff(looks) < 0).all() and looks[-1] < stated(y)
    assert np.abs(out - 1/y)[y > .25].mean() < np.abs(out - y)[y > .25].mean()/5
    with pytest.raises(ValueError, match='labels -1'): logistic_loss_pm1(out, y)


def test_squared_error_fits_the_line(the_line):
    X, y = the_line
    net = random_network([2, 3, 1], [sigmoid, identity], np.random.default_rng(0))
    net, _ = train(net, X, y, squared_error, 1., 1000)
    assert np.abs(forward(net, X).A[-1] - y).max() < .05


def test_tiny_weights_sit_on_a_plateau(the_line):
    X, y = the_line
    half = squared_error(np.full_like(y, y.mean()), y)/2
    def below(**scale):
        net = random_network([2, 3, 1], [sigmoid, identity], np.random.default_rng(0), **scale)
        return int(np.argmax(np.array(train(net, X, y, squared_error, .1, 1000)[1]) < half))
    assert below(scale=lambda n_in, n_out: 1/(n_in*n_out)**2) > 2*below() > 0


def test_adam_finds_the_sum_of_the_weights_and_not_the_weights(the_line):
    X, y = the_line
    rng = np.random.default_rng(0)
    net, history = train(random_network([2, 2, 32, 1], identity, rng), X, y, squared_error,
                         adam(5e-4, eps=1e-7), 100, 32, rng=rng)
    W = (net[0].W @ net[1].W @ net[2].W)[:, 0]
    A = np.hstack([X, np.ones((1000, 1))])
    np.testing.assert_allclose(np.linalg.lstsq(A, y, rcond=None)[0][:, 0], [.5, .5, 0], atol=1e-13)  # condition 43
    assert history[-1] < 1e-4 and abs(W.sum() - 1) < .005 and abs(W[0] - W[1]) > .1
