"""What lacks a source that is switched off stops nobody; what could not be evaluated still does."""

from __future__ import annotations

import json

from tieout.tie.verdict import Rule, Verdict
from tieout.transform.downstream import built_from


def manifest(folder):
    """shop → stg_orders → fct_order → identity_booked; books → stg_entries → identity_booked."""
    path = folder / "manifest.json"
    children = {
        "source.p.shop.orders": ["model.p.stg_orders", "test.p.some_test"],
        "source.p.books.entries": ["model.p.stg_entries"],
        "model.p.stg_orders": ["model.p.fct_order"],
        "model.p.fct_order": ["model.p.identity_booked", "metric.p.sales"],
        "model.p.stg_entries": ["model.p.identity_booked"],
    }
    names = ["stg_orders", "stg_entries", "fct_order", "identity_booked"]
    path.write_text(
        json.dumps(
            {
                "sources": {
                    "source.p.shop.orders": {"source_name": "shop", "schema": "raw_shop"},
                    "source.p.books.entries": {"source_name": "books", "schema": "raw_books"},
                },
                "nodes": {f"model.p.{name}": {"name": name} for name in names},
                "child_map": children,
            }
        )
    )
    return path


def test_models_are_followed_from_their_sources(tmp_path):
    path = manifest(tmp_path)
    assert built_from(path, {"shop"}) == {"stg_orders", "fct_order", "identity_booked"}
    assert built_from(path, {"books"}) == {"stg_entries", "identity_booked"}
    assert built_from(path, set()) == frozenset()
    assert built_from(tmp_path / "none.json", {"shop"}) == frozenset()


def rule(kind, name, state, *, strong=True):
    return Rule(kind, name, "title", strong, state, "", "owner")


def test_only_what_needs_the_source_is_excused():
    said = Verdict(
        (
            rule("check", "fct_order.has_rows", "failed"),
            rule("check", "fct_order.could_not_run", "error"),
            rule("check", "fct_entry.has_rows", "failed"),
            rule("identity", "booked", "broken"),
            rule("identity", "balanced", "broken"),
        )
    )
    assert len(said.blocking) == 5
    left = said.without({"fct_order", "identity_booked"}).blocking
    assert [item.name for item in left] == ["fct_order.could_not_run", "fct_entry.has_rows", "balanced"]
