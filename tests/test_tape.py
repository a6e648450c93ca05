"""`tape.train` is `descent.train`: its networks, losses, draws and errors, from lists of NumPy calls."""
import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from conftest import LOSSES, OUT_OF_RANGE, TEST_ALL, TRANSFERS, clipped, problems, targets_for
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_book import descent, tape
from backprop_book.descent import (
    Optimizer,
    TrainingDiverged,
    TrainingInterrupted,
    adam,
    momentum,
    nesterov,
    rmsprop,
    sgd,
)
from backprop_book.loss import Loss, softmax_cross_entropy, squared_error
from backprop_book.network import Layer, loss_and_grads, parameters, random_network
from backprop_book.tape import layer_views, play, record, spell
from backprop_book.transfer import GRID, Transfer, identity, relu, sigmoid, tanh

OPTIMIZERS = [sgd(0.05), momentum(0.02), nesterov(0.02), rmsprop(0.01), adam(0.01)]
pytestmark = pytest.mark.filterwarnings('ignore:.*takes logits:UserWarning')  # any transfer meets any loss here
NET = random_network([3, 4, 2], [tanh, identity], np.random.default_rng(2))
X, Y = np.random.default_rng(3).normal(size=(10, 3)), np.random.default_rng(4).normal(size=(10, 2))


def near(ours, theirs, tolerance):
    "Relative to 1, or to the largest number where that is more"
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max(initial=0) <= tolerance*np.abs(theirs).max(initial=1)


def outcomes(*args, seed=1, legacy=False, **kwargs):
    "What both do: (network, history) or the error; and the generators, as they are afterwards"
    done = []
    for train in (descent.train, tape.train):
        rng = np.random.RandomState(seed) if legacy else np.random.default_rng(seed)
        try: result = train(*args, rng=rng, progress=False, **kwargs)
        except (TrainingDiverged, TrainingInterrupted) as e: result = e
        done.append((result, rng))
    (theirs, rng), (ours, own_rng) = done
    assert rng.uniform() == own_rng.uniform()  # as many draws
    return theirs, ours


def same(*args, tolerance, **kwargs):
    theirs, ours = outcomes(*args, **kwargs)
    assert type(theirs) is type(ours)
    if isinstance(theirs, Exception):
        assert (str(theirs), theirs.epoch, theirs.batch) == (str(ours), ours.epoch, ours.batch)
        theirs, ours = (theirs.net, theirs.history), (ours.net, ours.history)
    near(parameters(ours[0]), parameters(theirs[0]), tolerance)
    near(ours[1], theirs[1], tolerance)
    assert all(type(value) is float for value in ours[1])
    kinds = [[(l.W.dtype, l.b.dtype, l.transfer) for l in net] for net in (ours[0], theirs[0])]
    assert kinds[0] == kinds[1]


@given(problems(max_layers=4), st.sampled_from(OPTIMIZERS), st.integers(0, 9), st.booleans(), st.booleans(),
       st.integers(0, 4))
@settings(max_examples=300 if TEST_ALL else 120)
def test_double_precision(problem, optimizer, batch, shuffle, legacy, epochs):
    net, X, Y, loss = problem
    # some 36 steps of some hundred roundings of 1e-16 each; RMSProp and Adam divide by slopes, which may be small
    size = min(batch, len(X)) or None
    same(net, X, Y, loss, optimizer, epochs, size, shuffle=shuffle, legacy=legacy, tolerance=1e-12)


@given(problems(max_layers=4), st.sampled_from(OPTIMIZERS[:3]), st.integers(0, 9))
@settings(max_examples=100)
def test_single_precision(problem, optimizer, batch):
    net, X, Y, loss = problem
    net = [replace(layer, W=layer.W.astype(np.float32)) for layer in net]
    size = min(batch, len(X)) or None
    same(net, X, Y, loss, optimizer, 3, size, tolerance=1e-5)  # roundings of 6e-8, a hundred times


@pytest.mark.parametrize('batch_size', [None, 100, 2100])
def test_more_rows_than_a_block(batch_size):
    "The loss of all rows is summed over blocks of `BLOCK` rows, unless every step takes all of them"
    rng = np.random.default_rng(5)
    X, Y = rng.normal(size=(2100, 3)), rng.normal(size=(2100, 2))
    same(NET, X, Y, squared_error, 0.1, 2, batch_size, tolerance=1e-12)
    same(NET, X[:, ::-1], np.asfortranarray(Y), squared_error, 0.1, 2, batch_size, tolerance=1e-12)


@given(problems(max_layers=3), st.sampled_from(OPTIMIZERS), st.integers(1, 4), st.integers(0, 9), st.integers(0, 1))
@settings(max_examples=150)
def test_batches_beyond_a_block(problem, optimizer, block, more, wild):
    "Block after block, their gradients added up: nothing but rounding may come of it, in runs that diverge neither"
    net, X, Y, loss = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tape, 'BLOCK', block)
        batch = min(block + 1 + more, len(X))
        if not wild: return same(net, X, Y, loss, optimizer, 3, batch, tolerance=1e-12)
        theirs, ours = outcomes(net, 1e100*X, Y, loss, 1e50, 3, batch)
        assert type(theirs) is type(ours)
        if isinstance(theirs, tuple): return  # a wild run that survives is chaotic: nothing to compare
        assert (str(theirs), theirs.epoch, theirs.batch) == (str(ours), ours.epoch, ours.batch)
        assert np.isfinite(parameters(ours.net)).all() and len(ours.history) == len(theirs.history)


@pytest.mark.parametrize('loss', LOSSES, ids=str)
@pytest.mark.parametrize('n_in, n_out', [(30, 2), (2, 30), (30, 30), (15, 16), (16, 17)])
def test_data_with_many_columns(n_in, n_out, loss):
    "Inputs, ones and targets lie in one array: each must arrive in its place, shuffled, and with a short last batch"
    rng = np.random.default_rng(7)
    net, X = random_network([n_in, 4, n_out], [tanh, identity], rng), rng.normal(size=(23, n_in))
    same(net, X, targets_for(loss, (23, n_out), rng), loss, 0.01, 3, 5, tolerance=1e-12)


@pytest.mark.parametrize('loss', LOSSES[:2], ids=str)
def test_no_list_holds_more_rows_than_a_block(loss, monkeypatch):
    "Ten rows in batches of seven, blocks of four: 4 and 3 of 7 for a step, 3 for the short one; 4 and 2 for the loss"
    written = []
    def noted(net, loss, rows, p, g, of, like):
        written.append((rows, of, like is None))
        return record(net, loss, rows, p, g, of, like)
    monkeypatch.setattr(tape, 'BLOCK', 4)
    monkeypatch.setattr(tape, 'record', noted)
    same(NET, X, targets_for(loss, Y.shape, np.random.default_rng(6)), loss, 0.1, 3, 7, tolerance=1e-13)
    sizes = {(4, None), (2, None), (4, 7), (3, 7), (3, None)}
    assert {(rows, of) for rows, of, _ in written} == sizes
    assert len(written) == len(set(written))  # once, and once for the other side
    assert {(rows, of) for rows, of, makes_arrays in written if makes_arrays} == sizes


@pytest.mark.parametrize('transfer', TRANSFERS[1:], ids=str)
@pytest.mark.parametrize('dtype', [np.float64, np.float32])
def test_a_rule_gives_what_its_function_gives(transfer, dtype):
    "Far from 0 too, and at 0, where the slope is a convention"
    Z = np.concatenate([GRID, np.linspace(-40, 40, 801), [0., -0.]]).astype(dtype)[:, None]
    net = [Layer(np.ones((1, 1), dtype), np.zeros(1), transfer)]
    tapes = record(net, squared_error, len(Z))
    texts = [call.text for call in tapes.forward + tapes.backward]
    assert not [text for text in texts if str(transfer) in text and 'tanh(Z0)' not in text]
    tapes.X[:, :-1] = Z
    with np.errstate(all='ignore'):
        play(tapes.forward)
        play(tapes.backward)
        rtol = 16*np.finfo(dtype).eps  # a few roundings; what a sigmoid cuts off is below 1e-37
        np.testing.assert_allclose(tapes.A, transfer.f(Z), rtol, 1e-37 if dtype is np.float32 else 1e-306)
        np.testing.assert_allclose(tapes.arrays['S0'].T, transfer.df(Z), rtol, 1e-37 if dtype is np.float32 else 1e-306)


@pytest.mark.parametrize('loss', LOSSES, ids=str)
@pytest.mark.parametrize('t', [*TRANSFERS, replace(tanh, name='own')], ids=str)
def test_no_line_fills_an_array_that_it_reads(t, loss):
    net = random_network([3, 4, 2], t, np.random.default_rng(0))
    calls = record(net, loss, 5)
    for call in calls.forward + calls.backward:
        if not call.args: continue  # a function of Python's own
        *given, out = *call.args, *call.keywords.values()
        assert not [a for a in given if np.shares_memory(a, out)], call


@pytest.mark.parametrize('L', [2, 3, 6])
def test_the_length_of_a_list(L):
    net = random_network([3]*(L + 1), [relu]*(L - 1) + [identity], np.random.default_rng(0))
    several, one = record(net, squared_error, 4), record(net, squared_error, 1)
    assert (len(several.forward), len(several.backward)) == (2*L, 4*L - 2)
    assert (len(one.forward), len(one.backward)) == (2*L, 4*L - 3)  # nothing to divide
    forward, backward = [[f'    {call}' for call in half] for half in (several.forward, several.backward)]
    assert repr(several).splitlines() == ['forward', *forward, 'backward', *backward]
    dots = [c.text.split()[0] for c in several.backward if 'dot(' in c.text]
    assert dots == [f'd{m}{i}' for i in range(L - 1, -1, -1) for m in 'MH'][:-1]


def test_a_run_plays_the_lists_that_record_writes(monkeypatch):
    "Ten rows in batches of four: lists for 4 and 2 rows, and one of 10 for the loss; each played so many times"
    played, written = [], []
    def noted(net, loss, rows, *vectors):
        written.append((rows, record(net, loss, rows, *vectors)))
        return written[-1][1]
    monkeypatch.setattr(tape, 'play', lambda calls: (played.append(calls), play(calls)))
    monkeypatch.setattr(tape, 'record', noted)
    tape.train(NET, X, Y, squared_error, 0.1, 3, 4, np.random.default_rng(0), progress=False)
    def times(n):
        tapes = [t for rows, t in written if rows == n]
        return sum(played.count(t.forward) for t in tapes), sum(played.count(t.backward) for t in tapes)
    assert [times(10), times(4), times(2)] == [(4, 0), (6, 6), (3, 3)]
    played.clear(), written.clear()
    tape.train(NET, X, Y, squared_error, 0.1, 3, progress=False)  # of all rows, loss and step share a forward half
    (_, one), (_, other) = written
    assert times(10) == (2 + 1 + 3, 3)  # each side is filled once
    assert one.arrays['Z0'] is other.arrays['Z0'] and not np.shares_memory(one.p, other.p)


@given(problems(max_layers=3), st.sampled_from([sgd, momentum, rmsprop]), st.floats(-1, 12), st.integers(0, 4),
       st.booleans(), st.floats(0, 30))
@settings(max_examples=250 if TEST_ALL else 100)
def test_a_run_that_diverges(problem, make, lr, batch, double, scale):
    "Wild rates and data. Where rounding decides whether a number just overflows, the two may differ: none here does"
    net, X, Y, loss = problem
    if not double: net, scale = [replace(layer, W=layer.W.astype(np.float32)) for layer in net], scale/2
    theirs, ours = outcomes(net, 10**scale*X, Y, loss, make(10**lr), 4, min(batch, len(X)) or None)
    assert type(theirs) is type(ours)
    if isinstance(theirs, tuple): return  # a wild run is chaotic: nothing to compare
    assert (str(theirs), theirs.epoch, theirs.batch) == (str(ours), ours.epoch, ours.batch)
    assert len(theirs.history) == len(ours.history)
    assert np.isfinite(parameters(ours.net)).all() and np.isfinite(ours.history).all()


@pytest.mark.parametrize('lr, scale, words', [
    (3., 1., 'loss of the batch'), (1e200, 1., 'weight or bias'), (0.1, 1e155, 'loss of all rows'),
    (1e80, 1., 'of the batch'), (0.1, 1e80, '')])
@pytest.mark.parametrize('batch_size', [None, 4, 1])
@pytest.mark.parametrize('transfer', [identity, sigmoid, relu], ids=str)
def test_the_error_of_a_diverging_run_is_the_same_to_the_last_digit(lr, scale, words, batch_size, transfer):
    net = random_network([3, 2, 2], [identity, transfer], np.random.default_rng(2))
    theirs, ours = outcomes(net, scale*X, Y, squared_error, lr, 400, batch_size, shuffle=False)
    if isinstance(theirs, tuple): return  # a saturated network survives 4000 wild steps, too chaotic to compare
    assert (type(ours), str(ours), ours.epoch, ours.batch) == (type(theirs), str(theirs), theirs.epoch, theirs.batch)
    assert len(ours.history) == len(theirs.history)
    # each step multiplies an error by the same factor as the numbers, so it stays relative; a thousand steps
    np.testing.assert_allclose(parameters(ours.net), parameters(theirs.net), rtol=1e-10)
    np.testing.assert_allclose(ours.history, theirs.history, rtol=1e-10)


def test_which_errors_the_runs_above_end_in():
    "So that the tests above are known to see every kind"
    def message(lr, scale=1., **kwargs):
        net = random_network([3, 2, 2], kwargs.pop('transfer', identity), np.random.default_rng(2))
        return str(outcomes(net, scale*X, Y, squared_error, lr, 400, **kwargs)[1])
    assert 'loss of the batch' in message(3., batch_size=1) and 'weight or bias' in message(1e200, transfer=sigmoid)
    assert 'loss of all rows' in message(0.1, 1e155)


@pytest.mark.parametrize('batch_size', [None, 4])
@pytest.mark.parametrize('dtype, scale', [(float, 1e160), (np.float32, 1e25)])
def test_a_gradient_that_overflows_where_the_loss_does_not(batch_size, dtype, scale):
    "Inputs as large as the weights are small"
    net = [Layer((np.ones((3, 2))/scale).astype(dtype), np.zeros(2), identity)]
    for optimizer in (0.1, rmsprop(0.1)):  # RMSProp divides overflow by overflow: its new weights are finite
        theirs, ours = outcomes(net, scale*X, Y, squared_error, optimizer, 3, batch_size)
        check_gradient_error(net, theirs, ours)


def check_gradient_error(net, theirs, ours):
    assert 'epoch 0, batch 0 (from 0): the gradient of the batch' in str(ours) == str(theirs)
    assert (parameters(ours.net) == parameters(net)).all() and len(ours.history) == 1


@pytest.mark.parametrize('batch_size', [None, 4, 1])
def test_a_loss_that_becomes_nan_without_growing(batch_size):
    "The root of a net input that a step makes negative"
    root = Transfer('root', 'sqrt(z)', '1/(2*sqrt(z))', np.sqrt, lambda z: 0.5/np.sqrt(z))
    net = [Layer(np.full((3, 2), 0.1), np.full(2, 2.), root)]
    theirs, ours = outcomes(net, np.abs(X), Y - 3, squared_error, 0.1, 30, batch_size)
    assert (str(ours), ours.epoch, ours.batch) == (str(theirs), theirs.epoch, theirs.batch) and 'batch' in str(ours)
    near(parameters(ours.net), parameters(theirs.net), 1e-12)
    near(ours.history, theirs.history, 1e-12)
    assert np.abs(parameters(ours.net) - parameters(net)).max() > 0.1  # after some steps


@pytest.mark.parametrize('batch_size', [1, 2, None])
def test_an_own_loss_that_is_nan_behind_a_finite_slope(batch_size):
    theirs, _ = outcomes(*OUT_OF_RANGE, 1, batch_size, shuffle=False)
    assert isinstance(theirs, TrainingDiverged) == (batch_size == 1)
    same(*OUT_OF_RANGE, 1, batch_size, shuffle=False, tolerance=1e-13)


def test_a_loss_that_overflows_behind_slopes_that_are_zero():
    "A huge target of a ReLU that the first step has put to sleep; and slopes that are clipped"
    net, X, Y = [Layer([[1.]], [0.], relu)], np.array([[1.], [1e160]]), np.array([[-1e6], [1e160]])
    assert 'loss of the batch' in str(outcomes(net, X, Y, squared_error, 0.1, 2, 1, shuffle=False)[0])
    same(net, X, Y, squared_error, 0.1, 2, 1, shuffle=False, tolerance=1e-13)
    tame = replace(squared_error, slope_f=lambda A, Y: np.clip(A - Y, -1, 1))
    far = [Layer([[1e153]], [0.], identity)], np.array([[1.], [100.]]), np.zeros((2, 1)), tame, 0.1, 1, 1
    assert isinstance(outcomes(*far, shuffle=False)[0], TrainingDiverged)
    same(*far, shuffle=False, tolerance=1e-13)


@pytest.mark.parametrize('batch_size', [None, 4])
@pytest.mark.parametrize('bad', [np.inf, np.nan])
def test_a_step_that_overflows_gives_back_the_network_before_it(batch_size, bad):
    "An optimizer that goes wrong in its sixth step"
    own = Optimizer('late', lambda p: 0, lambda p, g, t: (p - 0.1*g if t < 5 else p*bad, t + 1))
    theirs, ours = outcomes(NET, X, Y, squared_error, own, 30, batch_size)
    assert 'a weight or bias after the step' in str(ours) == str(theirs)
    assert (ours.epoch, ours.batch) == divmod(5, 3 if batch_size else 1)
    near(parameters(ours.net), parameters(theirs.net), 1e-13)


def stop_at(k):
    "A tanh that presses Ctrl-C in its k-th call"
    calls = []
    def f(z):
        calls.append(1)
        if len(calls) == k: raise KeyboardInterrupt
        return np.tanh(z)
    return Transfer('mine', 'tanh(z)', '1 - tanh(z)**2', f, lambda z: 1 - np.tanh(z)**2)


@pytest.mark.parametrize('k', range(2, 13))
def test_ctrl_c_in_a_forward_half(k):
    "The function is called once for the data, once for each loss of all rows, and once for each of three batches"
    caught = []
    for train in (descent.train, tape.train):
        net = [Layer(NET[0].W, NET[0].b, stop_at(k)), NET[1]]
        try: train(net, X, Y, squared_error, momentum(0.1), 3, 4, np.random.default_rng(7), progress=False)
        except TrainingInterrupted as e: caught.append(e)
    theirs, ours = caught
    assert (str(ours), ours.epoch, ours.batch) == (str(theirs), theirs.epoch, theirs.batch)
    near(parameters(ours.net), parameters(theirs.net), 1e-14)
    near(ours.history, theirs.history, 1e-14)
    usable = [replace(l, transfer=t.transfer) for l, t in zip(ours.net, NET)]
    tape.train(usable, X, Y, squared_error, 0.1, 1)


@pytest.mark.parametrize('batch_size', [None, 4])
@pytest.mark.parametrize('after', [0, 1, 2])
def test_ctrl_c_between_epochs_and_in_an_update(after, batch_size, monkeypatch):
    class Bar(list):
        disable = False
        def __enter__(self): return self
        def __exit__(self, *_): return None
        def set_postfix_str(self, text, refresh):
            self.append(text)
            if len(self) > after: raise KeyboardInterrupt
        def __iter__(self): return iter(range(5))
    caught = []
    for module in (descent, tape):
        monkeypatch.setattr(module, '_bar', lambda epochs, progress: Bar())
        with pytest.raises(TrainingInterrupted) as e:
            module.train(NET, X, Y, squared_error, adam(0.1), 5, batch_size, np.random.default_rng(0))
        caught.append(e.value)
    theirs, ours = caught
    assert (str(ours), len(ours.history)) == (str(theirs), after + 2) and ours.epoch == after
    near(parameters(ours.net), parameters(theirs.net), 1e-13)


@pytest.mark.parametrize('k', [1, 6, 13])
def test_ctrl_c_in_an_optimizer_leaves_whole_steps(k):
    def make():
        calls = []
        def update(p, g, memory):
            calls.append(1)
            if len(calls) == k: raise KeyboardInterrupt
            return p - 0.1*g, memory
        return Optimizer('stopping', lambda p: None, update)
    caught = []
    for train in (descent.train, tape.train):
        with pytest.raises(TrainingInterrupted) as e:
            train(NET, X, Y, squared_error, make(), 2, 4, np.random.default_rng(0), progress=False)
        caught.append(e.value)
    near(parameters(caught[1].net), parameters(caught[0].net), 1e-14)


def bent(t): return replace(t, df=lambda z: 1.5*t.df(z))
def shifted(t): return replace(t, f=lambda z: t.f(z) + 0.25)


@pytest.mark.parametrize('change', [bent, shifted])
@pytest.mark.parametrize('t', TRANSFERS, ids=str)
def test_a_changed_transfer_function_is_honoured(t, change):
    net = random_network([3, 4, 2], [change(t), identity], np.random.default_rng(2))
    honest = random_network([3, 4, 2], [t, identity], np.random.default_rng(2))
    same(net, X, Y, squared_error, 0.1, 2, 4, tolerance=1e-14)
    theirs, _ = outcomes(honest, X, Y, squared_error, 0.1, 2, 4)
    ours, _ = tape.train(net, X, Y, squared_error, 0.1, 2, 4, np.random.default_rng(1), progress=False)
    assert np.abs(parameters(ours) - parameters(theirs[0])).max() > 1e-4


@pytest.mark.parametrize('name', ['mine', 'relu', 'fold', 'fold(x)', 'tanh(2)', 'leaky_relu()', 'two words', ''])
def test_an_own_transfer_function_under_any_name(name):
    own = Transfer(name, 'atan(z)', '1/(1 + z**2)', np.arctan, lambda z: 1/(1 + z**2))
    same(random_network([3, 4, 2], own, np.random.default_rng(2)), X, Y, squared_error, 0.1, 2, 4, tolerance=1e-14)


def test_an_own_transfer_function_sees_rows_as_forward_gives_them():
    "A slope for each unit, which broadcasts over rows"
    k = np.array([0.5, -1., 2., 3.])
    own = Transfer('units', 'z', '1', lambda z: k*z, lambda z: np.ones_like(z)*k)
    net = random_network([3, 4, 2], [own, identity], np.random.default_rng(2))
    same(net, X, Y, squared_error, 0.05, 2, 4, tolerance=1e-14)


def test_an_own_loss():
    loss = Loss('quartic', '(a - y)**4', '4*(a - y)**3', lambda A, Y: (A - Y)**4, lambda A, Y: 4*(A - Y)**3)
    same(NET, X, Y, loss, 0.01, 3, 4, tolerance=1e-13)
    same(NET, X, Y, replace(squared_error, slope_f=lambda A, Y: 2*(A - Y)), 0.1, 3, 4, tolerance=1e-13)


def test_an_own_optimizer_sees_each_array_as_chapter_9_shows_it():
    "It scales a gradient by the norm of its array, row by row, and remembers what it was given"
    def update(p, g, last):
        g = g/np.linalg.norm(g, axis=0, keepdims=True) if g.ndim == 2 else g/np.linalg.norm(g)
        return p - 0.1*g + 0.5*(p - last[0]) - 0.01*last[1], (p, g)
    own = Optimizer('sgd(normed)', lambda p: (p, np.zeros_like(p)), update)
    for batch_size in (4, None): same(NET, X, Y, squared_error, own, 4, batch_size, tolerance=1e-12)
    def climb(p, g, memory): return p + 0.1*g, memory
    flipped = Optimizer('sgd(0.1)', lambda p: (), climb)  # under a name of the book's
    same(NET, X, Y, squared_error, flipped, 2, 4, tolerance=1e-13)
    same(NET, X, Y, squared_error, clipped(0.1), 2, 4, tolerance=1e-13)


def test_memory_does_not_grow_with_the_steps():
    def peak(epochs):
        tracemalloc.start()
        try:
            tape.train(NET, X, Y, squared_error, 0.01, epochs, 4, np.random.default_rng(0), progress=False)
            return tracemalloc.get_traced_memory()[1]
        finally: tracemalloc.stop()
    peak(10)
    few, many = peak(10), peak(1010)
    assert many - few < 1000*40 + 5000  # a thousand losses of 32 bytes and their places in a list, no array among them


def test_nothing_that_was_handed_in_is_changed():
    x, y, net = X.copy(), Y.copy(), [Layer(l.W, l.b, l.transfer) for l in NET]
    trained, _ = tape.train(net, x, y, squared_error, 0.1, 2, 4, np.random.default_rng(0), progress=False)
    assert (x == X).all() and (y == Y).all() and (parameters(net) == parameters(NET)).all()
    assert all(not layer.W.flags.writeable and layer.W.flags.c_contiguous for layer in trained)


@given(problems())
@settings(max_examples=50)
def test_vectors_and_networks(problem):
    net, x, y, loss = problem
    vector = parameters(net)
    views = layer_views(vector, net)
    assert all(np.shares_memory(view, vector) for view in views) and sum(view.size for view in views) == len(vector)
    for view, layer in zip(views, net, strict=True): assert (view == np.vstack([layer.W, layer.b])).all()
    t = record(net, loss, len(x))
    t.X[:, :-1], t.Y[...] = x, y
    play(t.forward)
    play(t.backward)
    value, grads = loss_and_grads(net, x, y, loss)
    near(t.g, parameters(grads), 1e-13)
    near(t.total()/len(x), value, 1e-13)


BAD = [dict(X=X[:, :2]), dict(X=X[0]), dict(X=np.full((10, 3), np.nan)), dict(X=[['a']*3]*10),
       dict(Y=Y[:, 0]), dict(Y=Y[:5]), dict(loss=squared_error.f), dict(loss=softmax_cross_entropy),
       dict(optimizer=-1), dict(optimizer=adam), dict(optimizer='sgd'),
       dict(epochs=-1), dict(epochs=1.5), dict(epochs=True),
       dict(batch_size=0), dict(batch_size=11), dict(batch_size=2.),
       dict(rng=None), dict(rng=0), dict(net=[]), dict(net=NET[0]), dict(net=NET[::-1]), dict(net=[NET[0].W])]


@pytest.mark.parametrize('bad', BAD, ids=lambda bad: str(bad)[:30])
def test_bad_input_gets_chapter_9s_errors(bad):
    good = dict(net=NET, X=X, Y=Y, loss=squared_error, optimizer=0.1, epochs=2, batch_size=4,
                rng=np.random.default_rng(0))
    with pytest.raises((TypeError, ValueError)) as theirs: descent.train(**good | bad)
    with pytest.raises((TypeError, ValueError)) as ours: tape.train(**good | bad)
    assert (type(ours.value), str(ours.value)) == (type(theirs.value), str(theirs.value))


def test_layers_of_two_dtypes_are_refused():
    mixed = [NET[0], replace(NET[1], W=NET[1].W.astype(np.float32))]
    for call in (lambda: tape.train(mixed, X, Y, squared_error, 0.1, 1), lambda: record(mixed, squared_error, 1)):
        with pytest.raises(ValueError, match=r'layer 1 is float32, layer 0 float64.*replace\(layer'): call()


def test_a_vector_of_another_length_is_refused():
    for n in (19, 21):
        with pytest.raises(ValueError, match=rf'vector has shape \({n},\), expected \(26,\)'):
            layer_views(np.zeros(n), NET)


def test_what_record_and_spell_refuse():
    with pytest.raises(TypeError, match='loss must be a Loss'): record(NET, squared_error.f, 1)
    with pytest.raises(ValueError, match='rows must be'): record(NET, squared_error, 0)
    with pytest.raises(ValueError, match='layer 0'): record(NET[::-1], squared_error, 1)
    arrays = dict(A=np.zeros(3), B=np.ones(3))
    for text, words in [('A = tanhh(B)', 'tanhh'), ('C = tanh(B)', 'out = f'), ('A = tanh(C)', "'C' is no array"),
                        ('tanh(B)', 'out = f')]:
        with pytest.raises(ValueError, match=words): spell(text, arrays)


def test_progress():
    code = '''import numpy as np
from backprop_book import tape, loss, network, transfer
net = network.random_network([2, 1], transfer.identity, np.random.default_rng(0))
tape.train(net, np.ones((3, 2)), np.ones((3, 1)), loss.squared_error, 0.1, 5, progress=True)
tape.train(net, np.ones((3, 2)), np.ones((3, 1)), loss.squared_error, 0.1, 5)'''
    env = {name: value for name, value in os.environ.items() if name != 'TQDM_DISABLE'}
    done = subprocess.run([sys.executable, '-c', code], env=env, check=True, capture_output=True, text=True)
    assert done.stdout == '' and done.stderr.count('5/5') >= 1 and 'loss' in done.stderr


def test_the_import_is_light():
    code = 'import sys, backprop_book.tape; print(*{name.split(".")[0] for name in sys.modules})'
    done = subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert 'numpy' in loaded and not {'sympy', 'matplotlib', 'numba', 'pandas', 'scipy', 'IPython'} & loaded
