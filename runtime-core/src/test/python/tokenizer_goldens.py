"""Writes src/test/resources/golden/tokenizer: ids that Hugging Face's tokenizers give.

    python tokenizer_goldens.py SmolLM2-135M-Instruct.Q4_1.gguf all-MiniLM-L6-v2/tokenizer.json

needs tokenizers, transformers and gguf. The GGUF vocabulary is put together here as SmolLM2's own
tokenizer.json has it (single digits, then GPT-2's byte-level words), independently of the runtime's
reading. sentencepiece.json holds a small vocabulary with scores whose merges transformers derives.
"""

import json
import pathlib
import random
import sys

import gguf
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers.convert_slow_tokenizer import generate_merges

OUT = pathlib.Path(__file__).parent.parent / "resources/golden/tokenizer"

TEXTS = [
    "", " ", "  ", "\n", "\n\n\n", "\t\t x", "a", "Hello, world!", "Hello world", " Hello", "hello  world   again", "The quick brown fox jumps over the lazy dog.",
    "I'm you're he'll we've they'd it's ISN'T", "3.14159 and 1,000,000 or 0x1F", "12345678901234567890", "year 2026, room 7b", "a1b22c333",
    "def f(x):\n    return x ** 2  # square\n", "for (int i = 0; i < n; ++i) { sum += a[i]; }", "SELECT * FROM t WHERE a = 'b';", "{\"key\": [1, 2.5, null, true]}",
    "https://example.org/path?q=1&r=%20#frag", "user@example.org", "C:\\Users\\name", "----====____", "!!!???...", "“quoted” — dash – ellipsis…",
    "naïve café résumé", "e\u0301 a\u030a combining", "ﬁ ligature Å Å", "Straße GRÖSSE", "Привет, мир!", "Γειά σου Κόσμε", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया",
    "สวัสดีชาวโลก", "你好，世界", "こんにちは世界", "안녕하세요 세계", "😀", "😀😀 👩‍👩‍👧 🇳🇴 👍🏽", "mixed 日本語 and English 123 テスト", "\u200bzero\u200dwidth\ufeff",
    "\x00\x01\x7f control", "line\r\nbreak\rold", "\u00a0nbsp\u3000ideographic", "a" * 300, "word " * 60, "ÿþ�\ufffd", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈",
    "<|im_start|>user\nHi<|im_end|>\n", "[CLS] in [SEP] text [MASK]", "<s>not special</s> <unk> <0x41>", "tokenization untokenizable antidisestablishmentarianism",
]


def smollm(path):
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(t, special=True, normalized=False) for t, kind in zip(tokens, types) if kind == 3]
    tokenizer.add_special_tokens(special)
    return tokenizer


def minilm(path):
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


# Pieces with scores as SentencePiece trains them: specials, all bytes, letters, then longer pieces.
WORDS = ["▁the", "▁th", "▁t", "he", "th", "er", "▁h", "▁he", "▁her", "in", "▁in", "ing", "▁the▁", "▁w", "or", "ld", "▁wor", "▁world", "world", "▁▁", "▁▁▁▁", "日本", "本語", "é"]
LETTERS = list("▁etaoinshrdlucmfwygpbvk.,!") + ["日", "本", "語"]


def sentencepiece():
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + WORDS + LETTERS + ["<turn>"]
    types = [2, 3, 3] + [6] * 256 + [1] * (len(WORDS) + len(LETTERS)) + [4]
    scores = [0.0] * 259 + [-float(i // 2) for i in range(len(WORDS))] + [-100.0 - i for i in range(len(LETTERS))] + [0.0]
    vocab = {token: i for i, token in enumerate(tokens)}
    plain = {t: s for t, s, kind in zip(tokens, scores, types) if kind == 1}
    merges = generate_merges({t: vocab[t] for t in plain}, plain)
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.add_tokens([AddedToken("<turn>", normalized=False)])
    source = {"tokens": tokens, "types": types, "scores": scores}
    return source, tokenizer


def golden(tokenizer):
    rows = []
    for text in TEXTS:
        tokenizer.encode_special_tokens = False
        special = tokenizer.encode(text, add_special_tokens=True).ids
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        rows.append({"text": text, "special": special, "plain": plain,
                     "decoded": tokenizer.decode(special, skip_special_tokens=False),
                     "skipped": tokenizer.decode(special, skip_special_tokens=True)})
    return rows


def decodings(tokenizer):
    """Random tokens, most of which are no text: their bytes are cut anywhere."""
    rng = random.Random(7)
    rows = []
    for _ in range(200):
        ids = [rng.randrange(tokenizer.get_vocab_size()) for _ in range(rng.randrange(1, 12))]
        rows.append({"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)})
    return rows


def write(name, value):
    (OUT / name).write_text(json.dumps(value, separators=(",", ":")).replace('},{', '},\n{') + "\n")


def main():
    model, bert = sys.argv[1:]
    tokenizer = smollm(model)
    write("smollm2.json", {"texts": golden(tokenizer), "decodings": decodings(tokenizer)})
    tokenizer = minilm(bert)
    write("minilm.json", {"texts": golden(tokenizer), "decodings": decodings(tokenizer)})
    source, tokenizer = sentencepiece()
    write("sentencepiece.json", {"source": source, "texts": golden(tokenizer)})


main()
