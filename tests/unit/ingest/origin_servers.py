"""Places that deliveries are fetched from: a folder, and real local servers of S3 and SFTP."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

USER, PASSWORD = "tills", "correct horse"


class Server(Protocol):
    """A place that tests write to and the pipeline reads from."""

    location: str
    access: dict[str, Any]

    def put(self, name: str, data: bytes) -> None: ...
    def contents(self) -> dict[str, bytes]: ...


@dataclass
class FolderServer:
    root: Path
    access: dict[str, Any] = field(default_factory=dict)

    @property
    def location(self) -> str:
        return str(self.root)

    def put(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def contents(self) -> dict[str, bytes]:
        found = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in found}


@dataclass
class BucketServer:
    url: str
    bucket: str

    def __post_init__(self) -> None:
        import boto3

        self.access = {"key": "AKIDTESTS", "secret": "s3cr3t-of-tests", "endpoint": self.url}
        self.access["region"] = "us-east-1"
        self.client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access["key"],
            aws_secret_access_key=self.access["secret"],
            region_name=self.access["region"],
        )
        self.client.create_bucket(Bucket=self.bucket)

    @property
    def location(self) -> str:
        return f"s3://{self.bucket}/outgoing"

    def put(self, name: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"outgoing/{name}", Body=data)

    def contents(self) -> dict[str, bytes]:
        listed = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {
            one["Key"].removeprefix("outgoing/"): self.client.get_object(
                Bucket=self.bucket, Key=one["Key"]
            )["Body"].read()
            for one in listed
        }

    def demand_valid_keys(self, *, wanted: bool) -> None:
        """Let the server check keys from now on, or no longer."""
        free = b"0" if wanted else b"1000000"
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}/moto-api/reset-auth", data=free, headers={"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request).close()  # noqa: S310 - same


@dataclass
class SftpServer(FolderServer):
    port: int = 0

    @property
    def location(self) -> str:
        return f"sftp://127.0.0.1:{self.port}/outgoing"


@contextmanager
def serve_s3() -> Iterator[str]:
    """Start an S3 server and yield its URL."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def serve_sftp(folder: Path) -> Iterator[tuple[int, str]]:
    """Start an SFTP server over a folder and yield its port and public key."""
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519")

    connections: list[asyncssh.SSHServerConnection] = []

    class Guard(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            connections.append(conn)

        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[key],
            server_factory=Guard,
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder)),
        )

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    try:
        yield acceptor.get_port(), key.export_public_key().decode().strip()
    finally:

        async def close() -> None:
            acceptor.close()
            for connection in connections:
                connection.abort()
            await asyncio.sleep(0)
            await acceptor.wait_closed()

        asyncio.run_coroutine_threadsafe(close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
