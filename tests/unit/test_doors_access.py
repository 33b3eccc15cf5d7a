"""roles.yaml: what it may say, whom it lets see what, and the statements that follow."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from tieout.doors.access import (
    Access,
    AccessError,
    Column,
    KnownRoles,
    Table,
    load_access,
    policy,
    publish_view_ddl,
    role_ddl,
    scram_verifier,
    swap_ddl,
    view_ddl,
)

SHIPPED = Path(__file__).parents[2] / "dbt_project" / "access" / "roles.yaml"

ORDERS = Table(
    "marts",
    "fct_sales_order_line",
    (
        Column("order_line_key", "text", "L1"),
        Column("region_code", "text", "L2"),
        Column("margin_cny", "numeric(18,4)", "L3"),
    ),
    'tieout_data."orders 1"',
)
DATES = Table("marts", "dim_date", (Column("date_day", "date", "L1"),), 'tieout_data."dates 1"')
LEDGER = Table(
    "marts", "fct_ledger_entry_line", (Column("debit", "numeric(18,2)", "L2"),), 'tieout_data."gl 1"'
)
TABLES = [ORDERS, DATES, LEDGER]


def access(**roles: dict) -> Access:
    title = {"zh": "角色", "en": "Role"}
    return Access.model_validate(
        {
            "roles": {name: {"title": title, **role} for name, role in roles.items()},
            "logins": {f"{name}_login": name for name in roles},
        }
    )


def statements(given: Access, *tables: Table) -> str:
    return "\n".join(view_ddl(given, tables, policy(given, tables), {}))


def test_the_shipped_roles_keep_sales_away_from_the_books_and_from_people():
    shipped = load_access(SHIPPED)
    names = [
        "fct_sales_order_line",
        "fct_ledger_entry_line",
        "fct_timesheet_line",
        "dim_employee",
        "dim_customer",
    ]
    tables = [Table("marts", name, (Column("a_key", "text", "L1"),)) for name in names]

    seen = {
        role: {grant.table for grant in policy(shipped, tables).grants if grant.role == role}
        for role in shipped.roles
    }

    assert seen["sales_reader"] == {"marts.fct_sales_order_line", "marts.dim_customer"}
    assert "marts.fct_ledger_entry_line" in seen["finance_reader"]
    assert not seen["finance_reader"] & {"marts.fct_timesheet_line", "marts.dim_employee"}
    assert seen["analyst"] == {table.full_name for table in tables}
    assert set(shipped.logins.values()) == set(shipped.roles), "every role can be tried out"


def test_an_unknown_word_in_roles_yaml_is_refused_by_name(tmp_path):
    file = tmp_path / "roles.yaml"
    file.write_text(SHIPPED.read_text().replace("clearance: L3", "clearence: L3"))

    with pytest.raises(AccessError, match=r"roles\.hr_reader\.clearence: Extra inputs"):
        load_access(file)


@pytest.mark.parametrize(
    ("login", "role", "complaint"),
    [
        ("li", "anlyst", "there is no role"),
        ("postgres", "analyst", "belongs to PostgreSQL"),
        ("pg_monitor", "analyst", "belongs to PostgreSQL"),
        ("tieout_owner", "analyst", "belongs to PostgreSQL"),
        ("tieout_role_analyst", "analyst", "belongs to PostgreSQL"),
        ('x"; drop role y; --', "analyst", "String should match"),
    ],
)
def test_a_login_that_cannot_be_is_refused(login, role, complaint):
    given = access(analyst={"reads": ["marts.*"], "clearance": "L2"}).model_dump() | {"logins": {login: role}}

    with pytest.raises(ValueError, match=complaint):
        Access.model_validate(given)


def test_nothing_outside_marts_and_metrics_can_be_named():
    with pytest.raises(ValueError, match="String should match"):
        access(analyst={"reads": ["raw_hr.*"], "clearance": "L4"})


def test_a_column_above_a_clearance_is_null_for_that_role_and_plain_when_all_are_cleared():
    both = access(
        analyst={"reads": ["marts.*"], "clearance": "L2"}, boss={"reads": ["marts.*"], "clearance": "L3"}
    )
    boss = access(boss={"reads": ["marts.*"], "clearance": "L3"})
    analyst = access(analyst={"reads": ["marts.*"], "clearance": "L2"})

    assert '>= 3 then t."margin_cny" end as numeric(18,4)) as "margin_cny"' in statements(both, ORDERS)
    assert 't."margin_cny"\n' in statements(boss, ORDERS)
    assert 'cast(null as numeric(18,4)) as "margin_cny"' in statements(analyst, ORDERS)
    assert 't."region_code"' in statements(both, ORDERS)


def test_a_column_nobody_classified_has_the_class_roles_yaml_says():
    assert Access.model_validate({"roles": {}, "logins": {}}).unclassified == "L2"


def test_a_table_that_cannot_be_filtered_is_denied_unless_it_is_named_as_unfiltered():
    east = {"reads": ["marts.*"], "clearance": "L2", "rows": {"region_code": ["EAST"]}}

    strict = policy(access(east=east), TABLES)
    eased = policy(access(east={**east, "unfiltered": ["marts.dim_date"]}), TABLES)

    assert {grant.table for grant in strict.grants} == {"marts.fct_sales_order_line"}
    assert ("east", "marts.dim_date", "has no column region_code to filter by") in strict.denied
    assert {grant.table for grant in eased.grants} == {"marts.fct_sales_order_line", "marts.dim_date"}


def test_row_rules_go_by_the_login_and_close_for_everybody_else():
    given = access(
        east={"reads": ["marts.fct_*"], "clearance": "L3", "rows": {"region_code": ["EAST", "O'HARE"]}},
        boss={"reads": ["marts.*"], "clearance": "L3"},
    )

    view = statements(given, ORDERS)

    assert "security_barrier = true" in view
    assert "case (select login.role from tieout_access.login where login.login = session_user)" in view
    assert (
        """when 'east' then t."region_code" in ('EAST', 'O''HARE') when 'boss' then true else false end"""
        in view
    )
    assert "current_user" not in view, "SET ROLE must not change what is seen"


def test_a_table_without_row_rules_is_not_burdened_with_a_barrier():
    assert "security_barrier" not in statements(access(a={"reads": ["marts.*"], "clearance": "L3"}), ORDERS)


def test_only_the_roles_that_may_read_get_a_grant():
    given = access(
        sales={"reads": ["marts.fct_sales_*"], "clearance": "L2"},
        all={"reads": ["marts.*"], "clearance": "L2"},
    )

    grants = [line for line in statements(given, *TABLES).splitlines() if line.startswith("grant")]

    assert grants == [
        'grant select on "marts__build"."fct_sales_order_line" to "tieout_role_sales"',
        'grant select on "marts__build"."fct_sales_order_line" to "tieout_role_all"',
        'grant select on "marts__build"."dim_date" to "tieout_role_all"',
        'grant select on "marts__build"."fct_ledger_entry_line" to "tieout_role_all"',
    ]


def test_a_pattern_that_fits_no_table_is_reported_and_is_no_error():
    decided = policy(access(a={"reads": ["marts.dim_date", "marts.fct_payroll"], "clearance": "L2"}), TABLES)

    assert decided.unused == (("a", "marts.fct_payroll"),)


def test_comments_are_quoted():
    given = access(a={"reads": ["marts.*"], "clearance": "L2"})

    said = view_ddl(
        given, [DATES], policy(given, [DATES]), {"marts.dim_date.date_day": "日期 / the company's day"}
    )

    assert """comment on column "marts__build"."dim_date"."date_day" is '日期 / the company''s day'""" in said


NOBODY = KnownRoles(frozenset(), {}, frozenset())


def roles(given: Access, known: KnownRoles = NOBODY, version: int = 180000, **verifiers: str) -> list[str]:
    return role_ddl(given, known, database="tieout", server_version=version, verifiers=verifiers)


def test_a_role_of_somebody_else_is_not_taken_over():
    given = access(a={"reads": ["marts.*"], "clearance": "L2"})

    with pytest.raises(
        AccessError, match="a_login: PostgreSQL has a role of this name that Tieout did not make"
    ):
        roles(given, KnownRoles(frozenset({"a_login"}), {}, frozenset()))


def test_a_login_that_left_roles_yaml_is_disabled_and_loses_its_group():
    given = access(a={"reads": ["marts.*"], "clearance": "L2"})
    known = KnownRoles(
        frozenset({"a_login", "li", "tieout_role_a"}),
        {"a_login": "Tieout login: a", "li": "Tieout login: a", "tieout_role_a": "Tieout role: x"},
        frozenset({("tieout_role_a", "a_login"), ("tieout_role_a", "li")}),
    )

    said = roles(given, known)

    assert 'alter role "li" nologin password null' in said
    assert 'revoke "tieout_role_a" from "li"' in said
    assert not any('from "a_login"' in statement for statement in said)


def test_settings_a_server_does_not_know_are_left_out():
    given = access(a={"reads": ["marts.*"], "clearance": "L2"})

    assert not any(
        "transaction_timeout =" in line and "idle" not in line for line in roles(given, version=150000)
    )
    assert 'grant "tieout_role_a" to "a_login"' in roles(given, version=150000)
    assert 'grant "tieout_role_a" to "a_login" with inherit true, set false' in roles(given)
    assert """alter role "a_login" set transaction_timeout = '15min'""" in roles(given)


def test_a_password_is_never_in_a_statement():
    given = access(a={"reads": ["marts.*"], "clearance": "L2"})
    verifier = scram_verifier("geheim", b"0123456789abcdef")

    said = "\n".join(roles(given, a_login=verifier))

    assert verifier in said
    assert "geheim" not in said


def test_the_scram_verifier_is_the_one_of_the_rfc():
    """RFC 7677 section 3: password pencil; its example exchange is verified with our stored and server key."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    exchange = (
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )

    keys = scram_verifier("pencil", salt).split("$")[2]
    stored, server = (base64.b64decode(part) for part in keys.split(":"))

    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    client = bytes(a ^ b for a, b in zip(proof, hmac.digest(stored, exchange, "sha256"), strict=True))
    assert hashlib.sha256(client).digest() == stored
    assert (
        base64.b64encode(hmac.digest(server, exchange, "sha256"))
        == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    )


def test_the_switch_blinds_the_old_schemas_and_opens_the_new():
    said = swap_ddl(["marts"], ["tieout_role_a"], ["a"], "7")

    assert said == [
        'revoke all on schema "marts" from "tieout_role_a"',
        'alter schema "marts" rename to "marts__old_7"',
        'alter schema "marts__build" rename to "marts"',
        'grant usage on schema "marts" to "tieout_role_a"',
        'alter schema "metrics__build" rename to "metrics"',
        'grant usage on schema "metrics" to "tieout_role_a"',
    ]


def test_every_schema_says_which_publish_it_is():
    said = "\n".join(publish_view_ddl(["a"], {"publish_id": ("text", "P1"), "cut_off": ("text", None)}, {}))

    for schema in ("marts", "metrics"):
        assert f'create view "{schema}__build"."publish"' in said
        assert f'grant select on "{schema}__build"."publish" to "tieout_role_a"' in said
    assert """cast('P1' as text) as "publish_id",\n    cast(null as text) as "cut_off\"""" in said
