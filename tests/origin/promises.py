"""Which test holds which sentence of the origin document, and `docs/origin.md`, which says so.

`python -m tests.origin.promises > docs/origin.md` writes the page.
"""

import ast
import sys
from dataclasses import dataclass

from tests.origin.document import HERE, chapters, read_document
from tests.origin.patches import FRAMES, LEFT, NAMES, PATCHES

PAGE = HERE.parents[1] / "docs" / "origin.md"
HISTORY = "Tells how it came about, and why asynchronous frameworks."
OF_OTHERS = "Says something of a library or a standard, not of the framework."
ADVICE = "Advice to whoever writes a service."
LAYOUT = "Announces what follows."
# Sentences that promise nothing that a test could hold, each with the reason.
NOTHING = {
    "基于sanic的微服务基础架构": "The title.",
    "使用python做web开发面临的一个最大的问题就是性能，在解决C10K问题上显的有点吃力。": HISTORY,
    "有些异步框架Tornado、Twisted、Gevent 等就是为了解决性能问题。": HISTORY,
    "这些框架在性能上有些提升，但是也出现了各种古怪的问题难以解决。": HISTORY,
    "在python3.6中，官方的异步协程库asyncio正式成为标准。": HISTORY,
    "在保留便捷性的同时对性能有了很大的提升,已经出现许多的异步框架使用asyncio。": HISTORY,
    "使用较早的异步框架是aiohttp，它提供了server端和client端，对asyncio做了很好的封装。": OF_OTHERS,
    "但是开发方式和最流行的微框架flask不同，flask开发简单，轻量，高效。": OF_OTHERS,
    "将两者结合起来就有了sanic。": OF_OTHERS,
    "Sanic框架是和Flask相似异步协程框架，简单轻量，并且性能很高。": OF_OTHERS,
    "微服务最近很火，它解决了复杂性问题，提高开发效率，便于部署等优点。": HISTORY,
    "正是结合这些优点, 以sanic为基础，集成多个流行的库搭建微服务框架。": "Sums up the chapter; the "
    "libraries have sentences of their own in the chapter Feature.",
    "使用sanic异步框架，有较高的性能，但是使用不当会造成blocking, "
    "对于有IO请求的都要选用异步库。": ADVICE,
    "添加库要慎重。": ADVICE,
    "功能说明：": LAYOUT,
    "Example:": LAYOUT,
    "Peewee is a simple and small ORM. It has few (but expressive) concepts, making it easy to "
    "learn and intuitive to use。": OF_OTHERS,
    "asyncpg is the fastest driver among common Python, NodeJS and Go implementations": OF_OTHERS,
    "不使用ORM做数据库操作，一个原因是性能，ORM会有性能的损耗，"
    "并且无法使用asyncpg高性能库。": "The reason "
    "for a choice; that statements run through asyncpg is held in this chapter.",
    "另一个是单个微服务是很简单的，表结构不会很复杂，"
    "简单的SQL语句就可以处理来，没必要引入ORM。": "The reason for a choice.",
    "TODO  数据库读写分离": "A plan without a description; `DB_REPLICAS` is what became of it.",
    "Enter OpenTracing: by offering consistent, expressive, vendor-neutral APIs for popular "
    "platforms, OpenTracing makes it easy for developers to add (or switch) tracing "
    "implementations with an O(1) configuration change.": OF_OTHERS,
    "OpenTracing also offers a lingua franca for OSS instrumentation and platform-specific "
    "tracing helper libraries.": OF_OTHERS,
    "Please refer to the Semantic Specification.": "A reference.",
    "OpenTracing是以Dapper，Zipkin等分布式追踪系统为依据, "
    "为分布式追踪建立了统一的标准。": OF_OTHERS,
    "因为大多数分布式追踪系统考虑到性能问题，都是使用的thrift进行通信的，"
    "本着简单，Restful风格的精神，没有使用RPC通信。": "The reason for what the next sentence says.",
}
INTRODUCTION = """\
# The origin

msframework descends from [sanic-ms](https://github.com/songcser/sanic-ms), whose description, in
Chinese, is [tests/origin/origin.zh.md](../tests/origin/origin.zh.md). Everything that it describes
works here, with only the names of imports changed. This page is written from the tests
(`python -m tests.origin.promises > docs/origin.md`): each sentence and code block of the document
that promises something, beside the tests that hold it. A sentence that no test holds fails the run.
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """A test, and the sentences and blocks that it holds."""

    file: str
    name: str
    texts: tuple[str, ...]


def read_holders() -> tuple[Holder, ...]:
    """Return every test of this directory, as its markers say; nothing is imported for it."""
    found = []
    for path in sorted(HERE.glob("test_*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            target.id: node.value
            for node in module.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in module.body:
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if is_function and node.name.startswith("test_"):
                found.append(Holder(path.name, node.name, _texts(node, names)))
    return tuple(found)


def _texts(test: ast.FunctionDef | ast.AsyncFunctionDef, names: dict[str, ast.expr]) -> tuple:
    """Return the arguments of a test's `origin` markers; *names* are the module's constants."""
    arguments = [
        argument
        for decorator in test.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.origin"
        for argument in decorator.args
    ]
    return tuple(
        ast.literal_eval(names[each.id] if isinstance(each, ast.Name) else each)
        for each in arguments
    )


def held() -> dict[str, list[Holder]]:
    """Return the tests by the sentence or block that they hold."""
    found: dict[str, list[Holder]] = {}
    for holder in read_holders():
        for text in holder.texts:
            found.setdefault(text, []).append(holder)
    return found


def render_page() -> str:
    """Return the text of `docs/origin.md`."""
    sentences, blocks = read_document()
    tests = held()
    lines = [INTRODUCTION, "| there | here |", "|---|---|"]
    lines += [f"| `{there}` | `{here}` |" for there, here in NAMES.items()]
    lines.append("")
    for chapter in chapters():
        own = [each.text for each in sentences if each.chapter == chapter]
        own += [each.name for each in blocks if each.chapter == chapter]
        rows = [
            f"| {_cell(text)} | {'<br>'.join(map(_link, tests[text]))} |"
            for text in dict.fromkeys(own)
            if text in tests
        ]
        if rows:
            lines += [f"## {chapter}\n", "| says | held by |", "|---|---|", *rows, ""]
    lines += _render_patches()
    lines += ["## What promises nothing\n", "| says | why |", "|---|---|"]
    lines += [f"| {_cell(text)} | {reason} |" for text, reason in NOTHING.items()]
    lines += ["", *_render_numbers()]
    return "\n".join(lines) + "\n"


def _render_patches() -> list[str]:
    lines = [
        "## Patches\n",
        "What is changed in the code blocks before they run. Beside that, blocks that are excerpts",
        f"get imports and a frame ({len(FRAMES)} of them, in `tests/origin/patches.py`).\n",
        "| block | printed | runs as | why |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {each.block} | {_code(each.old)} | {_code(each.new)} | {each.reason} |"
        for each in PATCHES
    ]
    lines += ["", "Left as it is:\n", "| slip | why |", "|---|---|"]
    return [*lines, *(f"| {slip} | {reason} |" for slip, reason in LEFT.items()), ""]


def _render_numbers() -> list[str]:
    """Return a table of how many tests each file has."""
    files: dict[str, int] = {}
    for holder in read_holders():
        files[holder.file] = files.get(holder.file, 0) + 1
    lines = ["## Tests\n", "| file | test functions |", "|---|---|"]
    return [*lines, *(f"| `tests/origin/{name}` | {count} |" for name, count in files.items())]


def _link(holder: Holder) -> str:
    return f"[{holder.name}](../tests/origin/{holder.file})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines()]
    return "<br>".join(f"`{line}`" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(render_page())
