"""`certify` proves right functions, a reader's own too, and names the rule that a wrong one breaks."""
from dataclasses import replace

import numpy as np
import pytest
from conftest import LOSSES, TRANSFERS

from backprop_book.loss import logistic_loss, softmax_cross_entropy, squared_error
from backprop_book.transfer import Transfer, certify, relu, sigmoid, softplus, tanh


def _silu_slope(z): return sigmoid(z)*(1 + z*sigmoid(-z))


SILU = Transfer('silu', 'z/(1 + exp(-z))', '(1 + exp(-z) + z*exp(-z))/(1 + exp(-z))**2', lambda z: z*sigmoid(z), _silu_slope)


@pytest.mark.parametrize('f', [*TRANSFERS, SILU, *LOSSES], ids=repr)
def test_right_functions(f): assert len(certify(f).rows) >= 3


@pytest.mark.parametrize('transfer', TRANSFERS, ids=repr)
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_no_overflow_no_warning_and_the_dtype_stays(transfer, dtype):
    z = np.array([-1000, -30, -1, -0., 0, 1, 30, 1000], dtype)
    with np.errstate(over='raise', invalid='raise', divide='raise'):
        values = [transfer(z), transfer.df(z)] + ([transfer.df_from_output(transfer(z))] if transfer.df_from_output else [])
    assert all(v.dtype == dtype and v.shape == z.shape and np.isfinite(v).all() for v in values)


def _naive_sigmoid(z): return 1/(1 + np.exp(-z))


WRONG = {
    'slope text': (replace(sigmoid, slope='exp(-z)/(1 + exp(-z))'), 'slope = d formula/dz'),
    'slope 0.1 % off': (replace(tanh, df=lambda z: 1.001*tanh.df(z)), 'df = slope'),
    'tanh with y(1 - y)': (replace(tanh, df_from_output=lambda a: a*(1 - a)), 'df_from_output = slope'),
    'tanh with y(1 - y), text too': (replace(tanh, slope_from_output='a*(1 - a)', df_from_output=lambda a: a*(1 - a)), 'slope_from_output = slope'),
    'x(1 - x) of the net input': (replace(sigmoid, df=lambda z: z*(1 - z)), 'df = slope'),
    'overflow': (replace(sigmoid, f=_naive_sigmoid), 'f = formula'),
    'another function': (replace(softplus, f=relu.f), 'f = formula'),
    'relu, output >= 0': (replace(relu, df_from_output=lambda a: np.where(a >= 0, np.ones_like(a), 0)), 'df_from_output = slope'),
    'loss without its half': (replace(squared_error, f=lambda A, Y: (A - Y)**2), 'f = formula'),
    'loss with the slope of twice itself': (replace(squared_error, slope_f=lambda A, Y: 2*(A - Y)), 'slope_f = slope'),
    'loss with another slope text': (replace(logistic_loss, slope='a - y'), 'slope'),
    'softmax with its diagonal alone': (replace(softmax_cross_entropy, slope_f=lambda A, Y: (softmax_cross_entropy.slope_f(A, Y) + Y)*(1 - Y)), 'slope_f = slope'),
}


@pytest.mark.parametrize('wrong, rule', WRONG.values(), ids=WRONG)
def test_wrong_functions_and_the_rule_they_break(wrong, rule):
    with pytest.raises(AssertionError, match='(?s)' + rule): certify(wrong)


@pytest.mark.parametrize('bad', [tanh.f, 'tanh', None], ids=str)
def test_what_is_no_transfer_function_or_loss(bad):
    with pytest.raises(TypeError, match='Transfer'): certify(bad)
