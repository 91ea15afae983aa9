"""Addresses of databases: what is read from them, what is refused, and that nothing is told."""

import random
from urllib.parse import quote

import pytest

from msframework.conf.address import address_fault, read_address, replace_database
from msframework.conf.address_text import AddressFault


def read(text, **environ):
    return read_address(text, environ)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cr@et@db/name",
        "postgresql://u:s3cr/et@db/name",
        "postgresql://u:s3cr@et/s3cret@db/name",
        "postgresql://u:s3cr?et@db/name",
        "postgresql://u:s3cr#et@db/name",
        "postgresql://u:s3cr%et@db/name",
        "postgresql://u:s3cr et@db/name",
        "postgresql://u:s3cret@db/name\n",
        "postgresql://u:12/s3cret@db/name",
        "postgresql://u:p@1?s3cret=x@db/name",
        "postgresql://u:p@s3cr:et?x@db/name",
        "postgresql://s3cr@et:pw@db/name",
    ],
)
def test_a_login_that_is_not_encoded_is_explained_and_not_shown(url):
    fault = address_fault(url)

    assert "must be percent-encoded (@ as %40, / as %2F," in fault
    for part in ("s3cr", "et@", "u:"):
        assert part not in fault


@pytest.mark.parametrize(
    "url",
    [
        "u:s3cret@db/name",
        "postgresql://u:s3cret@[db/name",
        "postgresql://u:s3cret/name",
        "postgresql://h/n?password=a&s3cret",
        "postgresql://h/n?password=a&scret=b",
        "postgresql://u:s3cret@h/n?password=s3cret",
        "postgresql://u:%FFs3cret@h/n",
        "postgresql://u:s3cret%00@h/n",
        "postgresql://h/n?sslpassword=s3cret&sslpassword=s3cret",
        "postgresql://u:s3cret@h:70000/n",
    ],
)
def test_other_faults_show_nothing_of_it_either(url):
    fault = address_fault(url)

    assert fault is not None
    assert "cret" not in fault


def test_a_password_is_read_whole_or_no_part_of_it_is_told():
    source = random.Random(19)
    chosen = "@#/?%& =:,;[]()+é'\"\\$~"
    for number in range(2000):
        signs = ["".join(source.choices(chosen, k=source.randint(0, 2))) for _ in range(3)]
        word = f"{signs[0]}m4rk{number}{signs[1]}m4rk{signs[2]}"
        exact = read(f"postgresql://{quote(word, safe='')}:{quote(word, safe='')}@h:1/n")
        assert (exact.user, exact.password) == (word, word)
        assert "m4rk" not in f"{exact!r} {exact} {exact.place}"
        for text in (f"postgresql://u:{word}@h:1/n", f"postgresql://{word}:p@h:1/n?sslmode=x"):
            try:
                loose = read(text)
            except AddressFault as exc:
                told = f"{exc!r} {exc} {exc.text} {exc.__cause__} {exc.__context__}"
            else:
                assert "m4rk" in f"{loose.user} {loose.password}"
                told = f"{loose!r} {loose.place}"
            assert "m4rk" not in told


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://u:p%40ss@db/name", "db:5432, database 'name'"),
        ("postgresql://u@db:6432/name?application_name=a@b", "db:6432, database 'name'"),
        ("postgresql:///name?host=/run/pg", "/run/pg, database 'name'"),
        ("postgresql://%2Frun%2Fpg/name", "/run/pg, database 'name'"),
        ("postgresql://u:p@[::1]/", "::1:5432, database 'u'"),
        ("postgresql://u@[127.0.0.1]:7/n%20m", "127.0.0.1:7, database 'n m'"),
        ("postgres://u@", "localhost:5432, database 'u'"),
        ("postgres://u@a:1,[::2]:2,c/n", "a:1, ::2:2, c:5432, database 'n'"),
        ("postgres://u@/n?host=a,b&port=1,2", "a:1, b:2, database 'n'"),
        ("postgres://u@a,b/n?port=7", "a:7, b:7, database 'n'"),
        ("postgres://u@/?hostaddr=10.0.0.1&database=n", "10.0.0.1:5432, database 'n'"),
    ],
)
def test_what_is_right_is_taken_and_its_place_is_told(url, place):
    assert read(url).place == place


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("conect_timeout=1", "unknown parameter conect_timeout; expected one of application_name"),
        ("conect_timeout=1", "Did you mean connect_timeout?"),
        ("work_mem=1", "options=-c%20name%3Dvalue"),
        ("sslsni=0", "libpq knows it and asyncpg has no equal"),
        ("connect_timeout=0", "connect_timeout; expected a whole number of at least 1"),
        ("keepalives_idle=-1", "keepalives_idle; expected a whole number of at least 0"),
        ("sslmode=on", "sslmode; expected one of disable, allow"),
        ("gssencmode=require", "gssencmode; expected one of disable, prefer"),
        ("channel_binding=require", "sslmode=verify-full&sslrootcert=system"),
        ("sslrootcert=system&sslmode=require", "verify-full beside sslrootcert=system"),
        ("sslnegotiation=direct", "an sslmode of require or more"),
        ("sslmode=verify-full&hostaddr=10.0.0.1", "leave hostaddr out"),
        ("options=-W", "-c name=value for each of them"),
        ("host=b", "says host twice"),
        ("port=1,2", "has 1 hosts and 2 ports"),
        ("hostaddr=1.1.1.1,2.2.2.2", "and 2 of hostaddr"),
        ("sslmode", "the 1. behind the ?"),
        ("service=none&servicefile=/nowhere", "names a service that /nowhere does not have"),
    ],
)
def test_what_a_driver_would_not_follow_is_refused_by_name(query, said):
    with pytest.raises(AddressFault) as caught:
        read(f"postgresql://u@a/n?{query}")

    assert said in str(caught.value)


def test_neither_unknown_parameters_nor_twins_hide_in_the_settings():
    assert read("postgresql://u@a/n?sslrootcert=system").values["sslmode"] == "verify-full"
    assert read("postgresql://u@a/n?sslmode=verify-full&channel_binding=require")


def test_options_are_settings_of_the_session():
    address = read(
        r"postgresql://u@a/n?options=-c%20a.b%3Dx%5C%20y%20--work-mem=1MB%20-cjit=off&search_path=s"
    )

    assert address.session == {"a.b": "x y", "work_mem": "1MB", "jit": "off", "search_path": "s"}


def test_variables_stand_in_for_what_is_left_out():
    around = {"PGUSER": "ann", "PGPASSWORD": "s3cret", "PGPORT": "7", "PGSSLMODE": "require"}
    address = read("postgresql://db/n", **around, PGHOST="x", PGAPPNAME="app")

    assert (address.place, address.user, address.password) == (
        "db:7, database 'n'",
        "ann",
        "s3cret",
    )
    assert (address.values["sslmode"], address.session) == ("require", {"application_name": "app"})
    assert read("postgresql://u@db:1/n?sslmode=disable", **around).values["sslmode"] == "disable"
    assert read("postgresql://", **around, PGHOST="/run/x").place == "/run/x, database 'ann'"


def test_a_variable_that_is_wrong_is_named():
    with pytest.raises(AddressFault, match="PGSSLMODE from the environment; expected one of"):
        read("postgresql://h", PGSSLMODE="on")
    with pytest.raises(AddressFault, match="PGHOSTADDR is in the environment"):
        read("postgresql://h", PGHOSTADDR="10.0.0.1")


def test_a_service_is_read_between_the_address_and_the_environment(tmp_path):
    path = tmp_path / "services"
    path.write_text("# ours\n[a]\nhost=x\n[b]\nhost=y\nport=8\npassword=p%40=s\nuser=ann\n\n[c]\n")

    address = read("postgresql://bob@/n?service=b", PGSERVICEFILE=str(path), PGPORT="9")

    assert (address.place, address.user) == ("y:8, database 'n'", "bob")
    assert address.password == "p%40=s"
    (tmp_path / ".pg_service.conf").write_text("[b]\nhost=home\ns3cret x=1\n")
    with pytest.raises(AddressFault, match=r"pg_service.conf has a line 3") as caught:
        read("postgresql://", PGSERVICE="b", HOME=str(tmp_path))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("postgresql://u:p@h:1/a%20b?sslmode=x", "postgresql://u:p@h:1/n?sslmode=x"),
        ("postgresql://u@h", "postgresql://u@h/n"),
        ("postgresql://?host=/run&dbname=b", "postgresql:///n?host=/run"),
        ("postgresql://a:1,b:2/x", "postgresql://a:1,b:2/n"),
        ("postgresql://", "postgresql:///n"),
    ],
)
def test_the_name_in_an_address_is_replaced(url, other):
    assert replace_database(url, "n") == other
