"""What a machine may lack, what is then not checked, and how to get it: the one place that knows.

A test that needs such a tool says so, `@pytest.mark.needs('TeX')`. Without the tool it is skipped, and the run ends by
saying what was not checked; under CI (the variable CI is set) it fails."""
import importlib.util
import locale
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass


def on_path(*names): return next(filter(None, map(shutil.which, names)), None)
def installed(*modules): return all(map(importlib.util.find_spec, modules))


def knows_locale(name):
    before = locale.setlocale(locale.LC_ALL)
    try: return bool(locale.setlocale(locale.LC_ALL, name))
    except locale.Error: return False
    finally: locale.setlocale(locale.LC_ALL, before)


@dataclass(frozen=True)
class Tool:
    here: Callable   # () -> whether this machine has it
    checks: str      # what is not checked without it
    cure: str        # how to get it


CHROMIUM = on_path('chromium', 'chromium-browser', 'google-chrome')
TOOLS = {
    'a browser': Tool(lambda: CHROMIUM, 'the pages as a reader sees and prints them', 'apt-get install chromium'),
    'TeX': Tool(lambda: on_path('pdflatex'), 'that the LaTeX of examples and sheets compiles',
                'apt-get install texlive-latex-base texlive-pictures'),
    'pdftotext': Tool(lambda: on_path('pdftotext'), 'the words on printed pages', 'apt-get install poppler-utils'),
    'a German locale': Tool(lambda: knows_locale('de_DE.UTF-8'), 'that a decimal comma of the system changes nothing',
                            'apt-get install locales, then localedef -i de_DE -f UTF-8 de_DE.UTF-8'),
    'a C compiler': Tool(lambda: on_path('cc'), "the benchmark's program in C", 'apt-get install gcc'),
    'numba and SciPy': Tool(lambda: installed('numba', 'scipy'), 'the compiled loops',
                            'pip install "backprop_book[fast]"'),
    'Beautiful Soup': Tool(lambda: installed('bs4'), 'the pages of the site', 'pip install beautifulsoup4'),
    'jsonschema': Tool(lambda: installed('jsonschema'), 'that the JSON is as its schema says',
                       'pip install jsonschema'),
}


def missing(needed):
    "The first of the tools in `needed` that this machine lacks, or None"
    return next((name for name in needed if not TOOLS[name].here()), None)


def under_ci(): return os.environ.get('CI', '').lower() not in ('', '0', 'false')
def skipped_for(name): return f'no {name.removeprefix("a ")} on this machine'


def not_checked(reasons):
    "A line for each tool for whose lack tests were skipped, from the reasons why tests were skipped"
    for name, tool in TOOLS.items():
        if n := sum(skipped_for(name) in reason for reason in reasons):
            yield f'not checked: {tool.checks} ({n} test{"s" if n > 1 else ""}; {tool.cure})'
