"""What the tests share: random networks, losses and batches that fit each other; a browser; samples."""
import functools
import importlib.util
import os
import signal
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from tools import CHROMIUM, missing, not_checked, skipped_for, under_ci

from backprop_book.descent import sgd
from backprop_book.loss import Loss, logistic_loss, logistic_loss_pm1, softmax_cross_entropy, squared_error
from backprop_book.network import Layer
from backprop_book.transfer import fold, identity, leaky_relu, relu, sigmoid, softplus, tanh

settings.register_profile('book', deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile('book')

TEST_ALL = bool(os.environ.get('TEST_ALL'))  # set by `make test-all`: nothing is sampled, nothing slow left out
SOON = 4  # seconds of CPU: 2 s, and the machine may be busy
LEFT_OUT = set()  # what this run left out: (file, how many)
ALREADY = set()  # what it left out since it has run


def sampled(items, k, seed=0):
    "`k` of `items`, always the same, in their order; all of them under `make test-all`"
    items = list(items)
    if TEST_ALL or k >= len(items): return items
    LEFT_OUT.add((Path(sys._getframe(1).f_code.co_filename).stem, f'{k} of {len(items)}'))
    return [items[i] for i in sorted(np.random.default_rng(seed).choice(len(items), k, replace=False))]


MARKS = {
    'house': 'needs more than the package: the built site, a browser, or the tools that export chapters',
    'slow': 'takes long; runs under `make test-all` only',
    'needs': 'the optional tools (tests/tools.py) without which the test is skipped, and the run says so',
}


def pytest_configure(config):
    for name, meaning in MARKS.items(): config.addinivalue_line('markers', f'{name}: {meaning}')


def pytest_collection_modifyitems(config, items):
    "Leave to `make test-all` what is slow; leave out the chapters that the site's build has executed as they are now"
    slow = [item for item in items if item.get_closest_marker('slow') and not TEST_ALL]
    counts = Counter(item.path.stem for item in slow)
    LEFT_OUT.update((file, f'{n} slow test{"s" if n > 1 else ""}') for file, n in counts.items())
    chapters = executed_by_the_build([item for item in items if item.path.suffix == '.ipynb'])
    if chapters: ALREADY.add(f'{len(chapters)} chapters: the build of the site has executed them with this package')
    config.hook.pytest_deselected(items=slow + chapters)
    items[:] = [item for item in items if item not in {*slow, *chapters}]


def executed_by_the_build(chapters):
    "Those notebooks whose results the build of the site has kept: each cell ran, with the package as it is"
    if not chapters or importlib.util.find_spec('myst_nb') is None: return []
    sys.path.append(str(Path(__file__).parent.parent/'site'))
    from book_site import is_executed, results
    cache = results()
    return [item for item in chapters if is_executed(item.path, cache)]


def pytest_runtest_setup(item):
    "Skip a test that needs what this machine lacks; under CI, fail"
    lacks = missing(name for mark in item.iter_markers('needs') for name in mark.args)
    if lacks: (pytest.fail if under_ci() else pytest.skip)(skipped_for(lacks))


def pytest_sessionfinish(session):
    if hasattr(session.config, 'workeroutput'):
        session.config.workeroutput.update(left_out=sorted(LEFT_OUT), already=sorted(ALREADY))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    said = getattr(node, 'workeroutput', {})
    LEFT_OUT.update(map(tuple, said.get('left_out', ()))), ALREADY.update(said.get('already', ()))


def left_to_test_all():
    "A line for each file that took a fixed sample of its cases, or left tests out"
    for file in sorted({file for file, _ in LEFT_OUT}):
        what = sorted(n for other, n in LEFT_OUT if other == file)
        taken, slow = [n for n in what if 'slow' not in n], [n for n in what if 'slow' in n]
        said = [f'fixed samples were taken, {", ".join(taken)}']*bool(taken) + slow
        yield f'left to `make test-all`: {file}: {"; ".join(said)}'


def pytest_terminal_summary(terminalreporter):
    "Say what was not checked, and how to check it"
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get('skipped', [])]
    for line in not_checked(reasons): terminalreporter.write_line(line)
    for line in sorted(ALREADY): terminalreporter.write_line(f'not run again: {line}')
    for line in left_to_test_all(): terminalreporter.write_line(line)


FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1']
TRANSFERS = [identity, sigmoid, tanh, relu, leaky_relu(0.1), softplus, fold(0.2)]
LOSSES = [squared_error, logistic_loss, logistic_loss_pm1, softmax_cross_entropy]
PAIR = Loss('pair', '(a1*a2 - y1)**2/2 + (a1 - y2)**2/2', ('(a1*a2 - y1)*a2 + a1 - y2', '(a1*a2 - y1)*a1'),
            lambda A, Y: np.column_stack([(A[:, 0]*A[:, 1] - Y[:, 0])**2/2, (A[:, 0] - Y[:, 1])**2/2]),
            lambda A, Y: np.column_stack([(A[:, 0]*A[:, 1] - Y[:, 0])*A[:, 1] + A[:, 0] - Y[:, 1],
                                          (A[:, 0]*A[:, 1] - Y[:, 0])*A[:, 0]]),
            targets=((0.5, 1.), (-1., 0.)))
# a loss that is NaN where its slope is finite, as on the second row of OUT_OF_RANGE, which a first step makes negative
POISSON = Loss('poisson', 'a - y*log(a)', '1 - y/a', lambda A, Y: A - Y*np.log(A), lambda A, Y: 1 - Y/A)
OUT_OF_RANGE = ([Layer([[1.]], [.1], identity)], np.array([[.1], [.1], [2.3], [.9]]),
                np.array([[0.], [0.], [2.], [3.]]), POISSON, 0.5)


def clipped(lr):
    "Descent with clipped slopes, in a function that seems to be the book's"
    book = sgd(lr)
    @functools.wraps(book.update)
    def update(p, g, memory): return book.update(p, np.clip(g, -0.1, 0.1), memory)
    return replace(book, update=update)


def targets_for(loss, shape, rng):
    "Targets that suit `loss`, none of them where its gradient is 0"
    if loss is logistic_loss: return rng.uniform(0.1, 0.9, shape)
    if loss is logistic_loss_pm1: return rng.choice([-1., 1.], shape)
    if loss is softmax_cross_entropy: return rng.dirichlet(np.ones(shape[1]), shape[0])
    return rng.normal(size=shape)


def case(widths, transfers, loss, n, seed=0, dtype=float, scale=1):
    "A network with normal weights and biases, rows, targets, and the loss"
    rng = np.random.default_rng(seed)
    net = [Layer(scale*rng.normal(size=(i, o)).astype(dtype), rng.normal(size=o), t)
           for i, o, t in zip(widths, widths[1:], transfers)]
    return net, rng.normal(size=(n, widths[0])), targets_for(loss, (n, widths[-1]), rng), loss


@st.composite
def problems(draw, max_layers=5, transfers=TRANSFERS, losses=LOSSES):
    "A network of ragged widths with non-zero biases, a batch, targets, and a loss"
    n_layers = draw(st.integers(1, max_layers))
    widths = draw(st.lists(st.integers(1, 5), min_size=n_layers + 1, max_size=n_layers + 1))
    loss, n = draw(st.sampled_from(losses)), draw(st.integers(1, 9))
    if loss is softmax_cross_entropy: widths[-1] = max(2, widths[-1])  # shares of one class say nothing
    chosen = draw(st.lists(st.sampled_from(transfers), min_size=n_layers, max_size=n_layers))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    net = [Layer(rng.normal(0, 1/np.sqrt(i), (i, o)), rng.normal(0, 0.5, o), t)
           for i, o, t in zip(widths, widths[1:], chosen)]
    X = rng.normal(size=(n, widths[0]))
    return net, X, targets_for(loss, (n, widths[-1]), rng), loss


@pytest.fixture
def listens_to_ctrl_c():
    "Ctrl-C raises here, also in a run that was begun in the background, where a shell makes Python deaf to it"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope='session')
def browser():
    if not CHROMIUM: (pytest.fail if under_ci() else pytest.skip)(skipped_for('a browser'))
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
