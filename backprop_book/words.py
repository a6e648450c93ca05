"""What people call things elsewhere, and what that is here: words for transfer functions, losses, optimizers."""
import re
from difflib import get_close_matches

from . import arguments

__all__ = ['ALIASES', 'KNOWN', 'meant', 'nearest']

KNOWN = { # the names that can be written, by kind
    'transfer': ['identity', 'sigmoid', 'tanh', 'relu', 'softplus', 'leaky_relu(0.01)', 'fold(0.2)'],
    'loss': ['squared_error', 'logistic_loss', 'logistic_loss_pm1', 'softmax_cross_entropy'],
    'optimizer': ['sgd', 'momentum', 'nesterov', 'rmsprop', 'adam']}

_LOGITS = 'identity in the last layer: it takes the logits, and squashes them itself'
_SOFTMAX = ("in the last layer take 'identity', and the loss 'softmax_cross_entropy', which puts the softmax "
            'behind it itself')
_NO_SLOPE = "its slope is 0 everywhere, and nothing can be learned from it: take 'sigmoid'"
_SQUARED = "take 'squared_error', which has a half in it: it is half the mean squared error"
_BINARY = f"take 'logistic_loss', and {_LOGITS}"
_CLASSES = f"take 'softmax_cross_entropy', and {_LOGITS}"
_EITHER = f"take 'softmax_cross_entropy' for classes, 'logistic_loss' for yes and no, and {_LOGITS}"
_OWN_LOSS = 'a file cannot hold it; in Python a Loss takes a formula of your own'


def _formulas(**formulas): return {name: f'write its formula, {text!r}' for name, text in formulas.items()}


def _called(**aliases):
    "alias -> the name that it has here, from a name and all that it is called elsewhere"
    return {alias: f'take {name!r}' for name, text in aliases.items() for alias in text.split()}


ALIASES = { # kind -> what it is called elsewhere, in small letters alone -> what to write here
    'transfer': {
        **_called(identity='linear lin none id purelin nothing passthrough',
                  tanh='tansig hyperbolictangent tangenshyperbolicus',
                  sigmoid='logistic logsig sigm expit sig logisticsigmoid standardlogistic fermi',
                  relu='rectifier rectified rectifiedlinear rectifiedlinearunit ramp poslin max(0,z) max(z,0) '
                       'max(0,x) max(x,0) '
                       'maximum(0,z) maximum(z,0) maximum(0,x) maximum(x,0) np.maximum(0,z) np.maximum(z,0)'),
        'leakyrelu': "take 'leaky_relu(0.01)', with the slope on the left", 'lrelu': "take 'leaky_relu(0.01)'",
        'leaky': "take 'leaky_relu(0.01)'", 'prelu': "take 'leaky_relu(0.25)': its slope is not trained here",
        **_formulas(softsign='z/(1 + abs(z))', gelu='z*(1 + erf(z/sqrt(2)))/2', silu='z/(1 + exp(-z))',
                    swish='z/(1 + exp(-z))', elu='Piecewise((z, z > 0), (exp(z) - 1, True))',
                    selu='1.0507*Piecewise((z, z > 0), (1.6733*(exp(z) - 1), True))', relu6='Min(Max(z, 0), 6)',
                    hardtanh='Max(-1, Min(z, 1))', hardsigmoid='Max(0, Min(1, z/6 + 1/2))', satlin='Max(0, Min(1, z))',
                    mish='z*tanh(log(1 + exp(z)))', logsigmoid='-log(1 + exp(-z))', gaussian='exp(-z**2)',
                    rbf='exp(-z**2)', radbas='exp(-z**2)', sin='sin(z)', sine='sin(z)', cos='cos(z)', atan='atan(z)',
                    arctan='atan(z)', exp='exp(z)', exponential='exp(z)', square='z**2', quadratic='z**2', abs='abs(z)',
                    absolute='abs(z)', tanhshrink='z - tanh(z)'),
        **dict.fromkeys('softmax logsoftmax softmin'.split(), _SOFTMAX),
        **dict.fromkeys('step heaviside binarystep threshold hardlim sign sgn signum perceptron'.split(), _NO_SLOPE)},
    'loss': {
        **dict.fromkeys('mse meansquarederror meansquares l2 sse sumofsquares sumsquarederror squared squares '
                        'quadratic '
                        'halfmse rss msee'.split(), _SQUARED),
        **dict.fromkeys('bce binarycrossentropy binary log logistic logit logits bcewithlogits bcelogits '
                        'sigmoidcrossentropy '
                        'sigmoidcrossentropywithlogits deviance bernoulli'.split(), _BINARY),
        **dict.fromkeys('cce categoricalcrossentropy sparsecategoricalcrossentropy softmax '
                        'softmaxcrossentropywithlogits '
                        'multinomial multiclass softmaxloss'.split(), _CLASSES),
        **dict.fromkeys('crossentropy ce xent xentropy nll negativeloglikelihood entropy'.split(), _EITHER),
        **dict.fromkeys('logisticpm1 softmargin'.split(),
                        f"take 'logistic_loss_pm1' (targets 1 and -1), and {_LOGITS}"),
        **dict.fromkeys('hinge mae meanabsoluteerror l1 absoluteerror huber smoothl1 rmse rootmeansquarederror kl '
                        'kld kldiv '
                        'kldivergence poisson cosine cosinesimilarity logcosh focal'.split(), _OWN_LOSS)},
    'optimizer': {
        **_called(**{'sgd(0.1)': 'gd gradientdescent descent vanilla bgd batchgradientdescent steepestdescent '
                                 'stochasticgradientdescent',
                     'momentum(0.1)': 'sgdmomentum sgdwithmomentum heavyball polyak classicalmomentum',
                     'nesterov(0.1)': 'nag nesterovmomentum nesterovacceleratedgradient sgdnesterov',
                     'rmsprop(0.01)': 'rms'}),
        **dict.fromkeys('adamw nadam adamax adagrad adadelta amsgrad lion lamb radam'.split(),
                        "there is none here; its kin is 'adam(0.01)'")}}


def _plain(word, kind):
    "A word as the table has it: 'nn.BCEWithLogitsLoss' is bcewithlogits"
    library = r'^(torch|tf|keras|jax|nn|np|F|losses|activations?|optim)\.(?=[A-Za-z_]+\.|[A-Za-z_]+$)'
    text = re.sub(library, '', word.strip())
    text = re.sub(r'[\s_-]+', '', text.split('.')[-1] if re.fullmatch(r'[\w.]+', text) else text).lower()
    ending = {'transfer': r'(?<=.)(activation|function|transfer|layer|unit)+$', 'loss': r'(?<=.)(loss|cost|function)+$',
              'optimizer': r'(?<=.)(optimizer|optimiser|\(.*)$'}[kind]
    return re.sub(ending, '', text)


def _close(word, words, cutoff=0.6): return next(iter(get_close_matches(word, words, 1, cutoff)), None)


def _as_text(word, most=99): return (word if isinstance(word, str) else arguments.shown(word))[:most]


def meant(word, # that is not known
          known:list, # those that are
          otherwise:str=None): # what to say where none is near; None lists them
    "The end of a message about an unknown word: the nearest that is known, or what there is"
    words = arguments.listed([*known] if isinstance(known, dict) else known, 'known', "of words, such as ['tanh']")
    known = [arguments.text(name, 'a known word') for name in words]
    near = _close(_as_text(word), known)
    if near: return f'; did you mean {near!r}?'
    if otherwise is not None: arguments.text(otherwise, 'otherwise')
    return f': {otherwise or "choose from " + ", ".join(known)}'


def nearest(word, # that is no name here
            kind:str): # 'transfer', 'loss' or 'optimizer'
    "The end of a message about it: its name here, its formula, or the nearest name; ValueError for another kind"
    aliases, names = ALIASES[arguments.one_of(kind, 'kind', KNOWN)], KNOWN[kind]
    plain = _plain(_as_text(word), kind)
    if plain in aliases: return f'; {aliases[plain]}'
    heads = {re.sub(r'\W.*', '', name).replace('_', ''): name for name in names}
    if kind == 'loss': heads |= {_plain(name, kind): name for name in names}
    near = _close(plain, [*heads, *aliases])
    if near in heads: return f'; did you mean {heads[near]!r}?'
    near = near and _close(plain, [*aliases], 0.8)
    return f'; {near}? {aliases[near]}' if near else f': choose from {", ".join(names)}'
