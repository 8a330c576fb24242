"""An endpoint that answers as OpenAI's does, whole or in deltas as it is asked; otherwise the stub of tests/e2e."""

import base64
import json
import struct
import threading

import stub

ANSWER = "The answer is 7.\nAnswer: 7"
FRUITS = '{"count": 7, "kind": "fruits"}'
WEATHER = {"name": "weather", "arguments": '{"city": "Lyon"}'}
VECTOR = [0.5, -0.25, 1.0]
USAGE = {"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109}


class Handler(stub.Handler):
    @staticmethod
    def is_plan(body):
        return any("<Plan>" in str(message.get("content")) for message in body.get("messages", []))

    def act_ok(self, body, count):
        self.say(body, ["The answer ", "is 7.\n", "Answer: 7"])

    def act_slow(self, body, count):
        self.server.stub.released.wait(60)
        self.act_ok(body, count)

    def act_json(self, body, count):
        self.say(body, [FRUITS[:9], FRUITS[9:]])

    def act_tools(self, body, count):
        if body["messages"][-1]["role"] == "tool":
            return self.say(body, ["It is ", body["messages"][-1]["content"]])
        call = {"id": "call_1", "type": "function", "function": WEATHER}
        name, arguments = WEATHER["name"], WEATHER["arguments"]
        begun = {**call, "index": 0, "function": {"name": name, "arguments": ""}}
        pieces = [{"index": 0, "function": {"arguments": part}} for part in (arguments[:6], arguments[6:])]
        self.reply(body, {"role": "assistant", "content": None, "tool_calls": [call]},
                   [{"tool_calls": [piece]} for piece in (begun, *pieces)], "tool_calls")

    def act_refusal(self, body, count):
        self.fail(400, "the endpoint refuses this request")

    def act_embed(self, body, count):
        if "input" not in body:
            return self.act_ok(body, count)
        packed = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
        vector = packed if body.get("encoding_format") == "base64" else VECTOR
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [{"object": "embedding", "index": i, "embedding": vector} for i in range(len(texts))]
        self.send_json({"object": "list", "data": data, "model": body["model"],
                        "usage": {"prompt_tokens": 3, "total_tokens": 3}})

    def say(self, body, texts):
        self.reply(body, {"role": "assistant", "content": "".join(texts)}, [{"content": text} for text in texts], "stop")

    def reply(self, body, message, deltas, finish):
        known = {"id": "chatcmpl-upstream", "created": 1_700_000_000, "model": body["model"], "system_fingerprint": "fp_1"}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
            return self.send_json({**known, "object": "chat.completion", "choices": [choice], "usage": USAGE})
        known["object"] = "chat.completion.chunk"
        self.begin("text/event-stream")
        deltas = [{"role": "assistant", **deltas[0]}, *deltas[1:]]
        for delta, reason in [*((delta, None) for delta in deltas), ({}, finish)]:
            self.event({**known, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
        if (body.get("stream_options") or {}).get("include_usage"):
            self.event({**known, "choices": [], "usage": USAGE})
        self.chunk("data: [DONE]\n\n")
        self.end()

    def event(self, data):
        self.chunk("data: " + json.dumps(data) + "\n\n")

    def send_json(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class Upstream(stub.Stub):
    def __init__(self):
        super().__init__()
        self.server.RequestHandlerClass = Handler
        self.server.socket.listen(128)  # Instead of five, of which the sixth waits a second.

    def close(self):
        # Its server takes half a second to see that it is to end, which nobody has to wait for.
        self.released.set()
        threading.Thread(target=super().close).start()
