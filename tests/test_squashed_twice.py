"""A loss from logits behind a last layer that squashes or clips: a sentence, and a warning of every `train`."""
import functools
import warnings

import numpy as np
import pytest

from backprop_book import compiled, descent, tape, written_out
from backprop_book.loss import Loss, logistic_loss, logistic_loss_pm1, softmax_cross_entropy, squared_error
from backprop_book.network import Layer, squashed_twice
from backprop_book.transfer import Transfer, fold, identity, leaky_relu, relu, sigmoid, softplus, tanh


def shares(z):
    E = np.exp(z - z.max(-1, keepdims=True))
    return E/E.sum(-1, keepdims=True)


def own(name, f): return Transfer(name, 'z', '1', f, np.ones_like)


LOGITS = [logistic_loss, logistic_loss_pm1, softmax_cross_entropy,
          Loss('mine', 'a*y', 'y', lambda A, Y: A*Y, lambda A, Y: Y, from_logits=True)]
SQUASH = [(sigmoid, '0 to 1'), (tanh, '-1 to 1'), (relu, '0 and above'), (softplus, '0 and above'),
          (fold(.2), '0 and above'),
          (own('softmax', shares), '1 to 1'), (own('relu6', lambda z: np.clip(z, 0, 6)), '0 to 6'),
          (own('softsign', lambda z: z/(1 + np.abs(z))), '-1 to 1'), (own('exp', np.exp), '0 and above'),
          (own('minus_relu', lambda z: np.minimum(z, 0)), '0 and below'), (own('sine', np.sin), 'to 0.'),
          (own('hard', lambda z: np.clip(.2*z + .5, 0, 1)), '0 to 1'),
          (own('probit', lambda z: .5 + np.arctan(z)/np.pi), ' to 1')]
PASS = [identity, leaky_relu(.01), own('asinh', np.arcsinh), own('cube', lambda z: z**3), own('scaled', lambda z: .1*z),
        own('nan', lambda z: z*np.nan), own('log', lambda z: np.sign(z)*np.log1p(np.abs(z)))]


def net(last, n_out=2): return [Layer(np.eye(2), [0., 0.], sigmoid), Layer(np.eye(2)[:, :n_out], np.zeros(n_out), last)]


@pytest.mark.parametrize('loss', LOGITS, ids=repr)
@pytest.mark.parametrize('transfer, where', SQUASH, ids=lambda v: repr(v))
def test_a_last_layer_that_squashes_is_named(loss, transfer, where):
    said = squashed_twice(net(transfer), loss)
    assert said.startswith(f'{loss} takes logits') and f'applies {transfer} first' in said and where in said
    assert said.endswith('make the last transfer function identity')


@pytest.mark.parametrize('transfer', PASS, ids=repr)
def test_a_last_layer_that_reaches_all_logits_is_left_alone(transfer):
    assert [squashed_twice(net(transfer), loss) for loss in LOGITS] == ['']*4


@pytest.mark.parametrize('transfer', [t for t, _ in SQUASH], ids=repr)
def test_other_losses_are_left_alone(transfer):
    assert squashed_twice(net(transfer), squared_error) == ''


FREE, ABSENT = {}, dict(biases='absent')
interpreted = functools.partial(written_out.train, compiled=False)


@pytest.mark.parametrize('train, said', [
    (descent.train, FREE), (descent.train, ABSENT), (tape.train, FREE), (tape.train, ABSENT), (interpreted, FREE),
    (interpreted, ABSENT), (compiled.train, ABSENT),
    pytest.param(written_out.train, FREE, marks=pytest.mark.slow),   # seconds of compiling
    pytest.param(compiled.train, FREE, marks=pytest.mark.slow)])
def test_every_train_warns_once_at_the_callers_line_and_trains(train, said):
    if train is compiled.train: pytest.importorskip('numba'), pytest.importorskip('scipy')
    layers = [Layer(np.eye(2), None if said else [0., 0.], t, **said) for t in (tanh, sigmoid)]
    args = [[.1, .2]], [[0., 1.]], logistic_loss, .1, 2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        after, history = train(layers, *args)
    assert [(w.filename, str(w.message), w.category) for w in caught] == [
        (__file__, squashed_twice(layers, logistic_loss), UserWarning)]
    assert history[-1] < history[0]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        train([*layers[:1], Layer(np.eye(2), [0., 0.], identity)], *args)


def test_what_is_warned_of_gets_stuck():
    "The loss of a sure and right answer, with and without the second squashing"
    train = descent.train
    with pytest.warns(UserWarning, match='takes logits'):
        _, stuck = train([Layer([[1.]], [0.], sigmoid)], [[1.]], [[1.]], logistic_loss, 5., 2000)
    _, well = train([Layer([[1.]], [0.], identity)], [[1.]], [[1.]], logistic_loss, 5., 2000)
    assert stuck[-1] > np.log(1 + np.exp(-1)) and well[-1] < 1e-3
