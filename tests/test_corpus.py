"""The doctor, examined from outside: programs as people write them, and right gradients of every kind."""
import numpy as np
import pytest
from conftest import TEST_ALL
from corpus import slips  # noqa: F401  the programs register themselves
from corpus.judge import examine, examine_functions
from corpus.slip import SLIPS, as_pairs, problem, righted, run, true_grads

SEEDS = range(5) if TEST_ALL else range(1)
EVERY = pytest.mark.parametrize('s', SLIPS, ids=lambda s: s.name)


def gaps(s, program, seed):
    "How far each array that a program hands over is from the right one, beside its largest entry; 1 for another shape"
    net, X, Y, old = problem(s, seed)
    for (w, b), (right_w, right_b) in zip(as_pairs(s, run(s, program, net, X, Y, old)), true_grads(s, net, X, Y)):
        for came, right in [(w, right_w)] + ([] if b is None else [(b, right_b)]):
            yield np.abs(came.reshape(right.shape) - right).max()/np.abs(right).max() if came.size == right.size else 1.


def words(judgements):
    "What tells, one line each"
    return '\n' + '\n'.join(f'{j.slip}: {j.refused or j.accused or (j.report and j.report.verdict)}' for j in judgements)


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


def test_the_forty_controls_are_right():
    found = [examine(s, seed, right=True) for s in SLIPS for seed in SEEDS]
    assert not (alarms := [j for j in found if j.wrong or j.refused]), words(alarms)


def test_the_second_door_on_the_forty_slips_and_their_controls():
    found = [examine_functions(s, seed) for s in SLIPS for seed in SEEDS]
    assert not (missed := [j for j in found if not j.wrong and 'shape' not in j.refused]), words(missed)
    found = [examine_functions(s, seed, right=True) for s in SLIPS for seed in SEEDS]
    assert not (alarms := [j for j in found if j.wrong or j.refused]), words(alarms)
