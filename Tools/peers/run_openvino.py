#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times OpenVINO on a preset's shapes and prints one JSON object.

    run_openvino.py PRESET encoder                     weights and activations int8 (NNCF, post-training)
    run_openvino.py PRESET llm --weights int8|int4     int8 per channel, or int4 in groups of 128

Seconds of: open (compiling the model), a picture, prefill of n tokens, a token at depth n. Building and
quantising are not timed.
"""

import argparse
import json
import time

import nncf
import numpy as np
import openvino as ov

import ov_models
from process import memory
from shapes import preset


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def quantized_encoder(vision: dict) -> ov.Model:
    """The encoder with int8 weights and activations; scales from a few random pictures."""
    side = vision["image_side"]
    random = np.random.default_rng(1)
    pictures = [random.random((1, 3, side, side), np.float32) * 2 - 1 for _ in range(2)]
    return nncf.quantize(
        ov_models.encoder(vision),
        nncf.Dataset(pictures),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(pictures),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(convolution=-1, matmul=-1),
            disable_bias_correction=True,
        ),
    )


def compressed_language(llm: dict, weights: str) -> ov.Model:
    model = ov_models.language(llm)
    if weights == "int4":
        # The table and the head stay int8, NNCF's default.
        return nncf.compress_weights(
            model, mode=nncf.CompressWeightsMode.INT4_SYM, group_size=128, ratio=1.0
        )
    return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)


class Language:
    """A sequence of a compiled language model."""

    def __init__(self, model: ov.CompiledModel, vocab: int):
        self.request = model.create_infer_request()
        self.vocab = vocab
        self.past = 0

    def clear(self) -> None:
        self.request.reset_state()
        self.past = 0

    def read(self, count: int) -> float:
        """Seconds for `count` tokens after those before."""
        ids = np.arange(self.past, self.past + count, dtype=np.int64) * 2654435761 % self.vocab
        mask = np.zeros((1, 1, count, self.past + count), np.float32)
        later = np.triu(np.ones((count, count), bool), 1)
        mask[0, 0, :, self.past :][later] = np.finfo(np.float32).min
        positions = np.arange(self.past, self.past + count, dtype=np.int64)
        # In the order of the model's parameters.
        inputs = [ids[None], positions[None], mask, np.zeros(1, np.int32)]
        start = time.monotonic()
        self.request.infer(inputs, share_inputs=True)
        seconds = time.monotonic() - start
        self.past += count
        return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset")
    parser.add_argument("part", choices=["encoder", "llm"])
    parser.add_argument("--weights", choices=["int8", "int4"], default="int8")
    parser.add_argument("--prompts", type=numbers, default=[64, 761])
    parser.add_argument("--depths", type=numbers, default=[0, 800])
    parser.add_argument("--decode", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    shapes = preset(arguments.preset)
    if arguments.part == "encoder":
        model = quantized_encoder(shapes["vision"])
    else:
        model = compressed_language(shapes["llm"], arguments.weights)
    before = memory()
    start = time.monotonic()
    compiled = ov.Core().compile_model(
        model, "CPU", {"INFERENCE_NUM_THREADS": arguments.threads, "PERFORMANCE_HINT": "LATENCY"}
    )
    result: dict = {"open": [time.monotonic() - start], "openvino": ov.__version__}
    if arguments.part == "encoder":
        side = shapes["vision"]["image_side"]
        pixels = np.random.default_rng(2).random((1, 3, side, side), np.float32) * 2 - 1
        compiled(pixels)
        for _ in range(arguments.repeat):
            start = time.monotonic()
            compiled(pixels)
            result.setdefault("encode", []).append(time.monotonic() - start)
    else:
        language = Language(compiled, shapes["llm"]["vocab"])
        language.read(16)
        language.read(1)
        for _ in range(arguments.repeat):
            for count in arguments.prompts:
                language.clear()
                result.setdefault(f"prefill {count}", []).append(language.read(count))
            for depth in arguments.depths:
                language.clear()
                if depth:
                    language.read(depth)
                language.read(1)
                total = sum(language.read(1) for _ in range(arguments.decode))
                result.setdefault(f"decode at {depth}", []).append(total / arguments.decode)
    # Building and quantising happen in this process: only what compiling and running add counts.
    result["added_resident_bytes"] = sum(
        memory()[kind] - before[kind] for kind in ("RssAnon", "RssFile")
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
