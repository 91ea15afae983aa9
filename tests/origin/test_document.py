"""Every sentence of the origin document is held by a test, or promises nothing."""

import ast
from pkgutil import resolve_name

import pytest

from tests.origin.document import SOURCE, block, chapters, read_document
from tests.origin.patches import COVERAGE, FRAMES, NAMES, PATCHES, framed, patched
from tests.origin.project import models_and_migrations, project_files, with_first_version
from tests.origin.promises import NOTHING, PAGE, held, read_holders, render_page

SENTENCES, BLOCKS = read_document()
HERE = "test_document.py"
TEXTS = {each.text for each in SENTENCES}


def test_every_sentence_is_held_or_promises_nothing():
    tests = held()

    assert [each for each in SENTENCES if each.text not in tests and each.text not in NOTHING] == []


def test_every_code_block_is_held():
    tests = held()

    assert [each.name for each in BLOCKS if each.name not in tests] == []


def test_what_tests_hold_stands_in_the_document():
    assert sorted(held().keys() - TEXTS - {each.name for each in BLOCKS}) == []


def test_what_promises_nothing_stands_in_the_document_and_has_no_test():
    assert sorted(NOTHING.keys() - TEXTS) == []
    assert sorted(NOTHING.keys() & held().keys()) == []


def test_every_test_of_a_chapter_holds_something():
    idle = [each.name for each in read_holders() if not each.texts and each.file != HERE]

    assert idle == []


def test_nothing_of_the_document_is_overlooked():
    text = SOURCE.read_text(encoding="utf-8")
    left = text
    for each in BLOCKS:
        left = left.replace(f"```\n{each.text}```", "", 1)
    for each in SENTENCES:
        assert each.text in left.replace("**", "")
    assert "```" not in left
    assert len(BLOCKS) == text.count("```") / 2
    assert len(chapters()) == 1 + text.count("\n## ")


def test_the_page_is_what_the_tests_say():
    assert PAGE.read_text(encoding="utf-8") == render_page(), (
        "run: python -m tests.origin.promises > docs/origin.md"
    )


@pytest.mark.parametrize("each", PATCHES, ids=lambda each: each.old.strip())
def test_each_patch_is_needed_and_has_a_reason(each):
    assert each.old in block(each.block)
    assert each.new not in block(each.block)
    assert each.reason.endswith(".")


@pytest.mark.parametrize("name", NAMES.values())
def test_each_name_is_there(name):
    assert resolve_name(name) is not None


@pytest.mark.parametrize("name", [each.name for each in BLOCKS])
def test_each_block_is_a_program_once_patched(name):
    if name == "Config, code 1":
        assert block(name) == "export SANIC_CONFIG_MODULE='mysite.configs'\n"
    elif name == COVERAGE:
        assert all(line.startswith("coverage") for line in patched(name).splitlines())
    else:
        ast.parse(framed(name))


def test_only_whole_blocks_are_framed():
    assert FRAMES.keys() <= {each.name for each in BLOCKS}


def test_the_project_holds_every_line_of_the_document_s_code():
    written = "".join(project_files("postgresql:///x").values())
    written += with_first_version(models_and_migrations()[1])
    lines = {line.strip() for line in written.splitlines()}
    missing = [
        line
        for each in BLOCKS
        if each.name not in ("Config, code 1", COVERAGE)
        for line in patched(each.name).splitlines()
        if line.strip() not in lines and line.strip() not in ("# models.py", "# migrations.py")
    ]

    assert missing == []
