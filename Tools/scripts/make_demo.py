#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the demo: a tiny checkpoint with random weights and its own tokenizer, and a picture.

    make_demo.py CHECKPOINT_FOLDER PICTURE.png

Needs numpy. Everything is drawn or computed here, so nothing has another owner; same code, same bytes.
`Models/README.md` says how the checkpoint becomes Models/demo.sea.
"""
import collections
import json
import struct
import sys
import zlib

import numpy as np

from make_gemma2b_checkpoint import Shape, write_checkpoint

# Gemma's construction at a hundredth of its width; sizes that do not divide evenly, as in the model itself.
SHAPE = Shape(
    hidden=128,
    ffn=384,
    heads=4,
    head_dim=32,
    blocks=4,
    vocab=496,
    vision_hidden=96,
    vision_ffn=232,
    vision_heads=4,
    vision_blocks=5,
    image_side=112,
    patch_side=14,
)
SEED = 1

SPECIALS = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]

# What the tokenizer's merges are learned from.
CORPUS = """
What is in this picture? There is a boat with a white sail on the sea. What colour is the hull? The hull is red.
How many boats are there? There is one boat. Where is the sun? The sun is low in the sky, to the right of the boat.
Is there a lighthouse in the picture? No, there is a harbour wall and a small boat behind it. Describe this image in
detail. The image shows a calm sea in the evening, a sailing boat near the harbour and a bright sky above the water.
What is the weather like? The weather is clear and the wind is light. Which objects are on the left of the boat?
user model The answer to the question is that the picture shows the sea, the sky, the sun and the boat.
"""


def learn_merges(text, count):
    """Byte pair encoding over words that start with their space, as Gemma's pieces do."""
    words = collections.Counter("\u2581" + word for word in text.split())
    words = {tuple(word): times for word, times in words.items()}
    merges = []
    while len(merges) < count:
        pairs = collections.Counter()
        for word, times in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += times
        if not pairs:
            break
        # Ties go to the pair that sorts first: the result must not depend on hashing.
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {merged(word, best): times for word, times in words.items()}
    return merges


def merged(word, pair):
    pieces, index = [], 0
    while index < len(word):
        step = 2 if word[index : index + 2] == pair else 1
        pieces.append("".join(word[index : index + step]))
        index += step
    return tuple(pieces)


def tokenizer(vocab):
    """tokenizer.json of Gemma's construction: spaces as U+2581, merges, bytes for the rest."""
    characters = sorted({c for c in CORPUS if not c.isspace()} | {"\u2581"})
    pieces = SPECIALS + ["\n"] + [f"<0x{byte:02X}>" for byte in range(256)] + characters
    merges = []
    for left, right in learn_merges(CORPUS, vocab):
        if len(pieces) == vocab:
            break
        if left + right not in pieces:
            pieces.append(left + right)
        merges.append([left, right])
    added = [
        {
            "id": identifier,
            "content": piece,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": piece != "\n",
        }
        for identifier, piece in enumerate(pieces[: len(SPECIALS) + 1])
    ]
    single = [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": single + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {piece: identifier for identifier, piece in enumerate(pieces)},
            "merges": merges,
        },
    }


CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'assistant') %}"
    "{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)

TOKENIZER_CONFIG = {
    "add_bos_token": True,
    "add_eos_token": False,
    "bos_token": "<bos>",
    "eos_token": "<eos>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "clean_up_tokenization_spaces": False,
    "tokenizer_class": "GemmaTokenizer",
    "chat_template": CHAT_TEMPLATE,
}


def harbour(width, height):
    """A sailing boat on the evening sea, as RGB rows."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    horizon = int(height * 0.58)
    image = np.zeros((height, width, 3))

    sky = (y / horizon)[..., None]
    image[:] = (1 - sky) * np.array([94, 134, 190]) + sky * np.array([246, 205, 150])
    distance = np.hypot(x - width * 0.76, y - horizon * 0.78)
    image[distance < height * 0.075] = [255, 236, 170]

    depth = np.clip((y - horizon) / (height - horizon), 0, 1)[..., None]
    sea = (1 - depth) * np.array([120, 140, 150]) + depth * np.array([24, 62, 92])
    waves = 10 * np.sin(x / 5 + 3 * np.sin(y / 4)) * np.sin(y / 2.5)
    sea = sea + waves[..., None] * depth
    image = np.where((y >= horizon)[..., None], sea, image)

    wall = (y >= horizon - 8) & (y < horizon + 3) & (x < width * 0.28)
    image[wall] = [96, 88, 84]

    deck, keel = int(height * 0.70), int(height * 0.79)
    hull = (y >= deck) & (y < keel) & (np.abs(x - width * 0.46) < width * 0.17 - (y - deck) * 1.1)
    image[hull] = [176, 42, 36]
    mast = (np.abs(x - width * 0.45) < 1.2) & (y > height * 0.16) & (y < deck)
    image[mast] = [70, 52, 40]
    sail = (x > width * 0.46) & (y > height * 0.18) & (y < deck - 4)
    image[sail & (x - width * 0.46 < (y - height * 0.18) * 0.45)] = [246, 244, 236]
    jib = (x < width * 0.44) & (y > height * 0.28) & (y < deck - 6)
    image[jib & (width * 0.44 - x < (y - height * 0.28) * 0.32)] = [228, 222, 206]
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def write_png(path, pixels):
    """8-bit RGB, no filter."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.write(chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
        file.write(chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: make_demo.py CHECKPOINT_FOLDER PICTURE.png")
    folder, picture = sys.argv[1:]
    write_checkpoint(SHAPE, folder, SEED)
    for name, content in (
        ("tokenizer.json", tokenizer(SHAPE.vocab)),
        ("tokenizer_config.json", TOKENIZER_CONFIG),
    ):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)
            file.write("\n")
    write_png(picture, harbour(320, 240))


if __name__ == "__main__":
    main()
