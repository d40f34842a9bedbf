"""Small programs: a code-like family that stays out of the judge's training data.

An answer is a straight-line program with assertions; the checker evaluates it with a
little interpreter of its own, so nothing generated is ever executed by Python.
"""

from __future__ import annotations

import ast
import operator
import random
from collections.abc import Callable

from judge_lightning.micro.arithmetic import Step, chain
from judge_lightning.micro.grammar import Choice, Grammar, fill, parse

VARIABLES = ("x", "n", "value", "total")

_REQUESTS = {
    "add": "adds {a}",
    "subtract": "subtracts {a}",
    "multiply": "multiplies by {a}",
    "divide": "divides by {a}",
}
_UPDATES = {
    "add": "[{x} = {x} + {a}|{x} += {a}|{x} = {a} + {x}|{x} = ({x} + {a})]",
    "subtract": "[{x} = {x} - {a}|{x} -= {a}|{x} = -{a} + {x}|{x} = ({x} - {a})]",
    "multiply": "[{x} = {x} * {a}|{x} *= {a}|{x} = {a} * {x}|{x} = ({x} * {a})]",
    "divide": "[{x} = {x} // {a}|{x} //= {a}|{x} = ({x} // {a})|{x} = ({x}) // {a}]",
}
_COMMENTS = {
    "add": "# [plus|raise by|add|increase by] {a}\n",
    "subtract": "# [minus|lower by|subtract|decrease by] {a}\n",
    "multiply": "# [times|scale by|multiply by|repeat] {a}\n",
    "divide": "# [over|split by|divide by|share by] {a}\n",
}
_START = "# [start|begin|first|initial]\n{x} = {v}\n"
_ASSERTION = "\nassert [{x} == {w}|{w} == {x}|({x} == {w})|not {x} != {w}]\n"
_END = "print({x})"


def code_program(rng: random.Random) -> tuple[str, str, Grammar]:
    """Draws a request: its text, the value that must be printed, the right programs."""
    steps = chain(rng, rng.randint(3, 4), packs=False)
    requests = [_REQUESTS[step.kind].format(a=step.amount) for step in steps]
    text = (
        f"Write a program that starts with {steps[0].before}, "
        + ", ".join(requests)
        + ", asserts the value after each step and prints the result."
    )
    programs = tuple(_program(variable, steps) for variable in VARIABLES)
    return text, str(steps[-1].after), (Choice("variable", programs),)


def _program(variable: str, steps: list[Step]) -> Grammar:
    grammar = fill(parse(_START), {"x": variable, "v": steps[0].before})
    for step in steps:
        template = _COMMENTS[step.kind] + _UPDATES[step.kind] + _ASSERTION
        grammar += fill(parse(template), {"x": variable, "a": step.amount, "w": step.after})
    return grammar + fill(parse(_END), {"x": variable})


class _RefusedError(Exception):
    """The program uses something outside the little language, or an assertion fails."""


def printed_value(program: str) -> str | None:
    """What the program prints, or None when it is malformed, refused or asserts falsely.

    The language: integer literals, names, ``+ - * //``, unary minus, comparisons with
    ``== !=``, ``not``, assignments, ``assert`` and one final ``print(name)``.
    """
    try:
        return _evaluate(ast.parse(program.strip()))
    except (_RefusedError, SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return None


def _evaluate(module: ast.Module) -> str:
    values: dict[str, int] = {}
    for statement in module.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=expression):
                values[name] = _number(expression, values)
            case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=expression):
                values[name] = _apply(op, _number(target, values), _number(expression, values))
            case ast.Assert(test=test):
                if not _truth(test, values):
                    raise _RefusedError("assertion")
            case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=[value], keywords=[])):
                if statement is not module.body[-1]:
                    raise _RefusedError("print before the end")
                return str(_number(value, values))
            case _:
                raise _RefusedError(type(statement).__name__)
    raise _RefusedError("nothing printed")


_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


def _apply(op: ast.operator, left: int, right: int) -> int:
    if type(op) not in _OPERATORS:
        raise _RefusedError(type(op).__name__)
    result = _OPERATORS[type(op)](left, right)
    if abs(result) > 10**9:
        raise _RefusedError("number too large")
    return result


def _number(node: ast.expr, values: dict[str, int]) -> int:
    match node:
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            return value
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand, values)
        case ast.BinOp(left=left, op=op, right=right):
            return _apply(op, _number(left, values), _number(right, values))
    raise _RefusedError(type(node).__name__)


def _truth(node: ast.expr, values: dict[str, int]) -> bool:
    match node:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            return _number(left, values) == _number(right, values)
        case ast.Compare(left=left, ops=[ast.NotEq()], comparators=[right]):
            return _number(left, values) != _number(right, values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _truth(operand, values)
    raise _RefusedError(type(node).__name__)
