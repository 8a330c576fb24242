"""An endpoint that keeps its own bill, and the faults that its answers may meet on the way.

Every prompt carries marks like #alice/17#, which say whose key asked and as which request; a plan's steps
have the marks of their question. So the bill knows who owes what without a word from the server. It is
the bill of a provider that shows no mercy: whole, from the moment the request has arrived, whether or not
anybody reads the answer.
"""

import collections
import http.server
import json
import re
import threading

import fault_proxy
from fault_proxy import FAULTS, FaultProxy

PROMPT, COMPLETION = 2_000_000, 8_000_000  # Picodollars a token, as in the configuration.
MARK = re.compile(r"#([a-z0-9-]+)/(\d+)#")
PLAN = """<Plan>
<Step ID="1" Role="explain" Task="What is given in {mark}?" Rely="" Token="12" Difficulty="1"/>
<Step ID="2" Role="analyze" Task="What does the first part of {mark} give?" Rely="1" Token="12" Difficulty="3"/>
<Step ID="3" Role="analyze" Task="What does the second part of {mark} give?" Rely="1" Token="12" Difficulty="7"/>
<Step ID="4" Role="generate" Task="What is the answer of {mark}?" Rely="2,3" Token="16" Difficulty="5"/>
</Plan>
"""


def pause(seconds):
    """Unlike a test, a soak is about time: how fast somebody speaks, how long load lasts."""
    threading.Event().wait(seconds)


class Bill:
    def __init__(self):
        self.lock = threading.Lock()
        self.pico_usd = collections.Counter()  # By key.
        self.requests = collections.Counter()  # By mark.
        self.unmarked = []

    def charge(self, text, prompt, completion):
        found = MARK.search(text)
        with self.lock:
            if not found:
                self.unmarked.append(text[:200])
                return
            self.pico_usd[found[1]] += prompt * PROMPT + completion * COMPLETION
            self.requests[found[0]] += 1


def wish(text, name, default):
    """A number that the question asks of this endpoint, like [pieces=20]."""
    found = re.search(rf"\[{name}=(\d+)\]", text)
    return int(found[1]) if found else default


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.close_connection = True
        text = "\n".join(m["content"] for m in body["messages"])
        if "<Plan>" in text:
            pieces = PLAN.format(mark=MARK.search(text)[0]).splitlines(keepends=True)
            completion = 200
        else:
            count = min(wish(text, "pieces", 6), body.get("max_tokens", body.get("max_completion_tokens", 10**6)))
            pieces = [f"{i} " + "x" * wish(text, "size", 4) for i in range(count)]
            completion = count
        usage = {"prompt_tokens": max(1, len(text.encode()) // 4), "completion_tokens": completion}
        usage["total_tokens"] = sum(usage.values())
        if body["model"] != "edge":  # The one that stands in for the engine is free.
            self.server.bill.charge(text, usage["prompt_tokens"], completion)
        self.calls = [{"id": "call_1", "type": "function", "index": 0,
                       "function": {"name": "look", "arguments": "{}"}}] if body.get("tools") else None
        if body.get("stream"):
            self.stream(pieces, usage, wish(text, "pace", 0) / 1000)
        else:
            self.whole(pieces, usage)

    def head(self, kind, *more):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        for field in more:
            self.send_header(*field)
        self.end_headers()

    def whole(self, pieces, usage):
        message = {"role": "assistant", "content": "".join(pieces)}
        if self.calls:
            message["tool_calls"] = self.calls
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if self.calls else "stop"}
        data = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
                           "usage": usage}).encode()
        self.head("application/json", ("Content-Length", str(len(data))))
        self.wfile.write(data)

    def stream(self, pieces, usage, pace):
        self.head("text/event-stream", ("Transfer-Encoding", "chunked"))
        chunk = lambda value: self.send_event(json.dumps(
            {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **value}))
        for piece in pieces:
            chunk({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
            if pace:
                pause(pace)
        delta = {"tool_calls": self.calls} if self.calls else {}
        chunk({"choices": [{"index": 0, "delta": delta, "finish_reason": "tool_calls" if self.calls else "stop"}]})
        chunk({"choices": [], "usage": usage})
        self.send_event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def send_event(self, data):
        data = b"data: " + data.encode() + b"\n\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


class Upstream(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.bill = Bill()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # That somebody leaves is a part of this.


# ---- faults of any answer, streamed or whole ----


def cut_at_half(exchange, end):
    data = b"".join(exchange.raw())
    exchange.send_apart(data[:len(data) // 2])
    end(exchange)


def reset_at_half(exchange):
    cut_at_half(exchange, lambda e: e.reset())


def close_at_half(exchange):
    cut_at_half(exchange, lambda e: None)


def stall_at_half(exchange):
    cut_at_half(exchange, lambda e: e.hold())


def garbage_at_half(exchange):
    # Too little to make up for the length that was told.
    cut_at_half(exchange, lambda e: e.send(bytes(range(128, 160))))


def drip(exchange):
    data = b"".join(exchange.raw())
    for at in range(0, len(data), 40):
        exchange.send(data[at:at + 40])
        exchange.pause(0.002)


def refuse(exchange, status):
    body = b'{"error": {"message": "too much at the moment", "type": "server_error", "code": "busy"}}'
    exchange.head(f"Content-Length: {len(body)}", "Retry-After: 1", status="HTTP/1.1 " + status,
                  kind="application/json")
    exchange.send(body)


def too_many(exchange):
    refuse(exchange, "429 Too Many Requests")


def unavailable(exchange):
    refuse(exchange, "503 Service Unavailable")


ANY = [reset_at_half, close_at_half, stall_at_half, garbage_at_half, drip, too_many, unavailable,
       *(FAULTS[name] for name in ("reset_after_request", "close_after_request", "reset_in_head", "silent",
                                   "garbage_instead", "interim_answers"))]
STREAMED = [FAULTS[name] for name in (
    "reset_in_stream", "close_in_stream", "close_in_chunk", "end_in_order_too_early", "head_then_silent",
    "half_then_silent", "half_then_keepalives", "garbage_in_event", "error_event", "chunk_shorter_than_told",
    "usage_negative", "usage_beyond_numbers", "usage_of_other_types", "unknown_events", "reset_after_done",
    "silent_after_done")]


class Faults:
    """Draws a fault, or none, for each request of a proxy. `share` may be changed at any time."""

    def __init__(self, upstream, random, share):
        self.random = random
        self.share = share
        self.lock = threading.Lock()
        self.drawn = collections.Counter()
        self.proxy = FaultProxy(upstream, self.spoil)
        self.proxy.note = lambda what, detail=None: None  # A day's requests would be too many to keep.
        self.url = self.proxy.url

    def spoil(self, exchange):
        is_streamed = json.loads(exchange.request).get("stream")
        with self.lock:
            spoils = self.random.random() < self.share
            fault = self.random.choice(ANY + STREAMED if is_streamed else ANY) if spoils else fault_proxy.none
            self.drawn[fault.__name__] += 1
        # "interim_answers" and the like make streams only.
        if not is_streamed and fault is FAULTS["interim_answers"]:
            exchange.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
            fault = fault_proxy.none
        return fault(exchange)
