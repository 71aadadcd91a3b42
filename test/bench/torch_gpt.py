#!/usr/bin/python3
"""The GPT of compare-cpu in PyTorch, eager, float32, on CPUs.

The same structure as Megatron-LM's: layer norm before attention and MLP, one
QKV product, tanh GELU, tied output embedding, Adam. Dropout 0. Attention is
what this version of PyTorch has fastest: its fused operator where there is one.
Prints one JSON line: tokens_per_s (median of the later half of the steps),
first and last loss.
"""

import argparse
import json
import math
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, hidden, heads, sequence):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(hidden)
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.dense = nn.Linear(hidden, hidden)
        self.norm2 = nn.LayerNorm(hidden)
        self.up = nn.Linear(hidden, 4 * hidden)
        self.down = nn.Linear(4 * hidden, hidden)
        mask = torch.full((sequence, sequence), -1e4).triu(1)
        self.register_buffer("mask", mask, persistent=False)

    def attention(self, q, k, v):
        if hasattr(F, "scaled_dot_product_attention"):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        return torch.softmax(scores + self.mask, -1) @ v

    def forward(self, x):
        batch, sequence, hidden = x.shape
        shape = (batch, sequence, self.heads, hidden // self.heads)
        q, k, v = (part.view(shape).transpose(1, 2)
                   for part in self.qkv(self.norm1(x)).chunk(3, -1))
        o = self.attention(q, k, v).transpose(1, 2).reshape(x.shape)
        x = x + self.dense(o)
        up = self.up(self.norm2(x))
        return x + self.down(gelu(up))


def gelu(x):
    try:
        return F.gelu(x, approximate="tanh")
    except TypeError:  # before 1.12
        return F.gelu(x)


class Gpt(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.words = nn.Embedding(a.vocabulary, a.hidden)
        self.positions = nn.Embedding(a.sequence, a.hidden)
        self.blocks = nn.ModuleList(Block(a.hidden, a.heads, a.sequence)
                                    for _ in range(a.layers))
        self.norm = nn.LayerNorm(a.hidden)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, 0, 0.02)

    def forward(self, tokens, labels):
        x = self.words(tokens) + self.positions.weight[:tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = self.norm(x) @ self.words.weight.t()
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


def main():
    parser = argparse.ArgumentParser()
    for name, value in (("layers", 6), ("hidden", 512), ("heads", 8),
                        ("sequence", 256), ("vocabulary", 8192),
                        ("batch", 4), ("steps", 12), ("threads", 2)):
        parser.add_argument("--" + name, type=int, default=value)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1234)
    model = Gpt(a)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    times, losses = [], []
    for _ in range(a.steps):
        tokens = torch.randint(0, 256, (a.batch, a.sequence + 1))
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = model(tokens[:, :-1], tokens[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        times.append(time.perf_counter() - begin)
        losses.append(loss.item())
    median = statistics.median(times[a.steps // 2:])
    print(json.dumps({"tokens_per_s": a.batch * a.sequence / median,
                      "first_loss": losses[0], "last_loss": losses[-1],
                      "torch": torch.__version__}))


if __name__ == "__main__":
    main()
