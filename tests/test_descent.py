"""Optimizers against plain numbers; what a run that is stopped gives back; when a bar is drawn."""
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from backprop_book import descent
from backprop_book.descent import (
    Optimizer,
    TrainingDiverged,
    TrainingInterrupted,
    adam,
    minibatches,
    momentum,
    nesterov,
    optimizer_step,
    rmsprop,
    sgd,
    sgd_step,
    train,
)
from backprop_book.loss import squared_error
from backprop_book.network import Grad, Layer, loss_and_grads, parameters, random_network
from backprop_book.transfer import Transfer, identity, sigmoid, tanh

NET = random_network([3, 4, 2], [tanh, identity], np.random.default_rng(2))
X, Y = np.random.default_rng(3).normal(size=(10, 3)), np.random.default_rng(4).normal(size=(10, 2))


def plain_sgd(p, slopes, lr):
    for g in slopes: p -= lr*g
    return p


def plain_momentum(p, slopes, lr, beta=0.9):
    "Each slope acts on, with weights 1, beta, beta^2, ..."
    return p - lr*sum(beta**(t - s)*slopes[s] for t in range(len(slopes)) for s in range(t + 1))


def plain_nesterov(p, slopes, lr, beta=0.9):
    "The form that looks ahead, which takes its slopes at q + beta*w"
    q, w = p, 0.0
    for g in slopes:
        w = beta*w - lr*g
        q += w
    return q + beta*w


def plain_rmsprop(p, slopes, lr, rho=0.9, eps=1e-8):
    for t, g in enumerate(slopes):
        mean = (1 - rho)*sum(rho**(t - s)*slopes[s]**2 for s in range(t + 1))
        p -= lr*g/(math.sqrt(mean) + eps)
    return p


def plain_adam(p, slopes, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    "Weighted means, whose weights are made to add up to 1"
    for t in range(1, len(slopes) + 1):
        w1, w2 = [beta1**(t - s) for s in range(1, t + 1)], [beta2**(t - s) for s in range(1, t + 1)]
        mean = sum(w*g for w, g in zip(w1, slopes))/sum(w1)
        square = sum(w*g*g for w, g in zip(w2, slopes))/sum(w2)
        p -= lr*mean/(math.sqrt(square) + eps)
    return p


CASES = [(sgd, plain_sgd, {}),
         (momentum, plain_momentum, {}), (momentum, plain_momentum, dict(beta=0.5)),
         (nesterov, plain_nesterov, {}), (nesterov, plain_nesterov, dict(beta=0.5)),
         (rmsprop, plain_rmsprop, {}), (rmsprop, plain_rmsprop, dict(rho=0.6, eps=0.1)),
         (adam, plain_adam, {}), (adam, plain_adam, dict(beta1=0.5, beta2=0.7, eps=0.1))]


@pytest.mark.parametrize('make, plain, settings', CASES, ids=lambda v: getattr(v, '__name__', str(v)))
def test_seven_steps_of_every_entry(make, plain, settings):
    rng, net, memory = np.random.default_rng(1), NET, None
    steps = [[Grad(rng.normal(size=l.W.shape), rng.normal(size=l.b.shape)) for l in NET] for _ in range(7)]
    for grads in steps: net, memory = optimizer_step(net, grads, make(0.1, **settings), memory)
    slopes = np.array([parameters(grads) for grads in steps])
    expected = [plain(float(p), slopes[:, i].tolist(), 0.1, **settings) for i, p in enumerate(parameters(NET))]
    # numbers of about 1, seven steps of some ten roundings each; 1 - 0.999 has lost three digits
    np.testing.assert_allclose(parameters(net), expected, rtol=0, atol=1e-12 if make is adam else 2e-14)


def test_a_gradient_must_have_the_shape_of_its_layer():
    _, (first, second) = loss_and_grads(NET, X, Y, squared_error)
    for step in (lambda grads: sgd_step(NET, grads, 0.1), lambda grads: optimizer_step(NET, grads, adam(0.1))):
        with pytest.raises(ValueError, match=r'layer 1.*\(4, 2\).*\(2,\)'): step([first, Grad(second.W[0], second.b)])
        with pytest.raises(ValueError, match='1 gradients for 2 layers'): step([first])


@pytest.mark.parametrize('batch', range(6))
def test_an_interruption_at_the_start_of_a_batch_gives_the_newest_network(batch):
    "Two epochs of three batches; Ctrl-C comes in the first layer's forward pass of a batch"
    def f(z):
        nonlocal left
        left -= 1
        if left < 0: raise KeyboardInterrupt
        return np.tanh(z)

    transfer = Transfer('mine', 'tanh(z)', '1 - tanh(z)**2', f, tanh.df)
    net = [Layer(NET[0].W, NET[0].b, transfer), NET[1]]
    left = 1 + batch + batch//3  # the loss of all rows is taken before the first epoch and after each
    with pytest.raises(TrainingInterrupted) as caught:
        train(net, X, Y, squared_error, momentum(0.1), 2, 4, np.random.default_rng(7), progress=False)
    wanted, memory, rng = NET, None, np.random.default_rng(7)
    for rows in [rows for epoch in range(2) for rows in minibatches(10, 4, rng)][:batch]:
        _, grads = loss_and_grads(wanted, X[rows], Y[rows], squared_error)
        wanted, memory = optimizer_step(wanted, grads, momentum(0.1), memory)
    error = caught.value
    assert parameters(error.net).tobytes() == parameters(wanted).tobytes()
    assert (error.epoch, error.batch) == divmod(batch, 3) and len(error.history) == 1 + batch//3


def test_weights_that_overflow_end_a_run_even_where_the_loss_does_not():
    "A sigmoid saturates: the loss of weights as large as 1e200 is an ordinary number"
    net = random_network([3, 2], sigmoid, np.random.default_rng(2))
    with pytest.raises(TrainingDiverged, match='epoch 0, batch 0.*weight or bias') as caught:
        train(net, X, Y, squared_error, 1e200, 1, progress=False)
    assert parameters(caught.value.net).tobytes() == parameters(net).tobytes()


def test_a_diverged_run_gives_the_last_network_with_a_finite_loss():
    "Each step from the same weights with the same rows: the newest network's loss overflows, the one before's does not"
    net = random_network([3, 2, 2], identity, np.random.default_rng(2))
    with pytest.raises(TrainingDiverged, match='the loss of the batch') as caught:
        train(net, 1e3*X, Y, squared_error, 1.0, 5, 1, shuffle=False, progress=False)
    error, wanted = caught.value, net
    for i in range(10*error.epoch + error.batch - 1):
        wanted = sgd_step(wanted, loss_and_grads(wanted, 1e3*X[[i % 10]], Y[[i % 10]], squared_error)[1], 1.0)
    assert error.batch > 1 and parameters(error.net).tobytes() == parameters(wanted).tobytes()


def python(code, env):
    return subprocess.run([sys.executable, '-c', code], env=env, check=True, capture_output=True, text=True)


@pytest.mark.house
def test_without_an_except_jupyter_keeps_the_network(tmp_path):
    code = '''import sys
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell().run_cell('from backprop_book.descent import TrainingInterrupted; '
                            'raise TrainingInterrupted("stopped", [1, 2])')
assert sys.last_value.net == [1, 2]'''
    python(code, os.environ | {'IPYTHONDIR': str(tmp_path)})


def test_single_precision_stays_single():
    net = random_network([3, 4, 2], [tanh, identity], np.random.default_rng(2), dtype=np.float32)
    for make in (sgd, momentum, nesterov, rmsprop, adam):
        trained, _ = train(net, X, Y, squared_error, make(0.1), 2, 4, np.random.default_rng(7), progress=False)
        assert parameters(trained).dtype == np.float32


@pytest.mark.parametrize('progress, bar', [(True, True), (None, False), (False, False)])
def test_a_bar_is_drawn_when_asked_for(progress, bar):
    "In a fresh Python, since tqdm reads TQDM_DISABLE when it is imported"
    code = f'''import numpy as np
from backprop_book import descent, loss, network, transfer
net = network.random_network([2, 1], transfer.identity, np.random.default_rng(0))
descent.train(net, np.ones((3, 2)), np.ones((3, 1)), loss.squared_error, 0.1, 5, progress={progress})'''
    env = {name: value for name, value in os.environ.items() if name != 'TQDM_DISABLE'}
    done = python(code, env)
    assert done.stdout == '' and bool(done.stderr) == bar
    if bar: assert 'epoch' in done.stderr and '5/5' in done.stderr


def test_what_train_does_not_ask_again_is_still_asked():
    "A slope or an update of a reader's own that does not fit is named, at whatever step it comes"
    odd = [Layer(np.ones((3, 2)), [0., 0.], Transfer('odd', 'z', '1', lambda z: z, lambda z: np.ones_like(z)*1j))]
    with pytest.raises(TypeError, match=r'grads\[0\] must be a Grad of two arrays'):
        train(odd, X, Y, squared_error, 0.1, 1, progress=False)
    def late(p, g, step): return (p - 0.1*g if step < 3 else p[:1]), step + 1
    with pytest.raises(TypeError, match='update of late must return a pair'):
        train(NET, X, Y, squared_error, Optimizer('late', lambda p: 0, late), 5, progress=False)


def test_train_does_not_judge_its_own_gradients(monkeypatch):
    "They cost a tenth of a step of a small network"
    asked = []
    monkeypatch.setattr(descent, 'check_grads', lambda net, grads: asked.append(grads))
    train(NET, X, Y, squared_error, adam(0.1), 5, progress=False)
    assert not asked
    optimizer_step(NET, loss_and_grads(NET, X, Y, squared_error)[1], adam(0.1))
    assert len(asked) == 1
