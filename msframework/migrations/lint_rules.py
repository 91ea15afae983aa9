"""The rules of `migrate --lint`: which are reported, and their texts. Runs on the command line.

They have squawk's names, so that its documentation explains them (https://squawkhq.com/docs/rules).
A rule is quiet if the run or the operations already do what it asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class LintRule:
    """One rule, and the text of a finding.

    Args:
        kind: `lock` holds others up; `code` breaks the code that still runs (found by
            `lint_code` for operations, by squawk for SQL of an author's own); `operation` does so
            as well, and squawk, which cannot tell when, is not asked; `written` is told for SQL of
            an author's own only, in squawk's words; `quiet` is never told.
        text: what happens; of a quiet rule, why it is not told.
        advice: what to do instead.
    """

    kind: Literal["lock", "code", "operation", "quiet", "written"]
    text: str = ""
    advice: str = ""


_ONLINE: Final = "Set atomic = False in the file; the operation then "
_RUN: Final = "the run sets lock_timeout for what waits, and tries again"
_AGAIN: Final = "a migration is all or nothing, or continues where it was interrupted"
_MODELS: Final = "the models say which types the columns have"
_READERS: Final = "the code that runs goes on as before"

_ON_CONFLICT: Final = (
    "Two deploys: first the code without that ON CONFLICT, then this migration. If no statement "
    "has one, say so in allow."
)
_LOCKS: Final = {
    "adding-field-with-default": LintRule(
        "lock",
        "Every row is rewritten, while nobody can read or write the table.",
        f"{_ONLINE}adds the column empty and fills it in batches. A stored generated column has "
        "no such way: choose a quiet hour, and say so in allow.",
    ),
    "adding-foreign-key-constraint": LintRule(
        "lock",
        "All rows are checked, while nobody can write to either table.",
        f"{_ONLINE}adds it NOT VALID and checks the rows afterwards.",
    ),
    "adding-not-nullable-field": LintRule(
        "lock",
        "All rows are read, while nobody can read or write the table.",
        f"{_ONLINE}checks the rows before it sets NOT NULL.",
    ),
    "adding-serial-primary-key-field": LintRule(
        "lock",
        "The index of the key is built, while nobody can read or write the table.",
        f"{_ONLINE}builds the index CONCURRENTLY and makes the key of it.",
    ),
    "ban-concurrent-index-creation-in-transaction": LintRule(
        "lock",
        "CONCURRENTLY does not work in a transaction.",
        "Set atomic = False in the file.",
    ),
    "changing-column-type": LintRule(
        "lock",
        "The table or its indexes are rewritten, while nobody can read or write the table.",
        "Add a new column, have both written, fill it in batches; read it after one deploy, drop "
        "the old one after the next.",
    ),
    "constraint-missing-not-valid": LintRule(
        "lock",
        "All rows are checked, while nobody can write to the table, nor read it for a CHECK.",
        f"{_ONLINE}adds it NOT VALID and checks the rows afterwards. EXCLUDE has no such way: "
        "choose a quiet hour, and say so in allow.",
    ),
    "disallowed-unique-constraint": LintRule(
        "lock",
        "The index of the constraint is built, while nobody can read or write the table.",
        f"{_ONLINE}builds the index CONCURRENTLY and makes the constraint of it.",
    ),
    "require-concurrent-index-creation": LintRule(
        "lock",
        "The index is built while nobody can write to the table.",
        f"{_ONLINE}builds it CONCURRENTLY.",
    ),
    "require-concurrent-index-deletion": LintRule(
        "lock",
        "The index is dropped only when nobody uses the table, and all others wait behind that.",
        f"{_ONLINE}drops it CONCURRENTLY.",
    ),
    "require-concurrent-partition-detach": LintRule("written"),
    "require-concurrent-reindex": LintRule("written"),
}
_CODE: Final = {
    "adding-required-field": LintRule(
        "code",
        "The code that still runs knows no such column, so its INSERTs fail.",
        'Give the column a server default (constraints=[SQL("DEFAULT …")]) or allow NULL; take '
        "either back when that code is gone.",
    ),
    "ban-drop-column": LintRule(
        "code",
        "The code that still runs reads the column, so its statements fail.",
        "Two deploys: first the code without it (the column with NULL allowed, or a server "
        "default), then the migration that drops it.",
    ),
    "ban-drop-constraint": LintRule(
        "operation",
        "An INSERT of the code that still runs fails if it names this key after ON CONFLICT.",
        _ON_CONFLICT,
    ),
    "ban-drop-default": LintRule(
        "code",
        "The code that still runs leaves the value to the server, so its INSERTs fail.",
        "Two deploys: first the code that gives a value, then this migration.",
    ),
    "ban-drop-index": LintRule(
        "operation",
        "An INSERT of the code that still runs fails if it names the columns of this unique index "
        "after ON CONFLICT.",
        _ON_CONFLICT,
    ),
    "ban-drop-table": LintRule(
        "code",
        "The code that still runs reads the table, so its statements fail.",
        "Two deploys: first the code without it, then the migration that drops it.",
    ),
    "ban-new-write-restriction": LintRule(
        "code",
        "The code that still runs may write what is refused from now on.",
        "Two deploys: first the code that keeps to it, then this migration. If all of it does so "
        "already, say so in allow.",
    ),
    "renaming-column": LintRule(
        "code",
        "The code that still runs uses the old name, so its statements fail.",
        "Give the field its old name in the table (column_name=…); or add a column, have both "
        "written, and drop the old one two deploys later.",
    ),
    "renaming-table": LintRule(
        "code",
        "The code that still runs uses the old name, so its statements fail.",
        "Keep the name in the table (Meta.table_name, Meta.schema); or have both written, and drop "
        "the old one two deploys later.",
    ),
}
_WRITTEN: Final = """
    ban-add-composite-attribute ban-alter-database-options ban-alter-domain-with-add-constraint
    ban-alter-extension ban-alter-function-options ban-alter-generated-expression
    ban-alter-identity ban-alter-policy-condition ban-alter-policy-roles ban-alter-role-options
    ban-alter-row-level-security ban-alter-sequence-values ban-alter-system-options
    ban-alter-view-options ban-create-domain-with-constraint ban-detach-inheritance
    ban-disable-trigger ban-drop-database ban-drop-domain ban-drop-extension ban-drop-function
    ban-drop-generated-expression ban-drop-schema ban-drop-sequence ban-drop-trigger ban-drop-type
    ban-drop-view ban-replace-view-function ban-revoke ban-set-schema ban-truncate-cascade
    ban-uncommitted-transaction identifier-too-long renaming-object require-enum-value-ordering
    transaction-nesting syntax-error"""
_QUIET: Final = {
    "ban-add-column": _READERS,
    "ban-add-enum-value": "values are added before the code that writes them is deployed",
    "ban-char-field": _MODELS,
    "ban-create-policy": "the rights of roles are the author's own matter",
    "ban-drop-not-null": _READERS,
    "ban-drop-policy": "the rights of roles are the author's own matter",
    "ban-replica-identity": _READERS,
    "ban-set-default": _READERS,
    "prefer-bigint-over-int": _MODELS,
    "prefer-bigint-over-smallint": _MODELS,
    "prefer-identity": _MODELS,
    "prefer-repack": "pg_repack is an extension that few servers have",
    "prefer-robust-stmts": _AGAIN,
    "prefer-text-field": _MODELS,
    "prefer-timestamp-tz": _MODELS,
    "require-lock-timeout": _RUN,
    "require-statement-timeout": _RUN,
    "require-table-schema": "a name without a schema is found on the search path",
    "require-timeout-settings": _RUN,
    "unused-ignore": "findings are allowed in the file, by allow",
}

RULES: Final = {
    **_LOCKS,
    **_CODE,
    **{name: LintRule("written") for name in _WRITTEN.split()},
    **{name: LintRule("quiet", why) for name, why in _QUIET.items()},
}
# Rules that squawk looks at only when it is asked to.
INCLUDED: Final = ("ban-new-write-restriction",)
# A rule that says less than another one about the same operation.
WEAKER: Final = {
    "constraint-missing-not-valid": frozenset(
        (
            "adding-foreign-key-constraint",
            "adding-serial-primary-key-field",
            "disallowed-unique-constraint",
        )
    ),
}
