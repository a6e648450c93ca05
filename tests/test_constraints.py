"""Networks whose numbers are shared, tied, frozen or absent: gradients, training, files, engines."""
from dataclasses import replace

import numpy as np
import pytest
from conftest import TRANSFERS, targets_for
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_book import compiled, descent, network, tape, written_out
from backprop_book.descent import (
    Optimizer,
    adam,
    momentum,
    nesterov,
    optimizer_step,
    rmsprop,
    sgd,
    sgd_step,
    train,
)
from backprop_book.loss import squared_error
from backprop_book.network import (
    Grad,
    Layer,
    assert_network_grads,
    constrain,
    forward,
    free,
    is_free,
    load_network,
    loss_and_grads,
    parameters,
    save_network,
    with_parameters,
)
from backprop_book.transfer import identity, sigmoid, tanh

SMOOTH = [t for t in TRANSFERS if t.name in ('identity', 'sigmoid', 'tanh', 'softplus')]


@st.composite
def constrained(draw, dtype=float):
    "A network in which much is said of the parameters, and a batch"
    widths = draw(st.lists(st.integers(1, 3), min_size=2, max_size=5))
    rng, net = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), []
    for size in zip(widths, widths[1:]):
        fits = [(f'W{k}', layer.W) for k, layer in enumerate(net) if layer.W.shape == size]
        fits += [(f'W{k}.T', layer.W.T) for k, layer in enumerate(net) if layer.W.T.shape == size]
        tied, W = draw(st.sampled_from([(None, None), *fits]))
        biases = draw(st.sampled_from(['neuron', 'layer', 'absent']))
        b = {'neuron': rng.normal(size=size[1]), 'layer': rng.normal(), 'absent': None}[biases]
        W = rng.normal(size=size).astype(dtype) if tied is None else W
        frozen = draw(st.sampled_from([(), (), 'W', 'b', ('W', 'b')]))
        net.append(Layer(W, b, draw(st.sampled_from(SMOOTH)), biases, frozen, tied))
    X = rng.normal(size=(4, widths[0]))
    return net, X, targets_for(squared_error, (4, widths[-1]), rng)


def places(net):
    "The places of each free number and of the fixed ones, {key: [(layer, array, index)]}, found without `constrain`"
    found, fixed = {}, set()
    for l, layer in enumerate(net):
        for (i, j), _ in np.ndenumerate(layer.W):
            k, at = l, (i, j)
            while net[k].tied:
                at = at[::-1] if net[k].tied.endswith('.T') else at
                k = int(net[k].tied.removesuffix('.T')[1:])
            found.setdefault((k, 'W', at), []).append((l, 'W', (i, j)))
            if 'W' in layer.frozen: fixed.add((k, 'W', at))
        for j in range(len(layer.b)):
            key = l, 'b', (0 if layer.biases == 'layer' else j,)
            found.setdefault(key, []).append((l, 'b', (j,)))
            if 'b' in layer.frozen or layer.biases == 'absent': fixed.add(key)
    return found, fixed


def nudged(net, where, h):
    arrays = [dict(W=layer.W.copy(), b=layer.b.copy()) for layer in net]
    for l, name, at in where: arrays[l][name][at] += h
    return [Layer(a['W'], a['b'], layer.transfer) for a, layer in zip(arrays, net)]


@settings(max_examples=60)
@given(constrained())
def test_the_slope_in_a_shared_number_is_that_of_all_its_places(problem):
    net, X, Y = problem
    grads, h = loss_and_grads(net, X, Y, squared_error)[1], 1e-5
    found, fixed = places(net)
    largest = max(1., np.abs(parameters(grads)).max())
    for key, where in found.items():
        up, down = (squared_error(forward(nudged(net, where, s), X).A[-1], Y) for s in (h, -h))
        slope = 0 if key in fixed else (up - down)/(2*h)
        for l, name, at in where:
            ours = getattr(grads[l], name)[at]
            assert abs(ours - slope) <= (0 if key in fixed else 1e-7*largest), (net, key)
    assert assert_network_grads(net, X, Y, squared_error) < 1e-6


@pytest.mark.parametrize('slip', ['forgotten', 'frozen', 'shared', 'tied'])
def test_the_check_notices_a_slope_that_is_not_that_of_the_free_numbers(slip):
    rng = np.random.default_rng(0)
    W = rng.normal(size=(2, 3))
    net = [Layer(W, .3, tanh, 'layer', 'W' if slip == 'frozen' else ()),
           Layer(W.T, None, sigmoid, 'absent', tied='W0.T')]
    X, Y = rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    raw, grads = (loss_and_grads(n, X, Y, squared_error)[1] for n in (free(net), net))
    wrong = {'forgotten': raw, 'frozen': [replace(grads[0], W=raw[0].W), grads[1]],
             'shared': [replace(grads[0], b=raw[0].b), grads[1]],
             'tied': [replace(grads[0], W=raw[0].W), grads[1]]}[slip]
    assert_network_grads(net, X, Y, squared_error, grads)
    with pytest.raises(AssertionError, match='layer 0, [Wb]: gradient'):
        assert_network_grads(net, X, Y, squared_error, wrong)


def assert_upheld(before, after):
    "All that is said of `before` holds in `after`, bit for bit"
    for old, new in zip(before, after, strict=True):
        assert (new.biases, new.frozen, new.tied) == (old.biases, old.frozen, old.tied)
        for name in new.frozen: assert (getattr(new, name) == getattr(old, name)).all()
        if new.biases == 'absent': assert not new.b.any()
        if new.biases == 'layer': assert len(set(new.b.tolist())) == 1
        if new.tied:
            owner = after[int(new.tied.removesuffix('.T')[1:])].W
            assert (new.W == (owner.T if new.tied.endswith('.T') else owner)).all()


def decay(p, g, memory): return p - .1*g - .01*p, memory    # moves what has no slope
def columns(p, g, memory): return p - .1*g/(1e-9 + np.sqrt((g**2).sum(0))), memory    # not alike in W and W.T
OWN = [Optimizer('decay', lambda p: (), decay), Optimizer('columns', lambda p: (), columns)]
BOOK = [sgd(.1), momentum(.05), nesterov(.05), rmsprop(.01), adam(.01)]


@settings(max_examples=25)
@given(constrained(), st.sampled_from([*BOOK, *OWN]), st.sampled_from([None, 1, 3]))
def test_training_keeps_what_is_said(problem, optimizer, size):
    net, X, Y = problem
    try: after, _ = train(net, X, Y, squared_error, optimizer, 20, size, np.random.default_rng(0))
    except descent.TrainingDiverged as error: after = error.net
    assert_upheld(net, after)
    if any(getattr(g, n).any() for g in loss_and_grads(net, X, Y, squared_error)[1] for n in 'Wb'):
        assert (parameters(after) != parameters(net)).any()


@pytest.mark.parametrize('optimizer', [*BOOK, *OWN], ids=str)
def test_an_autoencoder_in_float32_keeps_its_ties(optimizer):
    rng = np.random.default_rng(1)
    W = rng.normal(size=(17, 5)).astype(np.float32)
    net = [Layer(W, .1, tanh, 'layer'), Layer(W.T, np.zeros(17), identity, frozen='b', tied='W0.T')]
    X = rng.normal(size=(30, 17))
    after, history = train(net, X, X, squared_error, optimizer, 50)
    assert_upheld(net, after)
    assert after[0].W.dtype == np.float32 and history[-1] < history[0]
    assert (after[0].W != net[0].W).all() and after[0].b[0] != net[0].b[0]


def test_training_one_shared_bias_is_descent_in_one_number():
    "By hand: the loss of one row, (w + b)**2/2 + (2w + b)**2/2 with b shared, two steps"
    net, w, b = [Layer([[1., 2.]], .5, identity, 'layer')], [1., 2.], .5
    for _ in range(2):
        net = sgd_step(net, loss_and_grads(net, [[1.]], [[0., 0.]], squared_error)[1], .25)
        out = [v + b for v in w]
        w, b = [v - .25*o for v, o in zip(w, out)], b - .25*sum(out)
    assert net[0].W[0].tolist() == w and net[0].b.tolist() == [b, b]


def tied_pair():
    W = np.arange(1., 7).reshape(2, 3)/5
    return [Layer(W, .3, tanh, 'layer'), Layer(W.T, None, sigmoid, 'absent', tied='W0.T')]


@pytest.mark.parametrize('step', [lambda *a: sgd_step(*a, .1), lambda *a: optimizer_step(*a, adam(.1))])
@pytest.mark.parametrize('l, name', [(0, 'W'), (0, 'b'), (1, 'b')])
def test_gradients_of_every_single_entry_are_refused(step, l, name):
    net, X = tied_pair(), np.ones((3, 2))
    raw, grads = (loss_and_grads(n, X, X, squared_error)[1] for n in (free(net), net))
    step(net, grads)
    grads[l] = replace(grads[l], **{name: getattr(raw[l], name)})
    with pytest.raises(ValueError, match=r'call constrain\(net, grads\) first'): step(net, grads)


W, B = np.ones((2, 2)), np.zeros(2)


@pytest.mark.parametrize('args, kind, says', [
    ((W, None, tanh), TypeError, "b is None: a layer without biases says biases='absent'"),
    ((W, .5, tanh), ValueError, "one number for the whole layer: biases='layer'"),
    ((W, [0, 1], tanh, 'absent'), ValueError, "say frozen='b'"),
    ((W, [0, 1], tanh, 'layer'), ValueError, 'wants one number, or equal ones'),
    ((W, None, tanh, 'layer'), TypeError, "says biases='absent'"),
    ((W, B, tanh, 'none'), ValueError, "biases must be one of 'neuron', .* got the text 'none'"),
    ((W, B, tanh, None), ValueError, "biases must be one of .* got None"),
    ((W, B, tanh, np.ones(2)), ValueError, "biases must be one of 'neuron'"),
    ((W, B, tanh, 'neuron', 'w'), ValueError, "frozen must be 'W', 'b' or both, .* got the text 'w'"),
    ((W, B, tanh, 'neuron', True), ValueError, 'frozen must be .* got True'),
    ((W, B, tanh, 'neuron', [['W']]), ValueError, 'frozen must be'),
    ((W, B, tanh, 'neuron', (), 0), ValueError, "tied must name another layer's weights, 'W0'"),
    ((W, B, tanh, 'neuron', (), 'b0'), ValueError, 'tied must name'),
    ((W, B, tanh, 'neuron', (), 'W0.T.T'), ValueError, 'tied must name')])
def test_a_layer_refuses_what_says_nothing_of_it(args, kind, says):
    with pytest.raises(kind, match=says): Layer(*args)


@pytest.mark.parametrize('first, second, says', [
    ((W, B, tanh, 'neuron', (), 'W0'), (W, B, tanh), 'layer 0 is tied to W0: tie it to an earlier layer'),
    ((W, B, tanh, 'neuron', (), 'W1'), (W, B, tanh), 'tie it to an earlier layer'),
    ((W, B, tanh), (W, B, tanh, 'neuron', (), 'W7'), 'tie it to an earlier layer'),
    ((W, B, tanh), (2*W, B, tanh, 'neuron', (), 'W0'), 'its W holds other numbers'),
    ((W, B, tanh), (np.ones((2, 3)), np.zeros(3), tanh, 'neuron', (), 'W0'), r'of shape \(2, 2\)'),
    ((W, B, tanh), (W.astype(np.float32), B, tanh, 'neuron', (), 'W0'), 'is float64 .* its W is float32')])
@pytest.mark.parametrize('call', [
    lambda net: forward(net, [[1., 2.]]), lambda net: constrain(net, [Grad(W, B)]*2),
    lambda net: save_network(net, '/nonexistent/net.npz')])
def test_a_network_refuses_ties_that_do_not_hold(first, second, says, call):
    with pytest.raises(ValueError, match=says): call([Layer(*first), Layer(*second)])


def test_what_is_said_is_kept_by_replace_and_by_a_vector_and_shown():
    net = tied_pair()
    again = with_parameters(net, parameters(net))
    assert [repr(layer) for layer in again] == [repr(layer) for layer in net] == [
        "Layer(2 -> 3, tanh, float64, biases='layer')",
        "Layer(3 -> 2, sigmoid, float64, biases='absent', tied='W0.T')"]
    assert not is_free(net) and is_free(free(net)) and (parameters(free(net)) == parameters(net)).all()
    with pytest.raises(ValueError, match='wants one number'): with_parameters(net, np.arange(17.))
    assert replace(net[0], frozen=['b', 'W']).frozen == ('W', 'b')


def test_a_free_network_is_what_it_was():
    rng = np.random.default_rng(0)
    net = [Layer(rng.normal(size=(3, 2)), rng.normal(size=2), tanh)]
    grads = [Grad(rng.normal(size=(3, 2)), rng.normal(size=2))]
    assert constrain(net, grads) is grads and network.settle(net, net) is net


@settings(max_examples=20)
@given(constrained(), st.booleans())
def test_a_file_keeps_what_is_said(tmp_path_factory, problem, single):
    net = problem[0]
    if single: net = [replace(l, W=l.W.astype(np.float32), b=l.b.astype(np.float32)) for l in net]
    path = tmp_path_factory.mktemp('net')/'net.npz'
    save_network(net, path)
    again = load_network(path)
    assert_upheld(net, again)
    assert parameters(again).tobytes() == parameters(net).tobytes()
    with np.load(path) as file: assert ('tied' in file) == (not is_free(net))


@pytest.mark.parametrize('change', [dict(biases=['neuron', 'absent']), dict(tied=['', 'W0']), dict(frozen=['x', ''])])
def test_a_file_that_contradicts_itself_is_refused(tmp_path, change):
    path, net = tmp_path/'net.npz', [Layer([[1., 2]], .5, tanh, 'layer'), Layer([[1.], [2]], [1.], tanh)]
    save_network(net, path)
    with np.load(path) as file: arrays = dict(file)
    np.savez(path, **arrays | change)
    with pytest.raises(ValueError, match='holds no network that can be loaded: layer'): load_network(path)
    del arrays['tied']
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match='it has no array'): load_network(path)


@pytest.mark.parametrize('engine', [tape, written_out, compiled], ids=lambda m: m.__name__.split('.')[1])
@pytest.mark.parametrize('optimizer', [sgd(.1), adam(.01)], ids=str)
@pytest.mark.parametrize('size', [None, 2])
def test_the_engines_train_it_as_descent_does(engine, optimizer, size):
    if engine is compiled: pytest.importorskip('numba'), pytest.importorskip('scipy')
    net, X = tied_pair(), np.random.default_rng(0).normal(size=(5, 2))
    run = [f(net, X, X, squared_error, optimizer, 6, size, np.random.default_rng(0)) for f in (train, engine.train)]
    (ours, our_losses), (theirs, their_losses) = run
    assert our_losses == their_losses and (parameters(ours) == parameters(theirs)).all()
    assert_upheld(net, theirs)


def test_a_list_or_a_program_of_it_is_refused():
    net = tied_pair()
    for make in (lambda: tape.record(net, squared_error, 1), lambda: written_out.derive(net, squared_error),
                 lambda: written_out.write(net, squared_error, .1)):
        with pytest.raises(ValueError, match=r'free\(net\)'): make()
    assert tape.record(free(net), squared_error, 1)
