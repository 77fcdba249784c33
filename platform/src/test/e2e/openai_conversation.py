"""What an application does with openai-python, unchanged, against Weft.

Reads OPENAI_BASE_URL and OPENAI_API_KEY as the client itself does, and ends with an assertion error at the first
answer that is not what the client's users rely on. Prints a line for each step that held.
"""

import math

import openai

client = openai.OpenAI(max_retries=0, timeout=120)
CHAT, EMBED = "smollm2", "minilm"
HELLO = [{"role": "user", "content": "Say hello to the world in one short sentence."}]


def step(name):
    print("ok", name, flush=True)


def refused(error, status, code, call):
    try:
        call()
    except error as e:
        assert e.status_code == status, e.status_code
        assert set(e.body) == {"message", "type", "param", "code"}, e.body
        assert code is None or e.code == code, e.code
        return e
    raise AssertionError(f"{error.__name__} expected")


models = [m.id for m in client.models.list()]
assert {CHAT, EMBED} <= set(models), models
assert client.models.retrieve(CHAT).object == "model"
step("models")

answer = client.chat.completions.create(model=CHAT, messages=HELLO, temperature=0, max_tokens=24)
text = answer.choices[0].message.content
assert answer.object == "chat.completion" and answer.id.startswith("chatcmpl-"), answer
assert text and answer.choices[0].message.role == "assistant"
assert answer.choices[0].finish_reason in ("stop", "length")
assert 0 < answer.usage.completion_tokens <= 24
assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
step("chat")

turns = HELLO + [{"role": "assistant", "content": text}, {"role": "user", "content": "And now in French."}]
assert client.chat.completions.create(model=CHAT, messages=turns, max_tokens=16).choices[0].message.content
step("conversation")

parts, finish, usage = [], None, None
stream = client.chat.completions.create(
    model=CHAT, messages=HELLO, temperature=0, max_tokens=24, stream=True, stream_options={"include_usage": True}
)
for chunk in stream:
    if chunk.usage:
        assert chunk.choices == []
        usage = chunk.usage
    for choice in chunk.choices:
        parts.append(choice.delta.content or "")
        finish = choice.finish_reason or finish
assert "".join(parts) == text, ("".join(parts), text)
assert finish == answer.choices[0].finish_reason and usage == answer.usage
step("stream equals the whole answer")

plain = list(client.chat.completions.create(model=CHAT, messages=HELLO, max_tokens=4, stream=True))
assert all(c.choices and not c.usage for c in plain), "usage only when asked for"
step("stream without usage")

word = text.split()[1]
cut = client.chat.completions.create(model=CHAT, messages=HELLO, temperature=0, max_tokens=24, stop=[word])
assert cut.choices[0].message.content == text[: text.index(word)], (cut.choices[0].message.content, text)
assert cut.choices[0].finish_reason == "stop"
step("stop")

seeded = [
    client.chat.completions.create(model=CHAT, messages=HELLO, temperature=1, seed=s, max_tokens=16)
    .choices[0].message.content
    for s in (7, 7, 8, 9)
]
assert seeded[0] == seeded[1] and len(set(seeded)) > 1, seeded
step("seed")

scored = client.chat.completions.create(
    model=CHAT, messages=HELLO, temperature=0, max_tokens=4, logprobs=True, top_logprobs=3
)
for token in scored.choices[0].logprobs.content:
    assert token.logprob <= 0 and len(token.top_logprobs) == 3
    assert token.logprob == max(t.logprob for t in token.top_logprobs)
    assert bytes(token.bytes).decode(errors="replace") == token.token
step("logprobs")

several = client.chat.completions.create(model=CHAT, messages=HELLO, n=2, temperature=1, seed=3, max_tokens=8)
assert [c.index for c in several.choices] == [0, 1]
step("n")

completion = client.completions.create(model=CHAT, prompt="The capital of France is", temperature=0, max_tokens=8)
assert "Paris" in completion.choices[0].text, completion.choices[0].text
step("completions")

pair = client.embeddings.create(model=EMBED, input=["a cat", "a kitten", "Kubernetes"], encoding_format="float")
cat, kitten, cluster = (d.embedding for d in pair.data)
dot = lambda a, b: sum(x * y for x, y in zip(a, b))
assert len(cat) == 384 and math.isclose(dot(cat, cat), 1, rel_tol=1e-4)
assert dot(cat, kitten) > dot(cat, cluster) + 0.2
packed = client.embeddings.create(model=EMBED, input="a cat")  # the client asks for base64 by itself
assert max(abs(a - b) for a, b in zip(packed.data[0].embedding, cat)) < 1e-5
assert packed.usage.prompt_tokens > 0
step("embeddings")

refused(openai.NotFoundError, 404, "model_not_found",
        lambda: client.chat.completions.create(model="no-such-function", messages=HELLO))
bad = refused(openai.BadRequestError, 400, None,
              lambda: client.chat.completions.create(model=CHAT, messages=HELLO, temperature=3))
assert bad.param == "temperature", bad.param
tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
unsupported = refused(openai.BadRequestError, 400, "unsupported_parameter",
                      lambda: client.chat.completions.create(model=CHAT, messages=HELLO, tools=tools))
assert unsupported.param == "tools", unsupported.param
long = [{"role": "user", "content": "word " * 20_000}]
refused(openai.BadRequestError, 400, "context_length_exceeded",
        lambda: client.chat.completions.create(model=CHAT, messages=long))
stranger = openai.OpenAI(api_key="weft_wrong", max_retries=0)
refused(openai.AuthenticationError, 401, "invalid_api_key", lambda: stranger.models.list())
step("errors")
