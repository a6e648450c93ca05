"""The package is what the notebooks export, the notebooks are clean, and nothing heavy is imported."""
import filecmp
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT/'nbs').glob('*.ipynb'))
PLAIN = {Path('__init__.py'), Path('diagnose/__init__.py'),  # modules that no chapter exports
         Path('arguments.py'), Path('files.py'), Path('places.py'), Path('words.py')}
MODULES = ['arguments', 'files', 'places', 'words', 'formula',
           'check', 'transfer', 'loss', 'graph', 'worked', 'symbolic', 'network', 'diagnose', 'descent',
           'explain', 'tape', 'written_out', 'worksheet', '__main__', 'compiled']  # in the chapters' order


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    "A copy of the notebooks and settings, with the package exported and the notebooks cleaned anew"
    copy = tmp_path_factory.mktemp('copy')
    shutil.copytree(ROOT/'nbs', copy/'nbs', ignore=shutil.ignore_patterns('.*'))
    shutil.copy2(ROOT/'settings.ini', copy)
    for file in PLAIN:
        (copy/'backprop_book'/file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT/'backprop_book'/file, copy/'backprop_book'/file)
    for command in ('nbdev_export', 'nbdev_clean'):
        subprocess.run([Path(sys.executable).parent/command], cwd=copy, check=True, capture_output=True)
    return copy


@pytest.mark.house
def test_the_package_is_what_the_notebooks_export(exported):
    packages = ROOT/'backprop_book', exported/'backprop_book'
    ours, theirs = ({str(file.relative_to(package)) for file in package.rglob('*.py')} for package in packages)
    assert ours == theirs
    differ = filecmp.cmpfiles(*packages, ours, shallow=False)[1:]
    assert differ == ([], []), 'run nbdev_export, and edit notebooks only'


@pytest.mark.house
@pytest.mark.parametrize('chapter', CHAPTERS, ids=lambda c: c.stem)
def test_the_notebook_is_clean(exported, chapter):
    assert chapter.read_text() == (exported/'nbs'/chapter.name).read_text(), 'run nbdev_clean'
    assert not [cell for cell in json.loads(chapter.read_text())['cells'] if cell.get('outputs')]


def test_one_version_everywhere():
    from backprop_book import __version__
    assert f'\nversion = {__version__}\n' in (ROOT/'settings.ini').read_text()
    assert f'\nversion: {__version__}\n' in (ROOT/'CITATION.cff').read_text()


def imports(module):
    "The top-level packages that a fresh Python has loaded after importing `module`"
    code = f'import sys, {module}; print(*{{name.split(".")[0] for name in sys.modules}})'
    return set(subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize('module', ['check', 'transfer', 'loss', 'network', 'diagnose', 'descent', 'tape'])
def test_what_runs_a_network_is_light(module):
    assert not {'sympy', 'matplotlib', 'IPython', 'scipy', 'pandas', 'numba'} & imports(f'backprop_book.{module}')


@pytest.fixture(scope='module')
def loaded():
    "For each module, the modules of the package that importing it alone loads; one Python, which forgets between them"
    code = f'''if True:
        import importlib, sys
        for module in {MODULES}:
            for name in [name for name in sys.modules if name.startswith("backprop_book")]: del sys.modules[name]
            importlib.import_module(f"backprop_book.{{module}}")
            print(*{{name.split(".")[1] for name in sys.modules if name.startswith("backprop_book.")}})'''
    done = subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, text=True)
    return dict(zip(MODULES, map(str.split, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize('i, module', [*enumerate(MODULES)])
def test_a_module_imports_only_earlier_ones(i, module, loaded):
    assert module in loaded[module] and set(loaded[module]) <= set(MODULES[:i + 1])


@pytest.mark.parametrize('module', MODULES)
def test_a_module_says_what_it_is(module):
    assert importlib.import_module(f'backprop_book.{module}').__doc__


@pytest.mark.house
def test_the_code_is_linted():
    done = subprocess.run([sys.executable, '-m', 'ruff', 'check', '--quiet', ROOT], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
