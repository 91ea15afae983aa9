# `make check` is what .ci/run runs, in the interpreter that PYTHON names.
PYTHON ?= python

.PHONY: check lint types test acceptance format reference golden

check: lint types test

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

# The command of the README; it fails below the branch coverage that pyproject.toml asks for.
test:
	$(PYTHON) manage.py test --parallel auto

# Too heavy for every change.
acceptance:
	$(PYTHON) manage.py test -m acceptance --timeout 600
	HYPOTHESIS_EXAMPLES=1000 $(PYTHON) -m pytest tests/codec/test_equality.py \
		tests/codec/test_engine.py tests/tracing/test_propagation.py tests/log

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

# The pages that are written from the declarations; tests hold them current.
reference:
	$(PYTHON) -m msframework.conf.reference > docs/reference/settings.md.new
	mv docs/reference/settings.md.new docs/reference/settings.md
	$(PYTHON) -m msframework.metrics.reference > docs/reference/metrics.md.new
	mv docs/reference/metrics.md.new docs/reference/metrics.md

# The documents that tests/openapi/test_golden.py holds.
golden:
	for version in 3.1 3.0 2.0; do \
		OPENAPI_VERSION=$$version $(PYTHON) manage.py openapi --settings settings.test \
			--output tests/openapi/golden/$$version.yaml || exit 1; \
		OPENAPI_VERSION=$$version $(PYTHON) manage.py openapi \
			--settings tests.openapi.guarded.settings \
			--output tests/openapi/golden/guarded-$$version.yaml || exit 1; \
	done
