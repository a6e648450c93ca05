"""Where a key stands in a TOML or JSON file: the line of each path, such as ('layers', 1, 'weights').

Python's readers forget the lines of what they read. This one reads nothing but keys and lines. It takes text that
parses, or the part before the place where it does not, and forgets what stands after that."""
import json
import re
import tomllib

from . import arguments

__all__ = ['deepest', 'key_lines', 'line_of', 'most_points', 'twice']

_SPACE = re.compile(r'(?:\s|#[^\n]*)*')
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.S)
_WORD = re.compile(r'[A-Za-z0-9_-]+')  # a key without quotes
_SCALAR = re.compile(r'[^,\[\]{}\n#"\']+')  # a number, a date, true
_ASIDE = (r'"""(?:\\.|[^\\])*?(?:"{3,5}|\\?\Z)|\'\'\'.*?(?:\'{3,5}|\Z)'  # texts, closed or not, and remarks
          r'|"(?:\\.|[^"\\\n])*+"?|\'[^\'\n]*+\'?|#[^\n]*')
_BRACKET = re.compile(rf'[\[\]{{}}]|{_ASIDE}', re.S)
_POINTS = re.compile(
    r'(?<![\w-])(?:(?:[\w-]++|"(?:\\.|[^"\\\n])*+"|\'[^\'\n]*+\')[ \t]*+(\.)[ \t]*+)++|' + _ASIDE, re.S)


class _Lost(Exception): "Here stands something else than expected"


def deepest(text:str): # TOML or JSON
    "How many brackets stand open at once, where the most do"
    depth = most = 0
    for found in _BRACKET.finditer(arguments.text(text, 'text')):
        depth += (found[0] in '[{') - (found[0] in ']}')
        most = max(most, depth)
    return most


def most_points(text:str): # TOML
    "How many points stand in the key that has the most"
    points = _POINTS.finditer(arguments.text(text, 'text'))
    return max((found[0].count('.') for found in points if found[1]), default=0)


class _Reader:
    "Reads on from place to place, and counts lines on the way"
    def __init__(self, text): self.text, self.at, self.line, self.counted = text, 0, 1, 0

    def skip(self): self.at = _SPACE.match(self.text, self.at).end()

    def sees(self, mark): return self.text.startswith(mark, self.at)

    def takes(self, mark):
        found = self.sees(mark)
        self.at += found and len(mark)
        self.skip()
        return found

    def needs(self, mark):
        if not self.takes(mark): raise _Lost

    def match(self, pattern):
        found = pattern.match(self.text, self.at)
        if not found: raise _Lost
        self.at = found.end()
        return found[0]

    def here(self):
        self.line += self.text.count('\n', self.counted, self.at)
        self.counted = self.at
        return self.line

    def key(self):
        "A key: a word, or text in quotes"
        if not (self.sees('"') or self.sees("'")): return self.match(_WORD)
        quoted = self.match(_STRING)
        try: return json.loads(quoted) if quoted[0] == '"' else quoted[1:-1]
        except ValueError: return next(iter(tomllib.loads(f'{quoted} = 0')))

    def keys(self):
        "The keys between points: a.b.c"
        found = [self.key()]
        self.skip()
        while self.takes('.'):
            found.append(self.key())
            self.skip()
        return found

    def entry(self, path, mark):
        "A key, and what it stands for"
        line = self.here()
        path = (*path, *self.keys())
        yield path, line
        self.needs(mark)
        yield from self.value(path)

    def value(self, path):
        "What a key stands for: the places within it"
        if self.takes('{'): yield from self.several('}', lambda i: self.entry(path, ':' if self.json else '='))
        elif self.takes('['): yield from self.several(']', lambda i: self.item((*path, i)))
        elif self.sees('"') or self.sees("'"): self.match(_STRING)
        else: self.match(_SCALAR)
        self.skip()

    def item(self, path):
        yield path, self.here()
        yield from self.value(path)

    def several(self, end, one):
        "One thing after the other, with commas between them"
        i = 0
        while not self.takes(end):
            yield from one(i)
            i += 1
            if not self.takes(',') and not self.sees(end): raise _Lost

    def header(self, counts):
        "The path of [a.b] or [[a.b]]: a list's last table, or one more"
        more = self.takes('[[')
        if not more: self.needs('[')
        line, keys, path = self.here(), self.keys(), ()
        self.needs(']]' if more else ']')
        for i, key in enumerate(keys):
            path = (*path, key)
            if more and i == len(keys) - 1: counts[path] = counts.get(path, -1) + 1
            if path in counts: path = (*path, counts[path])
        return path, line

    def toml(self):
        self.json, path, counts = False, (), {}
        self.skip()
        while self.at < len(self.text):
            if self.sees('['):
                path, line = self.header(counts)
                yield path, line
            else: yield from self.entry(path, '=')

    def as_json(self):
        self.json = True
        self.skip()
        yield from self.value(())


def _places(text, is_json):
    reader = _Reader(text)
    try: yield from reader.as_json() if is_json else reader.toml()
    except (_Lost, RecursionError, ValueError): return


def key_lines(text:str, # of a file
              is_json:bool): # or TOML
    "The line of each path, where it stands first"
    lines = {}
    text, is_json = arguments.text(text, 'text'), arguments.flag(is_json, 'is_json')
    for path, line in _places(text, is_json): lines.setdefault(path, line)
    return lines


def line_of(lines:dict, # from `key_lines`
            *path): # keys and, in lists, numbers from 0
    "The line of a path or, where the file has none of that, of what should hold it; None for the whole file"
    if not isinstance(lines, dict): raise TypeError(
        f'lines must be what key_lines gives, a dict, got {arguments.shown(lines)}')
    for step in path:
        if not isinstance(step, (str, int)): raise TypeError(
            f'a path holds keys and numbers, as in ("layers", 1, "weights"), got {arguments.shown(step)}')
    while path and path not in lines: path = path[:-1]
    return lines.get(path)


def twice(text:str, # JSON
          key:str): # that stands twice in the same braces
    "The line where it stands for the second time"
    arguments.text(key, 'key')
    seen = set()
    for path, line in _places(arguments.text(text, 'text'), True):
        if path in seen and path[-1] == key: return line
        seen.add(path)
