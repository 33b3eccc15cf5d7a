"""Pages of every kind arrive whole; what cannot be whole is refused, and nothing of it lands."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest

from tests.http_server import Puller, Reply, http_source, running

SIZE = 10
PARAMS = {
    "page": {"page": "{page}", "size": "{size}"},
    "offset": {"skip": "{offset}", "top": "{size}"},
    "cursor": {"token": "{cursor}", "size": "{size}"},
    "next_link": {"size": "{size}"},
    "keyset": {"after": "{cursor}", "size": "{size}"},
}
PAGING = {
    "page": {"kind": "page", "size": SIZE},
    "offset": {"kind": "offset", "size": SIZE},
    "cursor": {"kind": "cursor", "size": SIZE, "next": "data.next"},
    "next_link": {"kind": "next_link", "size": SIZE, "next": "data.link"},
    "keyset": {"kind": "keyset", "size": SIZE, "by": "id"},
}


@pytest.fixture
def system():
    with running() as made:
        yield made


def store(count):
    return [
        {"id": number, "name": f"客户 {number}", "amount": Decimal("10.05") * number}
        for number in range(1, count + 1)
    ]


def paged(rows, kind, *, total=False, most=SIZE):
    """An endpoint that gives `rows` in pages of a kind; `most` caps what it gives at once, whatever is asked for."""

    def answer(asked):
        size = min(int(asked.params.get("size") or asked.params.get("top") or SIZE), most)
        if kind == "page":
            start = (int(asked.params["page"]) - 1) * size
        elif kind == "offset":
            start = int(asked.params["skip"])
        elif kind == "keyset":
            after = int(asked.params.get("after", 0))
            start = next((place for place, row in enumerate(rows) if row["id"] > after), len(rows))
        else:
            start = int(asked.params.get("token", 0))
        data = {"items": rows[start : start + size]}
        if start + size < len(rows):
            data |= {"next": str(start + size), "link": f"customers?token={start + size}&size={size}"}
        return {"code": 0, "data": data | ({"total": len(rows)} if total else {})}

    return answer


def customers(kind, **request):
    return {
        "customer": {
            "from": "/customers",
            "key": ["id"],
            "columns": {"id": "bigint", "name": "text", "amount": "decimal(18, 2)"},
            "request": {"params": PARAMS[kind], "paging": PAGING[kind], "records": "data.items", **request},
        }
    }


def expected(rows):
    return [(row["id"], row["name"], Decimal(row["amount"])) for row in rows]


def landed(puller):
    return [(int(row["id"]), row["name"], Decimal(row["amount"])) for row in puller.rows("customer")]


@pytest.mark.parametrize("kind", list(PARAMS))
@pytest.mark.parametrize("count", [0, 1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE])
def test_every_kind_of_paging_lands_what_the_system_holds(system, tmp_path, kind, count):
    rows = store(count)
    system.on("/api/customers", paged(rows, kind))
    streams = customers(kind)
    streams["customer"]["allow_empty"] = True
    puller = Puller(http_source(system.url, streams), tmp_path)

    assert puller.pull()["customer"].error is None
    assert landed(puller) == expected(rows)


@pytest.mark.parametrize("kind", ["offset", "keyset", "cursor", "next_link"])
def test_a_page_shorter_than_asked_is_not_the_end(system, tmp_path, kind):
    rows = store(35)
    system.on("/api/customers", paged(rows, kind, most=4))
    puller = Puller(http_source(system.url, customers(kind)), tmp_path)

    puller.pull()
    assert landed(puller) == expected(rows)


@pytest.mark.parametrize("maximum", [1, 4, 40])
def test_the_last_page_is_read_whatever_the_number_of_pages(system, tmp_path, maximum):
    rows = store(maximum * SIZE)

    def answer(asked):
        body = paged(rows, "page")(asked)
        assert int(asked.params["page"]) <= maximum, "asked beyond the last page"
        body["data"]["pages"] = maximum
        return body

    system.on("/api/customers", answer)
    paging = {**PAGING["page"], "count": "data.pages"}
    puller = Puller(http_source(system.url, customers("page", paging=paging)), tmp_path)

    puller.pull()
    assert landed(puller) == expected(rows)
    assert len(system.log) == maximum


def test_numbers_keep_their_digits_and_structures_become_json(system, tmp_path):
    row = {
        "id": 1234567890123456789,
        "exact": Decimal("12345678901234567890.12"),
        "tenth": Decimal("0.1"),
        "huge": Decimal("123456789012345678901234567890123456"),
        "small": Decimal("-0.00000000000000000012345"),
        "yes": True,
        "none": None,
        "text": '换行\n"引号" 12345678901234567890.12',
        "shape": {"城市": "上海", "list": [1, {"deep": Decimal("9876543210987654321.5")}]},
    }
    system.on("/api/things", lambda asked: [row, {"id": 2}])
    columns = {
        "id": "bigint", "exact": "decimal(38, 2)", "tenth": "decimal(38, 2)", "huge": "decimal(38, 0)", "small": "text",
        "yes": "boolean", "none": "text", "text": "text", "shape": "text",
        "city": {"type": "text", "from": "shape.城市"},
        "deep": {"type": "text", "from": "shape.list.1.deep"},
    }  # fmt: skip
    streams = {"thing": {"from": "/things", "key": ["id"], "columns": columns, "request": {}}}
    puller = Puller(http_source(system.url, streams), tmp_path)

    puller.pull()
    first, second = puller.rows("thing")
    assert first["id"] == "1234567890123456789"
    assert first["exact"] == "12345678901234567890.12"
    assert first["tenth"] == "0.1"
    assert first["huge"] == "123456789012345678901234567890123456"
    assert Decimal(first["small"]) == row["small"]
    assert (first["yes"], first["none"]) == ("true", None)
    assert first["text"] == row["text"]
    assert first["shape.城市"] == "上海"
    assert first["shape.list.1.deep"] == "9876543210987654321.5"
    assert first["shape"].startswith('{"城市":"上海","list":[1,')
    assert second == {name: "2" if name == "id" else None for name in first}


def test_pages_are_kept_as_received_and_read_by_duckdb(system, tmp_path):
    rows = store(25)
    system.on("/api/customers", paged(rows, "page"))
    puller = Puller(http_source(system.url, customers("page")), tmp_path)

    (manifest,) = puller.pull()["customer"].landed
    pages = sorted(puller.landing.folder(manifest).glob("page-*.json.zst"))
    assert [page.name for page in pages] == [f"page-{number:05d}.json.zst" for number in (1, 2, 3, 4)]
    found = duckdb.sql(f"select unnest(data.items).name from read_json('{pages[2]}')").fetchall()
    assert found == [(row["name"],) for row in rows[20:25]]
    assert manifest.declared == {"id": "number", "name": "string", "amount": "number"}
    assert manifest.requests["calls"] == 4


def test_rows_in_rows_are_streams_of_their_own_out_of_one_request(system, tmp_path):
    orders = [
        {
            "no": f"SO-{number}",
            "lines": {"results": [{"line": line, "qty": number * line} for line in range(1, number % 4 + 1)]},
        }
        for number in range(1, 20)
    ]
    system.on("/api/orders", lambda asked: {"d": {"results": orders}})
    streams = {
        "order": {
            "from": "/orders",
            "key": ["no"],
            "columns": {"no": "text"},
            "request": {"records": "d.results"},
        },
        "line": {
            "from": "/orders",
            "key": ["no", "line"],
            "columns": {"no": {"type": "text", "from": "parent.no"}, "line": "integer", "qty": "integer"},
            "request": {"parent": "order", "records": "lines.results"},
        },
    }
    puller = Puller(http_source(system.url, streams), tmp_path)

    puller.pull()
    assert len(system.log) == 1
    assert [(row["parent.no"], int(row["line"]), int(row["qty"])) for row in puller.rows("line")] == [
        (order["no"], line["line"], line["qty"]) for order in orders for line in order["lines"]["results"]
    ]
    assert puller.landing.latest("shop", "order").declared == {"no": "string"}
    assert puller.pull(streams=frozenset({"line"}))["line"].error is None


def test_lists_of_values_take_their_names_from_the_contract(system, tmp_path):
    system.on(
        "/api/bills",
        lambda asked: [[number, f"BILL{number}"] for number in range(asked.body["data"]["StartRow"], 5)][:2],
    )
    request = {
        "method": "post",
        "body": {"data": {"StartRow": "{offset}", "Limit": "{size}"}},
        "paging": {"kind": "offset", "size": 2},
        "fields": ["FID", "FSupplier.FNumber"],
    }
    columns = {
        "id": {"type": "bigint", "from": "FID"},
        "supplier": {"type": "text", "from": "FSupplier.FNumber"},
    }
    streams = {"bill": {"from": "/bills", "key": ["id"], "columns": columns, "request": request}}
    puller = Puller(http_source(system.url, streams), tmp_path)

    puller.pull()
    assert puller.rows("bill") == [{"FID": str(n), "FSupplier.FNumber": f"BILL{n}"} for n in range(5)]
    assert system.log[1].body == {"data": {"StartRow": 2, "Limit": 2}}  # numbers are sent as numbers


def test_xml_is_read_like_json(system, tmp_path):
    body = """<?xml version="1.0" encoding="GB18030"?>
      <o:answer xmlns:o="urn:x"><total>2</total>
        <o:order id="7"><name>华东五金</name><line><no>1</no></line></o:order>
        <o:order id="8"><name>江苏 &amp; 上海</name><line><no>1</no></line><line><no>2</no></line></o:order>
      </o:answer>""".encode("gb18030")
    system.on("/api/orders", lambda asked: Reply(body=body, headers={"Content-Type": "text/xml"}))
    streams = {
        "order": {
            "from": "/orders", "key": ["id"], "request": {"records": "order", "total": "total"},
            "columns": {"id": {"type": "bigint", "from": "@id"}, "name": "text"},
        },
        "line": {
            "from": "/orders", "key": ["id", "line"], "request": {"parent": "order", "records": "line"},
            "columns": {"id": {"type": "bigint", "from": "parent.@id"}, "line": {"type": "integer", "from": "no"}},
        },
    }  # fmt: skip
    puller = Puller(http_source(system.url, streams, http={"format": "xml"}), tmp_path)

    puller.pull()
    assert puller.rows("order") == [{"@id": "7", "name": "华东五金"}, {"@id": "8", "name": "江苏 & 上海"}]
    assert [(row["parent.@id"], row["no"]) for row in puller.rows("line")] == [
        ("7", "1"),
        ("8", "1"),
        ("8", "2"),
    ]


def test_numbers_since_1970_become_instants_in_columns_of_a_time(system, tmp_path):
    rows = [
        {"id": 1, "at": "/Date(1767571200000+0000)/", "day": 1767571200000},
        {"id": 2, "at": 1767571200123, "day": "1767571200000"},
        {"id": 3, "at": "2026-01-05T08:00:00+08:00", "day": None},
        {"id": 4, "at": "soon", "day": "2026-01-05"},
    ]
    system.on("/api/things", lambda asked: rows)
    columns = {"id": "bigint", "at": "timestamptz", "day": "date"}
    request = {"times": {"numbers": "ms"}}
    streams = {"thing": {"from": "/things", "key": ["id"], "columns": columns, "request": request}}
    puller = Puller(http_source(system.url, streams), tmp_path)

    puller.pull()
    got = duckdb.sql(
        f'select timezone(\'UTC\', try_cast("at" as timestamptz)), try_cast(day as date)::text, "at"'
        f" from read_parquet('{puller.landing.data_file(puller.landing.latest('shop', 'thing'))}') order by _row"
    ).fetchall()
    # 1767571200 is midnight UTC of 5 January 2026: 08:00 in Shanghai, the same day there.
    assert [str(row[0]) for row in got] == [
        "2026-01-05 00:00:00",
        "2026-01-05 00:00:00.123000",
        "2026-01-05 00:00:00",
        "None",
    ]
    assert [row[1] for row in got] == ["2026-01-05", "2026-01-05", None, "2026-01-05"]
    assert got[3][2] == "soon"  # left as it came, for quarantine to show


# --- nothing lost ---------------------------------------------------------------------------------


def moving(rows, kind, moves):
    """An endpoint whose rows change before the given requests (counted from 1)."""
    asked_so_far = [0]

    def answer(asked):
        asked_so_far[0] += 1
        if change := moves.get(asked_so_far[0]):
            change(rows)
        return paged(rows, kind, total=True)(asked)

    return answer


@pytest.mark.parametrize("kind", ["page", "offset"])
def test_a_row_that_slips_to_an_earlier_page_is_found_by_the_total(system, tmp_path, kind):
    rows = store(30)
    # Row 1 goes when page 1 has been read: row 11 moves to page 1 and would never be seen.
    system.on("/api/customers", moving(rows, kind, {2: lambda held: held.pop(0)}))
    puller = Puller(http_source(system.url, customers(kind, total="data.total")), tmp_path)

    puller.pull()
    assert landed(puller) == expected(rows)
    assert puller.landing.latest("shop", "customer").requests["readings"] == 2


def test_a_row_updated_and_moved_to_the_end_counts_once_and_the_later_version_wins(system, tmp_path):
    rows = store(30)

    def move(held):
        held.append({**held.pop(0), "name": "改名"})

    system.on("/api/customers", moving(rows, "page", {3: move}))
    puller = Puller(http_source(system.url, customers("page", total="data.total")), tmp_path)

    puller.pull()
    assert sorted(landed(puller)) == sorted(expected(rows))


def test_a_row_that_comes_again_on_a_later_page_counts_once_as_it_is_there(system, tmp_path):
    pages = [store(10), [{"id": 3, "name": "改名", "amount": 7}, *store(12)[10:], store(12)[-1]]]
    system.on("/api/customers", lambda asked: {"data": {"items": pages[int(asked.params["page"]) - 1]}})
    paging = {**PAGING["page"], "end": "short"}
    puller = Puller(http_source(system.url, customers("page", paging=paging)), tmp_path)

    outcome = puller.pull()["customer"]
    got = {row["id"]: row["name"] for row in puller.rows("customer")}
    assert got == {str(row["id"]): row["name"] for row in store(12)} | {"3": "改名"}
    assert outcome.notes[0].startswith("1 rows came again on a later page with other content")
    # The same key twice on one page is a mistake for the loader to quarantine, not for the door to hide.
    assert [row["id"] for row in puller.rows("customer")].count("12") == 2


def test_an_overlap_of_one_row_notices_that_rows_moved(system, tmp_path):
    rows = store(30)
    asked_so_far = []

    def answer(asked):
        asked_so_far.append(asked)
        if len(asked_so_far) == 2:
            rows.pop(0)
        return paged(rows, "offset")(asked)

    system.on("/api/customers", answer)
    paging = {**PAGING["offset"], "overlap": 1}
    puller = Puller(http_source(system.url, customers("offset", paging=paging)), tmp_path)

    puller.pull()
    assert landed(puller) == expected(rows)


def test_a_total_that_is_never_reached_is_refused(system, tmp_path):
    rows = store(25)

    def answer(asked):
        body = paged(rows, "page")(asked)
        body["data"]["total"] = 26
        return body

    system.on("/api/customers", answer)
    puller = Puller(http_source(system.url, customers("page", total="data.total")), tmp_path)

    words = puller.error("customer")
    assert "names 26 rows in all, but gave 25 different ones, in 3 readings" in words
    assert "what was loaded before stays" in words


def beyond(rows, lost=()):
    """Pages by key whose total counts what lies beyond the cursor; `lost`: at these calls a page lacks its first row."""
    calls = [0]

    def answer(asked):
        calls[0] += 1
        left = [row for row in rows if row["id"] > int(asked.params.get("after", 0))]
        return {"data": {"items": left[calls[0] in lost : SIZE], "total": len(left)}}

    return answer


@pytest.mark.parametrize(("lost", "readings"), [((), 1), ((2,), 2), ((3,), 2)])
def test_a_total_of_the_rows_beyond_the_cursor_tells_a_lost_one(system, tmp_path, lost, readings):
    rows = store(25)
    system.on("/api/customers", beyond(rows, lost))
    streams = customers("keyset", total="data.total", paging={**PAGING["keyset"], "remaining": True})
    streams["customer"]["control"] = {"kind": "query"}
    puller = Puller(http_source(system.url, streams), tmp_path)

    puller.pull()
    assert landed(puller) == expected(rows)
    batch = puller.landing.latest("shop", "customer")
    assert batch is not None
    assert (batch.requests["readings"], batch.control) == (readings, {"rows": "25"})


def test_a_row_that_is_always_lost_is_refused_though_the_pages_go_on(system, tmp_path):
    system.on("/api/customers", beyond(store(25), lost={2, 6, 10}))
    streams = customers("keyset", total="data.total", paging={**PAGING["keyset"], "remaining": True})
    puller = Puller(http_source(system.url, streams), tmp_path)

    words = puller.error("customer")
    assert "names 25 rows in all, but gave 24 different ones, in 3 readings" in words


def test_a_control_total_is_what_the_answer_names(system, tmp_path):
    rows = store(25)
    system.on("/api/customers", paged(rows, "page", total=True))
    streams = customers("page", total="data.total")
    streams["customer"]["control"] = {"kind": "query"}
    puller = Puller(http_source(system.url, streams), tmp_path)

    puller.pull()
    assert puller.landing.latest("shop", "customer").control == {"rows": "25"}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("page", "page 2 holds the same rows as a page before"),
        ("offset", "page 2 holds the same rows as a page before"),
        ("cursor", "page 2 holds the same rows as a page before"),
        ("next_link", "page 2 holds the same rows as a page before"),
        ("keyset", "page 2 holds the same rows as a page before"),
    ],
)
def test_a_page_that_repeats_for_ever_is_refused_at_once(system, tmp_path, kind, words):
    data = {"items": store(SIZE), "next": "1", "link": "customers?token=1"}
    system.on("/api/customers", lambda asked: {"data": data})
    puller = Puller(http_source(system.url, customers(kind)), tmp_path)

    assert words in puller.error("customer")
    assert len(system.log) == 2


def test_a_cursor_named_twice_is_refused(system, tmp_path):
    def answer(asked):
        number = len(system.log)
        return {"data": {"items": [{"id": number, "name": "x", "amount": 1}], "next": ["a", "b"][number % 2]}}

    system.on("/api/customers", answer)
    puller = Puller(http_source(system.url, customers("cursor")), tmp_path)
    assert "names a page as the next one that was read before" in puller.error("customer")


def test_a_keyset_that_goes_backwards_is_refused(system, tmp_path):
    pages = [store(10), [{"id": 5, "name": "x", "amount": 1}]]
    system.on("/api/customers", lambda asked: {"data": {"items": pages[min(len(system.log), 2) - 1]}})
    puller = Puller(http_source(system.url, customers("keyset")), tmp_path)
    assert "the cursor goes backwards at page 2: id = 5 after 10" in puller.error("customer")


def test_equal_values_at_the_border_of_a_keyset_lose_nothing(system, tmp_path):
    rows = [{"id": n, "name": "x", "amount": 1, "day": f"2026-01-{1 + n // 7:02d}"} for n in range(60)]

    def answer(asked):
        after = asked.params.get("after", "")
        return {"data": {"items": [row for row in rows if row["day"] >= after][:SIZE]}}

    system.on("/api/customers", answer)
    paging = {"kind": "keyset", "size": SIZE, "by": "day", "inclusive": True}
    puller = Puller(http_source(system.url, customers("keyset", paging=paging)), tmp_path)
    puller.pull()
    assert [int(row["id"]) for row in puller.rows("customer")] == list(range(60))

    for row in rows:
        row["day"] = "2026-01-01"  # more equal rows than a page holds: no way through, and it says so
    assert "More rows share it than a page holds (10)" in puller.error("customer")


def test_pages_without_end_are_bounded(system, tmp_path):
    def answer(asked):
        return {"data": {"items": [{"id": int(asked.params["page"]), "name": "x", "amount": 1}]}}

    system.on("/api/customers", answer)
    puller = Puller(http_source(system.url, customers("page"), limits={"pages": 7}), tmp_path)
    assert "more than 7 pages" in puller.error("customer")
    assert len(system.log) == 7


def test_what_no_row_has_is_refused_unless_the_system_leaves_out_what_is_empty(system, tmp_path):
    rows = [{"id": 1, "naam": "x", "amount": 1}]
    system.on("/api/customers", lambda asked: {"data": {"items": rows}})
    plain, sparse = (
        customers("page", paging={"kind": "none"}, params={}, sparse=item) for item in (False, True)
    )
    puller = Puller(http_source(system.url, plain), tmp_path)
    words = puller.error("customer")
    assert (
        "no row of /customers has the column name" in words
        and "['naam']" in words
        and "sparse: true" in words
    )

    puller = Puller(http_source(system.url, sparse), tmp_path)
    rows[:] = [{"id": 1, "amount": 1}]
    assert puller.pull()["customer"].notes == ("no row has name: taken as empty (sparse)",)
    rows[:] = [{"id": number, "amount": 1, "name": f"x{number}"} for number in range(30)]
    puller.pull()
    rows[:] = [{"id": number, "amount": 2, "naam": f"x{number}"} for number in range(30)]
    assert "name" in (words := puller.error("customer")) and "naam" in words
    rows[:] = [{"name": "x", "amount": 2}]
    assert "the column id" in puller.error("customer")


def test_a_field_that_came_is_taken_in_where_the_contract_says_so(system, tmp_path):
    rows = [{"id": 1, "name": "x", "amount": 1}]
    system.on("/api/customers", lambda asked: {"data": {"items": rows}})
    streams = customers("page", paging={"kind": "none"}, params={})
    streams["customer"]["drift"] = "evolve"
    puller = Puller(http_source(system.url, streams), tmp_path)
    puller.pull()
    rows.append({"id": 2, "name": "y", "amount": 2, "城市": "上海"})
    (manifest,) = puller.pull()["customer"].landed
    assert [said["from"] for said in manifest.evolved.values()] == ["城市"]
    assert [row["城市"] for row in puller.rows("customer")] == [None, "上海"]


def test_an_older_name_of_a_column_is_found(system, tmp_path):
    rows = [{"id": 1, "alt": "x"}]
    system.on("/api/things", lambda asked: rows)
    columns = {"id": "bigint", "name": {"type": "text", "from": ["neu", "alt"]}}
    streams = {"thing": {"from": "/things", "key": ["id"], "columns": columns, "request": {}}}
    puller = Puller(http_source(system.url, streams), tmp_path)
    puller.pull()
    assert puller.rows("thing") == [{"id": "1", "alt": "x"}]
    rows[:] = [{"id": 1, "neu": "x"}]
    assert puller.pull()["thing"].landed == ()  # the same row by another name
    rows[:] = [{"id": 1, "neu": "y"}]
    puller.pull()
    assert puller.rows("thing") == [{"id": "1", "neu": "y"}]


def test_the_same_rows_in_another_order_land_nothing(system, tmp_path):
    rows = store(25)
    system.on("/api/customers", paged(rows, "page"))
    puller = Puller(http_source(system.url, customers("page")), tmp_path)
    puller.pull()
    rows.reverse()
    outcome = puller.pull()["customer"]
    assert (outcome.rows, outcome.landed) == (25, ())
