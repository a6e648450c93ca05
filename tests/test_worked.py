"""The worked examples' published figures, through `worked`, through matrices and through a graph of scalars."""
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from backprop_book import graph, worked
from backprop_book.loss import squared_error
from backprop_book.network import Layer, forward, loss_and_grads
from backprop_book.transfer import sigmoid
from backprop_book.worked import C1, MAZUR, digits_that_hold, figures_c1, gradients, published, published_c1

FAILING = {'dE_o2_dout_h1', 'E after 1', 'E after 10000', 'out_o1 after 10000', 'out_o2 after 10000'}
W, B = MAZUR.weights, MAZUR.biases
X, Y = np.array([[*MAZUR.inputs.values()]]), np.array([[*MAZUR.targets.values()]])
NAMES = [[['w1', 'w3'], ['w2', 'w4']], [['w5', 'w7'], ['w6', 'w8']]]  # rows are inputs, columns units
BIASES = [['b_h1', 'b_h2'], ['b_o1', 'b_o2']]


def holds(name, value):
    right, shown = digits_that_hold(published[name], value)
    return right == shown


def mazur_network():
    return [Layer([[W[name] for name in row] for row in w], [B[name] for name in b], sigmoid)
            for w, b in zip(NAMES, BIASES)]


@pytest.fixture(scope='module')
def computed():
    return worked.figures()


@pytest.fixture(scope='module')
def sequential():
    return worked.figures(sequential=True)


def test_exactly_five_published_figures_do_not_hold(computed):
    assert len(published) == 30 and {name for name in published if not holds(name, computed[name])} == FAILING


def test_the_right_figures(computed):
    assert f"{computed['dE_o2_dout_h1']:.9f}" == '-0.019049118'
    assert f"{computed['E after 1']:.9f}" == '0.291027774'


def test_the_sequential_update_gives_what_the_post_prints(computed, sequential):
    assert all(holds(name, sequential[name]) for name in ('E after 1', 'out_o1 after 10000', 'out_o2 after 10000'))
    assert not any(holds(f'w{k}+', sequential[f'w{k}+']) for k in (1, 2, 3, 4))
    assert not holds('E after 10000', sequential['E after 10000'])
    assert digits_that_hold('0.000035085', sequential['E after 10000']) == (5, 5)  # the figure of some copies


def test_the_error_after_10000_is_that_after_9999():
    last, errors = worked.run(9999)
    assert holds('E after 10000', errors[-1]) and not holds('E after 10000', worked.forward_pass(worked.update(last)).E)


def test_biases_stay_unless_they_are_trained():
    plain, trained = worked.update(MAZUR), worked.update(MAZUR, train_biases=True)
    assert plain.biases == MAZUR.biases and plain.weights == trained.weights
    expected = {name: b - 0.5*gradients(MAZUR)[name] for name, b in MAZUR.biases.items()}
    assert trained.biases == expected and f'{worked.forward_pass(trained).E:.9f}' == '0.280471447'


def test_the_network_gives_the_same_figures():
    net = mazur_network()
    trace, (E, grads) = forward(net, X), loss_and_grads(net, X, Y, squared_error)
    (Z0, Z1), (_, A1, A2) = trace.Z, trace.A
    first = dict(net_h1=Z0[0, 0], out_h1=A1[0, 0], out_h2=A1[0, 1], net_o1=Z1[0, 0], out_o1=A2[0, 0], out_o2=A2[0, 1],
                 E_o1=squared_error(A2[:, :1], Y[:, :1]), E_o2=squared_error(A2[:, 1:], Y[:, 1:]), E=E,
                 dE_dw5=grads[1].W[0, 0], dE_dw1=grads[0].W[0, 0], delta_o1=grads[1].b[0])
    after = {f'{name}+': w for names, layer, grad in zip(NAMES, net, grads)
             for name, w in zip(np.ravel(names), np.ravel(layer.W - MAZUR.lr*grad.W))}
    assert len(first) == 12 and len(after) == 8
    assert [name for name, value in {**first, **after}.items() if not holds(name, value)] == []


def test_the_network_after_one_update(computed):
    net = mazur_network()
    grads = loss_and_grads(net, X, Y, squared_error)[1]
    stepped = [replace(layer, W=layer.W - MAZUR.lr*grad.W) for layer, grad in zip(net, grads)]
    E = squared_error(forward(stepped, X).A[-1], Y)
    assert not holds('E after 1', E) and abs(E - computed['E after 1']) < 1e-15  # a few roundings apart


def test_the_graph_gives_every_slope():
    values = {name: graph.Value(x, name) for name, x in {**W, **B}.items()}
    parameters = [([[values[name] for name in row] for row in w], [values[name] for name in b], graph.sigmoid)
                  for w, b in zip(NAMES, BIASES)]
    graph.scalar_loss(parameters, X.tolist(), Y.tolist()).backward()
    assert len(values) == 12 and holds('dE_dw5', values['w5'].grad) and holds('dE_dw1', values['w1'].grad)
    for name, slope in gradients(MAZUR).items():
        assert values[name].grad == pytest.approx(slope, rel=1e-13), name  # a dozen roundings of 1e-16


def test_all_28_figures_of_the_linear_example():
    "On fractions, since one figure is a tie, which the rounding of floats may tip"
    exact = figures_c1(worked.linear_as_numbers(C1, Fraction))
    rows = [(printed, x) for name, texts in published_c1.items() for printed, x in zip(texts, exact[name], strict=True)]
    assert len(rows) == 28 and exact.keys() == published_c1.keys()
    assert [printed for printed, x in rows if len(set(digits_that_hold(printed, x))) > 1] == []
    for name, values in figures_c1().items():
        assert values == pytest.approx([float(x) for x in exact[name]], rel=1e-14), name  # a few roundings


@pytest.mark.parametrize('printed, exact, expected', [
    ('3.1416', '3.14159265', (5, 5)), ('3.1415', '3.14159265', (4, 5)), ('3.14160', '3.14159265', (5, 6)),
    ('0.0010', '0.00106', (1, 2)), ('0.25', Fraction(51, 200), (2, 2)), ('-0.019049119', '-0.01904911826', (7, 8)),
    ('22', '3.14', (0, 2))])
def test_digits_that_hold(printed, exact, expected):
    assert digits_that_hold(printed, exact) == expected


def test_digits_cut_off():
    assert digits_that_hold('3.1415', '3.14159265', cut=True) == (5, 5)
    assert digits_that_hold('3.1416', '3.14159265', cut=True) == (5, 5)
    assert digits_that_hold('3.1414', '3.14159265', cut=True) == (4, 5)
    assert digits_that_hold('3.14', '3.15', cut=True) == (2, 3)


def test_a_figure_must_be_text():
    with pytest.raises(TypeError, match='as text'): digits_that_hold(0.5, 0.5)
    with pytest.raises(ValueError): digits_that_hold('half', 0.5)
    with pytest.raises(ValueError): digits_that_hold('0.5', float('nan'))


def test_other_numbers_are_read_from_the_text():
    e, linear = worked.as_numbers(MAZUR, Decimal, Decimal.exp), worked.linear_as_numbers(C1, Fraction)
    assert e.weights['w1'] == Decimal('0.15') and e.lr == Decimal('0.5') and linear.W1[0, 1] == Fraction('0.2')
    assert worked.forward_pass(e).E == pytest.approx(Decimal('0.298371108760002688607381947666'), abs=Decimal('1e-26'))
    assert worked.linear_forward(linear).E == (Fraction('-0.07579')**2 + Fraction('-0.9599075')**2)/2  # y - t


def test_the_examples_cannot_be_changed():
    with pytest.raises(TypeError): MAZUR.weights['w5'] = 0.36
    with pytest.raises(ValueError): C1.W1[0, 0] = 0.02
    with pytest.raises(ValueError, match='from 0 to 100000'): worked.run(-1)


def test_a_linear_example_whose_target_does_not_fit():
    with pytest.raises(ValueError, match=r't has shape \(1,\), the output \(2,\)'):
        worked.linear_forward(replace(C1, t=[0.1]))


@pytest.mark.parametrize('kind, updates', [(ValueError, 10**30), (ValueError, 10**6), (ValueError, -1),
                                           (ValueError, -10**30), (ValueError, 10**400),
                                           (TypeError, 2.), (TypeError, '3'), (TypeError, None),
                                           (TypeError, True), (TypeError, float('nan'))])
def test_a_run_ends(kind, updates):
    with pytest.raises(kind, match='updates must be'): worked.run(updates)


@pytest.mark.parametrize('words, call', [
    ('inputs must be a dict of i1, i2, got None', lambda: replace(MAZUR, inputs=None)),
    ('weights must have the names w1, .*, w8, got', lambda: replace(MAZUR, weights={'w1': 1})),
    ("biases must have the names b_h1", lambda: replace(MAZUR, biases=dict(b1=0, b2=0, b3=0, b4=0))),
    ('e must be a Example, as in MAZUR, got', lambda: worked.forward_pass(C1)),
    ('e must be a LinearExample, as in C1, got', lambda: worked.linear_update(MAZUR)),
    ('carried_by must be a Example', lambda: worked.gradients(MAZUR, 3)),
    ('sequential must be True or False', lambda: worked.figures(sequential='yes')),
    ('train_biases must be True or False', lambda: worked.run(3, train_biases=np.ones(2))),
    (r"W2 has shape \(2, 1\), expected \(outputs, 2\): W1 gives 2", lambda: replace(C1, W2=[[1], [2]])),
    (r'x has shape \(1, 2\)', lambda: replace(C1, x=[[.5, .1]])),
    (r"number must make .*; of '0.05' the class list makes \[", lambda: worked.as_numbers(MAZUR, list, abs)),
    ("number must make .* makes none", lambda: worked.as_numbers(MAZUR, None, abs)),
    ("number must make .* makes none: invalid literal", lambda: worked.linear_as_numbers(C1, int)),
    ('exp must be a function, as math.exp', lambda: worked.as_numbers(MAZUR, Fraction, None)),
    ("printed must be a decimal .* got the text '1/3'", lambda: digits_that_hold('1/3', .3)),
    ('printed must be a decimal .* at most 4000', lambda: digits_that_hold('1e-99999999', .3)),
    ('printed must be a decimal .* at most 4000', lambda: digits_that_hold('1'*10**5, .3)),
    ('exact must be a number', lambda: digits_that_hold('0.5', '1e999999999')),
    ('exact must be a number', lambda: digits_that_hold('0.5', 10**5000)),
    ('exact must be a number', lambda: digits_that_hold('0.5', '1/0')),
    ('cut must be True or False', lambda: digits_that_hold('0.5', .5, cut=3))])
def test_bad_arguments_are_named_and_soon(words, call):
    with pytest.raises((TypeError, ValueError), match=words): call()
