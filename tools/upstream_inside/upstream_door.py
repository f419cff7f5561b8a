"""What the harness counts of a suite's requests, whatever the way in: ASGI, WSGI or Django."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from functools import wraps
from typing import Any, Final, TypeVar

T = TypeVar("T")
MARK: Final = "slo_otel.upstream"
"""In the scope or environ of a request that has reached our middleware."""


class Door:
    """The requests that tests send, and those that reached the outermost of our middlewares."""

    def __init__(self) -> None:
        self.sent = self.opened = 0
        self._answers: list[tuple[Callable[[], bool], Callable[[], object]]] = []

    def leave(self, closed: Callable[[], bool], close: Callable[[], object]) -> None:
        """A body that the test may or may not read to its end, and close."""
        self._answers.append((closed, close))

    def close(self) -> None:
        """The test is over: close what it left open, as a server does with every answer in the end."""
        for closed, close in self._answers:
            if not closed():
                close()
        self._answers.clear()

    def open(self, carrier: MutableMapping[str, Any]) -> bool:
        """A request is before one of our middlewares: counted unless it came through another one already."""
        outermost = MARK not in carrier
        if outermost:
            carrier[MARK] = True
            self.opened += 1
        return outermost

    def count_sent(self, owner: object, name: str) -> None:
        """Each call of this function, or method of a class, sends one request."""
        send: Callable[..., object] = getattr(owner, name)

        @wraps(send)
        def counted(*args: object, **kwargs: object) -> object:
            self.sent += 1
            return send(*args, **kwargs)

        setattr(owner, name, counted)


def after(kind: type[T], change: Callable[[T], object]) -> None:
    """Do this to every new instance of a class, as the last thing of its constructor."""
    build: Callable[..., None] = getattr(kind, "__init__")  # noqa: B009 - the constructor of this very class

    @wraps(build)
    def built(self: T, *args: object, **kwargs: object) -> None:
        build(self, *args, **kwargs)
        change(self)

    setattr(kind, "__init__", built)  # noqa: B010 - a method, replaced on purpose
