-- Payables of the parent (Kingdee: 应付单), linked to the order line through the receipt they bill. What the
-- subsidiary buys it buys from the parent: its ledger has it, documents of its own it has none.
with

    payable_lines as (select * from {{ ref("stg_hc_kingdee__payable_lines") }}),
    receipts as (select * from {{ ref("stg_hc_u8__goods_receipts") }}),
    receipt_lines as (select * from {{ ref("stg_hc_u8__goods_receipt_lines") }}),
    materials as (select * from {{ ref("stg_hc_kingdee__materials") }}),
    suppliers as ({{ known_to("hc_kingdee", "supplier") }}),
    known_products as ({{ known_to("hc_kingdee", "product") }}),
    products as (select * from {{ ref("dim_product") }}),
    uoms as (select * from {{ ref("uoms") }}),

    billed as (

        select receipts.receipt_no, receipt_lines.line_no, receipt_lines.order_line_id
        from receipt_lines
        inner join receipts on receipt_lines.document_id = receipts.document_id

    ),

    linked as (

        select payable_lines.*, billed.order_line_id, payable_lines.source_status = 'C' as is_posted
        from payable_lines
        left join
            billed on payable_lines.receipt_no = billed.receipt_no and payable_lines.line_no = billed.line_no

    ),

    priced as ({{ priced_on("linked", "invoice_date") }}),

    converted as (

        select
            *,
            {{ at_price("invoice_amount_net_txn", "cny_per_unit") }} as net_cny,
            {{ at_price("invoice_amount_tax_txn", "cny_per_unit") }} as tax_cny
        from priced

    )

select
    {{ key(["'invoice_line'", "'hc_kingdee'", "'purchase'", "converted.invoice_line_id"]) }}
    as supplier_invoice_line_key,
    cast(converted.invoice_id as text) as invoice_id,
    converted.invoice_no,
    cast(converted.invoice_line_id as text) as invoice_line_id,
    converted.receipt_no,
    case
        when converted.order_line_id is null
        then 'unmatched'
        else {{ key(["'purchase_order_line'", "'hc_u8'", "converted.order_line_id"]) }}
    end as purchase_order_line_key,
    coalesce(suppliers.supplier_key, 'unmatched') as supplier_key,
    coalesce(known_products.product_key, 'unmatched') as product_key,
    'not_applicable' as account_key,
    converted.invoice_date,
    case
        when not converted.is_posted
        then 'draft'
        when converted.settlement_status = 'C'
        then 'paid'
        else 'posted'
    end as status_code,
    converted.is_posted,
    converted.is_posted and converted.settlement_status <> 'C' as is_open,
    not converted.is_posted as is_draft,
    coalesce(products.product_kind in ('goods', 'assets', 'finished', 'material'), false) as is_goods,
    converted.order_no as source_document,
    converted.currency_code,
    converted.invoice_qty,
    coalesce(uoms.uom_code, 'unmatched') as uom_code,
    cast(
        converted.invoice_amount_net_txn / nullif(converted.invoice_qty, 0) as decimal(18, 4)
    ) as unit_price_txn,
    cast(converted.invoice_amount_net_txn as decimal(18, 2)) as invoice_amount_net_txn,
    cast(converted.invoice_amount_tax_txn as decimal(18, 2)) as invoice_amount_tax_txn,
    cast(converted.invoice_amount_gross_txn as decimal(18, 2)) as invoice_amount_gross_txn,
    case when converted.is_posted then converted.net_cny end as invoice_amount_net_cny,
    case when converted.is_posted then converted.tax_cny end as invoice_amount_tax_cny,
    case
        when converted.is_posted then cast(converted.net_cny + converted.tax_cny as decimal(18, 2))
    end as invoice_amount_gross_cny,
    case when not converted.is_posted then converted.net_cny end as draft_amount_net_cny,
    {{ of_company("HC") }},
    {{ provenance("hc_kingdee", "payable_line", "converted.invoice_line_id") }}
from converted
left join suppliers on converted.source_supplier = suppliers.known_as
left join known_products on converted.source_product = known_products.known_as
left join products on known_products.product_key = products.product_key
left join materials on converted.source_product = materials.source_product
left join uoms on materials.source_uom = uoms.uom_text
