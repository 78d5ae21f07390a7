"""moto's services over HTTP on loopback: what moto's own server does, without Flask."""

import contextlib
import functools
import http.server
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import moto.backends
from botocore.exceptions import ClientError
from moto.core.request import Request

_CREDENTIAL = re.compile(r"Credential=[^/,\s]+/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_MODULES = {"eventbridge": "events", "states": "stepfunctions", "monitoring": "cloudwatch"}


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Serves moto at the address that is given, until the block ends."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.wfile = self.connection.makefile("wb", 1 << 16)

    def handle_expect_100(self) -> bool:
        continued = super().handle_expect_100()
        self.wfile.flush()
        return continued

    def handle_any(self) -> None:
        url = f"http://{self.headers['Host']}{self.path}"
        request = Request.from_primitives(self.command, url, dict(self.headers.items()), self._body())
        status, headers, content = _answer(request)
        body = content.encode() if isinstance(content, str) else bytes(content or b"")
        # The length of the object that a HEAD does not send comes from moto.
        headers = {name.lower(): str(value) for name, value in headers.items()}
        if self.command != "HEAD" or "content-length" not in headers:
            headers["content-length"] = str(len(body))
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - http.server calls them so

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return read_chunks(self.rfile)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Requests are not news."""


def read_chunks(stream: Any) -> bytes:
    """The body of a request with Transfer-Encoding: chunked."""
    body = bytearray()
    while size := int(stream.readline().split(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return bytes(body)


def _answer(request: Request) -> tuple[int, dict[str, Any], Any]:
    found = _CREDENTIAL.search(request.headers.get("Authorization", ""))
    service = found["service"] if found else "s3"
    handler = _handler(_MODULES.get(service, service), request.raw_path)
    if handler is None:
        return 404, {}, f"the local AWS has no {service} at {request.raw_path}"
    try:
        result = handler(request, request.raw_url, dict(request.headers))
    except ClientError as error:
        return 400, {}, error.response["Error"]["Message"]
    except Exception as error:  # noqa: BLE001 - whoever called over HTTP must get an answer
        if hasattr(error, "get_response"):
            answer = error.get_response()
            return answer.status_code, dict(answer.headers), answer.get_data()
        return 500, {}, f"{type(error).__name__}: {error}"
    return result if len(result) == 3 else (200, {}, result)


def _handler(service: str, path: str) -> Callable[..., Any] | None:
    return next((handler for pattern, handler in _routes(service) if pattern.match(path)), None)


@functools.cache
def _routes(service: str) -> list[tuple[re.Pattern[str], Callable[..., Any]]]:
    backends = moto.backends.get_backend(service)
    regions = backends["123456789012"]
    backend = regions["us-east-1"] if "us-east-1" in regions.regions else regions["aws"]
    return [(re.compile(path), handler) for path, handler in backend.url_paths.items()]
