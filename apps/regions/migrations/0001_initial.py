"""Create table provinces; create table cities."""

from msframework.migrations import Column, Constraint, CreateTable, ForeignKey, Index, Table

operations = (
    CreateTable(
        Table(
            "provinces",
            (
                Column("id", "integer", serial=True),
                Column("name", "varchar(32)"),
                Column(
                    "create_time", "timestamptz", client_default="msframework.models.base.utcnow"
                ),
            ),
            constraints=(Constraint("provinces_pkey", "PRIMARY KEY (id)"),),
            indexes=(Index("provinces_name", ("name",), unique=True),),
        )
    ),
    CreateTable(
        Table(
            "cities",
            (
                Column("id", "integer", serial=True),
                Column("name", "varchar(32)"),
                Column("province_id", "integer"),
                Column(
                    "create_time", "timestamptz", client_default="msframework.models.base.utcnow"
                ),
            ),
            constraints=(
                Constraint("cities_pkey", "PRIMARY KEY (id)"),
                ForeignKey("cities_province_id_fkey", ("province_id",), "provinces", ("id",)),
            ),
            indexes=(
                Index("cities_province_id", ("province_id",)),
                Index("cities_province_id_name", ("province_id", "name"), unique=True),
            ),
        )
    ),
)

state = (
    Table(
        "provinces",
        (
            Column("id", "integer", serial=True),
            Column("name", "varchar(32)"),
            Column("create_time", "timestamptz", client_default="msframework.models.base.utcnow"),
        ),
        constraints=(Constraint("provinces_pkey", "PRIMARY KEY (id)"),),
        indexes=(Index("provinces_name", ("name",), unique=True),),
    ),
    Table(
        "cities",
        (
            Column("id", "integer", serial=True),
            Column("name", "varchar(32)"),
            Column("province_id", "integer"),
            Column("create_time", "timestamptz", client_default="msframework.models.base.utcnow"),
        ),
        constraints=(
            Constraint("cities_pkey", "PRIMARY KEY (id)"),
            ForeignKey("cities_province_id_fkey", ("province_id",), "provinces", ("id",)),
        ),
        indexes=(
            Index("cities_province_id", ("province_id",)),
            Index("cities_province_id_name", ("province_id", "name"), unique=True),
        ),
    ),
)
