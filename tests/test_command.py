"""The command: what it prints, what it refuses and how, and that it leaves files alone."""
import json
import os
import re
import subprocess
import sys
import tomllib

import pytest

import backprop_book.__main__ as command
from backprop_book.__main__ import EXAMPLE, main
from backprop_book.explain import SCHEMA, explain
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
    for figure in ('0.593269992', '0.75136507', '0.298371109', '0.35891648', '0.149780716', '0.291027774'): assert figure in out
    assert run('explain', 'net.json') == (status, out, err)


def test_it_says_what_python_says(run):
    net, X, Y = command._network(command._Options(), tomllib.loads(EXAMPLE))
    for kind in ('markdown', 'latex', 'html', 'json'):
        assert run('explain', 'net.toml', '--format', kind)[1] == getattr(explain(net, X, Y, biases='frozen'), kind)().rstrip('\n') + '\n'
    for kind in ('markdown', 'latex', 'html'):
        assert run('worksheet', '7', '--part', 'sheet', '--format', kind)[1] == getattr(worksheet(7), kind)('sheet').rstrip('\n') + '\n'
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
    assert run('explain', '--inputs', '-0.5 1; 2 -3', '--targets', '1; 0', '--layer', '0.5; -0.5 | 0', '--exact')[0] == 0


def test_a_formula_of_the_readers_own(run, tmp_path):
    (tmp_path/'own.toml').write_text(EXAMPLE.replace('"sigmoid"', '"1/(1 + exp(-z))"'))
    assert run('explain', 'own.toml')[1].count('0.291027774') == 1


@pytest.mark.parametrize('formula', ['__import__("os").system("touch hacked # z")', 'open("z")', 'z.__class__', '[z for z in (1,)]', 'z if z else 1', 'lambda z: z', '"z"', 'eval(z)', 'z := 1',
                                     'z; import os', 'z +', 'log'])
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
    ('lr      = 0.5', 'lr      = "0.5"', 5, "lr: give a number, not '0.5'"),
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
    ('transfer = "sigmoid"        #', 'transfre = "sigmoid"        #', 15, "unknown key 'transfre' in layer 1; did you mean 'transfer'?"),
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
    assert (status, out) == (2, '') and err.startswith(f'backprop_book: bad.toml, line {line}: ') and said in err and err.count('\n') == 1


BAD_JSON = [('"inputs"', '"inpts"', "unknown key 'inpts'"), ('"lr": 0.5,', '"lr": 0.5', 'JSON wants'), ('"lr": 0.5', '"lr": NaN', 'NaN is no number'),
            ('"lr": 0.5', '"lr": 0.5, "lr": 1', "'lr' stands there twice"), ('"digits": 9', '"digits": 0', 'digits must be'), ('"biases": "frozen"', '"biases": "frosen"', "did you mean 'frozen'?"),
            ('"transfer": "sigmoid"', '"transfer": "sgmoid"', "did you mean 'sigmoid'?"), ('"transfer": "sigmoid"', '"tranfer": "sigmoid"', "did you mean 'transfer'?")]


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
    (EXAMPLE.encode('utf-16'), 'UTF-16: save it as UTF-8'), ('# M\xfcller\n'.encode('latin-1') + EXAMPLE.encode(), 'line 1: a byte that is not UTF-8'),
    (b'', 'inputs is missing'), (b'[[layers]]\nweights = [[1]]\n', 'inputs is missing'), (b'inputs = [1]\ntargets = [1]\n', 'layers is missing'),
    (b'inputs = [1]\ntargets = [1]\nlayers = 3\n', 'line 3: layers must be a list'), (b'inputs = [1]\ntargets = [1]\n[[layers]]\nbiases = [1]\n', 'layer 1 has no weights'),
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
    (['explain'], 'explain what?'), (['explain', 'nothing.toml'], 'nothing.toml: cannot be read'), (['explain', '.'], 'cannot be read'),
    (['explain', '--inputs', 'a', '--targets', '1', '--layer', '1'], "'a' is no list of numbers"), (['explain', '--inputs', '1', '--targets', '1', '--layer', '1 | 2 | tanh | 3'], 'three parts at most'),
    (['explain', '--inputs', '1', '--targets', '1', '--layer', '1 | 0 | tnh'], "did you mean 'tanh'?"), (['explain', '--inputs', '1', '--targets', '1'], 'layers is missing'),
    (['explain', 'net.toml', '-o', 'out.doc'], 'the end of the name says the format'), (['explain', 'net.toml', '-o', 'no/out.md'], 'cannot be written'),
    (['explain', 'net.toml', '--digits', '99'], 'digits must be'), (['explain', 'net.toml', '--loss', 'squared'], 'squared_error'),
    (['worksheet', '7', '--blanks', 'detlas'], "did you mean 'deltas'?"), (['worksheet', '7', '--widths', '2'], 'widths'), (['worksheet', '7', '--transfer', 'relo'], "did you mean 'relu'?"),
    (['worksheet', '7', '--digits', '1'], 'digits must be'), (['worksheet', '-1'], ''), (['worksheet', 'seven'], ''), (['mark', 'nothing.toml'], 'cannot be read'),
    (['mark', 'net.toml'], 'does not say which sheet'), (['explian'], ''), ([], ''), (['explain', '--nonsense'], ''), (['explain', 'net.toml', '--format', 'pdf'], '')])
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
    assert run('worksheet', '7', '--widths', '2', '2', '2', '--transfer', 'tanh', 'identity', '--form', 'form.toml', '--blanks', 'deltas')[:2] == (0, '')
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
    assert run('mark', 'bad.toml')[2].startswith(f"backprop_book: bad.toml, line {line}: unknown key 'rwos'; did you mean 'rows'?")


def test_answers_without_a_form(run, tmp_path):
    (tmp_path/'a.json').write_text('{"1": "1,15", "a_h1": 0.76}')
    out = run('mark', 'a.json', '--seed', '7')[1]
    assert out.startswith('2 of 33 points') and 'was read as 1.15' in out
    (tmp_path/'a.json').write_text('{"1": 1,\n "z_h7": 2}')
    assert run('mark', 'a.json', '--seed', '7')[2].startswith("backprop_book: a.json, line 2: answers: the sheet has no box 'z_h7'")
    assert run('mark', 'a.json', '--seed', '7', '-o', 'm.md')[0] == 2


def test_help_is_help(run):
    for args, words in {(): ('explain', 'worksheet', 'mark', 'schema', 'examples:', 'Exit status'), ('explain',): ('--layer', 'rows of weights | biases | transfer', '--force', 'examples:'),
                        ('worksheet',): ('--blanks', 'forward, loss, deltas', '--form', 'examples:'), ('mark',): ('--seed', 'misconception')}.items():
        status, out, err = run(*args, '--help')
        assert (status, err) == (0, '') and all(word in out for word in words) and max(map(len, out.split('\n'))) <= 100


def test_the_examples_in_the_help_work(run, capsys):
    for text in (command._START, command._EXPLAIN_MORE, command._WORKSHEET_MORE):
        for line in re.findall(r'python -m backprop_book (.*)', text.replace('\\\n', '')):
            args = re.sub(r'   .*', '', re.sub(r'>.*', '', re.sub(r'\s{2,}--layer', ' --layer', line)))
            import shlex
            status, _, err = run(*shlex.split(args))
            assert status == 0 or 'answers.toml: cannot be read' in err or 'exists' in err, (line, err)


def python(*args, **kwargs):
    return subprocess.run([sys.executable, '-m', 'backprop_book', *args], capture_output=True, **kwargs)


def test_an_import_runs_nothing():
    out = subprocess.run([sys.executable, '-c', 'import backprop_book.__main__'], capture_output=True, check=True)
    assert out.stdout == out.stderr == b''


def test_standard_input(): assert python('explain', '-', input=EXAMPLE.encode()).stdout == python('explain', 'net.toml').stdout


@pytest.mark.skipif(os.name == 'nt', reason='POSIX only')
def test_a_reader_that_leaves():
    read, write = os.pipe()
    os.close(read)   # before a word is written
    try: out = subprocess.run([sys.executable, '-m', 'backprop_book', 'explain', 'net.toml'], stdout=write, stderr=subprocess.PIPE)
    finally: os.close(write)
    assert (out.returncode, out.stderr) == (141, b'')


@pytest.mark.skipif(os.name == 'nt', reason='POSIX only')
def test_ctrl_c_is_quiet(monkeypatch, capsys):
    def interrupted(*args, **kwargs): raise KeyboardInterrupt
    monkeypatch.setattr(command, 'explain', interrupted)
    assert main(['explain', 'net.toml']) == 130 and capsys.readouterr() == ('', '')
