"""The built site, read as a reader's browser reads it, with every other host refused."""
import functools
import html
import http.server
import importlib
import re
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from conftest import sampled

pytestmark = [pytest.mark.house, pytest.mark.needs('Beautiful Soup')]
ROOT = Path(__file__).parent.parent
SITE = ROOT/'_build'/'html'
PAGES = sorted(str(page.relative_to(SITE)) for page in SITE.rglob('*.html')
               if '_static' not in page.parts and page != SITE/'index.html')  # which only leads on to nbs/index.html
CHAPTERS = sorted((ROOT/'nbs').glob('*.ipynb'))


def parsed(page):
    from bs4 import BeautifulSoup
    return BeautifulSoup((SITE/page).read_text(), 'html.parser')


def test_every_source_has_its_page():
    sources = [*CHAPTERS, *(ROOT/'nbs').glob('*.md'), *(ROOT/'site'/'api').glob('*.md')]
    assert len(sources) > 10
    missing = [str(s) for s in sources if not (SITE/s.relative_to(ROOT)).with_suffix('.html').exists()]
    assert not missing, 'run `make book` first'


def test_a_file_that_a_chapter_reads_makes_its_results_stale(monkeypatch):
    monkeypatch.syspath_prepend(ROOT/'site')
    behind = importlib.import_module('book_site').behind_cells()
    read = {ROOT/'backprop_book'/name for chapter in CHAPTERS
            for name in re.findall(r"joinpath\('([^']+)'\)", chapter.read_text())}
    assert read and read <= set(behind)


def test_the_first_page_leads_to_the_book():
    assert 'url=nbs/index.html' in (SITE/'index.html').read_text()


def test_every_module_has_its_api_page():
    modules = {file.stem for file in (ROOT/'backprop_book').iterdir()
               if file.suffix == '.py' and file.stem not in ('__init__', '_modidx') or (file/'__init__.py').exists()}
    assert modules and modules == {file.stem for file in (ROOT/'site'/'api').glob('*.md')}


@functools.cache
def anchors(page):
    return {html.unescape(name) for name in re.findall(r'\s(?:id|name)="([^"]+)"', (SITE/page).read_text())}


def is_dead(url, page):
    if urlparse(url).scheme or url.startswith('//') or not url: return False
    path, anchor = urldefrag(url)
    target = (SITE/page).parent/unquote(path.split('?')[0]) if path else SITE/page
    if target.is_dir(): target = target/'index.html'
    if not target.exists(): return True
    return bool(anchor) and target.suffix == '.html' and unquote(anchor) not in anchors(
        str(target.resolve().relative_to(SITE.resolve())))


def address_of(tag): return tag.get('src') or tag.get('href') or ''


def dead_links(soup, page):
    return [url for url in map(address_of, soup.find_all(['a', 'img', 'script', 'link'])) if is_dead(url, page)]


def from_elsewhere(soup):
    "What the page loads from another host"
    tags = soup.find_all(['script', 'img', 'iframe', 'link', 'source', 'object'])
    loads = [address_of(tag) for tag in tags if tag.name != 'link' or 'canonical' not in tag.get('rel', [])]
    return [url for url in loads if urlparse(url).netloc or url.startswith('//')]


def without_words(soup):
    "The pictures that say nothing to a reader who cannot see them"
    silent = [img.get('src') for img in soup.find_all('img')
              if not img.get('alt', '').strip() or img['alt'].startswith('..')]
    return silent + [str(svg)[:80] for svg in soup.select('article svg[role=img]')
                     if not (svg.get('aria-label') or svg.find('title'))]


@pytest.mark.parametrize('page', PAGES)
def test_the_page_as_it_is_written(page):
    "No dead link, nothing from another host, words for every picture"
    soup = parsed(page)
    assert (dead_links(soup, page), from_elsewhere(soup), without_words(soup)) == ([], [], [])


def test_what_is_wrong_with_a_page_is_seen():
    from bs4 import BeautifulSoup
    bad = BeautifulSoup('<a href="no.html"></a><a href="#nowhere"></a><script src="https://a.b/c.js"></script>'
                        '<img src="x" alt=""><article><svg role="img"></svg></article>', 'html.parser')
    assert dead_links(bad, PAGES[0]) == ['no.html', '#nowhere', 'x']
    assert from_elsewhere(bad) == ['https://a.b/c.js'] and len(without_words(bad)) == 2


@pytest.mark.parametrize('chapter', [c for c in CHAPTERS if '#| export\\n' in c.read_text()], ids=lambda c: c.stem)
def test_an_exported_cell_says_its_module(chapter):
    soup = parsed(f'nbs/{chapter.stem}.html')
    said = [p.get_text() for p in soup.select('p.exported-to')]
    exported = chapter.read_text().count('"#| export\\n')
    assert len(said) == exported and len(set(said)) == 1
    shown = [line for pre in soup.select('div.cell_input pre') for line in pre.get_text().splitlines()]
    assert not [line for line in shown if line.startswith('#|')], 'a directive is shown'


@pytest.fixture(scope='session')
def address():
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args): pass
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    server.server_close()


VIEWS = [('light', 1280), ('dark', 390)]


@pytest.mark.parametrize('page, scheme, width', [
    (page, *view) for i, page in enumerate(PAGES) for view in sampled(VIEWS, 1, seed=i)])  # each page in one of them
def test_the_page_in_a_browser(browser, address, page, scheme, width):
    context = browser.new_context(viewport={'width': width, 'height': 900}, color_scheme=scheme)
    tab, errors, strangers = context.new_page(), [], []
    tab.on('pageerror', lambda error: errors.append(str(error)))
    tab.on('console', lambda message: errors.append(message.text) if message.type == 'error' else None)
    def answered(response):
        if response.status >= 400: errors.append(f'{response.status} {response.url}')

    def asked(request):
        if not request.url.startswith((address, 'data:', 'blob:')): strangers.append(request.url)
    tab.on('response', answered)
    tab.on('request', asked)
    tab.goto(f'{address}/{page}', wait_until='load')
    if tab.evaluate('!!document.querySelector(".math")'):
        tab.wait_for_function('window.MathJax?.startup?.promise?.then(() => true)')
        tab.evaluate('MathJax.startup.promise')
        assert tab.evaluate('document.querySelectorAll("mjx-container").length') > 0
    assert tab.evaluate('[...document.querySelectorAll("mjx-merror")].map(e => e.textContent)') == []
    assert (errors, strangers) == ([], [])
    assert tab.evaluate('document.documentElement.dataset.theme') == scheme
    assert tab.evaluate('document.documentElement.scrollWidth') <= width, 'the page scrolls sideways'
    context.close()
