"""The tests' side: they run here, and the tested program is only ever asked from here.

The program's process holds neither the tests nor the pipe on which the verdict leaves, so the
one way to pass is to answer every call of the tests with what they expect.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from judge_lightning.sandbox.carriage import CannotCarry, pack, receive, send, unpack

PASSED, FAILED, UNDECIDED = "passed", "failed", "undecided"

ENDED = "ended before the tests were over"


class _Ended(BaseException):
    """The program has ended: no test may catch it by catching Exception."""


class _BadTests(BaseException):
    """The tests ask for something that cannot be asked across."""


class _Connection:
    """Asks the tested program. ``calls`` counts its calls."""

    def __init__(self, asked: int, answered: int) -> None:
        self._asked, self._answered = asked, answered
        self.calls = 0

    def loaded(self) -> None:
        """Waits until the program is loaded, or raises what loading it raised."""
        self._answer()

    def ask(self, what: str, subject: int, **more: Any) -> dict[str, Any]:
        try:
            send(self._asked, {"do": what, "of": subject, **more})
        except BrokenPipeError as error:
            raise _Ended from error
        return self._answer()

    def call(self, subject: int, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        self.calls += 1
        answer = self.ask(
            "call",
            subject,
            arguments=[self.pack(argument) for argument in arguments],
            named={name: self.pack(value) for name, value in named.items()},
        )
        for place, packed in answer.get("changed", {}).items():
            _refill(arguments[int(place)], self.unpack(packed))
        return self.unpack(answer["done"])

    def pack(self, value: Any) -> Any:
        try:
            return pack(value, _number)
        except CannotCarry as error:
            raise _BadTests(str(error)) from error

    def unpack(self, packed: Any) -> Any:
        return unpack(packed, lambda object_: _Remote(self, int(object_[0])))

    def _answer(self) -> dict[str, Any]:
        try:
            answer = receive(self._answered)
        except EOFError as error:
            raise _Ended from error
        if "raised" in answer:
            raise _raised(str(answer["raised"]), str(answer["text"]))
        if "done" not in answer:
            raise CannotCarry("an answer without a value")
        return dict(answer)


class _Remote:
    """Stands for a function, class or object of the program."""

    def __init__(self, connection: _Connection, number: int) -> None:
        object.__setattr__(self, "_connection", connection)
        object.__setattr__(self, "_number", number)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._connection.call(self._number, arguments, named)

    def __getattr__(self, name: str) -> Any:
        connection = self._connection
        return connection.unpack(connection.ask("get", self._number, name=name)["done"])

    def __setattr__(self, name: str, value: Any) -> None:
        connection = self._connection
        connection.ask("set", self._number, name=name, value=connection.pack(value))

    def __len__(self) -> int:
        return int(self.__getattr__("__len__")())

    def __getitem__(self, key: Any) -> Any:
        return self.__getattr__("__getitem__")(key)

    def __iter__(self) -> Iterator[Any]:
        # A loop over an endless iterator is the program's own fault, as its items are its answer.
        step = self.__getattr__("__iter__")().__getattr__("__next__")
        while True:
            try:
                yield step()
            except StopIteration:
                return

    def __bool__(self) -> bool:
        return True


def judge(tests: dict[str, str], asked: int, answered: int) -> dict[str, str]:
    """Runs the tests and says what came of them.

    Args:
        tests: ``test``: code that raises where the program is wrong, or defines
            ``check(candidate)`` that does; ``entry_point``: the function that is tested, or
            empty; ``context``: code of the task that the tests may use.
        asked: Descriptor that questions to the program are written to.
        answered: Descriptor that its answers are read from.

    Returns:
        ``verdict`` (passed, failed or undecided), ``reason`` and ``detail``.
    """
    sys.set_int_max_str_digits(0)
    random.seed(0)
    connection = _Connection(asked, answered)
    try:
        run = _prepare(tests)
    except (SyntaxError, ValueError, RecursionError) as error:
        return _verdict(UNDECIDED, "the tests are no Python", str(error))
    try:
        connection.loaded()
        run(connection)
    except BaseException as error:
        return _what_went_wrong(error)
    if connection.calls == 0:
        return _verdict(UNDECIDED, "the tests never call the program")
    return _verdict(PASSED, "")


def _what_went_wrong(error: BaseException) -> dict[str, str]:
    if isinstance(error, _Ended):
        return _verdict(FAILED, ENDED)
    if isinstance(error, _BadTests):
        return _verdict(UNDECIDED, "the tests hand over what cannot be carried", str(error))
    if isinstance(error, AssertionError):
        reason = "an assertion failed"
    elif isinstance(error, CannotCarry):
        reason = "an answer is no plain data"
    else:
        reason = f"raised {type(error).__name__}"
    return _verdict(FAILED, reason, str(error))


def _prepare(tests: dict[str, str]) -> Callable[[_Connection], None]:
    source = _completed(tests["context"])
    context, test = _code(source, "context"), _code(tests["test"], "tests")
    entry_point = tests["entry_point"]
    names = _names(source) | _names(tests["test"])

    def run(connection: _Connection) -> None:
        scope: dict[str, Any] = {"__name__": "tests"}
        for name in sorted(names - set(dir(builtins))):
            scope.update(_find(connection, name))
        exec(context, scope)
        if entry_point:
            found = _find(connection, entry_point, anything=True)
            if entry_point not in found:
                raise NameError(f"the program has no {entry_point}")
            scope.update(found)
        # Only a check that the tests define: one of the program's would accept anything.
        if entry_point != "check":
            scope.pop("check", None)
        exec(test, scope)
        if "check" in scope and entry_point not in ("", "check"):
            scope["check"](scope[entry_point])

    return run


def _completed(stub: str) -> str:
    """A prompt may end in a function's head: what is asked for is its body."""
    try:
        ast.parse(stub)
    except SyntaxError:
        return f"{stub}\n    pass\n"
    return stub


def _code(source: str, name: str) -> Any:
    return compile(source, f"<{name}>", "exec", dont_inherit=True, optimize=0)


def _names(source: str) -> set[str]:
    nodes = ast.walk(ast.parse(source))
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def _find(connection: _Connection, name: str, anything: bool = False) -> dict[str, Any]:
    """The program's object of that name, if it has one; the standard library's own modules."""
    if name in sys.stdlib_module_names and not anything:
        return {name: importlib.import_module(name)}
    if not connection.ask("find", 0, name=name)["done"]:
        return {}
    return {name: connection.unpack(connection.ask("get", 0, name=name)["done"])}


def _number(value: Any) -> int:
    if isinstance(value, _Remote):
        return int(object.__getattribute__(value, "_number"))
    raise CannotCarry(f"{type(value).__name__} is no plain data")


def _refill(argument: Any, now: Any) -> None:
    if type(now) is not type(argument):
        raise CannotCarry("an argument changed its type")
    if isinstance(argument, (list, bytearray)):
        argument[:] = now
    else:
        argument.clear()
        argument.update(now)


def _raised(name: str, text: str) -> Exception:
    """The program's exception, of this side's own class of that name."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        with suppress(TypeError):
            return kind(text)
    # One that ends the program must not end the tests; others take more than a text.
    return RuntimeError(f"{name}: {text}")


def _verdict(verdict: str, reason: str, detail: str = "") -> dict[str, str]:
    return {"verdict": verdict, "reason": reason, "detail": detail[:1000]}
