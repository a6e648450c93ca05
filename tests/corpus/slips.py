"""Forty slips made by hand: backward passes as people write them, each with one wrong line.

The comment `# right: ...` holds the line that should stand there. Nothing here is taken from the doctor's catalogue:
the programs differ in layout, names, loops and in how they hand their gradients over, as programs in forums do.
"""
import numpy as np

from backprop_book.loss import logistic_loss, logistic_loss_pm1, softmax_cross_entropy
from backprop_book.transfer import identity, leaky_relu, relu, sigmoid, softplus, tanh
from corpus.slip import bits, cross_entropy, slip, whole_square


def sig(x): return 1.0/(1.0 + np.exp(-x))


def sigmoid_prime(z): return sig(z)*(1 - sig(z))


def deriv(out): return out*(1 - out)


# ---- lists of nablas, columns, one example at a time ----
@slip('the slope of the hidden layers is taken at the activation, not at the weighted input',
      [('slope', 0), ('slope', 1), ('slope', 2)], 'at a\\b|at the (activation|output)|fed|twice', [2, 4, 3, 4, 2],
      [sigmoid]*4, columns=True)
def nablas_prime_of_the_activation(W, b, X, Y):
    nabla_b, nabla_w = [np.zeros(v.shape) for v in b], [np.zeros(w.shape) for w in W]
    for x, y in zip(X.T[:, :, None], Y.T[:, :, None]):
        activation, activations, zs = x, [x], []
        for bias, weight in zip(b, W):
            z = np.dot(weight, activation) + bias
            zs.append(z)
            activation = sig(z)
            activations.append(activation)
        delta = (activations[-1] - y)*sigmoid_prime(zs[-1])
        delta_nabla_b, delta_nabla_w = [delta], [np.dot(delta, activations[-2].T)]
        for k in range(2, len(W) + 1):
            sp = sigmoid_prime(activations[-k])  # right: sp = sigmoid_prime(zs[-k])
            delta = np.dot(W[-k+1].T, delta)*sp
            delta_nabla_b.insert(0, delta)
            delta_nabla_w.insert(0, np.dot(delta, activations[-k-1].T))
        nabla_b = [nb + dnb for nb, dnb in zip(nabla_b, delta_nabla_b)]
        nabla_w = [nw + dnw for nw, dnw in zip(nabla_w, delta_nabla_w)]
    m = X.shape[1]
    return [nw/m for nw in nabla_w], [nb/m for nb in nabla_b]


@slip('the nablas of the weights and biases are replaced, not added up, from example to example',
      [('loss', None), ('all', None), ('W', None), ('b', None)], 'last row|last example', [3, 4, 1],
      [sigmoid, sigmoid], columns=True)
def nablas_replaced_in_the_batch(W, b, X, Y):
    m, nabla = X.shape[1], [np.zeros(p.shape) for p in (*W, *b)]
    for i in range(m):
        x, y = X[:, i:i+1], Y[:, i:i+1]
        hidden = sig(W[0] @ x + b[0])
        out = sig(W[1] @ hidden + b[1])
        d2 = (out - y)*deriv(out)
        d1 = W[1].T @ d2*deriv(hidden)
        found = d1 @ x.T, d2 @ hidden.T, d1, d2
        nabla = [g for n, g in zip(nabla, found)]  # right: nabla = [n + g for n, g in zip(nabla, found)]
    return [nabla[0]/m, nabla[1]/m], [nabla[2]/m, nabla[3]/m]


@slip('the four nablas are one and the same array, so that each gets the sum of all',
      [('all', None), ('W', None)], 'same array|shared|alias|sum of all|one array', [3, 3, 3, 3, 3], [tanh]*4)
def nablas_that_are_one_array(W, b, X, Y):
    acts = [X]
    for w, v in zip(W, b): acts.append(np.tanh(acts[-1] @ w + v))
    nabla_w = [np.zeros((3, 3))]*4  # right: nabla_w = [np.zeros((3, 3)) for _ in range(4)]
    nabla_b = [None]*4
    delta = (acts[-1] - Y)*(1 - acts[-1]**2)/len(X)
    for i in (3, 2, 1, 0):
        nabla_w[i] += acts[i].T @ delta
        nabla_b[i] = delta.sum(axis=0)
        delta = delta @ W[i].T*(1 - acts[i]**2)
    return nabla_w, nabla_b


# ---- dictionaries, capital letters, examples as columns ----
@slip('db1 is summed over the neurons (axis 0), not over the examples (axis 1)',
      [('b', 0)], 'wrong axis|over the neurons|over neurons', [2, 4, 1], [tanh, sigmoid], loss=cross_entropy, rows=4,
      columns=True)
def dict_columns_bias_over_the_wrong_axis(W, b, X, Y):
    W1, W2, b1, b2 = *W, *b
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sig(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dW2 = 1/m*np.dot(dZ2, A1.T)
    db2 = 1/m*np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.multiply(np.dot(W2.T, dZ2), 1 - np.power(A1, 2))
    dW1 = 1/m*np.dot(dZ1, X.T)
    db1 = 1/m*np.sum(dZ1, axis=0)  # right: db1 = 1/m*np.sum(dZ1, axis=1)
    return {'dW1': dW1, 'db1': db1, 'dW2': dW2, 'db2': db2}


@slip('dW2 is not divided by m',
      [('W', 1)], 'n times|not (averaged|divided)|times', [3, 4, 2], [relu, sigmoid], loss=cross_entropy, rows=6,
      columns=True)
def dict_columns_one_mean_forgotten(W, b, X, Y):
    params = dict(W1=W[0], W2=W[1], b1=b[0], b2=b[1])
    m = X.shape[1]
    Z1 = params['W1'] @ X + params['b1']
    A1 = np.maximum(0, Z1)
    A2 = sig(params['W2'] @ A1 + params['b2'])
    grads, dZ2 = {}, A2 - Y
    grads['dW2'] = dZ2 @ A1.T  # right: grads['dW2'] = dZ2 @ A1.T/m
    grads['db2'] = np.sum(dZ2, axis=1, keepdims=True)/m
    dZ1 = params['W2'].T @ dZ2*(Z1 > 0)
    grads['dW1'] = dZ1 @ X.T/m
    grads['db1'] = np.sum(dZ1, axis=1, keepdims=True)/m
    return grads


@slip('dZ2 is divided by m, and every dW and db again',
      [('loss', None), ('all', None)], 'mean twice|divided.*twice', [4, 3, 2], [tanh, identity], loss=logistic_loss,
      rows=7, columns=True)
def dict_columns_mean_twice(W, b, X, Y):
    m, cache = Y.shape[1], {'A0': X}
    cache['A1'] = np.tanh(W[0].dot(cache['A0']) + b[0])
    cache['A2'] = sig(W[1].dot(cache['A1']) + b[1])
    dZ = (cache['A2'] - Y)/m  # right: dZ = cache['A2'] - Y
    gradients = {}
    for k in (2, 1):
        gradients[f'dW{k}'] = dZ.dot(cache[f'A{k-1}'].T)/m
        gradients[f'db{k}'] = dZ.sum(axis=1, keepdims=True)/m
        if k > 1: dZ = W[k-1].T.dot(dZ)*(1 - cache[f'A{k-1}']**2)
    return gradients


@slip('tanh has the slope 1 - a^2; here it is 1 - a',
      [('slope', 0)], '1 - a\\b|without (its|the) square|not squared', [3, 5, 1], [tanh, sigmoid],
      loss=cross_entropy, columns=True)
def dict_columns_tanh_not_squared(W, b, X, Y):
    m = X.shape[1]
    A1 = np.tanh(W[0] @ X + b[0])
    A2 = sig(W[1] @ A1 + b[1])
    dZ2 = A2 - Y
    dA1 = W[1].T @ dZ2
    dZ1 = dA1*(1 - A1)  # right: dZ1 = dA1*(1 - A1**2)
    db1, db2 = dZ1.sum(1, keepdims=True)/m, dZ2.sum(1, keepdims=True)/m
    return {'db1': db1, 'db2': db2, 'dW1': dZ1 @ X.T/m, 'dW2': dZ2 @ A1.T/m}


@slip('dropout is off on the way forward, and dA1 is still divided by keep_prob on the way back',
      [('carry', 1)], 'times what (it|is)|what is carried|factor', [3, 4, 2], [relu, identity],
      loss=softmax_cross_entropy, rows=6, columns=True)
def dict_columns_dropout_scale_left_in(W, b, X, Y):
    keep_prob, m = 0.8, X.shape[1]
    Z1 = W[0] @ X + b[0]
    A1 = np.maximum(Z1, 0)
    Z2 = W[1] @ A1 + b[1]
    P = np.exp(Z2 - Z2.max(axis=0))
    P = P/P.sum(axis=0)
    dZ2 = (P - Y)/m
    dA1 = W[1].T @ dZ2
    dA1 = dA1/keep_prob  # right: dA1 = dA1/1.0
    dZ1 = np.where(Z1 > 0, dA1, 0)
    return {'W1': dZ1 @ X.T, 'W2': dZ2 @ A1.T, 'b1': dZ1.sum(axis=1), 'b2': dZ2.sum(axis=1)}


# ---- eleven lines, no biases ----
@slip('the error that is sent back is that before the slope was applied',
      [('carry', 1)], 'slope not carried|not carried back|dA.*carried', [3, 4, 1], [sigmoid, sigmoid], rows=4,
      biases='absent')
def eleven_lines_error_for_delta(W, b, X, y):
    syn0, syn1 = W
    l1 = sig(np.dot(X, syn0))
    l2 = sig(np.dot(l1, syn1))
    l2_error = l2 - y
    l2_delta = l2_error*deriv(l2)
    l1_error = l2_error.dot(syn1.T)  # right: l1_error = l2_delta.dot(syn1.T)
    l1_delta = l1_error*deriv(l1)
    return [X.T.dot(l1_delta)/len(X), l1.T.dot(l2_delta)/len(X)]


@slip('the error is target minus output, which suits a plus in the update; the gradient has the other sign',
      [('loss', None), ('all', None)], 'sign', [3, 4, 2], [sigmoid, sigmoid], rows=4, biases='absent')
def eleven_lines_plus_in_the_update(W, b, X, y):
    syn0, syn1 = W
    layer1 = sig(X @ syn0)
    layer2 = sig(layer1 @ syn1)
    layer2_error = y - layer2  # right: layer2_error = layer2 - y
    layer2_delta = layer2_error*deriv(layer2)/len(y)
    layer1_delta = layer2_delta.dot(syn1.T)*deriv(layer1)
    return [X.T.dot(layer1_delta), layer1.T.dot(layer2_delta)]


@slip('the first weights are given the targets as their input',
      [('W', 0)], 'target', [3, 2, 3], [sigmoid, sigmoid], biases='absent')
def eleven_lines_target_for_input(W, b, X, y):
    hidden_layer = sig(X.dot(W[0]))
    output_layer = sig(hidden_layer.dot(W[1]))
    d_output = (output_layer - y)*deriv(output_layer)/len(X)
    d_hidden = d_output.dot(W[1].T)*deriv(hidden_layer)
    d_weights2 = hidden_layer.T.dot(d_output)
    d_weights1 = y.T.dot(d_hidden)  # right: d_weights1 = X.T.dot(d_hidden)
    return d_weights1, d_weights2


# ---- a course's two-layer net with softmax ----
@slip('the gradient is not stopped where the ReLU is off',
      [('slope', 0)], 'slope forgotten|slope.*(left out|missing)', [4, 6, 3], [relu, identity],
      loss=softmax_cross_entropy, rows=6)
def course_without_the_mask(W, b, X, Y):
    W1, b1, W2, b2, N = W[0], b[0], W[1], b[1], X.shape[0]
    hidden_layer = np.maximum(0, np.dot(X, W1) + b1)
    scores = np.dot(hidden_layer, W2) + b2
    exp_scores = np.exp(scores)
    probs = exp_scores/np.sum(exp_scores, axis=1, keepdims=True)
    dscores = probs
    dscores[range(N), Y.argmax(1)] -= 1
    dscores /= N
    grads = {'W2': np.dot(hidden_layer.T, dscores), 'b2': np.sum(dscores, axis=0)}
    dhidden = np.dot(dscores, W2.T)
    pass  # right: dhidden[hidden_layer <= 0] = 0
    grads['W1'], grads['b1'] = np.dot(X.T, dhidden), np.sum(dhidden, axis=0)
    return grads


@slip('the gradient itself is put through the ReLU, where it should be masked by the activations',
      [('slope', 0)], 'through (the )?relu|relu of|relu.*(carried|gradient|dA)|not masked|masked by', [4, 6, 3],
      [relu, identity], loss=softmax_cross_entropy, rows=6)
def course_gradient_through_the_relu(W, b, X, Y):
    N = len(X)
    h = np.maximum(0, X @ W[0] + b[0])
    f = h @ W[1] + b[1]
    f -= f.max(axis=1, keepdims=True)
    p = np.exp(f)/np.exp(f).sum(axis=1, keepdims=True)
    df = (p - Y)/N
    dh = df @ W[1].T
    dz = np.maximum(dh, 0)  # right: dz = dh*(h > 0)
    return {'W1': X.T @ dz, 'b1': dz.sum(axis=0), 'W2': h.T @ df, 'b2': df.sum(axis=0)}


@slip('the softmax is normalised over the batch (axis 0), not over the classes',
      [('loss', None)], 'batch axis|over the (batch|rows|column)|wrong axis', [3, 5, 4], [tanh, identity],
      loss=softmax_cross_entropy, rows=6)
def course_softmax_over_the_batch(W, b, X, Y):
    a = np.tanh(X.dot(W[0]) + b[0])
    logits = a.dot(W[1]) + b[1]
    e = np.exp(logits - np.max(logits))
    probs = e/e.sum(axis=0)  # right: probs = e/e.sum(axis=1, keepdims=True)
    delta3 = (probs - Y)/len(X)
    dW2, db2 = a.T.dot(delta3), np.sum(delta3, axis=0, keepdims=True)
    delta2 = delta3.dot(W[1].T)*(1 - np.power(a, 2))
    return dict(dW1=np.dot(X.T, delta2), db1=np.sum(delta2, axis=0), dW2=dW2, db2=db2)


@slip('without keepdims, column j is divided by the sum of row j',
      [('loss', None)], 'keepdims|another row|other row|wrong axis|batch axis', [3, 5, 4], [relu, identity],
      loss=softmax_cross_entropy, rows=4)
def course_keepdims_lost(W, b, X, Y):
    z1 = X @ W[0] + b[0]
    a1 = z1*(z1 > 0)
    z2 = a1 @ W[1] + b[1]
    e2 = np.exp(z2)
    probs = e2/np.sum(e2, axis=1)  # right: probs = e2/np.sum(e2, axis=1, keepdims=True)
    dz2 = (probs - Y)/4
    dz1 = (dz2 @ W[1].T)*(z1 > 0)
    return [(X.T @ dz1, dz1.sum(0)), (a1.T @ dz2, dz2.sum(0))]


@slip('the labels count from 0, and the code subtracts 1 from them',
      [('loss', None)], 'class|label|target|shift|one-hot', [4, 5, 3], [tanh, identity], loss=softmax_cross_entropy,
      rows=7)
def course_class_off_by_one(W, b, X, Y):
    labels, n = Y.argmax(axis=1), X.shape[0]
    h = np.tanh(X.dot(W[0]) + b[0])
    e = np.exp(h.dot(W[1]) + b[1])
    d = e/e.sum(axis=1, keepdims=True)
    d[np.arange(n), labels - 1] -= 1.0  # right: d[np.arange(n), labels] -= 1.0
    d /= n
    grads = {'W2': h.T.dot(d), 'b2': d.sum(axis=0)}
    d = d.dot(W[1].T)*(1 - h*h)
    grads.update(W1=X.T.dot(d), b1=d.sum(axis=0))
    return grads


@slip('the loss has smoothed labels, and the gradient hard ones',
      [('loss', None)], 'smooth|hard', [4, 5, 3], [relu, identity], loss=softmax_cross_entropy, rows=6, smooth=0.1)
def course_smoothing_forgotten(W, b, X, Y):
    hard = np.eye(3)[Y.argmax(1)]
    hidden = np.maximum(X @ W[0] + b[0], 0)
    out = hidden @ W[1] + b[1]
    shares = np.exp(out)/np.exp(out).sum(1)[:, None]
    d_out = (shares - hard)/len(X)  # right: d_out = (shares - 0.9*hard - 0.1/3)/len(X)
    d_hidden = np.where(hidden > 0, d_out @ W[1].T, 0)
    return [X.T @ d_hidden, d_hidden.sum(0), hidden.T @ d_out, d_out.sum(0)]


# ---- a scalar that remembers ----
@slip("a weight's partner gets `=` where its gradient should be added up: only one successor counts",
      [('carry', 1)], 'only the (first|last) successor|=. stands', [2, 3, 2], [tanh, tanh], rows=4)
def scalars_gradient_replaced(W, b, X, Y):
    class Value:
        def __init__(self, data, back=()): self.data, self.grad, self.back = data, 0.0, back

    def times(w, x):
        out = Value(w.data*x.data)
        def backward():
            w.grad += x.data*out.grad
            x.grad = w.data*out.grad  # right: x.grad += w.data*out.grad
        tape.append(backward)
        return out

    def add(*terms):
        out = Value(sum(t.data for t in terms))
        def backward():
            for t in terms: t.grad += out.grad
        tape.append(backward)
        return out

    def squash(x):
        out = Value(np.tanh(x.data))
        def backward(): x.grad += (1 - out.data**2)*out.grad
        tape.append(backward)
        return out

    tape = []
    w = [[[Value(v) for v in row] for row in M] for M in W]
    bias = [[Value(v) for v in row] for row in b]
    for x, y in zip(X, Y):
        layer = [Value(v) for v in x]
        for M, v in zip(w, bias):
            layer = [squash(add(v[j], *(times(M[i][j], layer[i]) for i in range(len(layer))))) for j in range(len(v))]
        for a, t in zip(layer, y): a.grad = (a.data - t)/len(X)
        while tape: tape.pop()()
    grad_w = [np.array([[v.grad for v in row] for row in M]) for M in w]
    return grad_w, [np.array([v.grad for v in row]) for row in bias]


# ---- the worked example's eight weights, one by one ----
@slip('w5 to w8 are updated before the hidden layer takes them to send its error back',
      [('carry', 1)], 'updated', [2, 2, 2], [sigmoid, sigmoid], rows=1, biases='layer', options=dict(lr=0.5))
def eight_weights_updated_too_early(W, b, X, Y):
    (i1, i2), (t1, t2), lr = X[0], Y[0], 0.5
    (w1, w3), (w2, w4) = W[0]
    (w5, w7), (w6, w8) = W[1]
    h1, h2 = sig(w1*i1 + w2*i2 + b[0][0]), sig(w3*i1 + w4*i2 + b[0][1])
    o1, o2 = sig(w5*h1 + w6*h2 + b[1][0]), sig(w7*h1 + w8*h2 + b[1][1])
    delta_o1, delta_o2 = (o1 - t1)*o1*(1 - o1), (o2 - t2)*o2*(1 - o2)
    g5, g6, g7, g8 = delta_o1*h1, delta_o1*h2, delta_o2*h1, delta_o2*h2
    w5, w6, w7, w8 = w5 - lr*g5, w6 - lr*g6, w7 - lr*g7, w8 - lr*g8  # right: w5, w6, w7, w8 = w5, w6, w7, w8
    delta_h1 = (delta_o1*w5 + delta_o2*w7)*h1*(1 - h1)
    delta_h2 = (delta_o1*w6 + delta_o2*w8)*h2*(1 - h2)
    g1, g2, g3, g4 = delta_h1*i1, delta_h1*i2, delta_h2*i1, delta_h2*i2
    return [np.array([[g1, g3], [g2, g4]]), np.array([[g5, g7], [g6, g8]])]


# ---- loops over neurons ----
@slip('the weights between the layers are read with their two indices swapped',
      [('carry', 1)], 'transpos', [2, 3, 3], [sigmoid, sigmoid], rows=3)
def loops_indices_swapped(W, b, X, Y):
    w_ih, w_ho, n = W[0], W[1], len(X)
    g_ih, g_ho, g_h, g_o = np.zeros((2, 3)), np.zeros((3, 3)), np.zeros(3), np.zeros(3)
    for x, t in zip(X, Y):
        ah = [sig(sum(x[i]*w_ih[i][j] for i in range(2)) + b[0][j]) for j in range(3)]
        ao = [sig(sum(ah[j]*w_ho[j][k] for j in range(3)) + b[1][k]) for k in range(3)]
        output_deltas = [(ao[k] - t[k])*ao[k]*(1 - ao[k]) for k in range(3)]
        hidden_deltas = [0.0]*3
        for j in range(3):
            error = 0.0
            for k in range(3):
                error = error + output_deltas[k]*w_ho[k][j]  # right: error = error + output_deltas[k]*w_ho[j][k]
            hidden_deltas[j] = error*ah[j]*(1 - ah[j])
        for j in range(3):
            g_h[j] += hidden_deltas[j]/n
            g_o[j] += output_deltas[j]/n
            for i in range(2): g_ih[i][j] += hidden_deltas[j]*x[i]/n
            for k in range(3): g_ho[j][k] += output_deltas[k]*ah[j]/n
    return [(g_ih, g_h), (g_ho, g_o)]


@slip("the output neurons' delta lacks the slope of the transfer function",
      [('slope', 1)], 'slope forgotten|slope.*(left out|missing)', [2, 3, 2], [sigmoid, sigmoid], rows=4)
def neurons_delta_without_slope(W, b, X, Y):
    network = [[{'weights': [*row, bias], 'grad': np.zeros(len(row) + 1)} for row, bias in zip(w.T, v)]
               for w, v in zip(W, b)]
    for row, expected in zip(X, Y):
        inputs = list(row)
        for layer in network:
            for neuron in layer:
                neuron['inputs'] = [*inputs, 1.0]
                neuron['output'] = sig(np.dot(neuron['weights'], neuron['inputs']))
            inputs = [neuron['output'] for neuron in layer]
        for j, neuron in enumerate(network[1]):
            d = neuron['output'] - expected[j]  # right: d = (neuron['output'] - expected[j])*deriv(neuron['output'])
            neuron['delta'] = d
        for j, neuron in enumerate(network[0]):
            error = sum(after['weights'][j]*after['delta'] for after in network[1])
            neuron['delta'] = error*deriv(neuron['output'])
        for layer in network:
            for neuron in layer: neuron['grad'] += neuron['delta']*np.array(neuron['inputs'])/len(X)
    found = [np.array([neuron['grad'] for neuron in layer]).T for layer in network]
    return [(g[:-1], g[-1]) for g in found]


# ---- classes ----
@slip("the hidden layer's delta takes the slope at the output layer's net input",
      [('slope', 0)], 'layer after|other layer|next layer', [4, 3, 3], [sigmoid, tanh], rows=5)
def class_slope_of_the_wrong_layer(W, b, X, Y):
    class Network:
        def __init__(self, w1, b1, w2, b2): self.w1, self.b1, self.w2, self.b2 = w1, b1, w2, b2

        def feedforward(self, x):
            self.z1 = x @ self.w1 + self.b1
            self.a1 = sig(self.z1)
            self.z2 = self.a1 @ self.w2 + self.b2
            self.a2 = np.tanh(self.z2)

        def backprop(self, x, y):
            delta2 = (self.a2 - y)*(1 - self.a2**2)/len(x)
            delta1 = delta2 @ self.w2.T
            delta1 *= sigmoid_prime(self.z2)  # right: delta1 *= sigmoid_prime(self.z1)
            return [x.T @ delta1, delta1.sum(axis=0), self.a1.T @ delta2, delta2.sum(axis=0)]

    net = Network(W[0], b[0], W[1], b[1])
    net.feedforward(X)
    return net.backprop(X, Y)


@slip('the error and the weights are multiplied entry by entry, which fits as both are 3 by 3',
      [('carry', 1)], 'entry by entry|elementwise|entrywise', [2, 3, 3], [tanh, sigmoid], rows=3)
def class_star_for_dot(W, b, X, Y):
    class NN:
        pass
    nn = NN()
    nn.w1, nn.w2 = W
    hidden = np.tanh(X @ nn.w1 + b[0])
    output = sig(hidden @ nn.w2 + b[1])
    nn.out_delta = (output - Y)*deriv(output)/3
    nn.hid_error = nn.out_delta*nn.w2.T  # right: nn.hid_error = nn.out_delta @ nn.w2.T
    nn.hid_delta = nn.hid_error*(1 - hidden**2)
    return [X.T @ nn.hid_delta, nn.hid_delta.sum(0), hidden.T @ nn.out_delta, nn.out_delta.sum(0)]


@slip('the inputs are reshaped, which only looks like a transpose',
      [('W', 0)], 'reshape', [3, 4, 2], [sigmoid, identity], rows=5)
def class_reshape_for_transpose(W, b, X, Y):
    H = sig(X @ W[0] + b[0])
    O = H @ W[1] + b[1]
    delta_out = (O - Y)/X.shape[0]
    delta_hid = delta_out @ W[1].T*H*(1 - H)
    W1_grad = X.reshape(X.shape[1], X.shape[0]) @ delta_hid  # right: W1_grad = X.transpose() @ delta_hid
    return [(W1_grad, delta_hid.sum(0)), (H.T @ delta_out, delta_out.sum(0))]


@slip('the slope is written into the activations, and dW2 is made of them afterwards',
      [('W', 1)], 'slope (in place of|for)|in place|slope.*for.*(input|activation)', [3, 4, 2], [sigmoid, sigmoid],
      rows=5)
def class_activations_changed_in_place(W, b, X, Y):
    a1 = sig(np.dot(X, W[0]) + b[0])
    a2 = sig(np.dot(a1, W[1]) + b[1])
    d2 = (a2 - Y)*a2*(1 - a2)/len(X)
    slope = np.multiply(a1, 1 - a1, out=a1)  # right: slope = np.multiply(a1, 1 - a1)
    d1 = np.dot(d2, W[1].T)*slope
    dW2, db2 = np.dot(a1.T, d2), d2.sum(0)
    dW1, db1 = np.dot(X.T, d1), d1.sum(0)
    return {'dW1': dW1, 'db1': db1, 'dW2': dW2, 'db2': db2}


@slip('X is shuffled, and Y is not',
      [('loss', None)], 'shuffl|order|other rows|another row|rows of', [3, 4, 1], [tanh, identity], rows=5)
def trainer_shuffles_x_alone(W, b, X, Y):
    order = np.array([2, 0, 4, 1, 3])
    X, Y = X[order], Y  # right: X, Y = X[order], Y[order]
    h = np.tanh(X @ W[0] + b[0])
    y_hat = h @ W[1] + b[1]
    g = (y_hat - Y)/len(Y)
    gh = g @ W[1].T*(1 - h**2)
    return [X.T @ gh, gh.sum(0), h.T @ g, g.sum(0)]


@slip('the hidden activations are kept from the forward pass before the last step',
      [('W', 1)], 'stale', [3, 4, 2], [tanh, identity], rows=5)
def trainer_stale_cache(W, b, X, Y, old):
    cache = {}
    def forward_pass(w):
        h = np.tanh(X @ w[0] + b[0])
        cache.setdefault('h', h)  # right: cache['h'] = h
        return h, h @ w[1] + b[1]
    forward_pass(old)
    h, out = forward_pass(W)
    d = (out - Y)/len(X)
    dW2, db2 = cache['h'].T @ d, d.sum(0)
    d = d @ W[1].T*(1 - h**2)
    return [(X.T @ d, d.sum(0)), (dW2, db2)]


@slip("what is returned is the running average of the optimizer's first step, a tenth of the gradient",
      [('all', None), ('loss', None)], 'velocity|momentum|running|one factor', [3, 4, 2], [softplus, identity],
      rows=6)
def trainer_returns_the_velocity(W, b, X, Y):
    beta, z1 = 0.9, X @ W[0] + b[0]
    h = np.log1p(np.exp(z1))
    d = (h @ W[1] + b[1] - Y)/len(X)
    dz = d @ W[1].T*sig(z1)
    g = [X.T @ dz, dz.sum(0), h.T @ d, d.sum(0)]
    v = [beta*0 + (1 - beta)*gi for gi in g]
    return v  # right: return g


@slip('the decay is meant for the weights, and the biases get it too',
      [('all', None), ('b', None)], 'decay', [3, 4, 2], [tanh, identity], rows=6, decay=0.05)
def trainer_decays_the_biases(W, b, X, Y):
    lam = 0.05
    h = np.tanh(X.dot(W[0]) + b[0])
    delta = (h.dot(W[1]) + b[1] - Y)/len(X)
    back = delta.dot(W[1].T)*(1 - h**2)
    dW = [X.T.dot(back) + lam*W[0], h.T.dot(delta) + lam*W[1]]
    db = [back.sum(0), delta.sum(0)]
    db = [g + lam*v for g, v in zip(db, b)]  # right: db = [g for g in db]
    return dW, db


@slip('the loss has lambda/2 times the squares, and the gradient 2 lambda times the weights',
      [('all', None), ('W', None)], 'decay.*(doubl|twice|times)|(doubl|twice|2 times).*decay', [4, 5, 3],
      [relu, identity], loss=softmax_cross_entropy, rows=6,
      decay=0.02)
def trainer_decay_doubled(W, b, X, Y):
    reg = 0.02
    z = X @ W[0] + b[0]
    h = np.where(z > 0, z, 0)
    p = np.exp(h @ W[1] + b[1])
    p /= p.sum(axis=1, keepdims=True)
    ds = (p - Y)/len(X)
    dh = ds @ W[1].T*(z > 0)
    k = 2  # right: k = 1
    return dict(W1=X.T @ dh + k*reg*W[0], b1=dh.sum(0), W2=h.T @ ds + k*reg*W[1], b2=ds.sum(0))


@slip('the gradients are clipped before they are returned',
      [('all', None)], 'clip', [3, 5, 2], [tanh, identity], loss=whole_square, rows=5)
def trainer_clips_first(W, b, X, Y):
    h = np.tanh(X @ W[0] + b[0])
    e = 2*(h @ W[1] + b[1] - Y)/len(X)
    eh = (e @ W[1].T)*(1 - h*h)
    found = [X.T @ eh, eh.sum(axis=0), h.T @ e, e.sum(axis=0)]
    for g in found:
        np.clip(g, -0.25, 0.25, out=g)  # right: np.clip(g, -1e9, 1e9, out=g)
    return found


@slip('the learning rate is multiplied in already',
      [('all', None), ('loss', None)], 'learning rate|one factor', [3, 4, 4, 2], [relu, relu, sigmoid], rows=8)
def trainer_learning_rate_inside(W, b, X, Y):
    alpha, layers = 0.03, [X]
    for k in range(3):
        z = layers[-1] @ W[k] + b[k]
        layers.append(sig(z) if k == 2 else z.clip(0))
    d = (layers[3] - Y)*layers[3]*(1 - layers[3])/len(X)
    steps = []
    for k in (2, 1, 0):
        steps.append((layers[k].T @ d, d.sum(0)))
        d = (d @ W[k].T)*(layers[k] > 0)
    rate = alpha  # right: rate = 1.0
    return [(rate*gw, rate*gb) for gw, gb in reversed(steps)]


@slip('zero_grad is not called between the epochs: the gradients of three passes add up',
      [('all', None), ('loss', None)], 'accumulat|never cleared|cleared', [3, 4, 2], [tanh, identity],
      loss=softmax_cross_entropy, rows=6)
def torchlike_without_zero_grad(W, b, X, Y):
    class Linear:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias
            self.zero_grad()

        def zero_grad(self): self.weight_grad, self.bias_grad = np.zeros_like(self.weight), np.zeros_like(self.bias)

        def forward(self, x):
            self.x = x
            return x @ self.weight + self.bias

        def backward(self, grad_output):
            self.weight_grad += self.x.T @ grad_output
            self.bias_grad += grad_output.sum(axis=0)
            return grad_output @ self.weight.T

    fc1, fc2 = Linear(W[0], b[0]), Linear(W[1], b[1])
    for _ in range(3):
        pass  # right: fc1.zero_grad(), fc2.zero_grad()
        act = np.tanh(fc1.forward(X))
        logits = fc2.forward(act)
        e = np.exp(logits - logits.max(1, keepdims=True))
        fc1.backward(fc2.backward((e/e.sum(1, keepdims=True) - Y)/len(X))*(1 - act**2))
    return [fc1.weight_grad, fc1.bias_grad, fc2.weight_grad, fc2.bias_grad]


@slip('the mean is taken over rows and outputs, where the loss adds outputs up',
      [('loss', None), ('all', None)], 'mean over the outputs|over.*outputs', [4, 3], [identity], rows=6)
def regression_mean_over_outputs(W, b, X, Y):
    y_pred = X.dot(W[0]) + b[0]
    error = y_pred - Y
    d = error/error.size  # right: d = error/len(error)
    return [X.T.dot(d), d.sum(axis=0)]


@slip("the weights of layer i meet the layer's own output: the index is one too large",
      [('W', None)], "layer's output|own output|index", [3, 3, 3, 3], [tanh, tanh, tanh], rows=5)
def deep_index_off_by_one(W, b, X, Y):
    L, a = len(W), [X]
    for w, v in zip(W, b): a.append(np.tanh(a[-1] @ w + v))
    grads_W, grads_b = [None]*L, [None]*L
    delta = (a[L] - Y)*(1 - a[L]**2)/len(X)
    for i in range(L - 1, -1, -1):
        grads_W[i] = a[i+1].T @ delta  # right: grads_W[i] = a[i].T @ delta
        grads_b[i] = delta.sum(axis=0)
        if i: delta = (delta @ W[i].T)*(1 - a[i]**2)
    return grads_W, grads_b


@slip("the hidden biases' gradient is the hidden delta itself, not summed over the rows",
      [('b', 0)], 'not summed', [3, 4, 2], [sigmoid, identity], rows=5)
def deep_bias_not_summed(W, b, X, Y):
    hid = sig(X @ W[0] + b[0])
    out_delta = (hid @ W[1] + b[1] - Y)/X.shape[0]
    hid_delta = (out_delta @ W[1].T)*hid*(1 - hid)
    grad_b1 = hid_delta  # right: grad_b1 = hid_delta.sum(axis=0)
    return [X.T @ hid_delta, grad_b1, hid.T @ out_delta, out_delta.sum(axis=0)]


@slip('the gradient of the loss in bits lacks its 1/ln 2',
      [('loss', None), ('all', None)], 'one factor|logarithm|log|base', [3, 4, 1], [tanh, identity], loss=bits,
      rows=6)
def logistic_in_bits(W, b, X, Y):
    h = np.tanh(X @ W[0] + b[0])
    p = sig(h @ W[1] + b[1])
    d = (p - Y)/len(X)  # right: d = (p - Y)/len(X)/np.log(2)
    dh = d @ W[1].T*(1 - h**2)
    return {'W1': X.T @ dh, 'b1': dh.sum(0), 'W2': h.T @ d, 'b2': d.sum(0)}


@slip('labels are -1 and +1, and the formula is that for 0 and 1',
      [('loss', None)], 'logistic|label|target|0 and 1', [4, 1], [identity], loss=logistic_loss_pm1, rows=8)
def logistic_labels_of_the_other_sort(W, b, X, Y):
    scores = X @ W[0] + b[0]
    residual = (sig(scores) - Y)/len(Y)  # right: residual = -Y*sig(-Y*scores)/len(Y)
    return X.T @ residual, residual.sum(axis=0)


@slip('the bias gradients are the sums of the columns of dW',
      [('b', None)], 'sum.*of dW|dW.*sum|row sums|of the weights', [3, 4, 2], [sigmoid, sigmoid], rows=6)
def bias_from_the_weights_gradient(W, b, X, Y):
    z = [X, sig(X @ W[0] + b[0])]
    z.append(sig(z[1] @ W[1] + b[1]))
    dw, db, err = [], [], (z[2] - Y)/len(X)
    for k in (1, 0):
        err = err*deriv(z[k+1])
        dw.insert(0, z[k].T @ err)
        db.insert(0, dw[0].sum(axis=0))  # right: db.insert(0, err.sum(axis=0))
        err = err @ W[k].T
    return dw, db


@slip('the slope of the leaky ReLU below 0 is taken for 0',
      [('slope', 0), ('slope', 1)], 'slope of relu|relu', [3, 5, 4, 2], [leaky_relu(0.1), leaky_relu(0.1), identity],
      rows=6)
def leaky_without_the_leak(W, b, X, Y):
    zs, acts = [], [X]
    for k in range(2):
        zs.append(acts[-1] @ W[k] + b[k])
        acts.append(np.where(zs[-1] > 0, zs[-1], 0.1*zs[-1]))
    grad = (acts[-1] @ W[2] + b[2] - Y)/len(Y)
    dW, dB = {}, {}
    for k in (2, 1, 0):
        dW[k], dB[k] = acts[k].T @ grad, grad.sum(0)
        if k == 0: break
        slope = np.where(zs[k-1] > 0, 1, 0)  # right: slope = np.where(zs[k-1] > 0, 1, 0.1)
        grad = (grad @ W[k].T)*slope
    return [dW[0], dW[1], dW[2]], [dB[0], dB[1], dB[2]]
