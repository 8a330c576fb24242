"""Clients of all manners for the soak, and what each of them may expect.

A client's question carries its mark, by which the upstream's bill knows it. What breaks a promise of
docs/server.md goes to Tally.wrong; the rest is counted.
"""

import collections
import http.client
import itertools
import json
import socket
import threading

from upstream import pause

PATIENCE = 60
CHAT = "/v1/chat/completions"
# What may come of any request: the endpoint's faults and the key's limits are not the server's.
TROUBLE = {402, 429, 502, 503, 504}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


class Tally:
    def __init__(self):
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.problems = []
        self.runs = {}           # By id: the key's name.
        self.maybe_begun = 0     # Requests whose client left before it heard of a run.

    def count(self, *names):
        with self.lock:
            self.counts.update(names)

    def wrong(self, text):
        with self.lock:
            self.problems.append(text)
        print(f"WRONG: {text[:600]}", flush=True)

    def saw_run(self, run, key):
        with self.lock:
            if self.runs.setdefault(run, key) != key:
                self.problems.append(f"run {run} was told to {key}, and to {self.runs[run]} before")

    def left_unheard(self):
        with self.lock:
            self.maybe_begun += 1


class Answer:
    def __init__(self, status, headers, text):
        self.status = status
        self.headers = headers
        self.text = text


class Clients:
    """Makes requests with keys: a mapping of names to secrets, which may change at any time."""

    def __init__(self, port, keys, bill, tally, edge):
        self.port = port
        self.keys = keys
        self.bill = bill
        self.tally = tally
        self.edge = edge  # Whether a real engine is behind the model "edge".
        self.numbers = itertools.count(1)

    # ---- one request ----

    def open(self, receive_buffer=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.connect()
        if receive_buffer:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        return connection

    def send(self, connection, method, path, body, key, headers=None):
        data = json.dumps(body) if isinstance(body, dict) else body
        fields = {"Content-Type": "application/json", "Authorization": f"Bearer {self.keys.get(key, key)}"}
        connection.request(method, path, data, {**fields, **(headers or {})})

    def ask(self, method, path, body, key, allowed, headers=None):
        """A whole answer, with one of the statuses allowed."""
        connection = self.open()
        try:
            self.send(connection, method, path, body, key, headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException) as error:
            self.tally.wrong(f"no answer to {method} {path} {body}: {error!r}")
            return None
        finally:
            connection.close()
        self.check_head(answer, key, allowed, f"{method} {path} {body}")
        return answer

    def check_head(self, answer, key, allowed, what):
        self.tally.count(f"status {answer.status}")
        if run := answer.headers["x-hybridflow-run"]:
            self.tally.saw_run(run, key)
        told = f"{what}: {answer.status} {answer.text[:300]}"
        if answer.status not in allowed:
            return self.tally.wrong("unexpected: " + told)
        if answer.status < 400:
            return None
        try:
            error = json.loads(answer.text)["error"]
        except (ValueError, KeyError, TypeError):
            return self.tally.wrong("no error in the answer: " + told)
        self.tally.count(f"code {error.get('code')}")
        if not (isinstance(error.get("code"), str) and error["code"] and error.get("message")):
            self.tally.wrong("an error without code or message: " + told)
        is_over = answer.headers["x-should-retry"] == "false"
        if answer.status in (429, 503) and not is_over and not answer.headers["Retry-After"]:
            self.tally.wrong("no Retry-After: " + told)
        if answer.status == 402 and "hybridflow" not in error:
            self.tally.wrong("402 without figures: " + told)
        return None

    def body(self, key, model, wishes="", **more):
        mark = f"#{key}/{next(self.numbers)}#"
        return mark, {"model": model, "messages": [{"role": "user", "content": f"What is {mark}? {wishes}"}],
                      "max_tokens": 12, **more}

    # ---- manners ----

    def whole(self, key, model, wishes="", allowed=TROUBLE, **more):
        _, body = self.body(key, model, wishes, **more)
        answer = self.ask("POST", CHAT, body, key, {200} | allowed)
        if answer and answer.status == 200:
            self.check_answer(answer, model)

    def check_answer(self, answer, model):
        try:
            choice = json.loads(answer.text)["choices"][0]
            if not (choice["message"].get("content") or choice["message"].get("tool_calls") or model in self.edge):
                self.tally.wrong(f"an empty answer of {model}: {answer.text[:300]}")
        except (ValueError, KeyError, IndexError):
            self.tally.wrong(f"no answer in {answer.text[:300]}")
        if not answer.headers["x-hybridflow-run"]:
            self.tally.wrong(f"an answer of {model} without a run")
        self.tally.count("answers")

    def stream(self, key, model, wishes="", allowed=TROUBLE, pace=0, receive_buffer=None, cancels=False, **more):
        """Reads to the end, line by line; slowly if `pace` says so. `cancels`: by the run's id, on the way."""
        _, body = self.body(key, model, wishes, stream=True, **more)
        connection = self.open(receive_buffer)
        last = ""
        try:
            self.send(connection, "POST", CHAT, body, key)
            response = connection.getresponse()
            if response.status != 200:
                answer = Answer(response.status, response.headers, response.read())
                return self.check_head(answer, key, allowed, f"stream {body}")
            run = response.headers["x-hybridflow-run"]
            self.check_head(Answer(200, response.headers, b""), key, {200}, "")
            while line := response.readline():
                if line.startswith(b"data: "):
                    last = line[6:].decode("utf-8", "replace").strip()
                    if cancels:
                        cancels = False
                        self.ask("DELETE", f"/v1/runs/{run}", None, key, {202, 409})
                if pace:
                    pause(pace)
        except (OSError, http.client.HTTPException) as error:
            return self.tally.wrong(f"a stream of {model} broke after {last[:100]!r}: {error!r}; {body}")
        finally:
            connection.close()
        if last == "[DONE]":
            return self.tally.count("streams to [DONE]")
        try:
            self.tally.count(f"streams to {json.loads(last)['error']['code']}")
        except (ValueError, KeyError, TypeError):
            told = self.ask("GET", f"/v1/runs/{run}", None, key, {200})
            receipt = json.loads(told.text) if told else {}
            self.tally.wrong(f"run {run}, {receipt.get('outcome')} {receipt.get('degraded')}: a stream of {model} ends "
                             f"with {last[:200]!r}; {body}")
        return None

    def leave(self, key, model, events, **more):
        """Reads so many events of a stream, then leaves; none: before there is a head."""
        _, body = self.body(key, model, "[pieces=40] [pace=30]", stream=True, **{"max_tokens": 40, **more})
        connection = self.open()
        try:
            self.send(connection, "POST", CHAT, body, key)
            if events == 0:
                self.tally.left_unheard()
                return self.tally.count("left before the head")
            response = connection.getresponse()
            text = response.read() if response.status != 200 else b""
            self.check_head(Answer(response.status, response.headers, text), key, {200} | TROUBLE, f"{body}")
            if response.status == 200:
                for _ in range(2 * events):
                    response.readline()
                self.tally.count("left in mid-stream")
                response.close()
        except (OSError, http.client.HTTPException) as error:
            self.tally.wrong(f"{error!r} before leaving {body}")
        finally:
            connection.close()
        return None

    def stall(self, key, model):
        """Asks for more than anybody buffers and does not read it."""
        _, body = self.body(key, model, "[pieces=900] [size=1000]", stream=True, max_tokens=1000)
        connection = self.open(receive_buffer=4096)
        self.tally.left_unheard()
        self.send(connection, "POST", CHAT, body, key)
        pause(2)
        connection.close()
        self.tally.count("stalled readers")

    def repeat(self, key, model, name, at_once, **more):
        """The same request several times under one Idempotency-Key, then another request under it."""
        mark, body = self.body(key, model, **more)
        header = {"Idempotency-Key": f"{name}-{mark}"}
        answers = []
        ask = lambda: answers.append(self.ask("POST", CHAT, body, key, {200} | TROUBLE, header))
        threads = [threading.Thread(target=ask) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ask()
        ask()
        good = [a for a in answers if a and a.status == 200]
        if len({(a.headers["x-hybridflow-run"], a.text) for a in good}) > 1:
            self.tally.wrong(f"{header} got different answers: {[a.text[:200] for a in good]}")
        # Whoever was told of a failure may try again, and that is paid again.
        failures = sum(1 for a in answers if a and a.status >= 500)
        bills = self.bill.requests[mark]
        if model == "steady" and bills > 1 + failures:
            self.tally.wrong(f"{header} was billed {bills} times, after {failures} failures")
        self.tally.count("idempotency keys", *["repeats answered"] * (len(good) - 1))
        if good:
            self.ask("POST", CHAT, {**body, "max_tokens": 11}, key, {422}, header)

    def wrong_requests(self, key):
        _, good = self.body(key, "steady")
        self.ask("POST", CHAT, "{", key, {400})
        self.ask("POST", CHAT, {**good, "model": "gpt-9"}, key, {404})
        self.ask("POST", CHAT, {**good, "model": "hybrid/auto", "n": 2}, key, {400})
        self.ask("POST", CHAT, good, "hf-" + "x" * 43, {401})
        self.ask("GET", "/nowhere", None, key, {404})
        self.ask("GET", "/v1/runs/none", None, key, {404})

    def look(self, key):
        for path in ("/v1/models", "/v1/runs?limit=100", "/v1/budgets", "/metrics", "/health", "/ready"):
            self.ask("GET", path, None, key, {200})

    def metric(self, key, name):
        """The sum over all labels."""
        answer = self.ask("GET", "/metrics", None, key, {200})
        lines = answer.text.decode().splitlines() if answer else []
        return sum(float(line.split()[-1]) for line in lines if line.startswith((name + " ", name + "{")))


def manners(clients):
    """(weight, what): what(random, key) is one client's visit."""
    c = clients
    hybrid = lambda mode: {"hybridflow": {"plan": mode}}
    either = lambda random, *arguments, **more: random.choice([c.whole, c.stream])(*arguments, **more)
    return [
        (14, lambda r, k: c.whole(k, "steady")),
        (12, lambda r, k: c.stream(k, "steady")),
        (12, lambda r, k: c.whole(k, "cloud")),
        (14, lambda r, k: c.stream(k, "cloud")),
        (6, lambda r, k: either(r, k, "hybrid/cloud", hybridflow={"session": f"s{r.randrange(9)}"})),
        (4, lambda r, k: either(r, k, "hybrid/auto", **hybrid("auto"))),
        (4, lambda r, k: either(r, k, "hybrid/auto", **hybrid("always"))),
        (4, lambda r, k: either(r, k, "edge")),
        (3, lambda r, k: either(r, k, "hybrid/edge")),
        (4, lambda r, k: either(r, k, r.choice(["steady", "hybrid/cloud", "cloud"]), tools=TOOLS)),
        (6, lambda r, k: c.leave(k, r.choice(["steady", "cloud", "hybrid/cloud", "edge"]), r.choice([1, 2, 5]))),
        (2, lambda r, k: c.leave(k, r.choice(["steady", "hybrid/auto"]), 0)),
        (2, lambda r, k: c.stream(k, r.choice(["steady", "hybrid/cloud"]), "[pieces=100] [size=600]", pace=0.01,
                                  receive_buffer=4096, max_tokens=100)),
        (1, lambda r, k: c.stall(k, "steady")),
        (5, lambda r, k: c.repeat(k, "steady", "i", r.choice([1, 3]), stream=r.random() < 0.3)),
        (1, lambda r, k: c.repeat(k, "cloud", "i", 2)),
        (2, lambda r, k: c.stream(k, "steady", "[pieces=40] [pace=30]", cancels=True, max_tokens=40)),
        (2, lambda r, k: c.whole(k, "cloud", "[pieces=30] [pace=50]", hybridflow={"deadline_ms": 300})),
        (2, lambda r, k: c.wrong_requests(k)),
        (3, lambda r, k: c.look(k)),
    ]
