"""Bad arguments to every public callable: an error is raised by the package, in its words, or nothing is.

`python tests/test_fuzz.py [module ...]` prints the table: how many calls, how many errors of ours, how many not."""
import ast
import functools
import importlib
import inspect
import os
import pkgutil
import random
import signal
import sys
import tempfile
import warnings
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from threading import current_thread, main_thread

import numpy as np
import pytest
import sympy as sp
from conftest import TEST_ALL, sampled
from hypothesis import given, settings
from hypothesis import strategies as st

import backprop_book
from backprop_book import descent, explain, graph, loss, network, symbolic, tape, transfer, worked, worksheet, written_out
from backprop_book.network import Grad, Layer

try: import numba  # noqa: F401  (an alarm in the middle of it would leave half of it)
except ImportError: pass

PACKAGE = Path(backprop_book.__file__).parent


class Frame:
    "As a data frame: not an array, and ready to be one"
    values = np.array([[1., 2.]])
    def __array__(self, dtype=None, copy=None): return np.array([[1., 2.], [3., 4.]], dtype)


class Hostile:
    "Nothing can be asked of it"
    def __repr__(self): return '<Hostile>'
    def __eq__(self, other): raise RuntimeError('compared')
    def __bool__(self): raise RuntimeError('asked whether it is true')
    __hash__ = None


def net(): return [Layer([[.1, .2, .3], [.4, .5, .6]], [.1, .2, .3], transfer.tanh),
                   Layer([[.3], [.1], [.2]], [.1], transfer.identity)]


X, Y = np.array([[.1, .2], [.3, -.4], [.5, .6]]), np.array([[.1], [.2], [.3]])


def grads(): return network.loss_and_grads(net(), X, Y, loss.squared_error)[1]


BAD = {  # name: how to make it (some can be used once only)
    'None': lambda: None, 'True': lambda: True, 'mse': lambda: 'mse', 'tanh': lambda: 'tanh', 'empty text': lambda: '',
    'bytes': lambda: b'x', 'complex': lambda: 1j, 'nan': lambda: np.nan, 'inf': lambda: np.inf, '-1': lambda: -1, '0': lambda: 0,
    '2.5': lambda: 2.5, '10**30': lambda: 10**30, '-10**400': lambda: -10**400, 'Decimal': lambda: Decimal('1.5'),
    'Fraction': lambda: Fraction(1, 2), 'np.float64': lambda: np.float64(2), 'np.bool_': lambda: np.True_,
    '[]': list, '()': tuple, '{}': dict, 'set': lambda: {1, 2}, 'dict': lambda: {'W1': [[1.]], 'b1': [0.]},
    'ragged': lambda: [[1., 2.], [3.]], 'texts': lambda: [['a', 'b']], 'mixed': lambda: [1, 'a', None], 'nested None': lambda: [[None]],
    'complex array': lambda: np.array([[1j, 2]]), 'object array': lambda: np.array([None, 1], object),
    'masked': lambda: np.ma.array([[1., 2.], [3., 4.]], mask=[[0, 1], [0, 0]]), 'masked column': lambda: np.ma.masked_invalid(Y),
    'structured': lambda: np.zeros(3, [('a', float), ('b', int)]), 'dates': lambda: np.array(['2020-01-01'], 'datetime64[D]'),
    '0-d': lambda: np.array(1.), '3-d': lambda: np.zeros((2, 2, 2)), '(0, 2)': lambda: np.zeros((0, 2)), 'flat': lambda: np.zeros(7),
    'NaNs': lambda: np.full((3, 2), np.nan), 'huge ints': lambda: [[10**400, 1]], 'ints': lambda: [[2**70, 1], [1, 2]],
    '1e308': lambda: np.full((3, 2), 1e308), 'other rows': lambda: np.zeros((5, 2)), 'matrix': lambda: np.asmatrix([[1., 2.]]),
    'Frame': Frame, 'Hostile': Hostile, 'object': object, 'range': lambda: range(3), 'iterator': lambda: iter([1., 2.]),
    'generator': lambda: (v for v in [[1., 2.]]), 'lambda': lambda: lambda *a, **k: 1, 'lambda: None': lambda: lambda *a, **k: None,
    'lambda: array': lambda: lambda *a, **k: np.zeros((2, 9)), 'raises nothing': lambda: len, 'class': lambda: Layer,
    'Loss class': lambda: loss.Loss, 'sgd not called': lambda: descent.sgd, 'default_rng not called': lambda: np.random.default_rng,
    'Transfer': lambda: transfer.tanh, 'Transfer maker': lambda: transfer.leaky_relu, 'Loss': lambda: loss.squared_error,
    'optimizer': lambda: descent.adam(.1), 'Layer': lambda: net()[0], 'net': net, 'net of 1': lambda: net()[:1], 'grads': grads,
    'Grad': lambda: grads()[0], 'tuples': lambda: [(g.W, g.b) for g in grads()], 'vector': lambda: network.parameters(net()),
    'arrays': lambda: [g.W for g in grads()], 'net of lists': lambda: [[[[1.]], [0.]]], 'Grads of None': lambda: [Grad(None, None)]*2,
    'Grads of lists': lambda: [Grad(g.W.tolist(), g.b.tolist()) for g in grads()], 'np.random': lambda: np.random,
    'Trace': lambda: network.forward(net(), X), 'Trace of None': lambda: network.Trace(None, None),
    'symbol': lambda: sp.Symbol('z'), 'module': lambda: np, 'slice': lambda: slice(None), 'type': lambda: float,
    'list of masked': lambda: [np.ma.masked_less(np.ones(2), 2)]*2, '10**5000': lambda: 10**5000, 'ma.masked': lambda: np.ma.masked,
    'Spread': lambda: network.glorot, 'nan list': lambda: [[np.nan, 1.]], 'float128': lambda: np.ones((3, 2), np.longdouble), 'float16': lambda: np.ones((3, 2), np.float16),
}


def moves(p, g, memory): return p - .1*g, memory
def z_of(): return sp.Symbol('z', real=True)
def sheet(): return worksheet.worksheet(1)
def value(x=.5): return graph.Value(x, 'x')
def symbols():
    layers, trace = symbolic.symbolic_network([1, 1], 1)
    return dict(net=layers, trace=trace, layer=layers[0], A_in=trace.A[0], Z=trace.Z[0], dA=symbolic.mean_slope(trace.A[-1]),
                A=trace.A[-1], W=layers[0].W, b=layers[0].b)
def symbol(name): return lambda: symbols()[name]
def recorded():
    t = tape.record(net(), loss.squared_error, 3)
    return {'a': np.ones(3), 'b': np.ones(3), 'out': np.zeros(3)}, t.forward, t


GOOD = {  # by name of the argument, or by 'callable.argument'
    'net': net, 'X': lambda: X, 'Y': lambda: Y, 'loss': lambda: loss.squared_error, 'optimizer': lambda: .1, 'epochs': lambda: 1,
    'batch_size': lambda: 2, 'rng': lambda: np.random.default_rng(0), 'shuffle': lambda: True, 'progress': lambda: False,
    'compiled': lambda: False, 'grads': grads, 'lr': lambda: .1, 'beta': lambda: .9, 'beta1': lambda: .9, 'beta2': lambda: .9,
    'rho': lambda: .9, 'eps': lambda: 1e-8, 'memory': lambda: None, 'n': lambda: 3, 'size': lambda: 2, 'A': lambda: Y, 'z': lambda: X,
    'slope': lambda: .1, 'W': lambda: [[1., 2.]], 'b': lambda: [0., 0.], 'transfer': lambda: transfer.tanh, 'biases': lambda: 'neuron',
    'frozen': lambda: (), 'tied': lambda: None, 'trace': lambda: network.forward(net(), X), 'dA': lambda: Y, 'moved': net,
    'vector': lambda: network.parameters(net()), 'rtol': lambda: 1e-6, 'atol': lambda: 1e-9, 'h': lambda: 1e-5,
    'n_in': lambda: 2, 'n_out': lambda: 3, 'widths': lambda: [2, 3, 1], 'transfers': lambda: transfer.tanh, 'scale': lambda: network.glorot,
    'dtype': lambda: float, 'x': lambda: [1., 2.], 'name': lambda: 'x', 'f': lambda: lambda v: (v**2).sum(), 'grad': lambda: [2., 4.],
    'header': lambda: ['a', 'b'], 'rows': lambda: [[1, 2]], 'expr': z_of, 'text': lambda: '2*z', 'rule': lambda: 'rule', 'left': z_of,
    'right': z_of, 'formula': z_of, 'values': lambda: [1., 2.], 'points': lambda: [[1.], [2.]], 'arrays': lambda: X, 'p': lambda: None,
    'g': lambda: None, 'of': lambda: None, 'like': lambda: None, 'safe': lambda: False, 'seed': lambda: 1, 'exact': lambda: False,
    'digits': lambda: 5, 'updates': lambda: 1, 'names': lambda: 'flat', 'pencil': lambda: False, 'only': lambda: None,
    'df': lambda: np.ones_like, 'slope_from_output': lambda: None, 'df_from_output': lambda: None, 'suits': lambda: np.isfinite,
    'slope_f': lambda: lambda A, Y: A - Y, 'wants': lambda: 'numbers', 'targets': lambda: (0., 1.), 'from_logits': lambda: False,
    'start': lambda: lambda p: (), 'update': lambda: moves, 'calls': lambda: recorded()[1], 'part': lambda: 'forward',
    'path': lambda: Path(tempfile.gettempdir())/'backprop_book_fuzz.npz', 'symbols': z_of, 'end': value, 'outputs': lambda: [value()],
    'v': value, 'numbers': lambda: [[1., 2.]], 'layers': lambda: [(graph.as_values([[1.]]), graph.as_values([0.]), graph.tanh)],
    'row': lambda: [.5], 'op': lambda: 'op', 'args': lambda: 1., 'data': lambda: 1., 'parents': lambda: (), 'deltas': lambda: None,
    'dAs': lambda: None, 'earlier': lambda: None, 'blanks': lambda: ('forward',), 'hints': lambda: False, 'answers': dict,
    'sheet': sheet, 'place': lambda: 'here', 'overwrite': lambda: False, 'answer': lambda: '1.5', 'causes': lambda: (),
    'e': lambda: worked.MAZUR, 'number': lambda: Fraction, 'exp': lambda: np.exp, 'carried_by': lambda: None, 'sequential': lambda: False,
    'train_biases': lambda: False, 'printed': lambda: '0.5', 'cut': lambda: False, 'rows_': lambda: 1, 'cols': lambda: 2,
    'batch': lambda: 1, 'dY': symbol('dA'), 'S': symbol('A_in'), 'matrix_form': symbol('W'), 'scalar_form': symbol('W'),
    'layer': symbol('layer'), 'A_in': symbol('A_in'), 'Z': symbol('Z'), 'backward': lambda: symbolic.carry_back,
    'judge': lambda: symbolic.scalar_gradients, 'params': lambda: [np.array([1., 2.])], 'value': lambda: sp.Rational(1, 3),
    'came': lambda: [np.ones(2)], 'inputs': lambda: {'i1': .1}, 'weights': dict, 't': lambda: [.1, .2], 'W1': lambda: np.eye(2),
    'W2': lambda: np.eye(2), 'W3': lambda: np.eye(2), 'slips': lambda: None, 'fitted': lambda: None, 'argv': lambda: ['--help'],
    'as_numpy.symbols': z_of, 'assert_values.symbols': lambda: [z_of()], 'assert_values.expr': z_of, 'call_strictly.f': lambda: np.tanh,
    'certify.f': lambda: transfer.tanh, 'Transfer.formula': lambda: 'z', 'Transfer.slope': lambda: '1', 'Transfer.f': lambda: np.tanh,
    'Loss.formula': lambda: '(a - y)**2/2', 'Loss.slope': lambda: 'a - y', 'Loss.f': lambda: lambda A, Y: (A - Y)**2/2,
    'spell.text': lambda: 'out = add(a, b)', 'spell.arrays': lambda: recorded()[0], 'Call.f': lambda: np.negative, 'record.rows': lambda: 3,
    'Call.args': lambda: np.ones(3), 'Call.out': lambda: None, 'Call.text': lambda: 'a = b', 'layer_views.vector': lambda: network.parameters(net()),
    'parameters.net': net, 'read_formula.names': lambda: 'z', 'sgd_step.grads': grads, 'as_python.expr': z_of, 'Node.expr': z_of,
    'diagnose_functions.loss': lambda: lambda p: float((p[0]**2).sum()), 'diagnose_functions.grad': lambda: lambda p: [2*p[0]],
    'exp.v': value, 'apply.rule': lambda: graph.RULES['exp'] if hasattr(graph, 'RULES') else np.exp, 'forward_slopes.start': value,
    'as_written.x': lambda: .1, 'text_of.value': lambda: sp.Rational(1, 3), 'squared_error.targets': lambda: [1.],
    'graph.loss': lambda: graph.squared_error, 'graph.X': lambda: [[.5]], 'graph.Y': lambda: [[.5]], 'graph.values': lambda: [value()],
    'worksheet.widths': lambda: (1, 1), 'worksheet.rows': lambda: 1, 'read_answers.answers': dict, 'mark.settings': dict,
    'symbolic.net': symbol('net'), 'symbolic.trace': symbol('trace'), 'symbolic.dA': symbol('dA'), 'symbolic.A': symbol('A'),
    'symbolic.W': symbol('W'), 'symbolic.b': symbol('b'), 'symbolic.widths': lambda: [1, 1], 'symbolic.rows': lambda: 1,
    'symbolic.rule': lambda: symbolic.layer_backward, 'symbolic.Y': symbol('A'), 'symbolic.g': lambda: sp.sin, 'symbolic.size': lambda: 2,
    'symbolic.n_in': lambda: 1, 'symbolic.n_out': lambda: 1, 'worked.x': lambda: [.1, .2], 'explain.text': lambda: 'a_h1',
    'symbolic.transfer': lambda: symbolic.AnyTransfer('f'), 'linear': lambda: worked.FOREX, 'worked.exact': lambda: .5,
    'write_text.text': lambda: 'text', 'write_text.path': lambda: Path(tempfile.gettempdir())/'backprop_book_fuzz.txt',
}
# what the package makes and hands out: records that take what they are given, and functions that are a maker's tools
OUTPUTS = {'Table', 'Mistake', 'Step', 'Cause', 'Report', 'Pass', 'Name', 'Line', 'Drawing', 'Explanation', 'Picture', 'Worksheet',
           'Marking', 'Bad', 'TrainingDiverged', 'TrainingInterrupted', 'Trace', 'Grad', 'Tape', 'Node', 'Source', 'Example',
           'LinearExample', 'SymbolicLayer', 'SymbolicGrad', 'SymbolicTrace', 'AnyTransfer', 'main'}


def public():
    "Every public callable of the package, {'module.name': callable}"
    found, seen = {}, set()
    for m in pkgutil.walk_packages(backprop_book.__path__, 'backprop_book.'):
        if m.name.endswith(('_modidx', '.arguments')): continue  # the gates are what is tried here
        module = importlib.import_module(m.name)
        for name in getattr(module, '__all__', []):
            f = getattr(module, name)
            if not callable(f) or id(f) in seen: continue
            seen.add(id(f))
            found[f'{m.name.removeprefix("backprop_book.")}.{name}'] = f
    for owner in (loss.squared_error, loss.softmax_cross_entropy):
        found |= {f'loss.{owner}.df': owner.df, f'loss.{owner}.check': owner.check}
    return found


def good(module, name, argument):
    short = module.split('.')[0]
    for key in (f'{name}.{argument}', f'{short}.{argument}', argument):
        if key in GOOD: return GOOD[key]
    raise AssertionError(f'{module}.{name}: what would be right for {argument!r}? Add it to GOOD')


def arguments(module, name, f):
    "For each argument a function that makes a right one; in order, those of *args as one"
    return {p.name: (p.kind, good(module, name, p.name)) for p in inspect.signature(f).parameters.values()
            if p.kind is not p.VAR_KEYWORD}


def call(f, made):
    args = [v for kind, v in made.values() if kind in (0, 1, 2)]
    return f(*args, **{k: v for k, (kind, v) in made.items() if kind == 3})


@functools.cache
def raise_lines(file):
    "The lines of the raise statements of a file"
    nodes = [n for n in ast.walk(ast.parse(Path(file).read_text())) if isinstance(n, ast.Raise)]
    return {line for n in nodes for line in range(n.lineno, n.end_lineno + 1)}


def where(error):
    "File and line where it was raised, and the last line of the package on the way there"
    frames, tb = [], error.__traceback__
    while tb: frames, tb = [*frames, (tb.tb_frame.f_code.co_filename, tb.tb_lineno)], tb.tb_next
    ours = [(f, line) for f, line in frames if f.startswith(str(PACKAGE))]
    return frames[-1], ours[-1] if ours else frames[-1]


def is_ours(error):
    "Whether a `raise` of the package has raised it"
    (file, line), _ = where(error)
    return file.startswith(str(PACKAGE)) and line in raise_lines(file)


class Hangs(BaseException): pass
def _hangs(*args): raise Hangs


def outcome(f, made, seconds=5):
    "None, or the error if it is not ours: of an exception, a warning, an end that does not come"
    if current_thread() is main_thread(): signal.signal(signal.SIGALRM, _hangs), signal.alarm(seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            result = call(f, made)
            if inspect.isgenerator(result): next(result, None)
        return 'passed', None
    except Hangs as error: return 'hangs', error
    except (Exception, KeyboardInterrupt) as error: return ('ours' if is_ours(error) else 'obscure'), error
    finally: signal.alarm(0)


# (callable, argument, bad value): a regular expression each; what may escape, and why
ALLOWED = []


def cases(modules=()):
    "Every (callable, argument, bad value)"
    for path, f in public().items():
        module, name = path.rsplit('.', 1)
        if modules and module.split('.')[0] not in modules or name in OUTPUTS: continue
        for argument in arguments(module, name, f): yield from ((path, argument, bad) for bad in BAD)


def tried(path, *changes):
    "The outcome of a call with right arguments but for (argument, bad value)"
    f = public_callables()[path]
    made = {k: (kind, make()) for k, (kind, make) in arguments(*path.rsplit('.', 1), f).items()}
    made |= {argument: (made[argument][0], BAD[bad]()) for argument, bad in changes}
    return outcome(f, made)


public_callables = functools.cache(public)


def table(modules):
    counts, kinds = {}, Counter()
    for path, argument, bad in cases(modules):
        what, error = tried(path, (argument, bad))
        counts.setdefault(path, Counter())[what] += 1
        if what in ('obscure', 'hangs'):
            file, line = where(error)[1]
            kinds[path, argument, f'{Path(file).name}:{line}', f'{type(error).__name__}: {error}'[:90], bad] += 1
    return counts, kinds


if __name__ == '__main__':
    sys.stdout = os.fdopen(os.dup(1), 'w')  # a call that takes True for a file closes 1
    counts, kinds = table(sys.argv[1:])
    for key in sorted(kinds): print(*key, sep=' | ')
    groups = {}
    for path, c in counts.items(): groups.setdefault(path.rsplit('.', 1)[0], Counter()).update(c)
    for path, c in [*counts.items(), *groups.items(), ('all', sum(counts.values(), Counter()))]:
        print(f'{path:40} {c.total():6} calls  {c["passed"]:6} passed  {c["ours"]:6} ours  {c["obscure"]:5} obscure  {c["hangs"]:3} hang')
