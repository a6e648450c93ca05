"""Right gradients of networks, for the first door: computed by a pass of this module's own, in float64 or in float32.

A kind says what is hard about a case (saturated, inputs of 10,000, tiny weights, ...) or how it is handed over
(columns, dictionaries, ...). `case(kind, i)` is the i-th case of a kind: always the same.
"""
import inspect
from dataclasses import dataclass, field

import numpy as np

from backprop_book.diagnose import diagnose
from backprop_book.loss import logistic_loss, logistic_loss_pm1, softmax_cross_entropy, squared_error
from backprop_book.network import Grad, Layer
from backprop_book.transfer import identity, leaky_relu, relu, sigmoid, softplus, tanh
from corpus.slip import cross_entropy, whole_square

KNOWN = set(inspect.signature(diagnose).parameters)
SMOOTH, KINKED = [identity, sigmoid, tanh, softplus], [relu, leaky_relu(0.1)]
LOSSES = [squared_error, logistic_loss, logistic_loss_pm1, softmax_cross_entropy, whole_square]


@dataclass
class Right:
    "A right gradient, as it would be handed to `diagnose`"
    net: list
    X: np.ndarray
    Y: np.ndarray
    loss: object
    grads: object
    options: dict = field(default_factory=dict)
    reading: str = ''   # what a verdict may say instead of 'right', where the shapes leave two readings

    def report(self):
        "The report; KeyError for an argument that `diagnose` does not have"
        if unknown := set(self.options) - KNOWN: raise KeyError(f'diagnose takes no {", ".join(unknown)}')
        return diagnose(self.net, self.X, self.Y, self.loss, self.grads, **self.options)


# ---- a pass of our own: values and slopes as people write them ----
def _sig(z): return 1/(1 + np.exp(-z))


def _leak(z): return np.where(z > 0, z.dtype.type(1), z.dtype.type(0.1))


WAYS = {   # name -> value, slope, slope by another way, each of z, the value and 1 in the dtype of z
    'identity': (lambda z: z, lambda z, a, one: np.ones_like(z), lambda z, a, one: np.ones_like(z)),
    'sigmoid': (_sig, lambda z, s, one: s*(one - s), lambda z, s, one: s - s*s),
    'tanh': (np.tanh, lambda z, t, one: one - t**2, lambda z, t, one: (one - t)*(one + t)),
    'softplus': (lambda z: np.logaddexp(z.dtype.type(0), z), lambda z, a, one: _sig(z), lambda z, a, one: _sig(z)),
    'relu': (lambda z: np.where(z > 0, z, z.dtype.type(0)), *2*[lambda z, a, one: (z > 0).astype(z.dtype)]),
    'leaky_relu(0.1)': (lambda z: _leak(z)*z, *2*[lambda z, a, one: _leak(z)])}


def _value(z, name): return WAYS[name][0](z)
def _slope(z, a, name, way=1): return WAYS[name][way](z, a, z.dtype.type(1))


def _loss_slope(name, A, Y):
    "dL/dA without the 1/n"
    if name == 'squared_error': return A - Y
    if name == 'whole_square': return 2*(A - Y)
    if name == 'logistic_loss': return _sig(A) - Y
    if name == 'logistic_loss_pm1': return -Y*_sig(-Y*A)
    if name == 'cross_entropy': return (A - Y)/(A*(1 - A))
    E = np.exp(A - A.max(1, keepdims=True))
    return E/E.sum(1, keepdims=True) - Y


def own_pass(net, X, Y, loss, dtype=float, other_way=False, at_kink=0., by_rows=False):
    "([(dW, db), ...], [delta, ...]) in `dtype`; `by_rows` adds up row by row, `at_kink` is 0 left, 1 right of a kink"
    with np.errstate(over='ignore', under='ignore', invalid='ignore', divide='ignore'):
        X, Y = X.astype(dtype), Y.astype(dtype)
        A, slopes, weights = [X], [], [layer.W.astype(dtype) for layer in net]
        for W, layer in zip(weights, net):
            z = A[-1] @ W + layer.b.astype(dtype)
            a = _value(z, layer.transfer.name)
            slope, other = [_slope(z, a, layer.transfer.name, way) for way in (1, 2)]
            if layer.transfer in KINKED:
                other = slope = np.where(z == 0, slope + (1 - slope)*z.dtype.type(at_kink), slope)
            A.append(a)
            slopes.append(other if other_way else slope)
        delta, grads, deltas = _loss_slope(loss.name, A[-1], Y)/z.dtype.type(len(X)), [], []
        for i in reversed(range(len(net))):
            delta = delta*slopes[i]
            grads.append(_adding_rows(A[i], delta) if by_rows else (A[i].T @ delta, delta.sum(0)))
            deltas.append(delta)
            delta = delta @ weights[i].T
    return grads[::-1], deltas[::-1]


def _adding_rows(A, delta):
    dW, db = np.zeros((A.shape[1], delta.shape[1]), A.dtype), np.zeros(delta.shape[1], A.dtype)
    for a, d in zip(A, delta):
        dW += np.outer(a, d)
        db += d
    return dW, db


# ---- networks ----
def _targets(loss, shape, rng):
    if loss is softmax_cross_entropy: return np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]
    if loss is logistic_loss_pm1: return rng.choice([-1., 1.], shape)
    if loss in (logistic_loss, cross_entropy): return rng.integers(0, 2, shape).astype(float)
    return rng.normal(size=shape)


def _exact(a): return np.asarray(a).astype('f4').astype(float)   # in float32 it is the same number


def network(rng, depth=(1, 4), rows=(1, 8), widths=(1, 5), transfers=None, losses=LOSSES, scale=1., biases='neuron'):
    "A network, X, Y and a loss, in numbers that float32 holds too"
    loss = losses[rng.integers(len(losses))]
    wide = rng.integers(widths[0], widths[1] + 1, rng.integers(depth[0], depth[1] + 1) + 1)
    if loss is softmax_cross_entropy: wide[-1] = max(2, wide[-1])
    net, choice = [], transfers or [*SMOOTH, *KINKED]
    for k, (i, o) in enumerate(zip(wide, wide[1:])):
        t = choice[rng.integers(len(choice))]
        if k == len(wide) - 2 and loss in LOSSES[1:4]: t = identity
        if k == len(wide) - 2 and loss is cross_entropy: t = sigmoid
        W, b = scale*rng.normal(size=(i, o))/np.sqrt(i), scale*rng.normal(0, .5, o)
        net.append(_layer(_exact(W), _exact(b), t, biases))
    n = int(rng.integers(rows[0], rows[1] + 1))
    return net, _exact(rng.normal(size=(n, wide[0]))), _exact(_targets(loss, (n, wide[-1]), rng)), loss


def _layer(W, b, t, biases):
    if biases == 'neuron': return Layer(W, b, t)
    b = np.zeros(len(b)) if biases == 'absent' else np.full(len(b), b[0])
    try: return Layer(W, b, t, biases)
    except TypeError: raise KeyError('a Layer cannot say what biases it has') from None


def _single(net): return [Layer(layer.W.astype('f4'), layer.b, layer.transfer) for layer in net]


def _plain(rng, net, X, Y, loss, dtype=None, **way):
    "A case whose gradient comes from our own pass, by ways chosen at random"
    dtype = dtype or float
    way = dict(other_way=bool(rng.integers(2)), by_rows=bool(rng.integers(2))) | way
    return Right(net, X, Y, loss, own_pass(net, X, Y, loss, dtype, **way)[0])


# ---- what is hard about the numbers: each takes (rng, **what to ask of the network) ----
def plain(rng): return network(rng)
def saturated(rng): return network(rng, transfers=[sigmoid, tanh], scale=rng.choice([8., 20., 60.]), losses=LOSSES)
def inputs_of_1e4(rng):
    net, X, Y, loss = network(rng)
    return net, _exact(1e4*X), Y, loss
def weights_of_1e_8(rng): return network(rng, scale=1e-8)
def eight_layers(rng): return network(rng, depth=(8, 8))
def one_row(rng): return network(rng, rows=(1, 1))
def duplicate_rows(rng):
    net, X, Y, loss = network(rng, rows=(1, 3))
    return net, np.repeat(X, 3, 0), np.repeat(Y, 3, 0), loss
def zero_rows(rng):
    net, X, Y, loss = network(rng, rows=(2, 8))
    X[rng.integers(0, 2, len(X)) == 0] = 0
    return net, X, Y, loss
def kinks(rng):
    "Whole numbers: many a net input is 0 exactly"
    net, X, Y, loss = network(rng, transfers=KINKED, losses=[squared_error, logistic_loss])
    net = [Layer(np.round(2*layer.W), np.round(layer.b), layer.transfer) for layer in net]
    return net, np.round(X), Y, loss
def beside_a_kink(rng):
    "A net input within 1e-6 of 0"
    net, X, Y, loss = network(rng, transfers=KINKED)
    W, b, row = net[0].W, np.array(net[0].b), rng.integers(len(X))
    b[0] = _exact(np.array(rng.choice([-1e-6, 1e-6, 1e-7]) - X[row] @ W[:, 0]))
    return [Layer(W, b, net[0].transfer), *net[1:]], X, Y, loss
def large_losses(rng):
    net, X, Y, loss = network(rng, losses=[squared_error, whole_square])
    return net, X, _exact(1e6*Y), loss
def tiny_losses(rng):
    "Targets that the outputs meet to 9 digits"
    net, X, Y, loss = network(rng, losses=[squared_error, whole_square])
    A = X
    for layer in net: A = _value(A @ layer.W + layer.b, layer.transfer.name)
    return net, X, A*(1 + 1e-9*rng.normal(size=A.shape)), loss
def large_logits(rng): return network(rng, losses=LOSSES[1:4], scale=100.)
def dead_units(rng):
    net, X, Y, loss = network(rng, transfers=[relu])
    return [Layer(layer.W, layer.b - 3., layer.transfer) for layer in net], X, Y, loss
def many_rows(rng): return network(rng, rows=(60, 200), widths=(3, 20), depth=(1, 3))
def mixed_scales(rng):
    net, X, Y, loss = network(rng)
    net = [Layer(_exact(layer.W*10.**rng.integers(-4, 3, layer.W.shape)), layer.b, layer.transfer) for layer in net]
    return net, X, Y, loss
def shares(rng): return network(rng, losses=[cross_entropy], scale=rng.choice([1., 3.]))


NUMBERS = [plain, saturated, inputs_of_1e4, weights_of_1e_8, eight_layers, one_row, duplicate_rows, zero_rows, kinks,
           beside_a_kink, large_losses, tiny_losses, large_logits, dead_units, many_rows, mixed_scales, shares]


# ---- in which precision ----
def in_float64(rng, numbers):
    case = numbers(rng)
    return _plain(rng, *case, at_kink=rng.choice([0., 1., 0.5]) if numbers is kinks else 0.)
def in_float32(rng, numbers):
    "A network of float32, its gradient in float32"
    net, X, Y, loss = numbers(rng)
    Y = _exact(Y)
    return _plain(rng, _single(net), X.astype('f4'), Y.astype('f4'), loss, 'f4')
def float32_told_in_float64(rng, numbers):
    "Computed in float32, and handed over as Python's numbers"
    net, X, Y, loss = numbers(rng)
    case = _plain(rng, net, X, _exact(Y), loss, 'f4')
    case.grads = [(w.astype(float).tolist(), b.astype(float).tolist()) for w, b in case.grads]
    return case


# ---- how it is handed over ----
def _handed(rng, give, **ask):
    net, X, Y, loss = network(rng, **ask)
    pairs, deltas = own_pass(net, X, Y, loss)
    return Right(net, X, Y, loss, *give(pairs, deltas, X, net))


def _oblong(rng):
    "No square layer, so that shapes tell columns from rows"
    while True:
        case = network(rng)
        if all(layer.W.shape[0] != layer.W.shape[1] for layer in case[0]): return case


def columns(rng):
    net, X, Y, loss = _oblong(rng)
    pairs, _ = own_pass(net, X, Y, loss)
    return Right(net, X, Y, loss, [g for w, b in pairs for g in (w.T, b[:, None])])
def columns_in_a_dictionary(rng):
    net, X, Y, loss = _oblong(rng)
    pairs, _ = own_pass(net, X, Y, loss)
    named = [(f'd{k}{i}', g) for i, (w, b) in enumerate(pairs, 1) for k, g in (('W', w.T), ('b', b[:, None]))]
    return Right(net, X, Y, loss, {named[j][0]: named[j][1] for j in rng.permutation(len(named))})
def square_columns(rng):
    return _handed(rng, lambda pairs, *_: ([g for w, b in pairs for g in (w.T, b[:, None])], {'layout': 'columns'}),
                   widths=(3, 3), depth=(1, 3))
def square_columns_without_a_word(rng):
    return _handed(rng, lambda pairs, *_: ([g for w, b in pairs for g in (w.T, b[:, None])], {}, 'right in columns'),
                   widths=(3, 3))
def records(rng): return _handed(rng, lambda pairs, *_: ([Grad(w, b) for w, b in pairs],))
def one_vector(rng): return _handed(rng, lambda pairs, *_: (np.concatenate([g.ravel() for p in pairs for g in p]),))
def flat_list(rng): return _handed(rng, lambda pairs, *_: ([g for pair in pairs for g in pair],))
def dictionary(rng):
    first, start = rng.choice(['d', '', 'grad_', 'd_']), rng.integers(0, 2)
    def give(pairs, *_):
        named = [(f'{first}{k}{i}', g) for i, pair in enumerate(pairs, start) for k, g in zip('Wb', pair)]
        return ({named[j][0]: named[j][1] for j in rng.permutation(len(named))},)
    return _handed(rng, give)
def two_lists(rng): return _handed(rng, lambda pairs, *_: (tuple(map(list, zip(*pairs))),))
def biases_as_a_row(rng): return _handed(rng, lambda pairs, *_: ([np.vstack([w, b]) for w, b in pairs],), widths=(2, 5))
def no_biases(rng): return _handed(rng, lambda pairs, *_: ([w for w, _ in pairs],), biases='absent')
def no_biases_in_a_dictionary(rng):
    return _handed(rng, lambda pairs, *_: ({f'dW{i}': w for i, (w, _) in enumerate(pairs, 1)},), biases='absent')
def one_bias_a_layer(rng):
    return _handed(rng, lambda pairs, *_: ([(w, b.sum()) for w, b in pairs],), biases='layer')
def mean_in_the_weights(rng):
    "Deltas without the 1/n, which comes in dW and db"
    return _handed(rng, lambda pairs, deltas, X, net: (pairs, {'deltas': [len(X)*d for d in deltas]}), rows=(2, 8))
def with_deltas(rng): return _handed(rng, lambda pairs, deltas, X, net: (pairs, {'deltas': deltas}))
def with_decay(rng):
    rate = float(rng.choice([1e-4, 0.01, 0.1, 1.]))
    def give(pairs, deltas, X, net):
        return [(w + rate*layer.W, b) for (w, b), layer in zip(pairs, net)], {'decay': rate}
    return _handed(rng, give)
def printed(rng):
    "Copied from a page, with so many significant digits"
    k = int(rng.integers(4, 9))
    def rounded(a): return np.array([float(f'{v:.{k}g}') for v in a.ravel()]).reshape(a.shape).tolist()
    return _handed(rng, lambda pairs, *_: ([(rounded(w), rounded(b)) for w, b in pairs],))
def printed_decimals(rng):
    "As NumPy prints an array: 8 decimals"
    return _handed(rng, lambda pairs, *_: ([(w.round(8), b.round(8)) for w, b in pairs],))
def difference_quotients(rng):
    net, X, Y, loss = network(rng, transfers=SMOOTH, widths=(1, 4), depth=(1, 3))
    h = float(rng.choice([1e-4, 1e-5, 1e-6]))
    def loss_at(Ws, bs):
        A = X
        for W, b, layer in zip(Ws, bs, net): A = layer.transfer(A @ W + b)
        return loss(A, Y)
    Ws, bs = [np.array(layer.W) for layer in net], [np.array(layer.b) for layer in net]
    def slopes(a):
        g = np.zeros_like(a)
        for j in np.ndindex(*a.shape):
            here, a[j] = a[j], a[j] + h
            high, a[j] = loss_at(Ws, bs), here - h
            g[j], a[j] = (high - loss_at(Ws, bs))/(2*h), here
        return g
    return Right(net, X, Y, loss, [(slopes(W), slopes(b)) for W, b in zip(Ws, bs)])


FORMS = [columns, columns_in_a_dictionary, square_columns, square_columns_without_a_word, records, one_vector,
         flat_list, dictionary, two_lists, biases_as_a_row, no_biases, no_biases_in_a_dictionary, one_bias_a_layer,
         mean_in_the_weights, with_deltas, with_decay, printed, printed_decimals, difference_quotients]
FORM_NAMES = {form.__name__ for form in FORMS}
KINDS = {f'{how.__name__}, {what.__name__}': (how, what) for how in (in_float64, in_float32, float32_told_in_float64)
         for what in NUMBERS} | {form.__name__: (form,) for form in FORMS}


def case(kind, i, draw=()):
    "The i-th right gradient of a kind (in another `draw`): the first that its generator draws whose numbers are finite"
    how, *what = KINDS[kind]
    rng = np.random.default_rng([*draw, list(KINDS).index(kind), i])
    while True:
        drawn = how(rng, *what)
        if kind in FORM_NAMES or all(np.isfinite(g).all() for pair in drawn.grads for g in pair): return drawn


def cases(total=2000):
    "(kind, i) of so many cases, of all kinds alike"
    kinds = list(KINDS)
    return [(kinds[j % len(kinds)], j//len(kinds)) for j in range(total)]
