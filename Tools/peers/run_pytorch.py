#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times training steps of PyTorch on Gemma-2B's shape and prints one JSON object.

    run_pytorch.py adapter|lora [--steps 3] [--rank 16] [--threads 2]

A step is one sample of 729 visual and 40 text tokens through 18 frozen blocks in bf16, each recomputed
in the backward pass, the loss on the 40 text tokens only, and AdamW on what is trained: the adapter
(1152-2048-2048), with `lora` also factors beside all seven matrices of every block. Random weights.
Written with PyTorch's own functions, so that nothing is computed that the step does not need.
"""

import argparse
import json
import resource
import time

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

HIDDEN, HEADS, HEAD_DIM, FFN, BLOCKS, VOCAB = 2048, 8, 256, 16_384, 18, 256_000
VISION, PATCHES, TEXT = 1152, 729, 40


class LowRank(nn.Module):
    """A frozen matrix and a product of two trained factors."""

    def __init__(self, base: nn.Linear, rank: int):
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.randn(rank, base.in_features) * 0.02)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        factors = functional.linear(x, self.down.to(x.dtype))
        return self.base(x) + 2 * functional.linear(factors, self.up.to(x.dtype))


def norm(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    wide = x.float()
    wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)
    return (wide * (1 + weight.float())).to(x.dtype)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    low, high = x.chunk(2, dim=-1)
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()

        def linear(outputs: int, inputs: int) -> nn.Linear:
            return nn.Linear(inputs, outputs, bias=False)

        self.q = linear(HEADS * HEAD_DIM, HIDDEN)
        self.k = linear(HEAD_DIM, HIDDEN)
        self.v = linear(HEAD_DIM, HIDDEN)
        self.o = linear(HIDDEN, HEADS * HEAD_DIM)
        self.gate = linear(FFN, HIDDEN)
        self.up = linear(FFN, HIDDEN)
        self.down = linear(HIDDEN, FFN)
        self.attention_norm = nn.Parameter(torch.zeros(HIDDEN))
        self.ffn_norm = nn.Parameter(torch.zeros(HIDDEN))

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        rows = x.shape[0]
        h = norm(x, self.attention_norm)
        q = rotate(self.q(h).view(rows, HEADS, HEAD_DIM).transpose(0, 1), cos, sin)
        k = rotate(self.k(h).view(rows, 1, HEAD_DIM).transpose(0, 1), cos, sin)
        v = self.v(h).view(rows, 1, HEAD_DIM).transpose(0, 1)
        k, v = k.expand(HEADS, -1, -1), v.expand(HEADS, -1, -1)
        mixed = functional.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)
        x = x + self.o(mixed[0].transpose(0, 1).reshape(rows, HEADS * HEAD_DIM))
        h = norm(x, self.ffn_norm)
        return x + self.down(functional.gelu(self.gate(h), approximate="tanh") * self.up(h))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["adapter", "lora"])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)

    torch.set_default_dtype(torch.bfloat16)
    table = torch.randn(VOCAB, HIDDEN) * 0.02
    blocks = [Block() for _ in range(BLOCKS)]
    for block in blocks:
        block.requires_grad_(False)
    final_norm = torch.zeros(HIDDEN)
    torch.set_default_dtype(torch.float32)
    adapter = nn.Sequential(nn.Linear(VISION, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN))
    trained = list(adapter.parameters())
    if arguments.kind == "lora":
        for block in blocks:
            for name, child in list(block.named_children()):
                factors = LowRank(child, arguments.rank)
                setattr(block, name, factors)
                trained += [factors.down, factors.up]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)

    rows = PATCHES + TEXT + 1
    angles = torch.outer(torch.arange(rows), 10_000.0 ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM))
    cos, sin = angles.cos().bfloat16(), angles.sin().bfloat16()
    features = torch.randn(PATCHES, VISION)
    ids = 1000 + 17 * torch.arange(TEXT)
    start = torch.tensor([2])

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16):
            visual = adapter(features)
        scale = HIDDEN**0.5
        x = torch.cat([table[start] * scale, visual.bfloat16() * scale, table[ids] * scale])
        for block in blocks:
            x = checkpoint(block, x, cos, sin, use_reentrant=False)
        # The rows that predict the text, and no others, meet the vocabulary.
        rows_scored = norm(x[-TEXT - 1 : -1], final_norm)
        loss = functional.cross_entropy(functional.linear(rows_scored, table).float(), ids)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    seconds = []
    for _ in range(arguments.steps):
        begin = time.perf_counter()
        loss = step()
        seconds.append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {
                "torch": torch.__version__,
                "seconds": seconds,
                "loss": loss,
                "peak_resident_bytes": peak,
            }
        )
    )


if __name__ == "__main__":
    main()
