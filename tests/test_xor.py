"""The claims of chapter 10, recomputed one network at a time through the package's public functions."""
import ast
import functools
import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from backprop_book.check import numeric_grad
from backprop_book.descent import sgd_step, train
from backprop_book.loss import logistic_loss, squared_error
from backprop_book.network import Grad, Layer, forward, loss_and_grads, parameters, random_network, with_parameters
from backprop_book.transfer import fold, identity, leaky_relu, relu, sigmoid, tanh

X = np.array([[0., 0.], [0., 1.], [1., 0.], [1., 1.]])
XOR = np.array([[0.], [1.], [1.], [0.]])
HIDDEN = {'fold': fold(0.2), 'relu': relu, 'leaky': leaky_relu(0.2), 'tanh': tanh, 'sigmoid': sigmoid}
WAYS = {'squared': (identity, squared_error, 0.5),
        'logistic': (identity, logistic_loss, 0),
        'fold': (fold(0.2), squared_error, 0.5)}

# the page's verdict on some of its 200 starts: 2-2-1, identity output, squared error, 2000 steps
VERDICTS = [('fold', 0, True), ('fold', 29, False),
            ('relu', 0, False), ('relu', 1, True),
            ('leaky', 0, False), ('leaky', 1, True),
            ('tanh', 0, True), ('tanh', 1, False),
            ('sigmoid', 0, False), ('sigmoid', 1, True)]
# failures of ReLU networks, and what merging two, three or four corners costs
PRICES = [(0, 1/16), (2, 1/12), (7, 1/8)]


@pytest.fixture(scope='module')
def page():
    "The functions that the page defines, and its data; not its figures, proofs and long runs"
    cells = json.loads((Path(__file__).parent.parent/'nbs'/'10_xor.ipynb').read_text())['cells']
    names = {'X', 'XOR', 'SUM', '(X1, XOR1, SUM1)'}
    found = {'np': np, 'fold': fold, 'random_network': random_network}
    for cell in cells:
        source = ''.join(cell['source'])
        if cell['cell_type'] != 'code' or source.startswith('%'): continue
        for node in ast.parse(source).body:
            wanted = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in names
            if wanted or isinstance(node, ast.FunctionDef):
                exec(compile(ast.Module([node], []), 'nbs/10_xor.ipynb', 'exec'), found)
    return found


def start(seed, widths=(2, 2, 1), hidden=tanh, output=identity):
    transfers = [hidden]*(len(widths) - 2) + [output]
    return random_network(list(widths), transfers, np.random.default_rng(seed), scale=lambda n_in, n_out: 1)


def right_side(net, cut=0.5): return bool(((forward(net, X).A[-1] > cut) == (XOR == 1)).all())


@functools.cache
def trained(hidden, seed): return train(start(seed, hidden=HIDDEN[hidden]), X, XOR, squared_error, 0.2, epochs=2000)


@pytest.mark.parametrize('widths, hidden, way', list(product([(2, 2, 1), (2, 3, 3, 2, 1)], HIDDEN, WAYS)))
def test_the_tables_train_as_the_package_does(page, widths, hidden, way):
    output, loss, _ = WAYS[way]
    many = page['run'](page['starts'](list(widths), HIDDEN[hidden], output, n=3), loss, steps=100)
    for seed in (0, 2):
        net, _ = train(start(seed, widths, HIDDEN[hidden], output), X, XOR, loss, 0.2, epochs=100)
        for (W, b, transfer), layer in zip(many, net, strict=True):
            np.testing.assert_allclose(W[..., seed], layer.W, rtol=0, atol=1e-11)    # a hundred steps of roundings
            np.testing.assert_allclose(b[:, seed], layer.b, rtol=0, atol=1e-11)
            assert transfer.name == layer.transfer.name


@pytest.mark.parametrize('hidden, seed, solved', VERDICTS)
def test_a_sample_of_the_table(hidden, seed, solved):
    net, history = trained(hidden, seed)
    assert right_side(net) == solved
    assert (history[-1] < 1e-3) == solved


@pytest.mark.parametrize('seed, price', PRICES)
def test_a_failed_relu_network_is_stuck_at_the_price_of_its_merger(seed, price):
    net, history = trained('relu', seed)
    A = forward(net, X).A[-1]
    near = (np.abs(A - A.T) < 0.05) & (XOR != XOR.T)
    assert near.any(0).sum() == {1/16: 2, 1/12: 3, 1/8: 4}[price]
    assert abs(history[-1] - price) < 1e-9
    assert np.abs(parameters(loss_and_grads(net, X, XOR, squared_error)[1])).max() < 1e-6


def test_a_fold_network_that_fails_is_linear_at_the_corners():
    net, history = trained('fold', 29)
    signs = np.sign(forward(net, X).Z[0])
    assert (signs == signs[0]).all() and (signs != 0).all()
    assert 0 <= history[-1] - 1/8 < 1e-5    # still creeping down to the best line


def test_the_interval_of_the_tables(page):
    for k in range(201):
        low, high = page['wilson'](k)
        assert -1e-15 < low < k/200 + 1e-15 and k/200 - 1e-15 < high < 1 + 1e-15
        for p in (low, high): assert abs((k/200 - p)**2 - 1.96**2*p*(1 - p)/200) < 1e-15


def test_no_single_neuron_with_a_monotone_output_does_it():
    rng = np.random.default_rng(0)
    for transfer in (identity, sigmoid, tanh, relu, leaky_relu(0.2)):
        for _ in range(200):
            a = forward([Layer(rng.normal(0, 5, (2, 1)), rng.normal(0, 5, 1), transfer)], X).A[-1][:, 0]
            assert min(a[1], a[2]) <= max(a[0], a[3]) and min(a[0], a[3]) <= max(a[1], a[2])


def test_one_fold_neuron_does_it_and_beats_the_printed_predictions():
    neuron = [Layer([[3.], [-3.]], [0.], fold(0.2))]
    assert right_side(neuron)
    sides = np.array([[-0.2], [-0.2], [1], [-0.2]])    # (1, 0) on the right of the bend
    w1, w2, b = np.linalg.lstsq(sides*np.column_stack([X, np.ones(4)]), XOR[:, 0], rcond=None)[0]
    best = squared_error(forward([Layer([[w1], [w2]], [b], fold(0.2))], X).A[-1], XOR)
    assert abs(best - 1/38) < 1e-14
    printed = np.array([[0.28], [1.35], [0.68], [0.37]])
    assert abs(squared_error(printed, XOR) - 0.055025) < 1e-12 and best < squared_error(printed, XOR)/2


def as_printed(grads, y): return [Grad(np.broadcast_to(y*grads[0].b, (2, 3)), grads[0].b), *grads[1:]]


def notebook_run(net, corners, wrong):
    for k in corners:
        _, grads = loss_and_grads(net, X[[k]], XOR[[k]], squared_error)
        net = sgd_step(net, as_printed(grads, XOR[k]) if wrong else grads, 0.2)
    return net


def test_the_notebooks_gradient_keeps_the_difference_of_the_input_rows():
    corners = np.random.default_rng(0).integers(4, size=(2000, 200))[:, 2]
    first = start(2, (2, 3, 3, 2, 1), fold(0.2), fold(0.2))
    def difference(net): return net[0].W[0] - net[0].W[1]
    wrong, right = notebook_run(first, corners, True), notebook_run(first, corners, False)
    assert np.abs(difference(wrong) - difference(first)).max() < 1e-13    # roundings
    assert np.abs(difference(right) - difference(first)).max() > 0.1
    assert right_side(right) and not right_side(wrong)


def test_the_pages_slip_is_the_same_slip(page):
    corners = np.random.default_rng(0).integers(4, size=(50, 3))
    many = page['starts']([2, 3, 3, 2, 1], fold(0.2), fold(0.2), n=3)
    for k in corners:
        x, y = X[k].T[None], XOR[k].T[None]
        many = page['step'](many, x, y, squared_error, 0.2, np.broadcast_to(y, x.shape))
    net = notebook_run(start(1, (2, 3, 3, 2, 1), fold(0.2), fold(0.2)), corners[:, 1], True)
    for (W, b, _), layer in zip(many, net, strict=True):
        np.testing.assert_allclose(W[..., 1], layer.W, rtol=0, atol=1e-11)    # fifty steps of roundings
        np.testing.assert_allclose(b[:, 1], layer.b, rtol=0, atol=1e-11)


@pytest.mark.parametrize('hidden', HIDDEN)
def test_zero_first_weights_and_the_mean_answer_are_stationary(hidden):
    rng, f = np.random.default_rng(1), HIDDEN[hidden]
    for n in (1, 2, 3):
        b, V = rng.normal(size=n), rng.normal(size=(n, 1))
        for loss, mean in [(squared_error, 0.5), (logistic_loss, 0)]:
            net = [Layer(np.zeros((2, n)), b, f), Layer(V, mean - f(b) @ V, identity)]
            _, grads = loss_and_grads(net, X, XOR, loss)
            assert np.abs(parameters(grads)).max() < 1e-15    # terms of about 1/8 that cancel
        for other in ([0, 0, 0, 1], [0, 1, 1, 1]):    # AND, OR
            Y = np.array(other, dtype=float)[:, None]
            net = [Layer(np.zeros((2, n)), b, f), Layer(V, Y.mean() - f(b) @ V, identity)]
            assert np.abs(parameters(loss_and_grads(net, X, Y, squared_error)[1])).max() > 1e-3


def test_the_origin_is_a_saddle_and_so_is_its_neighbourhood():
    def loss_at(t):
        net = [Layer([[t, 2*t], [t, 2*t]], [0, 0], tanh), Layer([[-2*t], [t]], [0.5], identity)]
        return loss_and_grads(net, X, XOR, squared_error)[0]
    assert abs((loss_at(0.03) - 1/8)/0.03**4 + 1.5) < 0.02    # the next term is 15 t**6: 0.0135 here
    b, V = np.array([0.5, -0.3]), np.array([[1.], [-0.7]])
    net = [Layer(np.zeros((2, 2)), b, tanh), Layer(V, 0.5 - np.tanh(b) @ V, identity)]
    def slopes(p): return parameters(loss_and_grads(with_parameters(net, p), X, XOR, squared_error)[1])
    p = parameters(net)
    H = np.array([numeric_grad(lambda q: slopes(q)[i], p) for i in range(len(p))])
    assert abs(np.linalg.eigvalsh((H + H.T)/2)[0] + 0.0660573854) < 1e-8    # SymPy's Hessian, on the page


@pytest.mark.parametrize('hidden', HIDDEN)
def test_equal_units_stay_equal(hidden):
    net = start(4, hidden=HIDDEN[hidden])
    net = [Layer(net[0].W[:, [0, 0]], net[0].b, net[0].transfer), Layer(net[1].W[[0, 0]], net[1].b, identity)]
    net, _ = train(net, X, XOR, squared_error, 0.2, epochs=300)
    assert (net[0].W[:, 0] == net[0].W[:, 1]).all() and net[0].b[0] == net[0].b[1] and net[1].W[0] == net[1].W[1]
    if hidden != 'fold': assert not right_side(net)
