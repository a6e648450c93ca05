"""The benchmark: the programs of the book and C do the same work; the results say what they should.

Nothing is timed."""
import dataclasses
import importlib
import itertools
import json
import re
import statistics
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import sampled

ROOT = Path(__file__).parent.parent
BENCH = ROOT/'bench'
if not BENCH.exists(): pytest.skip('no bench/ beside this copy of the tests', allow_module_level=True)
RESULTS = BENCH.parent/'backprop_book'/'measured.json'


def load(name):
    "A module of bench/, which is no package"
    sys.path.insert(0, str(BENCH))
    try: return importlib.import_module(name)
    finally: sys.path.remove(str(BENCH))


works, peers = load('works'), load('peers')
OURS = ['notebook', 'numpy', 'numpy_short', 'descent', 'tape', 'written_out', 'written_out_numba', 'compiled']
TINY = {name: make() for name, make in {**works.SMALL, **works.NEAR}.items()}
TINY = {name: dataclasses.replace(w, X=w.X[:128], Y=w.Y[:128], epochs=2) for name, w in TINY.items()}
TINY['float32'] = works.work_large('float32', 'a small large one', [5, 4, 4, 2], 32, 2, 8)
TINY['deep'] = works.work_large('deep', 'a small deep one', [4]*7, 32, 2, 8, gain=2)


def tried(peer, work):
    try: return peers.PEERS[peer](work)()
    except (ImportError, peers.CannotDo) as e: pytest.skip(f'{peer}: {e}')


def reference(work): return peers.descent(work)()


COMPILED = ['written_out_numba', 'compiled']  # compiling takes seconds a work
PAIRS = [*itertools.product([peer for peer in OURS if peer not in COMPILED], TINY),
         *sampled(itertools.product(COMPILED, TINY), 3)]


@pytest.mark.parametrize('peer, work', PAIRS)
def test_the_peers_do_the_same_work(peer, work):
    work = TINY[work]
    params, losses = tried(peer, work)
    expected, expected_losses = reference(work)
    rtol = 1e-12 if work.dtype == float else 1e-5    # some eps a step, of at most 256
    assert works.distance(params, expected, work.params) < rtol
    np.testing.assert_allclose(losses, expected_losses, rtol=rtol)


@pytest.mark.needs('a C compiler')
@pytest.mark.parametrize('work', ['A', 'B', 'M', 'E'])
def test_c_does_the_same_work(work):
    work = TINY[work]
    for peer in 'c', 'c_fast':
        params, losses = tried(peer, work)
        assert works.distance(params, reference(work)[0], work.params) < 1e-12
        np.testing.assert_allclose(losses, reference(work)[1], rtol=1e-12)


@pytest.mark.parametrize('work', TINY)
def test_the_comparison_sees_one_epoch_too_many(work):
    work = TINY[work].double()
    longer = dataclasses.replace(work, epochs=work.epochs + 1)
    params, expected = peers.numpy(longer)()[0], reference(work)[0]
    assert works.distance(params, expected, work.params) > works.TOLERANCE


def test_a_float32_work_is_compared_in_double_precision(monkeypatch, tmp_path):
    "In single precision they would lie 1e-7 apart: numpy's loop and descent's round in other places"
    monkeypatch.setitem(works.WORKS, 'float32', lambda: TINY['float32'])
    session, path = load('worker').Session('numpy_short'), str(tmp_path/'reference.npz')
    session.reference('float32', path)
    found = session.prepare('float32', path)
    assert set(found) == {'error', 'loss_error'} and max(found.values()) < 1e-12


def test_the_products_are_those_of_the_run():
    "Counted by hand for A: five products an update of three layers, three for each loss"
    work = dataclasses.replace(TINY['A'], X=np.zeros((128, 2)), Y=np.zeros((128, 1)))
    made = []
    peers._products(work, lambda n, m: np.ones((n, m)), lambda A, B, out: made.append((A.shape, B.shape, out.shape)))()
    updates, losses = 2*2, 3
    assert len(made) == updates*8 + losses*3
    assert all((a[0], b[1]) == out and a[1] == b[0] for a, b, out in made)
    assert made.count(((2, 64), (64, 32), (2, 32))) == updates     # dW of the first layer


def test_the_lock_is_exact_and_holds_the_cpu_build():
    lines = [line for line in (BENCH/'requirements.lock').read_text().splitlines() if not line.startswith('#')]
    assert all(re.fullmatch(r'[\w.-]+==[\w.]+', line) for line in lines)
    assert 'torch==2.13.0' in lines
    assert not [line for line in lines if re.match('nvidia|triton', line)]


# ------------------------------------------------------------------ measured.json

@pytest.fixture(scope='module')
def results():
    if not RESULTS.exists(): pytest.skip('no backprop_book/measured.json yet: make bench')
    return json.loads(RESULTS.read_text())


def test_the_results_follow_their_schema(results):
    assert set(results) == {'version', 'date', 'machine', 'versions', 'repetitions', 'notes', 'sizes', 'runs', 'ratios',
                            'limits', 'ladder', 'widths', 'depths', 'cold', 'unavailable'}
    assert results['version'] == 1 and re.fullmatch(r'\d{4}-\d\d-\d\d', results['date'])
    assert {'cpu', 'cores', 'cache', 'os'} <= set(results['machine'])
    assert {'numpy', 'python', 'blas'} <= set(results['versions'])
    times = {'seconds_per_step', 'low', 'high'}
    keys = dict(runs={'work', 'threads', 'peer', 'times', *times}, limits={'work', 'threads', 'peer', 'times', *times},
                ratios={'work', 'threads', 'peer', 'over', 'median', 'low', 'high'}, widths={'width', 'peer', *times},
                depths={'depth', 'peer', *times}, cold={'work', 'peer', 'seconds', 'low', 'high'},
                ladder={'work', 'name', 'gain', *times},
                sizes={'work', 'widths', 'rows', 'batch', 'epochs', 'steps', 'dtype'},
                unavailable={'work', 'threads', 'peer', 'reason'})
    for section, expected in keys.items():
        for row in results[section]: assert expected <= set(row), (section, row)


def test_the_results_agree_with_themselves(results):
    rows = {(r['work'], r['threads'], r['peer']): r for r in results['runs'] + results['limits']}
    assert len(rows) == len(results['runs'] + results['limits'])     # one row each
    for row in rows.values():
        assert len(row['times']) == results['repetitions'] and min(row['times']) > 0
        assert row['seconds_per_step'] == pytest.approx(statistics.median(row['times']), rel=1e-3)   # four digits
        assert row['low'] <= row['seconds_per_step'] <= row['high']
    for r in results['ratios']:
        pairs = zip(*(rows[r['work'], r['threads'], peer]['times'] for peer in (r['peer'], r['over'])))
        assert r['median'] == pytest.approx(statistics.median(a/b for a, b in pairs), rel=1e-3)      # four digits


def test_no_time_is_published_without_agreement(results):
    for row in results['runs']:
        assert row['error'] <= works.TOLERANCE and row.get('loss_error', 0) <= works.TOLERANCE, row


def test_the_results_hold_no_path_and_no_host(results):
    assert set(results['machine']) == {'cpu', 'cores', 'cache', 'os'} and len(results['machine']['os'].split()) == 2
    assert not re.search(r'/(?:tmp|home|root|work|opt|usr)\b|[A-Z]:\\\\|https?:|file:', RESULTS.read_text())
