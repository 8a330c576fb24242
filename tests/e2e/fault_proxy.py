"""A proxy on a free loopback port that spoils what passes through it.

FAULTS maps names to functions of one Exchange: a request of the program, the endpoint behind, and the
connection that the program reads from. What the function writes is what the program sees; then the
connection closes. A function that returns True leaves it open for the next request.

Nothing here waits for a time to pass: a pause ends at once when the program leaves, and whatever
holds a connection ends with the proxy.
"""

import gzip
import http.client
import io
import json
import select
import socket
import struct
import threading
import urllib.parse
import zlib

PATIENCE = 60  # Seconds after which what has not come will not come.
FAULTS = {}


class ProgramLeft(Exception):
    """The program has closed the connection."""


def fault(function):
    FAULTS[function.__name__] = function
    return function


class Recorded:
    """Bytes that http.client takes for a socket."""

    def __init__(self, data):
        self.data = data

    def makefile(self, *_):
        return io.BytesIO(self.data)


class Exchange:
    def __init__(self, proxy, client, port, number):
        self.proxy = proxy
        self.client = client
        self.number = number  # Of this request on its connection, from 0.
        # The connection as the table of sockets shows it from the program's side.
        self.row = ["0100007F:%04X" % end for end in (port, proxy.port)]
        self.request = b""
        self.path = ""

    # ---- from the program ----

    def take_request(self):
        """Reads one whole request; False if the program closes instead."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.client.recv(65536)
            if not data:
                return False
            head += data
        head, _, body = head.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        while len(body) < int(fields.get("content-length", 0)):
            data = self.client.recv(65536)
            if not data:
                return False
            body += data
        self.path = lines[0].split(" ")[1]
        self.request = body
        self.proxy.note("request", body)
        return True

    # ---- from the endpoint behind ----

    def raw(self):
        """Yields the endpoint's bytes as they come; ends early, and closes, when the program leaves."""
        with socket.create_connection(self.proxy.upstream, PATIENCE) as upstream:
            upstream.sendall(b"POST %s HTTP/1.1\r\nHost: endpoint\r\nContent-Type: application/json\r\n"
                             b"Content-Length: %d\r\nConnection: close\r\n\r\n%s"
                             % (self.path.encode(), len(self.request), self.request))
            while True:
                ready, _, _ = select.select([upstream, self.client], [], [], PATIENCE)
                if self.client in ready:
                    raise ProgramLeft
                data = upstream.recv(65536)
                if not data:
                    return
                yield data

    def body(self):
        """The endpoint's whole answer, without its head and its chunks."""
        answer = http.client.HTTPResponse(Recorded(b"".join(self.raw())))
        answer.begin()
        return answer.read()

    # ---- to the program ----

    def send(self, data):
        self.client.sendall(data)

    def send_apart(self, data):
        """Sends, and returns once the program has taken everything from its socket."""
        self.send(data)
        while True:
            with open("/proc/net/tcp", encoding="ascii") as table:
                row = next((r.split() for r in table if self.row[0] in r and r.split()[1:3] == self.row), None)
            if row is None:
                raise ProgramLeft
            if row[4].endswith(":00000000"):
                return

    def head(self, *fields, status="HTTP/1.1 200 OK", kind="text/event-stream", connection="close"):
        lines = [status, f"Content-Type: {kind}", f"Connection: {connection}", *fields]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")

    def chunked(self, **options):
        self.head("Transfer-Encoding: chunked", **options)

    def chunk(self, data):
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def stream(self, body, **options):
        """A faultless answer with this body."""
        self.chunked(**options)
        self.chunk(body)
        self.send(b"0\r\n\r\n")

    def reset(self):
        """Closes so that the program gets an error instead of an end."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()

    def pause(self, seconds):
        if select.select([self.client], [], [], seconds)[0]:
            raise ProgramLeft

    def hold(self):
        """Says nothing more until the program leaves."""
        self.pause(PATIENCE)
        raise AssertionError("the program has not left")

    def until_left(self, data):
        """Sends the same again and again until the program leaves."""
        while True:
            self.send(data)
            self.pause(0.005)


class FaultProxy:
    """Spoils answers of the endpoint at `upstream` (a URL): the first `times` of them, or all."""

    def __init__(self, upstream, fault_name, times=None):
        parts = urllib.parse.urlsplit(upstream)
        self.upstream = (parts.hostname, parts.port)
        self.fault = FAULTS[fault_name] if isinstance(fault_name, str) else fault_name
        self.times = times
        self.lock = threading.Lock()
        self.events = []      # (what, detail), as they happened.
        self.trouble = []     # What went wrong in the proxy itself.
        self.left = threading.Event()  # The program has left a connection before its end.
        self.began = threading.Event()  # Set by faults that play a part in a test of their own.
        self.clients = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def note(self, what, detail=None):
        with self.lock:
            self.events.append((what, detail))

    def requests(self, noted="request"):
        """The requests that have come whole, or those of which else was noted."""
        with self.lock:
            return [json.loads(detail) for what, detail in self.events if what == noted]

    def accept(self):
        while True:
            try:
                client, peer = self.listener.accept()
            except OSError:
                return  # Closed.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self.serve, args=(client, peer[1]), daemon=True)
            with self.lock:
                self.clients.add(client)
                self.threads.append(thread)
            thread.start()

    def serve(self, client, port):
        self.note("connection")
        try:
            with client:
                number = 0
                while self.play(Exchange(self, client, port, number)):
                    number += 1
        except (ProgramLeft, BrokenPipeError, ConnectionResetError):
            self.left.set()
        except Exception as error:  # pylint: disable=broad-except
            self.trouble.append(error)
        finally:
            with self.lock:
                self.clients.discard(client)

    def play(self, exchange):
        """Whether the connection stays open."""
        spoil = self.fault
        if getattr(spoil, "needs_request", True):
            if not exchange.take_request():
                return False
            with self.lock:
                if self.times is not None:
                    spoil = spoil if self.times > 0 else none
                    self.times -= 1
        return spoil(exchange) is True

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for client in self.clients:
                try:
                    client.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # The program was faster.
        for thread in self.threads:
            thread.join(PATIENCE)
        assert not self.trouble, self.trouble


# ---- pieces of answers ----

DONE = b"data: [DONE]\n\n"


def event(value):
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def text_event(text):
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


FINISH = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


def events_of(body):
    return [part + b"\n\n" for part in body.split(b"\n\n")[:-1]]


def first_half(exchange):
    """The events of an answer up to the first text; then there is more to say."""
    return events_of(exchange.body())[0]


def with_usage(exchange, usage):
    """An answer whose usage is the JSON text `usage`."""
    events = [e for e in events_of(exchange.body()) if b'"usage"' not in e]
    line = b'data: {"choices": [], "usage": ' + usage.encode() + b"}\n\n"
    exchange.stream(b"".join(events[:-1]) + line + events[-1])


# ---- nothing spoilt ----


@fault
def none(exchange):
    for data in exchange.raw():
        exchange.send(data)


# ---- the connection ----


@fault
def reset_at_once(exchange):
    exchange.reset()


@fault
def close_at_once(exchange):
    del exchange


reset_at_once.needs_request = close_at_once.needs_request = False


@fault
def reset_after_request(exchange):
    exchange.reset()


@fault
def close_after_request(exchange):
    del exchange


@fault
def reset_in_head(exchange):
    exchange.send_apart(b"HTTP/1.1 200 OK\r\nContent-Ty")
    exchange.reset()


@fault
def reset_in_stream(exchange):
    exchange.chunked()
    half = first_half(exchange)
    exchange.send_apart(b"%x\r\n%s\r\n" % (len(half), half))
    exchange.reset()


@fault
def reset_kept_connection(exchange):
    """The first request of a connection is answered well, the next is read and then lost."""
    if exchange.number > 0:
        exchange.reset()
        return False
    exchange.stream(exchange.body(), connection="keep-alive")
    return True


@fault
def close_in_stream(exchange):
    exchange.chunked()
    exchange.chunk(first_half(exchange))


@fault
def close_in_chunk(exchange):
    exchange.chunked()
    exchange.send(b"1000\r\n" + first_half(exchange))


@fault
def close_short_of_length(exchange):
    body = exchange.body()
    exchange.head(f"Content-Length: {len(body)}")
    exchange.send(events_of(body)[0])


@fault
def close_without_length(exchange):
    exchange.head()
    exchange.send(first_half(exchange))


@fault
def end_in_order_too_early(exchange):
    exchange.stream(first_half(exchange))


@fault
def silent(exchange):
    exchange.hold()


@fault
def head_then_silent(exchange):
    exchange.chunked()
    exchange.hold()


@fault
def half_then_silent(exchange):
    exchange.chunked()
    exchange.chunk(first_half(exchange))
    exchange.hold()


@fault
def keepalives_only(exchange):
    exchange.chunked()
    exchange.until_left(b"d\r\n: keepalive\n\n\r\n")


@fault
def blank_lines_only(exchange):
    exchange.chunked()
    exchange.until_left(b"1\r\n\n\r\n")


@fault
def half_then_keepalives(exchange):
    exchange.chunked()
    exchange.chunk(first_half(exchange))
    exchange.until_left(b"d\r\n: keepalive\n\n\r\n")


@fault
def endless_drip(exchange):
    """One event that never ends, a byte at a time."""
    exchange.chunked()
    exchange.chunk(first_half(exchange) + b"data: ")
    exchange.until_left(b"1\r\nx\r\n")


@fault
def endless_answer(exchange):
    exchange.chunked()
    exchange.chunk(text_event("once more "))
    exchange.proxy.began.set()
    piece = text_event("and again ")
    exchange.until_left(b"%x\r\n%s\r\n" % (len(piece), piece))


@fault
def slow_drip(exchange):
    """The whole answer, its head too, a byte at a time."""
    body = exchange.body()
    head = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body))
    for byte in head + body:
        exchange.send_apart(bytes([byte]))


# ---- HTTP ----


@fault
def garbage_instead(exchange):
    exchange.send(bytes(range(1, 256)) * 40)


@fault
def garbage_before(exchange):
    exchange.send(b"\x7fELF\x02\x01\x01\r\n")
    exchange.stream(exchange.body())


@fault
def garbage_after(exchange):
    exchange.stream(exchange.body())
    exchange.send(bytes(range(256)) * 40)


@fault
def another_protocol(exchange):
    exchange.send(b"220 mail.example ready\r\n")


@fault
def endless_header(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        exchange.send(b"X-More: " + b"y" * 8000 + b"\r\n")


@fault
def endless_header_line(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\nX-More: ")
    while True:
        exchange.send(b"y" * 65536)


@fault
def endless_interim_answers(exchange):
    while True:
        exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </%s>\r\n\r\n" % (b"y" * 4000))


@fault
def interim_answers(exchange):
    exchange.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
                  b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    exchange.stream(exchange.body())


@fault
def switching_protocols(exchange):
    exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n\x01\x02")


@fault
def redirect(exchange):
    exchange.head("Content-Length: 0", "Location: http://127.0.0.1:1/v1/elsewhere", status="HTTP/1.1 307 Temporary Redirect")


@fault
def no_content(exchange):
    exchange.head(status="HTTP/1.1 204 No Content")


@fault
def empty_body(exchange):
    exchange.head("Content-Length: 0")


@fault
def old_http(exchange):
    exchange.head(status="HTTP/1.0 200 OK")
    exchange.send(exchange.body())


@fault
def bare_line_feeds(exchange):
    body = exchange.body()
    exchange.send(b"HTTP/1.1 200\nContent-Type: text/event-stream\nConnection: close\nContent-Length: %d\n\n%s" % (len(body), body))


@fault
def future_http(exchange):
    exchange.head(status="HTTP/7.3 200 OK")


@fault
def negative_length(exchange):
    exchange.head("Content-Length: -5")


@fault
def chunks_without_size(exchange):
    exchange.chunked()
    exchange.send(b"size\r\n" + first_half(exchange))


@fault
def chunk_too_large_to_count(exchange):
    exchange.chunked()
    exchange.send(b"f" * 40 + b"\r\n" + first_half(exchange))


@fault
def chunk_shorter_than_told(exchange):
    exchange.chunked()
    half = first_half(exchange)
    exchange.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(half) - 3, half))


@fault
def wrong_type_right_answer(exchange):
    exchange.stream(exchange.body(), kind="application/octet-stream")


@fault
def web_page(exchange):
    exchange.stream(b"<!doctype html><title>please log in</title>", kind="text/html")


@fault
def picture(exchange):
    exchange.stream(b"\x89PNG\r\n\x1a\n" + bytes(range(256)), kind="image/png")


@fault
def type_with_control_marks(exchange):
    exchange.stream(b"nothing of use", kind="text/\x1b[2Jplain")


@fault
def gzip_unasked(exchange):
    exchange.head("Content-Encoding: gzip")
    exchange.send(gzip.compress(exchange.body()))


@fault
def deflate_unasked(exchange):
    exchange.head("Content-Encoding: deflate")
    exchange.send(zlib.compress(exchange.body()))


@fault
def gzip_broken(exchange):
    exchange.head("Content-Encoding: gzip")
    exchange.send(gzip.compress(exchange.body())[:60] + b"\0" * 60)


@fault
def gzip_unsaid(exchange):
    exchange.head()
    exchange.send(gzip.compress(exchange.body()))


@fault
def gzip_bomb(exchange):
    exchange.head("Content-Encoding: gzip")
    squeeze = zlib.compressobj(1, wbits=31)
    for _ in range(200):
        exchange.send(squeeze.compress(b"x" * 1_000_000))
    exchange.send(squeeze.flush())


@fault
def unknown_encoding(exchange):
    exchange.head("Content-Encoding: x-made-up")
    exchange.send(exchange.body())


@fault
def error_page_20_mb(exchange):
    exchange.head(status="HTTP/1.1 500 It Broke", kind="text/plain")
    for _ in range(20):
        exchange.send(b"\x1b[2Jit broke " * 80_000)


# ---- events ----


@fault
def line_ends_crlf(exchange):
    exchange.stream(exchange.body().replace(b"\n", b"\r\n"))


@fault
def line_ends_cr(exchange):
    exchange.stream(exchange.body().replace(b"\n", b"\r"))


@fault
def byte_order_mark(exchange):
    exchange.stream(b"\xef\xbb\xbf" + exchange.body())


def split_answer(exchange, body, at):
    """This body in two parts that the program reads apart; the second begins at byte `at`."""
    exchange.head(f"Content-Length: {len(body)}")
    exchange.send_apart(body[:at])
    exchange.send(body[at:])


@fault
def garbage_between_events(exchange):
    events = events_of(exchange.body())
    exchange.stream((b"\x00\xff\xfe nonsense: \x1b\n" + b":\n" + b"retry: soon\nid\n\n").join(events))


@fault
def unknown_events(exchange):
    events = events_of(exchange.body())
    exchange.stream((b": comment\n\nevent: ping\ndata: {}\n\nevent: status\ndata: busy\nid: 3\n\n").join([b"", *events]))


@fault
def error_event(exchange):
    exchange.stream(first_half(exchange) + b'event: error\ndata: {"message": "out of \\u001b[2Jmemory"}\n\n')


@fault
def split_data_lines(exchange):
    exchange.stream(exchange.body().replace(b'{"choices":', b'{\ndata:\ndata:"choices":'))


@fault
def garbage_in_event(exchange):
    exchange.stream(first_half(exchange) + b"data: {\"choices\": [nonsense\n\n" + FINISH + DONE)


@fault
def deep_nesting(exchange):
    exchange.stream(first_half(exchange) + b"data: " + b"[" * 100_000 + b"\n\n")


@fault
def done_missing(exchange):
    exchange.stream(exchange.body().replace(DONE, b""))


@fault
def finish_missing(exchange):
    exchange.stream(b"".join(e for e in events_of(exchange.body()) if b'"stop"' not in e))


@fault
def done_twice(exchange):
    exchange.stream(exchange.body() + DONE)


@fault
def data_after_done(exchange):
    exchange.stream(exchange.body() + text_event(" and more") + event({"error": {"message": "late"}}))


@fault
def garbage_after_finish(exchange):
    exchange.stream(exchange.body().replace(DONE, b"data: {nonsense\n\n"))


@fault
def silent_after_done(exchange):
    exchange.chunked()
    exchange.chunk(exchange.body())
    exchange.hold()


@fault
def reset_after_done(exchange):
    body = exchange.body()
    exchange.chunked()
    exchange.send_apart(b"%x\r\n%s" % (len(body), body))
    exchange.reset()


@fault
def silent_after_finish(exchange):
    exchange.chunked()
    exchange.chunk(text_event("Answer: 7") + FINISH)
    exchange.hold()


@fault
def reset_after_finish(exchange):
    body = text_event("Answer: 7") + FINISH
    exchange.chunked()
    exchange.send_apart(b"%x\r\n%s" % (len(body), body))
    exchange.reset()


# ---- texts and numbers ----


@fault
def nul_in_text(exchange):
    exchange.stream(text_event("Answer:\0 7") + exchange.body().partition(b"\n\n")[2])


@fault
def invalid_utf8(exchange):
    exchange.stream(exchange.body().replace(b"answer", b"ans\xff\xc0wer"))


@fault
def half_a_surrogate(exchange):
    exchange.stream(exchange.body().replace(b"answer", b"ans\\ud83dwer"))


@fault
def usage_twice(exchange):
    events = events_of(exchange.body())
    exchange.stream(b"".join(events[:-1]) + events[-2] + events[-1])


@fault
def usage_negative(exchange):
    with_usage(exchange, '{"prompt_tokens": -100, "completion_tokens": -9}')


@fault
def usage_beyond_numbers(exchange):
    with_usage(exchange, '{"prompt_tokens": 1e400, "completion_tokens": 99999999999999999999999999}')


@fault
def usage_of_other_types(exchange):
    with_usage(exchange, '{"prompt_tokens": "100", "completion_tokens": [9]}')


# ---- sizes ----


@fault
def line_1_mb(exchange):
    exchange.stream(text_event("x" * 1_000_000) + exchange.body())


@fault
def line_20_mb(exchange):
    exchange.chunked()
    exchange.chunk(b'data: {"choices": [{"index": 0, "delta": {"content": "')
    for _ in range(20):
        exchange.chunk(b"x" * 1_000_000)
    exchange.chunk(b'"}}]}\n\n' + exchange.body())


@fault
def line_20_mb_without_end(exchange):
    exchange.chunked()
    for _ in range(20):
        exchange.chunk(b"x" * 1_000_000)


@fault
def events_20_mb(exchange):
    exchange.chunked()
    piece = text_event("x" * 100) * 1000
    for _ in range(20_000_000 // len(piece) + 1):
        exchange.chunk(piece)


@fault
def numbers_20_mb(exchange):
    """Values that take many times their length in memory."""
    exchange.chunked(kind="application/json")
    exchange.chunk(b'{"choices": [')
    for _ in range(20):
        exchange.chunk(b"0," * 500_000)
    exchange.chunk(b"0]}")


@fault
def chunks_of_one_byte(exchange):
    exchange.chunked()
    piece = b"1\r\n:\r\n" * 100_000
    for _ in range(20):
        exchange.send(piece)
    exchange.chunk(b"\n" + exchange.body())
    exchange.send(b"0\r\n\r\n")
