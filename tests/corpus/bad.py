"""Bad calls of the doctor's two doors, drawn at random: each must end in a report or in an error in words."""
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np

from backprop_book.diagnose import diagnose, diagnose_functions
from backprop_book.loss import logistic_loss, softmax_cross_entropy, squared_error
from backprop_book.network import Grad, Layer, forward, loss_and_grads
from backprop_book.transfer import identity, relu, sigmoid, tanh

# what NumPy and Python say when something slipped past the gates
INTERNAL = re.compile(
    r"has no attribute|not subscriptable|broadcast|unsupported operand|out of (bounds|range)|cannot reshape|"
    r"matmul|ufunc|positional argument|is not iterable|not callable|array element|could not convert|unpack|"
    r"only (length|0-dim)|float\(\) argument|not supported between|invalid literal|unhashable|can't multiply|"
    r"must be an integer|indices|zip\(\)|ambiguous|not aligned|zero-size|empty sequence|has no len|sized|dtype\('|"
    r"an integer is required|object is not|max\(\)|min\(\)|arg must|concatenate|inhomogeneous|key of type|NoneType|"
    r"takes \d|SeedSequence|"
    r"unexpected keyword|bad operand|buffer|convertible|safely|dimension|list index", re.I)


class Tensor:
    "Something that NumPy can read by `__array__`, as a tensor of another library"
    def __init__(self, a): self.a = np.asarray(a)
    def __array__(self, dtype=None, copy=None): return self.a if dtype is None else self.a.astype(dtype)


class Named:
    "A record with fields of other names"
    weights, bias = np.ones((3, 4)), np.ones(4)


def things(rng):
    "Values that nobody should hand over, and some that somebody does"
    a = rng.normal(size=(rng.integers(1, 5), rng.integers(1, 5)))
    holed = a.copy()
    holed[0, 0] = rng.choice([np.nan, np.inf, -np.inf])
    return [None, 0, 1, -1, True, 1e30, 1e-30, np.nan, np.inf, 3 + 4j, 'zzz', '', b'x', [], (), {}, set(), {1, 2},
            object(), int, len, lambda *_: None, lambda *_: 'x', a, a.T, a[0], holed, a.astype(complex),
            a.astype(str), a.astype(bool), a.astype(object), a.astype('f2'), a.astype('i8'), a.tolist(),
            [[1., 2.], [3.]], [a, a[0], None], [None, None], [a.tolist()], {'W1': a}, {'dW1': a, 'db1': a[0]},
            {1: a, 'b': None}, {'W1': a, 'w1': a}, {'': 1}, {(0, 1): a}, {'W1': 'x', 'b1': 'y', 'W2': None, 'b2': 3},
            {'dW01': a, 'dWx': a}, np.ma.masked_array(a, a > 0), np.array('x'), np.array(1.), np.zeros((0, 3)),
            np.zeros((2, 0)), np.zeros((2, 2, 2, 2)), np.array([[1., None]], object), Tensor(a), Tensor([['x']]),
            [Tensor(a)], Named(), [Named(), Named()], (v for v in a), iter([a]), range(4), map(abs, [1]),
            Fraction(1, 3), Decimal('1.5'), [Decimal('1.5')], np.datetime64('2020'), np.array([np.timedelta64(1)]),
            [np.ones(3, 'M8[s]')], [[[]]], [[[[]]]], [['a', 'b']], 10**400, [10**400], np.float32(2), np.int64(-3),
            slice(3), Ellipsis, NotImplemented, ValueError('x'), Grad(a, a[0]), [Grad(a, a[0])], Grad(None, None),
            [Grad('x', 'y')]*2, Layer(np.ones((3, 2)), np.zeros(2), relu), [[a, a[0]], [a]], [a]*7, [[a]*3]*2,
            squared_error, 'squared_error', 'mse', tanh, np.random.default_rng(0), np.full((3, 4), 1e308),
            [1, [2, [3]]], memoryview(np.ones(3)), bytearray(b'ab'), np.void(b'abc'), np.zeros(3, [('x', 'f8')])]


def _usual(rng):
    "Arguments of `diagnose` that fit each other"
    out, loss = [(1, squared_error), (2, logistic_loss), (3, softmax_cross_entropy)][rng.integers(3)]
    net = [Layer(rng.normal(size=(3, 4)), rng.normal(size=4), [tanh, relu, sigmoid][rng.integers(3)]),
           Layer(rng.normal(size=(4, out)), rng.normal(size=out), identity)]
    X, Y = rng.normal(size=(5, 3)), np.eye(max(out, 2))[rng.integers(0, max(out, 2), 5)][:, :out]
    grads = loss_and_grads(net, X, Y, loss)[1]
    return dict(net=net, X=X, Y=Y, loss=loss, grads=grads, deltas=None, dAs=None, lr=None, earlier=None, seed=0)


def _inner(value, usual, rng):
    "`value` somewhere inside a list, a pair or a dictionary, where it is harder to see"
    grads = usual['grads']
    flat = [g for pair in grads for g in (pair.W, pair.b)]
    at = int(rng.integers(len(flat)))
    inside = [*flat[:at], value, *flat[at+1:]]
    return [inside, [(inside[0], inside[1]), (inside[2], inside[3])], dict(zip(('W1', 'b1', 'W2', 'b2'), inside)),
            [Grad(*inside[:2]), Grad(*inside[2:])], (inside[::2], inside[1::2]), [*flat, value], flat[:-1],
            dict(zip(('dW1', 'db1', 'dW2', 'dw2'), inside))][rng.integers(8)]


def _of_diagnose(rng):
    "Keyword arguments of a bad call"
    usual, bad = _usual(rng), things(rng)
    one = bad[rng.integers(len(bad))]
    name = rng.choice(list(usual))
    if name == 'grads' and rng.integers(2): one = _inner(one, usual, rng)
    if name in ('deltas', 'dAs') and rng.integers(2): one = [one, np.ones((5, usual['net'][1].W.shape[1]))]
    if name == 'net' and rng.integers(2): one = [usual['net'][0], one]
    if name == 'earlier' and rng.integers(2): one = forward(usual['net'], rng.normal(size=(2, 3)))
    return {**usual, name: one}


def _of_functions(rng):
    "Keyword arguments of a bad call of the second door"
    bad, w = things(rng), [rng.normal(size=(2, 3)), rng.normal(size=3)]
    one = bad[rng.integers(len(bad))]
    usual = dict(loss=lambda p: sum((a**2).sum() for a in p), grad=lambda p: [2*a for a in p], params=w, h=1e-5, seed=0)
    name = rng.choice(list(usual))
    if name in ('loss', 'grad') and rng.integers(4):
        value = [one, [one, w[1]], (one, [2*a for a in w]), [2*w[0], 2*w[1], one]][rng.integers(4)]
        return {**usual, name: lambda p: value}
    if name == 'params' and rng.integers(2): one = [w[0], one]
    return {**usual, name: one}


def bad_call(i):
    "(function, its keyword arguments) of the i-th bad call"
    rng = np.random.default_rng([7, i])
    return (diagnose, _of_diagnose(rng)) if i % 5 < 3 else (diagnose_functions, _of_functions(rng))


def in_words(error):
    "Whether an error says in words of its own what came and what was expected, or quotes what the caller's code raised"
    if re.match('(loss|grad) raised .*it was called with', str(error), re.S): return isinstance(error, ValueError)
    return isinstance(error, (ValueError, TypeError)) and len(str(error)) > 15 and not INTERNAL.search(str(error))


def outcome(i):
    "What the i-th bad call ends in: '' for a report or an error in words, else the error"
    function, arguments = bad_call(i)
    try: repr(function(**arguments))
    except Exception as error:   # of any kind
        if in_words(error): return ''
        return f'{i}: {function.__name__}: {type(error).__name__}: {error}'[:200]
    return ''
