"""A person on IRC: a socket, and the few lines of the protocol that it takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from polling import DEADLINE_S


class IrcClient:
    """A connection that keeps every line it gets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nick: str) -> None:
        self.nick = nick
        self.lines: list[str] = []
        self._reader = reader
        self._writer = writer
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        while line := await self._reader.readline():
            text = line.decode().rstrip("\r\n")
            if text.startswith("PING"):
                self.send(text.replace("PING", "PONG", 1))
            else:
                self.lines.append(text)

    def send(self, line: str) -> None:
        """Send a line."""
        self._writer.write(f"{line}\r\n".encode())

    def say(self, target: str, text: str) -> None:
        """Send a message to a channel or a person."""
        self.send(f"PRIVMSG {target} :{text}")

    async def sees(self, *parts: str) -> str:
        """Wait for a line that holds all the parts."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    for line in self.lines:
                        if all(part in line for part in parts):
                            return line
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{parts} never came; seen: {self.lines}") from None

    async def close(self) -> None:
        """Leave."""
        self.send("QUIT :bye")
        self._reading.cancel()
        self._writer.close()


@asynccontextmanager
async def on_irc(port: int, nick: str, channel: str) -> AsyncIterator[IrcClient]:
    """A person in a channel for the time of the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = IrcClient(reader, writer, nick)
    try:
        client.send(f"NICK {nick}")
        client.send(f"USER {nick} 0 * :{nick}")
        await client.sees(f" 001 {nick} ")
        client.send(f"JOIN {channel}")
        await client.sees(f" 366 {nick} {channel}")
        yield client
    finally:
        await client.close()
