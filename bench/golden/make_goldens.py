"""Golden values for Weft's fidelity, from PyTorch, transformers and sentence-transformers in float32.

Usage: make_goldens.py SMOLLM2.gguf MINILM_DIRECTORY [greedy|adapter|perplexity|embeddings]...

greedy      64 greedy tokens after each of prompts.json, with the largest logits of every step. The
            weights are those of the GGUF file, dequantised: the difference that is left is Weft's.
adapter     the same after four of the prompts, with a low-rank adapter of all matrices merged into the
            weights: the adapter that GoldenAdapter.java writes as files
perplexity  of wikitext-2 windows, with each token's log-probability
embeddings  of sentences.txt, normalised, as base64 of little-endian float32
"""

import base64
import json
import pathlib
import sys

import numpy
import torch

HERE = pathlib.Path(__file__).parent
OUT = HERE / ".." / "src" / "main" / "resources" / "golden"
STEPS = 64
TOP = 5
WINDOW = 512
WINDOWS = 4
ADAPTER_PROMPTS = 4
RANK = 8
ALPHA = 4
MODULES = [
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
]


def load_decoder(gguf):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32, attn_implementation="eager"
    )
    return model.eval()


def load_tokenizer(gguf):
    """The file's own vocabulary. Its pre-tokenizer `smollm` is single digits, then GPT-2's words."""
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    fields = GGUFReader(str(gguf)).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = fields["tokenizer.ggml.merges"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    assert fields["tokenizer.ggml.pre"].contents() == "smollm"
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: index for index, token in enumerate(tokens)},
            merges=[tuple(merge.split(" ")) for merge in merges],
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, kinds) if kind in (3, 4)]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in control])
    return tokenizer


def write(name, value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # One element of a list a line, so that a change can be read.
    text = text.replace('},{"', '},\n{"').replace('[{"', '[\n{"')
    (OUT / name).write_text(text + "\n", encoding="utf-8")
    print("wrote", name, len(text), "bytes")


def adapter_matrix(index, rows, columns):
    """As GoldenAdapter.java: 8 bits of a hash of the tensor's and the element's number."""
    bits = numpy.arange(rows * columns, dtype=numpy.uint32) + numpy.uint32(index << 20)
    bits ^= bits >> 16
    bits *= numpy.uint32(0x85EBCA6B)
    bits ^= bits >> 13
    bits *= numpy.uint32(0xC2B2AE35)
    bits ^= bits >> 16
    values = ((bits >> 24).astype(numpy.float32) - 127.5) / 1024
    return torch.from_numpy(values.reshape(rows, columns))


def merge_adapter(model):
    index = 0
    for layer in model.model.layers:
        for module in MODULES:
            weight = layer.get_submodule(module).weight
            outputs, inputs = weight.shape
            a = adapter_matrix(index, RANK, inputs).double()
            b = adapter_matrix(index + 1, outputs, RANK).double()
            with torch.no_grad():
                weight.copy_((weight.double() + ALPHA / RANK * (b @ a)).float())
            index += 2


def greedy(gguf):
    model, tokenizer = load_decoder(gguf), load_tokenizer(gguf)
    write("smollm2-greedy.json", continuations(model, tokenizer, None))


def adapter(gguf):
    model, tokenizer = load_decoder(gguf), load_tokenizer(gguf)
    merge_adapter(model)
    write("smollm2-adapter-greedy.json", continuations(model, tokenizer, ADAPTER_PROMPTS))


def continuations(model, tokenizer, count):
    prompts = []
    for prompt in json.loads((HERE / "prompts.json").read_text(encoding="utf-8"))[:count]:
        ids = tokenizer.encode(prompt["text"]).ids
        tokens, steps = [], []
        step_input, cache = torch.tensor([ids]), None
        for _ in range(STEPS):
            with torch.no_grad():
                output = model(step_input, past_key_values=cache, use_cache=True)
            logits, cache = output.logits[0, -1], output.past_key_values
            top = torch.topk(logits, TOP)
            token = int(top.indices[0])
            tokens.append(token)
            steps.append([[int(i), round(float(v), 5)] for i, v in zip(top.indices, top.values)])
            step_input = torch.tensor([[token]])
        margins = [step[0][1] - step[1][1] for step in steps]
        print(prompt["name"], len(ids), "smallest margin", min(margins), repr(tokenizer.decode(tokens)[:80]))
        prompts.append(
            {"name": prompt["name"], "text": prompt["text"], "prompt": ids, "tokens": tokens, "top": steps}
        )
    return {"steps": STEPS, "prompts": prompts}


def perplexity(gguf):
    model, tokenizer = load_decoder(gguf), load_tokenizer(gguf)
    text = (HERE / "wikitext-2-excerpt.txt").read_text(encoding="utf-8")
    ids = tokenizer.encode(text).ids[: WINDOW * WINDOWS]
    assert len(ids) == WINDOW * WINDOWS, len(ids)
    windows, total = [], 0.0
    for start in range(0, len(ids), WINDOW):
        window = torch.tensor([ids[start : start + WINDOW]])
        with torch.no_grad():
            scores = torch.log_softmax(model(window).logits[0, :-1].double(), dim=-1)
        scores = scores[torch.arange(WINDOW - 1), window[0, 1:]]
        total += float(scores.sum())
        windows.append(
            {
                "tokens": window[0].tolist(),
                "perplexity": float(torch.exp(-scores.mean())),
                "scores": [round(float(score), 5) for score in scores],
            }
        )
        print("window", start, windows[-1]["perplexity"])
    count = (WINDOW - 1) * WINDOWS
    write("smollm2-perplexity.json", {"perplexity": float(numpy.exp(-total / count)), "windows": windows})


def embeddings(directory):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(directory), device="cpu")
    lines = (HERE / "sentences.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 100, len(lines)
    sentences = []
    for line in lines:  # one at a time: no padding
        vector = model.encode(line, normalize_embeddings=True, convert_to_numpy=True)
        ids = model.tokenizer(line, truncation=True, max_length=model.max_seq_length)["input_ids"]
        packed = base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
        sentences.append({"text": line, "tokens": ids, "vector": packed})
    write("minilm-embeddings.json", {"dimensions": 384, "sentences": sentences})


def main():
    torch.manual_seed(0)
    gguf, minilm = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    parts = {
        "greedy": lambda: greedy(gguf),
        "adapter": lambda: adapter(gguf),
        "perplexity": lambda: perplexity(gguf),
        "embeddings": lambda: embeddings(minilm),
    }
    OUT.mkdir(parents=True, exist_ok=True)
    for part in sys.argv[3:] or parts:
        parts[part]()


main()
