"""What a report says of a program whose slip is known: wrong, named, and whether it accuses an innocent line."""
import inspect
import re
from dataclasses import dataclass

from backprop_book.diagnose import RULES, diagnose, diagnose_functions
from backprop_book.network import Layer, forward
from corpus.slip import as_pairs, earlier, problem, righted, run

KNOWN = set(inspect.signature(diagnose).parameters)


@dataclass
class Judgement:
    "What came of one examination"
    slip: str
    wrong: bool = False    # whether the gradient was called wrong
    named: bool = False    # whether a cause names the slip in the right line
    accused: str = ''      # what innocent thing was accused, '' if none
    refused: str = ''      # the error's words, where there was no report
    report: object = None


def lines_said(text):
    "[(rule, layer), ...] of the doctor's lines that stand in a text; the layer of `loss` and `all` is None"
    found = []
    for rule, line in RULES.items():
        for match in re.finditer(re.escape(line) + r'`?(?: in layers? (\d+))?', text):
            found.append((rule, None if rule in ('loss', 'all') or match[1] is None else int(match[1])))
    return found


def is_guilty(s, rule, layer):
    "Whether a line of the doctor's own pass is one that may be blamed for slip `s`"
    return any(rule == r and (at is None or layer is None or layer == at) for r, at in s.guilty)


def _cause_is_guilty(s, cause):
    return all(is_guilty(s, m.rule, at) for m, layers in cause.mistakes for at in layers or [None])


def _place_lines(s, place):
    "The lines that `report.place` leaves open"
    i, rules = place[0], place[1]
    before = ('loss', None) if i == len(s.transfers) - 1 else ('carry', i + 1)
    return [before if rule == 'before' else (rule, i) for rule in rules]


def accusation(s, report):
    "What a report says flatly against lines that are right; '' if nothing"
    said = lines_said(report.first)
    if said and not any(is_guilty(s, *line) for line in said): return f'first: {report.first}'
    if report.causes and not any(_cause_is_guilty(s, c) for c in report.causes): return f'causes: {report.causes[0]}'
    alone = any(rule == 'all' for rule, _ in s.guilty)
    if report.place and not alone and not any(is_guilty(s, *line) for line in _place_lines(s, report.place)):
        return f'place: {report.place}'
    return ''


def is_named(s, report):
    "Whether one of the causes blames the guilty line alone, in words that say what is wrong there"
    return any(_cause_is_guilty(s, c) and re.search(s.names, repr(c), re.I) for c in report.causes)


def options(s, net, X, old):
    "What the author of `s` would tell the doctor besides, as far as it can be told"
    told = dict(s.options, earlier=earlier(s, net, X, old))
    if s.decay: told['decay'] = s.decay
    return {name: value for name, value in told.items() if name in KNOWN}


def examine(s, seed=0, right=False, pairs=False):
    "The first door on slip `s`, or on its control; gradients as its author hands them over, or as `pairs` by rows"
    net, X, Y, old = problem(s, seed)
    handed = run(s, righted(s.program) if right else s.program, net, X, Y, old)
    if pairs: handed = as_pairs(s, handed)
    try: report = diagnose(net, X, Y, s.loss, handed, **options(s, net, X, old))
    except (TypeError, ValueError) as error: return Judgement(s.name, refused=f'{type(error).__name__}: {error}')
    if report.right: return Judgement(s.name, report=report)
    return Judgement(s.name, True, is_named(s, report), accusation(s, report), report=report)


def as_functions(s, program, seed):
    "Loss, gradient and parameters of a program, for the second door; a list of W, then b where the program has any"
    net, X, Y, old = problem(s, seed)
    n, takes_b = len(net), s.biases == 'neuron'

    def net_at(params):
        b = params[n:] if takes_b else [layer.b for layer in net]
        return [Layer(w, v, layer.transfer) for w, v, layer in zip(params, b, net)]

    def loss(params):
        squares = sum((w*w).sum() for w in params[:n])
        return s.loss(forward(net_at(params), X).A[-1], Y) + s.decay/2*squares

    def grad(params):
        pairs = as_pairs(s, run(s, program, net_at(params), X, Y, old))
        W, b = [w for w, _ in pairs], [v.ravel() if 1 in v.shape else v for _, v in pairs if takes_b and v is not None]
        return [*W, *b]

    return loss, grad, [layer.W for layer in net] + [layer.b for layer in net if takes_b]


def examine_functions(s, seed=0, right=False):
    "The second door on slip `s`, or on its control"
    loss, grad, params = as_functions(s, righted(s.program) if right else s.program, seed)
    try: report = diagnose_functions(loss, grad, params)
    except (TypeError, ValueError) as error: return Judgement(s.name, refused=f'{type(error).__name__}: {error}')
    return Judgement(s.name, not report.right, report=report)
