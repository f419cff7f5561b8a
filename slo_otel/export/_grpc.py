"""OTLP over gRPC with deadlines that hold: our bytes over a channel of grpcio's, which another thread may close.

The SDK's exporter encodes a request again for every try, goes on whatever the caller's deadline is, and its channel
is inherited by a fork. No other module of a service imports grpc, and it is loaded where gRPC was asked for.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, cast

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.sdk.metrics.export import MetricsData

from slo_otel import threads
from slo_otel.errors import ConfigurationError
from slo_otel.export._answers import rejected
from slo_otel.export._fork_gate import ForkGate
from slo_otel.export._halves import divisible
from slo_otel.export._mistaken import over_grpc
from slo_otel.export._paced import pause
from slo_otel.export._sender import MOST_BYTES, SLOW, TOO_LARGE, Failure, plain
from slo_otel.export._settings import Grpc, Tls
from slo_otel.export._tries import Tries
from slo_otel.export._wire import encode


@contextmanager
def _quiet() -> Iterator[None]:
    """Let gRPC's core, which reads this once, not write to stderr beside our one line a failure.

    Only where nobody else has loaded it and nobody said what it should write.
    """
    if "grpc" in sys.modules or "GRPC_VERBOSITY" in os.environ:
        yield
        return
    os.environ["GRPC_VERBOSITY"] = "NONE"
    try:
        yield
    finally:
        del os.environ["GRPC_VERBOSITY"]


with _quiet():
    import grpc

_METHOD: Final = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
_PROVIDERS: Final = "opentelemetry_otlp_credential_provider"
_RETRYABLE: Final = frozenset(
    {
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
    }
)
"""The OTLP specification's retryable codes, beside RESOURCE_EXHAUSTED where it says when to come again."""
_OVER_LIMIT: Final = re.compile(r"larger than max|exceeds maximum size", re.IGNORECASE)
"""How the servers of Go, C++ and Java say that a message is too large; the code is the same as for a quota."""

_ROOM_SECONDS: Final = 1.0
"""How long closing a channel waits for a fork."""
_GATE: Final = ForkGate()
_open: Final[set[grpc.Channel]] = set()
"""The channels of this process."""
_kept: Final[list[grpc.Channel]] = []
"""What must not be closed: those of a parent, and one that keeps the library from shutting down with the last
channel in use, which it would do on a thread of its own, perhaps during a fork."""


def _in_child() -> None:
    _kept.extend(_open)
    _open.clear()
    _GATE.after_fork_in_child()


os.register_at_fork(before=_GATE.before_fork, after_in_parent=_GATE.after_fork, after_in_child=_in_child)


class GrpcSender:
    """Sends OTLP to the endpoint of the environment, over one channel that is kept while exports arrive."""

    def __init__(self, settings: Grpc) -> None:
        """Opens nothing yet."""
        self._settings = settings
        self._tries = Tries()
        self._lock = threads.Lock()
        self._channel: grpc.Channel | None = None
        self._interrupted = False

    def send(self, data: MetricsData, deadline: float, *, patient: bool) -> Failure | None:
        """Send, and again after what passes, for as long as there is time."""
        body = encode(data)
        if len(body) > MOST_BYTES and divisible(data):
            return TOO_LARGE
        return self._tries.run(lambda: self._exchange(body, deadline), deadline, patient=patient)

    def stop(self) -> None:
        """End the wait of `send`: closing a channel cancels its call."""
        self._tries.stop()
        self.close()

    def close(self) -> None:
        """Close the channel that was kept; where forks leave no room for it, it is left open."""
        with suppress(TimeoutError), _GATE.call(_nothing, _ROOM_SECONDS):
            self._hang_up()

    def _hang_up(self) -> None:
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            _open.discard(channel)
            channel.close()

    def _exchange(self, body: bytes, deadline: float) -> Failure | None:
        """One call; another one where a fork could not wait for it."""
        while True:
            self._interrupted = False
            failure = self._call(body, deadline)
            if failure is None or not self._interrupted:
                return failure

    def _call(self, body: bytes, deadline: float) -> Failure | None:
        left = min(deadline - time.monotonic(), self._settings.timeout)
        if left <= 0 or self._tries.stopped():
            return SLOW
        pause()
        try:
            with _GATE.call(self._interrupt, left):
                answer = self._asked(body, left)
        except Exception as fault:  # noqa: BLE001 - whatever a library makes of what came back
            return SLOW if self._tries.stopped() else _judged(fault, self._settings.target)
        return rejected(answer)

    def _asked(self, body: bytes, seconds: float) -> bytes:
        """The answer. After a failure the next call connects anew: at once, and with the files of that time."""
        try:
            return self._ask(body, seconds)
        except Exception:
            self._hang_up()
            raise

    def _ask(self, body: bytes, seconds: float) -> bytes:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._opened().unary_unary(_METHOD)
        packing = grpc.Compression.Gzip if self._settings.gzip else grpc.Compression.NoCompression
        return call(body, timeout=seconds, metadata=self._settings.metadata, compression=packing)

    def _interrupt(self) -> None:
        self._interrupted = True
        self._hang_up()

    def _opened(self) -> grpc.Channel:
        """The channel, a new one where there is none; whoever closes it does not wait for it to be made."""
        channel = self._channel or _channel(self._settings)
        with self._lock:
            self._channel = channel
        if self._interrupted or self._tries.stopped():
            raise TimeoutError("timed out")
        return channel


def _nothing() -> None:
    """Closing a channel takes no time, and is not cut."""


def _channel(settings: Grpc) -> grpc.Channel:
    """A channel that shares no connection with others of the process, whose pauses after failures are theirs."""
    options = (
        ("grpc.primary_user_agent", settings.user_agent),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
        ("grpc.service_config_disable_resolution", 1),
    )
    if not _kept:
        _kept.append(grpc.insecure_channel("localhost:1"))
    if settings.secure:
        made = grpc.secure_channel(settings.target, _credentials(settings), options=options)
    else:
        made = grpc.insecure_channel(settings.target, options=options)
    _open.add(made)
    return made


def _credentials(settings: Grpc) -> grpc.ChannelCredentials:
    if not settings.provider:
        return _certificates(settings.tls)
    credentials = provider(settings.provider)()
    if not isinstance(credentials, grpc.ChannelCredentials):
        raise TypeError(f"{settings.provider} gave {type(credentials).__name__}, not grpc.ChannelCredentials")
    return credentials


@cache
def provider(name: str) -> Callable[[], object]:
    """What gives the credentials of a channel; imported by the first call. Raises `ConfigurationError`."""
    found = next(iter(entry_points(group=_PROVIDERS, name=name)), None)
    if found is None:
        raise ConfigurationError(
            f"the OTLP credential provider is {name!r}; no installed package has an entry point of that name "
            f"in {_PROVIDERS}"
        )
    return cast("Callable[[], object]", found.load())


def _certificates(tls: Tls) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=_content(tls.authority),
        private_key=_content(tls.key or tls.certificate),
        certificate_chain=_content(tls.certificate),
    )


def _content(file: str) -> bytes | None:
    return Path(file).read_bytes() if file else None


def _judged(fault: Exception, target: str) -> Failure:
    """What a call that failed means."""
    if isinstance(fault, TimeoutError):
        return SLOW
    if not isinstance(fault, grpc.Call):
        return Failure(type(fault).__name__, plain(str(fault)), passing=isinstance(fault, OSError))
    code, said = fault.code(), fault.details() or ""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return SLOW
    after = _retry_after(fault)
    exhausted = code is grpc.StatusCode.RESOURCE_EXHAUSTED
    passing = code in _RETRYABLE or (exhausted and after is not None)
    large = exhausted and _OVER_LIMIT.search(said) is not None
    return Failure(code.name, over_grpc(said, target) or code.name, passing, after, large=large)


def _retry_after(call: grpc.Call) -> float | None:
    """Seconds, from the `RetryInfo` among the details of a status; None where there is none."""
    for key, value in call.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            return _delay(value)
    return None


def _delay(details: bytes) -> float | None:
    info = RetryInfo()
    with suppress(DecodeError):
        for detail in Status.FromString(details).details:
            if detail.Unpack(info):
                return max(info.retry_delay.seconds + info.retry_delay.nanos / 1e9, 0.0)
    return None
