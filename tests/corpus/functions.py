"""Right gradients of functions of lists of arrays, for the second door: networks by our own pass, and other losses.

Each loss comes with its gradient, both written here, and is computed in a precision as people have it: float64, float32
throughout, float32 inside behind a float64 number, float32 in the gradient alone, ...
"""
from dataclasses import dataclass

import numpy as np

from backprop_book.diagnose import diagnose_functions
from corpus import right
from corpus.right import _loss_slope, _slope, _value


@dataclass
class RightFunctions:
    "A loss, its gradient, and where"
    loss: object
    grad: object
    params: list
    reading: str = ''   # as at the first door: there is one reading here

    def report(self): return diagnose_functions(self.loss, self.grad, self.params)


# ---- other losses than a network's: each gives params, data, loss(params, data), grad(params, data) ----
def quartic(rng):
    return ([rng.normal(size=(3, 2)), rng.normal(size=4)], [], lambda p, _: sum(((w*w - 1)**2).sum() for w in p),
            lambda p, _: [4*w*(w*w - 1) for w in p])


def valley(rng):
    def loss(p, _): return (100*(p[0][1:] - p[0][:-1]**2)**2).sum() + ((1 - p[0][:-1])**2).sum()
    def grad(p, _):
        x = p[0]
        g, gap = np.zeros_like(x), x[1:] - x[:-1]**2
        g[:-1] = -400*x[:-1]*gap - 2*(1 - x[:-1])
        g[1:] += 200*gap
        return [g]
    return [rng.normal(size=5)], [], loss, grad


def hinge(rng):
    X, y = rng.normal(size=(12, 3)), rng.choice([-1., 1.], 12)
    def loss(p, d): return np.maximum(0, 1 - d[1]*(d[0] @ p[0] + p[1])).mean() + (p[0]**2).sum()/20
    def grad(p, d):
        on = (d[1]*(d[0] @ p[0] + p[1]) < 1)*d[1]
        return [-(d[0].T @ on)/len(on) + p[0]/10, -on.sum()/len(on)]
    return [rng.normal(size=3), np.array(rng.normal())], [X, y], loss, grad


def huber(rng):
    X, y = rng.normal(size=(9, 4)), 3*rng.normal(size=9)
    def loss(p, d):
        r = np.abs(d[0] @ p[0] - d[1])
        return np.where(r < 1, r*r/2, r - 1/2).sum()
    return [rng.normal(size=4)], [X, y], loss, lambda p, d: [d[0].T @ np.clip(d[0] @ p[0] - d[1], -1, 1)]


def log_sum_exp(rng):
    def loss(p, d):
        z = d[0] @ p[0]
        return np.log(np.exp(z - z.max()).sum()) + z.max() - d[1] @ p[0]
    def grad(p, d):
        z = d[0] @ p[0]
        e = np.exp(z - z.max())
        return [d[0].T @ (e/e.sum()) - d[1]]
    return [rng.normal(size=5)], [rng.normal(size=(7, 5)), rng.normal(size=5)], loss, grad


def ridge(rng):
    X, Y, lam = rng.normal(size=(8, 3)), rng.normal(size=(8, 2)), float(rng.choice([1e-3, 0.1, 10.]))
    def loss(p, d): return ((d[0] @ p[0] + p[1] - d[1])**2).mean() + lam*(p[0]**2).sum()
    def grad(p, d):
        e = 2*(d[0] @ p[0] + p[1] - d[1])/d[1].size
        return [d[0].T @ e + 2*lam*p[0], e.sum(0)]
    return [rng.normal(size=(3, 2)), rng.normal(size=2)], [X, Y], loss, grad


def log_determinant(rng):
    "The Gaussian's likelihood, S = L L': log det S + trace(S^-1 C)"
    C = np.cov(rng.normal(size=(3, 20)))
    def loss(p, d):
        L = np.linalg.cholesky(p[0] @ p[0].T + np.eye(3, dtype=p[0].dtype))
        half = np.linalg.inv(L)
        return 2*np.log(np.diag(L)).sum() + np.trace(half @ d[0] @ half.T)
    def grad(p, d):
        inverse = np.linalg.inv(p[0] @ p[0].T + np.eye(3, dtype=p[0].dtype))
        return [2*(inverse - inverse @ d[0] @ inverse) @ p[0]]
    return [rng.normal(size=(3, 3))], [C], loss, grad


def cosine(rng):
    def loss(p, _): return 1 - p[0] @ p[1]/(np.linalg.norm(p[0])*np.linalg.norm(p[1]))
    def grad(p, _):
        u, v = [w/np.linalg.norm(w) for w in p]
        return [-(v - u*(u @ v))/np.linalg.norm(p[0]), -(u - v*(u @ v))/np.linalg.norm(p[1])]
    return [rng.normal(size=6), rng.normal(size=6)], [], loss, grad


def factors(rng):
    R, known = rng.normal(size=(5, 4)), rng.integers(0, 2, (5, 4)).astype(float)
    def grad(p, d):
        E = d[1]*(p[0] @ p[1].T - d[0])
        return [E @ p[1] + p[0]/100, E.T @ p[0] + p[1]/100]
    def loss(p, d): return (d[1]*(p[0] @ p[1].T - d[0])**2).sum()/2 + ((p[0]**2).sum() + (p[1]**2).sum())/200
    return [rng.normal(size=(5, 2)), rng.normal(size=(4, 2))], [R, known], loss, grad


def waves(rng):
    return ([rng.normal(size=(2, 3))], [], lambda p, _: np.sin(20*p[0]).sum() + (p[0]**2).sum(),
            lambda p, _: [20*np.cos(20*p[0]) + 2*p[0]])


def lasso(rng):
    "Absolute values, some of them at their kink"
    w = rng.normal(size=6)*rng.integers(0, 2, 6)
    return ([w], [rng.normal(size=6)], lambda p, d: ((p[0] - d[0])**2).sum() + np.abs(p[0]).sum(),
            lambda p, d: [2*(p[0] - d[0]) + np.sign(p[0])])


def largest(rng):
    def grad(p, _):
        g = np.zeros_like(p[0])
        g[np.arange(len(g)), p[0].argmax(1)] = 1
        return [g]
    return [rng.normal(size=(4, 3))], [], lambda p, _: p[0].max(1).sum(), grad


def heavy_tails(rng):
    def grad(p, d): return [d[0].T @ (2*(d[0] @ p[0] - d[1])/(1 + (d[0] @ p[0] - d[1])**2))]
    return ([rng.normal(size=3)], [rng.normal(size=(9, 3)), 5*rng.normal(size=9)],
            lambda p, d: np.log1p((d[0] @ p[0] - d[1])**2).sum(), grad)


def counts(rng):
    X, y = rng.normal(size=(8, 3)), rng.poisson(2, 8).astype(float)
    return ([rng.normal(size=3), np.array(0.3)], [X, y],
            lambda p, d: (np.exp(d[0] @ p[0] + p[1]) - d[1]*(d[0] @ p[0] + p[1])).mean(),
            lambda p, d: [d[0].T @ (np.exp(d[0] @ p[0] + p[1]) - d[1])/8, (np.exp(d[0] @ p[0] + p[1]) - d[1]).mean()])


def attention(rng):
    "softmax(Q K') V, summed against a weight"
    def parts(p):
        S = p[0] @ p[1].T
        E = np.exp(S - S.max(1, keepdims=True))
        return E/E.sum(1, keepdims=True)
    def grad(p, d):
        P = parts(p)
        dP = d[0] @ p[2].T
        dS = P*(dP - (dP*P).sum(1, keepdims=True))
        return [dS @ p[1], dS.T @ p[0], P.T @ d[0]]
    return ([rng.normal(size=(3, 2)), rng.normal(size=(4, 2)), rng.normal(size=(4, 2))], [rng.normal(size=(3, 2))],
            lambda p, d: (d[0]*(parts(p) @ p[2])).sum(), grad)


def convolution(rng):
    def windows(d): return np.stack([d[0][:, k:k+6] for k in range(3)], -1)   # (rows, 6, 3)
    def loss(p, d): return (np.tanh(np.einsum('nik,kc->nic', windows(d), p[0][:, 0]))**2).mean()
    def grad(p, d):
        a = np.tanh(np.einsum('nik,kc->nic', windows(d), p[0][:, 0]))
        return [np.einsum('nik,nic->kc', windows(d), 2*a*(1 - a*a)/a.size)[:, None]]
    return [rng.normal(size=(3, 1, 2))], [rng.normal(size=(4, 8))], loss, grad


def large(rng):
    return ([rng.normal(size=(50, 40))], [rng.normal(size=(50, 40))], lambda p, d: ((p[0] - d[0])**2).mean(),
            lambda p, d: [2*(p[0] - d[0])/p[0].size])


def unused(rng):
    return ([rng.normal(size=3), rng.normal(size=(2, 2))], [], lambda p, _: (p[0]**3).sum(),
            lambda p, _: [3*p[0]**2, np.zeros_like(p[1])])


def ill_conditioned(rng):
    return ([rng.normal(size=8)], [10.**np.arange(-6, 2)], lambda p, d: (d[0]*p[0]**2).sum()/2,
            lambda p, d: [d[0]*p[0]])


def barrier(rng):
    return ([rng.uniform(0.5, 2, 5)], [], lambda p, _: (p[0] - np.log(p[0])).sum(), lambda p, _: [1 - 1/p[0]])


def far_from_zero(rng):
    "A large constant part, as a likelihood has"
    return ([rng.normal(size=4)], [rng.normal(size=4)], lambda p, d: ((p[0] - d[0])**2).sum() + 1000,
            lambda p, d: [2*(p[0] - d[0])])


def at_the_minimum(rng):
    c = rng.normal(size=5)
    return [c + 1e-6*rng.normal(size=5)], [c], lambda p, d: ((p[0] - d[0])**2).sum(), lambda p, d: [2*(p[0] - d[0])]


OTHERS = [quartic, valley, hinge, huber, log_sum_exp, ridge, log_determinant, cosine, factors, waves, lasso, largest,
          heavy_tails, counts, attention, convolution, large, unused, ill_conditioned, barrier, far_from_zero,
          at_the_minimum]


# ---- networks: with the same sorts of numbers as at the first door ----
def _loss_value(name, A, Y):
    if name == 'squared_error': return ((A - Y)**2).sum()/(2*len(A))
    if name == 'whole_square': return ((A - Y)**2).sum()/len(A)
    if name == 'logistic_loss': return (np.logaddexp(0, A) - Y*A).sum()/len(A)
    if name == 'logistic_loss_pm1': return np.logaddexp(0, -Y*A).sum()/len(A)
    if name == 'cross_entropy': return -(Y*np.log(A) + (1 - Y)*np.log(1 - A)).sum()/len(A)
    top = A.max(1, keepdims=True)
    return (np.log(np.exp(A - top).sum(1)) + top[:, 0] - (Y*A).sum(1)).sum()/len(A)


def _network(numbers):
    "A network of the first door's sort, with weights and biases as parameters"
    def make(rng):
        net, X, Y, loss = numbers(rng)
        names = [layer.transfer.name for layer in net]
        def forward(p, X):
            A, Z = [X], []
            for W, b, name in zip(p[::2], p[1::2], names):
                Z.append(A[-1] @ W + b)
                A.append(_value(Z[-1], name))
            return Z, A
        def value(p, d): return _loss_value(loss.name, forward(p, d[0])[1][-1], d[1])
        def grad(p, d):
            Z, A = forward(p, d[0])
            delta, grads = _loss_slope(loss.name, A[-1], d[1])/len(A[-1]), []
            for W, z, a, out, name in zip(p[-2::-2], Z[::-1], A[-2::-1], A[:0:-1], names[::-1]):
                delta = delta*_slope(z, out, name)
                grads = [a.T @ delta, delta.sum(0), *grads]
                delta = delta @ W.T
            return grads
        return [np.array(a) for layer in net for a in (layer.W, layer.b)], [X, right._exact(Y)], value, grad
    make.__name__ = f'network, {numbers.__name__}'
    return make


NETWORKS = [_network(numbers) for numbers in right.NUMBERS]


# ---- in which precision ----
def _single(arrays): return [np.asarray(a, 'f4') for a in arrays]


def _exactly(params, data, loss, grad):
    "With parameters and data that float32 holds too: in another precision it is the same problem"
    return [right._exact(p) for p in params], [right._exact(d) for d in data], loss, grad


def in_float64(make):
    return make[0], lambda p: make[2](p, make[1]), lambda p: make[3](p, make[1])


def in_float32(make):
    "Everything cast on the way in; the loss and the gradients come back in float32"
    params, data, loss, grad = make
    data = _single(data)
    return (_single(params), lambda p: np.float32(loss(_single(p), data)),
            lambda p: _single(grad(_single(p), data)))


def float32_behind_float64(make):
    "Float32 inside, and Python's floats outside"
    params, data, loss, grad = make
    data = _single(data)
    return (params, lambda p: float(loss(_single(p), data)),
            lambda p: [g.astype(float) for g in _single(grad(_single(p), data))])


def gradient_in_float32(make):
    params, data, loss, grad = make
    few = _single(data)
    return _single(params), lambda p: loss(p, data), lambda p: _single(grad(_single(p), few))


def parameters_cast_inside(make):
    "The parameters are cast to float32, and all else is in float64"
    params, data, loss, grad = make
    def cast(p): return [a.astype(float) for a in _single(p)]
    return params, lambda p: loss(cast(p), data), lambda p: grad(cast(p), data)


def loss_alone_in_float32(make):
    params, data, loss, grad = make
    few = _single(data)
    return params, lambda p: float(loss(_single(p), few)), lambda p: grad(p, data)


PRECISIONS = [in_float64, in_float32, float32_behind_float64, gradient_in_float32, parameters_cast_inside,
              loss_alone_in_float32]
# where the outputs meet the targets to 8 digits, a gradient in float32 is nothing but rounding: against a loss in
# float64 nobody could call that right
NOISE = ('gradient_in_float32, network, tiny_losses',)
KINDS = {name: (how, make) for make in [*OTHERS, *NETWORKS] for how in PRECISIONS
         if (name := f'{how.__name__}, {make.__name__}') not in NOISE}


def case(kind, i, draw=()):
    "The i-th right gradient of a kind (in another `draw`): the first that its generator draws whose numbers are finite"
    how, make = KINDS[kind]
    rng = np.random.default_rng([*draw, list(KINDS).index(kind), i])
    while True:
        params, loss, grad = how(_exactly(*make(rng)))
        with np.errstate(all='ignore'):
            if np.isfinite(loss(params)) and all(np.isfinite(g).all() for g in grad(params)):
                return RightFunctions(_quiet(loss), _quiet(grad), params)


def _quiet(f):
    def quiet(p):
        with np.errstate(all='ignore'): return f(p)
    return quiet


def cases(total=2000):
    "(kind, i) of so many cases, of all kinds alike"
    kinds = list(KINDS)
    return [(kinds[j % len(kinds)], j//len(kinds)) for j in range(total)]


def worst_gap(kind, i, h=1e-5):
    "How far the gradient of a case is, in float64, from difference quotients: beside the largest entry"
    make = KINDS[kind][1](np.random.default_rng([list(KINDS).index(kind), i]))
    params, loss, grad = in_float64(_exactly(*make))
    got, gap, size = grad(params), 0., 1e-300
    for k, p in enumerate(params):
        for j in np.ndindex(*p.shape):
            ends = []
            for step in (-h, h):
                moved = [np.array(q) for q in params]
                moved[k][j] += step
                ends.append(loss(moved))
            theirs = float(np.asarray(got[k])[j])
            gap, size = max(gap, abs((ends[1] - ends[0])/(2*h) - theirs)), max(size, abs(theirs))
    return gap/size
