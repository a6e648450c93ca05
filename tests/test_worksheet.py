"""Sheets and keys agree and are the same from the same seed; marks are fair; misconceptions are named rightly."""

import math
import re
import subprocess
import tomllib
from fractions import Fraction

import numpy as np
import pytest
from conftest import TEST_ALL, sampled

from backprop_book.diagnose import CATALOGUE
from backprop_book.explain import latex_of
from backprop_book.loss import logistic_loss, softmax_cross_entropy
from backprop_book.network import forward, loss_and_grads
from backprop_book.transfer import Transfer, identity, leaky_relu, relu, sigmoid, softplus, tanh
from backprop_book.worksheet import (
    PLACES,
    Worksheet,
    hypotheses,
    learner,
    mark,
    read_answers,
    read_number,
    unreadable,
    worksheet,
)

SHAPES = [
    dict(),
    dict(widths=(2, 2, 2)),
    dict(widths=(2, 3, 1), transfer=[relu, identity]),
    dict(widths=(2, 2, 2, 1), transfer=tanh),
    dict(rows=2),
    dict(widths=(2, 2, 2), loss=softmax_cross_entropy),
    dict(widths=(3, 2, 1), transfer=tanh, loss=logistic_loss),
    dict(transfer=[leaky_relu(0.1), identity]),
    dict(transfer=softplus, digits=4, biases='frozen'),
    dict(widths=(2, 1), biases='absent'),
]
IDS = [', '.join(f'{k} {v}' for k, v in shape.items()) or 'as it comes' for shape in SHAPES]
SOME = dict(zip(*[sampled(items, 4) for items in (IDS, SHAPES)]))  # for what takes long
MISTAKES = {m.name: m for m in CATALOGUE}
MADE = {}


def sheet_of(seed, *args, **shape):
    "A sheet, made once for all tests: what a marker looks up is kept with it"
    key = repr((seed, args, shape))
    if key not in MADE: MADE[key] = worksheet(seed, *args, **shape)
    return MADE[key]


@pytest.mark.parametrize('shape', SOME.values(), ids=SOME)
def test_the_same_seed_gives_the_same_sheet(shape):
    one, two = worksheet(3, **shape), worksheet(3, **shape)
    assert [one.markdown(), one.latex(), one.html(), one.form()] == [
        two.markdown(),
        two.latex(),
        two.html(),
        two.form(),
    ]
    assert one.blanks != worksheet(4, **shape).blanks


@pytest.mark.parametrize('shape', SHAPES, ids=IDS)
@pytest.mark.parametrize('seed', range(3))
def test_numbers_are_kind(shape, seed):
    sheet = sheet_of(seed, **shape)
    weights = np.abs(np.concatenate([layer.W.ravel() for layer in sheet.net]))
    assert len({*weights}) == weights.size and not {0.0, 1.0} & {*weights}
    assert all(len(repr(float(w))) <= 4 for w in weights)  # two decimals at most
    assert not {0.0, 1.0, -1.0} & {*sheet.X.ravel()}
    trace = forward(sheet.net, sheet.X)
    for layer, Z in zip(sheet.net[:-1], trace.Z):
        if 'Piecewise' in layer.transfer.formula:
            assert (Z > 0).any() and (Z < 0).any()
        if layer.transfer in (sigmoid, tanh):
            assert 0.1 <= np.abs(Z).min() and np.abs(Z).max() <= 2.5
    assert any(g.W.any() for g in loss_and_grads(sheet.net, sheet.X, sheet.Y, sheet.settings['loss'])[1])


@pytest.mark.parametrize('shape', SHAPES, ids=IDS)
def test_the_key_is_right(shape):
    "Against the network's own gradients, which share no code with the pencil: to the drift of a few roundings"
    sheet = sheet_of(1, **shape)
    grads = loss_and_grads(sheet.net, sheet.X, sheet.Y, sheet.settings['loss'])[1]
    for line in sheet.explanation.lines:
        if line.kind != 'dW':
            continue
        layer, _, index = line.at
        assert float(line.full) == pytest.approx(grads[layer].W[index], rel=1e-12, abs=1e-15)
        assert float(line.value) == pytest.approx(
            grads[layer].W[index], rel=0.05, abs=1e-15
        )  # five roundings, each up to half a per cent


@pytest.mark.parametrize('shape', SHAPES, ids=IDS)
def test_the_key_gets_full_marks(shape):
    sheet = sheet_of(2, **shape)
    for answers in (
        sheet.blanks,
        learner(sheet),
        learner(sheet, pencil=False),
        {k: v for k, v in enumerate(sheet.blanks.values(), 1)},
    ):
        marking = sheet.mark(answers)
        assert marking.score == 1 and not marking.causes and not marking.notes


@pytest.mark.parametrize('place', [*PLACES, 'slope', 'delta_h1', "w1'", 'dE/dw5'])
def test_blanks_and_key_agree_in_every_format(place):
    sheet = sheet_of(6, blanks=place)
    n = len(sheet.blanks)
    page, tex = sheet.html('sheet'), sheet.latex('sheet')
    assert (
        page.count('"answer"><span></span>')
        == tex.count('\\blank\n')
        == sheet.markdown('sheet').count('&emsp;<br>')
        == n
    )
    assert sheet.text('sheet').count(' = ______________\n') == n
    lines = {line.name.plain: line for line in sheet.lines}
    for name, value in sheet.blanks.items():
        text = lines[name].text(lines[name].value)
        assert float(text) == value
        assert f'= {latex_of(text)}$' in sheet.markdown('key') and f'= {latex_of(text)}$' in sheet.latex('key')
        assert f' = {text}\n' in sheet.text('key')


def ways(sheet):
    "(number, from where, to where) of each weight, counted neuron by neuron: the sheet's own words are not asked"
    widths, k = sheet.settings['widths'], 0

    def unit(l, j):
        return f'x{j}' if not l else f'o{j}' if l == len(widths) - 1 else f'h{j}' if len(widths) == 3 else f'h{l}.{j}'

    for l, (n, m) in enumerate(zip(widths, widths[1:])):
        for j in range(1, m + 1):
            for i in range(1, n + 1):
                k += 1
                yield k, (l + 1, i, j), unit(l, i), unit(l + 1, j)


@pytest.mark.parametrize('shape', [*SHAPES, dict(widths=(2, 2, 2), names='layered')], ids=[*IDS, 'layered'])
def test_a_sheet_stands_alone(shape):
    "The drawing with names, where each weight leads, target, learning rate, formulas, digits, a line for a name"
    sheet = sheet_of(8, **shape)
    layered, digits = sheet.settings['names'] == 'layered', sheet.settings['digits']
    texts = sheet.text('sheet'), sheet.markdown('sheet'), sheet.latex('sheet'), sheet.html('sheet')
    for k, (l, i, j), start, end in ways(sheet):
        assert re.search(rf'w{l}\[{i},{j}\]' if layered else rf'\bw{k}\b', sheet.explanation.sketch.svg)
        plain = f'w{l}[{i},{j}]' if layered else f'w{k}'
        latex = f'w^{{({l})}}_{{{i},{j}}}' if layered else f'w_{{{k}}}'
        leads = ' leads' * (k == 1)
        assert f'{plain}{leads} from {start} to {end}' in texts[0]
        assert (
            f'${latex}${leads} from {start} to {end}' in texts[1]
            and f'${latex}${leads} from {start} to {end}' in texts[2]
        )
        assert f'</math>{leads} from {start} to {end}' in texts[3]
    for text in texts:
        for word in ('Name:', 'target', 'learning rate', 'net input', 'the loss', f'{digits} significant digits'):
            assert word in text
        assert ('squared error with its half' in text) == ('loss' not in shape)
    assert not re.search(
        r'>[^<]*\d\.\d[^<]*</text>', sheet.explanation.sketch.svg.replace('h1.', 'h').replace('h2.', 'h')
    )
    assert 'svg' in texts[1] and 'tikzpicture' in texts[2] and '<svg' in texts[3]


def test_the_formulas_on_a_sheet_are_right():
    "Of transfer function and loss, evaluated here, against the network's own"
    sheet = sheet_of(8, (2, 2, 2), [tanh, sigmoid], rows=2)
    text = sheet.text('sheet')
    for f in (tanh, sigmoid):
        formula = re.search(rf'{f.name} at [^:]*: f\(z\) = (.*?)[;.]( |$)', text, re.M)[1]
        assert eval(formula, dict(exp=math.exp, tanh=math.tanh), dict(z=0.3)) == pytest.approx(
            float(f(np.float64(0.3)))
        )
    a, y = re.search(r'e_o1\[1\] = \((\S+) - (\S+)\)\*\*2/2', text).groups()
    assert (
        (a, y) == ('a_o1[1]', 'y_o1[1]')
        and 'the mean over the rows' in text
        and 'E = (e_o1[1] + e_o2[1] + e_o1[2] + e_o2[2])/2' in text
    )


def test_a_sheet_says_nothing_of_what_is_not_on_it():
    assert 'learning rate' in sheet_of(6).text() and 'learning rate' not in sheet_of(6, blanks='forward').text(
        'sheet'
    )
    assert 'delta' not in sheet_of(6, blanks='forward').text('sheet') and 'over the rows' not in sheet_of(6).text(
        'sheet'
    )


def test_the_text_of_a_formula_is_never_printed():
    "A remark in it is refused at reading"
    own = Transfer(
        'tanh(z) # \\input{x}',
        'tanh(z) # \\input{x} <script>',
        '1 - tanh(z)**2',
        np.tanh,
        lambda z: 1 - np.tanh(z) ** 2,
    )
    with pytest.raises(ValueError, match='#'): worksheet(7, transfer=[own, sigmoid])


def test_what_no_box_needs_is_not_printed():
    sheet = sheet_of(6, blanks='delta_o1')
    shown = {line.name.plain for line in sheet.lines}
    assert 'dE/da_o1' in shown and not {'dE/dw5', "w5'", 'E', 'delta_h1'} & shown
    assert "z_h1" not in sheet_of(6, blanks='z_h2').form()


def test_hints_print_the_rule_and_only_then():
    assert 'w_{1} x_{1}' in sheet_of(6, hints=True).markdown('sheet') and 'w_{1} x_{1}' not in sheet_of(6).markdown(
        'sheet'
    )


def test_relu_asks_for_zeros_and_ones_and_takes_the_sign_from_the_learner():
    sheet = sheet_of(4, (2, 2, 1), [relu, identity])
    dead = next(n for n in ('z_h1', 'z_h2') if sheet.blanks[n] < 0)
    unit = dead[2:]
    marking = sheet.mark(learner(sheet, slips={dead: -sheet.blanks[dead]}))
    assert marking.points == len(sheet.blanks) - 1 and marking.verdicts[f'a_{unit}'] == 'carried'


@pytest.mark.parametrize('shape', SHAPES, ids=IDS)
def test_one_slip_costs_one_point_wherever_it_is(shape):
    sheet = sheet_of(21, **shape)
    boxes = [(name, pencil) for name in sheet.blanks for pencil in (True, False)]
    for k in sampled(range(120), 2):  # more than there are boxes
        name, pencil = boxes[k % len(boxes)]
        marking = sheet.mark(learner(sheet, slips={name: 1.23 * sheet.blanks[name] + 0.5}, pencil=pencil))
        assert marking.verdicts[name] == 'wrong' and marking.points >= len(sheet.blanks) - 1, (name, marking)


def test_a_second_slip_costs_a_second_point():
    sheet = sheet_of(5)
    marking = sheet.mark(learner(sheet, slips={'z_h1': 2.2, 'delta_h2': 0.5}))
    assert marking.points == len(sheet.blanks) - 2


def test_missing_answers_are_missing_and_the_rest_is_carried_over_them():
    sheet = sheet_of(5)
    answers = learner(sheet, slips={'z_h1': 2.2})
    del answers['a_h1']
    marking = sheet.mark(answers)
    assert marking.verdicts['a_h1'] == 'missing' and marking.points == len(sheet.blanks) - 2
    assert sheet.mark({}).points == 0 and {*sheet.mark({}).verdicts.values()} == {'missing'}


def numbers_for(sheet, sound):
    "What mistakes that take a number are given"
    largest = max(abs(v) for n, v in sound.items() if n.startswith('dE/dw'))
    n = len(sheet.X)
    return dict(
        lr=[0.5],
        k=[3],
        decay=[0.1],
        factor=[0.1],
        bound=[largest / 2],
        norm=[largest / 2],
        size=[k for k in range(2, n) if n % k],
    )


def shows(a, b, digits):
    "Whether an answer differs by more than two units of its last digit: less, no marker can see"
    return any(
        abs(a[n] - b[n]) > (2.001 * 10.0 ** (math.floor(math.log10(abs(b[n]))) - digits + 1) if b[n] else 0) for n in b
    )


@pytest.mark.slow
@pytest.mark.parametrize('shape', SHAPES, ids=IDS)
def test_misconceptions_are_named(shape):
    "Every mistake of the catalogue that changes an answer, at every layer; pencil and calculator"
    named = total = 0
    for seed, pencil in [(11, True), (12, False)]:
        sheet = sheet_of(seed, **shape)
        sound = learner(sheet, pencil=pencil)
        for mistake, layers, fitted in hypotheses(sheet, numbers_for(sheet, sound)):
            answers = learner(sheet, [(mistake, layers)], pencil=pencil, fitted=fitted)
            if not shows(answers, sound, sheet.settings['digits']):
                continue
            total += 1
            named += mistake.name in [c.name for c in sheet.mark(answers).causes]
    assert named >= 0.9 * total and total > 20, (named, total)


def test_every_entry_of_the_catalogue_is_tried():
    sheet = sheet_of(1, (2, 3, 2), [relu, identity], rows=3)
    tried = {
        m.name
        for m, *_ in hypotheses(sheet, dict.fromkeys((m.fits for m in CATALOGUE if m.fits), [2.0]))
    }
    assert tried == {m.name for m in CATALOGUE if not m.needs}


def test_slips_are_not_taken_for_misconceptions():
    rng = np.random.default_rng(0)
    blamed = slips = 0
    for seed in sampled(range(6), 3):
        sheet = sheet_of(seed)
        for name in rng.choice([*sheet.blanks], 8, replace=False):
            slips += 1
            blamed += bool(
                sheet.mark(learner(sheet, slips={name: float(sheet.blanks[name] * rng.uniform(1.05, 3))})).causes
            )
    assert blamed <= 0.05 * slips


def test_a_misconception_is_named_after_a_slip_in_the_forward_pass():
    sheet = sheet_of(7)
    marking = sheet.mark(learner(sheet, [(MISTAKES['the slope forgotten'], (0,))], slips={'z_h1': 1.7}))
    assert 'the slope forgotten' in [c.name for c in marking.causes] and 'slip' in marking.notes[0]


def test_two_misconceptions_are_not_guessed_at():
    sheet = sheet_of(7)
    marking = sheet.mark(learner(sheet, [(MISTAKES['the slope forgotten'], (0,)), (MISTAKES['the sign, in W'], (1,))]))
    assert not marking.causes and marking.notes[-1].startswith('No single mistake')


def test_a_right_slope_that_is_not_used():
    sheet = sheet_of(7)
    answers = learner(sheet, [(MISTAKES['the slope forgotten'], (0,))])
    answers.update({n: v for n, v in sheet.blanks.items() if n.startswith("f'")})
    assert 'the slope forgotten' in [c.name for c in sheet.mark(answers).causes]


def counted(widths, by_rows=(), back=False, swapped=()):
    "The places of the weights, (layer, from, to), in the order in which this learner numbers them"
    layers = []
    for l, (n, m) in enumerate(zip(widths, widths[1:])):
        ins, outs = (list(range(k))[::-1] if l + s in swapped else list(range(k)) for k, s in ((n, 0), (m, 1)))
        layers.append(
            [(l, i, j) for i in ins for j in outs] if l in by_rows else [(l, i, j) for j in outs for i in ins]
        )
    return [at for layer in (layers[::-1] if back else layers) for at in layer]


def rounding(digits):
    return lambda v: float(f'{v:.{digits}g}')


def by_hand(sheet, order=None, signs=(1, 1, 1), digits=3, biases=True, pencil=None):
    """The answers of a learner with a calculator who shares no code with the marker, one row: numbers the weights in
    this order, writes dA, delta and gradients with these signs, and forgets the biases going forward if not `biases`;
    a `pencil` of so many digits rounds on the way"""
    widths, s = sheet.settings['widths'], sheet.settings
    values = {n.plain: float(v) for n, v in sheet.explanation.given}
    name = {at: f'w{k}' for k, at in enumerate(order or counted(widths), 1)}
    unit = [
        [
            f'o{j + 1}' if l == len(widths) - 2 else f'h{j + 1}' if len(widths) == 3 else f'h{l + 1}.{j + 1}'
            for j in range(m)
        ]
        for l, m in enumerate(widths[1:])
    ]
    A, Z, out = [sheet.X[0]], [], {}

    def kept(array):
        return np.vectorize(rounding(pencil))(array) if pencil else array

    W = [
        np.array([[values[name[l, i, j]] for j in range(m)] for i in range(n)])
        for l, (n, m) in enumerate(zip(widths, widths[1:]))
    ]
    for l, layer in enumerate(sheet.net):
        Z.append(kept(A[l] @ W[l] + biases * np.array([values[f'b_{u}'] for u in unit[l]])))
        A.append(kept(layer.transfer.f(Z[l])))
    dA = kept(A[-1] - sheet.Y[0])
    for l in reversed(range(len(W))):
        slope = kept(sheet.net[l].transfer.df_from_output(A[l + 1]))
        delta = kept(dA * slope)
        for j, u in enumerate(unit[l]):
            out |= {
                f'z_{u}': Z[l][j],
                f'a_{u}': A[l + 1][j],
                f'dE/da_{u}': signs[0] * dA[j],
                f"f'(z_{u})": slope[j],
                f'delta_{u}': signs[1] * delta[j],
                f'dE/db_{u}': signs[2] * delta[j],
                f"b_{u}'": values[f'b_{u}'] - s['lr'] * delta[j],
            }
            for i, a in enumerate(A[l]):
                w, g = name[l, i, j], float(kept(a * delta[j]))
                out |= {f'dE/d{w}': signs[2] * g, f"{w}'": values[w] - s['lr'] * g}
        dA = kept(W[l] @ delta)
    return {n: rounding(digits)(out[n]) for n in sheet.blanks}


ORDERS = {
    'row by row': dict(by_rows=(0, 1, 2)),
    'first layer row by row': dict(by_rows=(0,)),
    'back to front': dict(back=True),
    'hidden units swapped': dict(swapped=(1,)),
    'inputs swapped': dict(swapped=(0,)),
    'row by row, back to front': dict(by_rows=(0, 1, 2), back=True),
}
NETWORKS = [
    dict(),
    dict(widths=(2, 2, 2)),
    dict(widths=(2, 3, 1), transfer=tanh),
    dict(widths=(2, 2, 2, 1), transfer=tanh),
]


@pytest.mark.parametrize('how, shape', [(how, shape) for k, shape in enumerate(NETWORKS) for i, how in enumerate(ORDERS)
                                        if TEST_ALL or (i + k) % 2], ids=str)
def test_another_numbering_is_named_and_nobody_is_accused(shape, how):
    sheet = sheet_of(21, **shape)
    order = counted(sheet.settings['widths'], **ORDERS[how])
    marking = sheet.mark(by_hand(sheet, order))
    if order == counted(sheet.settings['widths']):
        assert not marking.reading  # no other numbering on this network
    else:
        assert marking.reading and 'numbering' in marking.notes[0]
    assert marking.score == 1 and not marking.causes


def test_a_numbering_is_told_weight_by_weight():
    note = sheet_of(7).mark(by_hand(sheet_of(7), counted((2, 2, 1), by_rows=(0,)))).notes[0]
    assert 'row by row' in note and 'w2 from x1 to h2, w3 from x2 to h1' in note and 'wrong way round' not in note


def test_a_slip_and_a_misconception_are_found_behind_another_numbering():
    sheet = sheet_of(7)
    answers = by_hand(sheet, counted((2, 2, 1), by_rows=(0,)))
    answers['delta_h1'] *= 3
    marking = sheet.mark(answers)  # a calculator's numbers after it: the gradients of h1 do not follow from the slip
    assert marking.reading and marking.verdicts['delta_h1'] == 'wrong' and marking.verdicts['z_h1'] == 'right'


@pytest.mark.parametrize('place', [('deltas',), ('forward', 'deltas'), ('deltas', 'gradients'), ('deltas', 'update')])
def test_a_numbering_is_named_wherever_the_boxes_are(place):
    sheet = sheet_of(7, blanks=place)
    marking = sheet.mark(by_hand(sheet, counted((2, 2, 1), by_rows=(0, 1), back=False, swapped=())))
    assert not marking.causes


@pytest.mark.parametrize('signs', [(1, -1, 1), (-1, -1, 1), (-1, -1, -1), (1, -1, -1), (1, 1, -1), (-1, 1, 1)], ids=str)
@pytest.mark.parametrize('shape', NETWORKS[:3], ids=str)
def test_another_sign_is_a_convention(signs, shape):
    sheet = sheet_of(21, **shape)
    marking = sheet.mark(by_hand(sheet, signs=signs))
    assert (
        marking.score == 1
        and not marking.causes
        and 'other sign, and your update adds**: a convention' in marking.notes[0]
    )


def test_a_sign_turned_in_one_place_is_no_convention():
    sheet = sheet_of(22, (2, 2, 2))
    for name in ('delta_o1', 'delta_h2', 'dE/dw3', 'dE/da_o2'):
        marking = sheet.mark(learner(sheet, slips={name: -sheet.blanks[name]}))
        assert not marking.reading and marking.verdicts[name] == 'wrong'
    wrong = learner(sheet, [(MISTAKES['the sign'], (1,))])  # and an update that subtracts: that goes uphill
    assert 'the sign' in [c.name for c in sheet.mark(wrong).causes] and not sheet.mark(wrong).reading
    hidden = worksheet(
        12, blanks=('delta_h1', 'delta_h2', 'dE/dw1', 'dE/dw2')
    )  # the output's delta is printed, with its sign
    assert not hidden.mark({n: -v for n, v in hidden.blanks.items()}).reading


def test_the_mean_may_be_taken_in_the_gradients():
    sheet = sheet_of(5, rows=2)
    marking = sheet.mark({n: 2 * v if n.startswith(('dE/da', 'delta')) else v for n, v in sheet.blanks.items()})
    assert marking.score == 1 and not marking.causes and 'mean is taken in the gradients' in marking.reading
    summed = learner(sheet, [(MISTAKES['the sum for the mean'], (1,))])  # the sheet says mean: to add up is a mistake
    assert 'the sum for the mean' in [c.name for c in sheet.mark(summed).causes] and not sheet.mark(summed).reading


@pytest.mark.parametrize('digits', [3, 4])
def test_fewer_digits_count_and_one_does_not(digits):
    sheet = sheet_of(7, blanks=('deltas', 'update'), digits=digits)
    marking = sheet.mark(by_hand(sheet, digits=2))
    assert marking.score == 1 and not marking.causes and any('Fewer digits than the' in note for note in marking.notes)
    single = sheet.mark(by_hand(sheet, digits=1))
    assert single.score < 1 and not single.causes and any('Right to one digit' in note for note in single.notes)
    off = {n: v * 1.3 for n, v in by_hand(sheet, digits=2).items()}
    assert not any('Fewer digits' in note for note in sheet.mark(off).notes)


@pytest.mark.parametrize('shape', NETWORKS[:3], ids=str)
def test_a_pencil_with_two_digits_is_followed(shape):
    "Who rounds to two digits on the way, and goes on so, is right as far as two digits go"
    marking = (sheet := sheet_of(7, **shape)).mark(by_hand(sheet, pencil=2, digits=2))
    assert marking.score == 1 and not marking.causes


def test_forty_learners_with_other_conventions_and_none_accused():
    "Numbering, sign and digits at once, drawn at random"
    for k in sampled(range(40), 15):
        rng, sheet = np.random.default_rng(k), sheet_of(21, **NETWORKS[k % 3])
        how = ORDERS[[*ORDERS][rng.integers(len(ORDERS))]] if rng.random() < 0.6 else {}
        signs = [(1, 1, 1), (1, -1, 1), (-1, -1, -1), (-1, -1, 1)][rng.integers(4)]
        digits = int(rng.integers(2, 4)) if not how else 3
        marking = sheet.mark(by_hand(sheet, counted(sheet.settings['widths'], **how), signs, digits=digits))
        assert not marking.causes and marking.score > 0.97, (k, how, signs, digits, marking)


@pytest.mark.parametrize('shape', NETWORKS, ids=str)
def test_a_bias_forgotten_throughout_is_one_slip(shape):
    sheet = sheet_of(21, **shape)
    marking = sheet.mark(by_hand(sheet, biases=False))
    assert (
        marking.points == len(sheet.blanks) - 1
        and not marking.causes
        and 'bias is forgotten in every net input' in marking.notes[0]
    )
    assert marking.verdicts['z_h1' if len(sheet.net) == 2 else 'z_h1.1'] == 'wrong' and len(marking.notes) == 2


@pytest.mark.parametrize(
    'g, words',
    [
        (lambda old, new: 2 * old - new, 'the update adds'),
        (lambda old, new: old - 2 * (old - new), 'learning rate is left out'),
    ],
)
def test_an_update_that_is_wrong_throughout_is_one_slip(g, words):
    sheet = sheet_of(24)
    old = {n.plain: float(v) for n, v in sheet.explanation.given}
    answers = {n: rounding(3)(g(old[n[:-1]], v)) if n[-1] == "'" else v for n, v in sheet.blanks.items()}
    marking = sheet.mark(answers)
    assert words in marking.reading and marking.points == len(sheet.blanks) - 1 and not marking.causes


def test_one_bias_forgotten_is_a_slip_in_its_box():
    sheet = sheet_of(23)
    bias = {n.plain: float(v) for n, v in sheet.explanation.given}['b_h2']
    marking = sheet.mark(learner(sheet, slips={'z_h2': sheet.blanks['z_h2'] - bias}))
    assert not marking.reading and marking.verdicts['z_h2'] == 'wrong' and marking.points == len(sheet.blanks) - 1


@pytest.mark.parametrize(
    'answer, value',
    [
        (0.125, 0.125),
        ('1/8', 0.125),
        ('0,125', 0.125),
        ('.125', 0.125),
        (' 1.25e-1 ', 0.125),
        ('1,25 · 10^-1', 0.125),
        ('1.25*10**-1', 0.125),
        ('12.5 %', 0.125),
        ('\u22120.5', -0.5),
        ('-1/4', -0.25),
        (Fraction(1, 8), 0.125),
        (np.float32(0.5), 0.5),
        (3, 3.0),
        ('', None),
        ('  ', None),
        (None, None),
    ],
)
def test_answers_that_are_read(answer, value):
    assert read_number(answer) == value


@pytest.mark.parametrize(
    'answer',
    [
        'abc',
        '1/0',
        '1 000',
        '9' * 400,
        '1e200',
        'nan',
        'inf',
        '1.2.3',
        '1,2,3',
        '0x10',
        '1e999',
        True,
        float('nan'),
        float('inf'),
        [1],
        1j,
        b'1',
    ],
)
def test_answers_that_are_refused(answer):
    with pytest.raises(ValueError, match=r'box 2 \(a_h1\).* is (no number|too large|longer).*: write a number as'):
        mark({'a_h1': answer}, 7)


def test_all_that_is_unreadable_is_said_at_once():
    with pytest.raises(
        ValueError, match=r"box 1 \(z_h1\): 'x' is no number; box 3 .*'1e200' is too large.*no box 'zz'"
    ):
        mark({1: 'x', 2: 0.5, 3: '1e200', 'zz': 1}, 7)
    assert len(unreadable(sheet_of(7), {1: 'x', 2: 0.5, 3: '1e200', 'zz': 1, 10**5000: 1})) == 4
    with pytest.raises(ValueError, match='there are 100000, and the sheet has 33 boxes'):
        mark({str(i): 1 for i in range(100_000)}, 7)


@pytest.mark.parametrize(
    'form, message',
    [
        (dict(seed=8), 'seed: the form says 8, and the sheet has 7'),
        (dict(blanks=['loss']), 'blanks: the form says'),
        (dict(digits=2), 'digits: the form says 2'),
        (dict(transfer='tanh'), 'transfer: the form says'),
        (dict(sed=7), "did you mean 'seed'"),
    ],
)
def test_the_form_of_another_sheet_is_refused(form, message):
    with pytest.raises(ValueError, match=message):
        mark({}, 7, form=form)
    own = tomllib.loads(sheet_of(7).form())['sheet']
    assert mark({}, 7, form=own).points == 0 and mark({}, 7, form=dict(transfer='sigmoid')).points == 0


@pytest.mark.parametrize(
    'settings',
    [
        dict(seed=10**30),
        dict(seed=10**6000),
        dict(blanks=7),
        dict(blanks=[['a']]),
        dict(widths=None),
        dict(widths='221'),
        dict(lr='a'),
        dict(lr=math.nan),
        dict(lr=10**400),
        dict(hints='no'),
        dict(transfer='sigmoid'),
        dict(loss='mse'),
        dict(names=['flat']),
        dict(biases=None),
        dict(digits=2.0),
        dict(transfer=[sigmoid, sigmoid], loss=logistic_loss),
    ],
    ids=lambda s: next(iter(s)),
)
def test_settings_of_a_wrong_kind_are_refused_in_a_sentence(settings):
    with pytest.raises((ValueError, TypeError), match=next(iter(settings))) as refused:
        worksheet(**{'seed': 7, **settings})
    assert len(str(refused.value)) < 250


def test_a_decimal_comma_is_said():
    assert any('"0,5" was read as 0.5' in note for note in mark({'a_h1': '0,5'}, 7).notes)


@pytest.mark.parametrize(
    'answers, message',
    [
        ({'z_h9': 1}, "no box 'z_h9'; did you mean 'z_h"),
        ({99: 1}, 'numbered 1 to 33'),
        ({0: 1}, 'no box 0'),
        ({'z_h1': 1, 1: 2}, r'box 1 \(z_h1\) is answered twice'),
    ],
)
def test_boxes_that_do_not_exist(answers, message):
    with pytest.raises(ValueError, match=message):
        mark(answers, 7)


@pytest.mark.parametrize('arguments, message', [
    (dict(slips={'z_h9': 1.0}), "there is no line 'z_h9'; did you mean 'z_h"),
    (dict(causes=[(MISTAKES['the sign'], (5,))]), 'a layer of a mistake must be a whole number, from 0 to 1'),
    (dict(causes=[('the sign', (0,))]), 'causes must hold pairs'),
    (dict(causes=[(next(m for m in CATALOGUE if m.fits == 'k'), (0,))]), "takes a number: say fitted={'k'"),
    (dict(causes=[(next(m for m in CATALOGUE if m.needs), (0,))]), 'a sheet has none')])
def test_a_learner_who_cannot_be(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message): learner(sheet_of(7), **arguments)


def test_answers_must_be_a_dict():
    with pytest.raises(TypeError, match='answers must be a dict'):
        mark([1, 2], 7)


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(blanks='detlas'), "did you mean 'deltas'"),
        (dict(blanks=()), 'blanks is empty'),
        (dict(blanks='everything else'), 'choose from forward'),
        (dict(widths=(2,)), 'widths is'),
        (dict(widths=(2, 0)), 'each of widths must be a whole number'),
        (dict(widths=(6, 6, 2)), 'too many for a pencil'),
        (dict(digits=1), 'digits must be'),
        (dict(rows=0), 'rows must be'),
        (dict(rows=1.5), 'rows must be'),
        (dict(lr=0), 'lr is 0'),
        (dict(biases='layer'), 'biases is'),
        (dict(transfer=[tanh]), '1 transfer functions for 2 layers'),
        (dict(loss=softmax_cross_entropy), 'two outputs'),
        (dict(seed=-1), 'seed must be'),
        (dict(seed='7'), 'seed must be'),
        (dict(names='funny'), 'names is'),
    ],
)
def test_settings_that_make_no_sheet(settings, message):
    with pytest.raises(ValueError, match=message):
        worksheet(**{'seed': 7, **settings})


def test_parts_and_files(tmp_path):
    sheet = sheet_of(7)
    assert isinstance(sheet, Worksheet) and 'Key' not in sheet.html('sheet') and 'Fill in' not in sheet.html('key')
    with pytest.raises(ValueError, match='choose from both, sheet, key'):
        sheet.html('half')
    for suffix in ('.md', '.tex', '.html'):
        path = sheet.write(tmp_path / f'sheet{suffix}')
        before = path.read_bytes()
        with pytest.raises(FileExistsError, match='exists'):
            sheet.write(path, part='key')
        assert path.read_bytes() == before and b'\r' not in before
        sheet.write(path, part='key', overwrite=True)
        assert path.read_bytes() != before
    with pytest.raises(ValueError, match='ends in .doc'):
        sheet.write(tmp_path / 'sheet.doc')


def test_the_page_asks_for_nothing_from_elsewhere():
    page = sheet_of(7).html()
    assert (
        'http' not in page.replace('http://www.w3.org/1998/Math/MathML', '')
        and '<script' not in page
        and 'break-before: page' in page
    )


def test_a_marking_shows_itself():
    marking = mark({'z_h1': 99.0}, 7)
    assert repr(marking).startswith('0 of 33 points') and marking._repr_markdown_().startswith('**0 of 33 points**')
    assert marking.table.rows[0][:4] == ['1', 'z_h1', '99', 'wrong'] and marking.score == 0


def test_read_answers_leaves_out_what_is_not_written():
    assert read_answers(sheet_of(7), {1: '', 2: None, 3: 1}) == ({'z_h2': 1.0}, [])


@pytest.mark.house
@pytest.mark.parametrize('shape', [dict(), dict(widths=(2, 2, 2), rows=2, hints=True, names='layered')])
def test_sheet_and_key_print_on_pages_of_their_own(browser, tmp_path, shape):
    "A sheet and its key together have as many pages as each alone; nothing is fetched; it fits a phone"
    sheet, pages = sheet_of(8, **shape), {}
    for part in ('both', 'sheet', 'key'):
        path = sheet.write(tmp_path / f'{part}.html', part)
        page, asked, errors = browser.new_page(viewport=dict(width=390, height=800)), [], []
        page.on('request', lambda request: asked.append(request.url))
        page.on('pageerror', lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        assert asked == [path.as_uri()] and not errors and not page.query_selector_all('merror')
        assert page.evaluate('document.documentElement.scrollWidth') <= 390
        boxes = page.query_selector_all('.answer span')
        assert len(boxes) == (0 if part == 'key' else len(sheet.blanks)) and all(
            box.bounding_box()['height'] > 30 for box in boxes
        )
        pages[part] = page.pdf(format='A4').count(b'/Type /Page\n')
        page.close()
    assert pages['both'] == pages['sheet'] + pages['key'] and min(pages.values()) > 0


def joined(texts):
    "One LaTeX document of several: the start of the first, and what stands in all, page after page"
    start, bodies = texts[0].partition('\\begin{document}')[0], []
    for text in texts:
        assert text.startswith(start) and text.endswith('\\end{document}\n')
        bodies.append(text.removeprefix(start + '\\begin{document}').removesuffix('\\end{document}\n'))
    return start + '\\begin{document}' + '\\newpage\n'.join(bodies) + '\\end{document}\n'


@pytest.mark.needs('TeX')
def test_the_latex_compiles(tmp_path):
    "Several shapes in one document; under `make test-all` all of them, and each alone, too"
    texts = [sheet_of(k, hints=k % 2 == 0, **shape).latex() for k, shape in sampled(enumerate(SHAPES), 4)]
    for k, text in enumerate([joined(texts), *texts[:TEST_ALL*len(texts)]]):
        (tmp_path / f'{k}.tex').write_text(text, encoding='utf-8')
        run = subprocess.run(['pdflatex', '-interaction=nonstopmode', '-halt-on-error', f'{k}.tex'], cwd=tmp_path,
                             capture_output=True, text=True)
        assert run.returncode == 0, run.stdout[-2000:]
