"""Django's operations of migrations beside ours; read by benchmarks.migrations_compared."""

# What does the same here. A text in parentheses says why there is no such operation.
OPERATIONS = {
    "CreateModel": "CreateTable",
    "DeleteModel": "DropTable",
    "RenameModel": "RenameTable, RenameConstraint, RenameIndex",
    "AlterModelTable": "RenameTable; another schema, too",
    "AlterModelTableComment": "CommentTable",
    "AlterUniqueTogether": "CreateIndex, DropIndex (unique); AddConstraint, DropConstraint",
    "AlterIndexTogether": "CreateIndex, DropIndex",
    "AlterOrderWithRespectTo": "AddColumn, DropColumn (peewee has no such option)",
    "AlterModelOptions": "(no part of the tables: nothing to migrate)",
    "AlterModelManagers": "(no part of the tables: nothing to migrate)",
    "AddField": "AddColumn(fill=…), AddConstraint",
    "RemoveField": "DropColumn(restore=…)",
    "AlterField": "AlterColumn(using=…, fill=…), AddConstraint, DropConstraint",
    "RenameField": "RenameColumn",
    "AddIndex": "CreateIndex",
    "RemoveIndex": "DropIndex",
    "RenameIndex": "RenameIndex",
    "AddConstraint": "AddConstraint",
    "RemoveConstraint": "DropConstraint",
    "AlterConstraint": "(what the code says of a constraint is no part of the tables)",
    "RunSQL": "Run(SQL, SQL)",
    "RunPython": "Run(function, function); up and down of a file",
    "SeparateDatabaseAndState": "`state` stands beside `operations`: either can change alone",
    "AddConstraintNotValid": "AddConstraint in a file with atomic = False",
    "ValidateConstraint": "AddConstraint in a file with atomic = False",
    "AddIndexConcurrently": "CreateIndex in a file with atomic = False",
    "RemoveIndexConcurrently": "DropIndex in a file with atomic = False",
    "CreateCollation": "Run(SQL, SQL)",
    "RemoveCollation": "Run(SQL, SQL)",
}
EXTENSION = "Run(SQL, SQL)"
# What has no counterpart in Django.
OURS_ALONE = {
    "RenameConstraint": "drop and add",
    "AlterColumn": "identity, serial, collation, generated: RunSQL for a part",
    "CreateEnum": "RunSQL",
    "AlterEnum": "RunSQL",
    "DropEnum": "RunSQL",
}
