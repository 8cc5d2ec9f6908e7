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
import json
import math
import os
import shutil
import struct

import numpy as np

HIDDEN, FFN, HEADS, HEAD_DIM, VOCAB = 2048, 16384, 8, 256, 256_000
VISION_HIDDEN, VISION_FFN, VISION_HEADS, IMAGE_SIDE, PATCH_SIDE = 1152, 4304, 16, 384, 14
PATCHES = (IMAGE_SIDE // PATCH_SIDE) ** 2

PIECE = 8 << 20  # values drawn at once: 32 MB of f32
SHARD_BYTES = 2_000_000_000
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)


def language_tensors(blocks):
    """Name, shape, mean and deviation of each tensor of the language model and the adapter."""
    yield "model.embed_tokens.weight", (VOCAB, HIDDEN), 0, 1 / math.sqrt(HIDDEN)
    for block in range(blocks):
        name = f"model.layers.{block}"
        # Gemma's norms multiply by 1 + weight.
        yield f"{name}.input_layernorm.weight", (HIDDEN,), 0, 0.1
        for part, rows in (("q", HEADS * HEAD_DIM), ("k", HEAD_DIM), ("v", HEAD_DIM)):
            yield matrix(f"{name}.self_attn.{part}_proj.weight", rows, HIDDEN)
        yield matrix(f"{name}.self_attn.o_proj.weight", HIDDEN, HEADS * HEAD_DIM)
        yield f"{name}.post_attention_layernorm.weight", (HIDDEN,), 0, 0.1
        yield matrix(f"{name}.mlp.gate_proj.weight", FFN, HIDDEN)
        yield matrix(f"{name}.mlp.up_proj.weight", FFN, HIDDEN)
        yield matrix(f"{name}.mlp.down_proj.weight", HIDDEN, FFN)
    yield "model.norm.weight", (HIDDEN,), 0, 0.1
    for layer, inputs in ((0, VISION_HIDDEN), (2, HIDDEN)):
        yield matrix(f"model.mm_projector.{layer}.weight", HIDDEN, inputs)
        yield f"model.mm_projector.{layer}.bias", (HIDDEN,), 0, 0.02


def vision_tensors(blocks):
    """The same for a SigLIP tower without its pooling head."""
    width = VISION_HIDDEN
    root = "vision_model"
    patch = (width, 3, PATCH_SIDE, PATCH_SIDE)
    yield f"{root}.embeddings.patch_embedding.weight", patch, 0, 1 / math.sqrt(math.prod(patch[1:]))
    yield f"{root}.embeddings.patch_embedding.bias", (width,), 0, 0.02
    yield f"{root}.embeddings.position_embedding.weight", (PATCHES, width), 0, 0.1
    for block in range(blocks):
        name = f"{root}.encoder.layers.{block}"
        for norm in ("layer_norm1", "layer_norm2"):
            yield f"{name}.{norm}.weight", (width,), 1, 0.1
            yield f"{name}.{norm}.bias", (width,), 0, 0.02
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield matrix(f"{name}.self_attn.{part}.weight", width, width)
            yield f"{name}.self_attn.{part}.bias", (width,), 0, 0.02
        yield matrix(f"{name}.mlp.fc1.weight", VISION_FFN, width)
        yield f"{name}.mlp.fc1.bias", (VISION_FFN,), 0, 0.02
        yield matrix(f"{name}.mlp.fc2.weight", width, VISION_FFN)
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokenizer", help="folder with tokenizer.json or tokenizer.model")
    parser.add_argument("out", help="folder to make")
    parser.add_argument("--llm-blocks", type=int, default=18)
    parser.add_argument("--vision-blocks", type=int, default=27)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    random = np.random.Generator(np.random.PCG64(options.seed))
    os.makedirs(f"{options.out}/vision_tower", exist_ok=False)
    copied = [
        name for name in TOKENIZER_FILES if os.path.exists(f"{options.tokenizer}/{name}")
    ]
    if not copied:
        parser.error(f"{options.tokenizer}: no tokenizer files")
    for name in copied:
        shutil.copy(f"{options.tokenizer}/{name}", options.out)

    shards = shards_of(language_tensors(options.llm_blocks))
    index = {"metadata": {"total_size": sum(map(size_of, sum(shards, [])))}, "weight_map": {}}
    for number, tensors in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        write_file(f"{options.out}/{name}", tensors, random)
        index["weight_map"].update({tensor[0]: name for tensor in tensors})
    write_json(f"{options.out}/model.safetensors.index.json", index)
    tower = list(vision_tensors(options.vision_blocks))
    write_file(f"{options.out}/vision_tower/model.safetensors", tower, random)

    write_json(
        f"{options.out}/config.json",
        {
            "architectures": ["LlavaGemmaForCausalLM"],
            "model_type": "llava_gemma",
            "attention_bias": False,
            "bos_token_id": 2,
            "eos_token_id": 1,
            "pad_token_id": 0,
            "head_dim": HEAD_DIM,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_activation": "gelu_pytorch_tanh",
            "hidden_size": HIDDEN,
            "intermediate_size": FFN,
            "max_position_embeddings": 8192,
            "num_attention_heads": HEADS,
            "num_hidden_layers": options.llm_blocks,
            "num_key_value_heads": 1,
            "rms_norm_eps": 1e-6,
            "rope_scaling": None,
            "rope_theta": 10000.0,
            "torch_dtype": "bfloat16",
            "transformers_version": "4.38.0",
            "vocab_size": VOCAB,
            "image_aspect_ratio": "pad",
            "mm_hidden_size": VISION_HIDDEN,
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
        f"{options.out}/vision_tower/config.json",
        {
            "architectures": ["SiglipVisionModel"],
            "model_type": "siglip_vision_model",
            "hidden_size": VISION_HIDDEN,
            "intermediate_size": VISION_FFN,
            "num_hidden_layers": options.vision_blocks,
            "num_attention_heads": VISION_HEADS,
            "num_channels": 3,
            "image_size": IMAGE_SIDE,
            "patch_size": PATCH_SIDE,
            "hidden_act": "gelu_pytorch_tanh",
            "layer_norm_eps": 1e-6,
            "torch_dtype": "bfloat16",
            "vision_use_head": False,
        },
    )
    write_json(
        f"{options.out}/vision_tower/preprocessor_config.json",
        {
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_processor_type": "SiglipImageProcessor",
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
            "resample": 3,
            "rescale_factor": 1 / 255,
            "size": {"height": IMAGE_SIDE, "width": IMAGE_SIDE},
        },
    )


if __name__ == "__main__":
    main()
