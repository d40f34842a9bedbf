"""The tested program's side: it is loaded, and what the tests ask of it is done.

Nothing here is a secret or a safeguard: the program shares this process and may change all of
it. What it can reach by that is to answer the tests' calls, which is what it is for.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from judge_lightning.sandbox.carriage import CannotCarry, pack, receive, send, unpack

MODULE = "solution"


def serve(solution: str, asked: int, answered: int) -> None:
    """Loads the program and answers until the tests are over.

    Args:
        asked: Descriptor that questions are read from.
        answered: Descriptor that answers are written to.
    """
    sys.set_int_max_str_digits(0)
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    try:
        exec(compile(solution, f"<{MODULE}>", "exec", dont_inherit=True), module.__dict__)
    except BaseException as error:
        send(answered, _raised(error))
        return
    send(answered, {"done": None})
    objects = _Objects(module)
    while True:
        try:
            question = receive(asked)
        except EOFError:
            return
        try:
            answer = objects.answer(question)
            send(answered, answer)
        except BaseException as error:
            send(answered, _raised(error))


class _Objects:
    """The objects that the tests hold, by number; number 0 is the program's module."""

    def __init__(self, module: types.ModuleType) -> None:
        self._objects: list[Any] = [module]

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        subject = self._objects[question["of"]]
        match question["do"]:
            case "find":
                found = hasattr(subject, question["name"])
                return {"done": found}
            case "get":
                return {"done": self._pack(getattr(subject, question["name"]))}
            case "set":
                setattr(subject, question["name"], self._unpack(question["value"]))
                return {"done": None}
            case "call":
                return self._call(subject, question)
        raise CannotCarry(f"cannot {question['do']}")

    def _call(self, function: Any, question: dict[str, Any]) -> dict[str, Any]:
        arguments = [self._unpack(argument) for argument in question["arguments"]]
        named = {name: self._unpack(value) for name, value in question["named"].items()}
        done = self._pack(function(*arguments, **named))
        # A function may have changed the lists that it was given: the tests may look at them.
        changed = {}
        for place, sent in enumerate(question["arguments"]):
            if isinstance(arguments[place], (list, dict, set, bytearray)):
                now = self._pack(arguments[place])
                if now != sent:
                    changed[place] = now
        return {"done": done, "changed": changed}

    def _pack(self, value: Any) -> Any:
        return pack(value, self._keep)

    def _unpack(self, packed: Any) -> Any:
        return unpack(packed, self._objects.__getitem__)

    def _keep(self, value: Any) -> list[Any]:
        self._objects.append(value)
        return [len(self._objects) - 1, callable(value)]


def _raised(error: BaseException) -> dict[str, Any]:
    try:
        text = str(error)
    except Exception:
        text = ""
    # The tests can only catch what they know: a class of the program's own counts as its base.
    known = next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
    return {"raised": known.__name__, "text": text[:1000]}
