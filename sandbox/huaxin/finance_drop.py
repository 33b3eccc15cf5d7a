"""Door 4, finance: the exports of the accounts, Parquet for the books and JSON for reference data.

Finance prints codes (account, partner, currency, journal) instead of the ERP's private ids. 控制总数.json
says for every file how many rows it has and what its columns add up to.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

CONTROL_FILE = "控制总数.json"
# File name -> (columns whose totals the control file states, query).
_FILES: dict[str, tuple[tuple[str, ...], str]] = {
    "科目.parquet": (
        (),
        """
        select
            account.id,
            account.code,
            account.name,
            parent.code as parent_code,
            kind.name as type_name,
            kind.statement,
            -- headings have no type, and are none of these
            coalesce(kind.receivable, false) as is_receivable,
            coalesce(kind.payable, false) as is_payable,
            coalesce(kind.revenue, false) as is_revenue,
            coalesce(kind.expense, false) as is_expense,
            coalesce(kind.stock, false) as is_stock,
            account.closed
        from account_account as account
        left join account_account as parent on parent.id = account.parent
        left join account_account_type as kind on kind.id = account.type
        order by account.id
        """,
    ),
    "会计期间.parquet": (
        (),
        """
        select
            period.id,
            period.name,
            period.start_date,
            period.end_date,
            period.state,
            fiscal_year.name as fiscal_year
        from account_period as period
        left join account_fiscalyear as fiscal_year on fiscal_year.id = period.fiscalyear
        order by period.id
        """,
    ),
    "日记账.parquet": ((), "select code, name, type from account_journal order by code"),
    "凭证.parquet": (
        (),
        """
        select
            move.id,
            move.number,
            move.date,
            move.post_date,
            journal.code as journal_code,
            period.name as period,
            move.description,
            move.origin,
            move.state
        from account_move as move
        left join account_journal as journal on journal.id = move.journal
        left join account_period as period on period.id = move.period
        order by move.id
        """,
    ),
    "凭证分录.parquet": (
        ("debit", "credit"),
        """
        select
            line.id,
            line.move,
            line.account as account_id,
            account.code as account_code,
            party.code as party_code,
            line.debit,
            line.credit,
            line.amount_second_currency,
            currency.code as second_currency_code,
            line.description,
            line.maturity_date,
            line.origin,
            line.reconciliation
        from account_move_line as line
        left join account_account as account on account.id = line.account
        left join party_party as party on party.id = line.party
        left join currency_currency as currency on currency.id = line.second_currency
        order by line.id
        """,
    ),
    "发票.parquet": (
        ("untaxed_amount_cache", "tax_amount_cache", "total_amount_cache"),
        """
        select
            invoice.id,
            invoice.number,
            invoice.type,
            invoice.state,
            party.code as party_code,
            currency.code as currency_code,
            invoice.invoice_date,
            cast(invoice.accounting_date as date) as accounting_date,
            journal.code as journal_code,
            account.code as account_code,
            term.name as payment_term,
            invoice.move,
            invoice.reference,
            invoice.untaxed_amount_cache,
            invoice.tax_amount_cache,
            invoice.total_amount_cache
        from account_invoice as invoice
        left join party_party as party on party.id = invoice.party
        left join currency_currency as currency on currency.id = invoice.currency
        left join account_journal as journal on journal.id = invoice.journal
        left join account_account as account on account.id = invoice.account
        left join account_invoice_payment_term as term on term.id = invoice.payment_term
        order by invoice.id
        """,
    ),
    "发票明细.parquet": (
        ("quantity",),
        """
        select
            line.id,
            line.invoice,
            line.invoice_type,
            product.code as product_code,
            line.quantity,
            unit.name as uom_name,
            line.unit_price,
            account.code as account_code,
            line.origin,
            currency.code as currency_code
        from account_invoice_line as line
        left join product_product as product on product.id = line.product
        left join product_uom as unit on unit.id = line.unit
        left join account_account as account on account.id = line.account
        left join currency_currency as currency on currency.id = line.currency
        order by line.id
        """,
    ),
    "发票税额.parquet": (
        ("base", "amount"),
        """
        select
            line.id,
            line.invoice,
            tax.name as tax_name,
            line.base,
            line.amount,
            account.code as account_code
        from account_invoice_tax as line
        left join account_tax as tax on tax.id = line.tax
        left join account_account as account on account.id = line.account
        order by line.id
        """,
    ),
    "核销.parquet": ((), "select id, number, date from account_move_reconciliation order by id"),
    "公司.json": (
        (),
        """
        select company.id, party.code, party.name, currency.code as currency_code
        from company_company as company
        left join party_party as party on party.id = company.party
        left join currency_currency as currency on currency.id = company.currency
        order by company.id
        """,
    ),
    "往来单位.json": (
        (),
        """
        select party.code, party.name, identifier.code as credit_code, party.active as is_active
        from party_party as party
        left join party_identifier as identifier on identifier.party = party.id
        where party.code like 'C%' or party.code like 'S%'
        order by party.code
        """,
    ),
    "汇率.json": (
        ("rate",),
        """
        select rate.id, currency.code as currency_code, rate.date, rate.rate
        from currency_currency_rate as rate
        left join currency_currency as currency on currency.id = rate.currency
        order by rate.id
        """,
    ),
}


def write_finance_drop(folder: Path, erp: duckdb.DuckDBPyConnection) -> None:
    """Write every export and the control file into `folder`, which is empty."""
    control = []
    for file, (totals, query) in _FILES.items():
        path = str(folder / file).replace("'", "''")
        options = (
            "format parquet, compression zstd" if file.endswith(".parquet") else "format json, array true"
        )
        erp.execute(f"copy ({query}) to '{path}' ({options})")
        sums = "".join(f', cast(sum("{column}") as text)' for column in totals)
        rows, *answers = erp.execute(f"select count(*){sums} from ({query})").fetchone() or (0,)
        # Text, so that no reader turns a total into a binary fraction.
        control.append({"file": file, "rows": rows, "sums": dict(zip(totals, answers, strict=True))})
    text = json.dumps(control, ensure_ascii=False, indent=1)
    (folder / CONTROL_FILE).write_text(text + "\n", encoding="utf-8")
