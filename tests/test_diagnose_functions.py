"""The doctor's second door: gradients of any code, held against a loss of which nothing is known."""
import math
import re
from collections import Counter
from itertools import count, islice

import numpy as np
import pytest
from conftest import sampled

from backprop_book.diagnose import diagnose_functions


def readable(report):
    "The report, after a look at how it shows itself"
    text, markdown = repr(report).replace('a**2', ''), report._repr_markdown_()   # 1 - a**2 is a formula
    assert '**' not in text and '`' not in text and text == text.strip()
    assert markdown.count('`') % 2 == 0 and re.sub('`[^`]*`', '', markdown).count('**') % 2 == 0
    rows = [line for line in markdown.split('\n') if line.startswith('|')]
    assert len(rows) == 2 + len(report.table.rows) and {len(re.findall(r'(?<!\\)\|', row)) for row in rows} == {5}
    assert all(note in markdown for note in report.notes) and markdown.startswith(report.verdict)
    return report


# Functions: code that has nothing to do with our records.
RNG = np.random.default_rng(20)
XF, YF = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 2))
PARAMS = [RNG.normal(size=shape) for shape in [(3, 4), (4,), (4, 4), (4,), (4, 2), (2,)]]


def loss_of(p):
    H = np.tanh(XF @ p[0] + p[1])
    return float(((np.tanh(H @ p[2] + p[3]) @ p[4] + p[5] - YF)**2).sum()/(2*len(XF)))


def grad_of(p, Y=YF, slope=lambda a: 1 - a**2):
    H = np.tanh(XF @ p[0] + p[1])
    G = np.tanh(H @ p[2] + p[3])
    d = (G @ p[4] + p[5] - Y)/len(XF)
    e = (d @ p[4].T)*slope(G)
    f = (e @ p[2].T)*slope(H)
    return [XF.T @ f, f.sum(0), H.T @ e, e.sum(0), G.T @ d, d.sum(0)]


def but(k, change): return lambda p: [change(g) if j == k else g for j, g in enumerate(grad_of(p))]


def test_a_right_gradient_function_is_right():
    report = readable(diagnose_functions(loss_of, grad_of, PARAMS))
    assert report.right and not report.causes and not report.first and not report.notes
    assert all(row[1] < 1e-7 and row[2:] == ['right', '']
               for row in report.table.rows)   # smooth: quotients err by 1e-10
    assert diagnose_functions(lambda p: float(p[0]**2), lambda p: [2*p[0]], [np.array(3.)]).right


@pytest.mark.parametrize('change, cause', [
    (lambda g, p: -g, 'the sign'), (lambda g, p: 2*g, 'one factor on everything (factor = 2)'),
    (lambda g, p: g/6, 'one factor on everything (factor = 0.166667)'), (lambda g, p: 0*g, 'no gradient'),
    (lambda g, p: g + 0.01*p, 'weight decay in the gradient, missing from the loss (decay = 0.01)'),
    (lambda g, p: np.clip(g, -0.1, 0.1), 'clipped entry by entry (bound = 0.1)')])
def test_a_change_of_every_array_is_named(change, cause):
    report = readable(diagnose_functions(loss_of, lambda p: [change(g, q) for g, q in zip(grad_of(p), p)], PARAMS))
    assert [c.name for c in report.causes] == [cause] and not report.right, report
    assert report.first == ', '.join(f'gradient {k}' for k in range(6)) and cause in report.notes[0]


@pytest.mark.parametrize('k, change, alike', [
    (2, lambda g: 0*g, '0 everywhere'), (2, lambda g: g.T, 'transposed'),
    (0, lambda g: -g, '-1 times what it should be'),
    (5, lambda g: g*6, '6 times what it should be'), (3, lambda g: g[::-1], ''), (1, lambda g: g + [1e-3, 0, 0, 0], ''),
    (0, lambda g: 1.001*g, '1.001 times what it should be')])
def test_the_wrong_array_is_found_and_what_it_is(k, change, alike):
    report = readable(diagnose_functions(loss_of, but(k, change), PARAMS))
    assert not report.right and report.first == f'gradient {k}' and not report.causes, report
    assert [row[2] for row in report.table.rows] == ['wrong' if j == k else 'right' for j in range(6)]
    assert report.table.rows[k][3] == alike


@pytest.mark.parametrize('grad, belongs', [
    (lambda p: grad_of(p, Y=YF + 1), 'the gradient of some function'),
    (lambda p: [q**3 for q in p], 'the gradient of some function'),
    (lambda p: grad_of(p, slope=np.ones_like), 'no function at all'),
    (lambda p: grad_of(p, slope=lambda a: a*(1 - a)), 'no function at all')])
def test_another_functions_gradient_is_told_from_no_functions(grad, belongs):
    report = readable(diagnose_functions(loss_of, grad, PARAMS))
    assert not report.right and not report.causes and [belongs in note for note in report.notes] == [True], report


def test_a_gradient_function_that_changes_its_parameters_is_told():
    def grad(p):
        g = grad_of(p)
        p[1] -= 0.1*g[1]   # in place
        return g
    before = [p.copy() for p in PARAMS]
    report = readable(diagnose_functions(loss_of, grad, PARAMS))
    assert not report.right and any('changes parameter 1:' in note for note in report.notes), report
    assert all(map(np.array_equal, before, PARAMS))   # it worked on copies


def test_gradients_that_accumulate_are_told():
    for calls, factor in [(0, None), (1, 2)]:   # looked at from the first call on, or too late
        held = [0*p for p in PARAMS]
        def grad(p):
            for h, g in zip(held, grad_of(p)): h += g
            return [h.copy() for h in held]
        for _ in range(calls): grad(PARAMS)
        report = readable(diagnose_functions(loss_of, grad, PARAMS))
        assert not report.right and any('accumulates' in note or 'keeps something' in note
                                        for note in report.notes), report
        if factor: assert [c.name for c in report.causes] == ['one factor on everything (factor = 2)']


def test_a_gradient_with_noise_is_told():
    rng = np.random.default_rng(21)
    report = readable(diagnose_functions(loss_of, lambda p: [g + 0.1*rng.normal(size=g.shape) for g in grad_of(p)],
                                         PARAMS))
    assert not report.right and any('other numbers when it is called again' in note for note in report.notes), report


def test_a_parameter_that_the_loss_ignores_is_told():
    report = readable(diagnose_functions(lambda p: loss_of(p[:6]), lambda p: [*grad_of(p[:6]), 0*p[6]],
                                         [*PARAMS, np.ones(3)]))
    assert report.right and report.notes == ['the loss does not depend on parameter 6'], report
    report = diagnose_functions(lambda p: loss_of(p[:6]), lambda p: [*grad_of(p[:6]), p[6]], [*PARAMS, np.ones(3)])
    assert report.first == 'gradient 6' and report.table.rows[6][3] == 'not 0, as it should be'


@pytest.mark.parametrize('at_the_kink', [0., 0.5, 1.])
def test_a_kink_is_told_from_a_wrong_rule(at_the_kink):
    p = [np.array([0., 1., -1., 3e-6, 0.5])]   # at the kink, beside it, and away from it
    def loss(p): return float(np.maximum(p[0], 0).sum())
    def grad(p): return [np.heaviside(p[0], at_the_kink)]
    report = readable(diagnose_functions(loss, grad, p))
    assert report.right and not report.notes, report
    wrong = diagnose_functions(loss, lambda p: [grad(p)[0]*[1, 1, 1, 1, 2]], p)   # one that is no kink's fault
    assert not wrong.right and wrong.first == 'gradient 0', wrong


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_a_loss_in_single_precision_is_told_from_a_wrong_rule(dtype):
    def loss(p):
        H = np.tanh(XF.astype('f4') @ p[0].astype('f4') + p[1].astype('f4'))
        G = np.tanh(H @ p[2].astype('f4') + p[3].astype('f4'))
        return float(((G @ p[4].astype('f4') + p[5].astype('f4') - YF.astype('f4'))**2).sum()/(2*len(XF)))
    report = readable(diagnose_functions(loss, lambda p: [g.astype(dtype) for g in grad_of(p)], PARAMS))
    assert report.right, report
    assert readable(diagnose_functions(loss_of, lambda p: [g.astype('f4') for g in grad_of(p)], PARAMS)).right


@pytest.mark.parametrize('loss, grad, said', [
    (lambda p: loss_of(p) + np.random.default_rng().normal(), grad_of, 'seed it'),
    (lambda p: np.nan, grad_of, 'one finite .*number.*nan'),
    (lambda p: p[1], grad_of, 'one finite .*number'), (loss_of, lambda p: grad_of(p)[:-1], '5 arrays.* 6'),
    (loss_of, but(0, lambda g: g.T), r'gradient 0 has shape \(4, 3\), its parameter \(3, 4\): transpose it'),
    (loss_of, but(1, lambda g: g[None]), r'gradient 1 has shape \(1, 4\), its parameter \(4,\)'),
    (loss_of, but(3, lambda g: g*np.nan), r'gradient 3\[0\] is nan')])
def test_functions_that_fit_nothing_are_refused(loss, grad, said):
    with pytest.raises(ValueError, match=said): diagnose_functions(loss, grad, PARAMS)


# Right gradients of every make, and slips in them: none of the first is called wrong, the second all but a few.
# A network of its own, in any type of numbers: knows nothing of the package.
def bfloat16(x): return ((x.astype('f4').view('u4') + np.uint32(0x8000)) & np.uint32(0xffff0000)).view('f4')
def unit(z): return z.dtype.type(1)
def squash(z): return unit(z)/(unit(z) + np.exp(-z))


ACTS = dict(
    tanh=(np.tanh, lambda z: 1 - np.tanh(z)**2), sigmoid=(squash, lambda z: squash(z)*(1 - squash(z))),
    relu=(lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)), abs=(np.abs, np.sign),
    leaky=(lambda z: np.where(z > 0, z, z/8), lambda z: np.where(z > 0, unit(z), unit(z)/8)),
    linear=(lambda z: z, np.ones_like), softplus=(lambda z: np.logaddexp(0*unit(z), z), squash))


def of_rows(name, out, Y, r):
    "The loss of each row, and its slope in the outputs; `r` rounds"
    if name == 'squares': return r(((out - Y)**2).sum(1)/2), r(out - Y)
    if name == 'gaps': return np.abs(r(out - Y)).sum(1), np.sign(r(out - Y))
    if name == 'softmax':
        s = out - out.max(1, keepdims=True)
        e = np.exp(s)
        return r(np.log(e.sum(1)) - (Y*s).sum(1)), r(r(e/e.sum(1, keepdims=True)) - Y)
    if name == 'hinge':
        missed = np.maximum(0, out - (out*Y).sum(1, keepdims=True) + 1 - Y)*(1 - Y)
        D = (missed > 0).astype(out.dtype)
        return missed.sum(1), D - Y*D.sum(1, keepdims=True)
    gap = r(out.max(1) - Y[:, 0])   # a pool of all outputs
    return r(gap*gap), r(2*gap[:, None]*np.eye(out.shape[1], dtype=out.dtype)[out.argmax(1)])


KINDS = {'plain': {}, 'eight layers': dict(depth=8), 'saturated': dict(weights=20.), 'inputs of 1e4': dict(inputs=1e4),
         'weights of 1e-8': dict(weights=1e-8), 'kinks': dict(acts=['relu', 'leaky', 'abs'], zeros=True),
         'wide': dict(widths=(6, 20), rows=8), 'loss of 1e-12': dict(scale=1e-12), 'loss of 1e12': dict(scale=1e12),
         'a million and a little': dict(offset=1e6), 'one row': dict(rows=1), 'duplicates': dict(twice=True),
         'decay': dict(decay=.3)}
FLOATS = ['f8', 'f4', 'parameters cast', 'result cast', 'sums in float32', 'float32 and decay in float64']
HALVES = ['f2', 'bfloat16']


def functions(kind, floats, rng):
    "A loss, its right gradient, and parameters"
    k = dict(depth=int(rng.integers(1, 4)), rows=int(rng.integers(1, 9)), widths=(1, 5), weights=1., inputs=1.,
             scale=1., offset=0., decay=0., acts=[*ACTS], zeros=False, twice=False) | KINDS[kind]
    name = str(rng.choice(['squares', 'gaps', 'softmax', 'hinge', 'pool']))
    acts = [str(a) for a in rng.choice(k['acts'], k['depth'])]
    sizes = rng.integers(k['widths'][0], k['widths'][1] + 1, k['depth'] + 1)
    if name in ('softmax', 'hinge'): acts[-1], sizes[-1] = 'linear', max(2, sizes[-1])
    P = [a for i, o in zip(sizes, sizes[1:])
         for a in (k['weights']*rng.normal(0, i**-.5, (i, o)), k['weights']*rng.normal(0, .5, o))]
    X, Y = k['inputs']*rng.normal(size=(k['rows'], sizes[0])), rng.normal(size=(k['rows'], sizes[-1]))
    if name in ('softmax', 'hinge'): Y = np.eye(sizes[-1])[rng.integers(sizes[-1], size=k['rows'])]
    if k['twice']: X[-1], Y[-1] = X[0], Y[0]
    if k['zeros']:
        X[0] = 0
        for b in P[1::2]: b *= rng.random(b.shape) < .5
    inner = {'f8': 'f8', 'f2': 'f2', 'result cast': 'f8', 'sums in float32': 'f8'}.get(floats, 'f4')
    r = bfloat16 if floats == 'bfloat16' else lambda x: x
    def cast(a): return r(np.asarray(a).astype(inner))
    if floats != 'parameters cast': X, Y = cast(X), cast(Y)

    def forward(q):
        A, Z = [X], []
        for W, b, act in zip(q[::2], q[1::2], acts):
            Z.append(r(r(A[-1] @ W) + b))
            A.append(r(ACTS[act][0](Z[-1])))
        return A, Z

    def loss(p):
        q = [cast(a) for a in p]
        each = of_rows(name, forward(q)[0][-1], Y, r)[0]
        mean = np.add.reduce(each, dtype='f4')/np.float32(len(X)) if floats == 'sums in float32' else each.mean()
        decayed = p if floats in ('f8', 'float32 and decay in float64') else q
        value = r(np.asarray(mean))*k['scale'] + k['offset'] + k['decay']/2*sum((a**2).sum() for a in decayed)
        return np.dtype({'f2': 'f2', 'f8': 'f8', 'bfloat16': 'f8'}.get(floats, 'f4')).type(value)

    def grad(p):
        q = [cast(a) for a in p]
        A, Z = forward(q)
        dA, grads = r(of_rows(name, A[-1], Y, r)[1]/unit(A[-1])/len(X)), []
        for i in reversed(range(len(acts))):
            d = r(dA*ACTS[acts[i]][1](Z[i]))
            grads, dA = [r(A[i].T @ d), r(d.sum(0)), *grads], r(d @ q[2*i].T)
        decayed = p if floats in ('f8', 'float32 and decay in float64') else q
        return [g*k['scale'] + k['decay']*a for g, a in zip(grads, decayed)]

    return loss, grad, P


def cases(floats, seed):
    "(kind, type, generator) without end, each kind and type in its turn"
    for i in count():
        kind, rounds = [*KINDS][i % len(KINDS)], i//len(KINDS)
        yield kind, floats[rounds % len(floats)], np.random.default_rng([seed, i])


def finite(loss, grad, P):
    with np.errstate(all='ignore'): return np.isfinite([float(loss(P)), *(np.sum(np.abs(g)) for g in grad(P))]).all()


def alarms(floats, seed, n, few):
    "Right gradients that are called wrong, or whose table is not the verdict's, of the n-th to come"
    for kind, type_, rng in sampled(islice(cases(floats, seed), n), few):
        loss, grad, P = functions(kind, type_, rng)
        if not finite(loss, grad, P): continue   # float16 ends at 65504
        report = readable(diagnose_functions(loss, grad, P))
        if not report.right or 'wrong' in [row[2] for row in report.table.rows]: yield kind, type_, report


@pytest.mark.parametrize('floats, n, few', [(FLOATS, 2000, 20), (HALVES, 260, 5)])
def test_a_right_gradient_of_any_make_is_not_called_wrong(floats, n, few): assert list(alarms(floats, 30, n, few)) == []


def median(g):
    "Minus and plus the median of all sizes"
    return np.array([-1, 1])*np.median(np.abs(np.hstack([*map(np.ravel, g)])))


def an_entry(g, p, rng):
    g = [a.copy() for a in g]
    k = rng.integers(len(g))
    g[k].flat[rng.integers(g[k].size)] += rng.choice([-1, 1, .1, .01])*np.abs(g[k]).max()
    return g


PLANTED = {'factors': lambda g, p, rng: [a*rng.choice([2, .5, 1.1, 3, .1]) for a in g], 'entry': an_entry,
           'one array': lambda g, p, rng: [g[0]*rng.choice([1.05, 2, 5, .5]), *g[1:]],
           'sign': lambda g, p, rng: [-a for a in g],
           'zero': lambda g, p, rng: [0*a for a in g], 'decay': lambda g, p, rng: [a + .1*q for a, q in zip(g, p)],
           'no decay': lambda g, p, rng: [a - .1*q*(q.ndim > 1) for a, q in zip(g, p)],
           'clipped': lambda g, p, rng: [np.clip(a, *median(g)) for a in g],
           'transposed': lambda g, p, rng: [a.T if a.shape == a.T.shape else a for a in g],
           'reversed': lambda g, p, rng: [a[::-1] for a in g],
           'noise': lambda g, p, rng: [a + .1*np.abs(a).max()*rng.normal(size=a.shape) for a in g]}


def resolution(report):
    "The size from which on an error shows, as the report states it: 1e-5 where it says nothing"
    said = re.search(r'errors below ([\d.e+-]+) %', ' '.join(report.notes))
    return float(said[1])/100 if said else 1e-5


FEW = 14   # slips, where not all are tried


def slips(n, seed):
    "(slip, kind, type, report) of planted slips that are larger than what the report calls its resolution"
    for kind, floats, rng in sampled(islice(cases(FLOATS, seed), n), FEW):
        loss, grad, P = functions(kind, floats, rng)
        slip, own = str(rng.choice([*PLANTED])), int(rng.integers(1e9))
        def changed(g): return PLANTED[slip]([np.asarray(a, float) for a in g], P, np.random.default_rng(own))
        def wrong(p): return changed(grad(p))
        if not finite(loss, wrong, P): continue
        report = readable(diagnose_functions(loss, wrong, P))
        with np.errstate(all='ignore'): g = grad(P)
        most = max(np.abs(a).max() for a in g)
        shown = [np.abs(a - b).max()/max(np.abs(a).max(), np.abs(b).max(), 1e-300) for a, b, row in
                 zip(g, changed(g), report.table.rows) if row[2] != 'unmeasured' and row[3] != 'too small to measure'
                 and 'beside' not in row[3] and np.abs(a).max() > 1e-3*most]
        if max(shown, default=0) > resolution(report): yield slip, kind, floats, report


def test_slips_above_the_stated_resolution_are_called_wrong():
    found = list(slips(1000, 31))
    missed = [case for case in found if case[-1].right]
    assert len(found) > .5*len(sampled(range(1000), FEW)) and len(missed) <= .02*len(found), missed


# What names say.
LINEAR_X, LINEAR_Y = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 2))
SQUARE = [RNG.normal(size=(3, 3)), RNG.normal(size=3)]


def decaying(decay, theirs, bias=0.):
    "A loss with L2, and a gradient with another share of it"
    def loss(p): return loss_of(p) + decay/2*sum((q**2).sum() for q in p if q.ndim > 1)
    def grad(p): return [g + (theirs if q.ndim > 1 else bias)*q for g, q in zip(grad_of(p), p)]
    return loss, grad


@pytest.mark.parametrize('decay, theirs, bias, said', [
    (.2, 0, 0, 'in the loss, missing from the gradient (decay = 0.2)'),
    (.2, .1, 0, 'in the loss, missing from the gradient (decay = 0.1)'),
    (.2, .4, 0, 'in the gradient, missing from the loss (decay = 0.2)'),
    (0, .3, 0, 'in the gradient, missing from the loss (decay = 0.3)'),
    (.2, .2, .2, 'parameter 1 and parameter 3 and parameter 5 in the gradient, missing from the loss (decay = 0.2)')])
def test_whose_decay_it_is(decay, theirs, bias, said):
    report = readable(diagnose_functions(*decaying(decay, theirs, bias), PARAMS))
    assert not report.right and [said in c.name for c in report.causes] == [True], report
    assert report.first == ', '.join(f'gradient {k}' for k in ((1, 3, 5) if bias else (0, 2, 4)))


def test_decay_of_absolute_values_is_told():
    report = diagnose_functions(lambda p: loss_of(p) + .05*sum(np.abs(q).sum() for q in p), grad_of, PARAMS)
    assert [c.name for c in report.causes] == ['L1 decay in the loss, missing from the gradient (decay = 0.05)'], report


@pytest.mark.parametrize('momentum, share', [(.9, 1.), (.5, 1.), (.9, .1)])
def test_a_velocity_is_told_from_a_gradient(momentum, share):
    held = [0*p for p in PARAMS]
    def grad(p):
        for h, g in zip(held, grad_of(p)): h[...] = momentum*h + share*g
        return [h.copy() for h in held]
    report = readable(diagnose_functions(loss_of, grad, PARAMS))
    assert not report.right and f'a velocity for the gradient (momentum = {momentum})' in report.notes[0], report


def test_norms_clipped_and_arrays_exchanged_are_told():
    def clipped(p): return [g*min(1, .05/np.linalg.norm(g)) for g in grad_of(p)]
    causes = diagnose_functions(loss_of, clipped, PARAMS).causes
    assert [c.name for c in causes] == ['clipped array by array (norm = 0.05)']
    def swapped(p): return [grad_of(p)[k] for k in (0, 3, 2, 1, 4, 5)]
    rows = diagnose_functions(loss_of, swapped, PARAMS).table.rows
    said = [row[3] for row in rows if row[2] == 'wrong']
    assert said == [f'exchanged: theirs of array {k} belongs here' for k in (3, 1)]


@pytest.mark.parametrize('n, said', [(1, ''), (2, ''), (3, '0.7'), (4, '0.7')])
def test_a_fitted_number_explains_three_entries_or_nothing(n, said):
    p = [np.arange(1., n + 1)]
    report = diagnose_functions(lambda p: np.sin(p[0]).sum(), lambda p: [.7*np.cos(p[0])], p)
    assert not report.right and [said in c.name for c in report.causes] == [True]*bool(said), report
    assert (said in report.table.rows[0][3]) == bool(said) or not said and not report.table.rows[0][3]


def test_a_sign_or_a_two_needs_no_fitting():
    for c, alike in [(-1, '-1 times'), (2, '2 times'), (.25, '0.25 times')]:
        report = diagnose_functions(lambda p: float(p[0]**3 + p[1]**2), lambda p, c=c: [c*3*p[0]**2, 2*p[1]], [.7, .4])
        assert report.table.rows[0][3].startswith(alike) and report.table.rows[1][2] == 'right', report


# What is not finite, and what warns.
@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('f, df', [(np.log, lambda p: 1/p), (np.sqrt, lambda p: .5/np.sqrt(p)),
                                   (lambda p: p*np.log(p), lambda p: 1 + np.log(p)),
                                   (lambda p: 1/p, lambda p: -p**-2.),
                                   (lambda p: np.exp(650*p), lambda p: 650*np.exp(650*p))])
@pytest.mark.parametrize('right', [True, False])
def test_a_loss_that_ends_beside_the_point_is_measured_with_smaller_steps(f, df, right):
    p, factor = [np.array([1e-12, 1e-7, 1e-5, 1.])], 1 if right else 1.5
    def loss(p): return f(p[0]).sum()
    with np.errstate(all='raise'): report = readable(diagnose_functions(loss, lambda p: [factor*df(p[0])], p))
    assert report.right == right, report


def test_a_loss_that_raises_beside_the_point_is_measured_all_the_same():
    assert diagnose_functions(lambda p: -math.log(p[0]), lambda p: [-1/p[0]], [1e-7]).right
    assert not diagnose_functions(lambda p: -math.log(p[0]), lambda p: [1/p[0]], [1e-7]).right


def test_where_nothing_can_be_told_it_says_so():
    def loss(p): return np.float32(1e6 + np.sin(p[0]).sum())
    for factor in (1, 1.1):
        report = readable(diagnose_functions(loss, lambda p, c=factor: [c*np.cos(p[0])], [np.ones(3)]))
        assert 'Nothing can be said' in report.verdict and [row[2] for row in report.table.rows] == ['unmeasured']
    kept = diagnose_functions(lambda p: 1e6 + np.sin(p[0]).sum(), lambda p: [1.1*np.cos(p[0])], [np.ones(3)])
    assert not kept.right and not any('float32' in note for note in kept.notes)   # float64 has digits enough


def test_a_loss_in_float32_that_goes_in_steps_does_not_make_a_right_gradient_wrong():
    "Beside 1 the float32 numbers lie 6e-8 apart, so that log(1 - a) moves in steps there, and stands still between"
    rng = np.random.default_rng(33)
    for _ in range(12):
        X, V, Y = rng.normal(size=(3, 2)), 6*rng.normal(size=(3, 2)), rng.integers(0, 2, (3, 2)).astype(float)
        P = [rng.normal(size=(2, 3)), 5*rng.normal(size=2)]
        def loss(p):
            Z = np.tanh(X.astype('f4') @ p[0].astype('f4')) @ V.astype('f4') + p[1].astype('f4')
            A = np.clip(squash(Z), np.float32(1e-30), 1 - np.float32(6e-8))
            return float(-(Y*np.log(A) + (1 - Y)*np.log(1 - A)).sum()/3)
        def grad(p):
            H = np.tanh(X @ p[0])
            d = (squash(H @ V + p[1]) - Y)/3
            return [X.T @ ((d @ V.T)*(1 - H**2)), d.sum(0)]
        report = readable(diagnose_functions(loss, grad, P))
        assert report.right, report


def test_small_weights_beside_a_kink_are_not_taken_for_float32():
    def loss(p): return np.maximum(XF @ p[0], 0).sum() + 1.
    for scale in (1e-8, 1e-5, 1):
        W = scale*PARAMS[0]
        report = diagnose_functions(loss, lambda p: [XF.T @ (XF @ p[0] > 0)], [W])
        assert report.right and not any('computed in' in note for note in report.notes), report


# What they hand over.
class Tensor:
    "Anything that NumPy can read"
    def __init__(self, a): self.a = np.asarray(a)
    def __array__(self, dtype=None, copy=None): return self.a.astype(dtype or self.a.dtype)


class Attached:
    def __array__(self, dtype=None, copy=None): raise RuntimeError('it requires grad')


POINT = np.array([1., 2.])
def squares(p): return (p[0]**2).sum()
def doubles(p): return [2*p[0]]
def keyed(p): return (p['W']**2).sum() + p['b'].sum()
def outside(p): return p[7]


@pytest.mark.parametrize('loss', [lambda p: np.array([squares(p)]), lambda p: np.array([[squares(p)]]),
                                  lambda p: [squares(p)], lambda p: Tensor(squares(p)),
                                  lambda p: Tensor([squares(p)]), lambda p: float(squares(p))])
@pytest.mark.parametrize('params', [[POINT], (POINT,), ([1, 2],), [np.array([1, 2])], [np.array([True, False])],
                                    [Tensor(POINT)]])
def test_whatever_is_one_number_and_whatever_is_an_array_will_do(loss, params):
    assert diagnose_functions(loss, doubles, params).right
    assert diagnose_functions(loss, lambda p: [Tensor(2*p[0])], params).right
    assert not diagnose_functions(loss, lambda p: [Tensor(3*p[0])], params).right


@pytest.mark.parametrize('keys', [('W', 'b'), ('b', 'W'), ('dW', 'db')])
def test_dictionaries_are_read_by_key(keys):
    values = dict(W=lambda p: 2*p['W'], b=lambda p: np.ones(2))
    def grad(p, bad=()): return {key: (1 + ('b' in bad and key[-1] == 'b'))*values[key[-1]](p) for key in keys}
    assert diagnose_functions(keyed, grad, dict(W=POINT, b=POINT)).right
    report = diagnose_functions(keyed, lambda p: grad(p, 'b'), dict(b=POINT, W=POINT))
    assert report.first == 'gradient b', report
    assert [row[0] for row in report.table.rows] == ['gradient b', 'gradient W']   # in the order of params


@pytest.mark.parametrize('h', [1e30, -1e-5, np.nan, np.inf, 0, 'x', None, True, [1e-5], 1j, 1e-40])
def test_a_step_that_is_none_is_refused(h):
    with pytest.raises(ValueError, match='h must be a number between'):
        diagnose_functions(squares, doubles, [POINT], h=h)


@pytest.mark.parametrize('loss, grad, params, said', [
    (squares, doubles, dict(w=POINT), r'loss takes a list, and params is a dict: write `list\(params.values\(\)\)`'),
    (lambda p: (squares(p), doubles(p)), doubles, [POINT], r'tuple of 2.*loss\(p\)\[0\]'),
    (lambda p: None, doubles, [POINT], 'loss returned None: is a `return` missing'),
    (lambda p: Attached(), doubles, [POINT], 'Attached that NumPy cannot read .*requires grad.*return a float'),
    (lambda p: str(squares(p)), doubles, [POINT], 'one finite real number'),
    (lambda p: 1j, doubles, [POINT], 'one finite real number'),
    (outside, doubles, [POINT], 'loss raised IndexError: list index'),
    (squares, outside, [POINT], 'grad raised IndexError: list index'),
    (squares, lambda p: (squares(p), doubles(p)), [POINT], r'grad\(p\)\[1\]'),
    (lambda p: squares(p) + p[1].sum(), lambda p: (squares(p), doubles(p)), [POINT, POINT], r'grad\(p\)\[1\]'),
    (squares, lambda p: {'w': 2*p[0]}, [POINT], 'returned a dict, expected a list of 1.*let params be a dict'),
    (keyed, lambda p: {'W': p['W']}, dict(W=POINT, b=POINT), 'keys W, expected those of params: b is not there'),
    (squares, lambda p: None, [POINT], 'grad returned None.*`return` missing'),
    (squares, lambda p: [None], [POINT], 'gradient 0 is None'),
    (squares, lambda p: [], [POINT], '0 arrays, expected a list of 1'),
    (squares, lambda p: 2*p[0], [POINT], r'return \[g\]'),
    (squares, lambda p: [np.tile(p[0], (5, 1))], [POINT], r'\(5, 2\), its parameter \(2,\): sum it over the rows'),
    (squares, lambda p: [Attached()], [POINT], 'gradient 0 is a Attached that NumPy cannot read'),
    (squares, doubles, [(np.ones((2, 3)), np.ones(3))],
     'parameter 0 is a tuple of arrays of different shapes: make one flat list'),
    (squares, doubles, [None], 'parameter 0 is None'), (squares, doubles, POINT, r'got a ndarray: write \[params\]'),
    (3., doubles, [POINT], 'loss must be a function of a list of arrays, got a float'),
    (squares, 'grad', [POINT], 'grad must be a function of a list of arrays, got a str'),
    (squares, doubles, [], 'params is empty'),
    (squares, doubles, [np.zeros((0, 3))], 'parameter 0 has shape .0, 3.: leave it out'),
    (squares, doubles, [np.array(['a', 1], object)], 'parameter 0 must hold real numbers')])
def test_what_does_not_fit_is_refused_in_a_sentence(loss, grad, params, said):
    with pytest.raises((TypeError, ValueError), match=said): diagnose_functions(loss, grad, params)


@pytest.mark.parametrize('seed', [-1, 'x', 1.5, Tensor(1), {}, [None]])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises((TypeError, ValueError), match='seed must be a whole number'):
        diagnose_functions(squares, doubles, [POINT], seed=seed)


@pytest.mark.filterwarnings('ignore:the matrix subclass')
def test_a_seed_on_which_numpy_crashes_is_refused():
    with pytest.raises(TypeError, match='seed must be a whole number'):
        diagnose_functions(squares, doubles, [POINT], seed=np.asmatrix([[1., 2.]]))


def test_a_loss_that_changes_its_parameters_does_no_harm():
    def loss(p):
        p[0] /= 2
        return 4*(p[0]**2).sum()
    report = readable(diagnose_functions(loss, doubles, [POINT]))
    assert report.right and report.notes == ['loss changes parameter 0: work on a copy'], report
    assert POINT.tolist() == [1, 2]


def test_a_gradient_that_relies_on_the_last_call_of_the_loss_is_right_and_told():
    kept = {}
    def loss(p):
        kept.update(H=np.tanh(XF @ p[0] + p[1]), p=[q.copy() for q in p])
        return loss_of(p)
    report = readable(diagnose_functions(loss, lambda p: grad_of(kept['p']), PARAMS))
    assert report.right and ['left behind' in note for note in report.notes] == [True], report


# A network for small pictures: 79,510 parameters, and a loss that counts its calls.
@pytest.mark.parametrize('dtype', [np.float64, pytest.param(np.float32, marks=pytest.mark.slow)])
def test_a_large_network_takes_few_calls(dtype):
    rng, calls = np.random.default_rng(0), Counter()
    X, Y = rng.random((32, 784)).astype(dtype), np.eye(10, dtype=dtype)[rng.integers(10, size=32)]
    P = [rng.normal(0, 1/28, (784, 100)), np.zeros(100), rng.normal(0, .1, (100, 10)), np.zeros(10)]
    def passed(p):
        W, b, V, c = [np.asarray(a, dtype) for a in p]
        H = np.maximum(X @ W + b, 0)
        s = H @ V + c
        return H, s - s.max(1, keepdims=True), V
    def loss(p):
        calls['loss'] += 1
        _, s, _ = passed(p)
        return (np.log(np.exp(s).sum(1)) - (Y*s).sum(1)).mean()
    def grad(p):
        H, s, V = passed(p)
        d = (np.exp(s)/np.exp(s).sum(1, keepdims=True) - Y)/dtype(32)
        e = (d @ V.T)*(H > 0)
        return [X.T @ e, e.sum(0), H.T @ d, d.sum(0)]
    def unnamed(p): return [g + .3*np.abs(g).max()*np.random.default_rng(0).normal(size=g.shape) for g in grad(p)]
    right, wrong = [diagnose_functions(loss, f, P) for f in (grad, unnamed)]
    assert right.right and not wrong.right and not wrong.causes
    assert calls['loss'] < 14000, calls   # 2,500; float32 12,000


def tiny(seed, f, slope, dtype=float, scale=1.):
    "A network of two layers whose parameters are all about 1e-8, its loss and gradient in `dtype`"
    rng = np.random.default_rng(seed)
    d, m, k, n = rng.integers(1, 7, 4)
    X, Y = (scale*rng.normal(size=(n, d))).astype(dtype), np.eye(k)[rng.integers(0, k, n)].astype(dtype)

    def forward(p):
        W, b, V, c = [a.astype(dtype) for a in p]
        return V, X @ W + b, f(X @ W + b) @ V + c

    def loss(p): return ((forward(p)[2] - Y)**2).mean()

    def grad(p):
        V, Z, out = forward(p)
        delta = 2*(out - Y)/dtype(out.size)
        dZ = delta @ V.T*slope(Z)
        return [X.T @ dZ, dZ.sum(0), f(Z).T @ delta, delta.sum(0)]
    return loss, grad, [1e-8*rng.normal(size=s) for s in ((d, m), m, (m, k), k)]


def logistic(z): return 1/(1 + np.exp(-z))
def logistic_slope(z): return logistic(z)*(1 - logistic(z))


def test_a_grain_that_hides_all_effects_of_tiny_weights_makes_no_gradient_wrong():
    "float32, inputs of 1e4: no step of the first layer moves the loss, though its slopes are 1e-5"
    for seed in range(20):
        loss, grad, params = tiny(seed, logistic, logistic_slope, np.float32, 1e4)
        with np.errstate(over='ignore'): report = diagnose_functions(loss, grad, params)
        assert report.right is not False, (seed, report)


def test_a_kink_beside_tiny_weights_makes_no_gradient_wrong():
    "Rows whose slopes cancel on both sides of all kinks: the quotient is 0, and no jump is seen"
    X, Y, decay = np.array([[1.], [-2.]]), np.eye(2), .1

    def forward(p):
        W, b, V, c = p
        return W, V, X @ W + b, np.where(X @ W + b > 0, X @ W + b, .1*(X @ W + b)) @ V + c

    def loss(p):
        W, _, _, out = forward(p)
        return np.mean(np.logaddexp.reduce(out, 1) - (out*Y).sum(1)) + decay/2*(W**2).sum()

    def grad(p):
        W, V, Z, out = forward(p)
        delta = (np.exp(out)/np.exp(out).sum(1, keepdims=True) - Y)/2
        dZ = delta @ V.T*np.where(Z > 0, 1, .1)
        return [X.T @ dZ + decay*W, dZ.sum(0), np.where(Z > 0, Z, .1*Z).T @ delta, delta.sum(0)]
    params = [1e-8*np.array(p) for p in ([[1.5]], [.2], [[.7, -1.3]], [.1, .4])]
    assert diagnose_functions(loss, grad, params).right is not False


def test_a_slip_in_a_network_of_tiny_weights_is_seen():
    for seed in range(6):
        for dtype, k in [(float, 0), (float, 2), (np.float32, 3)]:
            loss, grad, params = tiny(seed, logistic, logistic_slope, dtype)
            def slipped(p, grad=grad, k=k): return [g*(2 if i == k else 1) for i, g in enumerate(grad(p))]
            report = diagnose_functions(loss, slipped, params)
            assert report.right is False and f'gradient {k}' in str(report), (seed, dtype, k)
