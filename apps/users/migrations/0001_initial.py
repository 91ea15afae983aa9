"""Create table users."""

from msframework.migrations import Column, Constraint, CreateTable, Index, Table

operations = (
    CreateTable(
        Table(
            "users",
            (
                Column("id", "integer", serial=True),
                Column("name", "varchar(128)"),
                Column("email", "varchar(128)"),
                Column("age", "integer"),
                Column("city_id", "integer"),
                Column("role_id", "integer"),
                Column("password", "varchar(128)"),
                Column(
                    "create_time", "timestamptz", client_default="msframework.models.base.utcnow"
                ),
            ),
            constraints=(Constraint("users_pkey", "PRIMARY KEY (id)"),),
            indexes=(Index("users_email", ("email",), unique=True),),
        )
    ),
)

state = (
    Table(
        "users",
        (
            Column("id", "integer", serial=True),
            Column("name", "varchar(128)"),
            Column("email", "varchar(128)"),
            Column("age", "integer"),
            Column("city_id", "integer"),
            Column("role_id", "integer"),
            Column("password", "varchar(128)"),
            Column("create_time", "timestamptz", client_default="msframework.models.base.utcnow"),
        ),
        constraints=(Constraint("users_pkey", "PRIMARY KEY (id)"),),
        indexes=(Index("users_email", ("email",), unique=True),),
    ),
)
