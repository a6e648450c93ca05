"""The peers, one function each, all with the same signature: `peer(work)` makes ready what a user
of that tool makes ready once (data on its device, functions to compile) and returns `run`.

`run()` trains from the work's first weights to the end and returns the final weights, [(W, b), ...]
with W (n_in, n_out), and the losses on all rows: one before the first epoch, one after each. Where
an epoch is a single update of all rows, the update's own forward pass gives the loss of the epoch
before, and every peer makes use of that as its users do. A peer that cannot do a work raises
`CannotDo`; a peer that is not installed raises ImportError.

Each is written as its own documentation recommends for speed on a CPU, as far as we could see:
if you find a faster way, it belongs here. The limits at the end do the work's bare arithmetic only.
"""
import ctypes
import hashlib
import importlib
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from works import FOLD

C_FLAGS = ['-O3', '-march=native']            # arithmetic in the order in which it is written
C_FAST = [*C_FLAGS, '-ffast-math']            # sums in any order, exp of many numbers at once


class CannotDo(Exception):
    "This peer has no way to do this work; the message says why"


# ------------------------------------------------------------------ NumPy, and the book

class _Identity:
    def value(self, z): return z
    def derivative(self, z, y): return np.ones(y.shape, y.dtype)


class _ReLU:
    def value(self, z): return np.maximum(z, 0)
    def derivative(self, z, y): return np.where(y > 0, y.dtype.type(1), y.dtype.type(0))


class _Sigmoid:
    def value(self, z): return 1/(1 + np.exp(-z))
    def derivative(self, z, y): return y*(1 - y)


class _Fold:
    "The only one that needs z: its output does not tell the side"
    def value(self, z): return np.where(z > 0, z, -FOLD*z)
    def derivative(self, z, y): return np.where(z > 0, y.dtype.type(1), y.dtype.type(-FOLD))


class _Dense:
    "A layer that remembers what went through it"
    def __init__(self, W, b, transfer):
        self.W, self.b, self.transfer = W.copy(), b[None].copy(), transfer

    def forward(self, x):
        self.x = x
        self.z = np.dot(x, self.W) + self.b
        self.y = self.transfer.value(self.z)
        return self.y

    def backward(self, error):
        delta = error*self.transfer.derivative(self.z, self.y)
        self.gradient = np.dot(self.x.T, delta), np.sum(delta, axis=0, keepdims=True)
        return np.dot(delta, self.W.T)

    def apply(self, lr):
        self.W = self.W - lr*self.gradient[0]
        self.b = self.b - lr*self.gradient[1]


class _Network:
    "A list of layers, as the notebooks that this book comes from have it"
    def __init__(self, layers): self.layers = layers

    def forward(self, x):
        outputs = [x]
        for layer in self.layers: outputs.append(layer.forward(outputs[-1]))
        return outputs[-1]

    def train_step(self, x, y, lr):
        difference = self.forward(x) - y
        error = difference/len(x)
        for layer in reversed(self.layers): error = layer.backward(error)
        for layer in self.layers: layer.apply(lr)
        return np.sum(difference**2)/2/len(x)


def notebook(work):
    "Layer objects that keep their inputs and gradients, derivatives from the output, lists"
    kinds = dict(identity=_Identity, relu=_ReLU, sigmoid=_Sigmoid, fold=_Fold)
    X, Y = work.X, work.Y

    def run():
        net = _Network([_Dense(W, b, kinds[t]())
                        for (W, b), t in zip(work.params, work.transfers)])
        def full_loss(): return np.sum((net.forward(X) - Y)**2)/2/len(X)
        losses = [] if work.batch is None else [full_loss()]
        for _ in range(work.epochs):
            for s in work.slices(): loss = net.train_step(X[s], Y[s], work.lr)
            losses.append(loss if work.batch is None else full_loss())
        if work.batch is None: losses.append(full_loss())
        return [(layer.W, layer.b[0]) for layer in net.layers], losses
    return run


def _stable_sigmoid(z):
    u = np.exp(-np.abs(z))
    return np.where(z < 0, u, 1)/(1 + u)


def _sigmoid_slope(z):
    u = np.exp(-np.abs(z))
    return u/(1 + u)**2


def _fold_slope(z): return np.where(z > 0, np.ones_like(z), -FOLD)


# as chapter 2 has them: stable for any z, slopes functions of z
STABLE = dict(identity=(lambda z: z, lambda z, a: np.ones_like(z)),
              relu=(lambda z: np.maximum(z, 0), lambda z, a: np.heaviside(z, 0)),
              sigmoid=(_stable_sigmoid, lambda z, a: _sigmoid_slope(z)),
              fold=(lambda z: np.where(z > 0, z, -FOLD*z), lambda z, a: _fold_slope(z)))
# the quickest that are still one short line
SHORT = dict(identity=(lambda z: z, lambda z, a: 1),
             relu=(lambda z: np.maximum(z, 0), lambda z, a: z > 0),
             sigmoid=(lambda z: 1/(1 + np.exp(-z)), lambda z, a: a*(1 - a)),
             fold=(lambda z: np.maximum(z, -FOLD*z), lambda z, a: _fold_slope(z)))


def numpy(work, transfers=STABLE):
    "The mathematics of chapter 7 as a straightforward loop: no records, no checks, in place"
    X, Y, lr = work.X, work.Y, work.lr
    f, df = zip(*(transfers[t] for t in work.transfers))

    def forward(params, X):
        Z, A = [], [X]
        for (W, b), transfer in zip(params, f):
            Z.append(A[-1] @ W + b)
            A.append(transfer(Z[-1]))
        return Z, A

    def step(params, X, Y):
        Z, A = forward(params, X)
        D = A[-1] - Y
        dA = D/len(X)
        for i in reversed(range(len(params))):
            W, b = params[i]
            delta = dA*df[i](Z[i], A[i + 1])
            if i: dA = delta @ W.T
            W -= lr*(A[i].T @ delta)
            b -= lr*delta.sum(0)
        return D

    def mean_loss(D): return (D**2).sum()/2/len(D)
    def full_loss(params): return mean_loss(forward(params, X)[1][-1] - Y)

    def run():
        params = work.copies()
        losses = [] if work.batch is None else [full_loss(params)]
        for _ in range(work.epochs):
            for s in work.slices(): D = step(params, X[s], Y[s])
            losses.append(mean_loss(D) if work.batch is None else full_loss(params))
        if work.batch is None: losses.append(full_loss(params))
        return params, losses
    return run


def numpy_short(work):
    "The same loop with the shortest slopes: from the output, a mask; a sigmoid that may overflow"
    return numpy(work, SHORT)


def _book(train, work, **options):
    "A `train` of the book, on the work"
    from backprop_book.loss import squared_error
    net = work.net()

    def run():
        trained, losses = train(net, work.X, work.Y, squared_error, work.lr, work.epochs,
                                work.batch, shuffle=False, progress=False, **options)
        return [(layer.W, layer.b) for layer in trained], losses
    return run


def descent(work):
    "Chapter 9's `train`: a new network each step, everything checked. The reference"
    from backprop_book import descent
    return _book(descent.train, work)


def tape(work):
    "Chapter 14's `train`"
    from backprop_book import tape
    return _book(tape.train, work)


def written_out(work, compiled=False):
    "Chapter 15's `train`, in plain Python"
    from backprop_book import written_out
    if compiled: importlib.import_module('numba')  # for its ImportError
    if sum(W.size + b.size for W, b in work.params) > 60:
        raise CannotDo('more than 60 parameters are not written out')
    return _book(written_out.train, work, compiled=compiled)


def compiled(work):
    "Chapter 18's `train`: its lines in loops, compiled by numba"
    import numba  # noqa: F401, for its ImportError
    if max(work.widths) > 512 or len(work.params) > 16:
        raise CannotDo('its loops are made for narrow networks, and compile long for deep ones')
    from backprop_book import compiled
    return _book(compiled.train, work)


def written_out_numba(work):
    "The same, compiled by numba with the loop around it"
    return written_out(work, compiled=True)


# ------------------------------------------------------------------ scikit-learn

def _regressor(work):
    "Makes an MLPRegressor with our weights and solver 'sgd': no momentum, no penalty, no shuffling"
    from sklearn.neural_network import MLPRegressor
    *hidden, last = work.transfers
    if last != 'identity' or len(set(hidden)) != 1 or hidden[0] not in ('relu', 'sigmoid'):
        raise CannotDo('it has no fold, and no output but a linear one for the squared error')
    settings = dict(hidden_layer_sizes=[len(b) for _, b in work.params[:-1]], solver='sgd',
                    activation={'sigmoid': 'logistic'}.get(hidden[0], hidden[0]),
                    learning_rate_init=work.lr, momentum=0, nesterovs_momentum=False, alpha=0,
                    batch_size=1, shuffle=False, warm_start=True, n_iter_no_change=np.inf, tol=0)
    Y = work.Y.ravel() if len(work.Y.T) == 1 else work.Y

    def start():
        "An update with one row to make its fields, for it is timed; then our weights in their place"
        model = MLPRegressor(**settings).partial_fit(work.X[:1], Y[:1])
        model.coefs_, model.intercepts_ = map(list, zip(*work.copies()))
        return model.set_params(batch_size=work.batch or len(work.X))
    return start, Y


def _weights(model): return list(zip(model.coefs_, model.intercepts_))


def sklearn(work):
    """MLPRegressor, `fit` once over all epochs, which begins with our weights by `warm_start`.

    It returns no loss on all rows (its own curve sums the batches' losses, each before its update):
    let off those passes. What it does beside the work: that loss of every batch, and the squared
    norm of the weights for its penalty of 0."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    start, Y = _regressor(work)

    def run():
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', ConvergenceWarning)   # it was told when to stop
            return _weights(start().set_params(max_iter=work.epochs).fit(work.X, Y)), None
    return run


def sklearn_partial(work):
    """The same, one `partial_fit` a batch, as its users do who look in between: the whole work.

    The loss of all rows is computed from `predict`. `loss_` is that of a batch before its update,
    divided by the number of outputs."""
    start, Y = _regressor(work)

    def run():
        model = start()
        def full_loss(): return np.sum((model.predict(work.X) - Y)**2)/2/len(Y)
        losses = [] if work.batch is None else [full_loss()]
        for _ in range(work.epochs):
            for s in work.slices(): model.partial_fit(work.X[s], Y[s])
            losses.append(model.loss_*len(work.Y.T) if work.batch is None else full_loss())
        if work.batch is None: losses.append(full_loss())
        return _weights(model), losses
    return run


# ------------------------------------------------------------------ PyTorch

def _torch_model(work):
    import torch
    from torch import nn
    kinds = dict(relu=nn.ReLU, sigmoid=nn.Sigmoid, fold=lambda: nn.LeakyReLU(-FOLD))
    layers = []
    for (W, b), t in zip(work.params, work.transfers):
        layer = nn.Linear(*W.shape, dtype=torch.from_numpy(W).dtype)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(W.T))
            layer.bias.copy_(torch.from_numpy(b))
        layers += [layer] if t == 'identity' else [layer, kinds[t]()]
    return nn.Sequential(*layers)


def torch(work):
    """Eager: nn.Sequential, nn.MSELoss, autograd, optim.SGD (fused).

    MSELoss is 2/n_out times our loss: the learning rate makes up for it, at no cost."""
    import torch
    X, Y = torch.from_numpy(work.X), torch.from_numpy(work.Y)
    scale = len(work.Y.T)/2
    size = work.batch or len(X)

    def run():
        model, criterion = _torch_model(work), torch.nn.MSELoss()
        optimizer = torch.optim.SGD(model.parameters(), lr=work.lr*scale, fused=True)

        def full_loss():
            with torch.inference_mode(): return criterion(model(X), Y).item()*scale
        losses = [] if work.batch is None else [full_loss()]
        for _ in range(work.epochs):
            for x, y in zip(X.split(size), Y.split(size)):
                optimizer.zero_grad()
                loss = criterion(model(x), y)
                loss.backward()
                optimizer.step()
            losses.append(loss.item()*scale if work.batch is None else full_loss())
        if work.batch is None: losses.append(full_loss())
        linear = [m for m in model if hasattr(m, 'weight')]
        return [(m.weight.detach().T, m.bias.detach()) for m in linear], losses
    return run


def _torch_functions():
    import torch
    from torch.nn import functional as F
    f = dict(identity=lambda z: z, relu=torch.relu, sigmoid=torch.sigmoid,
             fold=lambda z: F.leaky_relu(z, -FOLD))
    carry = dict(   # from the slope in a layer's output to that in its net input
        identity=lambda dA, A, Z: dA, relu=lambda dA, A, Z: dA*(Z > 0),
        sigmoid=lambda dA, A, Z: dA*A*(1 - A),
        fold=lambda dA, A, Z: torch.where(Z > 0, dA, -FOLD*dA))
    return f, carry


def torch_hand(work):
    "Tensors, the backward pass written by hand, no autograd"
    import torch
    f, carry = _torch_functions()
    X, Y = torch.from_numpy(work.X), torch.from_numpy(work.Y)
    size = work.batch or len(X)

    def forward(params, X):
        Z, A = [], [X]
        for (W, b), t in zip(params, work.transfers):
            Z.append(torch.addmm(b, A[-1], W))
            A.append(f[t](Z[-1]))
        return Z, A

    def step(params, X, Y):
        Z, A = forward(params, X)
        D = A[-1] - Y
        dA = D if len(X) == 1 else D/len(X)
        for i in reversed(range(len(params))):
            W, b = params[i]
            delta = carry[work.transfers[i]](dA, A[i + 1], Z[i])
            if i: dA = delta @ W.T
            W.addmm_(A[i].T, delta, alpha=-work.lr)
            b.sub_(delta.sum(0), alpha=work.lr)
        return D

    def mean_loss(D): return D.square().sum().item()/2/len(D)
    def full_loss(params): return mean_loss(forward(params, X)[1][-1] - Y)

    @torch.inference_mode()
    def run():
        params = [(torch.from_numpy(W), torch.from_numpy(b)) for W, b in work.copies()]
        losses = [] if work.batch is None else [full_loss(params)]
        for _ in range(work.epochs):
            for x, y in zip(X.split(size), Y.split(size)): D = step(params, x, y)
            losses.append(mean_loss(D) if work.batch is None else full_loss(params))
        if work.batch is None: losses.append(full_loss(params))
        return params, losses
    return run


def torch_compiled(work):
    "The whole step, gradient and update, a function of its parameters under torch.compile"
    import torch
    f, _ = _torch_functions()
    X, Y = torch.from_numpy(work.X), torch.from_numpy(work.Y)
    size, lr = work.batch or len(X), work.lr

    def loss(params, X, Y):
        A = X
        for (W, b), t in zip(params, work.transfers): A = f[t](torch.addmm(b, A, W))
        return (A - Y).square().sum()/(2*len(X))

    def plain_step(params, X, Y):
        grads, value = torch.func.grad_and_value(loss)(params, X, Y)
        pairs = zip(params, grads)
        return [(W - lr*dW, b - lr*db) for (W, b), (dW, db) in pairs], value
    step, full_loss = torch.compile(plain_step), torch.compile(loss)

    @torch.no_grad()
    def run():
        params = [(torch.from_numpy(W), torch.from_numpy(b)) for W, b in work.copies()]
        losses = [] if work.batch is None else [full_loss(params, X, Y).item()]
        for _ in range(work.epochs):
            for x, y in zip(X.split(size), Y.split(size)): params, value = step(params, x, y)
            losses.append((value if work.batch is None else full_loss(params, X, Y)).item())
        if work.batch is None: losses.append(full_loss(params, X, Y).item())
        return params, losses
    return run


# ------------------------------------------------------------------ JAX and autograd

def _jax_loss(work):
    import jax
    from jax import numpy as jnp
    jax.config.update('jax_enable_x64', True)     # else float64 would silently be float32
    f = dict(identity=lambda z: z, relu=jax.nn.relu, sigmoid=jax.nn.sigmoid,
             fold=lambda z: jnp.where(z > 0, z, -FOLD*z))

    def loss(params, X, Y):
        A = X
        for (W, b), t in zip(params, work.transfers): A = f[t](A @ W + b)
        return ((A - Y)**2).sum()/(2*len(X))
    return loss


def _jax_step(work, loss):
    "A step as a function: new parameters, and the loss before it (not computed if not used)"
    import jax

    def step(params, X, Y):
        value, grads = jax.value_and_grad(loss)(params, X, Y)
        return jax.tree.map(lambda p, g: p - work.lr*g, params, grads), value
    return step


def jax_step(work):
    "Every step one call of a jitted function, its data on the device beforehand"
    import jax
    loss = _jax_loss(work)
    plain_step, full_loss = _jax_step(work, loss), jax.jit(loss)
    each = work.batch is None
    step = jax.jit(plain_step if each else lambda *args: plain_step(*args)[0])
    X, Y = jax.device_put((work.X, work.Y))
    batches = [jax.device_put((work.X[s], work.Y[s])) for s in work.slices()]

    def run():
        params = jax.device_put(work.params)
        losses = [] if each else [full_loss(params, X, Y)]
        for _ in range(work.epochs):
            if each:
                params, value = step(params, X, Y)
                losses.append(value)
                continue
            for x, y in batches: params = step(params, x, y)
            losses.append(full_loss(params, X, Y))
        if each: losses.append(full_loss(params, X, Y))
        return jax.block_until_ready((params, losses))
    return run


def jax_scan(work):
    "The whole run one jitted function: `lax.scan` over the epochs, and over an epoch's batches"
    import jax
    from jax import lax
    from jax import numpy as jnp
    loss = _jax_loss(work)
    step = _jax_step(work, loss)
    if len(work.X) % (work.batch or 1): raise CannotDo('a short last batch has another shape')

    def all_rows(params, X, Y):
        params, losses = lax.scan(lambda p, _: step(p, X, Y), params, length=work.epochs)
        return params, jnp.append(losses, loss(params, X, Y))

    def in_batches(params, X, Y):
        batches = [a.reshape(-1, work.batch, a.shape[1]) for a in (X, Y)]

        def epoch(params, _):
            params, _ = lax.scan(lambda p, batch: (step(p, *batch)[0], None), params, batches)
            return params, loss(params, X, Y)
        first = loss(params, X, Y)
        params, losses = lax.scan(epoch, params, length=work.epochs)
        return params, jnp.insert(losses, 0, first)

    train = jax.jit(all_rows if work.batch is None else in_batches)
    X, Y = jax.device_put((work.X, work.Y))
    def run(): return jax.block_until_ready(train(jax.device_put(work.params), X, Y))
    return run


def autograd(work):
    "HIPS autograd: NumPy functions, `grad` of the loss, parameters in a list"
    from autograd import grad, value_and_grad
    from autograd import numpy as anp
    f = dict(identity=lambda z: z, relu=lambda z: anp.maximum(z, 0),
             sigmoid=lambda z: 1/(1 + anp.exp(-z)), fold=lambda z: anp.where(z > 0, z, -FOLD*z))
    X, Y, lr = work.X, work.Y, work.lr

    def loss(params, X, Y):
        A = X
        for (W, b), t in zip(params, work.transfers): A = f[t](anp.dot(A, W) + b)
        return anp.sum((A - Y)**2)/(2*len(X))
    slope, both = grad(loss), value_and_grad(loss)

    def move(params, grads):
        return [(W - lr*dW, b - lr*db) for (W, b), (dW, db) in zip(params, grads)]

    def run():
        params = work.copies()
        losses = [] if work.batch is None else [loss(params, X, Y)]
        for _ in range(work.epochs):
            if work.batch is None:
                value, grads = both(params, X, Y)
                params = move(params, grads)
                losses.append(value)
                continue
            for s in work.slices(): params = move(params, slope(params, X[s], Y[s]))
            losses.append(loss(params, X, Y))
        if work.batch is None: losses.append(loss(params, X, Y))
        return params, losses
    return run


# ------------------------------------------------------------------ limits

def _compile_c(work, flags):
    "hand.c for this network, as a library"
    widths = work.widths
    code = (Path(__file__).parent/'hand.c').read_text()
    sizes = [f'-DLAYERS={len(widths) - 1}', f'-DWIDEST={max(widths)}',
             f'-DWIDTHS={",".join(map(str, widths))}',
             f'-DTRANSFERS={",".join(work.transfers).upper()}',
             f'-DROWS={work.batch or len(work.X)}']
    name = hashlib.sha256(repr([code, sizes, flags]).encode()).hexdigest()[:16]
    with tempfile.TemporaryDirectory() as folder:
        library = str(Path(folder)/f'hand-{name}.so')
        made = Path(library).with_suffix('.o')
        compiling = ['cc', *flags, *sizes, '-fPIC', '-x', 'c', '-c', '-', '-o', made]
        subprocess.run(compiling, input=code, text=True, check=True, capture_output=True)
        # without the flags: with -ffast-math, linking would make the whole process flush to zero
        linking = ['cc', '-shared', made, '-o', library, '-lm']
        subprocess.run(linking, check=True, capture_output=True)
        return ctypes.CDLL(library)    # stays loaded when its file is gone


def c(work, flags=C_FLAGS):
    "hand.c: loops over plain numbers, sizes known to the compiler"
    if work.dtype != np.float64 or sum(W.size for W, _ in work.params) > 5000:
        raise CannotDo('its scalar loops are for the small works')
    if len(work.X) % (work.batch or 1): raise CannotDo('it takes no short last batch')
    train, n, epochs = _compile_c(work, flags).train, len(work.X), work.epochs
    array = np.ctypeslib.ndpointer(np.float64, flags='C')
    train.argtypes = [array]*3 + [ctypes.c_int]*2 + [ctypes.c_double, array]
    train.restype = None
    ends = np.cumsum([a.size for layer in work.params for a in layer])
    shapes = [a.shape for layer in work.params for a in layer]

    def run():
        vector = np.concatenate([a.ravel() for layer in work.params for a in layer])
        losses = np.empty(epochs + 1)
        train(vector, work.X, work.Y, n, epochs, work.lr, losses)
        parts = [p.reshape(s) for p, s in zip(np.split(vector, ends[:-1]), shapes)]
        return list(zip(parts[::2], parts[1::2])), losses
    return run


def c_fast(work):
    "hand.c tuned: layers unrolled, the compiler free to change the order of sums, as BLAS is"
    return c(work, C_FAST)


def _products(work, random, product):
    """The run's matrix products: three a layer and update, two for the first; one a layer and loss.

    `random(n, m)` makes a random matrix, `product(A, B, out)` multiplies: `out` is made once."""
    layers = [W.shape for W, _ in work.params]
    rows, size = len(work.X), work.batch or len(work.X)

    def forward(n): return [(random(n, i), random(i, o), random(n, o)) for i, o in layers]

    def backward(n):
        weights = [(random(n, i).T, random(n, o), random(i, o)) for i, o in layers]
        inputs = [(random(n, o), random(i, o).T, random(n, i)) for i, o in layers[1:]]
        return weights + inputs
    update = [*forward(size), *backward(size)]*(rows//size)
    whole = [] if work.batch is None else forward(rows)
    first = forward(rows)

    def run():
        for _ in range(work.epochs):
            for A, B, out in update: product(A, B, out)
            for A, B, out in whole: product(A, B, out)
        for A, B, out in first: product(A, B, out)
        return None, None
    return run


def products(work):
    "The bare matrix products of NumPy's BLAS: same shapes, same count, random numbers"
    rng = np.random.default_rng(0)
    return _products(work, lambda n, m: rng.normal(size=(n, m)).astype(work.dtype),
                     lambda A, B, out: A.dot(B, out))


def products_torch(work):
    "The bare matrix products of PyTorch's BLAS: same shapes, same count, random numbers"
    import torch
    dtype = torch.from_numpy(work.X[:1]).dtype
    run = _products(work, partial(torch.randn, dtype=dtype),
                    lambda A, B, out: torch.mm(A, B, out=out))
    return torch.inference_mode()(run)


def dispatch(work):
    "As many NumPy calls as tape's lists hold, each on a single number: what calling alone costs"
    from backprop_book import tape
    from backprop_book.loss import squared_error
    net, size = work.net(), work.batch or len(work.X)
    lists = tape.record(net, squared_error, size)
    one = np.ones((1, 1))
    def calls(n): return [(np.add, (one, one, np.empty((1, 1))))]*n
    update = calls(len(lists.forward) + len(lists.backward) + 2)     # and two that move the weights
    whole = [] if work.batch is None else calls(len(lists.forward))

    def run():
        for _ in range(work.epochs):
            for _ in work.slices():
                for f, args in update: f(*args)
            for f, args in whole: f(*args)
        return None, None
    return run


LIMITS = {p.__name__: p for p in (products, products_torch, dispatch)}
PEERS = {p.__name__: p for p in (
    notebook, numpy, numpy_short, descent, tape, written_out, written_out_numba, compiled, sklearn,
    sklearn_partial, torch, torch_hand, torch_compiled, jax_step, jax_scan, autograd, c,
    c_fast)} | LIMITS
