"""Times every peer on every work, and writes what it finds as one JSON file.

Every (peer, number of threads) is a process of its own, see worker.py. A repetition is one run of
each peer, one after the other, and each repetition begins with another; a ratio is the median over
the repetitions of time over time of the same repetition, so that a machine that slows down for a
while slows both. No time is believed before final weights and losses agree with `descent.train`.
"""
import argparse
import contextlib
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import peers
import works

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS, TRIAL = ROOT/'backprop_book'/'measured.json', ROOT/'_build'/'bench-trial.json'
NOTEBOOK = ROOT/'nbs'/'14_a_step_as_a_list.ipynb'
SWEEP = ['tape', 'numpy', 'compiled', 'torch', 'jax_step', 'jax_scan', 'products',
         'products_torch']
NEAR = ['sklearn', 'sklearn_partial', 'tape', 'numpy', 'written_out', 'written_out_numba',
        'compiled']
NOT_LARGE = {'notebook', 'written_out', 'written_out_numba', 'compiled', 'c', 'c_fast', 'dispatch'}
COLD = [('A', p) for p in ('tape', 'numpy', 'compiled', 'sklearn', 'jax_scan', 'jax_step', 'torch')] + [
    ('M', p) for p in ('tape', 'written_out', 'written_out_numba', 'jax_scan', 'torch')]
# {over: peers}: the ratios to write, time of each peer over time of `over`
OVER = {'tape': list(peers.PEERS), 'written_out': list(peers.PEERS),
        'written_out_numba': list(peers.PEERS), 'compiled': list(peers.PEERS),
        'c': ['tape', 'written_out', 'written_out_numba', 'compiled', 'jax_scan'],
        'c_fast': ['tape', 'written_out', 'written_out_numba', 'compiled', 'jax_scan'],
        'products': ['tape', 'numpy', 'descent', 'sklearn', 'jax_step', 'jax_scan', 'autograd'],
        'products_torch': ['torch', 'torch_hand', 'torch_compiled', 'products'],
        'dispatch': ['tape']}
NOTES = [
    'A work is its updates and the loss on all rows before the first epoch and after each one; '
    'where an epoch is one update, the next update\'s forward pass gives that loss.',
    'Imports, compilation and data already on the device are outside the timed run, and a first '
    'run is not timed; the cold rows time a fresh process, imports and compilation included.',
    'sklearn is one fit over all epochs: it returns no loss on all rows and is let off it. '
    'sklearn_partial is one partial_fit a batch and one predict an epoch, for that loss. Both sum '
    'the losses of the batches and square the weights for a penalty of 0, and have no fold, and no '
    'sigmoid output under the squared error: B-relu and M-linear are the nearest works they can do.',
    'torch multiplies by MKL, numpy and sklearn by OpenBLAS, jax by its own code: products and '
    'products_torch are the bare products of two of them, same shapes and count, random numbers.',
    'c is hand.c as it stands, c_fast the same with layers unrolled and -ffast-math.',
    'seconds_per_step holds the median, low and high the quartiles, times every repetition; error '
    'is how far the final weights lie from those of descent.train, over the way that they went, '
    'both in double precision.',
]


def say(*words): print(*words, file=sys.stderr, flush=True)


# ------------------------------------------------------------------ workers

def environment(threads):
    "The variables that hold every library of the peers to so many threads"
    n = str(threads)
    path = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
    one = {'XLA_FLAGS': '--xla_cpu_multi_thread_eigen=false'} if threads == 1 else {}
    return {**os.environ, **one, 'OMP_NUM_THREADS': n, 'OPENBLAS_NUM_THREADS': n,
            'MKL_NUM_THREADS': n, 'NUMBA_NUM_THREADS': n, 'NPROC': n, 'PYTHONPATH': path,
            'JAX_PLATFORMS': 'cpu', 'TQDM_DISABLE': '1', 'PYTHONHASHSEED': '0'}


class Failed(Exception):
    "A worker could not do what it was told; the message says why"


class Worker:
    "One peer in a process of its own"
    def __init__(self, peer, threads):
        self.peer, self.threads = peer, threads
        command = [sys.executable, str(HERE/'worker.py'), peer]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True,
                                        env=environment(threads))

    def ask(self, do, **command):
        try:
            print(json.dumps({'do': do, **command}), file=self.process.stdin, flush=True)
            answer = json.loads(self.process.stdout.readline() or '{"failed": "it died"}')
        except BrokenPipeError: answer = {'failed': 'it died'}
        if 'failed' in answer: raise Failed(answer['failed'])
        return answer['found']

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Pool:
    "The workers of one number of threads, made when first asked for"
    def __init__(self, threads, folder):
        self.threads, self.folder, self.workers = threads, Path(folder), {}

    def worker(self, peer):
        if peer not in self.workers: self.workers[peer] = Worker(peer, self.threads)
        return self.workers[peer]

    def reference(self, work):
        "Where the weights of `descent.train` are: computed once a work"
        path = self.folder/f'{work}.npz'
        if not path.exists(): self.worker('descent').ask('reference', work=work, path=str(path))
        return str(path)

    def prepare(self, work, names):
        "[(worker, what it found)] of the peers that can do the work, and why the others cannot"
        reference = self.reference(work)

        def one(peer):
            try: found = self.worker(peer).ask('prepare', work=work, reference=reference)
            except Failed as e: return peer, None, private(str(e))
            errors = [found[k] for k in ('error', 'loss_error') if k in found]
            if any(not e <= works.TOLERANCE for e in errors):
                return peer, None, f'differs from descent.train by {max(errors):.1g}'
            return peer, found, None
        with ThreadPoolExecutor(os.cpu_count()) as threads: tried = list(threads.map(one, names))
        ready = [(self.worker(peer), found) for peer, found, _ in tried if found is not None]
        why = [dict(work=work, threads=self.threads, peer=peer, reason=reason)
               for peer, _, reason in tried if reason]
        return ready, why

    def close(self):
        for worker in self.workers.values(): worker.close()


def private(text):
    "A message without paths of this machine"
    return re.sub(r'(?:/[\w.+-]+){2,}/?', '...', text)[:200]


# ------------------------------------------------------------------ times

def interleaved(takers, repetitions, pause=0.05):
    "{name: [seconds, ...]}: all once a repetition, each repetition beginning with another"
    names, times = list(takers), {name: [] for name in takers}
    for r in range(repetitions):
        first = r % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(pause)      # lets the threads of the one before fall asleep
            times[name].append(takers[name]())
    return times


def digits(x): return float(f'{x:.4g}')


def quartiles(values):
    "Lower quartile, median, upper quartile"
    if len(values) == 1: return values*3
    return statistics.quantiles(values, n=4, method='inclusive')


def summary(values, key):
    low, median, high = map(digits, quartiles(values))
    return {key: median, 'low': low, 'high': high}


def ratio(a, b, key='median'):
    "Median and quartiles of the ratios, repetition by repetition"
    return summary([x/y for x, y in zip(a, b, strict=True)], key)


def measure(pool, work, names, repetitions):
    "Every peer on one work: {peer: [seconds a step, ...]}, what each found, and who could not"
    ready, missing = pool.prepare(work, names)
    for row in missing: say(f"    {row['peer']}: {row['reason']}")
    if not ready: return {}, {}, missing
    steps = works.WORKS[work]().steps
    times = interleaved({w.peer: lambda w=w: w.ask('time') for w, _ in ready}, repetitions)
    for worker, _ in ready: worker.ask('forget')
    times = {peer: [digits(t/steps) for t in seconds] for peer, seconds in times.items()}
    for peer, seconds in times.items():
        say(f'    {peer:18}{statistics.median(seconds)*1e6:12.2f} us a step')
    return times, {w.peer: found for w, found in ready}, missing


def all_ratios(times):
    return [dict(peer=peer, over=base, **ratio(times[peer], times[base]))
            for base, over in OVER.items() if base in times
            for peer in over if peer in times and peer != base]


# ------------------------------------------------------------------ the sections of the results

def bench_works(pool, names, wanted, repetitions, out):
    for work in names:
        say(f'{work}, {pool.threads} thread(s)')
        possible = [p for p in wanted if work not in works.NEAR or p in NEAR]
        if work in works.LARGE: possible = [p for p in possible if p not in NOT_LARGE]
        times, found, missing = measure(pool, work, possible, repetitions)
        here, steps = dict(work=work, threads=pool.threads), works.WORKS[work]().steps
        for peer, t in times.items():
            row = dict(**here, peer=peer, steps=steps, **summary(t, 'seconds_per_step'), times=t)
            error = {k: float(f'{v:.1g}') for k, v in found[peer].items()}
            out['limits' if peer in peers.LIMITS else 'runs'].append({**row, **error})
        out['ratios'] += [dict(**here, **row) for row in all_ratios(times)]
        out['unavailable'] += missing


def bench_sweep(pool, key, names, wanted, repetitions, out):
    "Widths or depths: each peer's time, and its ratio to that of tape"
    for work in names:
        say(work)
        chosen = [p for p in SWEEP if p in wanted]
        times, _, missing = measure(pool, work, chosen, repetitions)
        for peer, t in times.items():
            row = {key: int(work.split('-')[1]), 'peer': peer, 'threads': pool.threads,
                   'steps': works.WORKS[work]().steps, **summary(t, 'seconds_per_step')}
            if 'tape' in times: row['over_tape'] = ratio(t, times['tape'])['median']
            out[f'{key}s'].append(row)
        out['unavailable'] += missing
        Path(pool.reference(work)).unlink()      # of the widest, 200 MB


def cold_seconds(work, peer):
    "From the start of a fresh process to its end: import, compile, train"
    command = [sys.executable, str(HERE/'worker.py'), peer, '--cold', work]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment(1))
    return time.perf_counter() - start


def bench_cold(wanted, repetitions, out):
    say('cold processes')
    for work in dict.fromkeys(w for w, _ in COLD):
        takers = {}
        for peer in [p for w, p in COLD if w == work and p in wanted]:
            with contextlib.suppress(subprocess.CalledProcessError):    # it is not installed
                cold_seconds(work, peer)                                # fills the disk's cache
                takers[peer] = lambda peer=peer: cold_seconds(work, peer)
        if not takers: continue
        times = interleaved(takers, repetitions)
        for peer, t in times.items():
            row = dict(work=work, peer=peer, **summary(t, 'seconds'))
            if 'tape' in times: row['over_tape'] = ratio(t, times['tape'])['median']
            out['cold'].append(row)
            say(f"    {work} {peer:18}{row['seconds']:8.2f} s")


def bench_ladder(pool, repetitions, out):
    say('ladder')
    if not NOTEBOOK.exists(): return say(f'    {NOTEBOOK.name} does not exist yet')
    try: stages = pool.worker('tape').ask('ladder', notebook=str(NOTEBOOK), repetitions=repetitions)
    except Failed as e: return say(f'    {NOTEBOOK.name}: {e}')
    before = stages[0][1]
    for name, t in stages:
        row = dict(work='A', name=name, **summary(t, 'seconds_per_step'))
        out['ladder'].append(dict(**row, gain=ratio(before, t)['median']))
        say(f"    {name:24}{row['seconds_per_step']*1e6:8.2f} us, {out['ladder'][-1]['gain']}")
        before = t


# ------------------------------------------------------------------ machine and file

def cpu():
    "The processor's name, as far as the system tells"
    info = Path('/proc/cpuinfo')
    found = re.search(r'model name\s*: (.*)', info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def caches():
    "{'L1d': '32K', ...} of the first core"
    folders = sorted(Path('/sys/devices/system/cpu/cpu0/cache').glob('index*'))
    kinds = {'Data': 'd', 'Instruction': 'i', 'Unified': ''}
    def read(folder, name): return (folder/name).read_text().strip()
    return {f"L{read(f, 'level')}{kinds[read(f, 'type')]}": read(f, 'size') for f in folders}


def first_line(*command):
    try: return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, IndexError): return None


def versions():
    "Of Python, the packages, NumPy's BLAS, the C compiler"
    names = ['numpy', 'numba', 'scikit-learn', 'scipy', 'torch', 'jax', 'jaxlib', 'autograd']
    found = {'python': platform.python_version(), 'c': first_line('cc', '--version'),
             'c_flags': ' '.join(peers.C_FLAGS)}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    with contextlib.suppress(ImportError): found['blas'] = blas()
    with contextlib.suppress(ImportError): found['torch_blas'] = torch_blas()
    return {name: version for name, version in sorted(found.items()) if version}


def blas():
    import threadpoolctl
    lines = [f"{i['internal_api']} {i['version']} {i.get('architecture', '')}".strip()
             for i in threadpoolctl.threadpool_info() if i['user_api'] == 'blas']
    return ', '.join(sorted(set(lines))) or 'not known'


def torch_blas():
    code = 'import torch; print(torch.__config__.show())'
    config = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout
    found = re.search(r'Math Kernel Library Version (\S+)', config)
    return f'MKL {found[1]}' if found else None


def machine():
    return dict(cpu=cpu(), cores=os.cpu_count(), cache=caches(),
                os=f'{platform.system()} {platform.machine()}')


def as_text(results):
    "JSON with one row a line, so that a change is seen as the rows that changed"
    def value(v):
        if not isinstance(v, list) or not v: return json.dumps(v, sort_keys=True)
        return '[\n' + ',\n'.join(f'  {json.dumps(row, sort_keys=True)}' for row in v) + ']'
    lines = [f' {json.dumps(k)}: {value(results[k])}' for k in sorted(results)]
    return '{\n' + ',\n'.join(lines) + '\n}\n'


def write(results, path):
    "The whole file or none of it"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.part')
    try:
        part.write_text(as_text(results))
        os.replace(part, path)
    finally: part.unlink(missing_ok=True)


# ------------------------------------------------------------------ the command

def options(words=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='A whole run takes about 55 minutes on two cores that do nothing else; leave the '
               'machine alone meanwhile.\n`make bench` makes the environment and runs it whole. '
               'A trial: run.py --quick --works A B --peers tape numpy torch')
    every = [*works.SMALL, *works.NEAR, *works.LARGE]
    parser.add_argument('--works', nargs='+', choices=every, metavar='WORK',
                        help='of ' + ' '.join(every))
    parser.add_argument('--peers', nargs='+', choices=list(peers.PEERS), metavar='PEER',
                        default=list(peers.PEERS), help='of ' + ' '.join(peers.PEERS))
    parser.add_argument('--sections', nargs='+', choices=SECTIONS, metavar='SECTION',
                        default=SECTIONS,
                        help='of ' + ' '.join(SECTIONS) + '; all, unless works are named')
    parser.add_argument('--repetitions', type=int, default=7, metavar='N',
                        help='runs of each peer (7); widths, depths and cold processes get half, '
                             '3 or more, the ladder 15 times as many')
    parser.add_argument('--quick', action='store_true', help='--repetitions 2, for a trial')
    parser.add_argument('--output', type=Path, metavar='FILE',
                        help='backprop_book/measured.json; of a quick or a partial run, '
                             '_build/bench-trial.json')
    given = parser.parse_args(words)
    if given.works: given.sections = ['works']
    if given.quick: given.repetitions = 2
    if given.repetitions < 1: parser.error('--repetitions must be 1 or more')
    whole = not (given.quick or given.works) and len(given.peers) == len(peers.PEERS)
    whole = whole and given.sections == SECTIONS
    given.output = given.output or (RESULTS if whole else TRIAL)
    return given


SECTIONS = ['works', 'widths', 'depths', 'cold', 'ladder']


def bench(given, folder):
    "All that was asked for, as the results"
    sections = ['cold', 'depths', 'ladder', 'limits', 'ratios', 'runs', 'unavailable', 'widths']
    out = {key: [] for key in sections}
    chosen = given.works or [*works.SMALL, *works.NEAR, *works.LARGE]
    few = max(3, given.repetitions//2)
    with contextlib.ExitStack() as stack:
        one, two = [Pool(threads, folder) for threads in (1, 2)]
        for pool in (one, two): stack.callback(pool.close)
        if 'ladder' in given.sections: bench_ladder(one, 15*given.repetitions, out)  # short runs
        if 'cold' in given.sections: bench_cold(given.peers, few, out)
        if 'works' in given.sections:
            bench_works(one, chosen, given.peers, given.repetitions, out)
            large = [work for work in chosen if work in works.LARGE]
            bench_works(two, large, given.peers, given.repetitions, out)
        for key, names in [('width', works.WIDE), ('depth', works.DEEP)]:
            if f'{key}s' in given.sections: bench_sweep(one, key, names, given.peers, few, out)
    sizes = [works.WORKS[work]().sizes() for work in chosen]
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    return dict(out, version=1, date=date, machine=machine(), versions=versions(), notes=NOTES,
                repetitions=given.repetitions, sizes=sizes)


def main():
    given, start = options(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder: results = bench(given, folder)
    write(results, given.output)
    say(f'{time.perf_counter() - start:.0f} s; written to {given.output}')


if __name__ == '__main__': main()
