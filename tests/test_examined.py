"""The doctor on slips that others thought of: what it says of each, and what it must not say."""
import numpy as np
import pytest

from backprop_book.diagnose import diagnose, diagnose_functions
from backprop_book.loss import logistic_loss, softmax, softmax_cross_entropy, squared_error
from backprop_book.network import Layer, forward, loss_and_grads
from backprop_book.transfer import Transfer, identity, leaky_relu, relu, sigmoid, tanh


def printed(a, k):
    "Numbers as a page prints them, with k digits"
    return np.vectorize(lambda v: f'{v:.{k - 1}e}')(a)


# Numbers off a page: a bias that a whole layer shares, its slope one number, or one for each neuron.
SHARED = [Layer([[.15, .25], [.2, .3]], [.35, .35], sigmoid, biases='layer'),
          Layer([[.4, .5], [.45, .55]], [.6, .6], sigmoid, biases='layer')]
X, Y = np.array([[.05, .1]]), np.array([[.01, .99]])
BY_NEURON = loss_and_grads([Layer(q.W, q.b, sigmoid) for q in SHARED], X, Y, squared_error)[1]


@pytest.mark.parametrize('k', range(3, 8))
@pytest.mark.parametrize('texts', [True, False])
@pytest.mark.parametrize('whole', [True, False])
def test_printed_digits_of_a_bias_that_a_layer_shares(k, texts, whole):
    came = [(printed(g.W, k), printed(g.b.sum() if whole else g.b, k)) for g in BY_NEURON]
    if not texts: came = [(W.astype(float), b.astype(float)) for W, b in came]
    assert diagnose(SHARED, X, Y, squared_error, came, **({} if texts else {'digits': k})).right


@pytest.mark.parametrize('whole', [True, False])
def test_digits_that_nobody_spoke_of_add_up(whole):
    came = [(printed(g.W, 4).astype(float), printed(g.b.sum() if whole else g.b, 4).astype(float)) for g in BY_NEURON]
    assert diagnose(SHARED, X, Y, squared_error, came).right
    came[0] = came[0][0], -came[0][1]
    assert not diagnose(SHARED, X, Y, squared_error, came).right


def problem(widths, transfers, loss=squared_error, n=6, seed=0, Y=None):
    "A network with random weights and biases, and n rows"
    rng = np.random.default_rng(seed)
    net = [Layer(rng.normal(size=(i, o)), rng.normal(size=o), f) for i, o, f in zip(widths, widths[1:], transfers)]
    return net, rng.normal(size=(n, widths[0])), rng.uniform(size=(n, widths[-1])) if Y is None else Y, loss


def backward(net, X, dA, slope=lambda i, Z, A: None, carry=lambda i, delta: None):
    "[(dW, db), ...] of a pass written anew; `slope` and `carry` may put something else in a layer's place"
    trace, grads = forward(net, X), []
    for i in reversed(range(len(net))):
        other = slope(i, trace.Z[i], trace.A[i+1])
        delta = dA*(net[i].transfer.df(trace.Z[i]) if other is None else other)
        grads.insert(0, (trace.A[i].T @ delta, delta.sum(0)))
        other = carry(i, delta)
        dA = delta @ net[i].W.T if other is None else other
    return grads


def names(report): return [c.name for c in report.causes]


def one_name(report): return len(names(report)) == 1 and names(report)[0]


# Rows and counts: the numbers are the same whether the slip is in the loss's slope or in the sums of every layer.
HIDDEN = problem([3, 4, 2], [tanh, identity])


@pytest.mark.parametrize('slip, rows', [
    ('only the last row', lambda d: d*(np.arange(6) == 5)[:, None]),
    ('only the first row, at full weight', lambda d: d*(np.arange(6) == 0)[:, None]*6),
    ('only the first half of the rows', lambda d: d*(np.arange(6) < 3)[:, None]),
    ('the sum for the mean', lambda d: d*6)])
def test_rows_that_do_not_count_are_not_blamed_on_the_loss_alone(slip, rows):
    net, X, Y, loss = HIDDEN
    report = diagnose(net, X, Y, loss, backward(net, X, rows(loss.df(forward(net, X).A[-1], Y))))
    assert slip in names(report)
    assert 'loss.df' in report.first and 'dW = A_in.T @ delta` and `db = delta.sum(0)` in every layer' in report.first
    assert report.first.count('loss.df') == 1 and 'or `dW = A_in' in report.notes[0]


def test_inputs_counted_for_rows():
    net, X, Y, loss = problem([3, 4, 2], [tanh, identity], n=20)
    report = diagnose(net, X, Y, loss, backward(net, X, (forward(net, X).A[-1] - Y)/3))
    assert one_name(report) == 'divided by the number of inputs, not of rows'
    assert ' or ' in report.first and 'return grads' not in report.first


@pytest.mark.parametrize('factor', [1.37, -0.1, 3.])
def test_a_factor_on_everything_is_not_blamed_on_one_line(factor):
    net, X, Y, loss = HIDDEN
    report = diagnose(net, X, Y, loss, [(factor*g.W, factor*g.b) for g in loss_and_grads(*HIDDEN)[1]])
    assert report.first == '`dA = loss.df(A, Y)` or `return grads`' and report.causes


def test_a_loop_that_stops_before_layer_0():
    net, X, Y, loss = problem([3, 4, 3, 2], [tanh, sigmoid, identity])
    grads = [(g.W*(i > 0), g.b*(i > 0)) for i, g in enumerate(loss_and_grads(net, X, Y, loss)[1])]
    report = diagnose(net, X, Y, loss, grads)
    assert set(names(report)) == {'nothing carried back', 'a loop that stops before layer 0'}
    assert report.first.endswith('in layer 1 or `dW = A_in.T @ delta` and `db = delta.sum(0)` in layer 0')


# Names that the network contradicts.
def test_a_name_does_not_speak_of_a_relu_where_there_is_none():
    net, X, Y, loss = problem([2, 3, 1], [sigmoid, sigmoid])
    net[1] = Layer(net[1].W, [5.], sigmoid)   # every net input of the output is above 0
    dA = loss.df(forward(net, X).A[-1], Y)
    report = diagnose(net, X, Y, loss, backward(net, X, dA, slope=lambda i, Z, A: np.ones_like(Z) if i else None))
    assert one_name(report) == 'the slope forgotten' and 'relu' not in str(report)
    report = diagnose(net, X, Y, loss, backward(net, X, dA, slope=lambda i, Z, A: (Z > 0)*1. if not i else None))
    assert one_name(report) == 'the slope of relu' and 'The numbers are those of **the slope of relu' in report.notes[0]
    net[1] = Layer(net[1].W, net[1].b, relu)   # now there is one
    report = diagnose(net, X, Y, loss, backward(net, X, loss.df(forward(net, X).A[-1], Y),
                                                slope=lambda i, Z, A: (Z > 0)*1. if not i else None))
    assert one_name(report) == 'the slope of relu' and 'The numbers are those' not in report.notes[0]


ZEROS_AND_ONES = np.array([[0.], [1], [1], [0], [1], [0]])


@pytest.mark.parametrize('ones', [True, False])
def test_half_of_the_cross_entropy(ones):
    net, X, Y, loss = problem([3, 4, 1], [relu, identity], logistic_loss, Y=ZEROS_AND_ONES)
    p = sigmoid(forward(net, X).A[-1])
    report = diagnose(net, X, Y, loss, backward(net, X, (Y*(p - 1) if ones else (1 - Y)*p)/6))
    assert one_name(report) == f'half of the cross-entropy, without the term of {"1 - y" if ones else "y"}'


@pytest.mark.parametrize('seed', range(12))
def test_a_class_for_the_probability_is_no_pair_of_other_slips(seed):
    n = 2 + seed % 3
    net, X, Y, loss = problem([2, 2, 1], [tanh, identity], logistic_loss, n, seed, ZEROS_AND_ONES[:n])
    error = (forward(net, X).A[-1] > 0) - Y
    if not error.any(): return
    report = diagnose(net, X, Y, loss, backward(net, X, error/n))
    assert 'the class for the probability' in names(report)
    assert not any(' and ' in name or 'softmax' in name or 'pm1' in name for name in names(report))


@pytest.mark.parametrize('seed', range(12))
def test_slopes_of_minus_1_0_and_1_that_nobody_made_have_no_name_of_two(seed):
    net, X, Y, loss = problem([2, 3, 1], [tanh, identity], logistic_loss, 3, seed, ZEROS_AND_ONES[:3])
    dA = np.random.default_rng([1, seed]).integers(-1, 2, (3, 1))/3
    if not dA.any(): return
    assert not any(' and ' in name for name in names(diagnose(net, X, Y, loss, backward(net, X, dA))))


@pytest.mark.parametrize('seed', range(6))
def test_a_number_fitted_to_one_slope_explains_nothing(seed):
    net, X, Y, loss = problem([3, 3, 1], [sigmoid, identity], logistic_loss, 2, seed, ZEROS_AND_ONES[:2])
    made_up = np.array([[0.], [1.234]]) if seed % 2 else np.full((2, 1), 1.234)
    report = diagnose(net, X, Y, loss, backward(net, X, made_up))
    assert not report.right and not any('factor' in m.fits for c in report.causes for m, _ in c.mistakes)


# Classes, and what was left over from the step before.
@pytest.mark.parametrize('by, name', [(-1, 'the targets one class too low, c - 1 for c'),
                                      (1, 'the targets one class too high, c + 1 for c')])
def test_a_class_off_by_one_says_which_way(by, name):
    labels = np.array([0, 1, 2, 0, 3, 1])
    net, X, Y, loss = problem([3, 5, 4], [tanh, identity], softmax_cross_entropy, Y=np.eye(4)[labels])
    dA = loss.df(forward(net, X).A[-1], np.eye(4)[(labels + by) % 4])
    assert one_name(diagnose(net, X, Y, loss, backward(net, X, dA))) == name


@pytest.mark.parametrize('k', [None, 4])
def test_gradients_of_the_step_before_are_no_velocity(k):
    old, X, Y, loss = HIDDEN
    then = loss_and_grads(*HIDDEN)[1]
    net = [Layer(q.W - .3*g.W, q.b - .3*g.b, q.transfer) for q, g in zip(old, then)]
    grads = [(a.W + b.W, a.b + b.b) for a, b in zip(then, loss_and_grads(net, X, Y, loss)[1])]
    if k: grads = [(printed(W, k), printed(b, k)) for W, b in grads]
    report = diagnose(net, X, Y, loss, grads, earlier=old)
    assert one_name(report) == "the earlier step's gradient still in it, never cleared"
    assert 'momentum' not in str(report) and 'zero_grad' in str(report)


@pytest.mark.parametrize('seed', range(4))
def test_weights_updated_too_early_are_seen_in_4_digits(seed):
    net, X, Y, loss = problem([3, 4, 2], [tanh, identity], seed=seed)
    dA = loss.df(forward(net, X).A[-1], Y)
    updated = net[1].W - .5*backward(net, X, dA)[1][0]
    grads = backward(net, X, dA, carry=lambda i, delta: delta @ updated.T if i else delta)
    report = diagnose(net, X, Y, loss, [(printed(W, 4), printed(b, 4)) for W, b in grads])
    assert one_name(report) == 'updated weights carried back' and abs(report.causes[0].fitted['lr'] - .5) < .05


# Slips that had no name.
ELU = Transfer('elu', 'Piecewise((z, z > 0), (exp(z) - 1, True))', 'Piecewise((1, z > 0), (exp(z), True))',
               lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
               lambda z: np.where(z > 0, 1., np.exp(np.minimum(z, 0))))


def first_of(transfer, loss=squared_error, Y=None):
    "A problem with this transfer function in layer 0, and a sigmoid or logits at the output"
    return problem([3, 4, 2], [transfer, sigmoid if loss is squared_error else identity], loss, Y=Y)


@pytest.mark.parametrize('name, transfer, layer, slope', [
    ('the function at a for its slope', sigmoid, 0, lambda Z, A, Y: sigmoid(A)),
    ('the function at a for its slope', tanh, 0, lambda Z, A, Y: np.tanh(A)),
    ('the function for its slope where z < 0', leaky_relu(.1), 0, lambda Z, A, Y: np.where(Z > 0, 1, .1*Z)),
    ('the function for its slope where z < 0', ELU, 0, lambda Z, A, Y: np.where(Z > 0, 1, A)),
    ('the formula in a, fed a - y', tanh, 1, lambda Z, A, Y: (A - Y)*(1 - (A - Y)))])
def test_a_wrong_slope_has_a_name(name, transfer, layer, slope):
    net, X, Y, loss = first_of(transfer)
    grads = backward(net, X, loss.df(forward(net, X).A[-1], Y), lambda i, Z, A: slope(Z, A, Y) if i == layer else None)
    report = diagnose(net, X, Y, loss, grads)
    assert one_name(report) == name and report.first == f"`delta = dA * f'(Z)` in layer {layer}"


@pytest.mark.parametrize('name, carried', [
    ('the weights beside their biases, off by one', lambda q, d: d @ np.vstack([q.b, q.W])[:-1].T),
    ('the weights before their biases, off by one', lambda q, d: d @ np.vstack([q.W, q.b])[1:].T),
    ('the weights as shares of their sum', lambda q, d: d @ (q.W/q.W.sum(0)).T)])
def test_wrong_weights_on_the_way_back_have_a_name(name, carried):
    net, X, Y, loss = first_of(tanh)
    grads = backward(net, X, loss.df(forward(net, X).A[-1], Y), carry=lambda i, d: carried(net[i], d))
    report = diagnose(net, X, Y, loss, grads)
    assert one_name(report) == name and report.first == '`dA = delta @ W.T` in layer 1'


def test_biases_on_the_way_back_have_a_name():
    net, X, Y, loss = first_of(tanh)
    grads = backward(net, X, loss.df(forward(net, X).A[-1], Y),
                     carry=lambda i, d: d @ net[i].W.T + net[i-1].b if i else d)
    assert one_name(diagnose(net, X, Y, loss, grads)) == 'the biases of the layer before added'


def test_a_label_subtracted_in_every_row():
    labels = np.array([0, 2, 2, 0, 2, 0])
    net, X, Y, loss = problem([3, 5, 4], [tanh, identity], softmax_cross_entropy, Y=np.eye(4)[labels])
    p = softmax(forward(net, X).A[-1])
    p[:, labels] -= 1
    report = diagnose(net, X, Y, loss, backward(net, X, p/6))
    assert one_name(report) == '1 subtracted in every row, where any row has its label'


@pytest.mark.parametrize('name, change', [
    ('the gradient of the last weights, in b', lambda i, W, b, q: (W, W[-1])),
    ('the gradient of the first weights, in b', lambda i, W, b, q: (W, W[0])),
    ('cut off to whole numbers, in b', lambda i, W, b, q: (W, b.astype(int))),
    ('cut off to whole numbers, in W', lambda i, W, b, q: (W.astype(int), b)),
    ('the parameter for its gradient, in W', lambda i, W, b, q: (q.W if i else W, b)),
    ('the parameter for its gradient, in b', lambda i, W, b, q: (W, b if i else q.b)),
    ('weight decay in the gradient alone, in W', lambda i, W, b, q: (W + .01*q.W*i, b)),
    ('weight decay in the gradient alone', lambda i, W, b, q: (W + .01*q.W, b)),
    ('the updated parameters for the gradients', lambda i, W, b, q: (q.W - .1*W, q.b - .1*b))])
def test_a_wrong_array_has_a_name(name, change):
    net, X, Y, loss = problem([3, 4, 2], [tanh, identity], n=8)
    grads = loss_and_grads(net, X, 9*Y, loss)[1]
    report = diagnose(net, X, 9*Y, loss, [change(i, g.W, g.b, q) for i, (g, q) in enumerate(zip(grads, net))])
    assert one_name(report) == name


def test_a_decay_forgotten_in_one_layer():
    net, X, Y, loss = HIDDEN
    grads = [(g.W + .1*q.W*i, g.b) for i, (g, q) in enumerate(zip(loss_and_grads(*HIDDEN)[1], net))]
    report = diagnose(net, X, Y, loss, grads, decay=.1)
    assert one_name(report) == 'the decay forgotten, in W' and report.first == '`dW = A_in.T @ delta` in layer 0'


# The second door.
def handed(of):
    "Loss, gradient as `of` (gradient, parameters) hands it over, and parameters of a network"
    net, X, Y, loss = HIDDEN

    def layers(p): return [Layer(W, b, q.transfer) for W, b, q in zip(p[::2], p[1::2], net)]
    def value(p): return loss(forward(layers(p), X).A[-1], Y)
    def grad(p): return of([a for g in loss_and_grads(layers(p), X, Y, loss)[1] for a in (g.W, g.b)], p)
    return value, grad, [a for q in net for a in (q.W, q.b)]


@pytest.mark.parametrize('name, of', [
    ('the parameter for its gradient, in gradient 2', lambda g, p: [*g[:2], p[2], g[3]]),
    ('the parameter for its gradient, in gradient 0 and gradient 2', lambda g, p: [p[0], g[1], p[2], g[3]]),
    ('weight decay of parameter 2 in the gradient, missing from the loss (decay = 0.01)',
     lambda g, p: [*g[:2], g[2] + .01*p[2], g[3]])])
def test_what_is_handed_over_for_one_gradient_has_a_name(name, of):
    report = diagnose_functions(*handed(of))
    assert [str(c) for c in report.causes] == [name]


@pytest.mark.parametrize('n, unsure', [(2, True), (6, False)])
def test_a_slope_of_two_numbers_is_told_with_caution(n, unsure):
    net, X, Y, loss = problem([2, 3, 1], [tanh, identity], n=n)
    report = diagnose(net, X, Y, loss, backward(net, X, np.sign(loss.df(forward(net, X).A[-1], Y))/n))
    assert 'the sign of the slope alone' in names(report)
    assert ('The numbers are those of' in report.notes[0]) == unsure


def test_whole_numbers_in_a_network_do_not_hide_two_slips():
    net = [Layer([[1., 2], [3, 1]], [1., -1], tanh), Layer([[2.], [1]], [1.], identity)]
    X, Y = np.array([[1., 2]]), np.array([[3.]])
    net[0] = Layer(net[0].W, net[0].b, Transfer('square', 'z**2', '2*z', lambda z: z*z, lambda z: 2*z))
    grads = backward(net, X, forward(net, X).A[-1] - Y, slope=lambda i, Z, A: np.ones_like(Z))
    grads[0] = grads[0][0], 2*grads[0][1]
    assert any('the slope forgotten' in name and 'factor 2' in name for name in
               names(diagnose(net, X, Y, squared_error, grads)))
