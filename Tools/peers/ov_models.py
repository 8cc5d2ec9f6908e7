# SPDX-License-Identifier: Apache-2.0
"""Builds a preset's encoder and language model as OpenVINO graphs with random weights."""

import numpy as np
import openvino as ov
from openvino import opset13 as op

RANDOM = np.random.default_rng(0)


def weight(rows: int, columns: int, dtype: type = np.float16) -> ov.Node:
    """A random constant `[rows, columns]`, as a converted checkpoint has it."""
    values = np.empty((rows, columns), dtype)
    for start in range(0, rows, 8192):
        part = RANDOM.random((min(8192, rows - start), columns), np.float32) * 2 - 1
        values[start : start + 8192] = part * np.float32(np.sqrt(3 / columns))
    node = op.constant(values)
    return node if dtype is np.float32 else op.convert(node, "f32")


def vector(count: int, center: float = 0.0) -> ov.Node:
    values = center + 0.02 * (RANDOM.random(count, np.float32) - 0.5)
    return op.constant(values.astype(np.float32))


def integers(*values: int) -> ov.Node:
    return op.constant(np.array(values, np.int64))


def linear(x: ov.Node, outputs: int, inputs: int, bias: bool, dtype: type = np.float16) -> ov.Node:
    y = op.matmul(x, weight(outputs, inputs, dtype), False, True)
    return op.add(y, vector(outputs)) if bias else y


def split_heads(x: ov.Node, heads: int, dim: int) -> ov.Node:
    """`[1, tokens, heads · dim]` to `[1, heads, tokens, dim]`."""
    parted = op.reshape(x, integers(0, 0, heads, dim), True)
    return op.transpose(parted, integers(0, 2, 1, 3))


def join_heads(x: ov.Node, width: int) -> ov.Node:
    return op.reshape(op.transpose(x, integers(0, 2, 1, 3)), integers(0, 0, width), True)


def activate(x: ov.Node, name: str) -> ov.Node:
    if name == "quick_gelu":
        return op.swish(x, op.constant(np.float32(1.702)))
    if name == "silu":
        return op.swish(x)
    return op.gelu(x, "tanh" if name == "gelu_tanh" else "erf")


def encoder(vision: dict) -> ov.Model:
    """Pixels `[1, 3, side, side]` to the rows that feed the adapter."""
    side, patch, hidden = vision["image_side"], vision["patch_side"], vision["hidden"]
    heads, ffn, epsilon = vision["heads"], vision["ffn"], vision["epsilon"]
    pixels = op.parameter([1, 3, side, side], np.float32, "pixels")
    kernel = RANDOM.standard_normal((hidden, 3, patch, patch)).astype(np.float32) * 0.04
    grid = op.convolution(pixels, op.constant(kernel), [patch] * 2, [0, 0], [0, 0], [1, 1])
    x = op.transpose(op.reshape(grid, integers(0, 0, -1), True), integers(0, 2, 1))
    count = (side // patch) ** 2
    if vision["patch_bias"]:
        x = op.add(x, vector(hidden))
    if vision["class_token"]:
        first = op.constant(RANDOM.standard_normal((1, 1, hidden)).astype(np.float32) * 0.02)
        x = op.concat([first, x], 1)
        count += 1
    position = RANDOM.standard_normal((1, count, hidden)).astype(np.float32) * 0.02
    x = op.add(x, op.constant(position))

    def norm(value: ov.Node) -> ov.Node:
        unit = op.mvn(value, integers(-1), True, epsilon, "INSIDE_SQRT")
        return op.add(op.multiply(unit, vector(hidden, 1)), vector(hidden))

    if vision["pre_norm"]:
        x = norm(x)
    for _ in range(vision["selection"]["layer"]):
        y = norm(x)
        q, k, v = (
            split_heads(linear(y, hidden, hidden, True, np.float32), heads, hidden // heads)
            for _ in range(3)
        )
        y = join_heads(op.scaled_dot_product_attention(q, k, v), hidden)
        x = op.add(x, linear(y, hidden, hidden, True, np.float32))
        y = activate(linear(norm(x), ffn, hidden, True, np.float32), vision["activation"])
        x = op.add(x, linear(y, hidden, ffn, True, np.float32))
    return ov.Model([op.result(x)], [pixels], "encoder")


def language(llm: dict) -> ov.Model:
    """Ids to the scores after the last one; keys and values are the model's state.

    Inputs: `input_ids` [1, T], `position_ids` [1, T], `attention_mask` f32 [1, 1, T, past + T] that is
    added to the scores, `beam_idx` [1], which the plugin looks for when it keeps keys and values.
    """
    hidden, heads, kv_heads, dim = (llm[key] for key in ("hidden", "heads", "kv_heads", "head_dim"))
    ids = op.parameter([1, -1], np.int64, "input_ids")
    positions = op.parameter([1, -1], np.int64, "position_ids")
    mask = op.parameter([1, 1, -1, -1], np.float32, "attention_mask")
    beam = op.parameter([1], np.int32, "beam_idx")
    table = weight(llm["vocab"], hidden)
    x = op.gather(table, ids, op.constant(np.int64(0)))
    if llm["embedding_scale"] != 1:
        x = op.multiply(x, op.constant(np.float32(llm["embedding_scale"])))

    steps = llm["rope_theta"] ** (-np.arange(0, dim, 2, dtype=np.float64) / dim)
    column = op.unsqueeze(op.convert(positions, "f32"), integers(-1))
    angles = op.multiply(column, op.constant(steps.astype(np.float32)[None, None]))
    angles = op.unsqueeze(op.concat([angles, angles], -1), integers(1))
    cosines, sines = op.cos(angles), op.sin(angles)

    def rotate(value: ov.Node) -> ov.Node:
        half = op.split(value, op.constant(np.int64(-1)), 2)
        turned = op.concat([op.negative(half.output(1)), half.output(0)], -1)
        return op.add(op.multiply(value, cosines), op.multiply(turned, sines))

    def norm(value: ov.Node) -> ov.Node:
        mean = op.reduce_mean(op.power(value, op.constant(np.float32(2))), integers(-1), True)
        root = op.sqrt(op.add(mean, op.constant(np.float32(llm["epsilon"]))))
        unit = op.multiply(value, op.divide(op.constant(np.float32(1)), root))
        return op.multiply(unit, vector(hidden, 1))

    sinks = []

    def remember(value: ov.Node, name: str) -> ov.Node:
        """The stored values with the new ones behind them."""
        empty = op.constant(np.zeros((1, kv_heads, 0, dim), np.float32))
        shape = ov.PartialShape([1, kv_heads, -1, dim])
        info = ov.op.util.VariableInfo()
        info.data_shape, info.data_type, info.variable_id = shape, ov.Type.f32, name
        variable = ov.op.util.Variable(info)
        past = ov.op.read_value(empty, variable)
        chosen = op.gather(past, beam, op.constant(np.int64(0)))
        whole = op.concat([chosen, value], 2)
        sinks.append(ov.op.assign(whole, variable))
        if kv_heads == heads:
            return whole
        parts = op.unsqueeze(whole, integers(2))
        wide = op.broadcast(parts, integers(1, 1, heads // kv_heads, 1, 1), broadcast_spec="BIDIRECTIONAL")
        return op.reshape(wide, integers(0, heads, -1, dim), True)

    for block in range(llm["blocks"]):
        y = norm(x)
        q = rotate(split_heads(linear(y, heads * dim, hidden, False), heads, dim))
        k = rotate(split_heads(linear(y, kv_heads * dim, hidden, False), kv_heads, dim))
        v = split_heads(linear(y, kv_heads * dim, hidden, False), kv_heads, dim)
        k, v = remember(k, f"key.{block}"), remember(v, f"value.{block}")
        y = join_heads(op.scaled_dot_product_attention(q, k, v, mask), heads * dim)
        x = op.add(x, linear(y, hidden, heads * dim, False))
        y = norm(x)
        gate = activate(linear(y, llm["ffn"], hidden, False), llm["activation"])
        y = op.multiply(gate, linear(y, llm["ffn"], hidden, False))
        x = op.add(x, linear(y, hidden, llm["ffn"], False))
    last = op.slice(norm(x), integers(-1), integers(2**31 - 1), integers(1), integers(1))
    head = table if llm["tied_head"] else weight(llm["vocab"], hidden)
    scores = op.matmul(last, head, False, True)
    return ov.Model([op.result(scores)], sinks, [ids, positions, mask, beam], "language")
