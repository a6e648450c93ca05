"""`written_out.train` against `descent.train`: the same networks, losses, errors and random draws.

The printed lines against `explain`."""
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from conftest import LOSSES, OUT_OF_RANGE, PAIR, TRANSFERS, case, clipped, problems
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backprop_book import descent, written_out
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
from backprop_book.explain import explain
from backprop_book.loss import Loss, logistic_loss, softmax_cross_entropy, squared_error
from backprop_book.network import Layer, parameters, random_network
from backprop_book.transfer import Transfer, fold, identity, leaky_relu, relu, sigmoid, softplus, tanh
from backprop_book.written_out import derive, train, write

pytestmark = pytest.mark.filterwarnings('ignore:.*takes logits:UserWarning')  # any transfer meets any loss here

NUMBA = pytest.param(True, marks=pytest.mark.needs('numba and SciPy'))
OPTIMIZERS = [0.1, momentum(0.05), nesterov(0.05), rmsprop(0.01), adam(0.01)]
SWISH = Transfer('swish', 'z/(1 + exp(-z))', '(1 + exp(-z) + z*exp(-z))/(1 + exp(-z))**2',
                 lambda z: z*sigmoid(z), lambda z: sigmoid(z) + z*sigmoid.df(z))
SOFTSIGN = Transfer('softsign', 'z/(1 + Abs(z))', '1/(1 + Abs(z))**2',
                    lambda z: z/(1 + np.abs(z)), lambda z: 1/(1 + np.abs(z))**2)
OWN_SIGMOID = Transfer('own', '1/(1 + exp(-z))', 'exp(-z)/(1 + exp(-z))**2', sigmoid.f, sigmoid.df)
HUBER = Loss('huber', 'Piecewise(((a - y)**2/2, Abs(a - y) < 1), (Abs(a - y) - 1/2, True))',
             'Piecewise((a - y, Abs(a - y) < 1), (sign(a - y), True))',
             lambda A, Y: np.where(abs(A - Y) < 1, (A - Y)**2/2, abs(A - Y) - .5), lambda A, Y: np.clip(A - Y, -1, 1))


def both(net, X, Y, loss, optimizer, epochs, batch_size=None, shuffle=True, compiled=False):
    "Networks and histories of `descent.train` and of `train`, which must leave the generator alike"
    rngs = [np.random.default_rng(1), np.random.default_rng(1)]
    theirs = descent.train(net, X, Y, loss, optimizer, epochs, batch_size, rngs[0], shuffle, progress=False)
    ours = train(net, X, Y, loss, optimizer, epochs, batch_size, rngs[1], shuffle, progress=False, compiled=compiled)
    assert rngs[0].random() == rngs[1].random()
    return theirs, ours


def assert_same(theirs, ours, tolerance):
    (net, history), (our_net, our_history) = theirs, ours
    assert [type(e) for e in our_history] == [float]*len(history)
    for a, b in zip(net, our_net, strict=True):
        assert (a.W.shape, a.W.dtype, a.transfer) == (b.W.shape, b.W.dtype, b.transfer)
    p = parameters(net)
    np.testing.assert_allclose(parameters(our_net), p, rtol=0, atol=tolerance*max(1, np.abs(p).max()))
    np.testing.assert_allclose(our_history, history, rtol=tolerance, atol=tolerance)


@settings(max_examples=100)
@given(problems(max_layers=3, transfers=[*TRANSFERS, SWISH, SOFTSIGN, OWN_SIGMOID], losses=[*LOSSES, HUBER]), st.data())
def test_random_runs(problem, data):
    net, X, Y, loss = problem
    assume(parameters(net).size <= 60)
    batch_size = data.draw(st.none() | st.integers(1, len(X)))
    assert_same(*both(net, X, Y, loss, data.draw(st.sampled_from(OPTIMIZERS)), data.draw(st.integers(0, 6)), batch_size,
                      data.draw(st.booleans())), 1e-12)


@settings(max_examples=40)
@given(problems(max_layers=2), st.data())
def test_random_runs_in_single_precision(problem, data):
    net, X, Y, loss = problem
    net = [Layer(l.W.astype(np.float32), l.b, l.transfer) for l in net]
    assume(parameters(net).size <= 60)
    batch_size = data.draw(st.none() | st.integers(1, len(X)))
    assert_same(*both(net, X, Y, loss, data.draw(st.sampled_from(OPTIMIZERS)), 5, batch_size), 1e-5)


def stopped(train, *args, rng, **settings):
    "The error that ends a run, and what the generator gives next"
    with pytest.raises(TrainingDiverged) as caught: train(*args, rng=rng, progress=False, **settings)
    return caught.value, rng.random()


def both_stopped(args, compiled, seed=0, **settings):
    "How `descent.train` and how `train` stop, each with a generator of its own"
    return (stopped(descent.train, *args, rng=np.random.default_rng(seed), **settings),
            stopped(train, *args, rng=np.random.default_rng(seed), compiled=compiled, **settings))


@pytest.mark.parametrize('compiled', [False, NUMBA])
@pytest.mark.parametrize('widths, transfers, loss, n, batch_size, optimizer', [
    pytest.param([2, 2, 2], [sigmoid]*2, squared_error, 1, None, 0.5, id='one'),
    pytest.param([2, 3, 3], [tanh, identity], softmax_cross_entropy, 7, 3, adam(0.01), id='batches'),
    pytest.param([1, 3, 1], [softplus, fold(0.2)], logistic_loss, 6, 1, nesterov(0.05), id='single'),
    pytest.param([2, 2, 1], [leaky_relu(0.1), relu], squared_error, 8, None, rmsprop(0.01), id='all'),
    pytest.param([2, 1], [SWISH], HUBER, 5, 2, momentum(0.1), id='own')])
def test_every_loop_compiled_or_not(widths, transfers, loss, n, batch_size, optimizer, compiled):
    assert_same(*both(*case(widths, transfers, loss, n), optimizer, 30, batch_size, compiled=compiled), 1e-12)


@pytest.mark.parametrize('n, batch_size', [(1, 1), (6, 6), (6, 1), (6, 4)])
def test_a_run_of_many_pieces(n, batch_size, monkeypatch):
    "Pieces of a few epochs each: what is handed from one to the next is all there is"
    from backprop_book import written_out
    begin = written_out._begin

    def small(job, *args):
        begin(job, *args)
        job.piece = 1
    monkeypatch.setattr(written_out, '_begin', small)
    # 15 epochs: after 40, RMSProp near its minimum has made 1e-9 of a rounding, in `descent` too
    for optimizer in OPTIMIZERS:
        assert_same(*both(*case([2, 2, 1], [tanh, sigmoid], squared_error, n), optimizer, 15, batch_size), 1e-12)


@pytest.mark.parametrize('batch_size', [None, 2])
@pytest.mark.parametrize('optimizer', OPTIMIZERS, ids=str)
def test_the_slow_loop_takes_over(optimizer, batch_size, monkeypatch):
    "After some pieces the next is not trusted: what the optimizer remembers, and the order of rows, go on"
    from backprop_book import written_out
    begin, trusted, calls = written_out._begin, written_out._trusted, []

    def small(job, *args):
        begin(job, *args)
        job.piece = 2

    def refused(job, epochs):
        calls.append(epochs)
        done = trusted(job, epochs)     # and the generator has moved on
        return done if len(calls) < 3 else None
    monkeypatch.setattr(written_out, '_begin', small)
    monkeypatch.setattr(written_out, '_trusted', refused)
    assert_same(*both(*case([2, 2, 1], [tanh, sigmoid], squared_error, 5), optimizer, 15, batch_size), 1e-12)
    assert len(calls) == 3


def test_ten_thousand_updates():
    assert_same(*both(*case([2, 2, 2], [sigmoid]*2, squared_error, 1), 0.5, 10_000), 1e-12)


@pytest.mark.parametrize('optimizer', [rmsprop(0.1), adam(0.1)], ids=str)
@pytest.mark.parametrize('transfer, side', [(sigmoid, 1), (softplus, -1), (OWN_SIGMOID, 1)], ids=str)
def test_saturated_units_keep_their_digits(transfer, side, optimizer):
    "Net inputs of 22: the slope is tiny, and what divides by its size needs each of its digits"
    net = [Layer([[12.*side]], [10.*side], transfer)]
    assert_same(*both(net, [[1.]], [[0.5]], squared_error, optimizer, 10), 1e-12)


@pytest.mark.parametrize('optimizer', OPTIMIZERS, ids=str)
@pytest.mark.parametrize('transfer', [sigmoid, softplus, SWISH, tanh], ids=str)
def test_net_inputs_whose_exponential_overflows(transfer, optimizer):
    net, X, Y, loss = case([2, 3, 1], [transfer, sigmoid], logistic_loss, 5)
    assert_same(*both(net, 1e4*X, Y, loss, optimizer, 4, 2), 1e-12)


def test_the_safe_forms_spare_the_slow_loop(monkeypatch):
    from backprop_book import written_out
    net, X, Y, loss = case([2, 3, 1], [softplus, sigmoid], logistic_loss, 5)
    monkeypatch.setattr(written_out, '_carefully', None)
    own = Optimizer('own', lambda p: (), lambda p, g, m: (p, m))
    with pytest.raises(TypeError, match='NoneType'): train(net, X, Y, loss, own, 1, progress=False)
    train(net, 1e4*X, Y, loss, 0.1, 4, progress=False, compiled=False)


def test_numbers_that_are_too_large_for_a_few_steps_only():
    "One row drives the weight to 1e82, the others bring it back: `descent` finds a loss in between that overflows"
    X, Y = np.array([[1e43], *[[1.], [-1.]]*5]), np.array([[1e40], *[[0.]]*10])
    args = [Layer([[0.]], [0.], identity)], X, Y, squared_error, 0.5, 1, 1
    (theirs, _), (ours, _) = both_stopped(args, compiled=None, shuffle=False)
    assert str(ours) == str(theirs) and 'the loss of the batch' in str(ours)


@pytest.mark.parametrize('compiled', [False, NUMBA])
@pytest.mark.parametrize('epochs', [40, 60, 75])
def test_large_numbers_that_are_still_finite(epochs, compiled):
    "The weight grows tenfold in each epoch, beyond what the fast code trusts"
    net = [Layer([[1.]], [0.], identity)]
    theirs, ours = both(net, [[1.]], [[0.]], squared_error, 5.5, epochs, compiled=compiled)
    np.testing.assert_allclose(parameters(ours[0]), parameters(theirs[0]), rtol=1e-12)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-12)
    assert abs(parameters(theirs[0])).max() > 1e30


BIG = [*((squared_error, o) for o in (3., momentum(3.), nesterov(2.), 1e200, adam(1e200), rmsprop(1e160))),
       (logistic_loss, 1e155)]
DIVERGING = [(0, [identity, identity], None), (1, [relu, identity], 2),  # seed, transfer functions, batch size
             (2, [tanh, identity], 1), (3, [identity, sigmoid], 3)]


@pytest.mark.parametrize('compiled', [False, NUMBA])
@pytest.mark.parametrize('loss, optimizer', BIG, ids=str)
def test_a_run_that_diverges(loss, optimizer, compiled):
    for seed, transfers, batch_size in DIVERGING[:1] if compiled else DIVERGING:     # each compiles anew
        net, X, Y, _ = case([2, 2, 1], transfers, loss, 5, seed)
        args = net, 3*X, Y, loss, optimizer, 60, batch_size
        try: descent.train(*args, rng=np.random.default_rng(3), progress=False)
        except TrainingDiverged: pass
        else: continue
        (theirs, drawn), (ours, we_drew) = both_stopped(args, compiled, seed=3)
        assert str(ours) == str(theirs) and (ours.epoch, ours.batch) == (theirs.epoch, theirs.batch)
        assert len(ours.history) == len(theirs.history)
        # what grows, grows its roundings too
        np.testing.assert_allclose(parameters(ours.net), parameters(theirs.net), rtol=1e-9)
        np.testing.assert_allclose(ours.history, theirs.history, rtol=1e-9)
        assert drawn == we_drew


@pytest.mark.parametrize('compiled', [False, NUMBA])
def test_a_last_loss_that_overflows(compiled):
    "Where all rows are one update, the loss after the last one belongs to no update"
    args = [Layer([[0.]], [0.], identity)], [[1e45]], [[1.]], squared_error, 0.1, 1
    (theirs, _), (ours, _) = both_stopped(args, compiled, seed=3)
    assert str(ours) == str(theirs) and 'the loss of all rows' in str(ours) and ours.history == theirs.history == [0.5]


def test_some_of_those_runs_do_diverge():
    net, X, Y, _ = case([2, 2, 1], [identity]*2, squared_error, 5)
    for loss, optimizer in BIG:
        if loss is squared_error: stopped(descent.train, net, 3*X, Y, loss, optimizer, 60, rng=np.random.default_rng(3))


@pytest.mark.parametrize('x, lr, what', [(1., 1e200, 'a weight or bias after the step'),
                                         (1e160, 1e-200, 'the gradient of the batch')])
def test_what_overflows_behind_a_sigmoid(x, lr, what):
    "Every delta is below 1, the loss is an ordinary number, and yet"
    args = [Layer([[0.]], [0.], sigmoid)], [[x]], [[0.]], squared_error, lr, 3
    (theirs, _), (ours, _) = both_stopped(args, compiled=False)
    assert str(ours) == str(theirs) and what in str(ours) and parameters(ours.net).tolist() == [0., 0.]


def test_a_late_divergence_returns_the_network_before_the_last_good_one():
    "Grows by 1e20 an update: the last network with a finite gradient lies in the piece before"
    net = [Layer([[1.]], [0.], identity)]
    args = net, [[1.]], [[0.]], squared_error, 1e20, 30
    (theirs, _), (ours, _) = both_stopped(args, compiled=False)
    assert str(ours) == str(theirs)
    np.testing.assert_allclose(parameters(ours.net), parameters(theirs.net), rtol=1e-12)


@pytest.mark.parametrize('batch_size', [1, 2, None])
@pytest.mark.parametrize('compiled', [False, NUMBA])
def test_an_own_loss_that_is_nan_behind_a_finite_slope(batch_size, compiled):
    args = *OUT_OF_RANGE, 1, batch_size
    if batch_size != 1: return assert_same(*both(*args, False, compiled), 1e-13)
    (theirs, _), (ours, _) = both_stopped(args, compiled, shuffle=False)
    assert str(ours) == str(theirs) and 'batch 1' in str(ours) and ours.history == theirs.history


@pytest.mark.parametrize('where', ['_trusted', '_piece', '_show', 'with_parameters', '_orders'])
@pytest.mark.parametrize('batch_size', [None, 1])
def test_an_interruption_leaves_a_network_that_can_be_used(batch_size, where, monkeypatch):
    "Ctrl-C in the middle of some function, at its fifth call: network, epoch, losses and draws belong together"
    from backprop_book import written_out
    original, calls = getattr(written_out, where), []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 5: raise KeyboardInterrupt
        return original(*args)
    net, X, Y, loss = case([2, 2, 2], [sigmoid]*2, squared_error, 4)
    monkeypatch.setattr(written_out, where, interrupted)
    rngs = [np.random.default_rng(1), np.random.default_rng(1)]
    with pytest.raises(TrainingInterrupted) as caught:
        train(net, X, Y, loss, 0.1, 10**6, batch_size, rngs[0], progress=False, compiled=False)
    error = caught.value
    monkeypatch.undo()
    assert len(error.history) == error.epoch + 1 > 100 and 'training interrupted in epoch' in str(error)
    short, history = train(net, X, Y, loss, 0.1, error.epoch, batch_size, rngs[1], progress=False, compiled=False)
    np.testing.assert_allclose(parameters(error.net), parameters(short), rtol=1e-12)
    np.testing.assert_allclose(error.history, history, rtol=1e-9)
    assert rngs[0].random() == rngs[1].random()


@pytest.mark.parametrize('compiled', [False, NUMBA])
def test_ctrl_c(compiled):
    "The signal itself, in a process of its own"
    code = f'''import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import numpy as np
from backprop_book import descent, written_out, loss, network, transfer
net = network.random_network([2, 2], transfer.sigmoid, np.random.default_rng(0))
args = net, np.ones((3, 2)), np.zeros((3, 2)), loss.squared_error, 0.1
written_out.train(*args, 2, compiled={compiled})
print('ready', flush=True)
try: written_out.train(*args, 10**9, progress=False, compiled={compiled})
except descent.TrainingInterrupted as e: print(len(e.history) == e.epoch + 1, len(e.net), flush=True)'''
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen([sys.executable, '-c', code], **pipes) as process:
        assert process.stdout.readline() == 'ready\n'
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert out == 'True 1\n', err


@pytest.mark.usefixtures('listens_to_ctrl_c')
def test_ctrl_c_that_a_compiler_swallows_is_noticed_and_nothing_is_lost(monkeypatch):
    "As numba does in callbacks; afterwards Ctrl-C is what it was"
    net, X, Y, loss = case([2, 2], [tanh], squared_error, 4)
    def swallow(*args):
        try: signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt: pass
    def torn(*args):
        try: signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt: raise AttributeError('half a module') from None
    for code in (swallow, torn):
        monkeypatch.setattr(written_out, '_function', lambda source, compiled: code)
        with pytest.raises(descent.TrainingInterrupted) as caught: train(net, X, Y, loss, .1, 5, compiled=False)
        assert len(caught.value.history) == 1 and (parameters(caught.value.net) == parameters(net)).all()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    monkeypatch.undo()
    assert len(train(net, X, Y, loss, .1, 5, compiled=False)[1]) == 6


@pytest.mark.usefixtures('listens_to_ctrl_c')
def test_ctrl_c_during_an_import_waits_for_its_end():
    "A module that is half imported would stay so"
    done = []
    with pytest.raises(KeyboardInterrupt):
        with written_out.interrupts_noticed(held=True):
            signal.raise_signal(signal.SIGINT)
            done.append('imported')
    assert done and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(ImportError):
        with written_out.interrupts_noticed(held=True): raise ImportError('none')
    with pytest.raises(KeyboardInterrupt):
        with written_out.interrupts_noticed(): signal.raise_signal(signal.SIGINT)


@settings(max_examples=15)
@given(problems(max_layers=3, losses=[*LOSSES, HUBER]))
def test_every_printed_line_is_a_line_of_explain(problem):
    net, X, Y, loss = problem
    assume(parameters(net).size <= 60)
    X, Y = X[:1], Y[:1]
    for safe in (False, True):
        values = dict(vars(math))
        values |= {f'x{i}': x for i, x in enumerate(X[0].tolist(), 1)}
        values |= {f'y_o{j}': y for j, y in enumerate(Y[0].tolist(), 1)}
        told = {line.name.plain: line for line in explain(net, X, Y, loss).lines if line.t == 0 and line.kind != 'p'}
        for name, value in [taken for line in told.values() for taken in line.takes.values()]:
            if name.plain[0] in 'wb': values[name.plain.replace('.', '_')] = float(value)
        nodes = derive(net, loss, safe)
        assert len({node.name for node in nodes}) == len(nodes)
        for node in nodes: exec(repr(node), values)
        for name, line in told.items():
            derived = name[:2] in ('dE', "f'")
            ours = {'d': f'd{name[4:]}', 'f': f'slope_{name[5:-1]}'}.get(name[0], name) if derived else name
            ours = ours.replace('.', '_')
            if ours not in values:     # a slope of 1 has no line
                assert line.kind == 'slope' and float(line.value) == 1
            else: assert math.isclose(values[ours], line.value, rel_tol=1e-9, abs_tol=1e-12), (name, node)


def test_the_number_of_parameters_is_limited():
    rng = np.random.default_rng(0)
    for inputs, fits in [(59, True), (60, False)]:
        net, X, Y = random_network([inputs, 1], sigmoid, rng), rng.normal(size=(3, inputs)), np.zeros((3, 1))
        if fits: assert_same(*both(net, X, Y, squared_error, adam(0.01), 3, 2), 1e-12)
        else:
            for call in (lambda: train(net, X, Y, squared_error, 0.1, 1),
                         lambda: write(net, squared_error, 0.1),
                         lambda: derive(net, squared_error)):
                with pytest.raises(ValueError, match='61 parameters.*up to 60.*backprop_book.tape.train'): call()


NET, X, Y, _ = case([2, 2, 2], [sigmoid]*2, squared_error, 4)
BAD = [
    (None, X, Y, squared_error, 0.1, 1),
    ([], X, Y, squared_error, 0.1, 1),
    (NET, X[:, :1], Y, squared_error, 0.1, 1),
    (NET, X, Y[:, 0], squared_error, 0.1, 1),
    (NET, X, Y, 'squared', 0.1, 1),
    (NET, X, Y, squared_error, -0.1, 1),
    (NET, X, Y, squared_error, sgd, 1),
    (NET, X, Y, squared_error, 0.1, 1.5),
    (NET, X, Y, squared_error, 0.1, -1),
    (NET, X, Y, squared_error, 0.1, 1, 0),
    (NET, X, Y, squared_error, 0.1, 1, 5),
    (NET, X, Y, squared_error, 0.1, 1, 2, None),
    (NET, X, Y, squared_error, 0.1, 1, 2, 7),
    (NET, X*np.nan, Y, squared_error, 0.1, 1),
    (NET, X, Y, logistic_loss, 0.1, 1),
    (NET, X, Y, squared_error, 0.1, 1, True),
]


@pytest.mark.parametrize('args', BAD, ids=range(len(BAD)))
def test_bad_input_is_refused_as_descent_refuses_it(args):
    with pytest.raises((ValueError, TypeError)) as theirs: descent.train(*args)
    with pytest.raises((ValueError, TypeError)) as ours: train(*args)
    assert (type(ours.value), str(ours.value)) == (type(theirs.value), str(theirs.value))


def test_a_formula_that_does_not_fit_its_function_is_refused():
    wrong = Transfer('wrong', 'tanh(z)', '1 - tanh(z)**2', np.tanh, lambda z: 1.001*(1 - np.tanh(z)**2))
    wrong_loss = Loss('wrong', '(a - y)**2/2', 'a - y', lambda A, Y: (A - Y)**2, lambda A, Y: A - Y)
    for t, loss in [(wrong, squared_error), (sigmoid, wrong_loss)]:
        net = [Layer(l.W, l.b, t) for l in NET]
        with pytest.raises(ValueError, match='wrong cannot be written out.*certify.*backprop_book.tape.train'):
            train(net, X, Y, loss, 0.1, 1)


def test_a_function_that_no_formula_may_hold_is_refused():
    bessel = Transfer('bessel', 'besselj(0, z)', '-besselj(1, z)', np.cos, np.sin)
    with pytest.raises(ValueError, match='besselj.* cannot be read: it holds besselj'):
        write([Layer([[1.]], [0.], bessel)], squared_error, 0.1)


def test_a_slope_that_is_a_plain_number():
    double = Transfer('double', '2*z', '2', lambda z: 2*z, lambda z: 2)
    assert_same(*both([replace(NET[0], transfer=double), NET[1]], X, Y, squared_error, 0.1, 3), 1e-13)


@pytest.mark.parametrize('batch_size', [None, 1, 3])
def test_a_loss_of_whole_rows_and_an_optimizer_of_ones_own(batch_size):
    def update(p, g, v): return p - 0.1*np.clip(v + g, -1, 1), 0.5*g
    own = Optimizer('adam(0.1)', np.zeros_like, update)       # a name is not enough to be taken for the book's
    for optimizer in (own, clipped(0.1), 0.1):
        assert_same(*both(*case([2, 3, 2], [tanh, identity], PAIR, 7), optimizer, 10, batch_size), 1e-12)
    with pytest.raises(ValueError, match='not of backprop_book'): write(NET, squared_error, own)


def test_random_state_and_other_kinds_of_generator():
    class Cards:
        "It shuffles, and that is all"
        def permutation(self, n): return np.random.RandomState(n).permutation(n)
    def module():
        np.random.seed(5)
        return np.random
    for make in (lambda: np.random.RandomState(5), Cards, module):
        theirs, ours = [f(NET, X, Y, squared_error, 0.1, 5, 3, make(), progress=False) for f in (descent.train, train)]
        assert_same(theirs, ours, 1e-12)


def test_no_epochs_and_mixed_precision():
    mixed = [Layer(NET[0].W.astype(np.float32), NET[0].b, sigmoid), NET[1]]
    for epochs in (0, 3):     # their first step is in single precision
        assert_same(*both(mixed, X, Y, squared_error, 0.1, epochs), 1e-6)
    broken = [Layer(np.full((2, 1), np.nan), [0.], identity)]
    with pytest.raises(TrainingDiverged, match='the loss of all rows'):
        train(broken, X, Y[:, :1], squared_error, 0.1, 0)


def python(code): return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)


def test_without_numba_and_without_loading_more_than_is_needed():
    done = python('''import sys; sys.modules['numba'] = None
import numpy as np
from backprop_book import written_out as w, loss, network, transfer
assert not {'matplotlib', 'scipy', 'IPython'} & {m.split('.')[0] for m in sys.modules}
net = network.random_network([2, 1], transfer.sigmoid, np.random.default_rng(0))
args = net, [[1., 2.]], [[0.]], loss.squared_error, 0.1, 5
print(len(w.train(*args)[1]))
try: w.train(*args, compiled=True)
except ImportError as e: print(e)''')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('6\n') and 'pip install "backprop_book[fast]"' in done.stdout


def test_numba_is_not_imported_unless_it_is_used_and_a_bar_is_drawn_when_asked_for():
    done = python('''import os; os.environ.pop('TQDM_DISABLE', None)
import contextlib, io, sys
import numpy as np
from backprop_book import written_out, loss, network, transfer
net = network.random_network([2, 1], transfer.identity, np.random.default_rng(0))
args = net, np.ones((3, 2)), np.ones((3, 1)), loss.squared_error, 0.1, 50
for progress in (True, None, False):
    with contextlib.redirect_stderr(io.StringIO()) as bar:
        written_out.train(*args, progress=progress, compiled=False)
    print('50/50' in bar.getvalue() and 'loss' in bar.getvalue(), bool(bar.getvalue()))
print('numba' in sys.modules)''')
    assert done.stdout.split() == 'True True False False False False False'.split(), done.stderr
