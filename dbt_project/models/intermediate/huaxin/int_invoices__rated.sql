-- Invoices of customers and suppliers with their tax and the exchange rate of their day. A draft is not in
-- the books and has no rate of its own: `rate` stays null, and `draft_rate`, the last one known on the
-- last operational day, serves those who must weigh drafts.
with

    invoices as (select * from {{ ref("stg_hx_finance__invoices") }}),
    invoice_taxes as (select * from {{ ref("stg_hx_finance__invoice_taxes") }}),
    statuses as (select * from {{ ref("document_statuses") }} where document_type = 'invoice'),
    rates as (select * from {{ ref("int_exchange_rates") }}),
    last_day as (select * from {{ ref("int_operations__last_day") }}),

    taxes as (

        select invoice_id, sum(tax_amount_txn) as document_tax_txn from invoice_taxes group by invoice_id

    ),

    dated as (

        select
            invoices.invoice_id,
            invoices.invoice_no,
            invoices.invoice_type,
            invoices.party_code,
            invoices.control_account_code,
            invoices.invoice_date,
            invoices.currency_code,
            coalesce(statuses.status_code, 'unmatched') as status_code,
            coalesce(statuses.status_code in ('posted', 'paid'), false) as is_posted,
            coalesce(statuses.status_code = 'posted', false) as is_open,
            coalesce(statuses.status_code in ('draft', 'validated'), false) as is_draft,
            coalesce(taxes.document_tax_txn, 0) as document_tax_txn
        from invoices
        left join statuses on invoices.source_status = statuses.source_status
        left join taxes on invoices.invoice_id = taxes.invoice_id

    ),

    with_day as (

        select
            dated.*,
            case
                when dated.is_draft then last_day.last_operational_date else dated.invoice_date
            end as rate_on_date
        from dated
        cross join last_day

    ),

    rated as (

        select with_day.* exclude (rate_on_date), {{ rate_of("rates", "with_day.currency_code") }} as any_rate
        from with_day
        asof left join
            rates on with_day.currency_code = rates.currency_code and with_day.rate_on_date >= rates.rate_date

    )

select
    * exclude (any_rate),
    case when not is_draft then any_rate end as rate,
    case when is_draft then any_rate end as draft_rate
from rated
