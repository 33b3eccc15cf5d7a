-- The same for 华辰: lines and totals per system and document kind, in what the system counts in.
with

    billing_items as (select * from {{ ref("stg_hc_sap__billing_document_items") }}),
    billing_documents as (select * from {{ ref("stg_hc_sap__billing_documents") }}),

    staged as (

        {% for system, kind, model, measure in [
            (
                "hc_kingdee",
                "sales order",
                "stg_hc_kingdee__sales_order_lines",
                "order_amount_net_txn",
            ),
            ("hc_sap", "sales order", "stg_hc_sap__sales_order_items", "order_amount_net_txn"),
            ("hc_u8", "purchase order", "stg_hc_u8__purchase_order_lines", "order_amount_net_txn"),
            (
                "hc_yonbip",
                "purchase order",
                "stg_hc_yonbip__purchase_order_lines",
                "order_amount_net_txn",
            ),
            (
                "hc_kingdee",
                "sales invoice",
                "stg_hc_kingdee__receivable_lines",
                "invoice_amount_gross_txn",
            ),
            (
                "hc_kingdee",
                "supplier invoice",
                "stg_hc_kingdee__payable_lines",
                "invoice_amount_gross_txn",
            ),
            ("hc_u8", "delivery", "stg_hc_u8__delivery_lines", "cost_amount_cny"),
            ("hc_u8", "goods receipt", "stg_hc_u8__goods_receipt_lines", "receipt_qty"),
            (
                "hc_kingdee",
                "ledger",
                "stg_hc_kingdee__gl_voucher_lines",
                "debit_amount_cny - credit_amount_cny",
            ),
            ("hc_sap", "ledger", "stg_hc_sap__journal_items", "amount_txn"),
            ("hc_mes", "work order", "stg_hc_mes__work_orders", "1"),
        ] %}
            select
                '{{ system }}' as source_system,
                '{{ kind }}' as document_kind,
                count(*) as line_count,
                sum(cast({{ measure }} as decimal(38, 4))) as total
            from {{ ref(model) }}
            union all
        {% endfor %}
        select
            'hc_sap' as source_system,
            'sales invoice' as document_kind,
            count(*) as line_count,
            sum(
                case billing_documents.invoice_type when 'G2' then -1 else 1 end
                * billing_items.invoice_amount_gross_txn
            ) as total
        from billing_items
        left join billing_documents on billing_items.invoice_no = billing_documents.invoice_no

    ),

    marts as (

        {% for kind, model, measure in [
            ("sales order", "fct_sales_order_line", "order_amount_net_txn"),
            ("purchase order", "fct_purchase_order_line", "order_amount_net_txn"),
            ("sales invoice", "fct_sales_invoice_line", "invoice_amount_gross_txn"),
            ("supplier invoice", "fct_supplier_invoice_line", "invoice_amount_gross_txn"),
            ("delivery", "fct_delivery_line", "cost_amount_cny"),
            ("goods receipt", "fct_goods_receipt_line", "receipt_qty"),
            ("ledger", "fct_ledger_entry_line", "amount_txn"),
            ("work order", "fct_work_order", "1"),
        ] %}
            select
                source_system,
                '{{ kind }}' as document_kind,
                count(*) as line_count,
                sum(cast({{ measure }} as decimal(38, 4))) as total
            from {{ ref(model) }}
            where company_code in ('HC', 'HCE')
            group by source_system
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    )

select staged.*, marts.line_count as mart_lines, marts.total as mart_total
from staged
full outer join
    marts on staged.source_system = marts.source_system and staged.document_kind = marts.document_kind
where
    coalesce(staged.line_count, 0) <> coalesce(marts.line_count, 0)
    or coalesce(staged.total, 0) <> coalesce(marts.total, 0)
