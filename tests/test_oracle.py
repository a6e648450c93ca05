"""The scalar autodiff of chapter 4, which shares no code with `network`, gives the same loss and the same gradient."""
import math

import numpy as np
import pytest
from conftest import problems
from hypothesis import given, settings

from backprop_book import graph
from backprop_book.network import loss_and_grads

SCALAR = {'leaky_relu(0.1)': graph.leaky_relu(0.1), 'fold(0.2)': graph.fold(0.2)}


def scalar(transfer): return SCALAR.get(transfer.name) or getattr(graph, transfer.name)


@settings(max_examples=60)
@given(problems(max_layers=4))
def test_the_network_is_its_graph(problem):
    net, X, Y, loss = problem
    layers = [(graph.as_values(l.W), graph.as_values(l.b), scalar(l.transfer)) for l in net]
    end = graph.scalar_loss(layers, X.tolist(), Y.tolist(), getattr(graph, loss.name))
    end.backward()
    value, grads = loss_and_grads(net, X, Y, loss)
    assert end.data == pytest.approx(value, rel=1e-13, abs=1e-13)  # the same sums in another order
    scale = max(1, *(np.abs(a).max() for g in grads for a in (g.W, g.b)))
    for (W, b, _), g in zip(layers, grads, strict=True):
        np.testing.assert_allclose(graph.grads(W), g.W, rtol=0, atol=1e-12*scale)
        np.testing.assert_allclose(graph.grads(b), g.b, rtol=0, atol=1e-12*scale)


def test_slopes_add_where_paths_meet():
    x = graph.Value(3., 'x')
    (x*x + x).backward()
    assert x.grad == 7
    a, b = x*2, x*5
    (a*b).backward()
    assert x.grad == 60


def test_calling_backward_twice_gives_the_same():
    x = graph.Value(0.3)
    end = graph.tanh(x)*x
    end.backward()
    once = x.grad
    end.backward()
    assert x.grad == once == pytest.approx(math.tanh(0.3) + 0.3*(1 - math.tanh(0.3)**2), rel=1e-15)


def test_a_graph_of_thousands_of_nodes():
    x = end = graph.Value(1.)
    for _ in range(20_000): end = end + 0.5
    end.backward()
    assert x.grad == 1 and len(graph.ordered(end)) == 20_001


def test_forward_and_reverse_agree():
    x, y = graph.Value(0.7), graph.Value(-1.3)
    end = graph.sigmoid(x*y + graph.exp(x))/(y*y + 1)
    for v in (x, y): assert graph.forward_slopes(end, v)[end] == pytest.approx(graph.reverse_slopes(end)[v], rel=1e-14)
