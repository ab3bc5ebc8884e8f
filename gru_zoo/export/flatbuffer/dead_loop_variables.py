"""Loop variables of a TFLite model that nothing reads.

`tf.while_loop` counts its iterations in a variable of its own, beside the one that a loop's
condition reads. TFLite adds one to it in every iteration, outside the part that XNNPACK runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from gru_zoo.export.flatbuffer.operators import builtin


def drop_dead_loop_variables(model: schema.ModelT) -> int:
    """Take out of each loop the variables that serve nothing but their own next value.

    Args:
        model: is changed; its results are the same.

    Returns:
        how many variables were dropped.

    Example:
        >>> drop_dead_loop_variables(schema.ModelT.InitFromPackedBuf(content))  # doctest: +SKIP
        1
    """
    before = 0
    for graph in model.subgraphs:
        for loop in graph.operators:
            code = model.operatorCodes[loop.opcodeIndex]
            if builtin(code) == schema.BuiltinOperator.WHILE:
                before += len(loop.inputs)
                _drop(model, graph, loop)
                before -= len(loop.inputs)
    return before


def _drop(model: schema.ModelT, graph: schema.SubGraphT, loop: schema.OperatorT) -> None:
    condition = model.subgraphs[loop.builtinOptions.condSubgraphIndex]
    body = model.subgraphs[loop.builtinOptions.bodySubgraphIndex]
    kept = []
    for place in range(len(loop.inputs)):
        read = _reads(graph, loop.outputs[place]) or _reads(condition, condition.inputs[place])
        step = None if read else _own_step(body, place)
        if step is None:
            kept.append(place)
        else:
            body.operators = [operator for operator in body.operators if operator is not step]
    for owner, sides in (
        (loop, ("inputs", "outputs")),
        (body, ("inputs", "outputs")),
        (condition, ("inputs",)),
    ):
        for side in sides:
            tensors = getattr(owner, side)
            setattr(owner, side, np.array([tensors[place] for place in kept], np.int32))


def _reads(graph: schema.SubGraphT, tensor: int) -> bool:
    """Return whether an operator of a graph, or who runs the graph, reads a tensor."""
    return tensor in graph.outputs or any(tensor in operator.inputs for operator in graph.operators)


def _own_step(body: schema.SubGraphT, place: int) -> Any:
    """Return the one operator that makes a variable's next value of it, and nothing else."""
    value, following = body.inputs[place], body.outputs[place]
    readers = [operator for operator in body.operators if value in operator.inputs]
    alone = (
        len(readers) == 1
        and list(readers[0].outputs) == [following]
        and list(body.outputs).count(following) == 1
        and value not in body.outputs
        and not any(following in operator.inputs for operator in body.operators)
    )
    return readers[0] if alone else None
