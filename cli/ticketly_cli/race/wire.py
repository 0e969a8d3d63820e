"""HTTP/1.1 messages, as far as the race needs them: requests with a JSON body, answers of every legal framing. Pure."""

from __future__ import annotations

from collections.abc import Mapping

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024

_NO_BODY_STATUSES = frozenset({204, 304})


class WireError(Exception):
    """The peer does not speak HTTP/1.1 as it should; the connection is useless from here on."""


def encode_request(method: str, host: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """A request ready to be written. Raises ValueError for a header that would break the framing."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines.extend(f"{name}: {value}" for name, value in headers.items())
    if body or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body)}")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a request line or header holds a line break")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class AnswerReader:
    """Reads one answer from pieces of any size.

    `feed` returns True once the answer is complete; then `status` and `body` hold it, `keeps_alive` says whether the
    connection may be used again and `rest` what came behind it (must be empty: nobody pipelines here).
    """

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.keeps_alive = True
        self.rest = b""
        self._buffer = b""
        self._in_head = True
        self._length: int | None = None
        self._chunked = False
        self._chunks: list[bytes] = []

    @property
    def has_begun(self) -> bool:
        """Has any byte of the answer arrived?"""
        return bool(self._buffer) or not self._in_head

    def feed(self, data: bytes) -> bool:
        """Take more bytes. Raises WireError."""
        self._buffer += data
        while self._in_head:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise WireError("the answer's head is too long")
                return False
            head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
            self._read_head(head)
        if self._chunked:
            return self._read_chunks()
        if self._length is None:
            return self._too_long(len(self._buffer))
        if len(self._buffer) < self._length:
            return False
        self.body, self.rest = self._buffer[: self._length], self._buffer[self._length :]
        return True

    def end(self) -> bool:
        """The peer closed its side; True when that completes an answer framed by the close."""
        if self._in_head or self._chunked or self._length is not None:
            return False
        self.body = self._buffer
        return True

    def _read_head(self, head: bytes) -> None:
        lines = head.split(b"\r\n")
        version, _, rest = lines[0].partition(b" ")
        code = rest[:3]
        if version not in (b"HTTP/1.1", b"HTTP/1.0") or len(code) != 3 or not code.isdigit():
            raise WireError("the answer does not begin with an HTTP/1.1 status line")
        self.status = int(code)
        if 100 <= self.status < 200:
            return
        self._in_head = False
        self.keeps_alive = version == b"HTTP/1.1"
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            self._read_header(name.strip().lower(), value.strip().lower())
        if self.status in _NO_BODY_STATUSES:
            self._chunked, self._length = False, 0
        elif not self._chunked and self._length is None:
            self.keeps_alive = False

    def _read_header(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            if not value.isdigit() or int(value) > MAX_BODY_BYTES:
                raise WireError("the answer's length is not usable")
            self._length = int(value)
        elif name == b"transfer-encoding":
            if value != b"chunked":
                raise WireError("the answer's transfer encoding is not chunked")
            self._chunked = True
        elif name == b"connection":
            if b"close" in value:
                self.keeps_alive = False
            elif b"keep-alive" in value:
                self.keeps_alive = True

    def _read_chunks(self) -> bool:
        while True:
            line_end = self._buffer.find(b"\r\n")
            if line_end < 0:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise WireError("a chunk's size line is too long")
                return False
            try:
                size = int(self._buffer[:line_end].split(b";")[0], 16)
            except ValueError as error:
                raise WireError("a chunk's size is not a number") from error
            if size == 0:
                return self._read_trailer(line_end)
            if size < 0 or self._too_long(sum(map(len, self._chunks)) + size):
                raise WireError("the answer's body is too long")
            if len(self._buffer) < line_end + 2 + size + 2:
                return False
            start = line_end + 2
            self._chunks.append(self._buffer[start : start + size])
            if self._buffer[start + size : start + size + 2] != b"\r\n":
                raise WireError("a chunk does not end where it should")
            self._buffer = self._buffer[start + size + 2 :]

    def _read_trailer(self, line_end: int) -> bool:
        """The last chunk's line ends at `line_end`; behind it stand trailers, if any, and an empty line."""
        if self._buffer[line_end : line_end + 4] == b"\r\n\r\n":
            end = line_end + 4
        else:
            found = self._buffer.find(b"\r\n\r\n", line_end + 2)
            if found < 0:
                return False
            end = found + 4
        self.body, self.rest = b"".join(self._chunks), self._buffer[end:]
        return True

    @staticmethod
    def _too_long(size: int) -> bool:
        if size > MAX_BODY_BYTES:
            raise WireError("the answer's body is too long")
        return False
