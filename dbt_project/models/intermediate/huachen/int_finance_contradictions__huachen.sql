-- Where documents of finance contradict themselves, each other, the goods they are about or the approvals
-- they
-- needed. One row per document or line.
with

    invoice_lines as (select * from {{ ref("stg_hc_kingdee__receivable_lines") }}),
    order_lines as (select * from {{ ref("stg_hc_kingdee__sales_order_lines") }}),
    deliveries as (select * from {{ ref("stg_hc_u8__deliveries") }}),
    payable_lines as (select * from {{ ref("stg_hc_kingdee__payable_lines") }}),
    payment_lines as (select * from {{ ref("stg_hc_kingdee__payment_lines") }}),
    approvals as (select * from {{ ref("stg_hc_feishu__payment_approvals") }} where not is_reverted),
    journal_items as (select * from {{ ref("stg_hc_sap__journal_items") }} where source_document_type = 'KR'),
    receipt_lines as (select * from {{ ref("stg_hc_kingdee__receipt_lines") }}),
    voucher_lines as (select * from {{ ref("stg_hc_kingdee__gl_voucher_lines") }}),
    missing_vouchers as (select * from {{ ref("int_missing_vouchers__huachen") }}),
    rates as (select * from {{ ref("int_exchange_rates__huachen") }}),

    invoices as (

        select
            invoice_id,
            any_value(invoice_no) as invoice_no,
            any_value(invoice_date) as invoice_date,
            any_value(shipment_no) as shipment_no,
            any_value(currency_code) as currency_code,
            any_value(stated_document_gross_txn) as amount_txn,
            sum(invoice_amount_gross_txn) as lines_amount_txn,
            any_value(source_customer) as source_customer,
            cast(timezone('{{ var("company_timezone") }}', max(created_at)) as date) as created_date,
            min(cast(invoice_line_id as text)) as source_record
        from invoice_lines
        group by invoice_id

    ),

    -- the first one is the invoice, what comes after it under the same number is the copy
    numbered as (
        select *, row_number() over (partition by invoice_no order by invoice_id) as place from invoices
    ),

    prices as (
        select order_no, source_product, mode(tax_rate) as tax_rate, mode(unit_price_txn) as unit_price_txn
        from order_lines
        group by all
    ),

    taxed as (

        select
            invoice_lines.*,
            invoice_amount_net_txn * prices.tax_rate - invoice_amount_tax_txn as tax_off,
            invoice_amount_net_txn - cast(invoice_qty * prices.unit_price_txn as decimal(18, 2)) as net_off,
            invoice_amount_net_txn + invoice_amount_tax_txn <> invoice_amount_gross_txn as is_not_added_up
        from invoice_lines
        left join
            prices
            on invoice_lines.order_no = prices.order_no
            and invoice_lines.source_product = prices.source_product

    ),

    payables as (

        select
            invoice_id,
            any_value(invoice_no) as invoice_no,
            any_value(invoice_date) as invoice_date,
            any_value(currency_code) as currency_code,
            any_value(stated_document_gross_txn) as amount_txn,
            cast(timezone('{{ var("company_timezone") }}', max(created_at)) as date) as created_date,
            min(cast(invoice_line_id as text)) as source_record
        from payable_lines
        group by invoice_id

    ),

    payments as (

        select
            payment_id,
            any_value(payment_no) as payment_no,
            any_value(payment_date) as payment_date,
            any_value(currency_code) as currency_code,
            any_value(stated_payment_amount_txn) as amount_txn,
            min(cast(payment_line_id as text)) as source_record
        from payment_lines
        group by payment_id

    ),

    approved as (

        select
            source_document,
            cast(timezone('{{ var("company_timezone") }}', min(started_at)) as date) as asked_date
        from approvals
        group by source_document

    ),

    -- what the parent billed its subsidiary, in the currency the subsidiary keeps its books in
    expected as (

        select
            journal_items.*,
            cast(invoices.lines_amount_txn / rates.cny_per_unit as decimal(18, 2)) as expected_txn
        from journal_items
        inner join numbered as invoices on journal_items.source_document = invoices.invoice_no
        inner join
            rates
            on journal_items.currency_code = rates.currency_code
            and journal_items.entry_date = rates.rate_date
        where invoices.place = 1

    )

select
    'invoice_came_twice' as case_kind,
    invoice_no as subject,
    'finance' as owner,
    'both stand in the receivables; nothing is published' as safe_default,
    'internal id ' || invoice_id || ' has the number of an earlier one' as detail,
    amount_txn,
    currency_code,
    'hc_kingdee' as source_system,
    'receivable_line' as source_stream,
    source_record
from numbered
where place > 1
union all by name
select
    'invoice_dated_before_its_delivery' as case_kind,
    invoices.invoice_no as subject,
    'finance' as owner,
    'revenue stands in the month the invoice is dated' as safe_default,
    'invoice of '
    || invoices.invoice_date
    || ', delivery '
    || deliveries.shipment_no
    || ' of '
    || deliveries.ship_date as detail,
    invoices.amount_txn,
    invoices.currency_code,
    'hc_kingdee' as source_system,
    'receivable_line' as source_stream,
    invoices.source_record
from invoices
inner join deliveries on invoices.shipment_no = deliveries.shipment_no
where invoices.invoice_date < deliveries.ship_date
union all by name
select
    'invoice_tax_off_by_rounding' as case_kind,
    invoice_no as subject,
    'hc_kingdee' as cause_subject,  -- a system rounds by one rule
    'finance' as owner,
    'the tax counts as the invoice says' as safe_default,
    'tax ' || invoice_amount_tax_txn || ' on ' || invoice_amount_net_txn as detail,
    abs(round(tax_off, 2)) as amount_txn,
    currency_code,
    'hc_kingdee' as source_system,
    'receivable_line' as source_stream,
    cast(invoice_line_id as text) as source_record
from taxed
-- half a cent may be rounded either way
where abs(tax_off) > 0.005 and abs(tax_off) < 0.02 and not is_not_added_up
union all by name
select
    'invoice_keyed_in_after_the_close' as case_kind,
    invoice_no as subject,
    'finance' as owner,
    'it counts in the month it is dated' as safe_default,
    'dated ' || invoice_date || ', keyed in on ' || created_date as detail,
    amount_txn,
    currency_code,
    'hc_kingdee' as source_system,
    'payable_line' as source_stream,
    source_record
from payables
where created_date > last_day(invoice_date) + interval '{{ var("books_close_after_days") }} days'
union all by name
select
    'payment_without_approval' as case_kind,
    payments.payment_no as subject,
    'finance' as owner,
    'the payment counts' as safe_default,
    'paid ' || payments.amount_txn || ' on ' || payments.payment_date as detail,
    payments.amount_txn,
    payments.currency_code,
    'hc_kingdee' as source_system,
    'payment_line' as source_stream,
    payments.source_record
from payments
left join approved on payments.payment_no = approved.source_document
where payments.amount_txn > {{ var("payment_approval_above") }} and approved.source_document is null
union all by name
select
    'payment_before_approval' as case_kind,
    payments.payment_no as subject,
    'finance' as owner,
    'the payment counts on the day it was made' as safe_default,
    'paid on ' || payments.payment_date || ', approval asked for on ' || approved.asked_date as detail,
    payments.amount_txn,
    payments.currency_code,
    'hc_kingdee' as source_system,
    'payment_line' as source_stream,
    payments.source_record
from payments
inner join approved on payments.payment_no = approved.source_document
where payments.payment_date < approved.asked_date
union all by name
select
    'purchase_from_parent_at_another_rate' as case_kind,
    source_document as subject,
    'finance' as owner,
    'the amount counts as the subsidiary booked it' as safe_default,
    'booked ' || abs(amount_txn) || ', by the rate of the day ' || expected_txn as detail,
    abs(abs(amount_txn) - expected_txn) as amount_txn,
    currency_code,
    'hc_sap' as source_system,
    'journal_item' as source_stream,
    source_company || '|' || fiscal_year || '|' || accounting_document_no || '|' || line_no as source_record
from expected
where amount_txn > 0 and amount_txn <> expected_txn
union all by name
select
    'invoice_net_holds_gross' as case_kind,
    invoice_no as subject,
    'finance' as owner,
    'revenue counts as the invoice says' as safe_default,
    'net '
    || invoice_amount_net_txn
    || ', tax '
    || invoice_amount_tax_txn
    || ', gross '
    || invoice_amount_gross_txn as detail,
    invoice_amount_tax_txn as amount_txn,
    currency_code,
    'hc_kingdee' as source_system,
    'receivable_line' as source_stream,
    cast(invoice_line_id as text) as source_record
from taxed
where is_not_added_up and invoice_amount_net_txn = invoice_amount_gross_txn
union all by name
select
    'invoice_amount_is_not_quantity_times_price' as case_kind,
    invoice_no as subject,
    'finance' as owner,
    'revenue counts as the invoice says' as safe_default,
    'net '
    || invoice_amount_net_txn
    || ', at the price of the order '
    || (invoice_amount_net_txn - net_off) as detail,
    -- the tax followed the net amount
    abs(
        net_off
        + invoice_amount_tax_txn
        - cast(
            invoice_amount_tax_txn
            * (invoice_amount_net_txn - net_off)
            / invoice_amount_net_txn as decimal(18, 2)
        )
    ) as amount_txn,
    currency_code,
    'hc_kingdee' as source_system,
    'receivable_line' as source_stream,
    cast(invoice_line_id as text) as source_record
from taxed
where net_off <> 0 and not (is_not_added_up and invoice_amount_net_txn = invoice_amount_gross_txn)
union all by name
select
    'invoice_dated_into_another_month' as case_kind,
    invoice_no as subject,
    'finance' as owner,
    'revenue stands in the month the invoice is dated' as safe_default,
    'dated ' || invoice_date || ', keyed in on ' || created_date as detail,
    amount_txn,
    currency_code,
    'hc_kingdee' as source_system,
    'receivable_line' as source_stream,
    source_record
from numbered
where place = 1 and invoice_date > last_day(created_date)
union all by name
select
    'invoice_without_voucher' as case_kind,
    invoice_no as subject,
    'finance' as owner,
    'revenue counts as the invoice says; the books are without it' as safe_default,
    'invoice of '
    || invoice_date
    || coalesce('; ' || ledger_move_no || ' is missing among the vouchers', '') as detail,
    amount_txn,
    currency_code,
    'hc_kingdee' as source_system,
    'receivable_line' as source_stream,
    source_record
from numbered
left join missing_vouchers on numbered.invoice_no = missing_vouchers.source_document
where
    place = 1
    and invoice_no not in (select source_document from voucher_lines where source_document is not null)
union all by name
select
    'supplier_invoice_paid_twice' as case_kind,
    paid.payment_no as subject,
    'finance' as owner,
    'both payments count' as safe_default,
    'settles ' || paid.settled_invoice_no || ', which ' || paid.first_payment_no || ' had settled' as detail,
    paid.settled_amount_txn as amount_txn,
    paid.currency_code,
    'hc_kingdee' as source_system,
    'payment_line' as source_stream,
    cast(paid.payment_line_id as text) as source_record
from
    (
        select
            payment_lines.*,
            first_value(payment_no) over earlier as first_payment_no,
            sum(settled_amount_txn) over earlier as settled_by_then_txn
        from payment_lines
        window
            earlier as (
                partition by settled_invoice_no
                order by payment_date, payment_line_id
                rows unbounded preceding
            )
    ) as paid
inner join payables on paid.settled_invoice_no = payables.invoice_no
where paid.settled_by_then_txn > payables.amount_txn and payables.amount_txn > 0
union all by name
select
    'receipt_of_another_customer' as case_kind,
    receipt_lines.payment_no as subject,
    'finance' as owner,
    'the money stands with the customer the receipt names' as safe_default,
    'receipt: '
    || receipt_lines.source_customer
    || ', invoice '
    || invoices.invoice_no
    || ': '
    || invoices.source_customer as detail,
    receipt_lines.settled_amount_txn as amount_txn,
    receipt_lines.currency_code,
    'hc_kingdee' as source_system,
    'receipt_line' as source_stream,
    cast(receipt_lines.payment_line_id as text) as source_record
from receipt_lines
inner join
    numbered as invoices on receipt_lines.settled_invoice_no = invoices.invoice_no and invoices.place = 1
where receipt_lines.source_customer <> invoices.source_customer
