"""Values that travel between the tests and the tested program, as JSON with types.

Only plain data goes across as itself. What arrives is built from this side's own types, so a
tested program cannot return an object that calls itself equal to everything. Everything else
stays where it is, and a number stands for it.
"""

from __future__ import annotations

import json
import os
import struct
import types
from collections.abc import Callable, Iterator
from typing import Any

LONGEST = 16 * 2**20
"""Bytes of one message."""

_MOST_ITEMS = 100_000
"""An iterator is sent as its items, up to this many."""

_SEQUENCES: dict[str, type[Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}
_ITERATORS: tuple[type, ...] = (
    *(types.GeneratorType, map, filter, zip, enumerate, reversed, type(iter([]))),
    *(type({}.keys()), type({}.values()), type({}.items())),
)

_Again = Callable[[Any], Any]
_PLAIN: tuple[tuple[type | tuple[type, ...], Callable[[Any, _Again], Any]], ...] = (
    ((bool, type(None)), lambda value, again: value),
    # Subclasses become what they are subclasses of: their own methods stay behind.
    (int, lambda value, again: int(value)),
    (float, lambda value, again: float(value)),
    (str, lambda value, again: str.__str__(value)),
    (list, lambda value, again: [again(item) for item in value]),
    (complex, lambda value, again: {"complex": [value.real, value.imag]}),
    (bytes, lambda value, again: {"bytes": value.hex()}),
    (bytearray, lambda value, again: {"bytearray": value.hex()}),
    (dict, lambda value, again: {"dict": [[again(key), again(value[key])] for key in value]}),
    (tuple, lambda value, again: {"tuple": [again(item) for item in value]}),
    (set, lambda value, again: {"set": [again(item) for item in value]}),
    (frozenset, lambda value, again: {"frozenset": [again(item) for item in value]}),
    (range, lambda value, again: {"range": [value.start, value.stop, value.step]}),
    (_ITERATORS, lambda value, again: {"iterator": [again(item) for item in _few(value)]}),
)


class CannotCarry(Exception):  # noqa: N818  it is a fact, not a fault
    """A value that is no plain data, or bytes that are no value."""


def pack(value: Any, keep: Callable[[Any], Any]) -> Any:
    """A value as JSON can say it.

    Args:
        keep: Gives what stands for an object that is no plain data, or raises ``CannotCarry``.
    """
    for kinds, packed in _PLAIN:
        if isinstance(value, kinds):
            return packed(value, lambda item: pack(item, keep))
    return {"object": keep(value)}


def unpack(packed: Any, find: Callable[[Any], Any]) -> Any:
    """The value that ``pack`` packed.

    Args:
        find: Gives the object, or what stands for it here, of a number.

    Raises:
        CannotCarry: It is nothing that ``pack`` makes.
    """
    if packed is None or isinstance(packed, (int, float, str)):
        return packed
    if isinstance(packed, list):
        return [unpack(item, find) for item in packed]
    try:
        ((kind, content),) = packed.items()
        return _build(kind, content, find)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise CannotCarry(f"no value: {error}") from error


def send(descriptor: int, message: Any) -> None:
    """Writes one message: its length in 4 bytes, then JSON in ASCII.

    Raises:
        CannotCarry: It is too long, or nested too deeply.
    """
    try:
        data = json.dumps(message).encode("ascii")
    except (RecursionError, ValueError) as error:
        raise CannotCarry(f"no JSON: {error}") from error
    if len(data) > LONGEST:
        raise CannotCarry(f"{len(data)} bytes are too many")
    data = struct.pack("<I", len(data)) + data
    while data:
        data = data[os.write(descriptor, data) :]


def receive(descriptor: int) -> Any:
    """Reads one message.

    Raises:
        EOFError: The other side has ended.
        CannotCarry: It is no message.
    """
    (length,) = struct.unpack("<I", _read(descriptor, 4))
    if length > LONGEST:
        raise CannotCarry(f"{length} bytes are too many")
    try:
        return json.loads(_read(descriptor, length).decode("ascii"))
    except (RecursionError, ValueError) as error:
        raise CannotCarry(f"no JSON: {error}") from error


def _build(kind: str, content: Any, find: Callable[[Any], Any]) -> Any:
    if kind == "object":
        return find(content)
    if kind in ("bytes", "bytearray"):
        data = bytes.fromhex(content)
        return data if kind == "bytes" else bytearray(data)
    if kind == "complex":
        return complex(*content)
    if kind == "range":
        return range(*content)
    if kind == "dict":
        return {unpack(key, find): unpack(item, find) for key, item in content}
    items = [unpack(item, find) for item in content]
    return iter(items) if kind == "iterator" else _SEQUENCES[kind](items)


def _few(items: Any) -> Iterator[Any]:
    for count, item in enumerate(items):
        if count == _MOST_ITEMS:
            raise CannotCarry(f"an iterator of more than {_MOST_ITEMS} items")
        yield item


def _read(descriptor: int, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = os.read(descriptor, min(count - len(data), 2**16))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)
