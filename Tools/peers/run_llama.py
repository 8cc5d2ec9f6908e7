#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times llama.cpp on a GGUF file and prints one JSON object.

    run_llama.py MODEL.gguf [--mmproj FILE] [--prompts 64,761] [--depths 0,800] [--decode 32]
                 [--repeat 3] [--threads 2] [--no-repack]

Seconds of: open, prefill of n tokens, a token at depth n, a picture through encoder and projector.
"""

import argparse
import ctypes
import json
import time

import llama_cpp as llama

from process import memory


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


class Session:
    """A model with a context of its own."""

    def __init__(self, arguments: argparse.Namespace):
        start = time.monotonic()
        model = llama.llama_model_default_params()
        model.n_gpu_layers = 0
        if arguments.no_repack:
            model.use_extra_bufts = False
        self.model = llama.llama_model_load_from_file(arguments.model.encode(), model)
        if not self.model:
            raise SystemExit(f"{arguments.model}: llama.cpp cannot load it")
        context = llama.llama_context_default_params()
        context.n_ctx = 2048
        context.n_batch = 2048
        context.n_ubatch = 512
        context.n_threads = context.n_threads_batch = arguments.threads
        self.context = llama.llama_init_from_model(self.model, context)
        if not self.context:
            raise SystemExit(f"{arguments.model}: no context")
        self.open_seconds = time.monotonic() - start
        self.vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))
        self.memory = llama.llama_get_memory(self.context)

    def ids(self, count: int) -> list[int]:
        return [i * 2654435761 % (1 << 32) % self.vocab for i in range(count)]

    def clear(self) -> None:
        llama.llama_memory_clear(self.memory, True)

    def read(self, ids: list[int]) -> float:
        """Seconds for tokens after those before, the last one scored."""
        array = (llama.llama_token * len(ids))(*ids)
        start = time.monotonic()
        if llama.llama_decode(self.context, llama.llama_batch_get_one(array, len(ids))) != 0:
            raise SystemExit("llama_decode failed")
        llama.llama_synchronize(self.context)
        return time.monotonic() - start

    def decode(self, depth: int, count: int) -> float:
        """Seconds for one token after `depth` others."""
        self.clear()
        if depth:
            self.read(self.ids(depth))
        self.read([1])
        total = 0.0
        for index in range(count):
            total += self.read([(index * 7919) % self.vocab])
        return total / count


class Picture:
    """A picture of the encoder's own size, ready to be encoded."""

    def __init__(self, session: Session, path: str, threads: int):
        from llama_cpp import mtmd_cpp as mtmd

        self.mtmd = mtmd
        parameters = mtmd.mtmd_context_params_default()
        parameters.use_gpu = False
        parameters.print_timings = False
        parameters.warmup = False
        parameters.n_threads = threads
        self.context = mtmd.mtmd_init_from_file(path.encode(), session.model, parameters)
        if not self.context:
            raise SystemExit(f"{path}: llama.cpp cannot load it")
        side = 384
        pixels = (ctypes.c_uint8 * (3 * side * side))(*[i * 31 % 251 for i in range(3 * side * side)])
        bitmap = mtmd.mtmd_bitmap_init(side, side, pixels)
        text = mtmd.mtmd_default_marker()
        given = mtmd.mtmd_input_text(text, len(text), False, True)
        self.chunks = mtmd.mtmd_input_chunks_init()
        bitmaps = (mtmd.mtmd_bitmap_p_ctypes * 1)(bitmap)
        if mtmd.mtmd_tokenize(self.context, self.chunks, ctypes.byref(given), bitmaps, 1) != 0:
            raise SystemExit("mtmd_tokenize failed")
        self.chunk = next(
            chunk
            for index in range(mtmd.mtmd_input_chunks_size(self.chunks))
            if mtmd.mtmd_input_chunk_get_type(
                chunk := mtmd.mtmd_input_chunks_get(self.chunks, index)
            )
            == 1
        )

    def encode(self) -> float:
        start = time.monotonic()
        if self.mtmd.mtmd_encode_chunk(self.context, self.chunk) != 0:
            raise SystemExit("mtmd_encode_chunk failed")
        return time.monotonic() - start

    @property
    def tokens(self) -> int:
        return self.mtmd.mtmd_input_chunk_get_n_tokens(self.chunk)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--mmproj")
    parser.add_argument("--prompts", type=numbers, default=[64, 761])
    parser.add_argument("--depths", type=numbers, default=[0, 800])
    parser.add_argument("--decode", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-repack", action="store_true")
    arguments = parser.parse_args()

    llama.llama_backend_init()
    quiet = llama.llama_log_callback(lambda *_: None)
    llama.llama_log_set(quiet, ctypes.c_void_p(0))
    session = Session(arguments)
    result: dict = {"open": [session.open_seconds]}
    picture = Picture(session, arguments.mmproj, arguments.threads) if arguments.mmproj else None
    if picture:
        result["visual_tokens"] = picture.tokens
    session.read(session.ids(32))
    for _ in range(arguments.repeat):
        if picture:
            result.setdefault("encode", []).append(picture.encode())
        for count in arguments.prompts:
            session.clear()
            result.setdefault(f"prefill {count}", []).append(session.read(session.ids(count)))
        for depth in arguments.depths:
            seconds = session.decode(depth, arguments.decode)
            result.setdefault(f"decode at {depth}", []).append(seconds)
    state = memory()
    result["peak_resident_bytes"] = state["VmHWM"]
    result["anonymous_bytes"] = state["RssAnon"]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
