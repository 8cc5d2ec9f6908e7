#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes GGUF files of a preset's shapes with random weights, for llama.cpp.

    make_gguf.py PRESET Q8_0|Q4_K_M|BF16 OUT.gguf      the language model
    make_gguf.py PRESET mmproj OUT.gguf                encoder and adapter, bf16, its best type

Bytes are random in the stored form; only the scales are chosen, so that values stay finite.
"""

import sys

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter

from shapes import preset

RANDOM = np.random.default_rng(0)

# Bytes of a block, values of a block, where its f16 scales are.
BLOCKS = {
    Type.Q8_0: (34, 32, (0,)),
    Type.Q4_K: (144, 256, (0, 2)),
    Type.Q6_K: (210, 256, (208,)),
}


def quantized(rows: int, columns: int, kind: Type) -> np.ndarray:
    """Random blocks whose values are about 1 / sqrt(columns) large."""
    size, values, scales = BLOCKS[kind]
    assert columns % values == 0, f"{columns} columns in {kind.name}"
    blocks = rows * columns // values
    data = np.frombuffer(RANDOM.bytes(blocks * size), np.uint8).reshape(blocks, size).copy()
    largest = {Type.Q8_0: 127, Type.Q4_K: 63 * 15, Type.Q6_K: 127 * 32}[kind]
    scale = np.float16(np.sqrt(3 / columns) / largest)
    for place in scales:
        data[:, place : place + 2] = np.frombuffer(scale.tobytes(), np.uint8)
    return data.reshape(rows, columns // values * size)


def bfloat16(rows: int, columns: int) -> np.ndarray:
    """Random bf16 as bytes, uniform."""
    out = np.empty((rows, columns), np.uint16)
    for start in range(0, rows, 4096):
        part = RANDOM.random((min(4096, rows - start), columns), np.float32) * 2 - 1
        part *= np.float32(np.sqrt(3 / columns))
        out[start : start + 4096] = part.view(np.uint32) >> 16
    return out.view(np.uint8)


class Writer:
    """A GGUF file in the making."""

    def __init__(self, path: str, architecture: str):
        self.file = GGUFWriter(path, architecture, use_temp_file=True)

    def matrix(self, name: str, rows: int, columns: int, kind: Type) -> None:
        """A random matrix; a width that has no whole blocks is stored as bf16."""
        if kind is not Type.BF16 and columns % BLOCKS[kind][1] == 0:
            data = quantized(rows, columns, kind)
        else:
            kind = Type.BF16
            data = bfloat16(rows, columns)
        self.file.add_tensor(name, data, raw_dtype=kind)

    def vector(self, name: str, count: int, center: float = 0.0) -> None:
        values = center + 0.02 * (RANDOM.random(count, np.float32) - 0.5)
        self.file.add_tensor(name, values.astype(np.float32))

    def finish(self) -> None:
        self.file.write_header_to_file()
        self.file.write_kv_data_to_file()
        self.file.write_tensors_to_file()
        self.file.close()


def language(name: str, choice: str, path: str) -> None:
    llm = preset(name)["llm"]
    family = llm["family"]
    writer = Writer(path, {"gemma": "gemma", "llama": "llama", "phi3": "phi3"}[family])
    file = writer.file
    file.add_name(f"{name} (random)")
    file.add_context_length(llm["max_positions"])
    file.add_embedding_length(llm["hidden"])
    file.add_block_count(llm["blocks"])
    file.add_feed_forward_length(llm["ffn"])
    file.add_head_count(llm["heads"])
    file.add_head_count_kv(llm["kv_heads"])
    file.add_key_length(llm["head_dim"])
    file.add_value_length(llm["head_dim"])
    file.add_rope_dimension_count(llm["head_dim"])
    file.add_rope_freq_base(llm["rope_theta"])
    file.add_layer_norm_rms_eps(llm["epsilon"])
    file.add_vocab_size(llm["vocab"])
    vocabulary(file, llm["vocab"])

    mixed = choice == "Q4_K_M"
    base = Type.Q4_K if mixed else Type[choice]

    # llama.cpp's Q4_K_M keeps half of the blocks' most sensitive matrices, and the table, in 6 bits.
    def sensitive(block: int) -> Type:
        blocks = llm["blocks"]
        better = block < blocks // 8 or block >= 7 * blocks // 8 or (block - blocks // 8) % 3 == 2
        return Type.Q6_K if mixed and better else base

    table = Type.Q6_K if mixed else base
    hidden, ffn = llm["hidden"], llm["ffn"]
    queries, keys = llm["heads"] * llm["head_dim"], llm["kv_heads"] * llm["head_dim"]
    writer.matrix("token_embd.weight", llm["vocab"], hidden, table if llm["tied_head"] else base)
    for block in range(llm["blocks"]):
        prefix = f"blk.{block}"
        writer.vector(f"{prefix}.attn_norm.weight", hidden, 1)
        writer.vector(f"{prefix}.ffn_norm.weight", hidden, 1)
        if family == "phi3":
            writer.matrix(f"{prefix}.attn_qkv.weight", queries + 2 * keys, hidden, base)
            writer.matrix(f"{prefix}.ffn_up.weight", 2 * ffn, hidden, base)
        else:
            writer.matrix(f"{prefix}.attn_q.weight", queries, hidden, base)
            writer.matrix(f"{prefix}.attn_k.weight", keys, hidden, base)
            writer.matrix(f"{prefix}.attn_v.weight", keys, hidden, sensitive(block))
            writer.matrix(f"{prefix}.ffn_gate.weight", ffn, hidden, base)
            writer.matrix(f"{prefix}.ffn_up.weight", ffn, hidden, base)
        writer.matrix(f"{prefix}.attn_output.weight", hidden, queries, base)
        writer.matrix(f"{prefix}.ffn_down.weight", hidden, ffn, sensitive(block))
    writer.vector("output_norm.weight", hidden, 1)
    if not llm["tied_head"]:
        writer.matrix("output.weight", llm["vocab"], hidden, table)
    writer.finish()


def vocabulary(file: GGUFWriter, count: int) -> None:
    """Pieces without meaning: three controls, all bytes, numbered words."""
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [2, 3, 3] + [6] * 256
    pieces += [f"▁w{i}" for i in range(count - len(pieces))]
    kinds += [1] * (count - len(kinds))
    file.add_tokenizer_model("llama")
    file.add_token_list(pieces)
    file.add_token_scores([0.0] * count)
    file.add_token_types(kinds)
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_unk_token_id(0)


def projector(name: str, path: str) -> None:
    whole = preset(name)
    vision, adapter = whole["vision"], whole["adapter"]
    writer = Writer(path, "clip")
    file = writer.file
    file.add_name(f"{name} (random)")
    file.add_bool("clip.has_vision_encoder", True)
    file.add_string("clip.projector_type", "mlp")
    # clip.cpp knows two activations for this: quick GELU unless GELU is asked for.
    file.add_bool("clip.use_gelu", vision["activation"] != "quick_gelu")
    file.add_uint32("clip.vision.image_size", vision["image_side"])
    file.add_uint32("clip.vision.patch_size", vision["patch_side"])
    file.add_uint32("clip.vision.embedding_length", vision["hidden"])
    file.add_uint32("clip.vision.feed_forward_length", vision["ffn"])
    file.add_uint32("clip.vision.projection_dim", adapter["widths"][-1])
    file.add_uint32("clip.vision.attention.head_count", vision["heads"])
    file.add_float32("clip.vision.attention.layer_norm_epsilon", vision["epsilon"])
    blocks = vision["selection"]["layer"]
    file.add_uint32("clip.vision.block_count", blocks)
    file.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    file.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])

    hidden, ffn, side = vision["hidden"], vision["ffn"], vision["patch_side"]
    patches = (vision["image_side"] // side) ** 2
    kernel = RANDOM.standard_normal((hidden, 3, side, side), np.float32) * 0.04
    file.add_tensor("v.patch_embd.weight", kernel.astype(np.float16))
    if vision["patch_bias"]:
        writer.vector("v.patch_embd.bias", hidden)
    rows = patches + int(vision["class_token"])
    if vision["class_token"]:
        writer.vector("v.class_embd", hidden)
    position = (RANDOM.random((rows, hidden), np.float32) - 0.5) * 0.04
    file.add_tensor("v.position_embd.weight", position)
    if vision["pre_norm"]:
        writer.vector("v.pre_ln.weight", hidden, 1)
        writer.vector("v.pre_ln.bias", hidden)

    def linear(part: str, outputs: int, inputs: int) -> None:
        writer.matrix(f"{part}.weight", outputs, inputs, Type.BF16)
        writer.vector(f"{part}.bias", outputs)

    for block in range(blocks):
        prefix = f"v.blk.{block}"
        for norm in ("ln1", "ln2"):
            writer.vector(f"{prefix}.{norm}.weight", hidden, 1)
            writer.vector(f"{prefix}.{norm}.bias", hidden)
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            linear(f"{prefix}.{part}", hidden, hidden)
        linear(f"{prefix}.ffn_up", ffn, hidden)
        linear(f"{prefix}.ffn_down", hidden, ffn)
    widths = adapter["widths"]
    linear("mm.0", widths[1], widths[0])
    linear("mm.2", widths[2], widths[1])
    writer.finish()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    if sys.argv[2] == "mmproj":
        projector(sys.argv[1], sys.argv[3])
    else:
        language(sys.argv[1], sys.argv[2], sys.argv[3])
