"""The works that every peer does: a network, its first weights, data, a learning rate, batches.

A work is the updates of plain gradient descent on the squared error (half the sum over a row's
outputs, the mean over rows), batches in the order of the rows, AND the loss on all rows before the
first epoch and after each one, as `train` of the book returns it. This file needs NumPy only, so
that a fresh process that trains with PyTorch does not pay for importing the book.
"""
from dataclasses import dataclass, replace

import numpy as np

FOLD = 0.2           # the fold of chapter 2: max(z, -0.2 z)
LARGE_BATCHES = (128, 1024, 8192)
WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096)
DEPTHS = (2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, eq=False)
class Work:
    "What is to be done: the same for every peer"
    name:str # A, B, M, E, large-128, width-64, depth-2, ...
    says:str # what it is, in a few words
    transfers:tuple # names of the layers' transfer functions, input side first
    params:list # first weights, [(W, b), ...], W (n_in, n_out)
    X:np.ndarray # (rows, n_in)
    Y:np.ndarray # (rows, n_out)
    lr:float # learning rate
    epochs:int # how often every row is used
    batch:int=None # rows of an update; None: all of them, in one

    @property
    def dtype(self): return self.X.dtype

    @property
    def is_small(self): return sum(W.size for W, _ in self.params)*len(self.X) < 5_000_000

    @property
    def widths(self): return [len(self.X.T), *(len(b) for _, b in self.params)]

    @property
    def steps(self): return self.epochs*len(self.slices())

    def slices(self):
        "The rows of each update of an epoch"
        size = self.batch or len(self.X)
        return [slice(i, i + size) for i in range(0, len(self.X), size)]

    def copies(self):
        "The first weights, to be changed in place"
        return [(W.copy(), b.copy()) for W, b in self.params]

    def double(self):
        "The same work in double precision, to be compared"
        def wide(a): return a.astype(float)
        params = [(wide(W), wide(b)) for W, b in self.params]
        return replace(self, params=params, X=wide(self.X), Y=wide(self.Y))

    def net(self):
        "The first network, as the book writes it"
        from backprop_book import transfer
        from backprop_book.network import Layer
        known = dict(relu=transfer.relu, sigmoid=transfer.sigmoid, identity=transfer.identity,
                     fold=transfer.fold(FOLD))
        return [Layer(W, b, known[t]) for (W, b), t in zip(self.params, self.transfers)]

    def sizes(self):
        "What the work is, for the results"
        return dict(work=self.name, says=self.says, widths=self.widths, dtype=str(self.dtype),
                    transfers=sorted(set(self.transfers)), rows=len(self.X), lr=self.lr,
                    batch=self.batch or len(self.X), epochs=self.epochs, steps=self.steps,
                    parameters=sum(W.size + b.size for W, b in self.params))


def first_weights(widths, rng, gain=1, dtype=float):
    "Normal weights of variance 2*gain/(n_in + n_out), and zero biases"
    return [(rng.normal(0, np.sqrt(2*gain/(i + o)), (i, o)).astype(dtype), np.zeros(o, dtype))
            for i, o in zip(widths, widths[1:])]


def work_a():
    rng = np.random.default_rng(222)
    X = rng.normal(size=(1024, 2))
    return Work('A', 'regression: the sum of two numbers', ('relu', 'relu', 'identity'),
                first_weights([2, 32, 16, 1], rng), X, X.sum(1, keepdims=True), 0.01, 50, 64)


def work_b(name='B', says='XOR, one row a step', transfers=('fold',)*4):
    rng = np.random.default_rng(1)
    X = rng.integers(0, 2, (100, 2)).astype(float)
    Y = (X[:, :1] != X[:, 1:]).astype(float)
    return Work(name, says, transfers, first_weights([2, 3, 3, 2, 1], rng), X, Y, 0.05, 50, 1)


def work_m(name='M', says='the famous worked example, one row', transfers=('sigmoid', 'sigmoid')):
    params = [(np.array([[.15, .25], [.20, .30]]), np.array([.35, .35])),
              (np.array([[.40, .50], [.45, .55]]), np.array([.60, .60]))]
    X, Y = np.array([[.05, .10]]), np.array([[.01, .99]])
    return Work(name, says, transfers, params, X, Y, 0.5, 10_000)


def work_e():
    rng = np.random.default_rng(5)
    X = np.linspace(0, 1, 1000)[:, None] + rng.uniform(-.05, .05, (1000, 2))
    return Work('E', 'a line of points, all rows in one update', ('sigmoid', 'identity'),
                first_weights([2, 3, 1], rng), X, X.mean(1, keepdims=True), 0.1, 2000)


def work_large(name, says, widths, rows, epochs, batch, gain=1, lr=0.01, dtype=np.float32):
    "A network of ReLU layers, its last one linear, on normal numbers"
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, widths[0])).astype(dtype)
    Y = rng.normal(size=(rows, widths[-1])).astype(dtype)
    transfers = ('relu',)*(len(widths) - 2) + ('identity',)
    params = first_weights(widths, rng, gain, dtype)
    return Work(name, says, transfers, params, X, Y, lr, epochs, batch)


def _large(batch):
    rows, epochs = {128: (1024, 12), 1024: (4096, 6), 8192: (16384, 3)}[batch]
    return work_large(f'large-{batch}', f'784-512-512-10, batch {batch}', [784, 512, 512, 10],
                      rows, epochs, batch)


def _wide(width):
    rows, epochs = (512, 6) if width >= 2048 else (1024, min(100, max(3, 1_000_000//width**2)))
    return work_large(f'width-{width}', f'three layers {width} wide', [width]*4, rows, epochs, 128)


def _deep(depth):
    "float64: many ReLUs in a row carry the roundings of float32 too far to compare"
    widths = [32]*(depth + 1)    # gain 2 keeps the signal's size through any number of ReLUs
    return work_large(f'depth-{depth}', f'{depth} layers 32 wide', widths, 1024, 320//depth + 5,
                      128, gain=2, lr=0.0002, dtype=float)


SMALL = {'A': work_a, 'B': work_b, 'M': work_m, 'E': work_e}
# scikit-learn knows neither the fold nor a sigmoid output under the squared error:
# the nearest networks that it knows, on which it is compared with the book
NEAR = {'B-relu': lambda: work_b('B-relu', 'B with ReLU and a linear output',
                                 ('relu', 'relu', 'relu', 'identity')),
        'M-linear': lambda: work_m('M-linear', 'M with a linear output', ('sigmoid', 'identity'))}
LARGE = {f'large-{b}': lambda b=b: _large(b) for b in LARGE_BATCHES}
WIDE = {f'width-{w}': lambda w=w: _wide(w) for w in WIDTHS}
DEEP = {f'depth-{d}': lambda d=d: _deep(d) for d in DEPTHS}
WORKS = {**SMALL, **NEAR, **LARGE, **WIDE, **DEEP}


# How far the final weights may lie from those of `descent.train`, see `distance`. Peers sum in
# different orders: some eps a step, which later steps carry on; 1e-12 was seen. A work in float32
# is compared in double precision, see `Work.double`: among half a million ReLUs a step, a rounding of
# float32 takes one to its other side, and such a run goes up to 5e-2 of its way elsewhere, rightly.
TOLERANCE = 1e-10


def flat(params): return np.concatenate([np.ravel(a) for layer in params for a in layer])


def distance(params, reference, first):
    "How far apart two ends of a run are, over the way that the run went"
    ours, theirs, start = [flat(p).astype(float) for p in (params, reference, first)]
    if any(np.shape(p) != np.shape(r) for p, r in zip(sum(map(list, params), []),
                                                      sum(map(list, reference), []))): return np.inf
    return float(np.linalg.norm(ours - theirs)/np.linalg.norm(theirs - start))
