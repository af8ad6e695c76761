"""As much PromQL as the checks beside it need: which series an expression selects, and in which call."""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<range>\[[^\]]*\])|(?P<selection>\{)"""
    r"""|(?P<name>\$?[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<number>[0-9.]+(?:[eE][+-]?[0-9]+)?[a-zA-Z]*)"""
    r"""|(?P<sign>==|!=|=~|!~|<=|>=|.)""",
    re.S,
)
MATCHER = re.compile(r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')\s*,?""")
TAKES_LABELS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
WORDS = TAKES_LABELS | {"and", "or", "unless", "offset", "bool", "inf", "nan", "atan2", "start", "end"}


@dataclass
class Selector:
    """One vector selector: `call` is the function or aggregation right around it, `range` the text in its brackets."""

    name: str
    matchers: list
    range: str | None
    call: str | None
    text: str


def tokens(expression):
    at, found = 0, []
    while at < len(expression):
        match = TOKEN.match(expression, at)
        kind, text = match.lastgroup, match.group()
        if kind == "selection":
            end, quote = at + 1, None
            while end < len(expression) and (quote or expression[end] != "}"):
                if quote and expression[end] == "\\":
                    end += 1
                elif expression[end] in "\"'" and quote in (None, expression[end]):
                    quote = None if quote else expression[end]
                end += 1
            text = expression[at : end + 1]
        at += len(text)
        if kind != "space":
            found.append((kind, text))
    return found


def selectors(expression):
    """Every selector of an expression that parses; of another one, what can be made out."""
    listed, found, calls, aggregation, at = tokens(expression), [], [], None, 0

    def kind_at(place):
        return listed[place] if place < len(listed) else ("end", "")

    while at < len(listed):
        kind, text = listed[at]
        if kind == "name" and text.lower() in TAKES_LABELS:
            at += 1
            if kind_at(at)[1] == "(":
                while at < len(listed) and listed[at][1] != ")":
                    at += 1
                at += 1
            # In `sum by (a) (b)` the parenthesis that follows is the aggregation's.
            if kind_at(at)[1] == "(" and text.lower() in ("by", "without"):
                calls.append(aggregation)
                at += 1
            continue
        if kind == "name" and text.lower() not in WORDS:
            if kind_at(at + 1)[1] == "(":
                calls.append(text)
                at += 2
                continue
            if kind_at(at + 1)[1].lower() in ("by", "without"):
                aggregation = text
                at += 1
                continue
        if (kind == "name" and text.lower() not in WORDS) or kind == "selection":
            name, matchers, span = (text, [], None) if kind == "name" else ("", MATCHER.findall(text[1:-1]), None)
            whole = text
            if kind == "name" and kind_at(at + 1)[0] == "selection":
                at += 1
                whole += listed[at][1]
                matchers = MATCHER.findall(listed[at][1][1:-1])
            if kind_at(at + 1)[0] == "range":
                at += 1
                span = listed[at][1][1:-1].strip()
            matchers = [(label, sign, quoted[1:-1]) for label, sign, quoted in matchers]
            found.append(Selector(name, matchers, span, calls[-1] if calls else None, whole))
        elif text == "(":
            calls.append(None)
        elif text == ")" and calls:
            calls.pop()
        at += 1
    return found


def matching_after(listed, at):
    """The words by which an operator at a place matches its sides, `on (…) group_left (…)`, and where the last stands."""
    words, depth = [], 0
    while at + 1 < len(listed):
        text = listed[at + 1][1]
        is_list = depth > 0 or (text == "(" and words and words[-1].lower() in TAKES_LABELS)
        if not is_list and text.lower() not in TAKES_LABELS | {"bool"}:
            break
        depth += (text == "(") - (text == ")")
        at += 1
        if text != "bool":
            words.append(text)
    return words, at


def unfiltered(expression):
    """An alert's expression without what keeps it quiet: each comparison becomes a sum that needs both sides, and what
    was looked up in the past is looked up now. It answers wherever the alert could fire."""
    listed, kept, at = tokens(expression), [], 0
    while at < len(listed):
        kind, text = listed[at]
        if kind == "sign" and text in ("==", "!=", "<", ">", "<=", ">="):
            matching, at = matching_after(listed, at)
            kept += ["+", *matching, "0 *"]
        elif text == "offset":
            at += 1
        elif text != "bool":
            kept.append(text)
        at += 1
    return " ".join(kept)
