"""A process that trains with one peer on command: its own threads, memory and imports.

    worker.py PEER             reads commands from stdin, one JSON a line, and answers on stdout
    worker.py PEER --cold WORK imports, compiles, trains WORK to the end, and exits
The number of threads is set by the variables that run.py starts it with.
"""
import contextlib
import gc
import json
import math
import os
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import peers
import works

SHORTEST = 0.05   # seconds of one timing: a shorter run is repeated within it


def save_reference(work, path):
    "The weights and losses of `descent.train`, for the others to be compared with"
    params, losses = peers.descent(work.double())()
    np.savez(path, losses, *(array for layer in params for array in layer))


def compare(result, work, path):
    "How far a result lies from the reference: its weights, and its losses"
    params, losses = result
    if params is None: return {}
    with np.load(path) as file: reference = [file[name] for name in file.files]
    expected, arrays = reference[0], reference[1:]
    arrays = list(zip(arrays[::2], arrays[1::2]))
    params = [(np.asarray(W), np.asarray(b)) for W, b in params]
    found = {'error': works.distance(params, arrays, work.params)}
    if losses is None: return found
    losses = np.asarray(losses, float)
    return {**found, 'loss_error': float(np.max(np.abs(losses - expected)/expected[0]))}


def timed(run, loops=1):
    "Seconds of one run"
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    for _ in range(loops): run()
    seconds = (time.perf_counter() - start)/loops
    gc.enable()
    return seconds


def threads_of_torch():
    "PyTorch takes its number of threads from the environment only for its products: say it"
    if 'torch' not in sys.modules: return
    sys.modules['torch'].set_num_threads(int(os.environ['OMP_NUM_THREADS']))


class Session:
    "What one worker holds: its peer, the work in hand, the function that does it"
    def __init__(self, peer): self.peer = peer

    def prepare(self, work, reference):
        "Everything that is made once, a run to warm up, and the comparison with `descent.train`"
        work = works.WORKS[work]()
        self.run = peers.PEERS[self.peer](work)
        threads_of_torch()
        result = self.run()
        if work.dtype != float and self.peer not in peers.LIMITS:
            result = peers.PEERS[self.peer](work.double())()
        found = compare(result, work, reference)
        self.is_small = work.is_small
        self.loops = max(1, math.ceil(SHORTEST/timed(self.run))) if work.is_small else 1
        return found

    def reference(self, work, path): return save_reference(works.WORKS[work](), path)

    def time(self):
        "Seconds of one run; a small work runs once untimed: others had the caches meanwhile"
        if self.is_small: self.run()
        return timed(self.run, self.loops)

    def forget(self): self.run = None

    def ladder(self, notebook, repetitions):
        "Chapter 14's stages, from its cells tagged 'ladder': [[name, [seconds a step, ...]], ...]"
        names = {}
        for code in ladder_cells(Path(notebook)): exec(code, names)
        return time_stages(names['LADDER'], repetitions)


def ladder_cells(notebook):
    cells = json.loads(notebook.read_text())['cells']
    return [''.join(cell['source']) for cell in cells
            if 'ladder' in cell['metadata'].get('tags', []) and cell['cell_type'] == 'code']


def time_stages(stages, repetitions):
    "Each stage on A: as many steps as A has, without the losses; interleaved"
    work = works.work_a()
    net, times = work.net(), [[] for _ in stages]
    for _ in range(repetitions + 1):
        for (_, stage), seconds in zip(stages, times):
            run = partial(stage, net, work.X, work.Y, work.lr, work.steps)
            seconds.append(timed(run)/work.steps)
    return [[name, seconds[1:]] for (name, _), seconds in zip(stages, times)]   # without warm-up


def answer(session, line):
    "What a command gives, or why it gives nothing"
    command = json.loads(line)
    try: return {'found': getattr(session, command.pop('do'))(**command)}
    except Exception as e:
        first = (str(e).strip() or type(e).__name__).splitlines()[0]
        return {'failed': f'{type(e).__name__}: {first}'}


def serve(peer):
    "Answers on the real stdout; whatever a library prints goes to stderr"
    with os.fdopen(os.dup(1), 'w') as out:
        os.dup2(2, 1)
        session = Session(peer)
        for line in sys.stdin:
            print(json.dumps(answer(session, line)), file=out, flush=True)


if __name__ == '__main__':
    peer, *cold = sys.argv[1:]
    if cold: peers.PEERS[peer](works.WORKS[cold[1]]())()
    else:
        with contextlib.suppress(KeyboardInterrupt): serve(peer)
