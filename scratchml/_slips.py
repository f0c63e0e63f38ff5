"""One slip at a time: a solution, each time with one small mistake in it.

Learners who are nearly right have made one slip: a term forgotten, a sign turned, one
name written for another. So make each of these in the solution, and see which one
behaves as theirs does. That names mistakes that nobody has listed before.
"""

import ast
import contextlib
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Slip(NamedTuple):
    """What went wrong, in words, and the source that has it."""

    words: str
    source: str


Change = tuple[str, str]  # what went wrong, and the code that stands there instead

FUNCTIONS = ("np.exp", "np.sqrt", "np.tanh", "np.abs", "np.log", "np.sign")
METHODS = ("sum", "mean", "max", "min", "prod")
OPERATORS = ("+", "-", "*", "/", "//", "@", "**")
COMPARISONS = (">", ">=", "<", "<=", "==", "!=")
LONGEST = 45  # characters of code that a sentence may quote


def slips(source: str, first: int, last: int) -> Iterator[Slip]:
    """Every slip in the lines `first` to `last` of a cell, the commonest kinds first.

    Lines count from 1, as Python's own do. Raises SyntaxError if it is not Python.
    """
    tree = ast.parse(source)
    places = [place for place in _places(tree) if first <= place.line <= last]
    scope = Scope(_variables(places), _expressions(places))
    for kind in KINDS:
        for place in places:
            for words, code in kind(place, scope):
                try:
                    place.put(_parsed(code, place.node))
                except SyntaxError:
                    continue
                yield Slip(words, ast.unparse(tree))
                place.put(place.node)


class Scope(NamedTuple):
    """What the lines have at hand: variables, and expressions they compute."""

    names: list[str]
    expressions: list[str]


class Place:
    """A node of the tree, what is around it, and how to put another one there."""

    def __init__(self, parent: ast.AST, node: ast.AST, put: Callable[[ast.AST], None]):
        self.parent = parent
        self.node = node
        self.put = put
        self.line = getattr(node, "lineno", 0)

    def code(self) -> str:
        return ast.unparse(self.node)

    def is_value(self) -> bool:
        """Is it an expression that is read, not a name that is assigned to?"""
        read = isinstance(getattr(self.node, "ctx", ast.Load()), ast.Load)
        return read and isinstance(self.node, ast.expr)


def _places(tree: ast.AST) -> Iterator[Place]:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, ast.AST):
                yield Place(parent, value, _set_field(parent, field))
            elif isinstance(value, list):
                for index, item in enumerate(value):
                    if isinstance(item, ast.AST):
                        yield Place(parent, item, _set_item(value, index))


def _set_field(parent: ast.AST, field: str) -> Callable[[ast.AST], None]:
    return lambda node: setattr(parent, field, node)


def _set_item(items: list[ast.AST], index: int) -> Callable[[ast.AST], None]:
    return lambda node: items.__setitem__(index, node)


def _parsed(code: str, like: ast.AST) -> ast.AST:
    """The code as a node of the same kind: a statement, a slice or an expression."""
    if isinstance(like, ast.stmt):
        return ast.parse(code).body[0]
    if isinstance(like, ast.Slice):
        index = ast.parse(f"a[{code}]", mode="eval").body
        assert isinstance(index, ast.Subscript)
        return index.slice
    return ast.parse(f"({code})", mode="eval").body


def _variables(places: list[Place]) -> list[str]:
    """The variables of these lines, `self.x` too, without what is called."""
    called = {id(p.node.func) for p in places if isinstance(p.node, ast.Call)}
    found: dict[str, None] = {}
    for place in places:
        node = place.node
        own = isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"
        if id(node) not in called and (isinstance(node, ast.Name) or own):
            found[place.code()] = None
    return [name for name in found if name not in ("np", "math", "self", "rng")]


def _expressions(places: list[Place]) -> list[str]:
    sums = [place.code() for place in places if isinstance(place.node, ast.BinOp)]
    return [code for code in dict.fromkeys(sums) if len(code) <= LONGEST]


def _quoted(code: str) -> str:
    with contextlib.suppress(SyntaxError):  # part of a line may be no expression
        code = ast.unparse(ast.parse(code, mode="eval"))
    short = code if len(code) <= LONGEST else f"{code[: LONGEST - 3]}..."
    return f"`{short}`"


def _within(part: str, whole: str) -> str:
    """A part of the code; a short one with what it stands in, so that one finds it."""
    return _quoted(part) if len(part) > 3 else f"{_quoted(part)} in {_quoted(whole)}"


# ----------------------------------------------------------------------- kinds of slips


def _statement(place: Place, scope: Scope) -> Iterator[Change]:
    """A line left out, one that overwrites, a condition that is always met."""
    node = place.node
    code = place.code()
    if isinstance(node, ast.AugAssign):
        target = ast.unparse(node.target)
        value = ast.unparse(node.value)
        yield f"`=` overwrites `{target}`", f"{target} = {value}"
        yield f"`+=` adds to `{target}`", f"{target} += {value}"
        yield f"`-=` takes away from `{target}`", f"{target} -= {value}"
        if isinstance(node.target, ast.Subscript):
            whole = ast.unparse(node.target.value)
            mark = code.split("=")[0].removeprefix(target).strip()
            yield (
                f"it goes to all of `{whole}`, not to `{target}`",
                (f"{whole} {mark}= {value}"),
            )
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.For):
        head = code.split("\n")[0]
        yield f"the line {_quoted(head)} is missing", "pass"
    if isinstance(node, ast.If):
        test = ast.unparse(node.test)
        always = code.replace(f"if {test}:", "if True:", 1)
        yield f"it happens always: `if {test}` is missing", always
        yield f"it never happens, whatever `{test}` is", "pass"


def _sum(place: Place, scope: Scope) -> Iterator[Change]:
    """A term forgotten, or with the wrong sign."""
    node = place.node
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add | ast.Sub):
        return
    a, b = ast.unparse(node.left), ast.unparse(node.right)
    plus = isinstance(node.op, ast.Add)
    yield f"the term {_within(b, place.code())} is missing", a
    yield f"the term {_within(a, place.code())} is missing", b if plus else f"-({b})"
    turned = f"({a}) - ({b})" if plus else f"({a}) + ({b})"
    yield f"{_within(b, place.code())} has the wrong sign", turned
    yield f"{_quoted(a)} and {_quoted(b)} are multiplied", f"({a}) * ({b})"
    if not plus:
        yield f"`{a} -` is missing before {_quoted(b)}", b
        yield f"{_quoted(a)} and {_quoted(b)} are exchanged", f"({b}) - ({a})"
    sign = "+" if plus else "-"
    right = node.right
    if isinstance(right, ast.BinOp):
        inner, outer = ast.unparse(right.left), ast.unparse(right.right)
        operator = _operator(right)
        whole = f"(({a}) {sign} ({inner})) {operator} ({outer})"
        yield f"{_quoted(whole)} where {_quoted(place.code())} belongs", whole


def _operator(node: ast.BinOp) -> str:
    same = [s for s in OPERATORS if _kind(f"a {s} b") is type(node.op)]
    return same[0]


def _kind(code: str) -> type:
    node = ast.parse(code, mode="eval").body
    assert isinstance(node, ast.BinOp)
    return type(node.op)


def _product(place: Place, scope: Scope) -> Iterator[Change]:
    """A factor forgotten, on the wrong side of the line, or added."""
    node = place.node
    if not isinstance(node, ast.BinOp):
        return
    a, b = ast.unparse(node.left), ast.unparse(node.right)
    whole = place.code()
    if isinstance(node.op, ast.Mult):
        yield f"the factor {_within(b, whole)} is missing", a
        yield f"the factor {_within(a, whole)} is missing", b
        yield f"{_within(b, whole)} divides: it must multiply", f"({a}) / ({b})"
        yield f"{_quoted(a)} and {_quoted(b)} are added", f"({a}) + ({b})"
        yield f"{_quoted(b)} is subtracted: it must multiply", f"({a}) - ({b})"
    if isinstance(node.op, ast.Div | ast.FloorDiv):
        yield f"the division by {_within(b, whole)} is missing", a
        yield f"{_within(b, whole)} multiplies: it must divide", f"({a}) * ({b})"
        yield f"the fraction is upside down: {_quoted(whole)}", f"({b}) / ({a})"
        yield f"{_quoted(b)} is subtracted: it must divide", f"({a}) - ({b})"
        yield f"{_quoted(a)} is missing above {_quoted(b)}", f"1 / ({b})"
    if isinstance(node.op, ast.MatMult):
        yield f"{_quoted(a)} and {_quoted(b)} are exchanged", f"({b}) @ ({a})"
        yield f"{_within(a, whole)} is missing", b
        yield f"{_within(b, whole)} is missing", a


def _brackets(place: Place, scope: Scope) -> Iterator[Change]:
    """A bracket that is missing around a sum in a fraction or a product."""
    node = place.node
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div | ast.Mult):
        return
    sign = "/" if isinstance(node.op, ast.Div) else "*"
    for side in (node.left, node.right):
        if isinstance(side, ast.BinOp) and isinstance(side.op, ast.Add | ast.Sub):
            first, last = ast.unparse(side.left), ast.unparse(side.right)
            inner = "+" if isinstance(side.op, ast.Add) else "-"
            if side is node.left:
                code = f"({first}) {inner} ({last}) {sign} ({ast.unparse(node.right)})"
            else:
                code = f"({ast.unparse(node.left)}) {sign} ({first}) {inner} ({last})"
            yield f"the bracket around {_quoted(ast.unparse(side))} is missing", code


def _power(place: Place, scope: Scope) -> Iterator[Change]:
    node = place.node
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Pow):
        return
    a, b = ast.unparse(node.left), ast.unparse(node.right)
    yield f"{_quoted(a)} lacks its exponent {_quoted(b)}", a
    yield f"`{a} * {b}` where `{a} ** {b}` belongs", f"({a}) * ({b})"
    yield f"{_quoted(a)} is cubed: square it", f"({a}) ** 3"


def _sign(place: Place, scope: Scope) -> Iterator[Change]:
    """A minus or a `~` forgotten, a comparison the other way round."""
    node = place.node
    if isinstance(node, ast.UnaryOp):
        inner = ast.unparse(node.operand)
        mark = place.code()[0]
        yield f"the `{mark}` before {_quoted(inner)} is missing", inner
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = ast.unparse(node.left), ast.unparse(node.comparators[0])
        for mark in COMPARISONS:
            made = f"{left} {mark} {right}"
            if made != place.code():
                yield f"{_quoted(made)} where {_quoted(place.code())} belongs", made


def _function(place: Place, scope: Scope) -> Iterator[Change]:
    """A function forgotten, taken twice, another one, or with too little inside."""
    node = place.node
    if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
        return
    name = ast.unparse(node.func)
    inner = ast.unparse(node.args[0])
    if not name.startswith("np."):
        return
    yield f"`{name}` is missing", inner
    yield f"`{name}` is taken twice", f"{name}({name}({inner}))"
    if name in FUNCTIONS:
        for other in FUNCTIONS:
            if other != name:
                yield f"`{other}` where `{name}` belongs", f"{other}({inner})"
    if name == "np.tanh":
        sigmoid = f"1 / (1 + np.exp(-({inner})))"
        yield "a sigmoid stands where `np.tanh` belongs", sigmoid
        yield "a ReLU stands where `np.tanh` belongs", f"np.maximum({inner}, 0)"
    yield from _inside(name, node.args[0])


def _inside(name: str, inner: ast.expr) -> Iterator[Change]:
    """What stands inside a function, partly outside."""
    if isinstance(inner, ast.Call) and len(inner.args) == 1:
        other = ast.unparse(inner.func)
        turned = f"{other}({name}({ast.unparse(inner.args[0])}))"
        yield f"`{name}` and `{other}` are in the wrong order", turned
    if not isinstance(inner, ast.BinOp) or isinstance(inner.op, ast.Pow):
        return
    a, b = ast.unparse(inner.left), ast.unparse(inner.right)
    mark = _operator(inner)
    outside = f"{name}({a}) {mark} ({b})"
    yield f"{_quoted(b)} stands outside `{name}(...)`", outside
    apart = f"{name}({a}) {mark} {name}({b})"
    yield f"`{name}` is taken of each part, not of the whole", apart
    if mark == "+":
        yield f"{_quoted(a)} stands outside `{name}(...)`", f"({a}) + {name}({b})"


def _method(place: Place, scope: Scope) -> Iterator[Change]:
    """A method forgotten or another one, arguments exchanged, an axis forgotten."""
    node = place.node
    if not isinstance(node, ast.Call):
        return
    function = ast.unparse(node.func)
    given = [ast.unparse(part) for part in [*node.args, *node.keywords]]
    for i in range(len(node.args) - 1):
        turned = [*given]
        turned[i], turned[i + 1] = given[i + 1], given[i]
        words = f"{_quoted(given[i])} and {_quoted(given[i + 1])} are exchanged"
        yield f"{words} in `{function}`", f"{function}({', '.join(turned)})"
    if function == "np.where" and len(given) == 3:
        yield f"it is {_quoted(given[1])} everywhere", given[1]
        yield f"it is {_quoted(given[2])} everywhere", given[2]
    if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
        owner = ast.unparse(node.func.value)
        name = node.func.attr
        yield f"`.{name}` is missing", owner
        yield f"it is the first alone, not the {name}", f"{owner}[0]"
        yield f"it is the last alone, not the {name}", f"{owner}[-1]"
        for other in METHODS:
            if other != name:
                made = f"{owner}.{other}({', '.join(given)})"
                yield f"it is the {other}, not the {name}", made
        if given:
            yield f"`{', '.join(given)}` is missing in `.{name}(...)`", f"{function}()"


def _index(place: Place, scope: Scope) -> Iterator[Change]:
    """A transpose or an index that is missing, or that is too much."""
    node = place.node
    if isinstance(node, ast.Attribute) and node.attr == "T":
        inner = ast.unparse(node.value)
        yield f"{_quoted(inner)} is not transposed", inner
    if isinstance(node, ast.Subscript) and place.is_value():
        index = ast.unparse(node.slice)
        yield f"`[{index}]` is missing", ast.unparse(node.value)
    if isinstance(node, ast.Name) and place.is_value():
        if isinstance(place.parent, ast.BinOp):
            yield f"`{node.id}` is transposed: it must not be", f"{node.id}.T"


def _slice(place: Place, scope: Scope) -> Iterator[Change]:
    """A slice that begins or ends one place off, or not at all."""
    node = place.node
    if not isinstance(node, ast.Slice) or node.step is not None:
        return
    begin = ast.unparse(node.lower) if node.lower else ""
    end = ast.unparse(node.upper) if node.upper else ""
    code = place.code()
    if begin:
        yield f"{_quoted(begin)} is missing in the slice {_quoted(code)}", f":{end}"
        yield f"the slice {_quoted(code)} begins too late", f"{begin} + 1:{end}"
        yield f"the slice {_quoted(code)} begins too early", f"{begin} - 1:{end}"
        for other in scope.names if begin in scope.names else ():
            turned = re.sub(rf"\b{re.escape(begin)}\b", other, code)
            if other != begin:
                yield f"`{other}` where `{begin}` belongs in the slice", turned
    if end:
        yield f"{_quoted(end)} is missing in the slice {_quoted(code)}", f"{begin}:"
        yield f"the slice {_quoted(code)} ends too late", f"{begin}:{end} + 1"
        yield f"the slice {_quoted(code)} ends too early", f"{begin}:{end} - 1"


def _constant(place: Place, scope: Scope) -> Iterator[Change]:
    """One number for another."""
    node = place.node
    if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
        return
    around = place.parent
    where = (
        f" in {_quoted(ast.unparse(around))}" if isinstance(around, ast.expr) else ""
    )
    value = str(node.value)
    for other in dict.fromkeys(("0", "1", "2", "3", "4", f"{value} / 2", f"-{value}")):
        if other != value:
            yield f"`{other}` where `{value}` belongs{where}", other


def _name(place: Place, scope: Scope) -> Iterator[Change]:
    """One name for another."""
    code = place.code()
    if not place.is_value() or code not in scope.names:
        return
    around = place.parent
    where = (
        f" in {_quoted(ast.unparse(around))}" if isinstance(around, ast.expr) else ""
    )
    for other in scope.names:
        if other != code:
            yield f"`{other}` where `{code}` belongs{where}", other


def _changed_first(place: Place, scope: Scope) -> Iterator[Change]:
    """A factor or a term that is changed before it is used."""
    if not place.is_value() or isinstance(place.node, ast.Constant | ast.Slice):
        return
    if not isinstance(place.parent, ast.BinOp | ast.Attribute):
        return
    code = place.code()
    what = _quoted(code)
    if isinstance(place.parent, ast.BinOp):
        yield f"{what} is squared: it must not be", f"({code}) ** 2"
        yield f"{what} is summed first", f"({code}).sum()"
        yield f"the mean of {what} is taken", f"({code}).mean()"
        yield f"{what} is halved", f"({code}) / 2"
        yield f"{what} is doubled", f"2 * ({code})"
    for function in FUNCTIONS:
        yield f"`{function}` around {what} is too much", f"{function}({code})"
    yield f"{what} is cut off at 0", f"np.maximum({code}, 0)"
    yield f"{what} runs backwards", f"({code})[::-1]"


def _too_much(place: Place, scope: Scope) -> Iterator[Change]:
    """Around a whole right-hand side: a term, a factor or a function too many."""
    if not _is_whole(place):
        return
    whole = f"({place.code()})"
    for name in scope.names:
        yield f"`{name}` is added where it does not belong", f"{whole} + {name}"
        yield f"`{name}` is subtracted where it does not belong", f"{whole} - {name}"
        yield f"the factor `{name}` is too much", f"{whole} * {name}"
        yield f"the division by `{name}` is too much", f"{whole} / {name}"
        yield f"the division by `len({name})` is too much", f"{whole} / len({name})"
    for function in (*FUNCTIONS, "np.round", "np.floor"):
        yield f"`{function}` is too much", f"{function}({whole})"
    for start in ("1 -", "1 +", "1 /", "2 *", "0.5 *"):
        yield f"`{start}` is too much", f"{start} {whole}"
    for method in METHODS:
        yield f"`.{method}()` is too much", f"{whole}.{method}()"
    yield "`.T` is too much", f"{whole}.T"
    for other in (*scope.names, *scope.expressions):
        if other != place.code():
            yield f"{_quoted(other)} stands where {_quoted(whole[1:-1])} belongs", other


def _is_whole(place: Place) -> bool:
    """Is it all that is returned, assigned, or given to a function?"""
    around = place.parent
    inside = ast.Return | ast.Assign | ast.AugAssign | ast.Tuple | ast.Call | ast.Dict
    if not isinstance(around, inside) or not place.is_value():
        return False
    if isinstance(place.node, ast.Constant | ast.Tuple):
        return False
    return not (isinstance(around, ast.Call) and around.func is place.node)


KINDS = (
    _statement,
    _sum,
    _product,
    _brackets,
    _power,
    _sign,
    _function,
    _method,
    _index,
    _slice,
    _constant,
    _name,
    _changed_first,
    _too_much,
)
