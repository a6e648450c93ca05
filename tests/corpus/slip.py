"""A slip: a program as somebody writes it, with one wrong line, the same program written rightly, and the answer."""
import inspect
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

from backprop_book.loss import Loss, logistic_loss, logistic_loss_pm1, softmax_cross_entropy, squared_error
from backprop_book.network import Layer, forward, loss_and_grads

RIGHT = re.compile(r'^(\s*)(.*?)\s*# right: (.*)$')
SLIPS = []   # the forty
MORE = []    # others, on which the forty's examination was not tried out

cross_entropy = Loss('cross_entropy', '-y*log(a) - (1 - y)*log(1 - a)', '(a - y)/(a*(1 - a))',
                     lambda A, Y: -Y*np.log(A) - (1 - Y)*np.log1p(-A), lambda A, Y: (A - Y)/(A*(1 - A)),
                     targets=(0., .25, 1.))
whole_square = Loss('whole_square', '(a - y)**2', '2*(a - y)', lambda A, Y: (A - Y)**2, lambda A, Y: 2*(A - Y))
bits = Loss('bits', '(y*log(1 + exp(-a)) + (1 - y)*log(1 + exp(a)))/log(2)', '(1/(1 + exp(-a)) - y)/log(2)',
            lambda A, Y: logistic_loss.f(A, Y)/np.log(2), lambda A, Y: logistic_loss.slope_f(A, Y)/np.log(2),
            targets=(0., .25, 1.))


@dataclass(eq=False)
class Slip:
    "One wrong line, and what may be said of it"
    program: object       # (W, b, X, Y[, old]) -> gradients, as its author hands them over
    answer: str           # in words: which line, and what should stand there
    guilty: list          # (rule, layer) of each line of the doctor's own pass that may be blamed; layer None: any
    names: str            # a pattern: what a right name says
    widths: list          # of the network
    transfers: list       # one a layer
    loss: Loss = squared_error
    rows: int = 5
    columns: bool = False   # whether the program's examples are columns, and its weights (n_out, n_in)
    biases: str = 'neuron'  # 'neuron', 'layer' (one number a layer), 'absent'
    smooth: float = 0.      # label smoothing of the targets
    decay: float = 0.       # decay/2 times the squares of the weights is part of the loss
    options: dict = field(default_factory=dict)   # what its author would tell the doctor besides

    @property
    def name(self): return self.program.__name__

    @property
    def wants_old(self): return 'old' in inspect.signature(self.program).parameters


def slip(answer, guilty, names, widths, transfers, to=SLIPS, **fields):
    "Register the decorated program as a slip"
    def register(program):
        to.append(Slip(program, answer, guilty, names, widths, transfers, **fields))
        return program
    return register


def source_of(program):
    "The text of a program, without its decorator"
    lines = inspect.getsource(program).split('\n')
    start = next(i for i, line in enumerate(lines) if line.startswith('def '))
    return textwrap.dedent('\n'.join(lines[start:]))


def righted(program):
    "The same program with the line after `# right:` in the place of the wrong one, of which it has exactly one"
    lines = source_of(program).split('\n')
    marked = [i for i, line in enumerate(lines) if RIGHT.match(line)]
    assert len(marked) == 1, f'{program.__name__} has {len(marked)} slips'
    indent, _, right = RIGHT.match(lines[marked[0]]).groups()
    lines[marked[0]] = indent + right
    space = dict(program.__globals__)
    exec(compile('\n'.join(lines), f'<{program.__name__}, righted>', 'exec'), space)
    return space[program.__name__]


def _targets(s, shape, rng):
    if s.loss is softmax_cross_entropy:
        hard = np.eye(shape[1])[rng.permutation(np.arange(shape[0]) % shape[1])]
        return hard*(1 - s.smooth) + s.smooth/shape[1]
    if s.loss is logistic_loss_pm1: return rng.choice([-1., 1.], shape)
    if s.loss in (logistic_loss, cross_entropy, bits): return rng.integers(0, 2, shape).astype(float)
    return rng.uniform(0.05, 0.95, shape).round(2)


def _layer(W, b, transfer, biases):
    "A `Layer`, which says what biases it has where a `Layer` can say so"
    try: return Layer(W, b, transfer, biases)
    except TypeError: return Layer(W, b, transfer)


def problem(s, seed=0):
    "Network, X, Y of slip `s`, and the weights of the step before"
    rng = np.random.default_rng([seed, SLIPS.index(s) if s in SLIPS else 1000 + MORE.index(s)])
    net = []
    for i, o, t in zip(s.widths, s.widths[1:], s.transfers):
        b = {'neuron': rng.normal(0, 0.4, o), 'layer': np.full(o, rng.normal(0, 0.4)), 'absent': np.zeros(o)}[s.biases]
        net.append(_layer(rng.normal(0, 1.2/np.sqrt(i), (i, o)), b, t, s.biases))
    X = rng.normal(size=(s.rows, s.widths[0])).round(2)
    old = [layer.W + 0.3*rng.normal(size=layer.W.shape) for layer in net]
    return net, X, _targets(s, (s.rows, s.widths[-1]), rng), old


def run(s, program, net, X, Y, old):
    "What a program hands over, fed with copies in its own layout"
    def laid(a): return np.array(a.T if s.columns else a)
    W, b = [laid(layer.W) for layer in net], [np.array(layer.b) for layer in net]
    if s.columns: b = [v[:, None] for v in b]
    more = {'old': [laid(w) for w in old]} if s.wants_old else {}
    return program(W, b, laid(X), laid(Y), **more)


def earlier(s, net, X, old):
    "The forward pass of the step before, for a program that may have kept something of it"
    if not s.wants_old: return None
    return forward([_layer(w, layer.b, layer.transfer, s.biases) for w, layer in zip(old, net)], X)


def true_grads(s, net, X, Y):
    "[(dW, db), ...] by the package, with the decay that the loss has"
    return [(g.W + s.decay*layer.W, g.b) for g, layer in zip(loss_and_grads(net, X, Y, s.loss)[1], net)]


def as_pairs(s, handed):
    "[(dW, db), ...] by rows of what was handed over in any of the forms in use here; db None where there is none"
    n = len(s.transfers)
    if isinstance(handed, dict):
        first = 0 if any(key.endswith('0') for key in handed) else 1
        def get(kind, i): return next((handed[k] for k in (f'd{kind}{i}', f'{kind}{i}') if k in handed), None)
        W, b = [[get(kind, i + first) for i in range(n)] for kind in 'Wb']
    elif len(handed) == 2 and isinstance(handed[0], list): W, b = handed
    elif len(handed) == n and all(isinstance(pair, tuple) for pair in handed): W, b = zip(*handed)
    elif len(handed) == 2*n: W, b = handed[::2], handed[1::2]
    else: W, b = handed, [None]*n
    W = [np.asarray(w).T if s.columns else np.asarray(w) for w in W]
    return [(w, None if v is None else np.asarray(v)) for w, v in zip(W, b)]
