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

_SEQUENCES: dict[str, type] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
_ITERATORS = (types.GeneratorType, map, filter, zip, enumerate, reversed, type(iter([])))


class CannotCarry(Exception):  # noqa: N818  it is a fact, not a fault
    """A value that is no plain data, or bytes that are no value."""


def pack(value: Any, keep: Callable[[Any], Any] | None = None) -> Any:
    """A value as JSON can say it.

    Args:
        keep: Gives the number of an object that is no plain data; without it there is none.

    Raises:
        CannotCarry: The value is no plain data.
    """
    if value is None or isinstance(value, bool):
        return value
    # Subclasses become what they are subclasses of: their own methods stay behind.
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, list):
        return [pack(item, keep) for item in value]
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, (bytes, bytearray)):
        return {"bytearray" if isinstance(value, bytearray) else "bytes": value.hex()}
    if isinstance(value, dict):
        return {"dict": [[pack(key, keep), pack(item, keep)] for key, item in value.items()]}
    for name, kind in _SEQUENCES.items():
        if isinstance(value, kind):
            return {name: [pack(item, keep) for item in value]}
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if isinstance(value, _ITERATORS) or type(value).__name__ in ("dict_keys", "dict_values"):
        return {"iterator": [pack(item, keep) for item in _few(value)]}
    if keep is None:
        raise CannotCarry(f"{type(value).__name__} is no plain data")
    return {"object": keep(value)}


def unpack(packed: Any, find: Callable[[Any], Any] | None = None) -> Any:
    """The value that ``pack`` packed.

    Args:
        find: Gives the object, or what stands for it here, of a number.

    Raises:
        CannotCarry: It is nothing that ``pack`` makes.
    """
    if packed is None or isinstance(packed, (bool, int, float, str)):
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


def _build(kind: str, content: Any, find: Callable[[Any], Any] | None) -> Any:
    if kind == "object":
        if find is None:
            raise CannotCarry("no objects here")
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
