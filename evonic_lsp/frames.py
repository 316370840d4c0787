"""Standard input as an editor must write it: each message after a header that tells its length.

Where a header is not what it must be, nobody knows any more where a message begins. Whatever is read from then on may
be the middle of another, and pygls would look for a header for ever, deaf and alive. So the input ends there, the
server with it, and the editor starts a new one.
"""

from __future__ import annotations

import re
from typing import BinaryIO, Optional

# Editors do not open files that are larger.
_LONGEST_MESSAGE = 128 * 1024 * 1024
_LONGEST_HEADER = 1000
_HEADER = re.compile(rb"([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*?)[ \t]*\r\n", re.DOTALL)


class Frames:
    """`stream`, for whoever reads a line of a header, or the body after it; both are empty from its end on, or from
    where it can no longer be understood. Then `lost` says why."""

    def __init__(self, stream: BinaryIO) -> None:
        self.lost: Optional[str] = None
        self._stream = stream
        # That of the message whose header is being read.
        self._length: Optional[int] = None

    def readline(self) -> bytes:
        """A line of a header, ``Content-Length`` as pygls knows it."""
        line = self._stream.readline(_LONGEST_HEADER) if self.lost is None else b""
        if not line:
            return b""
        if line == b"\r\n":
            if self._length is None:
                return self._end("a header without Content-Length")
            self._length = None
            return line
        match = _HEADER.fullmatch(line)
        if match is None:
            return self._end(f"{line[:40]!r} instead of a header")
        if match[1].lower() != b"content-length":
            return line
        if self._length is not None or not match[2].isdigit() or int(match[2]) > _LONGEST_MESSAGE:
            return self._end(f"a message whose length cannot be, {line[:40]!r}")
        self._length = int(match[2])
        return b"Content-Length: %d\r\n" % self._length

    def read(self, length: int) -> bytes:
        """The body of a message, or less of it if the stream ends."""
        return self._stream.read(length) if self.lost is None else b""

    def _end(self, what: str) -> bytes:
        self.lost = f"the editor sent {what}"
        return b""
