"""The doctor's second door: gradients of any code, held against a loss of which nothing is known."""
import re

import numpy as np
import pytest

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
    assert all(row[1] < 1e-7 and row[2:] == ['right', ''] for row in report.table.rows)   # smooth: quotients err by 1e-10
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
    (2, lambda g: 0*g, '0 everywhere'), (2, lambda g: g.T, 'transposed'), (0, lambda g: -g, '-1 times what it should be'),
    (5, lambda g: g*6, '6 times what it should be'), (3, lambda g: g[::-1], ''), (1, lambda g: g + [1e-3, 0, 0, 0], ''),
    (0, lambda g: 1.001*g, '1.001 times what it should be')])
def test_the_wrong_array_is_found_and_what_it_is(k, change, alike):
    report = readable(diagnose_functions(loss_of, but(k, change), PARAMS))
    assert not report.right and report.first == f'gradient {k}' and not report.causes, report
    assert [row[2] for row in report.table.rows] == ['wrong' if j == k else 'right' for j in range(6)]
    assert report.table.rows[k][3] == alike


@pytest.mark.parametrize('grad, belongs', [
    (lambda p: grad_of(p, Y=YF + 1), 'the gradient of some function'), (lambda p: [q**3 for q in p], 'the gradient of some function'),
    (lambda p: grad_of(p, slope=np.ones_like), 'no function at all'), (lambda p: grad_of(p, slope=lambda a: a*(1 - a)), 'no function at all')])
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
        assert not report.right and any('accumulates' in note or 'keeps something' in note for note in report.notes), report
        if factor: assert [c.name for c in report.causes] == ['one factor on everything (factor = 2)']


def test_a_gradient_with_noise_is_told():
    rng = np.random.default_rng(21)
    report = readable(diagnose_functions(loss_of, lambda p: [g + 0.1*rng.normal(size=g.shape) for g in grad_of(p)], PARAMS))
    assert not report.right and any('other numbers when it is called again' in note for note in report.notes), report


def test_a_parameter_that_the_loss_ignores_is_told():
    report = readable(diagnose_functions(lambda p: loss_of(p[:6]), lambda p: [*grad_of(p[:6]), 0*p[6]], [*PARAMS, np.ones(3)]))
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
    assert report.right or any('float32' in note for note in report.notes), report
    assert readable(diagnose_functions(loss_of, lambda p: [g.astype('f4') for g in grad_of(p)], PARAMS)).right


@pytest.mark.parametrize('loss, grad, said', [
    (lambda p: loss_of(p) + np.random.default_rng().normal(), grad_of, 'seed it'), (lambda p: np.nan, grad_of, 'one finite .*number.*nan'),
    (lambda p: p[1], grad_of, 'one finite .*number'), (loss_of, lambda p: grad_of(p)[:-1], '5 arrays.* 6'),
    (loss_of, but(0, lambda g: g.T), r'gradient 0 has shape \(4, 3\), its parameter \(3, 4\): transpose it'),
    (loss_of, but(1, lambda g: g[None]), r'gradient 1 has shape \(1, 4\), its parameter \(4,\)'),
    (loss_of, but(3, lambda g: g*np.nan), r'gradient 3\[0\] is nan')])
def test_functions_that_fit_nothing_are_refused(loss, grad, said):
    with pytest.raises(ValueError, match=said): diagnose_functions(loss, grad, PARAMS)
