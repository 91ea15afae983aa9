"""The document and the generated methods of one collection, as golden files show them."""

from pathlib import Path

import pytest
import yaml

from msframework._place import origin_of
from msframework.openapi.spec import build_document
from tests.collection import shop
from tests.conftest import new_service

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def service():
    service = new_service()
    service.authenticate("name", shop.ByName())
    service.blueprint(shop.notes)
    service.blueprint(shop.diary)
    service.compile()
    return service


def document(service):
    own = [each for each in service.operations if each.blueprint == "notes"]
    return yaml.safe_dump(build_document(own, service.settings), sort_keys=False)


def sources(service):
    found = [origin_of(each.handler).source for each in service.operations]
    return "\n\n".join(found)


@pytest.mark.parametrize(
    ("name", "made"),
    [("document.yaml", document), ("sources.txt", sources)],
    ids=["document", "sources"],
)
def test_a_collection_is_what_its_golden_file_says(service, name, made):
    golden, text = GOLDEN / name, made(service)

    if not golden.exists():
        golden.write_text(text)
        pytest.fail(f"{golden} was not there; it is written now. Read it and commit it.")
    assert text == golden.read_text()


def test_the_source_is_shown_with_its_handler(service):
    assert (
        "async def Notes_patch(self, request, id, body, tx, principal):"
        in (service.sources["Notes.patch"])
    )
