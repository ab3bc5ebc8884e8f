"""Which operator of TFLite an entry of a file's table of operators stands for."""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema

_NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}


def builtin(code: schema.OperatorCodeT) -> int:
    """Return the number of `schema.BuiltinOperator`.

    Numbers up to 127 stand in the field that runtimes before 2.4 read, larger ones in the other;
    the larger of both is meant.

    Example:
        >>> code = schema.OperatorCodeT()
        >>> code.deprecatedBuiltinCode = schema.BuiltinOperator.GATHER
        >>> builtin(code) == schema.BuiltinOperator.GATHER
        True
    """
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def name_of(code: schema.OperatorCodeT) -> str:
    """Return the operator's name in TFLite's schema.

    Example:
        >>> code = schema.OperatorCodeT()
        >>> code.builtinCode = schema.BuiltinOperator.GATHER
        >>> name_of(code)
        'GATHER'
    """
    return _NAMES[builtin(code)]
