"""Bad input gets a clear error from the function that was called, and a diverging run keeps what it had."""
import os
import pickle
import zipfile

import numpy as np
import pytest

from backprop_book.check import as_floats, numeric_grad
from backprop_book.descent import (
    TrainingDiverged,
    TrainingInterrupted,
    adam,
    minibatches,
    momentum,
    nesterov,
    rmsprop,
    sgd,
    sgd_step,
    train,
)
from backprop_book.loss import logistic_loss, logistic_loss_pm1, softmax_cross_entropy, squared_error
from backprop_book.network import (
    Layer,
    backward,
    forward,
    load_network,
    loss_and_grads,
    parameters,
    random_network,
    save_network,
)
from backprop_book.transfer import Transfer, fold, identity, leaky_relu, relu, tanh

RNG = np.random.default_rng(5)
NET = random_network([2, 3, 1], [tanh, identity], RNG)
X, Y = RNG.normal(size=(6, 2)), RNG.normal(size=(6, 1))


def refused(kind, words, f, *args, **kwargs):
    "The error must be of that kind, and its message must hold each of the words"
    with pytest.raises(kind) as caught: f(*args, **kwargs)
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, f'{missing} not in: {caught.value}'


def training(X=X, Y=Y, net=NET, loss=squared_error, optimizer=0.1, epochs=2, batch_size=3, **kwargs):
    return train(net, X, Y, loss, optimizer, epochs, batch_size, np.random.default_rng(0), progress=False, **kwargs)


CALLS = [lambda X: forward(NET, X),
         lambda X: loss_and_grads(NET, X, np.zeros((len(X), 1)), squared_error),
         lambda X: training(X=X)]


@pytest.mark.parametrize('call', CALLS, ids=['forward', 'loss_and_grads', 'train'])
class TestX:
    def test_wrong_number_of_columns(self, call):
        refused(ValueError, ['layer 0', '2', '(6, 3)'], call, np.zeros((6, 3)))
    def test_flat(self, call): refused(ValueError, ['X has shape (6,)', '[None, :]'], call, np.zeros(6))
    def test_empty(self, call): refused(ValueError, ['(0, 2)'], call, np.zeros((0, 2)))
    def test_nan(self, call): refused(ValueError, ['X[1, 0]', 'nan'], call, [[0., 0.], [np.nan, 0.]])
    def test_inf(self, call): refused(ValueError, ['X[0, 1]', 'inf'], call, [[0., np.inf]])
    def test_ragged(self, call): refused(ValueError, ['ragged'], call, [[0., 1.], [2.]])
    def test_text(self, call): refused(TypeError, ['X'], call, [['a', 'b']])
    def test_complex(self, call): refused(TypeError, ['complex'], call, [[1j, 2.]])


@pytest.mark.parametrize('loss', [squared_error, logistic_loss, logistic_loss_pm1, softmax_cross_entropy], ids=repr)
@pytest.mark.parametrize('call', [lambda loss, A, Y: loss(A, Y),
                                  lambda loss, A, Y: loss.df(A, Y),
                                  lambda loss, A, Y: loss.check(A, Y)], ids=['value', 'slope', 'check'])
class TestY:
    def test_flat_against_a_column(self, call, loss):
        refused(ValueError, ['(5,)', '(5, 1)', 'Y[:, None]'], call, loss, np.zeros((5, 1)), np.zeros(5))
    def test_class_numbers(self, call, loss):
        cure = 'np.eye(3)[Y]' if loss is softmax_cross_entropy else '(5, 3)'
        refused(ValueError, ['(5,)', '(5, 3)', cure], call, loss, np.zeros((5, 3)), np.zeros(5, int))
    def test_other_width(self, call, loss):
        refused(ValueError, ['(5, 1)', '(5, 2)'], call, loss, np.zeros((5, 2)), np.zeros((5, 1)))
    def test_empty(self, call, loss): refused(ValueError, ['(0, 2)'], call, loss, np.zeros((0, 2)), np.zeros((0, 2)))


@pytest.mark.parametrize('loss', [squared_error, logistic_loss, logistic_loss_pm1, softmax_cross_entropy], ids=repr)
def test_targets_must_be_finite(loss):
    net = random_network([2, 2], identity, np.random.default_rng(0))
    for bad in (np.nan, np.inf):
        refused(ValueError, ['[1, 0]', str(bad)], loss.check, np.zeros((2, 2)), [[0., 1.], [bad, 0.]])
        refused(ValueError, ['[1, 0]', str(bad)], training, X[:2], [[0., 1.], [bad, 0.]], net, loss)


def test_labels_must_suit_the_loss():
    net1, net3 = (random_network([2, n], identity, np.random.default_rng(0)) for n in (1, 3))
    signs, bits, digits = np.array([[1.], [-1.]]), np.array([[1.], [0.]]), np.array([[2., 0., 1.], [0., 1., 0.]])
    for call in (lambda net, Y, loss: loss.check(forward(net, X[:2]).A[-1], Y),
                 lambda net, Y, loss: training(X[:2], Y, net, loss, batch_size=2)):
        refused(ValueError, ['logistic_loss_pm1'], call, net1, signs, logistic_loss)
        refused(ValueError, ['-1', '1'], call, net1, bits, logistic_loss_pm1)
        refused(ValueError, ['1'], call, net3, digits, softmax_cross_entropy)


def test_targets_of_training():
    refused(ValueError, ['(6,)', 'Y[:, None]'], training, Y=np.zeros(6))
    refused(ValueError, ['6', '5'], training, Y=np.zeros((5, 1)))
    refused(ValueError, ['2', '1'], training, Y=np.zeros((6, 2)))


def test_layers_that_do_not_fit():
    layers = [Layer(np.ones((2, 3)), np.ones(3), tanh), Layer(np.ones((4, 1)), np.ones(1), tanh)]
    for call in (lambda: forward(layers, X), lambda: training(net=layers)):
        refused(ValueError, ['layer 1', 'layer 0', '4', '3'], call)


def test_what_is_no_layer():
    refused(ValueError, ['(3,)', '(2,)'], Layer, np.ones((2, 3)), np.ones(2), tanh)
    refused(ValueError, ['(1, 3)', '(3,)'], Layer, np.ones((2, 3)), np.ones((1, 3)), tanh)
    refused(ValueError, ['(3,)'], Layer, np.ones(3), np.ones(3), tanh)
    refused(TypeError, ['Transfer'], Layer, np.ones((2, 3)), np.ones(3), np.tanh)
    refused(TypeError, ['W'], Layer, [['a']], [0.], tanh)
    refused(ValueError, ['no layers'], forward, [], X)
    refused(TypeError, ['net[0]'], forward, ['tanh'], X)


def test_lists_and_integers_are_converted_not_truncated():
    layer = Layer([[1, 2], [3, 4]], [0, 1], identity)
    assert layer.W.dtype == layer.b.dtype == float
    assert forward([layer], [[1, 1]]).A[-1].tolist() == [[4., 7.]]
    moved = sgd_step([layer], loss_and_grads([layer], [[1, 1]], [[0, 0]], squared_error)[1], 0.1)
    assert moved[0].W == pytest.approx(np.array([[0.6, 1.3], [2.6, 3.3]]))
    assert numeric_grad(lambda v: (v**2).sum(), np.array([3, 4])) == pytest.approx([6, 8])
    assert as_floats([1, 2]).dtype == float and as_floats(np.float32([1])).dtype == np.float32


def test_a_parameter_cannot_be_changed_in_place():
    before = NET[0].W.copy()
    with pytest.raises((ValueError, AttributeError)): NET[0].W -= 1
    np.testing.assert_array_equal(NET[0].W, before)


@pytest.mark.parametrize('dA', [np.zeros((6, 2)), np.zeros(6), np.zeros((5, 1))], ids=str)
def test_a_slope_that_does_not_fit(dA):
    refused(ValueError, ['dA', str(dA.shape), '(6, 1)'], backward, NET, forward(NET, X), dA)


@pytest.mark.parametrize('size', [0, -1, 7])
def test_batch_size_out_of_range(size): refused(ValueError, ['batch_size', str(size)], training, batch_size=size)


@pytest.mark.parametrize('size', [2.5, '3', True])
def test_batch_size_of_another_type(size): refused(TypeError, ['batch_size', repr(size)], training, batch_size=size)


@pytest.mark.parametrize('optimizer', [sgd, momentum, nesterov, rmsprop, adam], ids=lambda o: o.__name__)
def test_learning_rates(optimizer):
    for lr in (0, -0.1, np.nan, np.inf): refused(ValueError, ['lr', 'positive', repr(lr)], optimizer, lr)
    for lr in ('fast', None, True): refused(TypeError, ['lr', repr(lr)], optimizer, lr)


def test_other_settings_of_training():
    refused(ValueError, ['lr'], training, optimizer=-1)
    refused(TypeError, ['adam', 'call it'], training, optimizer=adam)
    refused(ValueError, ['epochs', '-1'], training, epochs=-1)
    refused(TypeError, ['epochs', '1.5'], training, epochs=1.5)
    refused(TypeError, ['rng'], train, NET, X, Y, squared_error, 0.1, 1, 3, 42)
    refused(ValueError, ['lr'], sgd_step, NET, loss_and_grads(NET, X, Y, squared_error)[1], -1)
    for bad in (1, -0.1): refused(ValueError, ['beta', repr(bad)], momentum, 0.1, bad)
    for size in (0, -2): refused(ValueError, ['size', str(size)], minibatches, 6, size)


@pytest.mark.parametrize('widths', [[2, 0, 1], [2, -3, 1], [0, 1], [2]], ids=str)
def test_layer_sizes_out_of_range(widths): refused(ValueError, ['widths'], random_network, widths, tanh, RNG)


def test_other_settings_of_a_random_network():
    refused(TypeError, ['widths[1]', '2.5'], random_network, [2, 2.5, 1], tanh, RNG)
    refused(ValueError, ['1 transfers', '2 layers'], random_network, [2, 3, 1], [tanh], RNG)
    refused(TypeError, ['transfers[1]'], random_network, [2, 3, 1], [tanh, 'relu'], RNG)
    refused(TypeError, ['rng', 'default_rng'], random_network, [2, 3, 1], tanh, 42)
    refused(TypeError, ['dtype'], random_network, [2, 1], tanh, RNG, dtype=int)


@pytest.mark.parametrize('make, bad', [(leaky_relu, 0), (leaky_relu, 1), (leaky_relu, -0.2),
                                       (fold, 0), (fold, 1.1), (fold, -0.2)])
def test_slopes_out_of_range(make, bad): refused(ValueError, ['slope', str(bad)], make, bad)


def test_a_diverging_run_keeps_the_last_finite_network():
    net = random_network([2, 3, 1], [relu, identity], np.random.default_rng(1))
    with np.errstate(all='raise'):  # NumPy's own warnings must not reach the caller
        with pytest.raises(TrainingDiverged) as caught: training(1e3*X, net=net, optimizer=10., epochs=50)
    error = caught.value
    assert np.isfinite(parameters(error.net)).all() and np.isfinite(error.history).all()
    assert len(error.history) == error.epoch + 1
    for word in (f'epoch {error.epoch}', f'batch {error.batch}', 'learning rate'): assert word in str(error)


def test_an_interrupted_run_keeps_its_network():
    calls = 0
    def f(z):
        nonlocal calls
        calls += 1
        if calls == 40: raise KeyboardInterrupt
        return np.tanh(z)
    mine = Transfer('mine', 'tanh(z)', '1 - tanh(z)**2', f, tanh.df)
    net = random_network([2, 3, 1], [mine, identity], np.random.default_rng(1))
    with pytest.raises(TrainingInterrupted) as caught: training(net=net, epochs=1000)
    assert np.isfinite(parameters(caught.value.net)).all() and len(caught.value.history) < 1000
    assert not np.array_equal(parameters(caught.value.net), parameters(net))


def test_training_is_reproducible_and_leaves_its_input_alone():
    before = parameters(NET).copy()
    (a, one), (b, two) = training(optimizer=adam(0.01), epochs=5), training(optimizer=adam(0.01), epochs=5)
    assert parameters(a).tobytes() == parameters(b).tobytes() and one == two and len(one) == 6
    np.testing.assert_array_equal(parameters(NET), before)


class Bomb:
    "Unpickling it would make a file"
    def __init__(self, path): self.path = path
    def __reduce__(self): return (open, (str(self.path), 'w'))


def saved(path, **changes):
    "The arrays of a saved network, some of them changed, written as an npz file"
    save_network(NET, path)
    with np.load(path) as npz: arrays = {name: npz[name] for name in npz.files}
    np.savez(path, **{name: value for name, value in (arrays | changes).items() if value is not None})
    return path


class TestSavedNetworks:
    def test_cut_off_anywhere(self, tmp_path):
        path = tmp_path/'net.npz'
        save_network(NET, path)
        whole = path.read_bytes()
        for length in range(0, len(whole), 7):
            path.write_bytes(whole[:length])
            refused(ValueError, [str(path)], load_network, path)

    def test_one_byte_changed_anywhere(self, tmp_path):
        path = tmp_path/'net.npz'
        save_network(NET, path)
        whole, loaded = path.read_bytes(), 0
        for i in range(len(whole)):
            path.write_bytes(whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i+1:])
            try: again = load_network(path)
            except ValueError as error: assert str(path) in str(error)
            else:  # a byte that no reader of zip files looks at, such as a time stamp: the network must be the same
                loaded += 1
                assert parameters(again).tobytes() == parameters(NET).tobytes()
        assert loaded < len(whole)/2

    @pytest.mark.parametrize('changes', [
        dict(version=np.array(99)),
        dict(format=np.array('other')),
        dict(W0=None),
        dict(W0=np.full((2, 3), np.nan)),
        dict(W0=np.ones((2, 4))),
        dict(b1=np.ones(2)),
        dict(W0=np.ones((2, 3), complex)),
        dict(extra=np.ones(1)),
        dict(transfers=np.array(['tanh', '__import__("os")'])),
        dict(transfers=np.array(['tanh']))], ids=lambda c: next(iter(c)))
    def test_tampered_with(self, tmp_path, changes):
        path = saved(tmp_path/'net.npz', **changes)
        refused(ValueError, [str(path)], load_network, path)

    @pytest.mark.parametrize('write', [
        pytest.param(lambda p: p.write_bytes(b''), id='empty'),
        pytest.param(lambda p: p.write_text('W = 1'), id='text'),
        pytest.param(lambda p: p.write_bytes(b'\x93NUMPY\x01\x00'), id='npy'),
        pytest.param(lambda p: zipfile.ZipFile(p, 'w').close(), id='empty zip'),
        pytest.param(lambda p: p.write_bytes(pickle.dumps([1, 2])), id='pickle')])
    def test_another_format(self, tmp_path, write):
        write(tmp_path/'net.npz')
        refused(ValueError, ['net.npz'], load_network, tmp_path/'net.npz')

    def test_nothing_in_it_is_executed(self, tmp_path):
        path, trace = tmp_path/'net.npz', tmp_path/'executed'
        saved(path, W0=np.array([Bomb(trace)], dtype=object))
        refused(ValueError, [str(path)], load_network, path)
        path.write_bytes(pickle.dumps(Bomb(trace)))
        refused(ValueError, [str(path)], load_network, path)
        assert not trace.exists()

    def test_a_save_that_fails_leaves_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path/'net.npz'
        save_network(NET, path)
        old = path.read_bytes()
        def full(*args): raise OSError('no space left on device')
        monkeypatch.setattr(os, 'fsync', full)
        with pytest.raises(OSError, match='no space'): save_network(random_network([2, 1], tanh, RNG), path)
        assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]

    def test_a_network_with_nan_is_not_saved(self, tmp_path):
        bad = [Layer([[np.nan]], [0.], tanh)]
        refused(ValueError, ['layer 0', 'W'], save_network, bad, tmp_path/'net.npz')
        assert not list(tmp_path.iterdir())

    def test_a_missing_file_is_that(self, tmp_path):
        refused(FileNotFoundError, ['none.npz'], load_network, tmp_path/'none.npz')

    def test_own_transfer_functions(self, tmp_path):
        mine = Transfer('mine', 'z**2', '2*z', lambda z: z**2, lambda z: 2*z)
        net = random_network([2, 3, 1], [mine, leaky_relu(0.3)], RNG)
        save_network(net, tmp_path/'net.npz')
        refused(ValueError, ['mine', 'transfers='], load_network, tmp_path/'net.npz')
        assert load_network(tmp_path/'net.npz', [mine])[0].transfer is mine
