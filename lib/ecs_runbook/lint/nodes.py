"""A tree of tokens into bodies, blocks and expressions; templates too, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, cast

from lark import Token, Tree

from ecs_runbook.lint.grammar import OPERATORS, Fault, tree_of
from ecs_runbook.lint.numbers import number
from ecs_runbook.lint.spans import LISTENS, shifted, within
from ecs_runbook.lint.spelling import spelled
from ecs_runbook.lint.syntax import (
    Attribute,
    Binary,
    Body,
    Call,
    For,
    If,
    Index,
    Item,
    List,
    Literal,
    Name,
    Node,
    Object,
    RawBlock,
    Splat,
    Template,
    TemplateFor,
    TemplateIf,
    Unary,
    Unread,
    Written,
)

_LITERALS = {"true": True, "false": False, "null": None}
_ESCAPE = re.compile(r'\\(?:([nrt"\\])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.?))', re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def _trees(tree: Tree[Token]) -> list[Tree[Token]]:
    return [one for one in tree.children if isinstance(one, Tree) and one.data != "new_line_or_comment"]


def _has(tree: Tree[Token], kind: str) -> bool:
    return any(isinstance(one, Token) and one.type == kind for one in tree.children)


def _word(tree: Any) -> str:
    return str(tree.children[0])


def body_of(tree: Any, file: str) -> Body:
    """
    Return the attributes and blocks of a body's tree.

    Raises
    ------
    Fault
        An attribute is set twice, or something else that the grammar lets through is wrong.
    """
    body = Body()
    ended, ends_line = 0, True
    for one in _trees(tree):
        line = _line(one)
        if line < ended or (line == ended and not ends_line):
            raise Fault(line, "a new line is missing before this")
        last = _last(one)
        ended, ends_line = last.end_line or 0, last.endswith("\n")
        if one.data == "attribute":
            name, expression = _trees(one)
            if _word(name) in body.attributes:
                raise Fault(line, f"{_word(name)} is set twice")
            written = body.attributes[_word(name)] = Written(_node(expression), file, line)
            if (listener := LISTENS.get()) is not None:
                listener.note(written, _first(one).start_pos or 0, last.end_pos or 0)
        else:
            *names, inside = _trees(one)
            words = [_label(name) for name in names]
            body.blocks.append(RawBlock(words[0], tuple(words[1:]), body_of(inside, file), file, line, ended))
    return body


def _line(tree: Any) -> int:
    """Return the line of the first token."""
    return _first(tree).line or 1


def _first(tree: Any) -> Token:
    while isinstance(tree, Tree):
        tree = next(one for one in tree.children if not (isinstance(one, Tree) and _is_empty(one)))
    assert isinstance(tree, Token)
    return tree


def _last(tree: Any) -> Token:
    """Return the last token that is neither a new line nor a comment: both may stand at an expression's end."""
    while isinstance(tree, Tree):
        tree = next(one for one in reversed(tree.children) if not (isinstance(one, Tree) and _is_empty(one)))
    assert isinstance(tree, Token)
    return tree


def _is_empty(tree: Tree[Token]) -> bool:
    return tree.data == "new_line_or_comment" or not tree.children


def _label(tree: Tree[Token]) -> str:
    if tree.data != "string":
        return _word(tree)
    told = _string(tree)
    if not (isinstance(told, Literal) and isinstance(told.value, str)):
        raise Fault(_line(tree), "a block's label is a plain text")
    return told.value


def _node(tree: Any) -> Node:
    made = _NODES[tree.data](tree)
    if (listener := LISTENS.get()) is not None:
        listener.note(made, _first(tree).start_pos or 0, _last(tree).end_pos or 0)
    return made


def _term(tree: Any) -> Node:
    return _node(_trees(tree)[0])


def _call(tree: Any) -> Node:
    names, arguments, spread = [], (), False
    for one in _trees(tree):
        if one.data == "identifier":
            names.append(_word(one))
        else:
            arguments = tuple(_node(argument) for argument in _trees(one))
            spread = _has(one, "ELLIPSIS")
    return Call("::".join(names), arguments, spread)


def _binary(tree: Any) -> Node:
    left, term = _trees(tree)
    operator, right = _trees(term)
    return Binary(OPERATORS[cast(Token, operator.children[0]).type], _node(left), _node(right))


def _steps(trees: Sequence[Any]) -> list[Node]:
    """Return the steps of a splat: a name, or the expression of an index."""
    return [_word(_trees(one)[0]) if one.data == "get_attr" else _key(one) for one in trees]


def _key(tree: Any) -> Node:
    if tree.data == "short_index":
        return Literal(int(next(str(one) for one in tree.children if isinstance(one, Token) and one.type != "DOT")))
    return _node(_trees(tree)[0])


def _attribute_splat(tree: Any) -> Node:
    of, splat = _trees(tree)
    steps = _trees(splat)
    # an index in brackets after `.*` is of the whole list; after `[*]` it is of each
    here = next((at for at, one in enumerate(steps) if one.data == "braces_index"), len(steps))
    told: Node = Splat(_node(of), tuple(_steps(steps[:here])))
    for one in steps[here:]:
        told = Attribute(told, _word(_trees(one)[0])) if one.data == "get_attr" else Index(told, _key(one))
    return told


def _full_splat(tree: Any) -> Node:
    of, splat = _trees(tree)
    return Splat(_node(of), tuple(_steps(_trees(splat))))


def _object(tree: Any) -> Node:
    items = []
    for one in _trees(tree):
        key, value = _trees(one)
        items.append(Item(_object_key(key), _node(value), _line(one)))
    return Object(tuple(items))


def _object_key(tree: Any) -> Node:
    inside = tree.children[0]
    if inside.data in ("keyword", "identifier"):
        return Literal(_word(inside))
    told = _node(inside)
    if isinstance(told, Name) and not _has(inside, "LPAR"):
        return Literal(told.name)
    return told


def _for(tree: Any) -> Node:
    intro, *rest = _trees(tree)
    *names, over = _trees(intro)
    condition = _node(_trees(rest.pop())[0]) if rest[-1].data == "for_cond" else None
    key, value = ("", _word(names[0])) if len(names) == 1 else (_word(names[0]), _word(names[1]))
    made = [_node(one) for one in rest]
    return For(
        key, value, _node(over), made[0] if len(made) == 2 else None, made[-1], condition, _has(tree, "ELLIPSIS")
    )


def _number(tree: Any) -> Node:
    return Literal(number(Fraction(_word(tree))))


def _unary(tree: Any) -> Node:
    of = _node(_trees(tree)[0])
    operator = str(tree.children[0])
    if operator == "-" and isinstance(of, Literal) and isinstance(of.value, int) and not isinstance(of.value, bool):
        return Literal(-of.value)
    return Unary(operator, of)


def _string(tree: Any) -> Node:
    flat: list[Any] = []
    for part in _trees(tree):
        inside = part.children[0]
        if isinstance(inside, Token):
            text = str(inside)
            with within(shifted(inside.start_pos or 0)):
                told = list(_flat(text, inside.line or 1)) if _OPENS.search(text) else [text]
            flat += [_unescaped(one, inside.line or 1) if isinstance(one, str) else one for one in told]
        else:
            flat.append(_directive(inside))
    _trim(flat)
    return assembled(flat, _line(tree))


def _directive(tree: Any) -> tuple[Any, ...]:
    kind = tree.data
    inside = _trees(tree)
    opens = any(isinstance(one, Token) and one.type == "STRIP_MARKER" for one in tree.children[:2])
    closes = any(isinstance(one, Token) and one.type == "STRIP_MARKER" for one in tree.children[2:])
    if kind == "interpolation":
        return ("", opens, closes, _node(inside[0]))
    if kind == "template_if_start":
        return ("if", opens, closes, _node(inside[0]))
    if kind == "template_for_start":
        *names, over = inside
        words = [_word(name) for name in names]
        return ("for", opens, closes, words[0] if len(words) == 2 else "", words[-1], _node(over))
    return (kind.removeprefix("template_"), opens, closes)


def _unescaped(text: str, line: int) -> str:
    if "\\" not in text:
        return text

    def one(found: re.Match[str]) -> str:
        simple, short, long, other = found.groups()
        if simple:
            return _ESCAPED[simple]
        if short or long:
            code = int(short or long, 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise Fault(line, f"{found.group()} is no character")
            return chr(code)
        raise Fault(line, f"\\{other} is no escape in HCL")

    return _ESCAPE.sub(one, text)


def _heredoc(tree: Any) -> Node:
    token = tree.children[0]
    mark, _, rest = str(token).partition("\n")
    # the last line is the closing mark
    lines = rest.removesuffix("\n").split("\n")[:-1]
    text = "".join(line + "\n" for line in lines)
    with within(shifted((token.start_pos or 0) + len(mark) + 1)):
        return _heredoc_template(text, trims=mark.startswith("<<-"), line=(token.line or 1) + 1)


def _heredoc_template(text: str, *, trims: bool, line: int) -> Node:
    # each line is a piece of its own: what `~` takes away ends with its line
    flat = [piece for part in _flat(text, line) for piece in _lines(part)]
    _trim(flat)
    if trims:
        _unindent(flat)
    made = assembled(flat, line)
    return Template(made.parts if isinstance(made, Template) else (made,), line)


def _lines(part: Any) -> list[Any]:
    return re.findall(r"[^\n]*\n|[^\n]+", part) if isinstance(part, str) else [part]


def _unindent(flat: list[Any]) -> None:
    """
    Take from each line the indentation that all share.

    A line of nothing but space does not count; a line that begins with an interpolation has none; and what follows
    a ``~`` that has taken a line's end away begins no line.
    """
    begins: list[int] = []
    least: int | None = None
    starts = True
    for at, part in enumerate(flat):
        if starts and not isinstance(part, str):
            least = 0
        elif starts and (part.strip() or not part.endswith("\n")):
            begins.append(at)
            blank = len(part) - len(part.lstrip())
            least = blank if least is None else min(least, blank)
        starts = isinstance(part, str) and part.endswith("\n")
    for at in begins:
        flat[at] = flat[at][least or 0 :]


def template(text: str, line: int) -> Node:
    """
    Read a template that has no quotes around it: what stands in a heredoc, in JSON, or in a file.

    Raises
    ------
    Fault
        Something in it is not well-formed.

    Examples
    --------
    >>> template("a-${var.b}", 1).parts
    (Literal(value='a-'), Attribute(of=Name(name='var'), name='b'))
    """
    flat = list(_flat(text, line))
    _trim(flat)
    return assembled(flat, line)


def expression(text: str, line: int = 1) -> Node:
    """
    Read one expression.

    Examples
    --------
    >>> expression("a.b")
    Attribute(of=Name(name='a'), name='b')
    """
    try:
        with within(shifted(-len(_BEFORE))):
            body = body_of(tree_of(spelled(f"{_BEFORE}{text}\n)")).children[0], "")
    except Fault as fault:
        raise Fault(line + max(fault.line - 2, 0), fault.because) from None
    return body.attributes["x"].value


_BEFORE = "x = (\n"


_OPENS = re.compile(r"\$\$\{|%%\{|\$\{|%\{")
_IF = re.compile(r"\s*if\b(.*)\Z", re.DOTALL)
_FOR = re.compile(r"\s*for\s+([\w-]+)\s*(?:,\s*([\w-]+)\s*)?in\b(.*)\Z", re.DOTALL)


def _flat(text: str, line: int) -> Iterator[Any]:
    at = 0
    held = ""
    while True:
        found = _OPENS.search(text, at)
        if found is None:
            break
        held += text[at : found.start()]
        mark = found.group()
        at = found.end()
        if len(mark) == 3:
            held += mark[1:]
            continue
        here = line + text.count("\n", 0, found.start())
        end = _closing(text, at, here)
        inside = text[at:end]
        at = end + 1
        opens, closes = inside.startswith("~"), inside.endswith("~")
        begins = found.end() + (1 if opens else 0)
        inside = inside[1 if opens else 0 : len(inside) - (1 if closes else 0)]
        if held:
            yield held
            held = ""
        with within(shifted(begins)):
            told = _marked(mark, inside, opens, closes, here)
        yield told
    held += text[at:]
    if held:
        yield held


def _marked(mark: str, inside: str, opens: bool, closes: bool, line: int) -> tuple[Any, ...]:
    if mark == "${":
        return ("", opens, closes, expression(inside, line))
    plain = spelled(inside).plain
    if plain.strip() in ("else", "endif", "endfor"):
        return (plain.strip(), opens, closes)
    if found := _IF.match(plain):
        with within(shifted(found.start(1))):
            return ("if", opens, closes, expression(inside[found.start(1) :], line))
    if found := _FOR.match(plain):
        first, second, over = (inside[slice(*found.span(at))] for at in (1, 2, 3))
        with within(shifted(found.start(3))):
            return ("for", opens, closes, first if second else "", second or first, expression(over, line))
    raise Fault(line, f"%{{{inside[:40]}}} is no directive of a template")


def _closing(text: str, at: int, line: int) -> int:
    """Return where the brace that was opened before *at* is closed; strings and comments are skipped."""
    closers = ["}"]
    while at < len(text):
        char = text[at]
        if closers[-1] == '"':
            if char == "\\":
                at += 1
            elif char == '"':
                closers.pop()
            elif text.startswith(("$${", "%%{"), at):
                at += 2
            elif text.startswith(("${", "%{"), at):
                closers.append("}")
                at += 1
        elif char == '"':
            closers.append('"')
        elif char == "{":
            closers.append("}")
        elif char == "}":
            closers.pop()
            if not closers:
                return at
        elif char == "#" or text.startswith("//", at):
            at = text.find("\n", at)
            if at < 0:
                break
        elif text.startswith("/*", at):
            at = text.find("*/", at)
            if at < 0:
                break
            at += 1
        at += 1
    raise Fault(line, "a template that is opened here is not closed")


def assembled(flat: list[Any], line: int) -> Node:
    """Return the template that these parts in a row make: texts, interpolations and directives."""
    parts, _ = _nested(flat, 0, (), line)
    if not parts:
        return Literal("")
    if len(parts) == 1 and isinstance(parts[0], Literal):
        return parts[0]
    return Template(tuple(parts))


def _trim(flat: list[Any]) -> None:
    for at, part in enumerate(flat):
        if isinstance(part, str):
            continue
        if part[1] and at and isinstance(flat[at - 1], str):
            flat[at - 1] = flat[at - 1].rstrip()
        if part[2] and at + 1 < len(flat) and isinstance(flat[at + 1], str):
            flat[at + 1] = flat[at + 1].lstrip()


def _nested(flat: list[Any], at: int, ends: tuple[str, ...], line: int) -> tuple[list[Node], int]:
    parts: list[Node] = []
    while at < len(flat):
        part = flat[at]
        if isinstance(part, str):
            if part:
                if parts and isinstance(parts[-1], Literal) and isinstance(parts[-1].value, str):
                    parts[-1] = Literal(parts[-1].value + part)
                else:
                    parts.append(Literal(part))
        elif part[0] == "":
            parts.append(part[3] if not isinstance(part[3], Literal) else Template((part[3],)))
        elif part[0] == "if":
            yes, at = _nested(flat, at + 1, ("else", "endif"), line)
            no: list[Node] = []
            if flat[at][0] == "else":
                no, at = _nested(flat, at + 1, ("endif",), line)
            parts.append(TemplateIf(part[3], tuple(yes), tuple(no)))
        elif part[0] == "for":
            inside, at = _nested(flat, at + 1, ("endfor",), line)
            parts.append(TemplateFor(part[3], part[4], part[5], tuple(inside)))
        elif part[0] in ends:
            return parts, at
        else:
            raise Fault(line, f"%{{ {part[0]} }} has nothing before it that it could end")
        at += 1
    if ends:
        raise Fault(line, f"%{{ {ends[-1]} }} is missing")
    return parts, at


_NODES: dict[str, Callable[[Any], Node]] = {
    "expr_term": _term,
    "conditional": lambda tree: If(*map(_node, _trees(tree))),
    "binary_op": _binary,
    "unary_op": _unary,
    "int_lit": _number,
    "float_lit": _number,
    "string": _string,
    "template_string": lambda _: Unread("a string with escaped quotes in a template's directive is not understood"),
    "tuple": lambda tree: List(tuple(Item(None, _node(one), _line(one)) for one in _trees(tree))),
    "object": _object,
    "identifier": lambda tree: Name(_word(tree)),
    "keyword": lambda tree: Name(_word(tree)),
    "literal_value": lambda tree: Literal(_LITERALS[_word(tree)]),
    "function_call": _call,
    "heredoc_template": _heredoc,
    "heredoc_template_trim": _heredoc,
    "index_expr_term": lambda tree: Index(_node(_trees(tree)[0]), _key(_trees(tree)[1])),
    "get_attr_expr_term": lambda tree: Attribute(_node(_trees(tree)[0]), _word(_trees(_trees(tree)[1])[0])),
    "attr_splat_expr_term": _attribute_splat,
    "full_splat_expr_term": _full_splat,
    "for_tuple_expr": _for,
    "for_object_expr": _for,
}
