#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a checkpoint with the shapes of SEA's Gemma-2B model and random weights (5.9 GB).

    make_gemma2b_checkpoint.py TOKENIZER_FOLDER OUT [--llm-blocks 18] [--vision-blocks 27] [--seed 0]

What full-size conversion, memory and speed are checked with, where real weights are not at hand. Needs
numpy. The layout is LLaVA's: language model and adapter in bf16 shards with an index, the SigLIP tower in
vision_tower/, the tokenizer copied from TOKENIZER_FOLDER (its vocabulary must not exceed 256,000).
Matrices are scaled by 1/sqrt(inputs), so that activations stay of the size they have in trained models;
same seed, same bytes. Memory stays below 300 MB: tensors are drawn and written in pieces.
"""
import argparse
import dataclasses
import json
import math
import os
import shutil
import struct

import numpy as np


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes of a SigLIP tower, a two-layer adapter and a Gemma language model."""

    hidden: int = 2048
    ffn: int = 16384
    heads: int = 8
    head_dim: int = 256
    blocks: int = 18
    vocab: int = 256_000
    vision_hidden: int = 1152
    vision_ffn: int = 4304
    vision_heads: int = 16
    vision_blocks: int = 27
    image_side: int = 384
    patch_side: int = 14

    @property
    def patches(self):
        return (self.image_side // self.patch_side) ** 2


PIECE = 8 << 20  # values drawn at once: 32 MB of f32
SHARD_BYTES = 2_000_000_000
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)


def language_tensors(shape):
    """Name, shape, mean and deviation of each tensor of the language model and the adapter."""
    hidden, ffn = shape.hidden, shape.ffn
    queries = shape.heads * shape.head_dim
    yield "model.embed_tokens.weight", (shape.vocab, hidden), 0, 1 / math.sqrt(hidden)
    for block in range(shape.blocks):
        name = f"model.layers.{block}"
        # Gemma's norms multiply by 1 + weight.
        yield f"{name}.input_layernorm.weight", (hidden,), 0, 0.1
        for part, rows in (("q", queries), ("k", shape.head_dim), ("v", shape.head_dim)):
            yield matrix(f"{name}.self_attn.{part}_proj.weight", rows, hidden)
        yield matrix(f"{name}.self_attn.o_proj.weight", hidden, queries)
        yield f"{name}.post_attention_layernorm.weight", (hidden,), 0, 0.1
        yield matrix(f"{name}.mlp.gate_proj.weight", ffn, hidden)
        yield matrix(f"{name}.mlp.up_proj.weight", ffn, hidden)
        yield matrix(f"{name}.mlp.down_proj.weight", hidden, ffn)
    # Factors of either sign: with a tied head, factors near 1 would repeat the last token for ever.
    yield "model.norm.weight", (hidden,), -1, 1
    for layer, inputs in ((0, shape.vision_hidden), (2, hidden)):
        yield matrix(f"model.mm_projector.{layer}.weight", hidden, inputs)
        yield f"model.mm_projector.{layer}.bias", (hidden,), 0, 0.02


def vision_tensors(shape):
    """The same for a SigLIP tower without its pooling head."""
    width, ffn = shape.vision_hidden, shape.vision_ffn
    root = "vision_model"
    patch = (width, 3, shape.patch_side, shape.patch_side)
    yield f"{root}.embeddings.patch_embedding.weight", patch, 0, 1 / math.sqrt(math.prod(patch[1:]))
    yield f"{root}.embeddings.patch_embedding.bias", (width,), 0, 0.02
    yield f"{root}.embeddings.position_embedding.weight", (shape.patches, width), 0, 0.1
    for block in range(shape.vision_blocks):
        name = f"{root}.encoder.layers.{block}"
        for norm in ("layer_norm1", "layer_norm2"):
            yield f"{name}.{norm}.weight", (width,), 1, 0.1
            yield f"{name}.{norm}.bias", (width,), 0, 0.02
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield matrix(f"{name}.self_attn.{part}.weight", width, width)
            yield f"{name}.self_attn.{part}.bias", (width,), 0, 0.02
        yield matrix(f"{name}.mlp.fc1.weight", ffn, width)
        yield f"{name}.mlp.fc1.bias", (ffn,), 0, 0.02
        yield matrix(f"{name}.mlp.fc2.weight", width, ffn)
        yield f"{name}.mlp.fc2.bias", (width,), 0, 0.02
    yield f"{root}.post_layernorm.weight", (width,), 1, 0.1
    yield f"{root}.post_layernorm.bias", (width,), 0, 0.02


def matrix(name, rows, columns):
    return name, (rows, columns), 0, 1 / math.sqrt(columns)


def size_of(tensor):
    return 2 * math.prod(tensor[1])


def shards_of(tensors):
    """Groups tensors into files of about SHARD_BYTES."""
    shards, size = [[]], 0
    for tensor in tensors:
        if shards[-1] and size + size_of(tensor) > SHARD_BYTES:
            shards.append([])
            size = 0
        shards[-1].append(tensor)
        size += size_of(tensor)
    return shards


def write_file(path, tensors, random):
    """Writes one safetensors file, drawing values as it goes."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for tensor in tensors:
        end = offset + size_of(tensor)
        header[tensor[0]] = {
            "dtype": "BF16",
            "shape": list(tensor[1]),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape, mean, deviation in tensors:
            left = math.prod(shape)
            while left:
                count = min(left, PIECE)
                values = random.standard_normal(count, dtype=np.float32)
                values *= np.float32(deviation)
                values += np.float32(mean)
                # Nearest bf16: the upper half of the f32 after rounding the lower half away.
                bits = values.view(np.uint32)
                bits += 0x7FFF + ((bits >> 16) & 1)
                file.write((bits >> 16).astype("<u2").tobytes())
                left -= count
    print(f"{path}: {len(tensors)} tensors, {os.path.getsize(path) / 1e9:.2f} GB", flush=True)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def write_checkpoint(shape, out, seed):
    """Writes weights and configuration into the folder `out`, which gets a tokenizer elsewhere."""
    random = np.random.Generator(np.random.PCG64(seed))
    os.makedirs(f"{out}/vision_tower")

    shards = shards_of(language_tensors(shape))
    index = {"metadata": {"total_size": sum(map(size_of, sum(shards, [])))}, "weight_map": {}}
    for number, tensors in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        write_file(f"{out}/{name}", tensors, random)
        index["weight_map"].update({tensor[0]: name for tensor in tensors})
    write_json(f"{out}/model.safetensors.index.json", index)
    tower = list(vision_tensors(shape))
    write_file(f"{out}/vision_tower/model.safetensors", tower, random)

    write_json(
        f"{out}/config.json",
        {
            "architectures": ["LlavaGemmaForCausalLM"],
            "model_type": "llava_gemma",
            "attention_bias": False,
            "bos_token_id": 2,
            "eos_token_id": 1,
            "pad_token_id": 0,
            "head_dim": shape.head_dim,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_activation": "gelu_pytorch_tanh",
            "hidden_size": shape.hidden,
            "intermediate_size": shape.ffn,
            "max_position_embeddings": 8192,
            "num_attention_heads": shape.heads,
            "num_hidden_layers": shape.blocks,
            "num_key_value_heads": 1,
            "rms_norm_eps": 1e-6,
            "rope_scaling": None,
            "rope_theta": 10000.0,
            "torch_dtype": "bfloat16",
            "transformers_version": "4.38.0",
            "vocab_size": shape.vocab,
            "image_aspect_ratio": "pad",
            "mm_hidden_size": shape.vision_hidden,
            "mm_projector_type": "mlp2x_gelu",
            "mm_use_im_patch_token": False,
            "mm_use_im_start_end": False,
            "mm_vision_select_feature": "patch",
            "mm_vision_select_layer": -2,
            "mm_vision_tower": "./vision_tower",
            "mm_patch_merge_type": "flat",
            "tokenizer_model_max_length": 2048,
            "tune_mm_mlp_adapter": False,
            "use_mm_proj": True,
        },
    )
    write_json(
        f"{out}/vision_tower/config.json",
        {
            "architectures": ["SiglipVisionModel"],
            "model_type": "siglip_vision_model",
            "hidden_size": shape.vision_hidden,
            "intermediate_size": shape.vision_ffn,
            "num_hidden_layers": shape.vision_blocks,
            "num_attention_heads": shape.vision_heads,
            "num_channels": 3,
            "image_size": shape.image_side,
            "patch_size": shape.patch_side,
            "hidden_act": "gelu_pytorch_tanh",
            "layer_norm_eps": 1e-6,
            "torch_dtype": "bfloat16",
            "vision_use_head": False,
        },
    )
    write_json(
        f"{out}/vision_tower/preprocessor_config.json",
        {
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_processor_type": "SiglipImageProcessor",
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
            "resample": 3,
            "rescale_factor": 1 / 255,
            "size": {"height": shape.image_side, "width": shape.image_side},
        },
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokenizer", help="folder with tokenizer.json or tokenizer.model")
    parser.add_argument("out", help="folder to make")
    parser.add_argument("--llm-blocks", type=int, default=Shape.blocks)
    parser.add_argument("--vision-blocks", type=int, default=Shape.vision_blocks)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    found = [name for name in TOKENIZER_FILES if os.path.exists(f"{options.tokenizer}/{name}")]
    if not found:
        parser.error(f"{options.tokenizer}: no tokenizer files")
    shape = Shape(blocks=options.llm_blocks, vision_blocks=options.vision_blocks)
    write_checkpoint(shape, options.out, options.seed)
    for name in found:
        shutil.copy(f"{options.tokenizer}/{name}", options.out)


if __name__ == "__main__":
    main()
