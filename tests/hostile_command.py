"""Command lines and files as nobody should write them, by number: the same for the same number, everywhere."""
import json
import random
import tomllib

from backprop_book.__main__ import EXAMPLE

WORDS = ['', ' ', '0', '-1', '1', '7', '3', '0.5', '1/3', '1/0', 'nan', 'inf', '1e999999999', '1e200', '9'*400, '0,5',
         '1,5', '1;2', '½',
         '1_000', '0x10', 'true', 'None', 'z', 'z//2', 'z%2', '9**9**9*z', 'log(z)', 'sqrt(z)', '1/z', 'z**0.5',
         'exp(exp(exp(z)))',
         '('*1000 + 'z' + ')'*1000, '-'*1000 + 'z', 'abs('*20 + 'z' + ')'*20, 'z*'*2000 + 'z', 'Max(0,5, z)',
         'max(0, z)', 'erf(z)',
         'tanh(z) # \\input{x} <script>', '__import__("os").system("echo z")', 'z.real', 'lambda z: z', '[z]', '"z"',
         'z if z else 1',
         'Piecewise((z, z > 0), (0, True))', 'sigmoid', 'tanh', 'relu', 'identity', 'softmax', 'linear', 'gelu',
         'sigmoid(z)',
         'leaky_relu(0.1)', 'leaky_relu(0,1)', 'leaky_relu(9)', 'fold(nan)', 'squared_error', 'logistic_loss',
         'softmax_cross_entropy',
         'bce', 'mse', 'cross_entropy', 'adam(0.01)', 'adam(0,01)', 'adam(1e400)', 'momentum(0.1, beta=2)', 'sgd()',
         'sgd(lr=0.1, lr=1)',
         'nesterov(=)', 'frozen', 'absent', 'layer', 'neuron', 'flat', 'layered', 'h1', 'w5', 'E', 'o1', 'deltas',
         'forward', '\x1b[31m', '\n',
         'a\nb', '\u202e', '\udcff', 'é', '日本', '--', '-', '@x', '%s', '{}', "'", '"', '\\', '|', '1 | 0 | tanh',
         '0.1 0.2; 0.3 0.4 | 0 0 | tanh',
         '0.5; -0.5 | 0.1', '1 2 3', '[[1]]', '.', '..', '/', 'x'*5000]
KEYS = ['inputs', 'targets', 'loss', 'lr', 'optimizer', 'updates', 'biases', 'names', 'digits', 'exact', 'pencil',
        'only', 'layers',
        'weights', 'transfer', 'widths', 'blanks', 'rows', 'seed', 'hints', 'sheet', 'answers']
VALUES = ['0', '1', '-1', '0.5', '1e200', '-1e308', '1e-320', '1e999999999', 'nan', 'inf', '9'*400, '9'*5000, 'true',
          '""', '"0,5"', '"z//2"',
          '"9**9**9*z"', '"log(z)"', '"softmax"', '"bce"', '"logistic_loss"', '"adam(0,1)"', '[]', '[[]]', '[[[]]]',
          '[1]', '[1, 2]', '[[1, 2], [3]]',
          '[[1, 2], [3, 4]]', '["a"]', '[true, false]', '{}', '{a = 1}', '1979-05-27', "'''x'''", '"\\u0000"',
          '"\\u001b[1m"', '[' * 1000, '0x10', '1_000',
          '1000', '[1e200, 1e200]', '[[1e200, 1e-200], [1, 1]]']
OTHER = '''inputs = [[0.5, -1], [2, 3]]
targets = [[1], [0]]
updates = 2
optimizer = "adam(0.1)"
loss = "logistic_loss"
layers = [{weights = [[1, 2], [3, 4]], biases = [0, 0], transfer = "z/(1 + abs(z))"},
          {weights = [[0.5], [1]], biases = [0], transfer = "identity"}]
'''
OPTIONS = {
    'explain': ['--inputs', '--targets', '--layer', '--loss', '--lr', '--optimizer', '--updates', '--digits',
                '--biases', '--names', '--exact',
                '--pencil', '--only', '--format', '--example', '-o', '--force'],
    'worksheet': ['--widths', '--transfer', '--blanks', '--digits', '--rows', '--loss', '--lr', '--biases', '--names',
                  '--hints', '--part', '--form',
                  '--format', '-o', '--force'],
    'mark': ['--seed', '--widths', '--transfer', '--blanks', '--digits', '--rows', '--loss', '--lr', '--format', '-o',
             '--force'],
    'schema': ['-o', '--format', '--force']}
FITTING = { # option -> values of the right kind, good and bad
    '--inputs': ['0.5 1', '1 2; 3 4', '0,5 1', '1e200 1', '1/3 1/7', '1e-300 0'],
    '--targets': ['0 1', '1', '0.5 0.5; 1 0', '1e308 1'],
    '--layer': ['0.1 0.2; 0.3 0.4 | 0 0 | tanh', '1 1; 1 1 | 0 0 | log(z)', '1e200 1; 1 1 | 0 0',
                '1; 1 | 0 | exp(z)', '1 1; 1 1 | | z**3'],
    '--loss': ['squared_error', 'logistic_loss', 'logistic_loss_pm1', 'softmax_cross_entropy', 'bce', 'mse'],
    '--optimizer': ['adam(0.01)', 'adam(0,01)', 'momentum(0.1, beta=2)', 'nesterov(1e300)', 'rmsprop(0)',
                    'sgd(1e308)'],
    '--lr': ['0.5', '1e300', '0', '-1', '0,5', 'nan', '1e999999999', '1/3'],
    '--updates': ['0', '2', '9', '1000', '1001', '-1', '9'*18, '9'*19],
    '--digits': ['1', '3', '9', '40', '41', '0'],
    '--only': ['h1', 'E', 'w5', 'b_o1', 'x1'],
    '--rows': ['1', '3', '9', '10', '9'*18],
    '--widths': ['2', '3', '1', '9', '0', '-1', '9'*18],
    '--transfer': ['tanh', 'relu', 'log(z)', 'z**3', 'exp(z)', '1/z', 'softmax', 'sqrt(z)'],
    '--blanks': ['deltas', 'forward', 'update', 'gradients', 'z_h1', 'E'],
    '--seed': ['7', '0', '8', '-1', '9'*18],
    '--biases': ['neuron', 'layer', 'frozen', 'absent'],
    '--names': ['flat', 'layered'],
    '--part': ['both', 'sheet', 'key'],
    '--example': ['toml', 'json']}
FORM = '''[answers]
1 = 0.35
2 = "1,15"
"dE/dw5" = "1/8"
[sheet]
seed = 7
rows = 1
'''
MANY = ['--widths', '--transfer', '--blanks', '--only']
OUT = ['out.md', 'out.tex', 'out.html', 'out.json', 'out.txt', 'out.doc', 'old.md', 'no/out.md', '.', '',
       'x'*300 + '.md', '/proc/out.md']


def line(rng):
    "A line of TOML that may be anything"
    return rng.choice([f'{rng.choice(KEYS)} = {rng.choice(VALUES)}', f'[[{rng.choice(KEYS)}]]', f'[{rng.choice(KEYS)}]',
                       f'{rng.choice(KEYS)}.{rng.choice(KEYS)} = {rng.choice(VALUES)}', rng.choice(WORDS),
                       '# ' + rng.choice(WORDS)])


def spoilt(rng, text):
    "A file with a few lines changed, doubled, dropped or put in"
    lines = text.split('\n')
    for _ in range(rng.randint(0, 2)):
        i = rng.randrange(len(lines))
        key, _, value = lines[i].partition('=')
        if value and rng.random() < 0.7:
            lines[i] = f'{key}= {rng.choice([*VALUES, json.dumps(rng.choice(WORDS))])}'
            continue
        lines[i:i+1] = rng.choice([
            [], [lines[i]]*2, [line(rng)], [lines[i], line(rng)], [lines[i][:rng.randint(0, 40)]]])
    return '\n'.join(lines)


def spoilt_json(rng, text):
    "The same for JSON: one value put in the place of another, or the text cut"
    data = tomllib.loads(text)
    node, key = data, rng.choice([*data])
    while isinstance(node[key], (dict, list)) and node[key] and rng.random() < 0.7:
        node = node[key]
        key = rng.choice([*node]) if isinstance(node, dict) else rng.randrange(len(node))
    node[key] = rng.choice([*WORDS, None, True, 1e200, -1, 10**400, [], {}, [[1, 2]], {'a': 1}, [None], 'text'])
    text = json.dumps(data, indent=rng.choice([None, 1]))
    if rng.random() < 0.8: return text
    return text[:rng.randrange(len(text))] + rng.choice(['', '}', '{"a": 1, "a": 2}', 'NaN', '['*1000])


def content(rng, text, is_json):
    "The bytes of a file"
    kind = rng.random()
    if is_json and kind < 0.85: data = spoilt_json(rng, text).encode('utf-8', 'surrogateescape')
    elif kind < 0.85: data = spoilt(rng, text).encode('utf-8', 'surrogateescape')
    elif kind < 0.9: data = b''.join(b'a%d = 1\n' % i for i in range(rng.choice([10, 10_000, 100_000])))
    elif kind < 0.95: data = rng.choice([b'', b'\0', b'\xff\xfe', b'\n'*1000, b'PK\x03\x04', rng.randbytes(500),
                                         b'a.'*5000 + b'a = 1', b'[[a]]\n'*9000])
    else:
        data = text.encode(rng.choice(['utf-16', 'utf-8-sig', 'latin-1']))
        data = data.replace(b'0', rng.choice([b'0', b'\xe9', b'\r\n', b'\r']))
    return data.replace(b'\n', b'\r\n') if rng.random() < 0.1 else data


def options(rng, command):
    for option in rng.sample(OPTIONS[command], min(rng.choice([0, 0, 1, 1, 2, 3]), len(OPTIONS[command]))):
        yield option
        if option in ('-o', '--form'): yield rng.choice(OUT)
        elif option == '--format': yield rng.choice(['text', 'markdown', 'latex', 'html', 'json', 'pdf'])
        elif option in ('--force', '--exact', '--pencil', '--hints'): continue
        elif rng.random() < 0.85: yield from rng.choices(FITTING[option], k=1 + (option in MANY)*rng.randrange(3))
        else: yield from rng.choices(WORDS, k=rng.choice([0, 1, 1, 1, 2]))


def commands(number):
    "Files to write (name -> bytes), and the arguments"
    rng = random.Random(number)
    command = rng.choices([*OPTIONS], [20, 10, 10, 1])[0]
    name = rng.choice(['net.toml', 'net.json', 'net'])
    text = FORM if command == 'mark' else rng.choice([EXAMPLE, EXAMPLE, OTHER])
    files = {name: content(rng, text, name == 'net.json'), 'old.md': b'old'}
    first = {'explain': [name], 'mark': [name], 'worksheet': [rng.choice(['7', '3', '0', '12345'])],
             'schema': []}[command]
    if rng.random() < 0.05: first = rng.choices(WORDS, k=rng.randint(0, 2))
    return files, [command, *first, *options(rng, command)]
