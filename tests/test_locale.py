"""The reader's language changes nothing that the book writes."""
import os
import subprocess
import sys

import pytest

CODE = """if True:
    import hashlib, locale, sys
    from backprop_book.__main__ import main
    from backprop_book.explain import explain
    from backprop_book.network import Layer
    from backprop_book.transfer import sigmoid
    from backprop_book.worksheet import worksheet
    if sys.argv[1:] == ['German']:
        locale.setlocale(locale.LC_ALL, '')
        assert locale.localeconv()['decimal_point'] == ','
    worked = explain([Layer([[.15, .25], [.2, .3]], [.35, .35], sigmoid)], [[.05, .1]], [[.01, .99]])
    sheet = worksheet(5)
    pages = str(worked), worked.markdown(), worked.latex(), worked.html(), worked.json(), sheet.html(), sheet.latex()
    print(*[hashlib.sha256(page.encode()).hexdigest() for page in pages])
    sys.stdout.flush()
    main(['worksheet', '7', '--format', 'html'])"""
C = {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0', 'PYTHONIOENCODING': 'ascii'}


def written(*argv, **settings):
    return subprocess.run([sys.executable, '-c', CODE, *argv], env={**os.environ, **settings}, check=True,
                          capture_output=True).stdout


@pytest.mark.needs('a German locale')
def test_the_language_changes_nothing():
    usual = written(LC_ALL='C.UTF-8')
    assert usual == written(**C) == written('German', LC_ALL='de_DE.UTF-8') and len(usual) > 10_000
