"""A scripted OpenAI-compatible endpoint on a free loopback port, and helpers to run the program.

The requested model's name chooses the behaviour, so that one server plays every part. Requests for a
plan are recognised by the markup in their prompt.
"""

import http.server
import json
import os
import ssl
import subprocess
import sys
import threading

PROGRAM = os.environ["HYBRIDFLOW"]

PLAN = """<Plan>
<Step ID="1" Role="explain" Task="What is given?" Rely="" Token="20" Difficulty="1"/>
<Step ID="2" Role="analyze" Task="What does the first part give?" Rely="1" Token="20" Difficulty="3"/>
<Step ID="3" Role="analyze" Task="What does the second part give?" Rely="1" Token="20" Difficulty="7"/>
<Step ID="4" Role="generate" Task="What is the answer?" Rely="2,3" Token="30" Difficulty="5"/>
</Plan>
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        stub = self.server.stub
        with stub.lock:
            stub.requests.append(body)
            stub.headers.append(dict(self.headers))
            stub.paths.append(self.path)
            count = sum(1 for r in stub.requests if r["model"] == body["model"])
        stub.arrived.release()
        self.close_connection = True
        is_plan = self.is_plan(body)
        behaviour = body["model"]
        if is_plan and not behaviour.startswith("bad-plan"):
            return self.stream(PLAN.split("\n"), 400, 100, "\n")
        getattr(self, "act_" + behaviour.replace("-", "_"), self.act_ok)(body, count)

    @staticmethod
    def is_plan(body):
        return any("<Plan>" in message["content"] for message in body["messages"])

    # ---- behaviours ----

    def act_ok(self, body, count):
        self.stream(["The answer ", "is 7.\n", "Answer: 7"], 100, 9)

    def act_bad_plan(self, body, count):
        if self.is_plan(body):
            return self.stream(["I cannot ", "plan."], 300, 4)
        self.act_ok(body, count)

    def act_bad_plan_unauthorized(self, body, count):
        self.fail(401, "the key is wrong")

    def act_unauthorized(self, body, count):
        self.fail(401, "the key is wrong")

    def act_missing(self, body, count):
        self.fail(404, "no such model")

    def act_server_error(self, body, count):
        self.fail(500, "it broke")

    def act_busy_once(self, body, count):
        if count == 1:
            return self.fail(429, "slow down", {"Retry-After": "0"})
        self.act_ok(body, count)

    def act_busy(self, body, count):
        self.fail(429, "slow down")

    def act_cut(self, body, count):
        self.begin("text/event-stream")
        self.chunk(self.piece("half an ans"))
        self.wfile.flush()

    def act_stall(self, body, count):
        self.begin("text/event-stream")
        self.chunk(self.piece("half"))
        self.wfile.flush()
        self.server.stub.released.wait(20)

    def act_stall_then_end(self, body, count):
        self.begin("text/event-stream")
        self.chunk(self.piece("half"))
        self.wfile.flush()
        self.server.stub.released.wait(60)
        self.chunk(self.piece(" and half", "stop"))
        self.chunk("data: [DONE]\n\n")
        self.end()

    def act_stall_until_left(self, body, count):
        self.begin("text/event-stream")
        self.chunk(self.piece("half"))
        self.wfile.flush()
        self.connection.settimeout(60)
        if self.connection.recv(1) == b"":
            self.server.stub.left.release()

    def act_silent(self, body, count):
        self.server.stub.released.wait(20)

    def act_not_json(self, body, count):
        self.begin("text/html")
        self.chunk("<html>a login page</html>")
        self.end()

    def act_bad_chunk(self, body, count):
        self.begin("text/event-stream")
        self.chunk("data: {\"choices\": [nonsense\n\n")
        self.end()

    def act_empty(self, body, count):
        self.stream([""], 10, 0)

    def act_no_usage(self, body, count):
        self.stream(["Answer: 7"], None, None)

    def act_huge_usage(self, body, count):
        self.stream(["Answer: 7"], 10**15, -4)

    def act_overrun(self, body, count):
        self.stream(["Answer: 7"], 100, 5_000)

    def act_control(self, body, count):
        self.stream(["\x1b]0;title\x07red ", "\x9b31m alert\x7f"], 100, 9)

    def act_sure(self, body, count):
        self.stream_with_logprobs(-0.01, body)

    def act_unsure(self, body, count):
        self.stream_with_logprobs(-2.5, body)

    def act_whole(self, body, count):
        answer = {"choices": [{"message": {"role": "assistant", "content": "Answer: 7"}, "finish_reason": "stop"}],
                  "usage": {"prompt_tokens": 100, "completion_tokens": 5}}
        self.begin("application/json")
        self.chunk(json.dumps(answer))
        self.end()

    # ---- writing ----

    def fail(self, status, message, headers=None):
        body = json.dumps({"error": {"message": message}}).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def begin(self, content_type):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()

    def chunk(self, text):
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def stream_with_logprobs(self, logprob, body):
        self.begin("text/event-stream")
        for text in ("The edge says 5. ", "Answer: 5"):
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
            if body.get("logprobs"):
                top = [{"token": text, "logprob": logprob}, {"token": "?", "logprob": logprob - 1}]
                choice["logprobs"] = {"content": [{"token": text, "logprob": logprob, "top_logprobs": top}]}
            self.chunk("data: " + json.dumps({"choices": [choice]}) + "\n\n")
        self.chunk(self.piece("", "stop"))
        usage = {"prompt_tokens": 90, "completion_tokens": 8}
        self.chunk("data: " + json.dumps({"choices": [], "usage": usage}) + "\n\n")
        self.chunk("data: [DONE]\n\n")
        self.end()

    def piece(self, text, finish=None):
        return "data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}) + "\n\n"

    def stream(self, texts, prompt_tokens, completion_tokens, suffix=""):
        self.begin("text/event-stream")
        for text in texts:
            self.chunk(self.piece(text + suffix))
        self.chunk(self.piece("", "stop"))
        if prompt_tokens is not None:
            usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
            self.chunk("data: " + json.dumps({"choices": [], "usage": usage}) + "\n\n")
        self.chunk("data: [DONE]\n\n")
        self.end()


def make_certificate(folder):
    """A self-signed certificate for 127.0.0.1; returns the paths of it and of its key."""
    certificate, key = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stub",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key],
                   check=True, capture_output=True)
    return certificate, key


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request, client_address):
        # That a client leaves is what many tests are about.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Stub:
    """Serves HTTP, or HTTPS if it is given a (certificate, key) pair of paths."""

    def __init__(self, certificate=None):
        self.lock = threading.Lock()
        self.requests = []
        self.headers = []
        self.paths = []
        self.arrived = threading.Semaphore(0)
        self.left = threading.Semaphore(0)
        self.released = threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.stub = self
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def wait_for_request(self):
        assert self.arrived.acquire(timeout=20), "no request came"

    def asked(self, model):
        with self.lock:
            return [r for r in self.requests if r["model"] == model]


def run(*arguments, stdin=None, env=None, timeout=60):
    """Runs the program; returns (exit code, stdout, stderr) as text."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    environment.update(env or {})
    done = subprocess.run([PROGRAM, *arguments], input=stdin if stdin is not None else b"", capture_output=True,
                          env=environment, timeout=timeout, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def endpoint(name, tier, url, model, extra=""):
    price = 'price = { prompt = 2.00, cached = 0.50, completion = 8.00 }' if tier == "cloud" else ""
    return f'[[endpoint]]\nname = "{name}"\ntier = "{tier}"\nurl = "{url}"\nmodel = "{model}"\n{price}\n{extra}\n'
