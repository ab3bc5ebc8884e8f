"""Tables of a FlatBuffer by slot numbers, for a schema that no generated Python code comes with.

table    a slot for each field; a field that is absent has its default value
field    a string, a table or a vector of tables by reference; a byte or a float by value
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import flatbuffers
import flatbuffers.number_types as types
from flatbuffers.table import Table


class Offset(int):
    """The place of a finished table or vector in a builder."""


def vector(builder: flatbuffers.Builder, tables: Sequence[Offset]) -> Offset:
    """Write a vector of tables.

    Example:
        >>> builder = flatbuffers.Builder(0)
        >>> isinstance(vector(builder, [table(builder, 1, {0: "a"})]), Offset)
        True
    """
    builder.StartVector(4, len(tables), 4)
    for place in reversed(tables):
        builder.PrependUOffsetTRelative(place)
    return Offset(builder.EndVector())


def table(
    builder: flatbuffers.Builder, slots: int, fields: Mapping[int, Offset | str | float | int]
) -> Offset:
    """Write a table.

    Args:
        builder: where to.
        slots: how many slots the schema gives the table.
        fields: slot -> string, `Offset`, float (32 bits) or int (one byte without sign).

    Example:
        >>> builder = flatbuffers.Builder(0)
        >>> _ = builder.Finish(table(builder, 3, {0: "name", 2: 0.5}))
        >>> Reader.root(bytes(builder.Output())).number(2)
        0.5
    """
    values = {
        slot: Offset(builder.CreateString(value)) if isinstance(value, str) else value
        for slot, value in fields.items()
    }
    builder.StartObject(slots)
    for slot, value in values.items():
        if isinstance(value, Offset):
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        elif isinstance(value, float):
            builder.PrependFloat32Slot(slot, value, 0.0)
        else:
            builder.PrependUint8Slot(slot, value, 0)
    return Offset(builder.EndObject())


class Reader:
    """A table, read by slot numbers.

    Args:
        data: the buffer.
        position: of the table in it.

    Example:
        >>> builder = flatbuffers.Builder(0)
        >>> _ = builder.Finish(table(builder, 1, {0: "name"}))
        >>> Reader.root(bytes(builder.Output())).string(0)
        'name'
    """

    def __init__(self, data: bytes, position: int) -> None:
        self._table = Table(data, position)

    @classmethod
    def root(cls, data: bytes) -> Reader:
        """Return the table a buffer begins with."""
        return cls(data, int.from_bytes(data[:4], "little"))

    def _place(self, slot: int) -> int | None:
        offset = self._table.Offset(4 + 2 * slot)
        return self._table.Pos + offset if offset else None

    def string(self, slot: int) -> str:
        """Return a string, "" where there is none."""
        place = self._place(slot)
        return "" if place is None else self._table.String(place).decode()

    def number(self, slot: int, kind: type = types.Float32Flags) -> float | int:
        """Return a number, 0 where there is none."""
        place = self._place(slot)
        return kind.py_type(0) if place is None else self._table.Get(kind, place)

    def child(self, slot: int) -> Reader:
        """Return a table.

        Raises:
            ValueError: there is none.
        """
        place = self._place(slot)
        if place is None:
            raise ValueError(f"the table must have a field {slot}; it has none.")
        return Reader(self._table.Bytes, self._table.Indirect(place))

    def children(self, slot: int) -> list[Reader]:
        """Return the tables of a vector, none where there is no vector."""
        offset = self._table.Offset(4 + 2 * slot)
        if not offset:
            return []
        start = self._table.Vector(offset)
        return [
            Reader(self._table.Bytes, self._table.Indirect(start + 4 * number))
            for number in range(self._table.VectorLen(offset))
        ]
