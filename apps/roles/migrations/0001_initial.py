"""Create table roles."""

from msframework.migrations import Column, Constraint, CreateTable, Index, Table

operations = (
    CreateTable(
        Table(
            "roles",
            (
                Column("id", "integer", serial=True),
                Column("name", "varchar(128)"),
                Column("description", "text", null=True),
                Column(
                    "create_time", "timestamptz", client_default="msframework.models.base.utcnow"
                ),
            ),
            constraints=(Constraint("roles_pkey", "PRIMARY KEY (id)"),),
            indexes=(Index("roles_name", ("name",), unique=True),),
        )
    ),
)

state = (
    Table(
        "roles",
        (
            Column("id", "integer", serial=True),
            Column("name", "varchar(128)"),
            Column("description", "text", null=True),
            Column("create_time", "timestamptz", client_default="msframework.models.base.utcnow"),
        ),
        constraints=(Constraint("roles_pkey", "PRIMARY KEY (id)"),),
        indexes=(Index("roles_name", ("name",), unique=True),),
    ),
)
