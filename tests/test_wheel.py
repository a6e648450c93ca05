"""A downloaded chapter runs for somebody who has the notebook and the wheel, and nothing else of this repository."""
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.house
ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT/'nbs').glob('*.ipynb'))


def code(chapter):
    cells = json.loads(chapter.read_text())['cells']
    return [''.join(cell['source']) for cell in cells if cell['cell_type'] == 'code']


@pytest.mark.parametrize('chapter', CHAPTERS, ids=lambda c: c.stem)
def test_a_chapter_names_no_file_of_the_repository(chapter):
    assert not re.findall(r'''['"](?:\.\.?/|nbs/|bench/|site/)[^'"]*''', '\n'.join(code(chapter)))


def run(*args, **kwargs):
    done = subprocess.run(list(map(str, args)), capture_output=True, text=True, **kwargs)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


@pytest.fixture(scope='module')
def python(tmp_path_factory):
    "A Python that has the wheel, what the wheel asks for, in the locked versions, and Jupyter's kernel"
    there = tmp_path_factory.mktemp('reader')
    run(sys.executable, '-m', 'build', '-q', '--wheel', '--no-isolation', '--outdir', there, ROOT)
    wheel, = there.glob('*.whl')
    run(sys.executable, '-m', 'uv', 'venv', '-q', '--python', sys.executable, there/'env')
    python = next(path for path in (there/'env'/'bin'/'python', there/'env'/'Scripts'/'python.exe') if path.exists())
    run(sys.executable, '-m', 'uv', 'pip', 'install', '-q', '--python', python,
        '--constraint', ROOT/'requirements.lock', f'backprop_book[fast] @ {wheel.as_uri()}', 'ipykernel', 'nbclient')
    return python


@pytest.mark.slow
@pytest.mark.parametrize('chapter', CHAPTERS, ids=lambda c: c.stem)
def test_a_downloaded_chapter_runs(python, chapter, tmp_path):
    (tmp_path/chapter.name).write_bytes(chapter.read_bytes())
    run(python, '-m', 'jupyter', 'execute', '--timeout=300', chapter.name, cwd=tmp_path)
