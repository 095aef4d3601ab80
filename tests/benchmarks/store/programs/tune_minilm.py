"""Ten AdamW steps of all-MiniLM-L6-v2 on the halves of sentences: FOLDER DEST.

The network is written out here, so that torch is all it needs. The loss is the one the model was
trained with: each first half must find its second half among those of the batch.
"""

from __future__ import annotations

import json
import re
import struct
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as fn

LAYERS, HEADS, EPS = 6, 12, 1e-12
STEPS, RATE, PAIRS, TOKENS = 10, 2e-5, 16, 48
Weights = dict[str, torch.Tensor]


def load(path: Path) -> tuple[Weights, bytes, dict[str, list[int]]]:
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    entries = json.loads(raw[8 : 8 + length])
    entries.pop("__metadata__", None)
    body = np.frombuffer(raw, np.uint8, offset=8 + length)
    weights: Weights = {}
    for name, entry in entries.items():
        low, high = entry["data_offsets"]
        if entry["dtype"] == "F32":
            values = body[low:high].view(np.float32).reshape(entry["shape"])
            weights[name] = torch.from_numpy(values.copy()).requires_grad_()
    places = {name: [8 + length + at for at in e["data_offsets"]] for name, e in entries.items()}
    return weights, raw, places


def tokenize(text: str, vocabulary: dict[str, int]) -> list[int]:
    """WordPiece: the longest known piece, again and again."""
    numbers = [vocabulary["[CLS]"]]
    for word in re.findall(r"\w+|[^\w\s]", text.lower()):
        at = 0
        while at < len(word):
            prefix = "##" if at else ""
            ends = range(len(word), at, -1)
            end = next((e for e in ends if prefix + word[at:e] in vocabulary), 0)
            numbers.append(vocabulary[prefix + word[at:end]] if end else vocabulary["[UNK]"])
            at = end or len(word)
    return [*numbers[: TOKENS - 1], vocabulary["[SEP]"]]


def batch(sentences: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, sentences))
    ids = torch.tensor([line + [0] * (width - len(line)) for line in sentences])
    return ids, ids.ne(0).float()


def linear(x: torch.Tensor, weights: Weights, name: str) -> torch.Tensor:
    return fn.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def norm(x: torch.Tensor, weights: Weights, name: str) -> torch.Tensor:
    return fn.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], EPS)


def layer(x: torch.Tensor, mask: torch.Tensor, weights: Weights, prefix: str) -> torch.Tensor:
    rows, width, size = x.shape
    shape = (rows, width, HEADS, size // HEADS)
    query, key, value = (
        linear(x, weights, f"{prefix}.attention.self.{part}").view(shape).transpose(1, 2)
        for part in ("query", "key", "value")
    )
    seen = fn.scaled_dot_product_attention(query, key, value, mask[:, None, None, :].bool())
    mixed = linear(
        seen.transpose(1, 2).reshape(x.shape), weights, f"{prefix}.attention.output.dense"
    )
    x = norm(x + mixed, weights, f"{prefix}.attention.output.LayerNorm")
    wide = fn.gelu(linear(x, weights, f"{prefix}.intermediate.dense"))
    return norm(
        x + linear(wide, weights, f"{prefix}.output.dense"), weights, f"{prefix}.output.LayerNorm"
    )


def embed(sentences: list[list[int]], weights: Weights) -> torch.Tensor:
    ids, mask = batch(sentences)
    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, weights, "embeddings.LayerNorm")
    for number in range(LAYERS):
        x = layer(fn.dropout(x, 0.1), mask, weights, f"encoder.layer.{number}")
    pooled = (x * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    return fn.normalize(pooled)


def tune(weights: Weights, pairs: list[tuple[list[int], list[int]]]) -> list[float]:
    optimizer = torch.optim.AdamW(list(weights.values()), lr=RATE)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(STEPS):
        picks = torch.randperm(len(pairs), generator=generator)[:PAIRS].tolist()
        left = embed([pairs[at][0] for at in picks], weights)
        right = embed([pairs[at][1] for at in picks], weights)
        loss = fn.cross_entropy(20 * left @ right.T, torch.arange(len(picks)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(round(loss.item(), 4))
    return losses


def halves(text: str, vocabulary: dict[str, int]) -> list[tuple[list[int], list[int]]]:
    """Both halves of every sentence of at least eight words, as tokens."""
    found = []
    for sentence in re.split(r"[.!?|\n]+\s*", text):
        words = sentence.split()
        middle = len(words) // 2
        if middle >= 4:
            first, second = " ".join(words[:middle]), " ".join(words[middle:])
            found.append((tokenize(first, vocabulary), tokenize(second, vocabulary)))
    return found


def main(folder: Path, dest: Path) -> None:
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    weights, raw, places = load(folder / "model.safetensors")
    lines = (folder / "vocab.txt").read_text().splitlines()
    vocabulary = {piece: number for number, piece in enumerate(lines)}
    pairs = halves((folder / "README.md").read_text(), vocabulary)
    losses = tune(weights, pairs)
    tuned = bytearray(raw)
    for name, values in weights.items():
        low, high = places[name]
        tuned[low:high] = values.detach().numpy().tobytes()
    dest.write_bytes(tuned)
    print(json.dumps({"losses": losses, "pairs": len(pairs)}))


main(Path(sys.argv[1]), Path(sys.argv[2]))
