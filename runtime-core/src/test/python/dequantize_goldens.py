"""Writes src/test/resources/golden/dequantize: blocks of every type and the float32 values that
the gguf package makes of them (DequantizerTest compares bit for bit).

Run with Python 3 and `pip install gguf`, from any directory. A file is: u32 element count, the
blocks, the float32 values, all little-endian.
"""

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

TARGET = Path(__file__).parent.parent / "resources" / "golden" / "dequantize"

# Where a block has half floats; all other bytes may hold anything.
HALVES = {
    T.Q8_0: [0],
    T.Q4_0: [0],
    T.Q4_1: [0, 2],
    T.Q5_0: [0],
    T.Q5_1: [0, 2],
    T.Q4_K: [0, 2],
    T.Q5_K: [0, 2],
    T.Q6_K: [208],
}

# Ordinary, negative, zero, subnormal, smallest normal, largest.
SCALES = np.array([0.0123, -0.5, 0.0, 6e-8, 6.104e-5, 65504.0], dtype=np.float16)


def random_blocks(kind, count, random):
    """Blocks of any bytes, but for scales that are finite and of every kind."""
    blocks = random.integers(0, 256, (count, GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
    for position, offset in enumerate(HALVES[kind]):
        for block in range(count):
            scale = SCALES[(block + 2 * position) % len(SCALES)]
            blocks[block, offset : offset + 2] = np.frombuffer(scale.tobytes(), np.uint8)
    return blocks


def float_blocks(kind, random):
    values = np.concatenate(
        [random.normal(size=58), [0.0, -0.0, 1e-40, -3e38, 6e-8, 65504.0]]
    ).astype(np.float32)
    if kind == T.F32:
        return values.view(np.uint8), values
    if kind == T.F16:
        halves = np.clip(values, -65504, 65504).astype(np.float16)
        return halves.view(np.uint8), halves.astype(np.float32)
    raw = quantize(values, kind)
    return raw, dequantize(raw, kind)


def main():
    TARGET.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(20260101)
    for kind in [T.F32, T.F16, T.BF16, *HALVES]:
        if kind in HALVES:
            count = 8 if GGML_QUANT_SIZES[kind][0] == 32 else 6
            raw = random_blocks(kind, count, random)
            values = dequantize(raw, kind).reshape(-1)
        else:
            raw, values = float_blocks(kind, random)
        content = np.uint32(values.size).tobytes() + raw.tobytes()
        (TARGET / f"{kind.name}.bin").write_bytes(content + values.astype(np.float32).tobytes())


if __name__ == "__main__":
    main()
