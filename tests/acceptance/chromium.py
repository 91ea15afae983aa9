"""Headless Chromium, driven through its DevTools protocol: it needs no other program."""

import asyncio
import re
import shutil
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import aiohttp

CHROMIUM = shutil.which("chromium") or ""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Calls `fetch`, and returns what the page may read of the answer.
FETCH = """
(async () => {
  try {
    const answer = await fetch(%s, %s);
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: await answer.text(),
    };
  } catch (error) {
    return {error: String(error)};
  }
})()
"""
# Opens a websocket, and returns its first message or the way it was refused.
OPEN = """
new Promise((resolve) => {
  const socket = new WebSocket(%s);
  socket.onmessage = (event) => { resolve(event.data); socket.close(); };
  socket.onclose = (event) => resolve(event.code);
})
"""


class ChromiumTab:
    """One tab of a browser."""

    def __init__(self, socket, session):
        self._socket, self._session, self._numbers = socket, session, count(1)

    async def call(self, method, **params):
        """Call a method of the protocol, and return its result."""
        number = next(self._numbers)
        sent = {"id": number, "method": method, "params": params}
        if self._session is not None:
            sent["sessionId"] = self._session
        await self._socket.send_json(sent)
        async with asyncio.timeout(60):
            while True:
                said = await self._socket.receive_json()
                if said.get("id") == number and said.get("sessionId") == self._session:
                    assert "error" not in said, said
                    return said["result"]

    async def visit(self, url):
        """Show the page at *url*."""
        await self.call("Page.enable")
        assert "errorText" not in await self.call("Page.navigate", url=url)
        while await self.run("document.readyState") != "complete" or not (
            await self.run("location.href")
        ).startswith(url):
            await asyncio.sleep(0.01)

    async def run(self, script):
        """Return the value of *script*, awaited."""
        result = await self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")


@asynccontextmanager
async def open_chromium(profile: Path):
    """Start a browser with an empty *profile*; yields a tab."""
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *FLAGS,
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    drain = None
    try:
        address = None
        async with asyncio.timeout(60):
            while address is None:
                line = (await process.stderr.readline()).decode(errors="replace")
                assert line, "Chromium ended before it said its address"
                said = re.search(r"DevTools listening on (ws://\S+)", line)
                address = said and said[1]
        drain = asyncio.create_task(process.stderr.read())
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, max_msg_size=0) as socket,
        ):
            browser = ChromiumTab(socket, None)
            target = (await browser.call("Target.createTarget", url="about:blank"))["targetId"]
            attached = await browser.call("Target.attachToTarget", targetId=target, flatten=True)
            yield ChromiumTab(socket, attached["sessionId"])
            await browser.call("Browser.close")
    finally:
        if process.returncode is None:
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()
        if drain is not None:
            await drain
