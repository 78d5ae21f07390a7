"""Servers on this machine that speak as Bedrock's Converse and OpenAI's chat completions do, and answer as told."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = (3000, 800)


class Server(ThreadingHTTPServer):
    """Keeps every request; `replies` are given in turn, the last one for ever."""

    daemon_threads = True

    def __init__(self, replies):
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies, self.requests = list(replies), []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def prompts(self):
        return [json.loads(body) for _, body, _ in self.requests]

    def next_reply(self):
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, body, {name.lower(): value for name, value in self.headers.items()}))
        # What the test says is answered; what the client has left is not.
        with contextlib.suppress(OSError):
            self.server.next_reply()(self)

    def log_message(self, *_):
        pass

    def send(self, status, document, headers=()):
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(content))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def serving(*replies):
    """A server while the block runs."""
    server = Server(replies)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def raw(status, document, headers=()):
    return lambda handler: handler.send(status, document, headers)


def hanging(seconds):
    return lambda handler: time.sleep(seconds)


def dripping(seconds):
    """A byte now and then: no single read ever times out."""

    def reply(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)

    return reply


class Bedrock:
    """Replies in the words of Bedrock."""

    name = "bedrock"

    @staticmethod
    def content(blocks, stop="tool_use"):
        document = {
            "output": {"message": {"role": "assistant", "content": blocks}},
            "stopReason": stop,
            "usage": {"inputTokens": USAGE[0], "outputTokens": USAGE[1], "totalTokens": sum(USAGE)},
            "metrics": {"latencyMs": 5},
        }
        return raw(200, document)

    @classmethod
    def answer(cls, document, stop="tool_use"):
        return cls.content([{"toolUse": {"toolUseId": "t", "name": "Answer", "input": document}}], stop)

    @classmethod
    def text(cls, text, stop="end_turn"):
        return cls.content([{"text": text}], stop)

    @classmethod
    def refusal(cls):
        return cls.text("I cannot help with that.", "refusal")

    @classmethod
    def truncated(cls):
        return cls.content([{"toolUse": {"toolUseId": "t", "name": "Answer", "input": {"summary": []}}}], "max_tokens")

    @staticmethod
    def error(status, code):
        return raw(status, {"message": "key AKIASECRET of home/heater"}, (("x-amzn-errortype", code),))


class OpenAi:
    """Replies in the words of OpenAI."""

    name = "openai"

    @staticmethod
    def message(message, finish="stop"):
        document = {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}],
            "usage": {"prompt_tokens": USAGE[0], "completion_tokens": USAGE[1], "total_tokens": sum(USAGE)},
        }
        return raw(200, document)

    @classmethod
    def answer(cls, document):
        return cls.message({"content": json.dumps(document)})

    @classmethod
    def text(cls, text):
        return cls.message({"content": text})

    @classmethod
    def refusal(cls):
        return cls.message({"content": None, "refusal": "I cannot help with that."})

    @classmethod
    def truncated(cls):
        return cls.message({"content": '{"summary": ["The home'}, "length")

    @staticmethod
    def error(status, code):
        return raw(status, {"error": {"message": "Incorrect API key sk-test-SECRET", "type": code, "code": code}})
