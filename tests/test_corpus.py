"""The doctor, examined from outside: programs as people write them, and right gradients of every kind."""
import numpy as np
import pytest
from conftest import TEST_ALL, sampled
from corpus import bad, functions, more_slips, right, slips  # noqa: F401  programs register themselves
from corpus.judge import examine, examine_functions
from corpus.slip import MORE, SLIPS, as_pairs, problem, righted, run, true_grads

from backprop_book.network import loss_and_grads

SEEDS = range(5) if TEST_ALL else range(1)
EVERY = pytest.mark.parametrize('s', SLIPS + MORE, ids=lambda s: s.name)
IN_PARTS = pytest.mark.parametrize('part', range(4))   # for processes side by side


def gaps(s, program, seed):
    "How far each array that a program hands over is from the right one, beside its largest entry; 1 for another shape"
    net, X, Y, old = problem(s, seed)
    for pair, true_pair in zip(as_pairs(s, run(s, program, net, X, Y, old)), true_grads(s, net, X, Y)):
        for came, true in zip(pair, true_pair):
            if came is None: continue
            yield np.abs(came.reshape(true.shape) - true).max()/np.abs(true).max() if came.size == true.size else 1.


def words(judgements):
    "What tells, one line each"
    return ''.join(f'\n{j.slip}: {j.refused or j.accused or (j.report and j.report.verdict)}' for j in judgements)


@EVERY
def test_a_program_and_its_control_differ_in_one_line_that_matters(s):
    for seed in range(5):
        assert max(gaps(s, righted(s.program), seed)) < 1e-12
        assert max(gaps(s, s.program, seed)) > 1e-3


def test_forty_slips_made_by_hand():
    found = [examine(s, seed) for s in SLIPS for seed in SEEDS]
    assert len(SLIPS) == 40
    assert not (missed := [j for j in found if not j.wrong]), words(missed)
    assert not (accused := [j for j in found if j.accused]), words(accused)
    named = [j for j in found if j.named]
    assert len(named) >= 0.75*len(found), f'{len(named)} of {len(found)} named' + words(j for j in found if not j.named)


def test_thirty_slips_more():
    found = [examine(s, seed) for s in sampled(MORE, 15) for seed in SEEDS]
    assert not (missed := [j for j in found if not j.wrong]), words(missed)
    assert not (accused := [j for j in found if j.accused]), words(accused)


def test_the_controls_are_right():
    found = [examine(s, seed, right=True) for s in SLIPS + MORE for seed in SEEDS]
    assert not (alarms := [j for j in found if j.wrong or j.refused]), words(alarms)


def test_the_second_door_on_the_slips_and_their_controls():
    chosen = sampled(SLIPS + MORE, 20)
    found = [examine_functions(s, seed) for s in chosen for seed in SEEDS]
    assert not (missed := [j for j in found if not j.wrong and 'shape' not in j.refused]), words(missed)
    found = [examine_functions(s, seed, right=True) for s in chosen for seed in SEEDS]
    assert not (alarms := [j for j in found if j.wrong or j.refused]), words(alarms)


def alarms(case, chosen):
    "What a door says against right gradients, one line each; a refusal, in whatever words, is an alarm too"
    found = []
    for kind, i in chosen:
        right_case = case(kind, i)
        try: report = right_case.report()
        except Exception as error: found.append(f'{kind} {i}: {type(error).__name__}: {error}')   # of any kind
        else:
            if report.right or right_case.reading and right_case.reading in report.verdict: continue
            found.append(f'{kind} {i}: {report.causes or report.first}')
    return found


@IN_PARTS
def test_no_false_alarm_in_2000_right_gradients_of_networks(part):
    found = alarms(right.case, sampled(right.cases(), 80)[part::4])
    assert not found, f'{len(found)} alarms\n' + '\n'.join(found)


@IN_PARTS
def test_no_false_alarm_in_2000_right_gradients_of_functions(part):
    found = alarms(functions.case, sampled(functions.cases(), 40)[part::4])
    assert not found, f'{len(found)} alarms\n' + '\n'.join(found)


# Alarms that other draws of the same generators have raised, each for a kind: losses in float32 that move in steps, or
# stand still where the right one does not; what a gradient in float32 loses on its way through large weights; a loss
# whose slope is 1e5 beside the edge of where it is made for.
@pytest.mark.parametrize('kind, draw, i', [
    *[('float32_behind_float64, network, shares', 7, i) for i in (48, 56, 65)],
    *[('in_float32, network, shares', 7, i) for i in (6, 16)],
    *[('loss_alone_in_float32, network, shares', 7, i) for i in (11, 18)],
    ('float32_behind_float64, network, shares', (), 3), ('gradient_in_float32, network, mixed_scales', 2026, 2),
    ('float32_told_in_float64, shares', 2026, 9)])
def test_alarms_of_other_draws_stay_mended(kind, draw, i):
    corpus = right if kind in right.KINDS else functions
    assert corpus.case(kind, i, (draw,) if draw else ()).report().right


@pytest.mark.parametrize('corpus', [right, functions], ids=['first door', 'second door'])
def test_a_caller_who_has_numpy_raise_sees_no_error(corpus):
    with np.errstate(all='ignore'): cases = [corpus.case(kind, 0) for kind in sampled(corpus.KINDS, 25)]
    with np.errstate(all='raise'): reports = [case.report() for case in cases]
    assert all(r.right or c.reading and c.reading in r.verdict for c, r in zip(cases, reports))


@pytest.mark.parametrize('make', functions.OTHERS, ids=lambda make: make.__name__)
def test_the_right_gradients_of_functions_are_right(make):
    assert functions.worst_gap(f'in_float64, {make.__name__}', 0) < 1e-7


@pytest.mark.parametrize('numbers', right.NUMBERS, ids=lambda numbers: numbers.__name__)
def test_the_right_gradients_of_networks_are_those_of_the_package(numbers):
    case = right.case(f'in_float64, {numbers.__name__}', 1)
    if numbers is right.kinks: return   # any slope between the two sides is right
    for (w, b), true in zip(case.grads, loss_and_grads(case.net, case.X, case.Y, case.loss)[1]):
        for came, ours in ((w, true.W), (b, true.b)):
            assert np.abs(came - ours).max() <= 1e-6*np.abs(ours).max() + 1e-15


def test_500_bad_calls_of_both_doors_end_in_words():
    found = [said for i in range(500) if (said := bad.outcome(i))]
    assert not found, f'{len(found)} errors\n' + '\n'.join(found)
