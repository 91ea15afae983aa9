"""Create table accounts; create table sessions."""

from msframework.migrations import Column, Constraint, CreateTable, ForeignKey, Index, Table

operations = (
    CreateTable(
        Table(
            "accounts",
            (
                Column("id", "integer", serial=True),
                Column("email", "varchar(128)"),
                Column("password", "varchar(255)"),
                Column("scopes", "text", client_default="''"),
                Column(
                    "create_time", "timestamptz", client_default="msframework.models.base.utcnow"
                ),
            ),
            constraints=(Constraint("accounts_pkey", "PRIMARY KEY (id)"),),
            indexes=(Index("accounts_email", ("email",), unique=True),),
        )
    ),
    CreateTable(
        Table(
            "sessions",
            (
                Column("id", "uuid"),
                Column("account_id", "integer"),
                Column("digest", "char(64)", null=True),
                Column("expire_time", "timestamptz"),
            ),
            constraints=(
                Constraint("sessions_pkey", "PRIMARY KEY (id)"),
                ForeignKey(
                    "sessions_account_id_fkey",
                    ("account_id",),
                    "accounts",
                    ("id",),
                    on_delete="CASCADE",
                ),
            ),
            indexes=(Index("sessions_account_id", ("account_id",)),),
        )
    ),
)

state = (
    Table(
        "accounts",
        (
            Column("id", "integer", serial=True),
            Column("email", "varchar(128)"),
            Column("password", "varchar(255)"),
            Column("scopes", "text", client_default="''"),
            Column("create_time", "timestamptz", client_default="msframework.models.base.utcnow"),
        ),
        constraints=(Constraint("accounts_pkey", "PRIMARY KEY (id)"),),
        indexes=(Index("accounts_email", ("email",), unique=True),),
    ),
    Table(
        "sessions",
        (
            Column("id", "uuid"),
            Column("account_id", "integer"),
            Column("digest", "char(64)", null=True),
            Column("expire_time", "timestamptz"),
        ),
        constraints=(
            Constraint("sessions_pkey", "PRIMARY KEY (id)"),
            ForeignKey(
                "sessions_account_id_fkey",
                ("account_id",),
                "accounts",
                ("id",),
                on_delete="CASCADE",
            ),
        ),
        indexes=(Index("sessions_account_id", ("account_id",)),),
    ),
)
