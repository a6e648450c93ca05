"""The matrix form equals the scalar form, for any transfer function, for every shape up to 3 and up to 3 layers."""
from itertools import product

import pytest
from conftest import sampled

from backprop_book import network
from backprop_book.symbolic import direct_gradients, prove, prove_layer

SIZES = range(1, 4)


@pytest.mark.parametrize('n_in', SIZES)
def test_one_layer(n_in):
    for n_out, batch in product(SIZES, SIZES): prove_layer(n_in, n_out, batch)


@pytest.mark.parametrize('n_layers, batch', [*product(SIZES, SIZES)])
def test_every_network(n_layers, batch):
    for widths in sampled(product(SIZES, repeat=n_layers + 1), 15): prove(list(widths), batch)


@pytest.mark.parametrize('widths', [*product((1, 3), repeat=3)], ids=str)
def test_against_the_whole_loss_written_out(widths):
    prove(list(widths), 2, judge=direct_gradients)


@pytest.mark.parametrize('widths', [[2, 3], [3, 1, 2], [2, 3, 1, 2]], ids=str)
def test_the_backward_that_the_package_runs(monkeypatch, widths):
    "Only its check of the input is left out: it would refuse arrays of symbols"
    monkeypatch.setattr(network, '_output_slope', lambda net, trace, dA: dA)
    prove(widths, 2, backward=network.backward)
