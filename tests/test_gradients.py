"""Properties of `forward`, `backward` and `loss_and_grads` over many random networks."""
import inspect
import textwrap

import numpy as np
import pytest
from conftest import LOSSES, TRANSFERS, problems, targets_for
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backprop_book import network
from backprop_book.check import assert_grad
from backprop_book.network import (
    Layer,
    backward,
    forward,
    load_network,
    loss_and_grads,
    parameters,
    save_network,
    with_parameters,
)
from backprop_book.transfer import sigmoid, tanh


def near_a_kink(net, X, reach=1e-3):
    "Whether a net input lies within `reach` of its transfer function's kink: a difference quotient may straddle it"
    trace = forward(net, X)
    return any(np.abs(Z).min() < reach for layer, Z in zip(net, trace.Z)
               if layer.transfer.name.startswith(('relu', 'leaky', 'fold')))


def gap(net, X, Y, loss, backward=backward):
    "Relative error of the whole gradient, as one vector, against the difference quotient"
    trace = forward(net, X)
    grad = parameters(backward(net, trace, loss.df(trace.A[-1], Y)))
    def loss_at(vector): return loss(forward(with_parameters(net, vector), X).A[-1], Y)
    return assert_grad(loss_at, parameters(net), grad)


@settings(max_examples=200)
@given(problems())
def test_the_gradient_is_the_difference_quotient(problem):
    net, X, Y, loss = problem
    assume(not near_a_kink(net, X))
    assert gap(net, X, Y, loss) < 1e-6


@pytest.mark.parametrize('loss', LOSSES, ids=repr)
@pytest.mark.parametrize('transfer', TRANSFERS, ids=repr)
def test_every_pair_of_transfer_function_and_loss(transfer, loss):
    rng = np.random.default_rng(7)
    net = [Layer(rng.normal(size=(i, o)), rng.normal(size=o), transfer) for i, o in [(3, 4), (4, 2)]]
    X, Y = rng.normal(size=(5, 3)), targets_for(loss, (5, 2), rng)
    assert not near_a_kink(net, X) and gap(net, X, Y, loss) < 1e-6


@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(problem, random):
    net, X, Y, loss = problem
    order = random.sample(range(len(X)), len(X))
    value, grads = loss_and_grads(net, X, Y, loss)
    again, permuted = loss_and_grads(net, X[order], Y[order], loss)
    scale = max(1, np.abs(parameters(grads)).max())
    # sums of at most nine numbers in another order: a few roundings
    assert np.isclose(value, again, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(parameters(permuted), parameters(grads), rtol=0, atol=1e-13*scale)


@given(problems())
def test_a_batch_is_the_mean_of_its_rows(problem):
    net, X, Y, loss = problem
    _, grads = loss_and_grads(net, X, Y, loss)
    rows = [parameters(loss_and_grads(net, X[[i]], Y[[i]], loss)[1]) for i in range(len(X))]
    scale = max(1, np.abs(rows).max())
    rounding = 1e-13*scale  # of nine terms
    np.testing.assert_allclose(parameters(grads), np.mean(rows, axis=0), rtol=0, atol=rounding)


@given(problems())
def test_single_precision_stays_single_and_close(problem):
    net, X, Y, loss = problem
    net32 = [Layer(l.W.astype(np.float32), l.b.astype(np.float32), l.transfer) for l in net]
    net = [Layer(l.W.astype(float), l.b.astype(float), l.transfer) for l in net32]  # the same rounded weights
    X32, Y32 = X.astype(np.float32), Y.astype(np.float32)
    assume(not near_a_kink(net, X32.astype(float)))
    value, grads = loss_and_grads(net32, X32, Y32, loss)
    trace = forward(net32, X32)
    assert {a.dtype for a in [*trace.A, *trace.Z, parameters(grads), *(g.W for g in grads)]} == {np.dtype('float32')}
    wanted = parameters(loss_and_grads(net, X32.astype(float), Y32.astype(float), loss)[1])
    scale = max(1, np.abs(wanted).max())
    np.testing.assert_allclose(parameters(grads), wanted, rtol=0, atol=2e-4*scale)  # 1e-7 a rounding, five layers


@given(problems())
def test_computing_a_gradient_changes_nothing(problem):
    net, X, Y, loss = problem
    before = parameters(net).copy(), X.copy(), Y.copy()
    loss_and_grads(net, X, Y, loss)
    for was, now in zip(before, (parameters(net), X, Y)): np.testing.assert_array_equal(was, now)


@settings(max_examples=40)
@given(problems(), st.sampled_from([np.float32, np.float64]))
def test_a_saved_network_has_the_same_bits(tmp_path_factory, problem, dtype):
    net, X, _, _ = problem
    net = [Layer(l.W.astype(dtype), l.b.astype(dtype), l.transfer) for l in net]
    path = tmp_path_factory.mktemp('saved')/'net.npz'
    save_network(net, path)
    again = load_network(path)
    for a, b in zip(net, again, strict=True):
        assert a.W.tobytes() == b.W.tobytes() and a.b.tobytes() == b.b.tobytes()
        assert a.W.dtype == b.W.dtype == dtype and a.transfer.name == b.transfer.name
    assert forward(net, X).A[-1].tobytes() == forward(again, X).A[-1].tobytes()


# Mutation: every line of `backward` broken, one way at a time; each must be caught.
BROKEN = [
    ('delta = dA * layer.transfer.df(Z)', 'delta = dA', 'slope forgotten'),
    ('delta = dA * layer.transfer.df(Z)', 'delta = dA * layer.transfer.df(layer.transfer(Z))',
     'slope taken at the output'),
    ('delta = dA * layer.transfer.df(Z)', 'delta = -dA * layer.transfer.df(Z)', 'sign'),
    ('delta = dA * layer.transfer.df(Z)', 'delta = dA + layer.transfer.df(Z)', 'sum for product'),
    ('W=A_in.T @ delta', 'W=A_in.T @ delta/len(delta)', 'factor 1/N in W'),
    ('W=A_in.T @ delta', 'W=A_in.T @ dA', 'dA for delta in W'),
    ('W=A_in.T @ delta', 'W=2*A_in.T @ delta', 'factor 2 in W'),
    ('W=A_in.T @ delta', 'W=np.outer(A_in[-1], delta[-1])', 'last row only'),
    ('W=A_in.T @ delta', 'W=np.zeros_like(layer.W)', 'W untrained'),
    ('b=delta.sum(0)', 'b=delta.mean(0)', 'mean for sum in b'),
    ('b=delta.sum(0)', 'b=delta[-1]', 'last row only in b'),
    ('b=delta.sum(0)', 'b=np.full_like(layer.b, delta.sum())', 'sum over all in b'),
    ('b=delta.sum(0)', 'b=np.zeros_like(layer.b)', 'b untrained'),
    ('b=delta.sum(0)', 'b=dA.sum(0)', 'dA for delta in b'),
    ('dA = delta @ layer.W.T', 'dA = dA @ layer.W.T', 'slope not carried back'),
    ('dA = delta @ layer.W.T', 'dA = delta @ (layer.W - 0.5*grads[-1].W).T', 'updated weights carried back'),
    ('dA = delta @ layer.W.T', 'dA = delta @ np.abs(layer.W.T)', 'sign of the weights lost'),
    ('dA = delta @ layer.W.T', 'dA = np.outer(delta.sum(1), layer.W.sum(1))', '(sum of deltas)(sum of weights)'),
    ('dA = delta @ layer.W.T', 'dA = dA*0', 'nothing carried back'),
    ('dA = delta @ layer.W.T', 'dA = delta @ (layer.W if layer.W.shape[0] == layer.W.shape[1] else layer.W.T)',
     'square W not transposed'),
    ('reversed(trace.A[:-1])', 'reversed(trace.A[1:])', "the layer's output for its input"),
    ('reversed(trace.A[:-1])', 'trace.A[:-1]', 'inputs not reversed'),
    ('reversed(trace.Z)', 'trace.Z', 'net inputs not reversed'),
    ('reversed(net)', 'net', 'layers not reversed'),
    ('grads[::-1]', 'grads', 'gradients not reversed'),
]


def broken(old, new):
    "`backward` with one piece of its text replaced"
    source = textwrap.dedent(inspect.getsource(backward))
    assert source.count(old) == 1, f'{old!r} is not one place in backward'
    names = dict(vars(network))
    exec(source.replace(old, new), names)
    return names['backward']


def square_problem(transfer):
    "Widths 3-3-3-3: no shape complains, whatever is transposed or exchanged"
    rng = np.random.default_rng(3)
    net = [Layer(rng.normal(size=(3, 3)), rng.normal(size=3), transfer) for _ in range(3)]
    return net, rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), LOSSES[0]


@pytest.mark.parametrize('old, new, what', BROKEN, ids=[b[2] for b in BROKEN])
@pytest.mark.parametrize('transfer', [sigmoid, tanh], ids=repr)
def test_a_broken_line_is_caught(transfer, old, new, what):
    problem = square_problem(transfer)
    assert gap(*problem) < 1e-8  # right code passes
    with pytest.raises(AssertionError, match='relative error'): gap(*problem, backward=broken(old, new))


def test_every_line_of_backward_is_broken_somewhere():
    lines = [line for line in inspect.getsource(backward).split('\n') if not line.strip().startswith('"')
             if any(word in line for word in ('for layer', 'delta = ', 'grads.append', 'dA = delta', 'return grads'))]
    assert len(lines) == 5 and all(any(old in line for old, *_ in BROKEN) for line in lines)
