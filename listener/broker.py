"""The embedded broker: librdkafka's mock cluster (confluent-kafka wheel) in a child process.

It speaks the real Kafka protocol, but keeps everything in memory: a dead broker loses its log, each
partition keeps a bounded number of bytes, nothing is compacted or expired, and topics exist only if
they are named at the start. For trying out and for tests; production takes Apache Kafka.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType

from listener.errors import BrokerError

START_SECONDS = 20.0
_ERROR_TEXT = 512


class EmbeddedBroker:
    """A context manager: the broker runs inside it. `address` is host:port.

    `topics` maps a name to its number of partitions; `port` 0 takes any free one. Raises
    BrokerError where the port is taken or the wheel has no librdkafka.
    """

    def __init__(self, topics: Mapping[str, int], *, port: int = 0) -> None:
        self._topics = dict(topics)
        self._port = port
        self._process: multiprocessing.process.BaseProcess | None = None
        self.address = ""

    def __enter__(self) -> EmbeddedBroker:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        _check_port(self._port)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_serve, args=(theirs, self._topics, self._port), daemon=True
        )
        process.start()
        theirs.close()
        self._process = process
        self._connection = ours
        self.address = self._await_address(ours)

    def stop(self) -> None:
        if self._process is None:
            return
        with suppress(OSError):
            self._connection.close()
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process = None

    def _await_address(self, connection: Connection) -> str:
        answer = ""
        with suppress(EOFError):
            answer = connection.recv() if connection.poll(START_SECONDS) else "no answer"
        if not answer.startswith("at "):
            self.stop()
            raise BrokerError(f"the embedded broker did not start: {answer or 'it died'}")
        return answer.removeprefix("at ")


def _check_port(port: int) -> None:
    if port == 0:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise BrokerError(
                f"--port {port}: cannot listen there ({error.strerror}); stop what uses it, or "
                "choose another port"
            ) from None


def _serve(connection: Connection, topics: dict[str, int], port: int) -> None:
    """The child: runs until its parent closes the pipe, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        address = _Cluster(topics).address
        if port:
            address = _forward(port, address)
    except (OSError, AttributeError, BrokerError) as error:
        connection.send(str(error))
        return
    connection.send(f"at {address}")
    threading.Thread(target=_follow_parent, args=(connection,), daemon=True).start()
    signal.pause() if hasattr(signal, "pause") else threading.Event().wait()


def _follow_parent(connection: Connection) -> None:
    with suppress(EOFError, OSError):
        connection.recv()
    os._exit(0)


def _forward(port: int, behind: str) -> str:
    """The mock cluster chooses its own port, so a chosen one is forwarded to it."""
    host, _, inner = behind.rpartition(":")
    ready = threading.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection(host, int(inner))
        await asyncio.gather(_copy(reader, back_writer), _copy(back_reader, writer))

    async def serve() -> None:
        server = await asyncio.start_server(accept, "127.0.0.1", port)
        ready.set()
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    if not ready.wait(5.0):
        raise BrokerError(f"--port {port}: cannot listen there; choose another port")
    return f"127.0.0.1:{port}"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


class _Cluster:
    """The C calls. The mock API is public in librdkafka's `rdkafka_mock.h`, not in the wheel's."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        self._lib = ctypes.CDLL(str(_library()))
        self._declare()
        client = self._client()
        cluster = self._lib.rd_kafka_mock_cluster_new(client, 1)
        if not cluster:
            raise BrokerError("librdkafka could not start its mock cluster")
        for name, partitions in topics.items():
            self._lib.rd_kafka_mock_topic_create(cluster, name.encode(), partitions, 1)
        self._lib.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
        self.address = self._lib.rd_kafka_mock_cluster_bootstraps(cluster).decode()

    def _declare(self) -> None:
        lib, pointer, text = self._lib, ctypes.c_void_p, ctypes.c_char_p
        lib.rd_kafka_conf_new.restype = pointer
        lib.rd_kafka_conf_set.argtypes = [pointer, text, text, text, ctypes.c_size_t]
        lib.rd_kafka_new.restype = pointer
        lib.rd_kafka_new.argtypes = [ctypes.c_int, pointer, text, ctypes.c_size_t]
        lib.rd_kafka_mock_cluster_new.restype = pointer
        lib.rd_kafka_mock_cluster_new.argtypes = [pointer, ctypes.c_int]
        lib.rd_kafka_mock_cluster_bootstraps.restype = text
        lib.rd_kafka_mock_cluster_bootstraps.argtypes = [pointer]
        lib.rd_kafka_mock_topic_create.argtypes = [pointer, text, ctypes.c_int, ctypes.c_int]
        lib.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [pointer, ctypes.c_int32]

    def _client(self) -> int:
        error = ctypes.create_string_buffer(_ERROR_TEXT)
        conf = self._lib.rd_kafka_conf_new()
        # It would warn that it has no broker to connect to: it is one.
        self._lib.rd_kafka_conf_set(conf, b"log_level", b"0", error, _ERROR_TEXT)
        client = self._lib.rd_kafka_new(0, conf, error, _ERROR_TEXT)
        if not client:
            raise BrokerError(f"librdkafka: {error.value.decode()}")
        return int(client)


def _library() -> Path:
    spec = importlib.util.find_spec("confluent_kafka")
    if spec is None or spec.origin is None:
        raise BrokerError("the package confluent-kafka is not installed; pip install it")
    package = Path(spec.origin).parent
    folders = [package.parent / "confluent_kafka.libs", package / ".dylibs"]
    found = [path for folder in folders for path in sorted(folder.glob("librdkafka*"))]
    if not found:
        raise BrokerError(
            f"no librdkafka in {folders[0].name} (platform {sys.platform}); install a "
            "confluent-kafka wheel with it, or use Apache Kafka"
        )
    return found[0]
