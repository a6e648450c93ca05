"""What the first chapters' functions take and refuse at the doors that a learner uses."""
import numpy as np
import pytest
import sympy as sp

from backprop_book import graph, symbolic
from backprop_book.check import assert_grad, numeric_grad
from backprop_book.formula import as_mpmath
from backprop_book.graph import Value
from backprop_book.transfer import assert_no_gap, assert_values, identity, relu, sigmoid, softplus, tanh

x, z = sp.symbols('x z', real=True)


@pytest.mark.parametrize('t', [sigmoid, identity, tanh, softplus, relu], ids=str)
def test_a_transfer_function_takes_lists_numbers_and_integers(t):
    "What it returned for an array of floats it returns for all that is read as one; what is none is refused"
    floats = np.array([[-2., 0.], [1., np.inf]])
    np.testing.assert_array_equal(t(floats.tolist()), t.f(floats))
    assert t([[-2, 0], [1, 3]]).dtype == float and t(floats.astype('f')).dtype == np.float32
    assert np.ndim(t(2)) == 0 and t(2) == t(2.) == t(np.array([2.]))[0]
    for bad in ('1', None, [[1], [1, 2]], 1j, np.ma.masked_less([1., 2.], 2)):
        with pytest.raises((TypeError, ValueError), match='^z '): t(bad)


def test_two_symbols_of_one_name_are_not_the_same():
    "SymPy holds z and the real z apart; said in words, where lambdify made a SyntaxError of it"
    with pytest.raises(ValueError, match='one name twice: z, z'): assert_no_gap(sp.Symbol('z')**2, z**2, 'squares')
    with pytest.raises(ValueError, match='also holds x: name it in symbols'): as_mpmath(x*z, z)
    assert assert_no_gap((z + 1)**2, z**2 + 2*z + 1, 'squares') == 0


def test_what_cancels_in_the_gap_may_stand_on_both_sides():
    with pytest.raises(AssertionError, match='squares: at .* it is'): assert_no_gap(x**2 + z, x**2 + 2*z, 'squares')


def test_points_are_as_many_as_values():
    with pytest.raises(ValueError, match=r'points has shape \(3, 1\), expected \(2, 1\)'):
        assert_values([1., 2.], z, [z], [[1.], [2.], [3.]], 'rule')


def test_the_function_under_test_is_blamed_by_name():
    takes_one = r'f must be a function of one array, .* shape \(1,\)'
    for check in (lambda f: numeric_grad(f, [1.]), lambda f: assert_grad(f, [1.], [1.])):
        with pytest.raises(TypeError, match=takes_one): check(lambda a, b: 0)
        with pytest.raises(TypeError, match='f must be a function'): check(3.)
    with pytest.raises(TypeError, match='rtol must be positive'): assert_grad(np.sum, [1.], [1.], rtol='1e-6')
    with pytest.raises(TypeError, match='grad must hold real numbers'): assert_grad(np.sum, [1.], [1j])


@pytest.mark.parametrize('loss', [graph.squared_error, graph.logistic_loss, graph.logistic_loss_pm1,
                                  graph.softmax_cross_entropy])
def test_a_target_without_an_output_is_not_left_out(loss):
    with pytest.raises(ValueError, match='2 outputs, 1 targets'): loss([Value(1.), Value(2.)], [1.])
    with pytest.raises(ValueError, match='0 outputs, 0 targets'): loss([], [])


def test_the_graph_says_what_is_no_value():
    with pytest.raises(TypeError, match='expected a Value, got float; as_values'): graph.reverse_slopes(2.)
    with pytest.raises(TypeError, match='expected a Value, got str'): graph.forward_slopes(Value(1.), 'w1')
    layers = [([[1.]], [0.], graph.tanh)]
    with pytest.raises(TypeError, match='layer 0 must be a triple'): graph.scalar_forward([layers[0][:2]], [1.])
    with pytest.raises(TypeError, match='a row of inputs must be a list'): graph.scalar_forward(layers, 1.)
    with pytest.raises(TypeError, match='loss must be a function of the outputs and targets'):
        graph.scalar_loss(layers, [[1.]], [[1.]], sigmoid)
    with pytest.raises(ValueError, match='expected a finite number'): Value(10**400)


def test_a_proof_says_that_the_rule_under_test_failed():
    def unturned(layer, A_in, Z, dA): return symbolic.layer_backward(layer, A_in.T, Z, dA)
    with pytest.raises(TypeError, match='rule fails on symbols'): symbolic.prove_layer(3, 2, 1, unturned)
    with pytest.raises(TypeError, match='rule must return a pair'): symbolic.prove_layer(1, 1, 1, lambda *args: None)
    with pytest.raises(TypeError, match='backward must return a list of gradients'):
        symbolic.prove([1, 1], 1, lambda *args: 3)
    with pytest.raises(TypeError, match='what symbolic_network returned'): symbolic.direct_gradients([], None)
    with pytest.raises(ValueError, match='longer'):
        symbolic.chain_rule(np.array([z]), np.array([x, z]), np.array([x]))
