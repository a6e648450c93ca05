"""README's Python runs and does what it says; what it names exists."""
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT/'README.md').read_text()


def test_the_ten_lines_learn_exclusive_or(capsys):
    code, = re.findall(r'```python\n(.*?)```', README, re.S)
    names = {}
    exec(code, names)
    assert names['forward'](names['net'], names['X']).A[-1].ravel().__gt__(0).tolist() == [False, True, True, False]
    said = capsys.readouterr().out
    assert 'slope = d formula/dz' in said and 'The gradient is wrong' in said and 'the sum for the mean' in said


def test_what_it_names_exists():
    named = re.findall(r'\]\(([^)#:]+)\)', README) + re.findall(r'^\| `([^`]+)`', README, re.M)
    assert len(named) > 8 and not [name for name in named if not (ROOT/name).exists()]


def test_every_make_command_exists():
    targets = re.findall(r'^([a-z-]+):', (ROOT/'Makefile').read_text(), re.M)
    assert set(re.findall(r'make ([a-z-]+)', README)) - {'the'} <= set(targets)
