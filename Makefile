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

# Too heavy for every change: CONTRIBUTING.md says what it needs. A line for each test; one process
# a core shares the files, but for those that have the machine to themselves.
ACCEPTANCE = $(PYTHON) -m pytest -v --timeout 600
SHARED = -n $(shell nproc) --dist loadfile --no-loadscope-reorder
SEEDED = tests/codec/test_equality.py tests/codec/test_engine.py tests/log/test_encode.py \
	tests/log/test_lines.py tests/tracing/test_propagation.py

acceptance:
	failed=0; \
	$(ACCEPTANCE) -m "acceptance and not alone" $(SHARED) || failed=1; \
	HYPOTHESIS_EXAMPLES=1000 $(ACCEPTANCE) $(SEEDED) -n $(shell nproc) || failed=1; \
	$(ACCEPTANCE) -m "acceptance and alone" tests/acceptance || failed=1; \
	exit $$failed

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
