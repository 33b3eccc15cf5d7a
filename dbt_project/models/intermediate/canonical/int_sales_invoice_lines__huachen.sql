-- Receivables of the parent (Kingdee: 应收单) and billing documents of the subsidiary (SAP). A credit memo of
-- SAP has positive amounts: its type turns them round. Neither names the account of its revenue, and SAP does
-- not say which receipt pays which invoice, so whether its invoices are open is not known.
with

    receivable_lines as (select * from {{ ref("stg_hc_kingdee__receivable_lines") }}),
    billing_documents as (select * from {{ ref("stg_hc_sap__billing_documents") }}),
    billing_items as (select * from {{ ref("stg_hc_sap__billing_document_items") }}),
    order_lines as (select * from {{ ref("int_order_lines__huachen") }}),
    deliveries as (select * from {{ ref("stg_hc_u8__deliveries") }}),
    delivery_lines as (select * from {{ ref("stg_hc_u8__delivery_lines") }}),
    materials as (select * from {{ ref("stg_hc_kingdee__materials") }}),
    customers as ({{ known_to_all("customer") }}),
    known_products as ({{ known_to_all("product") }}),
    products as (select * from {{ ref("dim_product") }}),
    uoms as (select * from {{ ref("uoms") }}),
    organisations as (select * from {{ ref("dim_organisation") }} where organisation_kind = 'company'),

    -- a receivable names the delivery it bills, line by line; the delivery names the line of the order
    billed as (

        select
            deliveries.shipment_no, delivery_lines.line_no, deliveries.order_no, delivery_lines.order_line_no
        from delivery_lines
        inner join deliveries on delivery_lines.document_id = deliveries.document_id

    ),

    unioned as (

        select
            'HC' as company_code,
            'hc_kingdee' as source_system,
            'receivable_line' as source_stream,
            cast(lines.invoice_line_id as text) as source_record,
            cast(lines.invoice_id as text) as invoice_id,
            lines.invoice_no,
            cast(lines.invoice_line_id as text) as invoice_line_id,
            lines.order_no,
            billed.order_line_no,
            lines.shipment_no,
            lines.source_customer,
            lines.source_product,
            materials.source_uom,
            lines.currency_code,
            lines.invoice_date,
            case
                lines.source_status
                when 'C'
                then case lines.settlement_status when 'C' then 'paid' else 'posted' end
                else 'draft'
            end as status_code,
            lines.source_status = 'C' and lines.settlement_status <> 'C' as is_open,
            lines.invoice_qty,
            lines.invoice_amount_net_txn,
            lines.invoice_amount_tax_txn
        from receivable_lines as lines
        left join materials on lines.source_product = materials.source_product
        left join billed on lines.shipment_no = billed.shipment_no and lines.line_no = billed.line_no
        union all by name
        select
            'HCE' as company_code,
            'hc_sap' as source_system,
            'billing_document_item' as source_stream,
            items.invoice_no || '|' || items.line_no as source_record,
            items.invoice_no as invoice_id,
            items.invoice_no,
            items.invoice_no || '-' || items.line_no as invoice_line_id,
            items.order_no,
            items.order_line_no,
            cast(null as text) as shipment_no,
            documents.source_customer,
            items.source_product,
            items.source_uom,
            items.currency_code,
            documents.invoice_date,
            case when documents.is_cancelled then 'cancelled' else 'posted' end as status_code,
            cast(null as boolean) as is_open,
            case documents.invoice_type when 'G2' then -1 else 1 end * items.invoice_qty as invoice_qty,
            case documents.invoice_type when 'G2' then -1 else 1 end
            * items.invoice_amount_net_txn as invoice_amount_net_txn,
            case documents.invoice_type when 'G2' then -1 else 1 end
            * items.invoice_amount_tax_txn as invoice_amount_tax_txn
        from billing_items as items
        left join billing_documents as documents on items.invoice_no = documents.invoice_no

    ),

    rated as ({{ priced_on("unioned", "invoice_date") }}),

    converted as (

        select
            *,
            {{ at_price("invoice_amount_net_txn", "cny_per_unit") }} as net_cny,
            {{ at_price("invoice_amount_tax_txn", "cny_per_unit") }} as tax_cny
        from rated

    )

select
    {{ key(["'invoice_line'", "converted.source_system", "'sales'", "converted.invoice_line_id"]) }}
    as sales_invoice_line_key,
    converted.invoice_id,
    converted.invoice_no,
    converted.invoice_line_id,
    converted.shipment_no,
    coalesce(order_lines.sales_order_line_key, 'unmatched') as sales_order_line_key,
    coalesce(customers.customer_key, 'unmatched') as customer_key,
    coalesce(known_products.product_key, 'unmatched') as product_key,
    'not_applicable' as account_key,
    converted.company_code,
    coalesce(organisations.organisation_key, 'unmatched') as company_key,
    coalesce(order_lines.is_intercompany, false) as is_intercompany,
    converted.invoice_date,
    converted.status_code,
    converted.status_code in ('posted', 'paid') as is_posted,
    converted.is_open,
    converted.status_code = 'draft' as is_draft,
    coalesce(products.product_kind in ('goods', 'assets', 'finished', 'material'), false) as is_goods,
    converted.order_no as source_document,
    converted.currency_code,
    cast(converted.invoice_qty as decimal(18, 4)) as invoice_qty,
    coalesce(uoms.uom_code, 'unmatched') as uom_code,
    cast(
        converted.invoice_amount_net_txn / nullif(converted.invoice_qty, 0) as decimal(18, 4)
    ) as unit_price_txn,
    cast(converted.invoice_amount_net_txn as decimal(18, 2)) as invoice_amount_net_txn,
    cast(converted.invoice_amount_tax_txn as decimal(18, 2)) as invoice_amount_tax_txn,
    cast(
        converted.invoice_amount_net_txn + converted.invoice_amount_tax_txn as decimal(18, 2)
    ) as invoice_amount_gross_txn,
    case when converted.status_code <> 'draft' then converted.net_cny end as invoice_amount_net_cny,
    case when converted.status_code <> 'draft' then converted.tax_cny end as invoice_amount_tax_cny,
    case
        when converted.status_code <> 'draft'
        then cast(converted.net_cny + converted.tax_cny as decimal(18, 2))
    end as invoice_amount_gross_cny,
    case when converted.status_code = 'draft' then converted.net_cny end as draft_amount_net_cny,
    converted.source_system,
    converted.source_stream,
    converted.source_record
from converted
left join organisations on converted.company_code = organisations.organisation_code
left join
    order_lines
    on converted.company_code = order_lines.company_code
    and converted.order_no = order_lines.order_no
    and converted.order_line_no = order_lines.line_no
left join
    customers
    on converted.source_system = customers.source_system
    and converted.source_customer = customers.known_as
left join
    known_products
    on converted.source_system = known_products.source_system
    and converted.source_product = known_products.known_as
left join products on known_products.product_key = products.product_key
left join uoms on converted.source_uom = uoms.uom_text
