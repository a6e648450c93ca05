"""`certify` proves right functions, a reader's own too, and names the rule that a wrong one breaks."""
from dataclasses import replace

import numpy as np
import pytest
from conftest import LOSSES, TRANSFERS
from sympy import Symbol

from backprop_book.formula import as_mpmath, read_formula
from backprop_book.loss import logistic_loss, softmax_cross_entropy, squared_error
from backprop_book.transfer import (
    Transfer,
    assert_no_gap,
    assert_values,
    breaks,
    certify,
    relu,
    sigmoid,
    softplus,
    tanh,
)


def _silu_slope(z): return sigmoid(z)*(1 + z*sigmoid(-z))


SILU = Transfer('silu', 'z/(1 + exp(-z))', '(1 + exp(-z) + z*exp(-z))/(1 + exp(-z))**2', lambda z: z*sigmoid(z),
                _silu_slope)


@pytest.mark.parametrize('f', [*TRANSFERS, SILU, *LOSSES], ids=repr)
def test_right_functions(f): assert len(certify(f).rows) >= 3


@pytest.mark.parametrize('transfer', TRANSFERS, ids=repr)
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_no_overflow_no_warning_and_the_dtype_stays(transfer, dtype):
    z = np.array([-1000, -30, -1, -0., 0, 1, 30, 1000], dtype)
    with np.errstate(over='raise', invalid='raise', divide='raise'):
        values = [transfer(z), transfer.df(z)]
        if transfer.df_from_output: values.append(transfer.df_from_output(transfer(z)))
    assert all(v.dtype == dtype and v.shape == z.shape and np.isfinite(v).all() for v in values)


def _diagonal_slope(A, Y): return (softmax_cross_entropy.slope_f(A, Y) + Y)*(1 - Y)


def _naive_sigmoid(z): return 1/(1 + np.exp(-z))


WRONG = {
    'slope text': (replace(sigmoid, slope='exp(-z)/(1 + exp(-z))'), 'slope = d formula/dz'),
    'slope 0.1 % off': (replace(tanh, df=lambda z: 1.001*tanh.df(z)), 'df = slope'),
    'tanh with y(1 - y)': (replace(tanh, df_from_output=lambda a: a*(1 - a)), 'df_from_output = slope'),
    'tanh with y(1 - y), text too': (replace(tanh, slope_from_output='a*(1 - a)', df_from_output=lambda a: a*(1 - a)),
                                     'slope_from_output = slope'),
    'x(1 - x) of the net input': (replace(sigmoid, df=lambda z: z*(1 - z)), 'df = slope'),
    'overflow': (replace(sigmoid, f=_naive_sigmoid), 'f = formula'),
    'another function': (replace(softplus, f=relu.f), 'f = formula'),
    'relu, output >= 0': (replace(relu, df_from_output=lambda a: np.where(a >= 0, np.ones_like(a), 0)),
                          'df_from_output = slope'),
    'loss without its half': (replace(squared_error, f=lambda A, Y: (A - Y)**2), 'f = formula'),
    'loss with the slope of twice itself': (replace(squared_error, slope_f=lambda A, Y: 2*(A - Y)), 'slope_f = slope'),
    'loss with another slope text': (replace(logistic_loss, slope='a - y'), 'slope'),
    'softmax with its diagonal alone': (replace(softmax_cross_entropy, slope_f=_diagonal_slope), 'slope_f = slope'),
}


@pytest.mark.parametrize('wrong, rule', WRONG.values(), ids=WRONG)
def test_wrong_functions_and_the_rule_they_break(wrong, rule):
    with pytest.raises(AssertionError, match='(?s)' + rule): certify(wrong)


@pytest.mark.parametrize('bad', [tanh.f, 'tanh', None], ids=str)
def test_what_is_no_transfer_function_or_loss(bad):
    with pytest.raises(TypeError, match='Transfer'): certify(bad)


@pytest.mark.parametrize('text, at', [('log(z)', -1), ('1/z', 0), ('z**(1/3)', -1), ('exp(exp(exp(z)))', 1000)])
def test_a_formula_without_a_value_is_told(text, at):
    with pytest.raises(AssertionError, match='no real value'):
        assert_values(np.zeros(1), read_formula(text, 'z'), [Symbol('z', real=True)], [[at]], 'f = formula')


@pytest.mark.parametrize('condition, edges', [('z**4 - z - 1', 2), ('tanh(z) - 1/2', 1), ('z**8 - 3', 2),
                                              ('(z - 1)*(z - 2)', 2)])
def test_breaks_of_a_condition(condition, edges):
    found = breaks(read_formula(f'Piecewise((z, {condition} > 0), (0, True))', 'z'))
    values = [float(as_mpmath(read_formula(condition, 'z'), Symbol('z', real=True))(float(b))) for b in found]
    assert len(found) == edges and np.abs(values).max() < 1e-12


@pytest.mark.parametrize('condition', ['exp(5*z) - exp(z) - 3', 'z**9 - z - 1', 'sin(z)', 'sin(z) + sin(2*z) - 1/3',
                                       'z + exp(z)'])
def test_breaks_that_nobody_lists_are_refused(condition):
    "Of the first SymPy says that there are none; there is one"
    with pytest.raises(ValueError, match='cannot list'):
        breaks(read_formula(f'Piecewise((z, {condition} > 0), (0, True))', 'z'))


@pytest.mark.parametrize('text, other', [
    ('z*(1 + tanh(sqrt(2/pi)*(z + 0.044715*z**3)))/2', 'z/(1 + exp(-2*sqrt(2/pi)*(z + 0.044715*z**3)))'),
    ('tanh(tanh(z))', '1 - 2/(exp(2 - 4/(exp(2*z) + 1)) + 1)'), ('sin(z)*sin(3*z)', '(cos(2*z) - cos(4*z))/2')])
def test_the_same_function_in_another_form(text, other):
    "For the first, simplify alone takes longer than anybody waits"
    assert assert_no_gap(read_formula(text, 'z'), read_formula(other, 'z'), 'form') == 0
    with pytest.raises(AssertionError, match='form: at z = 1 it is'):
        assert_no_gap(read_formula(text, 'z'), read_formula(f'1.001*({other})', 'z'), 'form')
