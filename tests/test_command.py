"""The command: what it prints, what it refuses and how, and that it leaves files alone."""
import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib

import pytest
from conftest import SOON, sampled
from hostile_command import commands

import backprop_book.__main__ as command
from backprop_book import __version__, words
from backprop_book.__main__ import EXAMPLE, LIMITS, main
from backprop_book.explain import SCHEMA, explain
from backprop_book.places import deepest, key_lines, line_of, most_points, twice
from backprop_book.worksheet import worksheet

JSON = json.dumps(tomllib.loads(EXAMPLE), indent=1)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('COLUMNS', '80')
    (tmp_path/'net.toml').write_text(EXAMPLE, encoding='utf-8')
    (tmp_path/'net.json').write_text(JSON, encoding='utf-8')


@pytest.fixture
def run(capsys):
    def call(*args):
        status = main(list(args))
        out, err = capsys.readouterr()
        return status, out, err
    return call


def test_the_famous_network(run):
    status, out, err = run('explain', 'net.toml')
    assert (status, err) == (0, '')
    for figure in ('0.593269992', '0.75136507', '0.298371109', '0.35891648', '0.149780716',
                   '0.291027774'): assert figure in out
    assert run('explain', 'net.json') == (status, out, err)


def test_it_says_what_python_says(run):
    net, X, Y = command._network(command._Options(), tomllib.loads(EXAMPLE))
    told, sheet = explain(net, X, Y, biases='frozen'), worksheet(7)
    for kind in ('markdown', 'latex', 'html', 'json'):
        said = run('explain', 'net.toml', '--format', kind)[1]
        assert said == getattr(told, kind)().rstrip('\n') + '\n'
    for kind in ('markdown', 'latex', 'html'):
        said = run('worksheet', '7', '--part', 'sheet', '--format', kind)[1]
        assert said == getattr(sheet, kind)('sheet').rstrip('\n') + '\n'
    assert json.loads(run('schema')[1]) == json.loads(json.dumps(SCHEMA))


def test_examples_can_be_explained(run, tmp_path):
    for kind in ('toml', 'json'):
        (tmp_path/f'mine.{kind}').write_text(run('explain', '--example', kind)[1])
        assert run('explain', f'mine.{kind}')[0] == 0
    assert run('explain', '--example')[1] == EXAMPLE


def test_options_stand_for_a_file_and_in_its_place(run):
    layers = ['--layer', '0.15 0.25; 1/5 0.30 | .35 .35 | sigmoid', '--layer', '0.4 0.5; 0.45, 0.55 | .6 .6 | sigmoid']
    by_options = run('explain', '--inputs', '0.05', '0.1', '--targets', '0.01', '0.99', '--biases', 'frozen', *layers)
    assert by_options == run('explain', 'net.toml')
    assert '0.291\n' in run('explain', 'net.toml', '--digits', '3')[1]
    assert run('explain', 'net.toml', '--updates', '2')[1].count('= 0.29102777') == 1
    assert 'Optimizer: sgd(0.1)' in run('explain', 'net.toml', '--lr', '0.1')[1]
    assert run('explain', '--inputs', '-0.5 1; 2 -3', '--targets', '1; 0', '--layer', '0.5; -0.5 | 0',
               '--exact')[0] == 0


def test_a_formula_of_the_readers_own(run, tmp_path):
    (tmp_path/'own.toml').write_text(EXAMPLE.replace('"sigmoid"', '"1/(1 + exp(-z))"'))
    assert run('explain', 'own.toml')[1].count('0.291027774') == 1


@pytest.mark.parametrize('formula', [
    '__import__("os").system("touch hacked # z")', 'open("z")', 'z.__class__', '[z for z in (1,)]', 'z if z else 1',
    'lambda z: z', '"z"', 'eval(z)', 'z := 1', 'z; import os', 'z +', 'log'])
def test_formulas_that_are_not_run(run, tmp_path, formula):
    (tmp_path/'own.json').write_text(JSON.replace('"sigmoid"', json.dumps(formula), 1))
    status, out, err = run('explain', 'own.json')
    assert status == 2 and not out and re.match(r'backprop_book: own.json, line \d+: ', err) and err.count('\n') == 1
    assert not (tmp_path/'hacked').exists()


# what is changed in the example -> the line that is named, and a part of what is said
BAD_TOML = [
    ('inputs  =', 'inpts  =', 2, "unknown key 'inpts'; did you mean 'inputs'?"),
    ('[0.05, 0.10] ', '[0.05 0.10] ', 2, 'TOML wants key = value'),
    ('"squared_error"', 'squared_error', 4, 'text in quotes'),
    ('"squared_error"', '"sqared_error"', 4, "did you mean 'squared_error'?"),
    ('lr      = 0.5', 'lr      = "0.5"', 5, "lr: give a number, with a point, without quotes, not '0.5'"),
    ('lr      = 0.5', 'lr      = -0.5', 5, 'lr must be positive'),
    ('lr      = 0.5', 'lr      = 0.5\noptimizer = "adam(0.1)"', 5, 'a learning rate of its own'),
    ('lr      = 0.5', 'optimizer = "adm(0.1)"', 5, "did you mean 'adam'?"),
    ('lr      = 0.5', 'optimizer = "adam(0.1, gamma=2)"', 5, 'gamma'),
    ('updates = 1', 'updates = 1.5', 6, 'updates: give a whole number'),
    ('updates = 1', 'updates = -1', 6, 'updates must be'),
    ('updates = 1', 'updates = true', 6, 'updates: give a whole number'),
    ('updates = 1', 'updates = 1\nupdates = 2', 7, 'overwrite'),
    ('"frozen"', '"forzen"', 7, "did you mean 'frozen'?"),
    ('"frozen"', '"absent"', 7, "biases='absent' wants zeros"),
    ('"flat"', '"w"', 8, 'choose from flat, layered'),
    ('digits  = 9', 'digits  = 99', 9, 'digits must be'),
    ('digits  = 9', 'only = ["h3"]', 9, 'only names h3'),
    ('digits  = 9', 'only = "h1"', 9, 'only: give a list of names'),
    ('digits  = 9', 'exact = true', 9, 'exact=True'),
    ('digits  = 9', 'exact = 1', 9, 'exact: give true or false'),
    ('[[0.15, 0.25],', '[[0.15, 0.25], [1, 1],', 12, 'weights of layer 1: 3 rows, but 2 numbers come in'),
    ('[[0.15, 0.25],', '[[0.15],', 12, 'weights of layer 1 is ragged'),
    ('[[0.15, 0.25],', '[["a", 0.25],', 12, "weights of layer 1 holds 'a', which is no number"),
    ('[[0.40, 0.50],', '[[0.40, nan],', 18, 'weights of layer 2[0, 1] is nan'),
    ('[0.60, 0.60]', '[0.60]', 20, 'biases of layer 2: 1, but the layer has 2 neurons'),
    ('transfer = "sigmoid"        #', 'transfre = "sigmoid"        #', 15,
     "unknown key 'transfre' in layer 1; did you mean 'transfer'?"),
    ('[0.01, 0.99]', '[0.01]', 3, 'targets: 1 number a row, the last layer has 2 neurons'),
    ('[0.01, 0.99]', '[[0.01, 0.99], [1, 1]]', 3, 'targets: 2 rows, inputs: 1 row'),
    ('[0.01, 0.99]', '"0.01"', 3, 'give numbers, without quotes'),
    ('[0.05, 0.10]', '[]', 2, 'inputs has shape'),
]


@pytest.mark.parametrize('old, new, line, said', BAD_TOML, ids=[new for _, new, *_ in BAD_TOML])
def test_a_bad_file_is_told_the_line_and_the_cure(run, tmp_path, old, new, line, said):
    assert old in EXAMPLE
    (tmp_path/'bad.toml').write_text(EXAMPLE.replace(old, new, 1), encoding='utf-8')
    status, out, err = run('explain', 'bad.toml')
    assert (status, out, err.count('\n')) == (2, '', 1) and said in err
    assert err.startswith(f'backprop_book: bad.toml, line {line}: ')


BAD_JSON = [
    ('"inputs"', '"inpts"', "unknown key 'inpts'"), ('"lr": 0.5,', '"lr": 0.5', 'JSON wants'),
    ('"lr": 0.5', '"lr": NaN', 'NaN is no number'), ('"lr": 0.5', '"lr": 0.5, "lr": 1', "'lr' stands there twice"),
    ('"digits": 9', '"digits": 0', 'digits must be'),
    ('"biases": "frozen"', '"biases": "frosen"', "did you mean 'frozen'?"),
    ('"transfer": "sigmoid"', '"transfer": "sgmoid"', "did you mean 'sigmoid'?"),
    ('"transfer": "sigmoid"', '"tranfer": "sigmoid"', "did you mean 'transfer'?")]


@pytest.mark.parametrize('old, new, said', BAD_JSON, ids=[new for _, new, _ in BAD_JSON])
def test_a_bad_json_file_too(run, tmp_path, old, new, said):
    text = JSON.replace(old, new, 1)
    (tmp_path/'bad.json').write_text(text)
    status, _, err = run('explain', 'bad.json')
    line = int(re.match(r'backprop_book: bad.json, line (\d+): ', err)[1])
    assert status == 2 and said in err
    first = next(i for i, (a, b) in enumerate(zip(JSON.split('\n'), text.split('\n')), 1) if a != b)
    assert line in (first, first + 1)   # a missing comma is noticed on the next line


def test_the_second_layers_line_in_json(run, tmp_path):
    text = JSON[::-1].replace('"diomgis"'[::1], '"diomgs"', 1)[::-1]   # the last one
    (tmp_path/'bad.json').write_text(text)
    last = max(i for i, l in enumerate(text.split('\n'), 1) if 'transfer' in l)
    assert f'line {last}: ' in run('explain', 'bad.json')[2]


@pytest.mark.parametrize('content, said', [
    (EXAMPLE.encode('utf-16'), 'UTF-16: save it as UTF-8'),
    ('# M\xfcller\n'.encode('latin-1') + EXAMPLE.encode(), 'line 1: a byte that is not UTF-8'),
    (b'', 'inputs is missing'), (b'[[layers]]\nweights = [[1]]\n', 'inputs is missing'),
    (b'inputs = [1]\ntargets = [1]\n', 'layers is missing'),
    (b'inputs = [1]\ntargets = [1]\nlayers = 3\n', 'line 3: layers must be a list'),
    (b'inputs = [1]\ntargets = [1]\n[[layers]]\nbiases = [1]\n', 'layer 1 has no weights'),
    (b'inputs = [1]\ntargets = [1]\n[[layers]]\nweights = [[1]]\n', 'line 3: layer 1 has no biases')])
def test_other_files_that_do_not_fit(run, tmp_path, content, said):
    (tmp_path/'bad.toml').write_bytes(content)
    status, out, err = run('explain', 'bad.toml')
    assert (status, out) == (2, '') and said in err and 'bad.toml' in err


def test_files_that_do(run, tmp_path):
    for content in (b'\xef\xbb\xbf' + EXAMPLE.encode(), EXAMPLE.replace('\n', '\r\n').encode()):
        (tmp_path/'good.toml').write_bytes(content)
        assert run('explain', 'good.toml') == run('explain', 'net.toml')


@pytest.mark.parametrize('args, said', [
    (['explain'], 'explain what?'), (['explain', 'nothing.toml'], 'nothing.toml: cannot be read'),
    (['explain', '.'], 'cannot be read'),
    (['explain', '--inputs', 'a', '--targets', '1', '--layer', '1'], "'a' is no list of numbers"),
    (['explain', '--inputs', '1', '--targets', '1', '--layer', '1 | 2 | tanh | 3'], 'three parts at most'),
    (['explain', '--inputs', '1', '--targets', '1', '--layer', '1 | 0 | tnh'], "did you mean 'tanh'?"),
    (['explain', '--inputs', '1', '--targets', '1'], 'layers is missing'),
    (['explain', 'net.toml', '-o', 'out.doc'], 'the end of the name says the format'),
    (['explain', 'net.toml', '-o', 'no/out.md'], 'cannot be written'),
    (['explain', 'net.toml', '--digits', '99'], 'digits must be'),
    (['explain', 'net.toml', '--loss', 'squared'], 'squared_error'),
    (['worksheet', '7', '--blanks', 'detlas'], "did you mean 'deltas'?"),
    (['worksheet', '7', '--widths', '2'], 'widths'),
    (['worksheet', '7', '--transfer', 'relo'], "did you mean 'relu'?"),
    (['worksheet', '7', '--digits', '1'], 'digits must be'), (['worksheet', '-1'], ''),
    (['worksheet', 'seven'], ''), (['mark', 'nothing.toml'], 'cannot be read'),
    (['mark', 'net.toml'], 'does not say which sheet'), (['explian'], ''), ([], ''),
    (['explain', '--nonsense'], ''), (['explain', 'net.toml', '--format', 'pdf'], '')])
def test_what_can_be_mended_has_status_2_and_no_traceback(run, args, said):
    status, out, err = run(*args)
    assert (status, out) == (2, '') and said in err and 'Traceback' not in err and err


def test_large_networks_are_asked_what_to_work_out(run, tmp_path):
    layers = [dict(weights=[[.1]*8]*8, biases=[0]*8, transfer='tanh')]
    (tmp_path/'large.json').write_text(json.dumps(dict(inputs=[.1]*8, targets=[.1]*8, layers=layers)))
    assert 'say which neurons or weights' in run('explain', 'large.json')[2]
    assert run('explain', 'large.json', '--only', 'o1')[0] == 0


def test_nothing_is_overwritten_without_force(run, tmp_path):
    for args in (['explain', 'net.toml'], ['worksheet', '7']):
        for name in ('out.md', 'out.tex', 'out.html'):
            (tmp_path/name).write_text('mine')
            status, _, err = run(*args, '-o', name)
            assert status == 2 and f'{name} exists, and was left as it is' in err and '--force' in err
            assert (tmp_path/name).read_text() == 'mine'
            assert run(*args, '-o', name, '--force')[0] == 0 and (tmp_path/name).read_text() != 'mine'
    (tmp_path/'form.toml').write_text('mine')
    assert run('worksheet', '7', '--form', 'form.toml')[0] == 2 and (tmp_path/'form.toml').read_text() == 'mine'


def test_a_form_is_filled_in_and_marked(run, tmp_path):
    assert run('worksheet', '7', '--widths', '2', '2', '2', '--transfer', 'tanh', 'identity', '--form', 'form.toml',
               '--blanks', 'deltas')[:2] == (0, '')
    sheet = worksheet(7, (2, 2, 2), [command.read_transfer('tanh'), command.read_transfer('identity')], 'deltas')
    form = (tmp_path/'form.toml').read_text()
    empty = run('mark', 'form.toml')
    assert empty[0] == 0 and empty[1].startswith(f'0 of {len(sheet.blanks)} points')
    for k, value in enumerate(sheet.blanks.values(), 1): form = form.replace(f'\n{k} = ""', f'\n{k} = "{value}"')
    (tmp_path/'filled.toml').write_text(form)
    assert run('mark', 'filled.toml')[1].startswith(f'{len(sheet.blanks)} of {len(sheet.blanks)} points')
    (tmp_path/'bad.toml').write_text(form.replace('2 = "', '2 = "about '))
    status, _, err = run('mark', 'bad.toml')
    assert status == 2 and err.startswith('backprop_book: bad.toml, line 4: answers: box 2 (') and 'is no number' in err
    (tmp_path/'bad.toml').write_text(form.replace('rows = 1', 'rows = 99'))
    line = next(i for i, l in enumerate(form.split('\n'), 1) if l.startswith('rows'))
    assert run('mark', 'bad.toml')[2].startswith(f'backprop_book: bad.toml, line {line}: rows must be')
    (tmp_path/'bad.toml').write_text(form.replace('rows = 1', 'rwos = 1'))
    said = f"backprop_book: bad.toml, line {line}: unknown key 'rwos'; did you mean 'rows'?"
    assert run('mark', 'bad.toml')[2].startswith(said)


def test_answers_without_a_form(run, tmp_path):
    (tmp_path/'a.json').write_text('{"1": "1,15", "a_h1": 0.76}')
    out = run('mark', 'a.json', '--seed', '7')[1]
    assert out.startswith('2 of 33 points') and 'was read as 1.15' in out
    (tmp_path/'a.json').write_text('{"1": 1,\n "z_h7": 2}')
    err = refused(run, 'mark', 'a.json', '--seed', '7')
    assert err.startswith("a.json, line 2: answers: the sheet has no box 'z_h7'")
    assert run('mark', 'a.json', '--seed', '7', '-o', 'm.md')[0] == 2


def test_help_is_help(run):
    for args, said in {(): ('explain', 'worksheet', 'mark', 'schema', 'examples:', 'Exit status'),
                        ('explain',): ('--layer', 'rows of weights | biases | transfer', '--force', 'examples:'),
                        ('worksheet',): ('--blanks', 'forward, loss, deltas', '--form', 'examples:'),
                        ('mark',): ('--seed', 'misconception')}.items():
        status, out, err = run(*args, '--help')
        assert (status, err) == (0, '') and all(word in out for word in said) and max(map(len, out.split('\n'))) <= 100


def test_the_examples_in_the_help_work(run, capsys):
    for text in (command._START, command._EXPLAIN_MORE, command._WORKSHEET_MORE):
        for line in re.findall(r'python -m backprop_book (.*)', text.replace('\\\n', '')):
            args = re.sub(r'   .*', '', re.sub(r'>.*', '', re.sub(r'\s{2,}--layer', ' --layer', line)))
            status, _, err = run(*shlex.split(args))
            assert status == 0 or 'answers.toml: cannot be read' in err or 'exists' in err, (line, err)


def python(*args, **kwargs):
    return subprocess.run([sys.executable, '-m', 'backprop_book', *args], capture_output=True, **kwargs)


def test_standard_input(run):
    "The command as one calls it, by itself"
    out = python('explain', '-', input=EXAMPLE.encode())
    assert (out.returncode, out.stdout.decode(), out.stderr) == (*run('explain', 'net.toml')[:2], b'')


@pytest.mark.skipif(os.name == 'nt', reason='POSIX only')
def test_ctrl_c_is_quiet(monkeypatch, capsys):
    def interrupted(*args, **kwargs): raise KeyboardInterrupt
    monkeypatch.setattr(command, 'explain', interrupted)
    assert main(['explain', 'net.toml']) == 130 and capsys.readouterr() == ('', '')


def refused(run, *args):
    "The one line with which the command refuses"
    status, out, err = run(*args)
    assert (status, out) == (2, '') and err.count('\n') == 1 and err.startswith('backprop_book: '), (args, status, err)
    assert 'here the book is wrong' not in err, err
    return err.removeprefix('backprop_book: ')


# Lines, found by the path of a key

HAIRY = '''# [a] inputs = 1
inputs = [1, # "weights"
  2]
"quoted key" = "a # b = c ["
a.b . "c.d" = 1
text = """
inputs = 2
\\""" quotes, and [[layers]] """
raw = \'\'\'
loss = \'\'\'
when = 1979-05-27 07:32:00
point = {x = 1, y = {z = [1,
  {w = 2}]}}
[[layers]]
weights = [[1,
  2],
 [3, 4]]
[layers.inner]
k = 1
[[layers]]
weights = 1
[[layers.deep]]
k = 2
[[layers.deep]]
k = 3
[other."x y"]
loss = 4
'''
PATHS = {
    ('inputs',): 2, ('inputs', 0): 2, ('inputs', 1): 3, ('quoted key',): 4, ('a', 'b', 'c.d'): 5, ('text',): 6,
    ('raw',): 9, ('when',): 11, ('point', 'x'): 12, ('point', 'y', 'z', 1, 'w'): 13, ('layers', 0): 14,
    ('layers', 0, 'weights'): 15, ('layers', 0, 'weights', 0, 1): 16, ('layers', 0, 'weights', 1): 17,
    ('layers', 0, 'inner', 'k'): 19, ('layers', 1, 'weights'): 21, ('layers', 1, 'deep', 0, 'k'): 23,
    ('layers', 1, 'deep', 1, 'k'): 25, ('other', 'x y', 'loss'): 27}


def test_each_key_has_its_line():
    tomllib.loads(HAIRY)
    lines = key_lines(HAIRY, False)
    assert {path: lines.get(path) for path in PATHS} == PATHS
    assert line_of(lines, 'layers', 1, 'transfer') == 20 and line_of(lines, 'loss') is None   # none of its own
    assert (deepest(HAIRY), most_points(HAIRY)) == (4, 2)


def some_data(rng, names, depth=0):
    "Nested dicts and lists in which each key stands once"
    kind = rng.random()
    if depth > 3 or kind < 0.3: return rng.choice([1, -2.5e-7, True, None, 'a "quoted": [text], {', '\\', ''])
    if kind < 0.6: return [some_data(rng, names, depth + 1) for _ in range(rng.randrange(4))]
    return {next(names): some_data(rng, names, depth + 1) for _ in range(rng.randrange(4))}


def paths_of(data, path=()):
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        if isinstance(data, dict): yield (*path, key)
        yield from paths_of(value, (*path, key))


@pytest.mark.parametrize('indent', [None, 1])
def test_each_key_of_a_json_file_has_its_line(indent):
    for seed in range(200):
        data = {'top': [some_data(random.Random(seed), (f'k\\"{i}' for i in range(10**6)))]}
        text = json.dumps(data, indent=indent)
        lines, rows = key_lines(text, True), text.split('\n')
        def row_of(key): return 1 + next(i for i, row in enumerate(rows) if f'{json.dumps(key)}: ' in row)
        for path in paths_of(data): assert lines.get(path) == row_of(path[-1])


def test_a_key_that_stands_twice():
    text = '{"a": {"b": 1,\n"c": 2,\n"b": 3}, "x":\n [{"b": 1}, {"b": 2}]}'
    assert twice(text, 'b') == 3 and twice(text, 'c') is None


# (file, the line that is to blame): all of these parse, and only explain refuses them
TO_BLAME = [
    ('inputs = [-0.68]\ntargets = [1]\nloss = "squared_error"\n[[layers]]\nweights = [[1]]\n'
     'biases = [0]\ntransfer = "log(z)"', 7),
    ('updates = 1\ninputs = [1]\ntargets = [1]\n[[layers]]\nweights = [[1]]\nbiases = [0]\n'
     '[[layers]]\nweights = [[-1]]\n'
     'biases = [0]\n# lr, digits and loss\ntransfer = "sqrt(z)"', 11),
    ('inputs = [1]\ntargets = [1]\nlr = 1\nlayers = [{weights = [[1]], biases = [0]},\n'
     '{weights = [[0]], biases = [0], "transfer" =\n"1/z"}]', 5),
    ('digits = 5\ninputs = [1]\nexact = true\ntargets = [1]\n[[layers]]\nweights = [[1]]\nbiases = [0]\n'
     'transfer = "exp(z)"', 3),
    ('inputs = [1]\ntargets = [1]\nexact = true\npencil = true\n[[layers]]\nweights = [[1]]\nbiases = [0]', 3),
    ('inputs = [1]\ntargets = [1]\nnames = "flat"\nbiases = "absent"\n[[layers]]\nweights = [[1]]\nbiases = [2]', 4),
    ('inputs = [1]\ntargets = [1]\nnames = "flat"\nonly = ["loss"]\n[[layers]]\nweights = [[1]]\nbiases = [2]', 4)]


@pytest.mark.parametrize('text, line', TO_BLAME, ids=range(len(TO_BLAME)))
def test_the_line_that_is_to_blame(run, tmp_path, text, line):
    (tmp_path/'bad.toml').write_text(text)
    assert refused(run, 'explain', 'bad.toml').startswith(f'bad.toml, line {line}: ')


def test_an_option_is_to_blame_and_not_the_file(run):
    assert refused(run, 'explain', 'net.toml', '--digits', '99').startswith('--digits: digits must be')
    assert refused(run, 'explain', 'net.toml', '--inputs', '1').startswith('net.toml, line 12: weights of layer 1')
    assert refused(run, 'worksheet', '7', '--rows', '99').startswith('--rows: rows must be')


# Words

@pytest.mark.parametrize('kind, read', [('transfer', command.read_transfer), ('loss', command.read_loss)])
def test_every_word_from_elsewhere_leads_to_one_that_is_known(kind, read):
    assert all(read(name).name == name for name in words.KNOWN[kind])
    for alias, advice in words.ALIASES[kind].items():
        offered = re.findall(r"'(.*?)'", advice)
        assert offered or advice.startswith('a file cannot hold it'), alias
        for word in offered: (command.read_loss if word in words.KNOWN['loss'] else read)(word)


def test_every_optimizer_that_is_offered_is_one():
    for advice in words.ALIASES['optimizer'].values():
        for word in re.findall(r"'(.*?)'", advice): command.read_optimizer(word)


@pytest.mark.parametrize('word, said', [
    ('linear', 'identity'), ('logistic', 'sigmoid'), ('Sigmoid', 'sigmoid'), ('nn.ReLU', 'relu'),
    ('max(0,x)', 'relu'), ('sigmoyd', 'sigmoid'), ('softsign', 'z/(1 + abs(z))'), ('Softsing', 'z/(1 + abs(z))'),
    ('gelu', 'z*(1 + erf(z/sqrt(2)))/2'), ('torch.nn.GELU', 'erf(z'), ('SiLU', 'z/(1 + exp(-z))'),
    ('swish', 'z/(1 + exp(-z))'), ('elu', 'Piecewise((z, z > 0), (exp(z) - 1, True))'),
    ('Leaky ReLU', 'leaky_relu(0.01)'), ('softmax', "'softmax_cross_entropy'"), ('softmax', "take 'identity'"),
    ('heaviside', 'its slope is 0'), ('xyz', 'write a formula in z')])
def test_a_transfer_function_by_another_name(run, tmp_path, word, said):
    (tmp_path/'x.toml').write_text(EXAMPLE.replace('"sigmoid"', json.dumps(word)))
    err = refused(run, 'explain', 'x.toml')
    assert err.startswith(f'x.toml, line 15: there is no transfer function {word!r}') and said in err


@pytest.mark.parametrize('word, said', [
    ('bce', "take 'logistic_loss', and identity"), ('binary_cross_entropy', "take 'logistic_loss', and identity"),
    ('nn.BCEWithLogitsLoss', "'logistic_loss'"), ('binary cross-entropy', "'logistic_loss'"),
    ('mse', "take 'squared_error', which has a half"), ('Mean Squared Error', "'squared_error'"),
    ('MSELoss', "'squared_error'"),
    ('cross_entropy', "'softmax_cross_entropy' for classes, 'logistic_loss' for yes and no"),
    ('CrossEntropyLoss', "'softmax_cross_entropy'"),
    ('categorical_crossentropy', "'softmax_cross_entropy', and identity"),
    ('squared_eror', "did you mean 'squared_error'?"), ('mae', 'a file cannot hold it')])
def test_a_loss_by_another_name(run, word, said):
    assert said in refused(run, 'explain', 'net.toml', '--loss', word)


def test_a_formula_of_relu_is_read(run, tmp_path):
    for formula in ('max(0,z)', 'Max(z, 0)'):
        (tmp_path/'x.toml').write_text(EXAMPLE.replace('"sigmoid"', json.dumps(formula)))
        (tmp_path/'relu.toml').write_text(EXAMPLE.replace('"sigmoid"', '"relu"'))
        assert run('explain', 'x.toml')[1].split()[-1] == run('explain', 'relu.toml')[1].split()[-1]


# A decimal comma

ONE = ['--targets', '1', '--layer', '1 | 0 | tanh']


@pytest.mark.parametrize('args', [
    ['--inputs', '0,5', *ONE], ['--inputs', '1 0,5', *ONE],
    ['--inputs', '0.5', '--targets', '0,5', '--layer', '1 | 0'],
    ['--inputs', '1', '--targets', '1', '--layer', '0,5 | 0'],
    ['--inputs', '1', '--targets', '1', '--layer', '1 | 0,5'],
    ['--inputs', '1', '--targets', '1', '--layer', '1 | 0 | leaky_relu(0,5)'],
    ['--inputs', '1', '--targets', '1', '--layer', '1 | 0 | z*0,5'],
    ['--inputs', '1', '--targets', '1', '--layer', '1 | 0 | Max(z, 0,5)'], ['net.toml', '--lr', '0,5'],
    ['net.toml', '--optimizer', 'adam(0,5)'], ['net.toml', '--optimizer', 'momentum(0.1, beta=0,5)']])
def test_a_decimal_comma_is_refused_with_the_cure(run, args):
    err = refused(run, 'explain', *args)
    assert '0,5 can be read in two ways: write a decimal with a point, 0.5' in err


@pytest.mark.parametrize('old, new, line', [
    ('0.05, 0.10]', '"0,05", 0.10]', 2), ('lr      = 0.5', 'lr = "0,5"', 5), ('lr      = 0.5', 'lr = 0,5', 5),
    ('lr      = 0.5', 'optimizer = "adam(0,5)"', 5), ('[0.35, 0.35]', '["0,35", 0.35]', 14), ('0.99]', '"0,99"]', 3)])
def test_a_decimal_comma_in_a_file(run, tmp_path, old, new, line):
    assert old in EXAMPLE
    (tmp_path/'x.toml').write_text(EXAMPLE.replace(old, new, 1))
    err = refused(run, 'explain', 'x.toml')
    assert err.startswith(f'x.toml, line {line}: ') and 'a point' in err


def test_decimal_commas_of_the_other_commands(run, tmp_path):
    (tmp_path/'a.json').write_text('{"1": "1,15"}')
    assert 'was read as 1.15' in run('mark', 'a.json', '--seed', '7')[1]   # a learner's answer is one number
    for args in (['worksheet', '7'], ['mark', 'a.json', '--seed', '7']):
        assert '0,5 can be read in two ways' in refused(run, *args, '--lr', '0,5')
        assert 'leaky_relu(0,5)' in refused(run, *args, '--transfer', 'leaky_relu(0,5)')


def test_a_comma_between_numbers_has_a_space_behind_it(run):
    spaces = run('explain', '--inputs', '0.5', '1', '--targets', '1', '--layer', '1; 2 | 0')
    assert spaces[0] == 0 and run('explain', '--inputs', '0.5, 1', '--targets', '1', '--layer', '1; 2 | 0') == spaces
    assert run('explain', '--inputs', '0.5,', '1', '--targets', '1', '--layer', '1; 2 | 0') == spaces


# Limits

def network_of(layers, **more):
    return dict(inputs=[1], targets=[1], layers=[dict(weights=[[.5]], biases=[0])]*layers, only=['E'], **more)


@pytest.mark.parametrize('content, said', [
    (b'a = 1\n'*40_000, 'more than 200,000 bytes'),
    (b''.join(b'a%d = 1\n' % i for i in range(6000)), '6,000 keys, and at most 5,000'),
    (b''.join(b'a%d = 1\n' % i for i in range(100_000)), 'more than 200,000 bytes'),
    (b'a = ' + b'['*1000 + b']'*1000, 'at most 20 brackets'),
    (b'a = ' + b'{a='*1000 + b'1' + b'}'*1000, 'at most 20 brackets'), (b'['*1000, 'at most 20 brackets'),
    (b'{"a":'*50, 'at most 20 brackets'), (b'.'.join([b'a']*60_000) + b' = 1', 'as many points in a key'),
    (b'"a" . '*30_000 + b'"a" = 1', 'as many points in a key'),
    (b'a = """' + b'['*1000 + b'"""', "unknown key 'a'"), (b'# ' + b'a.'*1000, 'inputs is missing'),
    (b'a = "' + b'\\\\"'*60_000, ''), (b"'"*190_000, ''), (b'a'*190_000, ''), (b'a-'*95_000, ''),
    (b'"""\\'*40_000, ''), (json.dumps(network_of(101)).encode(), '101 layers, and at most 100'),
    (b'lr = ' + b'9'*5000, 'too many digits'),
    (json.dumps({**network_of(1), 'inputs': [10**400]}).encode(), 'inputs holds a number above 1e308'),
    (json.dumps({**network_of(1), 'lr': 10**400}).encode(), ''),
    (json.dumps(network_of(1)).replace('0.5', '1e999999999').encode(), 'is inf'),
    (json.dumps(network_of(1, updates=10**18)).encode(), 'updates must be'),
    (json.dumps({**network_of(1), 'inputs': [1]*1001}).encode(), '1,001 inputs in a row, and at most 1,000'),
    (json.dumps({**network_of(1), 'layers': [dict(weights=[[.5]*1001], biases=[0]*1001)]}).encode(),
     'layer 1 has 1,001 neurons, and at most 1,000')])
@pytest.mark.parametrize('name', ['x.toml', 'x.json', 'x'])
def test_what_is_too_much_is_refused_soon_and_in_words(run, tmp_path, content, said, name):
    if name == 'x.json' and not content.startswith(b'{'): return
    if name == 'x.toml' and content.startswith(b'{'): return
    (tmp_path/name).write_bytes(content)
    start = time.process_time()
    err = refused(run, 'explain', name)
    assert err.startswith(name) and said in err and time.process_time() - start < SOON


def test_numbers_of_options_that_are_too_much(run):
    for number in ('1e999999999', '9'*400, '1/0', 'nan', 'inf', '9'*5000, '1e-999999999/7'):
        start = time.process_time()
        assert 'is no number that can be read' in refused(run, 'explain', '--inputs', number, *ONE)
        assert time.process_time() - start < SOON
    assert 'no whole number of at most 18 digits' in refused(run, 'explain', 'net.toml', '--updates', '9'*5000)


def test_the_help_states_the_limits(run):
    out = run('explain', '--help')[1]
    assert all(f'{most:,}' in out for most in LIMITS.values())


def test_a_message_is_one_line_that_a_terminal_can_show(run, tmp_path):
    for word in ('a\nb', '\x1b[31mred', '\x9b', '\u2028', 'x'*10**5, '\ud800', '\r'):
        (tmp_path/'x.json').write_text(json.dumps({word: 1}))
        err = refused(run, 'explain', 'x.json')
        assert err[:-1].isprintable() and len(err) < 1000
        assert refused(run, 'explain', word)[:-1].isprintable()


# What is no file, no terminal, or neither

@pytest.mark.parametrize('content, said', [
    (b'', 'inputs is missing'), (b'\0'*9, ''), (b'PK\x03\x04\xff', 'not UTF-8'),
    (b'\xef\xbb\xbf', 'inputs is missing')])
def test_files_that_are_none(run, tmp_path, content, said):
    (tmp_path/'x.toml').write_bytes(content)
    assert said in refused(run, 'explain', 'x.toml')


@pytest.mark.skipif(os.name == 'nt', reason='POSIX only')
def test_a_pipe_to_which_nobody_writes(run, tmp_path):
    os.mkfifo(tmp_path/'pipe')
    assert 'inputs is missing' in refused(run, 'explain', 'pipe')
    assert 'more than 200,000 bytes' in refused(run, 'explain', '/dev/zero')


# Run by itself, with streams as they should not be: one process imports all, and parts for each line that it is given,
# (arguments, standard output, the most bytes of a file, whether there is a standard error); it answers with the exit
# status and what came on the standard error. The output is /dev/full, closed, a pipe that nobody reads, or thrown away
STREAMS = '''
import os, resource, runpy, sys
import backprop_book.__main__
def begin(args, out, most, err):
    sys.argv, sys.stdin = ["backprop_book", *args], None
    if out == "closed": sys.stdout = None
    else:
        os.dup2({"full": lambda: os.open("/dev/full", os.O_WRONLY), "left": lambda: left,
                 "null": lambda: os.open(os.devnull, os.O_WRONLY)}[out](), 1)
        sys.stdout = open(1, "w", closefd=False)
    sys.stderr = open(2, "w", closefd=False) if err else None
    if most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
def end(status):
    try:
        for stream in (sys.stdout, sys.stderr): stream and stream.flush()
    except OSError: status = "not flushed"
    os.write(write, f" [{status}]".encode())
    os._exit(0)
gone, left = os.pipe()
os.close(gone)
for line in sys.stdin:
    read, write = os.pipe()
    if not os.fork():
        os.dup2(write, 2)
        begin(*eval(line))
        try: runpy.run_module("backprop_book", run_name="__main__")
        except SystemExit as ended: end(ended.code)
        end("no exit")
    os.close(write)
    print(repr(open(read).read()), flush=True)
    os.wait()
'''


@pytest.fixture
def alone(tmp_path):
    "What comes of each call: (arguments, standard output, the most bytes of a file, whether there is a standard error)"
    def call(*calls):
        lines = ''.join(f'{line!r}\n' for line in calls)
        out = subprocess.run([sys.executable, '-W', 'ignore', '-c', STREAMS], input=lines, capture_output=True,
                             text=True, cwd=tmp_path)
        said = [eval(line) for line in out.stdout.splitlines()]
        assert not out.stderr and len(said) == len(calls)   # the import alone prints nothing
        return said
    return call


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='there is no /dev/full here')
def test_streams_that_are_full_or_closed_and_a_disk_that_fills_up(alone, tmp_path):
    net = ['explain', 'net.toml']
    printing = [net, ['explain', '--example'], ['--help'], ['mark', '--help'], ['--version'], ['schema'],
                ['worksheet', '7']]
    (tmp_path/'out.md').write_text('old')
    said = alone(*((args, out, 0, True) for args in printing for out in ('full', 'closed', 'left')),
                 (['explain', '-'], 'null', 0, True), (['explain', 'no.toml'], 'null', 0, False),
                 ([*net, '-o', 'out.md', '--force'], 'null', 1000, True), (net, 'null', 0, True))
    *rest, stdin, no_stderr, disk, good = said
    full, closed, left = rest[::3], rest[1::3], rest[2::3]
    assert set(full) == {'backprop_book: the standard output cannot be written: No space left on device\n [2]'}
    assert set(left) == {' [141]'}
    helps = {said for said in closed if said.endswith(' [0]')}   # argparse says it on the other stream
    assert {*closed} - helps == {'backprop_book: the standard output is closed: say -o FILE\n [2]'} and len(helps) == 3
    assert stdin == 'backprop_book: -: cannot be read: there is no standard input\n [2]' and no_stderr == ' [2]'
    assert disk == 'backprop_book: out.md: cannot be written: it is too large for this disk\n [2]' and good == ' [0]'
    assert (tmp_path/'out.md').read_text() == 'old'
    assert sorted(os.listdir(tmp_path)) == ['net.json', 'net.toml', 'out.md']


@pytest.mark.skipif(os.name == 'nt', reason='POSIX only')
@pytest.mark.parametrize('after', [0.3, 1.5])
def test_ctrl_c_is_quiet_from_the_first_import_on(tmp_path, after):
    os.mkfifo(tmp_path/'pipe')
    keep = os.open(tmp_path/'pipe', os.O_RDWR)   # a writer that never writes: it waits
    try:
        with subprocess.Popen([sys.executable, '-m', 'backprop_book', 'explain', 'pipe'], cwd=tmp_path,
                              stderr=subprocess.PIPE) as running:
            time.sleep(after)
            running.send_signal(signal.SIGINT)
            assert running.communicate()[1] == b'' and running.returncode in (130, -signal.SIGINT)
    finally: os.close(keep)


@pytest.mark.parametrize('error, said', [
    (RecursionError(), 'nested too deeply'), (MemoryError(), 'more than the memory holds'),
    (OverflowError('x'), 'a number is too large'),
    (KeyError('x'), "please report it, with your file (KeyError: 'x')")])
def test_an_error_of_our_own_has_no_traceback_either(monkeypatch, capsys, error, said):
    def broken(*args): raise error
    monkeypatch.setattr(command, '_network', broken)
    assert main(['explain', 'net.toml']) == 2
    out, err = capsys.readouterr()
    assert not out and said in err and err.count('\n') == 1


# A remark

def test_a_loss_from_logits_behind_a_sigmoid_is_remarked_upon(run, tmp_path):
    status, out, err = run('explain', 'net.toml', '--loss', 'logistic_loss')
    assert status == 0 and out and err.count('\n') == 1
    assert err.startswith('backprop_book: a remark: logistic_loss takes logits')
    assert 'the last layer applies sigmoid first' in err
    (tmp_path/'x.toml').write_text(EXAMPLE.replace('"sigmoid"', '"identity"'))
    assert run('explain', 'x.toml', '--loss', 'logistic_loss')[2] == run('explain', 'net.toml')[2] == ''
    assert 'identity' in next(line for line in EXAMPLE.split('\n') if 'logistic_loss' in line)
    assert 'squashes\nthem itself: the transfer function of the last layer is identity' in run('explain', '--help')[1]


# Whose exam it is

def test_the_teachers_options_decide_which_sheet_is_marked(run, tmp_path):
    run('worksheet', '7', '--transfer', 'tanh', '--form', 'form.toml')
    form = (tmp_path/'form.toml').read_text()
    mine = run('mark', 'form.toml')[1]
    assert run('mark', 'form.toml', '--seed', '7', '--transfer', 'tanh') == (0, mine, '')
    for old, new, key in [
        ('seed = 7', 'seed = 8', 'seed'), ('transfer = ["tanh", "tanh"]', 'transfer = "sigmoid"', 'transfer'),
        ('digits = 3', 'digits = 2', 'digits')]:
        assert old in form, form
        (tmp_path/'other.toml').write_text(form.replace(old, new))
        line = next(i for i, text in enumerate(form.split('\n'), 1) if text.startswith(key))
        err = refused(run, 'mark', 'other.toml', '--seed', '7', '--transfer', 'tanh')
        assert err.startswith(f'other.toml, line {line}: {key}: the file answers another sheet')
    one_box = re.sub(r'(?m)^([2-9]|\d\d+) = .*\n', '', form)
    (tmp_path/'easy.toml').write_text(re.sub('blanks = .*', 'blanks = ["z_h1"]', one_box))
    assert run('mark', 'easy.toml')[1].startswith('0 of 1 points')   # one's own marking, of whatever sheet
    teachers = ['--seed', '7', '--transfer', 'tanh']
    assert 'blanks: the file answers another sheet' in refused(run, 'mark', 'easy.toml', *teachers)
    assert 'transfer: the file answers another sheet' in refused(run, 'mark', 'form.toml', *teachers[:2])


def test_all_unreadable_answers_are_told_at_once(run, tmp_path):
    (tmp_path/'a.toml').write_text('[answers]\n1 = "about 1"\n2 = 1\n3 = true\n"z_h7" = 1\n[sheet]\nseed = 7')
    err = refused(run, 'mark', 'a.toml')
    assert err.startswith('a.toml, line 2: ') and 'line 4: ' in err
    assert "line 5: answers: the sheet has no box 'z_h7'" in err


@pytest.mark.parametrize('name', ['a\0b.md', '\ud800.md'])
def test_a_name_that_no_file_can_have(run, name):
    for args in (['-o', name], ['--form', name]):
        assert 'is the name of no file' in refused(run, 'worksheet', '7', *args)


@pytest.mark.parametrize('content', ['7', 'null', '"x"', '[1, 2]', 'true', '[]', '-1.5'])
def test_a_json_file_that_is_no_table(run, tmp_path, content):
    (tmp_path/'x.json').write_text(content)
    for args in (['explain'], ['mark'], ['mark', '--seed', '7']):
        assert 'it holds no keys' in refused(run, *args, 'x.json')


@pytest.mark.parametrize('value', [
    '"' + '9'*400 + '"', '9'*400, '1e200', '"1e200"', '"-1e200"', '"1e999999999"', 'inf', 'nan',
    '"1/' + '9'*400 + '"', '[]', '{}', 'true', '""', '"' + '9'*5000 + '"', '"1e-400"', '"0x10"', '"1/0"', '"½"',
    '1979-05-27'])
def test_answers_that_are_odd(run, tmp_path, value):
    (tmp_path/'a.toml').write_text(f'[answers]\n1 = {value}\n[sheet]\nseed = 7')
    start = time.process_time()
    status, out, err = run('mark', 'a.toml')
    assert (status, bool(out), err.count('\n')) in [(0, True, 0), (2, False, 1)] and 'the book is wrong' not in err
    assert time.process_time() - start < SOON


# The rest

def test_the_version_and_the_name_of_the_command(run, monkeypatch):
    assert run('--version') == (0, f'backprop_book {__version__}\n', '')
    assert 'usage: python -m backprop_book' in run('--help')[1]
    monkeypatch.setattr(sys, 'argv', ['/usr/bin/backprop-book'])
    out = run('--help')[1]
    assert 'usage: backprop-book' in out
    assert 'backprop-book explain --example > net.toml' in out and 'python -m' not in out
    assert 'see backprop-book worksheet --help' in refused(run, 'worksheet')


@pytest.mark.parametrize('number', sampled(range(300), 40))
def test_hostile_command_lines(run, tmp_path, number):
    files, args = commands(number)
    for name, data in files.items(): (tmp_path/name).write_bytes(data)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    start = time.process_time()
    status, out, err = run(*args)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert time.process_time() - start < SOON and 'the book is wrong' not in err
    assert not any(name.endswith('.part') for name in after)
    if status: assert (status, out, err.count('\n')) == (2, '', 1) and after == before
    else: assert all(line.startswith('backprop_book: a remark: ') for line in err.splitlines())
