"""Who cancelled the task of a request: Django does when its client leaves, a server does when it stops."""

from __future__ import annotations

import asyncio


def cancelled_by_server() -> bool:
    """Whether a `CancelledError` that is being handled is no client's doing.

    Django runs a request in a task of its own, which `ASGIHandler.handle` cancels when it hears that the client has
    gone; `handle` itself goes on. At the end of the event loop every task is cancelled. A task that nobody
    cancelled got the error from code of the application.
    """
    task = asyncio.current_task()
    if task is None or not task.cancelling():
        return True
    return all(each.cancelling() for each in asyncio.all_tasks())
