"""Streaming answers, followed to their last part: what the server iterates tells the visit how the stream went."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, Generic, TypeVar

from django.http import FileResponse, HttpRequest, StreamingHttpResponse

from slo_otel.adapters import HttpDoor, Visit
from slo_otel_django._cancellation import client_left

_EVENT_STREAM: Final = "text/event-stream"
_BODILESS: Final = frozenset({204, 304})
Source = TypeVar("Source")


class Stream:
    """One visit whose answer is a stream, and the door it belongs to. Closes once."""

    __slots__ = ("_door", "_visit", "closed")

    def __init__(self, door: HttpDoor[HttpRequest], visit: Visit) -> None:
        self._door = door
        self._visit = visit
        self.closed = False

    def start(self, response: StreamingHttpResponse) -> None:
        """The answer begins."""
        kind = response.headers.get("Content-Type", "").lower()
        self._door.started(self._visit, response.status_code, event_stream=kind.startswith(_EVENT_STREAM))

    def begin(self) -> None:
        """The first part that is not empty."""
        self._door.first_byte(self._visit)

    def end(self) -> None:
        """The last part was taken."""
        if not self.closed:
            self.closed = True
            self._door.ended(self._visit)

    def leave(self) -> None:
        """The client is gone."""
        if not self.closed:
            self.closed = True
            self._door.left(self._visit)

    def fail(self, fault: BaseException) -> None:
        """The content raised."""
        if not self.closed:
            self.closed = True
            self._door.raised(self._visit, fault)


def follow(stream: Stream, request: HttpRequest, response: StreamingHttpResponse, *, asynchronous: bool) -> None:
    """Put an iterator of ours around the content, which is handed on unchanged, part by part.

    A file that the server will send by its own `wsgi.file_wrapper` is left alone: it is over when it is closed.
    """
    stream.start(response)
    if _sent_by_server(request, response):
        response.close = _closing(stream, response.close)  # type: ignore[method-assign]  # what the server will call
        return
    followed = _followed(stream, response.streaming_content)
    # Django takes all parts of an iterator of the other kind before the first of them is sent.
    followed.collected = response.is_async is not asynchronous
    followed.bodiless = request.method == "HEAD" or response.status_code in _BODILESS
    response.streaming_content = followed


def _followed(stream: Stream, content: Iterator[bytes] | AsyncIterator[bytes]) -> Parts | AsyncParts:
    return Parts(stream, content) if isinstance(content, Iterator) else AsyncParts(stream, content)


def _sent_by_server(request: HttpRequest, response: StreamingHttpResponse) -> bool:
    """Whether `WSGIHandler` hands the file to the server (PEP 3333, Optional Platform-Specific File Handling)."""
    file = isinstance(response, FileResponse) and response.file_to_stream is not None
    return file and bool(getattr(request, "environ", {}).get("wsgi.file_wrapper"))


def _closing(stream: Stream, close: Callable[[], None]) -> Callable[[], None]:
    def closed() -> None:
        stream.end()
        close()

    return closed


class _Followed(Generic[Source]):
    """What both kinds of content have: Django calls `close` when the response is closed."""

    __slots__ = ("_began", "_parts", "_stream", "bodiless", "collected")

    def __init__(self, stream: Stream, parts: Source) -> None:
        self._stream = stream
        self._parts = parts
        self._began = False
        self.collected = False
        """Whether all parts are taken before the first one is sent."""
        self.bodiless = False
        """Whether the answer has no body (RFC 9110 section 6.4.1), so that nobody need iterate."""

    def close(self) -> None:
        """Everything is sent, or nobody is there any more."""
        if self.bodiless:
            self._stream.end()
        else:
            self._stream.leave()

    def _begin(self, part: bytes) -> None:
        if part and not self.collected:
            self._began = True
            self._stream.begin()


class Parts(_Followed[Iterator[bytes]]):
    """The parts of a synchronous stream."""

    __slots__ = ()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            part = next(self._parts)
        except StopIteration:
            self._stream.end()
            raise
        except BaseException as fault:
            self._stream.fail(fault)
            raise
        if not self._began:
            self._begin(part)
        return part


class AsyncParts(_Followed[AsyncIterator[bytes]]):
    """The parts of an asynchronous stream."""

    __slots__ = ()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    def __del__(self) -> None:
        """Nobody closed it: a server that stops while a part is sent cancels Django, which then closes nothing."""
        self._stream.fail(CancelledError())

    async def __anext__(self) -> bytes:
        try:
            part = await anext(self._parts)
        except StopAsyncIteration:
            self._stream.end()
            raise
        except BaseException as fault:
            if isinstance(fault, CancelledError) and client_left():
                self._stream.leave()
            self._stream.fail(fault)
            raise
        if not self._began:
            self._begin(part)
        return part
