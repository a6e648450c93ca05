"""Thirty slips more, made by hand like the forty, when the doctor had been examined on those: the same rules hold."""
from functools import partial

import numpy as np

from backprop_book.loss import logistic_loss, softmax_cross_entropy
from backprop_book.transfer import identity, leaky_relu, relu, sigmoid, softplus, tanh
from corpus.slip import MORE, cross_entropy, whole_square
from corpus.slip import slip as forty
from corpus.slips import deriv, sig, sigmoid_prime

slip = partial(forty, to=MORE)


def softmax_rows(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e/e.sum(axis=1, keepdims=True)


# ---- which layer ----
@slip('the error goes back through the weights of the layer below',
      [('carry', 1), ('carry', 2)], 'weights of (the|another)|other weights|layer below', [3, 3, 3, 3], [tanh]*3)
def weights_of_another_layer(W, b, X, Y):
    a = [X]
    for w, v in zip(W, b): a.append(np.tanh(a[-1].dot(w) + v))
    deltas = [(a[-1] - Y)*(1 - a[-1]**2)/len(X)]
    for layer in (1, 0):
        w = W[layer]  # right: w = W[layer + 1]
        deltas.insert(0, deltas[0].dot(w.T)*(1 - a[layer+1]**2))
    return [x.T.dot(d) for x, d in zip(a, deltas)], [d.sum(axis=0) for d in deltas]


@slip('the gradients are collected from the output back, and never reversed',
      [('all', None)], 'reverse', [3, 3, 3, 3], [sigmoid]*3)
def gradients_never_reversed(W, b, X, Y):
    a = [X]
    for w, v in zip(W, b): a.append(sig(a[-1] @ w + v))
    delta, found = (a[-1] - Y)/len(X), []
    for k in (2, 1, 0):
        delta = delta*deriv(a[k+1])
        found.append((a[k].T @ delta, delta.sum(axis=0)))
        delta = delta @ W[k].T
    return found  # right: return found[::-1]


@slip("copied and pasted: db1 sums the output's delta",
      [('b', 0)], 'layer after|other layer|next layer', [4, 3, 3], [tanh, sigmoid], rows=6)
def bias_copied_and_pasted(W, b, X, Y):
    a1 = np.tanh(X @ W[0] + b[0])
    a2 = sig(a1 @ W[1] + b[1])
    delta2 = (a2 - Y)*deriv(a2)/len(X)
    delta1 = delta2 @ W[1].T*(1 - a1**2)
    dW2, db2 = a1.T @ delta2, delta2.sum(axis=0)
    dW1 = X.T @ delta1
    db1 = delta2.sum(axis=0)  # right: db1 = delta1.sum(axis=0)
    return {'dW1': dW1, 'dW2': dW2, 'db1': db1, 'db2': db2}


@slip("dW1 is made of the output's delta",
      [('W', 0)], 'layer after|other layer|next layer', [4, 3, 3], [relu, identity], loss=softmax_cross_entropy,
      rows=6)
def weights_copied_and_pasted(W, b, X, Y):
    z = X @ W[0] + b[0]
    h = np.maximum(z, 0)
    dout = (softmax_rows(h @ W[1] + b[1]) - Y)/len(X)
    dhid = (dout @ W[1].T)*(z > 0)
    gW1 = X.T @ dout  # right: gW1 = X.T @ dhid
    return [(gW1, dhid.sum(0)), (h.T @ dout, dout.sum(0))]


@slip("the sums of the biases' gradients go on from layer to layer",
      [('b', 0)], 'layer after|sum|added|accumulat', [3, 2, 2], [tanh, tanh], rows=6)
def bias_sum_never_reset(W, b, X, Y):
    a = [X, np.tanh(X @ W[0] + b[0])]
    a.append(np.tanh(a[1] @ W[1] + b[1]))
    d, total, dW, db = (a[2] - Y)/len(X), np.zeros(2), [None, None], [None, None]
    for k in (1, 0):
        d = d*(1 - a[k+1]**2)
        dW[k] = a[k].T @ d
        total = total + d.sum(0)  # right: total = d.sum(0)
        db[k] = total
        d = d @ W[k].T
    return dW, db


# ---- the loss and the last layer ----
@slip('the slope of the output sigmoid is left out, as if it stood in the error',
      [('slope', 1)], 'slope forgotten|slope.*(left out|missing)', [3, 4, 1], [tanh, sigmoid], loss=cross_entropy,
      rows=6)
def entropy_without_the_sigmoids_slope(W, b, X, y):
    h = np.tanh(X @ W[0] + b[0])
    p = sig(h @ W[1] + b[1])
    dp = (-y/p + (1 - y)/(1 - p))/len(X)
    dz = dp  # right: dz = dp*p*(1 - p)
    dh = dz @ W[1].T*(1 - h**2)
    return [X.T @ dh, dh.sum(0), h.T @ dz, dz.sum(0)]


@slip('p - y is multiplied by p(1 - p), which it holds already',
      [('loss', None)], 'twice|already', [3, 4, 2], [relu, identity], loss=logistic_loss, rows=6)
def entropy_with_the_slope_twice(W, b, X, y):
    hidden = np.clip(X @ W[0] + b[0], 0, None)
    p = sig(hidden @ W[1] + b[1])
    delta = (p - y)*deriv(p)/len(X)  # right: delta = (p - y)/len(X)
    back = np.where(hidden > 0, delta @ W[1].T, 0)
    return [(X.T @ back, back.sum(0)), (hidden.T @ delta, delta.sum(0))]


@slip("the softmax's error is multiplied by p(1 - p) once more",
      [('loss', None)], 'twice|already|softmax.*slope', [3, 5, 3], [tanh, identity], loss=softmax_cross_entropy,
      rows=6)
def softmax_with_a_slope_too_many(W, b, X, Y):
    h = np.tanh(X @ W[0] + b[0])
    p = softmax_rows(h @ W[1] + b[1])
    delta_out = (p - Y)*p*(1 - p)/len(X)  # right: delta_out = (p - Y)/len(X)
    delta_hid = delta_out @ W[1].T*(1 - h**2)
    return {'W1': X.T @ delta_hid, 'b1': delta_hid.sum(0), 'W2': h.T @ delta_out, 'b2': delta_out.sum(0)}


@slip("of the softmax's slopes only those of a class in its own score are taken",
      [('loss', None)], 'diagonal', [3, 5, 3], [tanh, identity], loss=softmax_cross_entropy, rows=6)
def softmax_diagonal(W, b, X, Y):
    h = np.tanh(X @ W[0] + b[0])
    p, N = softmax_rows(h @ W[1] + b[1]), len(X)
    dp = -Y/p/N
    dz2 = dp*p*(1 - p)  # right: dz2 = dp*p - p*(dp*p).sum(axis=1, keepdims=True)
    dz1 = dz2 @ W[1].T*(1 - h**2)
    return {'W1': X.T @ dz1, 'b1': dz1.sum(0), 'W2': h.T @ dz2, 'b2': dz2.sum(0)}


@slip('the loss is the square without a half, and its 2 is missing',
      [('loss', None), ('all', None)], '1/2|factor', [3, 4, 2], [sigmoid, identity], loss=whole_square, rows=5)
def square_without_its_two(W, b, X, Y):
    h = sig(X @ W[0] + b[0])
    g = (h @ W[1] + b[1] - Y)/len(X)  # right: g = 2*(h @ W[1] + b[1] - Y)/len(X)
    gh = g @ W[1].T*h*(1 - h)
    return [X.T @ gh, gh.sum(0), h.T @ g, g.sum(0)]


@slip('delta is the slope of the transfer function alone: the error is not in it',
      [('loss', None)], "loss's slope left out|error.*left out", [3, 4, 2], [sigmoid, sigmoid], rows=5)
def error_left_out(W, b, X, Y):
    h = sig(X @ W[0] + b[0])
    o = sig(h @ W[1] + b[1])
    error = np.ones_like(o)  # right: error = o - Y
    d2 = error*deriv(o)/len(X)
    d1 = d2 @ W[1].T*deriv(h)
    return [(X.T @ d1, d1.sum(0)), (h.T @ d2, d2.sum(0))]


@slip('the targets are flat, and the difference is a square: each row meets the mean of all targets',
      [('loss', None)], 'mean of (the|all)|flat|broadcast', [3, 4, 1], [tanh, identity], rows=5)
def flat_targets_broadcast(W, b, X, Y):
    y = Y.ravel()
    h = np.tanh(X @ W[0] + b[0])
    out = h @ W[1] + b[1]
    miss = out - y  # right: miss = out - y[:, None]
    err = miss.mean(axis=1, keepdims=True)/len(X)
    eh = err @ W[1].T*(1 - h**2)
    return [X.T @ eh, eh.sum(0), h.T @ err, err.sum(0)]


@slip('`return` stands in the loop over the examples: only the first counts',
      [('loss', None), ('all', None)], 'first row', [2, 3, 1], [sigmoid, sigmoid], rows=4)
def returned_in_the_loop(W, b, X, Y):
    g = [np.zeros_like(p) for p in (W[0], b[0], W[1], b[1])]
    for x, y in zip(X, Y):
        h = sig(x @ W[0] + b[0])
        o = sig(h @ W[1] + b[1])
        d2 = (o - y)*deriv(o)
        d1 = W[1] @ d2*deriv(h)
        for total, part in zip(g, (np.outer(x, d1), d1, np.outer(h, d2), d2)): total += part/len(X)
        return g  # right: continue
    return g


@slip('m is taken from X.shape[0], and examples are columns: the mean is over the inputs',
      [('loss', None), ('all', None)], 'factor|times', [3, 4, 2], [tanh, identity], loss=logistic_loss, rows=7,
      columns=True)
def mean_over_the_inputs(W, b, X, Y):
    m = X.shape[0]  # right: m = X.shape[1]
    A1 = np.tanh(W[0] @ X + b[0])
    dZ2 = sig(W[1] @ A1 + b[1]) - Y
    dZ1 = W[1].T @ dZ2*(1 - A1*A1)
    db1, db2 = dZ1.sum(1, keepdims=True)/m, dZ2.sum(1, keepdims=True)/m
    return {'dW1': dZ1 @ X.T/m, 'db1': db1, 'dW2': dZ2 @ A1.T/m, 'db2': db2}


# ---- slopes ----
@slip('the mask asks a >= 0, which holds for every output of a ReLU',
      [('slope', 0)], '>= 0|slope forgotten', [4, 6, 2], [relu, identity], rows=6)
def mask_that_is_always_on(W, b, X, Y):
    a = np.maximum(X @ W[0] + b[0], 0)
    d = (a @ W[1] + b[1] - Y)/len(X)
    da = d @ W[1].T
    da[a < 0] = 0  # right: da[a <= 0] = 0
    return [(X.T @ da, da.sum(0)), (a.T @ d, d.sum(0))]


@slip("a(1 - a) is the sigmoid's slope, and the layer is a tanh",
      [('slope', 0)], 'sigmoid', [3, 4, 2], [tanh, identity], rows=5)
def sigmoids_slope_for_tanh(W, b, X, Y):
    h = np.tanh(X @ W[0] + b[0])
    e = (h @ W[1] + b[1] - Y)/len(X)
    slope = deriv(h)  # right: slope = 1 - h*h
    eh = e.dot(W[1].T)*slope
    return [X.T @ eh, h.T @ e], [eh.sum(0), e.sum(0)]


@slip("1 - a^2 is tanh's slope, and the layers are sigmoids",
      [('slope', 0), ('slope', 1)], 'tanh', [3, 4, 2], [sigmoid, sigmoid], rows=5)
def tanhs_slope_for_sigmoid(W, b, X, Y):
    def d_act(a):
        return 1 - a**2  # right: return a*(1 - a)
    h = sig(X @ W[0] + b[0])
    o = sig(h @ W[1] + b[1])
    d2 = (o - Y)*d_act(o)/len(X)
    d1 = d2 @ W[1].T*d_act(h)
    return dict(W1=X.T @ d1, b1=d1.sum(0), W2=h.T @ d2, b2=d2.sum(0))


@slip('the leak is 0.1 on the way forward, and 0.01 on the way back',
      [('slope', 0)], 'leaky_relu', [3, 6, 2], [leaky_relu(0.1), identity], rows=6)
def leak_of_another_size(W, b, X, Y):
    z = X @ W[0] + b[0]
    h = np.maximum(z, 0.1*z)
    e = (h @ W[1] + b[1] - Y)/len(X)
    dz = e @ W[1].T*np.where(z > 0, 1, 0.01)  # right: dz = e @ W[1].T*np.where(z > 0, 1, 0.1)
    return [X.T @ dz, dz.sum(0), h.T @ e, e.sum(0)]


@slip("the softplus itself stands where its slope should",
      [('slope', 0)], 'function for its slope', [3, 4, 2], [softplus, identity], rows=6)
def softplus_for_its_slope(W, b, X, Y):
    z = X @ W[0] + b[0]
    h = np.log1p(np.exp(z))
    e = (h @ W[1] + b[1] - Y)/len(X)
    dz = e @ W[1].T*h  # right: dz = e @ W[1].T*sig(z)
    return [X.T @ dz, dz.sum(0), h.T @ e, e.sum(0)]


# ---- what is carried back ----
@slip('the hidden error is the mean of what the outputs send, not their sum',
      [('carry', 1)], 'mean over the successors|mean', [3, 4, 3], [sigmoid, sigmoid], rows=4)
def hidden_error_averaged(W, b, X, Y):
    h = sig(X @ W[0] + b[0])
    o = sig(h @ W[1] + b[1])
    do = (o - Y)*deriv(o)/len(X)
    eh = np.mean(do[:, None, :]*W[1][None], axis=2)  # right: eh = np.sum(do[:, None, :]*W[1][None], axis=2)
    dh = eh*deriv(h)
    return [(X.T @ dh, dh.sum(0)), (h.T @ do, do.sum(0))]


@slip('errors and weights are added up first, and multiplied then',
      [('carry', 1)], 'sum of the deltas|sum.*times.*sum', [3, 4, 3], [sigmoid, sigmoid], rows=4)
def sums_multiplied(W, b, X, Y):
    h = sig(X @ W[0] + b[0])
    o = sig(h @ W[1] + b[1])
    do = (o - Y)*deriv(o)/len(X)
    eh = do.sum(axis=1, keepdims=True)*W[1].sum(axis=1)  # right: eh = do @ W[1].T
    dh = eh*deriv(h)
    return [(X.T @ dh, dh.sum(0)), (h.T @ do, do.sum(0))]


@slip('the weights that carry the error are a copy from before the last step',
      [('carry', 1)], 'stale|updated|old weights|other weights', [3, 4, 2], [tanh, identity], rows=5)
def carried_by_an_old_copy(W, b, X, Y, old):
    h = np.tanh(X @ W[0] + b[0])
    e = (h @ W[1] + b[1] - Y)/len(X)
    w2 = old[1]  # right: w2 = W[1]
    dz = e @ w2.T*(1 - h**2)
    return [X.T @ dz, dz.sum(0), h.T @ e, e.sum(0)]


# ---- the arrays themselves ----
@slip('the outer product of the square layer is the wrong way round',
      [('W', 1)], 'wrong way round|transpos', [2, 3, 3], [sigmoid, sigmoid], rows=5)
def outer_product_turned(W, b, X, Y):
    h = sig(X @ W[0] + b[0])
    o = sig(h @ W[1] + b[1])
    gw1, gw2, gb1, gb2 = 0, 0, 0, 0
    for k in range(len(X)):
        do = (o[k] - Y[k])*deriv(o[k])/len(X)
        dh = W[1] @ do*deriv(h[k])
        gw2 = gw2 + np.outer(do, h[k])  # right: gw2 = gw2 + np.outer(h[k], do)
        gw1, gb1, gb2 = gw1 + np.outer(X[k], dh), gb1 + dh, gb2 + do
    return [gw1, gb1, gw2, gb2]


@slip('the bias gradients are means, and delta holds the 1/n already',
      [('b', None)], 'mean over rows|mean twice', [3, 4, 2], [tanh, identity], rows=6)
def bias_mean_of_means(W, b, X, Y):
    h = np.tanh(X @ W[0] + b[0])
    d2 = (h @ W[1] + b[1] - Y)/len(X)
    d1 = d2 @ W[1].T*(1 - h**2)
    collect = np.mean  # right: collect = np.sum
    return [(X.T @ d1, collect(d1, axis=0)), (h.T @ d2, collect(d2, axis=0))]


@slip('np.sum without an axis: one number for all hidden biases',
      [('b', 0)], 'summed over everything|without.*axis', [3, 4, 2], [tanh, identity], rows=6)
def bias_sum_without_axis(W, b, X, Y):
    h = np.tanh(X @ W[0] + b[0])
    d2 = (h @ W[1] + b[1] - Y)/len(X)
    d1 = d2 @ W[1].T*(1 - h**2)
    step = np.zeros(4) + np.sum(d1)  # right: step = np.zeros(4) + np.sum(d1, axis=0)
    return [(X.T @ d1, step), (h.T @ d2, d2.sum(0))]


@slip('the forward pass standardises X, and dW1 is made of the X that was not',
      [('W', 0)], 'another input|other input|scaled|standardi|raw', [3, 4, 2], [tanh, identity], rows=6)
def input_not_standardised(W, b, X, Y):
    raw = 2.5*X + np.array([1.0, -0.5, 3.0])   # as it lay in the file; X is what the network sees
    h = np.tanh(X @ W[0] + b[0])
    d2 = (h @ W[1] + b[1] - Y)/len(X)
    d1 = d2 @ W[1].T*(1 - h**2)
    dW1 = raw.T @ d1  # right: dW1 = X.T @ d1
    return [(dW1, d1.sum(0)), (h.T @ d2, d2.sum(0))]


# ---- what happens to a finished gradient ----
@slip('every array is divided by its own norm',
      [('all', None)], 'norm', [3, 4, 2], [tanh, identity], rows=5)
def each_array_normalised(W, b, X, Y):
    h = np.tanh(X @ W[0] + b[0])
    d2 = (h @ W[1] + b[1] - Y)/len(X)
    d1 = d2 @ W[1].T*(1 - h**2)
    grads = [X.T @ d1, d1.sum(0), h.T @ d2, d2.sum(0)]
    return [g/np.linalg.norm(g) for g in grads]  # right: return [g for g in grads]


@slip('the decay of the loss is forgotten in the gradient',
      [('all', None), ('W', None)], 'decay.*(forgotten|left out|missing|in the loss)', [3, 4, 2], [tanh, identity],
      rows=5, decay=0.1)
def decay_forgotten(W, b, X, Y):
    lam = 0.0  # right: lam = 0.1
    h = np.tanh(X @ W[0] + b[0])
    d2 = (h @ W[1] + b[1] - Y)/len(X)
    d1 = d2 @ W[1].T*(1 - h**2)
    return [(X.T @ d1 + lam*W[0], d1.sum(0)), (h.T @ d2 + lam*W[1], d2.sum(0))]


@slip('the decay has the wrong sign',
      [('all', None), ('W', None)], 'decay.*(sign|minus|subtracted)|(sign|minus).*decay', [3, 4, 2],
      [sigmoid, identity], loss=softmax_cross_entropy, rows=5, decay=0.1)
def decay_with_a_minus(W, b, X, Y):
    reg = 0.1
    h = 1/(1 + np.exp(-(X @ W[0] + b[0])))
    d2 = (softmax_rows(h @ W[1] + b[1]) - Y)/len(X)
    d1 = d2 @ W[1].T*sigmoid_prime(X @ W[0] + b[0])
    dW1, dW2 = X.T @ d1, h.T @ d2
    dW1, dW2 = dW1 - reg*W[0], dW2 - reg*W[1]  # right: dW1, dW2 = dW1 + reg*W[0], dW2 + reg*W[1]
    return {'dW1': dW1, 'db1': d1.sum(0), 'dW2': dW2, 'db2': d2.sum(0)}


@slip('the velocity is returned: the second step with the same gradient, 1.9 times as large',
      [('all', None), ('loss', None)], 'velocity|momentum|one factor', [3, 4, 2], [tanh, identity], rows=5)
def velocity_of_the_second_step(W, b, X, Y):
    v = None
    for _ in range(2):
        h = np.tanh(X @ W[0] + b[0])
        d2 = (h @ W[1] + b[1] - Y)/len(X)
        d1 = d2 @ W[1].T*(1 - h**2)
        g = [X.T @ d1, d1.sum(0), h.T @ d2, d2.sum(0)]
        v = g if v is None else [0.9*old + new for old, new in zip(v, g)]
    return v  # right: return g
