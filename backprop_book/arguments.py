"What an argument must be, and the sentence that says so: the gates that all modules share. No mathematics."
import math
import os
from collections.abc import Callable
from numbers import Integral, Real
from typing import Literal, overload

import numpy as np

__all__ = ['shown', 'number', 'positive', 'share', 'count', 'flag', 'text', 'one_of', 'function', 'listed', 'keyed',
           'generator', 'file_path', 'refuse_mask', 'real_array', 'instance', 'float_vector', 'expression', 'letters', 'is_own']

MOST = 10**12  # as a count of anything


def shown(value): # whatever came
    "A short text of `value` for a message, even where its own `repr` fails"
    if isinstance(value, type): return f'the class {value.__name__}'
    if callable(value) and hasattr(value, '__name__'): return f'the function {value.__name__}'
    if isinstance(value, np.ndarray) and value.size > 8: return f'an array of shape {value.shape}'
    try: said = ' '.join(repr(value).split())
    except Exception: said = f'a {type(value).__name__}'
    if isinstance(value, str): said = f'the text {said}'
    return said if len(said) <= 80 else f'{said[:60]} ... ({type(value).__name__})'


def number(value, # what came
           name:str, # what an error calls it
           fits:Callable, # value -> bool
           expected:str, # as in 'positive and finite'
           kind:type=Real): # or Integral
    "`value` as a float; TypeError if it is no such number, ValueError if it does not fit"
    message = f'{name} must be {expected}, got {shown(value)}'
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, kind): raise TypeError(message)
    if not fits(value): raise ValueError(message)
    try: return float(value)
    except OverflowError: raise ValueError(message) from None


def positive(x, name):
    "`x` as a float; TypeError, ValueError unless positive and finite"
    return number(x, name, lambda x: 0 < x < math.inf, 'positive and finite')


def share(x, name):
    "`x` as a float; TypeError, ValueError unless from 0 to below 1"
    return number(x, name, lambda x: 0 <= x < 1, 'a number from 0 to below 1')


def count(x, name, low, high=MOST):
    "`x` as an int; TypeError, ValueError unless a whole number from `low` to `high`"
    is_bounded = high != MOST or isinstance(x, Integral) and x > MOST
    limits = f'from {low} to {high}' if is_bounded else f'{low} or more'
    return int(number(x, name, lambda x: low <= x <= high, f'a whole number, {limits}', Integral))


@overload
def flag(value, name, or_none:Literal[False]=False) -> bool: ...
@overload
def flag(value, name, or_none:Literal[True]) -> bool|None: ...
def flag(value, name, or_none=False):
    "`value` as a bool, or None where that is allowed; TypeError otherwise"
    if or_none and value is None: return None
    if isinstance(value, (bool, np.bool_)) or type(value) is int and value in (0, 1): return bool(value)
    raise TypeError(f'{name} must be True or False{" or None"*or_none}, got {shown(value)}')


def text(value, name):
    "`value`; TypeError if it is no text"
    if isinstance(value, str): return value
    raise TypeError(f'{name} must be a text, got {shown(value)}')


def one_of(value, name, words):
    "`value`; ValueError if it is none of `words`"
    if isinstance(value, str) and value in words: return value
    raise ValueError(f'{name} must be one of {", ".join(map(repr, words))}, got {shown(value)}')


def function(value, name, example):
    "`value`; TypeError if it cannot be called"
    if callable(value) and not isinstance(value, type): return value
    raise TypeError(f'{name} must be a function, such as {example}, got {shown(value)}')


def listed(value, name, of):
    "`value` as a list; TypeError if it is neither list nor tuple"
    if isinstance(value, (list, tuple)): return [*value]
    raise TypeError(f'{name} must be a list {of}, got {shown(value)}')


def keyed(value, name, of):
    "`value`; TypeError if it is no dict with texts or whole numbers for its keys"
    if isinstance(value, dict) and all(isinstance(key, (str, Integral)) for key in value): return value
    raise TypeError(f'{name} must be a dict, {of}, got {shown(value)}')


def generator(rng, *more, name='rng'):
    "`rng`; TypeError if it cannot permute, or lacks a method of `more`"
    able = all(callable(getattr(rng, method, None)) for method in ('permutation', *more))
    if able and not isinstance(rng, type): return rng
    hint = ': call it, default_rng(0)' if getattr(rng, '__name__', '') == 'default_rng' else ''
    raise TypeError(f'{name} must be a Generator, such as np.random.default_rng(0), got {shown(rng)}{hint}')


def file_path(value, name='path'):
    "`value` as a text; TypeError if it names no file (a number would be an open file of the system)"
    if isinstance(value, (str, os.PathLike)) and (said := os.fspath(value)) and isinstance(said, str): return said
    raise TypeError(f"{name} must name a file, as in 'net.npz', got {shown(value)}")


def refuse_mask(values, name):
    "ValueError where something is masked, in an array or in a list of them: it would count like any number"
    listed = isinstance(values, (list, tuple))
    if listed and any(isinstance(row, (list, tuple, np.ma.MaskedArray)) for row in values):
        for row in values: refuse_mask(row, name)
    if np.ma.is_masked(values) or listed and any(value is np.ma.masked for value in values):
        raise ValueError(f'{name} is masked in places: say which numbers stand there, as in {name}.filled(0), or leave '
                         'those rows out')


def real_array(values, name):
    "A float copy of `values`, NaN and inf included; TypeError, ValueError if they are no array of real numbers"
    if type(values) is not np.ndarray: refuse_mask(values, name)
    try: array = np.array(values)
    except ValueError: raise ValueError(f'{name} is ragged: rows of different lengths') from None
    except Exception as error: raise TypeError(f'{name} cannot be read as an array: {error}') from None
    if array.dtype.kind not in 'biuf':
        got = f'dtype {array.dtype}' if array.ndim else shown(values)
        raise TypeError(f'{name} must hold real numbers, got {got}')
    return array if array.dtype.kind == 'f' else array.astype(float)


def instance(value, kind, name, example):
    "`value`; TypeError if it is no `kind`"
    if isinstance(value, kind): return value
    raise TypeError(f'{name} must be a {kind.__name__}, as in {example}, got {shown(value)}')


def float_vector(vector, name):
    "`vector`; TypeError if it is no array of floats that can be written into"
    if isinstance(vector, np.ndarray) and vector.dtype.kind == 'f' and not np.ma.is_masked(vector): return vector
    raise TypeError(f'{name} must be an array of floats, such as parameters(net), got {shown(vector)}')


def expression(value, name):
    "`value`; TypeError if it is no SymPy expression"
    import sympy as sp  # here, so that a network can run where SymPy is never loaded
    if isinstance(value, sp.Expr): return value
    raise TypeError(f"{name} must be a SymPy expression, such as read_formula('z**2', 'z'), got {shown(value)}")


def letters(values, name, *exprs):
    "`values` as a list; TypeError, ValueError unless SymPy symbols of different names, all that `exprs` hold"
    import sympy as sp
    values = listed(values, name, 'of SymPy symbols')
    for value in values:
        if not isinstance(value, sp.Symbol): raise TypeError(f'{name} must be SymPy symbols, got {shown(value)}')
    names = [value.name for value in values]
    if len({*names}) < len(names): raise ValueError(f'{name} has one name twice: {", ".join(names)}')
    missing = sorted({str(s) for expr in exprs for s in expr.free_symbols} - {*names})
    if missing: raise ValueError(f'the expression also holds {", ".join(missing)}: name it in {name}')
    return values


def is_own(ours:Callable, # a function or class of the book
           *functions:Callable): # that may be of its module
    "Whether one of `functions` is a reader's: not of the module of `ours`, or wrapped so that it seems to be"
    return any(getattr(f, '__module__', None) != ours.__module__ or hasattr(f, '__wrapped__') for f in functions)
