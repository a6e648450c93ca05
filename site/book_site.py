"""What the site needs beyond Jupyter Book: MathJax from here, nbdev's directives understood, chapters executed side
by side, results never stale.

Jupyter Book loads it as a local extension (`_config.yml`)."""
import hashlib
import re
import shutil
import sysconfig
from concurrent.futures import ThreadPoolExecutor, as_completed
from os import cpu_count
from pathlib import Path

import myst_nb
import nbformat
from docutils import nodes
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
from sphinx.util import logging

ROOT = Path(__file__).parent.parent
MATHJAX = Path(sysconfig.get_path('purelib'))/'sphinx-mathjax-offline'/'static'/'mathjax'
# the part of MathJax 3.2.2 that pages ask for: TeX in, CHTML out, its fonts, and the reader's accessibility menu
MATHJAX_PARTS = ['tex-mml-chtml.js', 'output/chtml/fonts', 'input/tex/extensions', 'a11y',
                 'sre/mathmaps/base.json', 'sre/mathmaps/en.json']


def behind_cells():
    "Everything that the result of a cell can depend on besides its notebook: package, versions, style, measured times"
    package = [file for file in (ROOT/'backprop_book').rglob('*') if file.is_file() and '__pycache__' not in file.parts]
    return [*sorted(package), ROOT/'requirements.lock']


def code_hash():
    "One hash of it all"
    return hashlib.sha256(b''.join(file.read_bytes() for file in behind_cells())).hexdigest()[:16]


def results():
    "The cache of executed notebooks, keyed by what they import and read, so that a change of it runs them again"
    return get_cache(str(ROOT/'_build'/'executed'/code_hash()))


def is_executed(path, cache):
    "Whether the results of the notebook at `path` are in the cache"
    try: return bool(cache.match_cache_notebook(nbformat.read(path, as_version=4)))
    except KeyError: return False


def forget_stale_results(app, config): config.nb_execution_cache_path = str(results().path)


def execute_side_by_side(app, env, docnames):
    "Execute what MyST-NB would execute one after the other, a chapter a processor; the longest begin"
    cache, log = results(), logging.getLogger(__name__)
    chapters = [path for name in docnames if (path := Path(env.doc2path(name))).suffix == '.ipynb']
    waiting = sorted((path for path in chapters if not is_executed(path, cache)), key=lambda path: -path.stat().st_size)
    with ThreadPoolExecutor(cpu_count()) as pool:
        running = {pool.submit(execute, path, app.config.nb_execution_timeout): path for path in waiting}
        for n, done in enumerate(as_completed(running), 1):
            path, (notebook, result) = running[done], done.result()
            if result.err is None: keep(notebook, path, result.time, cache)
            how = f'in {result.time:.0f} s' if result.err is None else 'and failed: once more below, to say how'
            log.info(f'executed {path.stem} {how} ({n} of {len(waiting)})')


def execute(path, timeout):
    "The notebook at `path` with its outputs, and how it went"
    notebook = nbformat.read(path, as_version=4)
    return notebook, single_nb_execution(notebook, cwd=str(path.parent), timeout=timeout, allow_errors=False)


def keep(notebook, path, seconds, cache):
    "Put an executed notebook where MyST-NB looks for it"
    bundle = CacheBundleIn(notebook, str(path), data={'execution_seconds': seconds})
    cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def own_style(app, config):
    "Add our style sheet, and let the reader's system choose between light and dark"
    config.html_static_path.append('site/static')
    config.html_context.setdefault('default_mode', 'auto')
    config.html_theme_options['navbar_persistent'] = []  # one search field, the side bar's, is enough
    app.add_css_file('book.css')


def ship_mathjax(app):
    "Put MathJax beside the pages; unlike those under `_static` of the source, its files are not loaded on every page"
    for part in MATHJAX_PARTS:
        source, target = MATHJAX/part, Path(app.outdir)/'_static'/'mathjax'/part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir(): shutil.copytree(source, target, dirs_exist_ok=True)
        else: shutil.copy2(source, target)


def ship_cell_style(app):
    "Put MyST-NB's style sheet in place before pages name its checksum: a second build then writes the same"
    for name, _ in app.registry.css_files:
        if name.startswith('mystnb.'):
            style = Path(app.outdir)/'_static'/name
            style.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path(myst_nb.__file__).parent/'static'/'mystnb.css', style)


def read_directives(app, doctree):
    "Take nbdev's `#|` lines out of the shown code; say beneath an exported cell which module it goes to"
    module = None
    for cell in list(doctree.findall(nodes.container)):
        if cell.get('nb_element') != 'cell_code': continue
        for block in cell.findall(nodes.literal_block):
            lines = block.astext().split('\n')
            directives = [line[2:].split() for line in lines if line.startswith('#|')]
            code = '\n'.join(line for line in lines if not line.startswith('#|')).strip('\n')
            if not directives: break
            for directive in directives:
                if directive[0] == 'default_exp': module = directive[1]
            attributes = {key: value for key, value in block.attributes.items() if value}
            if code: block.replace_self(nodes.literal_block(code, code, **attributes))
            if ['export'] in directives: cell.append(exported_to(module))
            if not code or ['hide'] in directives: cell.parent.remove(cell)
            break


def exported_to(module):
    "The line beneath an exported cell, linked to the module's page"
    target = f'../site/api/{module.split(".")[0]}.html'
    name = nodes.literal('', f'backprop_book.{module}')
    link = nodes.reference('', '', name, refuri=target, internal=True)
    return nodes.paragraph('', 'exported to ', link, classes=['exported-to'])


def drop_remote(app, pagename, templatename, context, doctree):
    "Leave out thebe, which loads code from another host (and throws an error on every page)"
    for kind in ('script_files', 'css_files'):
        context[kind] = [file for file in context[kind] if 'thebe' not in f'{file.filename} {file.attributes}'.lower()]


def describe_arguments(app, what, name, obj, options, lines):
    "Append to a docstring its arguments, read from the comments beside them (nbdev's docments)"
    from fastcore.docments import docments
    lines[:] = map(marked_up, lines)
    if what not in ('function', 'class', 'method') or not callable(obj): return
    try: comments = docments(obj, args_kwargs=True, returns=False)
    except (TypeError, ValueError, OSError): return
    said = [f':param {arg.lstrip("*")}: {marked_up(" ".join(comment.split()))}'
            for arg, comment in comments.items() if comment and arg != 'self']
    if said: lines += ['', *said, '']


def marked_up(text):
    "Markdown's code marks as reStructuredText's, also where a letter follows (the `Layer`s)"
    return re.sub(r'`([^`]+)`', r'``\1``\\ ', text)


def skip_fields(app, what, name, obj, skip, options):
    "Leave out a record's fields: they stand among its arguments"
    return True if what == 'class' and not callable(obj) and not isinstance(obj, property) else None


def setup(app):
    app.add_config_value('book_code', code_hash(), 'env')  # a changed package makes every page be read again
    app.connect('config-inited', forget_stale_results, priority=100)
    app.connect('config-inited', own_style, priority=900)
    app.connect('env-before-read-docs', execute_side_by_side)
    app.connect('builder-inited', ship_mathjax)
    app.connect('builder-inited', ship_cell_style, priority=900)
    app.connect('doctree-read', read_directives)
    app.connect('html-page-context', drop_remote, priority=900)
    app.connect('autodoc-process-docstring', describe_arguments)
    app.connect('autodoc-skip-member', skip_fields)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
