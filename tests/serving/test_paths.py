"""Paths over sockets: all spellings of one find the same, and values arrive decoded, once."""

import asyncio
import contextlib
import json
import random
from urllib.parse import quote

import pytest
import pytest_asyncio
from sanic.exceptions import URLBuildError

from msframework import doc
from msframework.app import Service
from tests.conftest import serve_service, with_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = {
    "str": "/str/<value>",
    "strorempty": "/strorempty/<value:strorempty>",
    "path": "/path/<value:path>",
    "regex": "/regex/<value:[^x]+>",
    "within": "/within/<value>/end",
    "text": "/text/<value:[a-z@é ]+>",
    "ext": "/ext/<value:ext>",
    "int": "/int/<value:int>",
    "float": "/float/<value:float>",
    "uuid": "/uuid/<value:uuid>",
    "ymd": "/ymd/<value:ymd>",
    "alpha": "/alpha/<value:alpha>",
    "slug": "/slug/<value:slug>",
    "below": "/below/<value:int>/<rest:path>",
}
LITERALS = ["/plain", "/café", "/a:b@c", "/a b/c+d", "/tilde~-._"]
UUID = "01234567-89ab-cdef-0123-456789abcdef"


def declare(service, folder):
    for name, path in KINDS.items():
        service.add_route(_saying(name), path, name=name)
    for number, path in enumerate(LITERALS):
        literal = doc.operation_id(f"literal{number}")(_literal(path))
        service.add_route(literal, path, name=f"literal{number}")
    literal = doc.operation_id("static_wins")(_literal("static wins"))
    service.add_route(literal, "/mixed/a:b", name="mixed_literal")
    service.static("/files", folder, name="files")

    @service.get("/mixed/<value>")
    async def mixed(request, value):
        return ["mixed", {"value": value}]


def _saying(name):
    async def handle(request, **values):
        return [name, {key: str(value) for key, value in values.items()}]

    return doc.operation_id(name)(handle)


def _literal(name):
    async def literal(request):
        return [name, {}]

    return literal


@pytest_asyncio.fixture(
    params=[True, False], ids=["fast", "sanic"], scope="module", loop_scope="module"
)
async def address(request, tmp_path_factory):
    """Yield host and port of the service; one serves all tests of the module."""
    place = tmp_path_factory.mktemp("files")
    root = place / "root"
    (root / "sub").mkdir(parents=True)
    (root / "a b.txt").write_text("ab")
    (root / "sub" / "é%41.txt").write_text("sub")
    (place / "secret.txt").write_text("secret")
    service = Service(with_settings(server={"fast_path": request.param}))
    service.config.TOUCHUP = False
    declare(service, root)
    async with serve_service(service) as address:
        yield address


@pytest_asyncio.fixture(loop_scope="module")
async def get(address):
    """Return what sends `GET path` in one piece, in two, and byte by byte."""
    reader, writer = await asyncio.open_connection(*address)

    async def send(path, cuts=(1, 2, 0)):
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        answers = []
        for count in cuts:
            size = len(head) // count + 1 if count else 1
            for start in range(0, len(head), size):
                writer.write(head[start : start + size])
                await writer.drain()
                await asyncio.sleep(0)
            answers.append(await _answer(reader))
        assert all(answer == answers[0] for answer in answers)
        return answers[0]

    yield send
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def _answer(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    size = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    body = await reader.readexactly(size)
    status = int(head.split(" ")[1])
    if status == 200 and "json" in head:
        return 200, json.loads(body)["data"]
    return status, body.decode() if status == 200 else json.loads(body)["error"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/plain", "/plain"),
        ("/%70lain", "/plain"),
        ("/%70%6c%61%69%6E", "/plain"),
        ("/plain/", "/plain"),
        ("/caf%c3%a9", "/café"),
        ("/c%61f%C3%A9", "/café"),
        ("/a:b@c", "/a:b@c"),
        ("/a%3Ab%40c", "/a:b@c"),
        ("/a%3ab@c", "/a:b@c"),
        ("/a%20b/c+d", "/a b/c+d"),
        ("/a%20b/c%2Bd", "/a b/c+d"),
        ("/tilde~-._", "/tilde~-._"),
        ("/tilde%7E%2D%2e_", "/tilde~-._"),
        ("/mixed/a:b", "static wins"),
        ("/mixed/a%3Ab", "static wins"),
        ("/mix%65d/%61:b", "static wins"),
    ],
)
async def test_all_spellings_of_a_literal_path_are_one(get, path, found):
    assert await get(path) == (200, [found, {}])


TEXTS = ["plain", "a b", "a+b", "é", "%41", "%2F", "a:b@c;d,e=f", "..", "日本", "%", "\n", "\u2028"]
SPELLERS = {
    "quoted": lambda text: quote(text, safe=""),
    "small": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "least": lambda text: quote(text, safe="!$&'()*+,;=:@"),
}


@pytest.mark.parametrize("spell", SPELLERS)
@pytest.mark.parametrize("kind", ["str", "strorempty", "path", "regex", "within", "below"])
async def test_a_text_arrives_decoded_once(get, kind, spell):
    for text in [*TEXTS, "a/b"]:
        before, after = {"within": ("", "/end"), "below": ("5/", "")}.get(kind, ("", ""))
        path = f"/{kind}/{before}{SPELLERS[spell](text)}{after}"
        values = {"value": "5", "rest": text} if kind == "below" else {"value": text}

        assert await get(path) == (200, [kind, values])


async def test_a_path_parameter_keeps_its_slashes(get):
    assert await get("/path/a/b%2Fc//%2541") == (200, ["path", {"value": "a/b/c//%41"}])


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/int/%35", ["int", {"value": "5"}]),
        ("/int/%2D5", ["int", {"value": "-5"}]),
        ("/float/1%2e5", ["float", {"value": "1.5"}]),
        (f"/uuid/{UUID.replace('-', '%2d')}", ["uuid", {"value": UUID}]),
        ("/ymd/2024%2D01-02", ["ymd", {"value": "2024-01-02"}]),
        ("/alpha/%61bc", ["alpha", {"value": "abc"}]),
        ("/slug/a%2Db", ["slug", {"value": "a-b"}]),
        ("/ext/a%20%C3%A9%252F%2Fb%2Etxt", ["ext", {"value": "a é%2F/b", "ext": "txt"}]),
        ("/text/a@%C3%A9%20", ["text", {"value": "a@é "}]),
        ("/text/%61%40%c3%a9%20", ["text", {"value": "a@é "}]),
        ("/mixed/a:c", ["mixed", {"value": "a:c"}]),
        ("/below/%35/x%2Fy", ["below", {"value": "5", "rest": "x/y"}]),
    ],
)
async def test_a_typed_parameter_is_read_in_any_spelling(get, path, found):
    assert await get(path) == (200, found)


@pytest.mark.parametrize(
    "path",
    [
        "/int/1_0",
        "/int/+5",
        "/int/%D9%A3",
        "/int/%205",
        "/int/5%0A",
        "/float/nan",
        "/float/1e5",
        "/float/1_0",
        f"/uuid/%7B{UUID}%7D",
        f"/uuid/{{{UUID[:34]}}}",
        f"/uuid/{UUID.replace('-', '')}",
        f"/uuid/{UUID}----",
        "/ymd/2024-1-2",
        "/ymd/2024-13-45",
        "/text/abc%0A",
        "/below/1_0/x",
        "/below/%D9%A3/x",
        "/within/a%2Fend",
        "/plain%2F",
        "/%2Fplain",
        "/%2570lain",
    ],
)
async def test_what_is_of_another_kind_is_not_found(get, path):
    status, _ = await get(path)

    assert status == 404


@pytest.mark.parametrize(
    "escape", ["%FF", "%C3", "%ED%A0%80", "%C0%AF", "%zz", "%", "%4", "%u0041"]
)
@pytest.mark.parametrize("path", ["/str/", "/path/a/", "/regex/", "/files/", "/plain", "/nowhere/"])
async def test_a_malformed_path_is_refused(get, path, escape):
    status, error = await get(path + escape)

    assert status == 400
    assert error.startswith("the path ")


@pytest.mark.parametrize("kind", ["str", "strorempty", "path", "regex", "within", "below"])
async def test_a_nul_is_named(get, kind):
    before, after = {"within": ("", "/end"), "below": ("5/", "")}.get(kind, ("", ""))
    name = "rest" if kind == "below" else "value"

    answer = await get(f"/{kind}/{before}a%00b{after}")

    assert answer == (422, {"path": {name: ["Null characters are not allowed."]}})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/files/a%20b.txt", "ab"),
        ("/f%69les/%61%20b.txt", "ab"),
        ("/files/sub/%C3%A9%2541.txt", "sub"),
        ("/files/sub%2F%c3%a9%2541.txt", "sub"),
    ],
)
async def test_a_file_is_found_in_any_spelling(get, path, text):
    assert await get(path) == (200, text)


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt",
        "%2e%2e/secret.txt",
        "..%2Fsecret.txt",
        "%2e%2e%2fsecret.txt",
        "%252e%252e/secret.txt",
        "%252e%252e%252fsecret.txt",
        "sub/../../secret.txt",
        "sub%2F..%2F..%2Fsecret.txt",
        "/../secret.txt",
        "%2F%2Fetc%2Fpasswd",
        "a b.txt%00",
        "%00",
        "x" * 300,
        "x/" * 1500 + "x",
        "a b.txt/x",
        "sub",
        "sub/",
        "",
    ],
)
async def test_no_file_outside_of_its_folder_is_found(get, name, caplog):
    status, _ = await get(f"/files/{name.replace(' ', '%20')}")

    assert status == 404
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_generated_texts_arrive_as_they_were(get):
    chance = random.Random(13)
    letters = [*map(chr, range(1, 0x250)), "€", "😀", "\u0301", "%", "/", "%2F", "+"]
    for _ in range(150):
        text = "".join(chance.choice(letters) for _ in range(chance.randint(1, 12)))
        escape = chance.choice(list(SPELLERS.values()))
        kind = chance.choice(["str", "path", "strorempty"])

        answer = await get(f"/{kind}/{escape(text)}", cuts=(1,))

        assert answer == (200, [kind, {"value": text}])


async def test_paths_are_built_of_what_they_take(make_service, tmp_path):
    service = make_service()
    declare(service, tmp_path)
    service.finalize()

    assert service.url_for("int", value=-5) == "/int/-5"
    assert service.url_for("uuid", value=UUID) == f"/uuid/{UUID}"
    assert service.url_for("float", value=1.5) == "/float/1.5"
    for kind, value in (("int", "1_0"), ("int", "5x"), ("float", "nan"), ("uuid", UUID[:-1])):
        with pytest.raises(URLBuildError):
            service.url_for(kind, value=value)
